//! What a pool shares with its handles: the workers, and the orders that wait.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::pool::WorkerId;
use crate::pool::dynamic::worker::{ABORT, GONE, HELD, PAUSE, Record, STOP, Worker};
use crate::pool::key::Key;
use crate::pool::lock::{Mutex, MutexGuard, lock};

/// What a pool shares with its handles. It knows neither the type of the workers nor their
/// items, so that handles are `Send` whatever these are.
#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
}

/// No code of the program runs while it is locked.
#[derive(Default)]
struct State {
    /// The workers that are not gone.
    workers: BTreeMap<WorkerId, Entry>,
    /// The workers that are to be built, in the order of their ids.
    unborn: VecDeque<Arc<Record>>,
    /// The workers that are to be polled or, if they are aborted, to be dropped.
    visits: VecDeque<WorkerId>,
    /// The number of workers that were added.
    added: usize,
    handles: usize,
    stays_open: bool,
    /// Whether new workers begin paused.
    paused: bool,
    /// Whether new workers are refused.
    stopping: bool,
    /// Whether the pool has ended or was dropped.
    over: bool,
    /// Wakes the child that waits for orders.
    waker: Option<Waker>,
}

struct Entry {
    record: Arc<Record>,
    /// `None` until the worker is built.
    key: Option<Key>,
}

/// What a worker is ordered to do.
#[derive(Clone, Copy)]
pub(super) enum Order {
    Pause,
    Resume,
    Stop,
    Abort,
}

/// The workers whose state has changed.
type Changed = Vec<Arc<Record>>;

// For the handles.
impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Changes the state, then wakes the pool if it has something to do, and reports the
    /// changes, both outside of the lock.
    fn change<T>(&self, change: impl FnOnce(&mut State, &mut Changed) -> T) -> T {
        let mut changed = Vec::new();
        let mut state = self.state();
        let result = change(&mut state, &mut changed);
        let waker = if state.has_orders() || state.may_end() { state.waker.take() } else { None };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        changed.into_iter().for_each(|record| Worker::new(record).report());
        result
    }

    pub(super) fn add(self: &Arc<Self>) -> Option<Arc<Record>> {
        self.change(|state, _| state.add(self))
    }

    pub(super) fn resize(self: &Arc<Self>, workers: usize) {
        self.change(|state, changed| {
            let remain = |entry: &&Entry| entry.record.flags() & STOP == 0;
            let present = state.workers.values().filter(remain).count();
            for _ in present..workers {
                if state.add(self).is_none() {
                    return;
                }
            }
            let newest = state.workers.values().rev().filter(remain);
            let surplus = newest.take(present.saturating_sub(workers));
            let surplus: Vec<_> = surplus.map(|entry| Arc::clone(&entry.record)).collect();
            changed.extend(surplus.into_iter().filter(|record| state.order(record, Order::Stop)));
        });
    }

    /// Gives an order to one worker.
    pub(super) fn order(&self, record: &Arc<Record>, order: Order) {
        self.change(|state, changed| {
            if state.order(record, order) {
                changed.push(Arc::clone(record));
            }
        });
    }

    /// Gives an order to all workers, in one step.
    pub(super) fn order_all(&self, order: Order) {
        self.change(|state, changed| {
            match order {
                Order::Pause => state.paused = true,
                Order::Resume => state.paused = false,
                Order::Stop | Order::Abort => state.stopping = true,
            }
            changed.extend(state.records());
            changed.retain(|record| state.order(record, order));
        });
    }

    pub(super) fn records(&self) -> Vec<Arc<Record>> {
        self.state().records().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.state().workers.len()
    }

    pub(super) fn add_handle(&self) {
        self.state().handles += 1;
    }

    pub(super) fn drop_handle(&self) {
        self.change(|state, _| state.handles -= 1);
    }

    pub(super) fn fmt_as(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        let (workers, over) = (state.workers.len(), state.over);
        let (paused, stopping) = (state.paused, state.stopping);
        drop(state);
        f.debug_struct(name)
            .field("workers", &workers)
            .field("paused", &paused)
            .field("stopping", &stopping)
            .field("ended", &over)
            .finish_non_exhaustive()
    }
}

// For the pool.
impl Shared {
    pub(super) fn stay_open(&self) {
        self.state().stays_open = true;
    }

    /// Returns the number of workers that are to be built.
    pub(super) fn unborn(&self) -> usize {
        self.state().unborn.len()
    }

    pub(super) fn next_unborn(&self) -> Option<Arc<Record>> {
        self.state().unborn.pop_front()
    }

