//! Merges whose children are woken by other threads. The threads share nothing
//! but atomics, so that ThreadSanitizer can follow them: see `.ci/sanitize`.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use active_status::Merge;
use futures::Stream;

/// A child that yields one item per `send`.
struct Child {
    end: Arc<End>,
    yielded: usize,
}

/// The other end of a child.
#[derive(Default)]
struct End {
    sent: AtomicUsize,
    waker: OnceLock<Waker>,
}

impl End {
    fn send(&self) {
        // Relaxed: the wake must publish it.
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.waker.get().expect("the child was polled").wake_by_ref();
    }
}

impl Stream for Child {
    type Item = ();

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
        self.end.waker.get_or_init(|| cx.waker().clone());
        if self.end.sent.load(Ordering::Relaxed) == self.yielded {
            return Poll::Pending;
        }
        self.yielded += 1;
        Poll::Ready(Some(()))
    }
}

/// A task whose wake sets a flag.
#[derive(Default)]
struct Task(AtomicBool);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl Task {
    /// Waits for a wake, and panics after many attempts, so that a lost wake fails.
    #[track_caller]
    fn wait(&self) {
        let woken = (0..20_000_000).any(|_| {
            thread::yield_now();
            self.0.swap(false, Ordering::Acquire)
        });
        assert!(woken, "a wake was lost");
    }
}

/// A waiting merge of idle children, their other ends, and the task.
fn waiting(count: usize) -> (Merge<Child>, Vec<Arc<End>>, Arc<Task>) {
    let ends: Vec<Arc<End>> = (0..count).map(|_| Arc::default()).collect();
    let children = ends.iter().map(|end| Child { end: end.clone(), yielded: 0 });
    let mut merge = children.collect::<Merge<_>>().with_budget(u32::MAX);
    let task = Arc::new(Task::default());
    assert!(poll(&mut merge, &task).is_pending());
    (merge, ends, task)
}

fn poll(merge: &mut Merge<Child>, task: &Arc<Task>) -> Poll<Option<()>> {
    let waker = Waker::from(task.clone());
    Pin::new(merge).poll_next(&mut Context::from_waker(&waker))
}

#[test]
fn every_item_sent_by_three_threads_arrives() {
    let (mut merge, ends, task) = waiting(130);
    thread::scope(|scope| {
        for first in 0..3 {
            let ends = &ends;
            scope.spawn(move || (0..1_000).for_each(|send| ends[(first + send * 43) % 130].send()));
        }
        for _ in 0..3_000 {
            while poll(&mut merge, &task).is_pending() {
                task.wait();
            }
        }
    });
    assert!(poll(&mut merge, &task).is_pending());
}

#[test]
fn the_last_of_many_tasks_is_woken() {
    let (mut merge, ends, _) = waiting(2);
    let (sends, tasks) = (AtomicUsize::new(0), [Arc::default(), Arc::default()]);
    thread::scope(|scope| {
        scope.spawn(|| {
            for send in 0..1_000 {
                while sends.load(Ordering::Acquire) == send {
                    thread::yield_now();
                }
                ends[1].send();
            }
        });
        for _ in 0..1_000 {
            sends.fetch_add(1, Ordering::Release);
            // Polls with two different wakers, then waits for the later one.
            while poll(&mut merge, &tasks[0]).is_pending()
                && poll(&mut merge, &tasks[1]).is_pending()
            {
                tasks[1].wait();
            }
        }
    });
}

#[test]
fn blocks_are_freed_by_the_last_reference() {
    for _ in 0..300 {
        let (merge, ends, task) = waiting(130);
        let mut wakers: Vec<Waker> =
            ends.iter().map(|end| end.waker.get().unwrap().clone()).collect();
        drop(ends);
        let half = wakers.split_off(65);
        let threads = [wakers, half]
            .map(|wakers| thread::spawn(move || wakers.into_iter().for_each(Waker::wake)));
        drop(merge);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(Arc::strong_count(&task), 1, "the task's waker is released");
    }
}
