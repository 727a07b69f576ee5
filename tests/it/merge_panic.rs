//! A panic propagates to the caller, and the merge remains usable.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use active_status::Merge;
use futures::stream::FusedStream;
use futures::{Stream, StreamExt, stream};

use crate::support::{Child, Handle, Parent, Step, child, children, panic_of};

#[test]
fn a_panicking_child_is_dropped_and_the_others_continue() {
    for size in [1, 2, 64, 65] {
        for at in [0, size / 2, size - 1] {
            let (mut merge, mut handles) = (Merge::new(), Vec::new());
            let mut keys = Vec::new();
            for number in 0..size {
                let step = if number == at { Step::Panic } else { Step::Item };
                let (child, handle) = child(number, &[Step::Item, step, Step::End]);
                keys.push(merge.push(child));
                handles.push(handle);
            }
            let parent = Parent::new();
            let mut items = parent.items(&mut merge, size + at);
            assert_eq!(panic_of(|| parent.drain(&mut merge)), "poll");
            assert_eq!((handles[at].drops(), merge.len()), (1, size - 1));
            assert!(!merge.contains(keys[at]));
            items.extend(parent.drain(&mut merge));
            assert_eq!(items.len(), 2 * size - 1);
            assert!(merge.is_terminated(), "{size} children, {at} panics");
        }
    }
}

#[test]
fn a_panicked_child_is_not_polled_when_its_waker_wakes() {
    let (panicking, handle) = child(0, &[Step::Panic]);
    let mut merge: Merge<Child> = [panicking, child(1, &[Step::Idle]).0].into_iter().collect();
    let parent = Parent::new();
    panic_of(|| parent.poll(&mut merge));
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    handle.wake();
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    assert_eq!((handle.polls(), handle.drops()), (1, 1));
}

#[test]
fn every_child_may_panic() {
    let (children, handles) = children(70, &[Step::Panic]);
    let mut merge = children.into_iter().collect::<Merge<_>>().with_budget(u32::MAX);
    let parent = Parent::new();
    for left in (0..70).rev() {
        assert_eq!(panic_of(|| parent.poll(&mut merge)), "poll");
        assert_eq!(merge.len(), left);
    }
    assert_eq!(parent.poll(&mut merge), Poll::Ready(None));
    assert!(handles.iter().all(|handle| handle.polls() == 1 && handle.drops() == 1));
}

#[test]
fn an_ended_child_is_gone_even_if_its_drop_panics() {
    let ending = child(0, &[Step::End]).0.panics_on_drop();
    let mut merge: Merge<Child> =
        [ending, child(1, &[Step::Item, Step::End]).0].into_iter().collect();
    let parent = Parent::new();
    assert_eq!(panic_of(|| parent.poll(&mut merge)), "drop");
    assert_eq!(merge.len(), 1);
    assert_eq!(parent.drain(&mut merge), [1]);
    assert!(merge.is_terminated());
}

#[test]
fn a_removed_child_is_gone_even_if_its_drop_panics() {
    let (removed, handle) = child(0, &[Step::Item]);
    let mut merge: Merge<Child> = [child(1, &[Step::Item]).0].into_iter().collect();
    let key = merge.push(removed.panics_on_drop());
    assert_eq!(panic_of(|| merge.remove(key)), "drop");
    assert!(!merge.contains(key) && !merge.remove(key));
    assert_eq!((merge.len(), handle.drops()), (1, 1));
    assert_eq!(Parent::new().items(&mut merge, 2), [1, 1]);
}

#[test]
fn removing_the_last_child_wakes_even_if_its_drop_panics() {
    let mut merge = Merge::new();
    let key = merge.push(child(0, &[Step::Idle]).0.panics_on_drop());
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    assert_eq!(panic_of(|| merge.remove(key)), "drop");
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.poll(&mut merge), Poll::Ready(None));
}

