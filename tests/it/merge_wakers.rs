//! Wakers wake once, outlive the merge, and run arbitrary code.

use std::cell::RefCell;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use active_status::Merge;
use futures::{Stream, StreamExt, stream};

use crate::support::{Child, Handle, NO_ITEMS, Parent, Step, child, children};

/// A waiting merge of idle children, and its parent.
fn waiting(count: usize) -> (Merge<Child>, Vec<Handle>, Parent) {
    let (children, handles) = children(count, &[Step::Sent]);
    let mut merge = children.into_iter().collect::<Merge<_>>().with_budget(u32::MAX);
    let parent = Parent::new();
    assert_eq!(parent.drain(&mut merge), NO_ITEMS);
    (merge, handles, parent)
}

#[test]
fn a_wake_wakes_the_parent_once() {
    let (mut merge, handles, parent) = waiting(130);
    for number in [0, 63, 64, 129] {
        handles[number].send();
        assert_eq!(parent.take_wakes(), 1);
        assert_eq!(parent.drain(&mut merge), [number]);
    }
}

#[test]
fn many_wakes_before_a_poll_wake_the_parent_once() {
    let (mut merge, handles, parent) = waiting(130);
    for _ in 0..3 {
        handles.iter().for_each(Handle::wake);
        handles.iter().rev().for_each(Handle::wake);
        assert_eq!(parent.take_wakes(), 1);
        assert_eq!(parent.drain(&mut merge), NO_ITEMS);
    }
    assert!(handles.iter().all(|handle| handle.polls() == 4), "two wakes before a poll are one");
}

#[test]
fn wake_and_wake_by_ref_do_the_same() {
    let (mut merge, handles, parent) = waiting(2);
    handles[0].waker().wake();
    handles[1].waker().wake_by_ref();
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.drain(&mut merge), NO_ITEMS);
    assert_eq!((handles[0].polls(), handles[1].polls()), (2, 2));
}

#[test]
fn a_child_keeps_the_same_waker() {
    let (mut merge, handles, parent) = waiting(65);
    let before: Vec<Waker> = handles.iter().map(Handle::waker).collect();
    handles.iter().for_each(Handle::send);
    assert_eq!(parent.drain(&mut merge).len(), 65);
    assert!(before.iter().zip(&handles).all(|(before, handle)| before.will_wake(&handle.waker())));
}

#[test]
fn no_two_children_share_a_waker() {
    let (_merge, handles, _) = waiting(65);
    for (number, handle) in handles.iter().enumerate() {
        let waker = handle.waker();
        assert!(!handles[number + 1..].iter().any(|other| other.waker().will_wake(&waker)));
    }
}

#[test]
fn a_clone_wakes_after_the_original_is_dropped() {
    let (mut merge, handles, parent) = waiting(1);
    let clones: Vec<Waker> = (0..100).map(|_| handles[0].waker()).collect();
    let last = clones[50].clone();
    drop(clones);
    last.wake();
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.drain(&mut merge), NO_ITEMS);
    assert_eq!(handles[0].polls(), 2);
}

#[test]
fn a_wake_between_two_polls_is_not_lost() {
    let (mut merge, handles, parent) = waiting(3);
    handles[1].send();
    assert_eq!(parent.poll(&mut merge), Poll::Ready(Some(1)));
    parent.take_wakes();
    handles[0].send();
    assert_eq!(parent.take_wakes(), 0, "the merge is awake: no task is woken");
    assert_eq!(parent.drain(&mut merge), [0]);
}

#[test]
fn the_waker_of_the_last_poll_is_woken() {
    let (mut merge, handles, first) = waiting(3);
    let second = Parent::new();
    assert_eq!(second.poll(&mut merge), Poll::Pending);
    assert_eq!(first.held(), 0, "the first parent's waker is released");
    handles[1].send();
    assert_eq!((first.take_wakes(), second.take_wakes()), (0, 1));
    assert_eq!(first.poll(&mut merge), Poll::Ready(Some(1)));
    assert_eq!(first.poll(&mut merge), Poll::Pending);
    handles[1].send();
    assert_eq!((first.take_wakes(), second.take_wakes()), (1, 0));
}

#[test]
fn a_parent_that_polls_without_a_wake_is_woken() {
    let (mut merge, handles, parent) = waiting(3);
    for _ in 0..5 {
        assert_eq!(parent.poll(&mut merge), Poll::Pending);
    }
    assert_eq!(handles[0].polls(), 1);
    handles[2].send();
    assert_eq!(parent.take_wakes(), 1);
}

