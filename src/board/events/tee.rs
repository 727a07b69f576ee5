//! Sharing one stream of events between several readers.

use std::array;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_core::{FusedStream, Stream};

use crate::board::event::{Change, Event, JobId};
use crate::board::lock::ignore_poison;
use crate::board::room::Lines;

/// Splits a stream of events into `N` readers, which all receive the same events, each at
/// its own pace.
///
/// A reader drains its backlog first, then pulls the next event and queues a copy for the
/// other readers. In a backlog, changes merge as they do on the board: into one change
/// per job, with the latest values and the latest time. A backlog therefore holds at most
/// three events per job, and the last state of every job arrives. At most 65,536 printed
/// lines or 16 MiB of them are queued per reader. Beyond that limit, the newest lines are
/// omitted for this reader, and a line such as `… 12 lines not shown` takes their place.
///
/// A dropped reader keeps no backlog. The stream of events is dropped when it ends, or
/// with the last reader.
///
/// The reader that polls most often determines how often the board is read, and so what a
/// tick costs. Let every reader wait between polls, as a [`Console`](crate::Console)
/// does, or tee [sampled](crate::Events::sampled) events.
///
/// # Panics
///
/// Polling a reader panics if polling the stream of events panics. The other readers then
/// end.
///
/// # Cancel safety
///
/// No event is lost if a future that borrows a reader is dropped.
///
/// # Examples
///
/// A board on the terminal and in a log at the same time:
///
/// ```
/// use active_status::{Console, board, tee};
///
/// let (board, events) = board();
/// let [screen, log] = tee(events);
/// let screen = Console::auto().start(screen);
/// let log = Console::plain().output(Vec::new()).start(log);
/// board.add_job("copy: ").finish();
/// board.close();
/// screen.shutdown();
/// log.shutdown();
/// ```
pub fn tee<S: Stream<Item = Event>, const N: usize>(events: S) -> [Tee<S>; N] {
    let readers = array::from_fn::<_, N, _>(|_| Some(Backlog::default())).into();
    let state = Locked { source: Source::Idle(Box::pin(events)), readers };
    let wakers = Wakers(Mutex::new(array::from_fn::<_, N, _>(|_| None).into()));
    let shared = Arc::new(TeeState { state: Mutex::new(state), wakers: Arc::new(wakers) });
    array::from_fn(|number| Tee { shared: Arc::clone(&shared), number, ended: false })
}

/// One of the streams returned by [`tee`].
#[must_use = "streams do nothing unless polled"]
pub struct Tee<S> {
    shared: Arc<TeeState<S>>,
    number: usize,
    ended: bool,
}

struct TeeState<S> {
    state: Mutex<Locked<S>>,
    wakers: Arc<Wakers>,
}

/// The state behind the lock. No foreign code runs while it is locked.
struct Locked<S> {
    source: Source<S>,
    /// `None` for a reader that was dropped.
    readers: Vec<Option<Backlog>>,
}

/// The stream of events.
enum Source<S> {
    Idle(Pin<Box<S>>),
    /// A reader is polling the stream. Another reader may wait for it.
    Polled {
        waited_for: bool,
    },
    Ended,
}

impl<S: Stream<Item = Event>> Stream for Tee<S> {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let polled = match self.shared.take(self.number) {
            Some(event) => Poll::Ready(Some(event)),
            None => {
                // Registered before the poll, so that every later event wakes this
                // reader.
                self.shared.wakers.listen(self.number, cx.waker());
                let polled = self.shared.poll(self.number);
                if polled.is_ready() {
                    self.shared.wakers.forget(self.number);
                }
                polled
            }
        };
        self.ended = matches!(polled, Poll::Ready(None));
        polled
    }
}

impl<S: Stream<Item = Event>> FusedStream for Tee<S> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<S> Drop for Tee<S> {
    fn drop(&mut self) {
        let _reader = self.shared.state().readers[self.number].take();
        self.shared.wakers.forget(self.number);
    }
}

impl<S> fmt::Debug for Tee<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pending = self.shared.state().reader(self.number).pending.len();
        f.debug_struct("Tee")
            .field("pending", &pending)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

impl<S> TeeState<S> {
    fn state(&self) -> MutexGuard<'_, Locked<S>> {
        ignore_poison(self.state.lock())
    }

    /// Takes the next event from the reader's backlog.
    fn take(&self, number: usize) -> Option<Event> {
        self.state().reader(number).take()
    }
}

impl<S: Stream<Item = Event>> TeeState<S> {
    /// Takes the next event from the reader's backlog, or else from the stream.
    fn poll(&self, number: usize) -> Poll<Option<Event>> {
        let mut state = self.state();
        if let Some(event) = state.reader(number).take() {
            return Poll::Ready(Some(event));
        }
        let events = match mem::replace(&mut state.source, Source::Polled { waited_for: false }) {
            Source::Idle(events) => events,
            Source::Polled { .. } => {
                state.source = Source::Polled { waited_for: true };
                return Poll::Pending;
            }
            Source::Ended => {
                state.source = Source::Ended;
                return Poll::Ready(None);
            }
        };
        drop(state);
        SourcePoll { shared: self, number, events: Some(events), yielded: false }.poll()
    }
}