    /// Notes where a worker is, which was built.
    pub(super) fn set_key(&self, id: WorkerId, key: Key) {
        if let Some(entry) = self.state().workers.get_mut(&id) {
            entry.key = Some(key);
        }
    }

    /// Returns the key of the next worker to visit, and whether it is aborted.
    pub(super) fn next_visit(&self) -> Option<(Key, bool)> {
        let mut state = self.state();
        loop {
            let id = state.visits.pop_front()?;
            // The worker may be gone by now.
            let Some(entry) = state.workers.get(&id) else { continue };
            let Some(key) = entry.key else { continue };
            return Some((key, entry.record.flags() & ABORT != 0));
        }
    }

    /// Polls for orders. `Ready(false)` is the end of the pool, which is decided here.
    pub(super) fn poll_orders(&self, cx: &Context<'_>) -> Poll<bool> {
        let mut waker = Some(cx.waker().clone());
        let mut state = self.state();
        if state.has_orders() {
            return Poll::Ready(true);
        }
        if state.may_end() {
            state.over = true;
            return Poll::Ready(false);
        }
        // The waker that it replaces is dropped outside of the lock.
        mem::swap(&mut state.waker, &mut waker);
        drop(state);
        Poll::Pending
    }

    /// Holds a worker that is between two items, if it is to pause. Returns whether it is
    /// held.
    pub(super) fn hold(&self, record: &Arc<Record>) -> bool {
        self.change(|_, changed| {
            let flags = record.flags();
            if flags & PAUSE != 0 && flags & HELD == 0 {
                record.set_flags(flags | HELD);
                changed.push(Arc::clone(record));
            }
            flags & PAUSE != 0
        })
    }

    /// Notes that a worker is gone.
    pub(super) fn remove(&self, record: &Arc<Record>) {
        self.change(|state, changed| {
            state.workers.remove(&record.id());
            record.set_flags(record.flags() | GONE);
            changed.push(Arc::clone(record));
        });
    }

    /// Notes that the pool was dropped. Its workers report their ends themselves, except
    /// for those that were not built.
    pub(super) fn close(&self) {
        let mut released = None;
        self.change(|state, changed| {
            state.over = true;
            changed.extend(mem::take(&mut state.unborn));
            for record in changed.iter() {
                state.workers.remove(&record.id());
                record.set_flags(record.flags() | GONE);
            }
            state.visits = VecDeque::new();
            released = state.waker.take();
        });
    }
}

impl State {
    fn has_orders(&self) -> bool {
        !self.unborn.is_empty() || !self.visits.is_empty()
    }

    /// Returns whether no worker is left, and none can be added.
    fn may_end(&self) -> bool {
        let is_open = self.stays_open && self.handles > 0 && !self.stopping;
        self.workers.is_empty() && !is_open
    }

    fn records(&self) -> impl Iterator<Item = Arc<Record>> {
        self.workers.values().map(|entry| Arc::clone(&entry.record))
    }

    fn add(&mut self, shared: &Arc<Shared>) -> Option<Arc<Record>> {
        if self.over || self.stopping {
            return None;
        }
        let flags = if self.paused { PAUSE | HELD } else { 0 };
        let record = Record::new(WorkerId::from_index(self.added), Arc::clone(shared), flags);
        let record = Arc::new(record);
        self.added += 1;
        let entry = Entry { record: Arc::clone(&record), key: None };
        self.workers.insert(record.id(), entry);
        self.unborn.push_back(Arc::clone(&record));
        Some(record)
    }

    /// Gives an order to a worker. Returns whether its state has changed.
    fn order(&mut self, record: &Arc<Record>, order: Order) -> bool {
        let flags = record.flags();
        let unborn = self.unborn.binary_search_by_key(&record.id(), |unborn| unborn.id()).ok();
        let next = match order {
            Order::Pause if flags & (PAUSE | STOP | GONE) == 0 => {
                flags | if unborn.is_some() { PAUSE | HELD } else { PAUSE }
            }
            Order::Resume if flags & PAUSE != 0 => flags & !(PAUSE | HELD),
            Order::Stop if flags & (STOP | GONE) == 0 => flags & !(PAUSE | HELD) | STOP,
            Order::Abort if flags & (ABORT | GONE) == 0 => flags & !(PAUSE | HELD) | STOP | ABORT,
            Order::Pause | Order::Resume | Order::Stop | Order::Abort => return false,
        };
        match unborn {
            Some(index) if next & STOP != 0 => {
                self.unborn.remove(index);
                self.workers.remove(&record.id());
                record.set_flags(next | GONE);
                return true;
            }
            None if flags & HELD != 0 || next & STOP != 0 => self.visits.push_back(record.id()),
            _ => {}
        }
        record.set_flags(next);
        true
    }
}