/// 130 idle children. The drop of number `at` panics.
fn one_panics_on_drop(at: usize) -> (Merge<Child>, Vec<Handle>) {
    let (children, handles) = children(130, &[Step::Idle]);
    let panicking =
        |child: Child| if child.number() == at { child.panics_on_drop() } else { child };
    (children.into_iter().map(panicking).collect::<Merge<_>>().with_budget(u32::MAX), handles)
}

#[test]
fn clear_continues_after_a_panicking_drop() {
    for at in [0, 63, 64, 129] {
        let (mut merge, handles) = one_panics_on_drop(at);
        assert_eq!(panic_of(|| merge.clear()), "drop");
        assert!(handles.iter().all(|handle| handle.drops() == 1), "{at} panics");
        assert!(merge.is_empty());
        merge.push(child(200, &[Step::Item]).0);
        assert_eq!(Parent::new().items(&mut merge, 2), [200, 200]);
    }
}

#[test]
fn clear_wakes_even_if_a_drop_panics() {
    let (mut merge, _) = one_panics_on_drop(64);
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    assert_eq!(panic_of(|| merge.clear()), "drop");
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.poll(&mut merge), Poll::Ready(None));
}

#[test]
fn dropping_a_merge_continues_after_a_panicking_drop() {
    for at in [0, 63, 64, 129] {
        let (mut merge, handles) = one_panics_on_drop(at);
        let parent = Parent::new();
        assert_eq!(parent.poll(&mut merge), Poll::Pending);
        assert_eq!(panic_of(|| drop(merge)), "drop");
        assert!(handles.iter().all(|handle| handle.drops() == 1), "{at} panics");
        assert_eq!(parent.held(), 0, "the parent's waker is released");
        handles.iter().for_each(Handle::wake);
        assert_eq!(parent.take_wakes(), 0);
    }
}

#[test]
fn a_panicking_iterator_drops_the_collected_children() {
    let (ready, handles) = children(5, &[Step::Item]);
    let source = ready.into_iter().enumerate().map(|(number, child)| {
        assert!(number < 3, "source");
        child
    });
    assert_eq!(panic_of(|| source.collect::<Merge<_>>()), "source");
    assert!(handles.iter().all(|handle| handle.drops() == 1));
}

#[test]
fn a_panicking_extension_keeps_the_pushed_children() {
    let mut merge: Merge<Child> = children(1, &[Step::Item]).0.into_iter().collect();
    let source = children(5, &[Step::Item])
        .0
        .into_iter()
        .inspect(|child| assert!(child.number() < 3, "source"));
    assert_eq!(panic_of(|| merge.extend(source)), "source");
    assert_eq!(merge.len(), 4);
    assert_eq!(Parent::new().items(&mut merge, 5), [0, 0, 1, 2, 0]);
}

#[test]
fn a_panicking_extension_wakes_a_waiting_merge() {
    let mut merge: Merge<Child> = children(1, &[Step::Idle]).0.into_iter().collect();
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    let source = children(5, &[Step::Item])
        .0
        .into_iter()
        .inspect(|child| assert!(child.number() < 3, "source"));
    assert_eq!(panic_of(|| merge.extend(source)), "source");
    assert_eq!(parent.take_wakes(), 1);
}

#[test]
fn a_panic_in_a_nested_merge_drops_only_that_merge() {
    let inner: Merge<Child> =
        [child(0, &[Step::Panic]).0, child(1, &[Step::Item, Step::End]).0].into_iter().collect();
    let boxed = inner.boxed_local();
    let other = stream::iter([2]).boxed_local();
    let mut outer: Merge<_> = [boxed, other].into_iter().collect();
    let parent = Parent::new();
    assert_eq!(panic_of(|| parent.poll(&mut outer)), "poll");
    assert_eq!(outer.len(), 1, "the panic went through the inner merge: the outer one drops it");
    assert_eq!(parent.drain(&mut outer), [2]);
}

