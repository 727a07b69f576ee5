//! Models of a work queue whose workers run on several threads.
//! `../wake/models.rs` explains how they are run. A lost wake, or an end that comes
//! too early, fails them.
//!
//! Each of these bugs was seeded, and fails a model or a test:
//!
//! | bug | fails |
//! |---|---|
//! | no check after a worker entered the line | `a_close_ends_…` |
//! | no pass-on after an item | `items_sent_at_once_…` |
//! | no pass-on when a waiting clone is dropped | `a_wake_of_a_dropped_…` |
//! | the check does not see that the source was woken while it was polled | `a_source_woken_…` |
//! | a worker wakes the next one before it leaves the line itself | `items_sent_at_once_…` |
//! | the flag of the source's wakes is cleared after its poll | `a_source_woken_…` |
//! | the lease of an item is counted after the source returned | `a_queue_does_not_end_…` |
//! | `done` does not look for the end | `a_queue_does_not_end_…` |
//! | a worker that enters the line does not count itself | `a_close_ends_…` |
//! | the wake of the source trusts the count of the line | `a_source_woken_…` |

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use loom::future::block_on;
use loom::model::Builder;
use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::pool::queue::{Task, WorkQueue};

/// Runs a model under every interleaving with at most two preemptions.
fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(run);
}

/// A channel for one receiver.
#[derive(Clone, Default)]
struct Channel(Arc<Mutex<Sent>>);

#[derive(Default)]
struct Sent {
    items: VecDeque<u32>,
    closed: bool,
    waker: Option<Waker>,
}

impl Channel {
    fn change(&self, change: impl FnOnce(&mut Sent)) {
        let mut sent = self.0.lock().unwrap();
        change(&mut sent);
        let waker = sent.waker.take();
        drop(sent);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn send(&self, item: u32) {
        self.change(|sent| sent.items.push_back(item));
    }

    fn close(&self) {
        self.change(|sent| sent.closed = true);
    }
}

impl Stream for Channel {
    type Item = u32;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u32>> {
        let mut sent = self.0.lock().unwrap();
        if let Some(item) = sent.items.pop_front() {
            return Poll::Ready(Some(item));
        }
        if sent.closed {
            return Poll::Ready(None);
        }
        sent.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Waits for the next item of a stream.
fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    block_on(std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)))
}

/// Polls once, without a task to wake.
fn poll<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop()))
}

/// Takes one item on another thread.
fn take(queue: &WorkQueue<Channel>) -> thread::JoinHandle<Option<u32>> {
    let mut queue = queue.clone();
    thread::spawn(move || next(&mut queue))
}

#[test]
fn a_push_while_a_worker_begins_to_wait_wakes_it() {
    model(|| {
        let queue = WorkQueue::new(Channel::default());
        let worker = take(&queue);
        queue.push(1);
        assert_eq!(worker.join().unwrap(), Some(1));
    });
}

#[test]
fn two_pushes_reach_two_workers() {
    model(|| {
        let queue = WorkQueue::new(Channel::default());
        let workers = [take(&queue), take(&queue)];
        queue.push(1);
        queue.push(2);
        let taken: u32 = workers.into_iter().map(|worker| worker.join().unwrap().unwrap()).sum();
        assert_eq!(taken, 3);
    });
}

#[test]
fn items_sent_at_once_reach_two_waiting_workers() {
    model(|| {
        let channel = Channel::default();
        let queue = WorkQueue::new(channel.clone());
        let workers = [take(&queue), take(&queue)];
        // One wake of the source for both items.
        channel.change(|sent| sent.items.extend([1, 2]));
        let taken: u32 = workers.into_iter().map(|worker| worker.join().unwrap().unwrap()).sum();
        assert_eq!(taken, 3);
    });
}

#[test]
fn a_wake_of_a_dropped_worker_passes_to_another() {
    model(|| {
        let channel = Channel::default();
        let queue = WorkQueue::new(channel.clone());
        let mut first = queue.clone();
        assert!(poll(&mut first).is_pending());
        let worker = take(&queue);
        let dropped = thread::spawn(move || drop(first));
        channel.send(1);
        assert_eq!(worker.join().unwrap(), Some(1));
        dropped.join().unwrap();
    });
}

#[test]
fn a_source_woken_while_it_is_polled_is_polled_again() {
    model(|| {
        let channel = Channel::default();
        let queue = WorkQueue::new(channel.clone());
        let worker = take(&queue);
        channel.send(1);
        assert_eq!(worker.join().unwrap(), Some(1));
    });
}

#[test]
fn a_queue_does_not_end_before_a_task_in_hand() {
    model(|| {
        let channel = Channel::default();
        channel.send(1);
        channel.close();
        let queue = WorkQueue::new(channel);
        let mut tasks = queue.tasks();
        let mut other = queue.tasks();
        // Returns its task once.
        let thread = thread::spawn(move || {
            let mut done = 0;
            while let Some(task) = next(&mut tasks) {
                if task.attempt() > 1 {
                    done += task.done();
                }
            }
            done
        });
        let mut done = 0;
        while let Some(task) = next(&mut other) {
            if task.attempt() > 1 {
                done += task.done();
            }
        }
        assert_eq!(done + thread.join().unwrap(), 1);
    });
}

#[test]
fn the_last_task_that_is_done_ends_the_queue() {
    model(|| {
        let channel = Channel::default();
        channel.send(1);
        channel.close();
        let queue = WorkQueue::new(channel);
        let mut tasks = queue.tasks();
        let task: Task<u32> = next(&mut tasks).unwrap();
        let worker = take(&queue);
        assert_eq!(task.done(), 1);
        assert_eq!(worker.join().unwrap(), None);
    });
}

#[test]
fn a_close_ends_a_worker_that_begins_to_wait() {
    model(|| {
        let queue = WorkQueue::new(Channel::default());
        let worker = take(&queue);
        queue.close();
        assert_eq!(worker.join().unwrap(), None);
    });
}

#[test]
fn a_resume_reaches_a_worker_that_begins_to_wait() {
    model(|| {
        let queue = WorkQueue::new(Channel::default());
        queue.pause();
        queue.push(1);
        let worker = take(&queue);
        queue.resume();
        assert_eq!(worker.join().unwrap(), Some(1));
    });
}