impl<S> Locked<S> {
    fn reader(&mut self, number: usize) -> &mut Backlog {
        self.readers[number].as_mut().expect("the reader that polls was not dropped")
    }

    /// Adds an event to the backlogs of the other readers.
    fn add_for_others(&mut self, number: usize, event: &Event) {
        let others = self.readers.iter_mut().enumerate().filter(|(other, _)| *other != number);
        others.filter_map(|(_, reader)| reader.as_mut()).for_each(|reader| reader.add(event));
    }
}

/// A poll of the stream by one reader. Dropping it puts the stream back and wakes the
/// other readers, even after a panic.
struct SourcePoll<'a, S> {
    shared: &'a TeeState<S>,
    number: usize,
    /// The stream to put back; `None` after its end and while it is polled, so that a
    /// panic ends it.
    events: Option<Pin<Box<S>>>,
    /// Whether the stream yielded an event.
    yielded: bool,
}

impl<S: Stream<Item = Event>> SourcePoll<'_, S> {
    fn poll(&mut self) -> Poll<Option<Event>> {
        let Some(mut events) = self.events.take() else { return Poll::Ready(None) };
        let waker = Waker::from(Arc::clone(&self.shared.wakers));
        let polled = events.as_mut().poll_next(&mut Context::from_waker(&waker));
        if let Poll::Ready(Some(event)) = &polled {
            self.yielded = true;
            self.shared.state().add_for_others(self.number, event);
        }
        self.events = (!matches!(polled, Poll::Ready(None))).then_some(events);
        polled
    }
}

impl<S> Drop for SourcePoll<'_, S> {
    fn drop(&mut self) {
        let source = self.events.take().map_or(Source::Ended, Source::Idle);
        let ended = matches!(source, Source::Ended);
        let before = mem::replace(&mut self.shared.state().source, source);
        let waited_for = matches!(before, Source::Polled { waited_for: true });
        if self.yielded || ended || waited_for {
            self.shared.wakers.wake_where(|number| number != self.number);
        }
    }
}

/// The events that are queued for one reader.
#[derive(Default)]
struct Backlog {
    pending: VecDeque<Event>,
    /// The number of events taken from the front.
    taken: usize,
    /// The positions of the pending changes, counted from the first event ever queued.
    changes: BTreeMap<JobId, usize>,
    lines: Lines,
}

impl Backlog {
    fn add(&mut self, event: &Event) {
        let place = self.taken + self.pending.len();
        match event {
            Event::Changed { at, job, change } => {
                if let Some((old_at, old)) = self.pending_change(*job) {
                    *old_at = *at;
                    return old.merge(change);
                }
                self.changes.insert(*job, place);
            }
            // Later changes of the job must not merge with a change before this event.
            Event::Added { job, .. } | Event::Ended { job, .. } => {
                self.changes.remove(job);
            }
            Event::Closed { .. } => self.changes.clear(),
            Event::Line { text, .. } if !self.lines.admit(text.len()) => return,
            Event::Line { .. } => {}
            Event::Partial { .. } => {
                if let Some(last @ Event::Partial { .. }) = self.pending.back_mut() {
                    last.clone_from(event);
                    return;
                }
            }
        }
        self.pending.push_back(event.clone());
    }

    fn pending_change(&mut self, job: JobId) -> Option<(&mut Duration, &mut Change)> {
        let place = self.changes.get(&job)? - self.taken;
        match &mut self.pending[place] {
            Event::Changed { at, change, .. } => Some((at, change)),
            _ => None,
        }
    }

    fn take(&mut self) -> Option<Event> {
        let event = self.pending.pop_front()?;
        match &event {
            Event::Changed { job, .. } if self.changes.get(job) == Some(&self.taken) => {
                self.changes.remove(job);
            }
            Event::Line { at, text } => {
                if let Some(omitted) = self.lines.take(text.len()) {
                    // It takes the place of the line that was taken.
                    self.lines.admit(omitted.len());
                    self.pending.push_front(Event::Line { at: *at, text: omitted });
                    return Some(event);
                }
            }
            _ => {}
        }
        self.taken += 1;
        Some(event)
    }
}

/// The wakers of the readers. Wakers are foreign code: they are called and dropped while
/// no lock is held.
#[derive(Default)]
struct Wakers(Mutex<Vec<Option<Waker>>>);

impl Wakers {
    fn lock(&self) -> MutexGuard<'_, Vec<Option<Waker>>> {
        ignore_poison(self.0.lock())
    }

    fn listen(&self, number: usize, waker: &Waker) {
        let waker = waker.clone();
        let _before = self.lock()[number].replace(waker);
    }

    fn forget(&self, number: usize) {
        let _before = self.lock()[number].take();
    }

    fn wake_where(&self, condition: impl Fn(usize) -> bool) {
        let mut wakers = Vec::new();
        for (number, waker) in self.lock().iter_mut().enumerate() {
            wakers.extend(waker.take_if(|_| condition(number)));
        }
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_where(|_| true);
    }
}