/// A parent whose `wake` panics the first `left` times.
struct Grumpy {
    left: AtomicUsize,
    wakes: AtomicUsize,
}

impl Wake for Grumpy {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        let left = self.left.load(Ordering::SeqCst);
        self.left.store(left.saturating_sub(1), Ordering::SeqCst);
        assert!(left == 0, "wake");
    }
}

fn grumpy() -> (Arc<Grumpy>, Waker) {
    let grumpy = Arc::new(Grumpy { left: AtomicUsize::new(1), wakes: AtomicUsize::new(0) });
    (grumpy.clone(), Waker::from(grumpy))
}

fn poll(merge: &mut Merge<Child>, waker: &Waker) -> Poll<Option<usize>> {
    merge.poll_next_unpin(&mut Context::from_waker(waker))
}

#[test]
fn wakes_arrive_after_the_parents_wake_panicked() {
    let (children, handles) = children(130, &[Step::Sent]);
    let mut merge = children.into_iter().collect::<Merge<_>>().with_budget(u32::MAX);
    let (grumpy, waker) = grumpy();
    assert_eq!(poll(&mut merge, &waker), Poll::Pending);
    assert_eq!(panic_of(|| handles[3].send()), "wake");
    assert_eq!(poll(&mut merge, &waker), Poll::Ready(Some(3)), "the child's wake is not lost");
    assert_eq!(poll(&mut merge, &waker), Poll::Pending);
    for number in [3, 4, 129] {
        handles[number].send();
        assert_eq!(poll(&mut merge, &waker), Poll::Ready(Some(number)));
        assert_eq!(poll(&mut merge, &waker), Poll::Pending);
    }
    assert_eq!(grumpy.wakes.load(Ordering::SeqCst), 4);
    drop(merge);
    assert_eq!(Arc::strong_count(&grumpy), 2, "the parent's waker is released");
}

#[test]
fn a_push_is_kept_even_if_the_parents_wake_panics() {
    let mut merge: Merge<Child> = children(1, &[Step::Idle]).0.into_iter().collect();
    let waker = grumpy().1;
    assert_eq!(poll(&mut merge, &waker), Poll::Pending);
    assert_eq!(panic_of(|| merge.push(child(1, &[Step::Item]).0)), "wake");
    assert_eq!(merge.len(), 2);
    assert_eq!(poll(&mut merge, &waker), Poll::Ready(Some(1)));
}

#[test]
fn a_removal_is_done_even_if_the_parents_wake_panics() {
    let (only, handle) = child(0, &[Step::Idle]);
    let mut merge = Merge::new();
    let key = merge.push(only);
    let waker = grumpy().1;
    assert_eq!(poll(&mut merge, &waker), Poll::Pending);
    assert_eq!(panic_of(|| merge.remove(key)), "wake");
    assert_eq!((merge.len(), handle.drops()), (0, 1));
    assert_eq!(poll(&mut merge, &waker), Poll::Ready(None));
}

#[test]
fn a_clear_is_done_even_if_the_parents_wake_panics() {
    let (children, handles) = children(3, &[Step::Idle]);
    let mut merge: Merge<Child> = children.into_iter().collect();
    let waker = grumpy().1;
    assert_eq!(poll(&mut merge, &waker), Poll::Pending);
    assert_eq!(panic_of(|| merge.clear()), "wake");
    assert!(merge.is_empty() && handles.iter().all(|handle| handle.drops() == 1));
    assert_eq!(poll(&mut merge, &waker), Poll::Ready(None));
}

#[test]
fn a_merge_continues_after_a_panic_in_its_own_yield() {
    let mut merge = children(2, &[Step::Item]).0.into_iter().collect::<Merge<_>>().with_budget(1);
    let waker = grumpy().1;
    assert_eq!(poll(&mut merge, &waker), Poll::Ready(Some(0)));
    assert_eq!(panic_of(|| poll(&mut merge, &waker)), "wake");
    let items: Vec<_> = (0..4).map(|_| poll(&mut merge, &waker)).collect();
    assert!(items.contains(&Poll::Ready(Some(1))) && items.contains(&Poll::Ready(Some(0))));
}