#[test]
fn a_stale_wake_costs_the_new_child_at_most_one_poll() {
    let mut merge = Merge::new().with_budget(u32::MAX);
    let parent = Parent::new();
    let ended: Vec<Handle> = (0..5)
        .map(|number| {
            let (ending, handle) = child(number, &[Step::End]);
            merge.push(ending);
            assert_eq!(parent.drain(&mut merge), NO_ITEMS);
            handle
        })
        .collect();
    let (successor, handle) = child(9, &[Step::Sent]);
    merge.push(successor);
    assert_eq!(parent.drain(&mut merge), NO_ITEMS);
    let polls = handle.polls();
    for (count, stale) in ended.iter().enumerate() {
        stale.wake();
        assert_eq!(parent.drain(&mut merge), NO_ITEMS);
        assert!(handle.polls() <= polls + count + 1);
    }
    assert_eq!(parent.drain(&mut merge), NO_ITEMS);
    handle.send();
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.drain(&mut merge), [9]);
}

#[test]
fn a_wake_for_an_empty_slot_is_ignored() {
    let (mut merge, handles, parent) = waiting(3);
    let keys: Vec<_> = merge.keys().collect();
    merge.remove(keys[1]);
    handles[1].wake();
    assert_eq!(parent.drain(&mut merge), NO_ITEMS);
    assert_eq!(handles[1].polls(), 1);
    handles[2].send();
    assert_eq!(parent.drain(&mut merge), [2]);
}

#[test]
fn a_wake_after_the_merge_was_dropped_does_nothing() {
    let (merge, handles, parent) = waiting(130);
    let wakers: Vec<Waker> = handles.iter().map(Handle::waker).collect();
    drop(merge);
    for waker in wakers {
        waker.wake_by_ref();
        waker.wake();
    }
    assert_eq!(parent.take_wakes(), 0);
}

#[test]
fn dropping_a_merge_releases_its_parents_waker() {
    let (merge, handles, parent) = waiting(130);
    assert_eq!(parent.held(), 1);
    drop(merge);
    assert_eq!(parent.held(), 0, "even if wakers of its children are alive");
    drop(handles);
}

#[test]
fn dropping_a_woken_merge_releases_its_parents_waker() {
    let (merge, handles, parent) = waiting(130);
    handles[129].wake();
    drop(merge);
    assert_eq!((parent.held(), parent.take_wakes()), (0, 1));
    handles[0].wake();
    assert_eq!(parent.take_wakes(), 0);
}

#[test]
fn wakers_outlive_the_merge_on_another_thread() {
    let (merge, handles, parent) = waiting(130);
    let wakers: Vec<Waker> = handles.iter().map(Handle::waker).collect();
    drop((merge, handles));
    thread::spawn(move || wakers.into_iter().for_each(Waker::wake)).join().unwrap();
    assert_eq!((parent.held(), parent.take_wakes()), (0, 0));
}

#[test]
fn any_waker_may_be_the_last_of_a_grown_merge() {
    for last in [0, 63, 64, 200, 999] {
        let (children, handles) = children(1_000, &[Step::Sent]);
        let mut merge = Merge::new();
        for child in children {
            merge.push(child);
        }
        let parent = Parent::new();
        assert!(parent.drain(&mut merge).is_empty());
        let waker = handles[last].waker();
        drop((merge, handles));
        waker.wake_by_ref();
        waker.wake();
        assert_eq!((parent.held(), parent.take_wakes()), (0, 0));
    }
}

#[test]
fn a_forgotten_merge_can_be_woken() {
    let (merge, handles, parent) = waiting(130);
    mem::forget(merge);
    handles.iter().for_each(Handle::wake);
    handles.iter().for_each(Handle::wake);
    assert!(parent.take_wakes() <= 1);
}

#[test]
fn a_child_that_is_not_send_is_woken_by_another_thread() {
    let waker = Rc::new(RefCell::new(None::<Waker>));
    let (here, mut polls) = (waker.clone(), 0);
    let only = stream::poll_fn(move |cx| {
        *here.borrow_mut() = Some(cx.waker().clone());
        polls += 1;
        if polls == 1 { Poll::Pending } else { Poll::Ready(Some(())) }
    });
    let mut merge: Merge<_> = [only].into_iter().collect();
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    let sent = waker.borrow().clone().unwrap();
    thread::spawn(move || sent.wake()).join().unwrap();
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.poll(&mut merge), Poll::Ready(Some(())));
}

/// A child that stores its own waker.
struct Selfish {
    waker: Option<Waker>,
    _alive: Arc<()>,
}

impl Stream for Selfish {
    type Item = ();

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Selfish {
    fn drop(&mut self) {
        self.waker.take().unwrap().wake();
    }
}

#[test]
fn a_child_may_keep_its_own_waker() {
    let alive = Arc::new(());
    let mut merge: Merge<_> =
        (0..70).map(|_| Selfish { waker: None, _alive: alive.clone() }).collect();
    let parent = Parent::new();
    assert!(parent.drain(&mut merge).is_empty());
    let first = merge.keys().next().unwrap();
    assert!(merge.remove(first));
    drop(merge);
    assert_eq!((Arc::strong_count(&alive), parent.held()), (1, 0));
}

#[test]
fn wakes_while_a_merge_is_dropped_wake_no_task() {
    let alive = Arc::new(());
    let selfish = |_| Selfish { waker: None, _alive: alive.clone() };
    let mut merge: Merge<_> = (0..70).map(selfish).collect();
    let parent = Parent::new();
    assert!(parent.drain(&mut merge).is_empty());
    drop(merge);
    assert_eq!(parent.take_wakes(), 0);
}

/// A parent whose `wake` runs a closure.
struct Busy<F>(F, AtomicUsize);

impl<F: Fn() + Send + Sync + 'static> Wake for Busy<F> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.1.fetch_add(1, Ordering::SeqCst);
        (self.0)();
    }
}

fn busy(act: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(Busy(act, AtomicUsize::new(0))))
}

#[test]
fn the_parents_wake_may_wake_siblings() {
    let (children, handles) = children(130, &[Step::Sent]);
    let mut merge = children.into_iter().collect::<Merge<_>>().with_budget(u32::MAX);
    let siblings = handles.clone();
    let waker = busy(move || [0, 1, 64].iter().for_each(|&number| siblings[number].send()));
    let mut cx = Context::from_waker(&waker);
    assert_eq!(merge.poll_next_unpin(&mut cx), Poll::Pending);
    handles[129].send();
    let items: Vec<_> = (0..4).map(|_| merge.poll_next_unpin(&mut cx)).collect();
    assert_eq!(items, [0, 1, 64, 129].map(|number| Poll::Ready(Some(number))));
}

/// A merge that is accessible to the `wake` of its parent.
type Reachable = Arc<Mutex<Option<Merge<Child>>>>;

fn reachable(
    count: usize,
    act: impl Fn(&mut Option<Merge<Child>>) + Send + Sync + 'static,
) -> (Reachable, Vec<Handle>, Waker) {
    let (children, handles) = children(count, &[Step::Sent]);
    let merge: Reachable = Arc::new(Mutex::new(Some(
        children.into_iter().collect::<Merge<_>>().with_budget(u32::MAX),
    )));
    let weak: Weak<_> = Arc::downgrade(&merge);
    let waker = busy(move || act(&mut weak.upgrade().unwrap().lock().unwrap()));
    let mut cx = Context::from_waker(&waker);
    assert_eq!(merge.lock().unwrap().as_mut().unwrap().poll_next_unpin(&mut cx), Poll::Pending);
    (merge, handles, waker)
}

#[test]
fn the_parents_wake_may_poll_the_merge() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let items = heard.clone();
    let (_merge, handles, _) = reachable(70, move |merge| {
        let item = Parent::new().poll(merge.as_mut().unwrap());
        items.lock().unwrap().push(item);
    });
    handles[69].send();
    assert_eq!(*heard.lock().unwrap(), [Poll::Ready(Some(69))]);
}

#[test]
fn the_parents_wake_may_drop_the_merge() {
    let (merge, handles, waker) = reachable(70, |merge| drop(merge.take()));
    handles[69].send();
    assert!(merge.lock().unwrap().is_none());
    assert!(handles.iter().all(|handle| handle.drops() == 1));
    handles[3].wake();
    drop(waker);
}

#[test]
fn the_parents_wake_may_push_and_remove() {
    let (merge, handles, _) = reachable(70, |merge| {
        let merge = merge.as_mut().unwrap();
        let first = merge.keys().next().unwrap();
        merge.remove(first);
        merge.push(child(100, &[Step::Item, Step::Idle]).0);
    });
    handles[69].send();
    let mut merge = merge.lock().unwrap().take().unwrap();
    assert_eq!(handles[0].drops(), 1);
    assert_eq!(Parent::new().drain(&mut merge), [100, 69]);
}

#[test]
fn a_childs_drop_may_wake_its_siblings() {
    struct Last(Handle);
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.send();
        }
    }
    let (sibling, handle) = child(7, &[Step::Sent]);
    let sends = Last(handle.clone());
    let ending = stream::poll_fn(move |_| {
        let _ = &sends;
        Poll::Ready(None)
    });
    let mut merge = Merge::new();
    merge.push(sibling.left_stream());
    merge.push(ending.right_stream());
    assert_eq!(Parent::new().drain(&mut merge), [7]);
    assert_eq!(handle.polls(), 3);
}