#[cfg(unix)]
#[test]
fn a_panic_in_poll_and_in_drop_aborts() {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    /// Set where this test runs in its own process.
    const AGAIN: &str = "ACTIVE_STATUS_TEST_ABORTS";
    if std::env::var_os(AGAIN).is_some() {
        let twice = child(0, &[Step::Panic]).0.panics_on_drop();
        let mut merge: Merge<Child> = [twice].into_iter().collect();
        panic_of(|| Parent::new().poll(&mut merge));
        return;
    }
    let name = "merge_panic::a_panic_in_poll_and_in_drop_aborts";
    let mut again = Command::new(std::env::current_exe().unwrap());
    let status = again.args([name, "--exact"]).env(AGAIN, "1").output().unwrap().status;
    assert_eq!(status.signal(), Some(6), "SIGABRT, not {status}");
}

#[test]
fn a_panic_in_the_size_hint_of_a_merge_drops_no_child() {
    struct Bad(Cell<bool>);
    impl Stream for Bad {
        type Item = ();
        fn poll_next(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
            Poll::Ready(Some(()))
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            assert!(!self.0.get(), "hint");
            (0, None)
        }
    }
    let mut merge: Merge<Bad> = (0..3).map(|_| Bad(Cell::new(true))).collect();
    assert_eq!(panic_of(|| merge.size_hint()), "hint");
    merge.iter().for_each(|(_, bad)| bad.0.set(false));
    assert_eq!(Parent::new().items(&mut merge, 6).len(), 6);
}

/// A parent whose drop panics.
struct Bomb;

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("parent");
    }
}

/// A waiting merge that holds the last waker of such a parent.
fn armed(count: usize) -> (Merge<Child>, Vec<Handle>) {
    let (children, handles) = children(count, &[Step::Sent]);
    let mut merge = children.into_iter().collect::<Merge<_>>().with_budget(u32::MAX);
    let bomb = Waker::from(Arc::new(Bomb));
    assert_eq!(poll(&mut merge, &bomb), Poll::Pending);
    drop(bomb);
    (merge, handles)
}

#[test]
fn a_new_parent_is_woken_even_if_the_old_ones_drop_panics() {
    let (mut merge, handles) = armed(3);
    let parent = Parent::new();
    assert_eq!(panic_of(|| parent.poll(&mut merge)), "parent");
    handles[1].send();
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.drain(&mut merge), [1]);
}

#[test]
fn children_are_dropped_even_if_the_parents_drop_panics() {
    let (merge, handles) = armed(130);
    assert_eq!(panic_of(|| drop(merge)), "parent");
    assert!(handles.iter().all(|handle| handle.drops() == 1));
    handles[129].wake();
}

#[test]
fn a_panic_while_ends_are_reported_stalls_no_later_poll() {
    let mut merge = Merge::new();
    let lives: [&[Step]; 4] =
        [&[Step::Panic], &[Step::End], &[Step::End], &[Step::Item, Step::End]];
    for (number, steps) in lives.into_iter().enumerate() {
        merge.push(child(number, steps).0);
    }
    let (mut events, parent) = (merge.keyed().with_ends(), Parent::new());
    assert_eq!(panic_of(|| parent.poll(&mut events)), "poll");
    assert_eq!(parent.poll(events.get_mut()), Poll::Ready(Some(3)));
    let mut many = Vec::new();
    events.get_mut().push(child(4, &[Step::End]).0);
    let cx = &mut Context::from_waker(Waker::noop());
    assert_eq!(events.get_mut().poll_next_many(cx, &mut many, 9), Poll::Ready(0));
}