#[test]
fn a_childs_poll_may_wake_its_siblings() {
    let (sibling, sends) = child(7, &[Step::Sent]);
    let mut left = 3;
    let waking = stream::poll_fn(move |cx: &mut Context<'_>| {
        if left > 0 {
            left -= 1;
            sends.send();
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    });
    let mut merge = Merge::new();
    merge.push(sibling.left_stream());
    merge.push(waking.right_stream());
    assert_eq!(Parent::new().drain(&mut merge), [7, 7, 7]);
}

/// Blocks its thread until it is woken, for a minute at most.
#[derive(Default)]
struct Block {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Block {
    fn wake(self: Arc<Self>) {
        *self.woken.lock().unwrap() = true;
        self.changed.notify_one();
    }
}

impl Block {
    /// Whether a wake arrived.
    fn wait(&self) -> bool {
        let woken = self.woken.lock().unwrap();
        let minute = Duration::from_secs(60);
        let (mut woken, _) =
            self.changed.wait_timeout_while(woken, minute, |woken| !*woken).unwrap();
        mem::take(&mut *woken)
    }
}

#[test]
fn no_wake_from_another_thread_is_lost() {
    const SENDS: usize = 2_000;
    let (children, handles) = children(130, &[Step::Sent]);
    let mut merge: Merge<Child> = children.into_iter().collect();
    let block = Arc::new(Block::default());
    let waker = Waker::from(block.clone());
    let mut cx = Context::from_waker(&waker);
    let go = AtomicBool::new(false);
    thread::scope(|scope| {
        for first in 0..3 {
            let (handles, go) = (&handles, &go);
            scope.spawn(move || {
                while !go.load(Ordering::Acquire) {
                    thread::yield_now();
                }
                for send in 0..SENDS {
                    handles[(first + send * 43) % 130].send();
                    if send % 3 == 0 {
                        thread::yield_now();
                    }
                }
            });
        }
        let mut received = 0;
        while received < 3 * SENDS {
            match merge.poll_next_unpin(&mut cx) {
                Poll::Ready(item) => {
                    assert!(item.is_some(), "the merge ended");
                    received += 1;
                }
                Poll::Pending => {
                    // A merge that yields has not polled all children yet.
                    go.store(handles[129].polls() > 0, Ordering::Release);
                    assert!(block.wait(), "a wake was lost after {received} items");
                }
            }
        }
    });
    assert_eq!(merge.poll_next_unpin(&mut cx), Poll::Pending);
}

#[test]
fn a_merge_may_be_dropped_while_other_threads_wake() {
    for _ in 0..200 {
        let (merge, handles, parent) = waiting(70);
        let wakers: Vec<Waker> = handles.iter().map(Handle::waker).collect();
        thread::scope(|scope| {
            for half in wakers.chunks(35) {
                scope.spawn(|| half.iter().for_each(Waker::wake_by_ref));
            }
            drop(merge);
        });
        assert_eq!(parent.held(), 0);
        assert!(parent.take_wakes() <= 1);
    }
}

#[test]
fn the_parent_may_change_while_other_threads_wake() {
    let (mut merge, handles, _) = waiting(2);
    let first = Arc::new(Block::default());
    let second = Arc::new(Block::default());
    let wakers = [Waker::from(first.clone()), Waker::from(second.clone())];
    let (turn, turns) = mpsc::channel();
    thread::scope(|scope| {
        let sender = &handles[1];
        scope.spawn(move || turns.iter().for_each(|()| sender.send()));
        let turn = turn;
        for _ in 0..500 {
            turn.send(()).unwrap();
            let mut last = 0;
            let mut polls = 0;
            loop {
                // Polls with two different wakers, then waits for the later one.
                let poll = merge.poll_next_unpin(&mut Context::from_waker(&wakers[last]));
                if poll == Poll::Ready(Some(1)) {
                    break;
                }
                polls += 1;
                if polls % 2 == 0 {
                    assert!([&first, &second][last].wait(), "the last waker was not woken");
                }
                last = 1 - last;
            }
        }
    });
}

#[test]
fn a_waker_outlives_the_thread_that_polled_its_child() {
    let (children, handles) = children(2, &[Step::Sent]);
    let mut merge: Merge<Child> = children.into_iter().collect();
    let poll = move || {
        assert!(Parent::new().poll(&mut merge).is_pending());
        merge
    };
    let mut merge = thread::spawn(poll).join().unwrap();
    let parent = Parent::new();
    assert!(parent.poll(&mut merge).is_pending());
    handles[1].send();
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.drain(&mut merge), [1]);
}
