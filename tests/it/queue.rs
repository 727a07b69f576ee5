//! Work queues: which worker gets an item, what returns, and when a queue ends.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::iter;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use active_status::workers::{Task, Tasks};
use active_status::{Merge, WorkQueue, run_workers};
use futures::{FutureExt, Stream, StreamExt, stream};

use crate::support::{Parent, Step, child, panic_of, within_a_minute};

fn endless() -> WorkQueue<stream::Pending<u32>> {
    WorkQueue::new(stream::pending())
}

/// The item of a stream that has one.
#[track_caller]
fn item<S: Stream + Unpin>(stream: &mut S) -> S::Item {
    match Parent::new().poll(stream) {
        Poll::Ready(Some(item)) => item,
        Poll::Ready(None) => panic!("it has ended"),
        Poll::Pending => panic!("it waits"),
    }
}

/// The next item, unless the stream has ended. Polls again only if woken.
#[track_caller]
fn next<S: Stream + Unpin>(parent: &Parent, stream: &mut S) -> Option<S::Item> {
    loop {
        match parent.poll(stream) {
            Poll::Ready(item) => return item,
            Poll::Pending => assert!(parent.take_wakes() > 0, "a wake was lost"),
        }
    }
}

#[track_caller]
fn assert_waits<S: Stream + Unpin>(stream: &mut S) {
    let polled = Parent::new().poll(stream);
    assert!(polled.is_pending(), "it has an item or has ended");
}

#[track_caller]
fn assert_ended<S: Stream + Unpin>(stream: &mut S) {
    let polled = Parent::new().poll(stream);
    assert!(matches!(polled, Poll::Ready(None)), "it waits or has an item");
}

// The source.

#[test]
fn a_source_is_polled_only_when_a_worker_asks() {
    let polled = Cell::new(0);
    let source = stream::iter(0..).inspect(|_| polled.set(polled.get() + 1));
    let queue = WorkQueue::new(source);
    let mut pool = run_workers(4, |_| queue.clone());
    assert_eq!(polled.get(), 0);
    for taken in 1..=10 {
        item(&mut pool);
        assert_eq!(polled.get(), taken);
    }
}

#[test]
fn at_most_one_item_per_worker_is_out() {
    let (taken, done) = (Cell::new(0_usize), Cell::new(0_usize));
    let source = stream::iter(0..1_000).inspect(|_| taken.set(taken.get() + 1));
    let queue = WorkQueue::new(source);
    let mut pool = run_workers(4, |_| {
        queue.clone().then(|n| {
            let mut yields = n % 3;
            std::future::poll_fn(move |cx| {
                if yields == 0 {
                    return Poll::Ready(n);
                }
                yields -= 1;
                cx.waker().wake_by_ref();
                Poll::Pending
            })
        })
    });
    let parent = Parent::new();
    while next(&parent, &mut pool).is_some() {
        done.set(done.get() + 1);
        assert!(taken.get() - done.get() <= 4, "{} - {}", taken.get(), done.get());
    }
    assert_eq!(done.get(), 1_000);
}

#[test]
fn a_source_need_not_be_unpin_or_send() {
    let source = stream::unfold(0, async |n| Some((Rc::new(n), n + 1)));
    let queue = WorkQueue::new(source);
    let mut clone = queue.clone();
    assert_eq!(*item(&mut clone), 0);
    assert_eq!(*item(&mut queue.tasks()).done(), 1);
}

#[test]
fn a_queue_without_items_ends_at_once() {
    let queue = WorkQueue::new(stream::empty::<u32>());
    let mut pool = run_workers(3, |_| queue.clone());
    assert_ended(&mut pool);
}

#[test]
fn every_item_goes_to_one_worker() {
    let queue = WorkQueue::new(stream::iter(0..1_000));
    let mut pool = run_workers(7, |_| queue.clone());
    let items = Parent::new().drain(&mut pool);
    assert_eq!(items, Vec::from_iter(0..1_000));
}

// Wakes.

#[test]
fn an_item_wakes_the_worker_that_waited_longest() {
    let queue = endless();
    let mut workers = [queue.clone(), queue.clone(), queue.clone()];
    let parents = [Parent::new(), Parent::new(), Parent::new()];
    for (worker, parent) in workers.iter_mut().zip(&parents) {
        assert!(parent.poll(worker).is_pending());
    }
    // A poll without a reason does not cost the place in the line.
    assert!(parents[0].poll(&mut workers[0]).is_pending());
    queue.push(1);
    assert_eq!(parents.each_ref().map(Parent::take_wakes), [1, 0, 0]);
    queue.push(2);
    assert_eq!(parents.each_ref().map(Parent::take_wakes), [0, 1, 0]);
}

#[test]
fn a_worker_that_takes_an_item_wakes_the_next_if_there_may_be_more() {
    let (source, handle) = child(0, &[Step::Sent]);
    let queue = WorkQueue::new(source);
    let mut workers = [queue.clone(), queue.clone(), queue];
    let parents = [Parent::new(), Parent::new(), Parent::new()];
    for (worker, parent) in workers.iter_mut().zip(&parents) {
        assert!(parent.poll(worker).is_pending());
    }
    handle.send();
    assert_eq!(parents.each_ref().map(Parent::take_wakes), [1, 0, 0]);
    assert!(parents[0].poll(&mut workers[0]).is_ready());
    assert_eq!(parents.each_ref().map(Parent::take_wakes), [0, 1, 0]);
    assert!(parents[1].poll(&mut workers[1]).is_pending());
    assert_eq!(parents.each_ref().map(Parent::take_wakes), [0, 0, 0]);
}

#[test]
fn idle_workers_cost_at_most_three_polls_per_item() {
    let (sender, receiver) = async_channel::unbounded::<u32>();
    let queue = WorkQueue::new(receiver);
    let polls = Rc::new(Cell::new(0));
    let mut pool = run_workers(64, |_| {
        let (mut worker, polls) = (queue.clone(), polls.clone());
        stream::poll_fn(move |cx| {
            polls.set(polls.get() + 1);
            worker.poll_next_unpin(cx)
        })
    });
    let parent = Parent::new();
    assert!(parent.drain(&mut pool).is_empty());
    polls.set(0);
    for n in 0..100 {
        sender.try_send(n).unwrap();
        assert_eq!(parent.drain(&mut pool), [n]);
    }
    assert!(polls.get() <= 300, "{} polls", polls.get());
}

#[test]
fn a_woken_worker_that_is_busy_delays_no_item() {
    // The worker that polled the source last is busy when the source is woken.
    let (source, handle) = child(0, &[Step::Sent]);
    let queue = WorkQueue::new(source);
    let (mut busy, mut idle) = (queue.clone(), queue.clone());
    let parent = Parent::new();
    assert!(Parent::new().poll(&mut busy).is_pending());
    assert!(parent.poll(&mut idle).is_pending());
    queue.push(7);
    assert_eq!(item(&mut busy), 7);
    handle.send();
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(item(&mut idle), 0);
}

// Weights.

/// A merge of the clones of a worker, one per seat, and of two workers with one seat.
fn weighted<S: Stream<Item = char>>(heavy: S, seats: usize, light: [S; 2]) -> Merge<WorkQueue<S>> {
    let heavy = WorkQueue::new(heavy);
    let seats = iter::repeat_n(heavy, seats);
    seats.chain(light.map(WorkQueue::new)).collect()
}

#[test]
fn a_worker_with_three_seats_has_three_turns_per_round() {
    let mut pool = weighted(stream::repeat('h'), 3, ['a', 'b'].map(stream::repeat));
    let order: String = Parent::new().items(&mut pool, 15).into_iter().collect();
    assert_eq!(order, "hhhabhhhabhhhab");
}

#[test]
fn a_weighted_worker_that_is_woken_waits_for_its_share_at_most() {
    // The heavy worker has an item now and then, which its next seat takes.
    let (sender, receiver) = async_channel::unbounded();
    let light = ['a', 'b'].map(|name| stream::repeat(name).boxed());
    let mut pool = weighted(receiver.boxed(), 3, light);
    let parent = Parent::new();
    for turn in 0..100 {
        parent.items(&mut pool, turn % 5);
        sender.try_send('h').unwrap();
        let items = parent.items(&mut pool, 3);
        assert!(items.contains(&'h'), "{items:?} in turn {turn}");
    }
}

#[test]
fn a_worker_on_several_seats_ends_on_all_of_them() {
    let mut pool =
        weighted(stream::iter("hhhhh".chars()), 3, ["a", "b"].map(|s| stream::iter(s.chars())));
    let order: String = Parent::new().drain(&mut pool).into_iter().collect();
    assert_eq!(order, "hhhabhh");
}

// Pushes.

#[test]
fn what_was_pushed_or_returned_comes_before_the_source() {
    let queue = WorkQueue::new(stream::iter(0..3));
    let mut tasks = queue.tasks();
    let first = item(&mut tasks);
    queue.push(10);
    drop(first);
    queue.push(11);
    let order: Vec<_> = iter::repeat_with(|| item(&mut tasks).done()).take(5).collect();
    assert_eq!(order, [10, 0, 11, 1, 2]);
    assert_ended(&mut tasks);
}

#[test]
fn a_queue_may_be_filled_before_it_is_polled() {
    let mut queue = WorkQueue::new(stream::empty());
    queue.push(1);
    queue.push(2);
    assert_eq!(Parent::new().drain(&mut queue), [1, 2]);
    assert_ended(&mut queue);
}

#[test]
fn a_push_after_the_end_is_left() {
    let queue = WorkQueue::new(stream::empty());
    assert_ended(&mut queue.clone());
    queue.push(1);
    assert_ended(&mut queue.clone());
    assert_eq!(queue.take_left(), [1]);
}

// Tasks.

#[test]
fn a_dropped_task_is_handed_out_again() {
    let queue = WorkQueue::new(stream::iter(["a"]));
    let mut tasks = queue.tasks();
    for attempt in 1..=3 {
        let task = item(&mut tasks);
        assert_eq!((*task, task.attempt()), ("a", attempt));
    }
    assert_eq!(item(&mut tasks).done(), "a");
    assert_ended(&mut tasks);
}

#[test]
fn a_dropped_task_wakes_a_waiting_worker() {
    let queue = WorkQueue::new(stream::iter([1]));
    let task = item(&mut queue.tasks());
    let (parent, mut tasks) = (Parent::new(), queue.tasks());
    assert!(parent.poll(&mut tasks).is_pending());
    drop(task);
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(item(&mut tasks).attempt(), 2);
}

#[test]
fn a_task_of_a_worker_that_panics_is_handed_out_again() {
    let queue = WorkQueue::new(stream::iter(0..10));
    let mut pool = run_workers(3, |_| {
        queue.tasks().map(|task| {
            assert!(*task != 4 || task.attempt() == 3, "poison");
            task.done()
        })
    });
    let parent = Parent::new();
    let (mut items, mut panics) = (BTreeSet::new(), 0);
    loop {
        match catch_unwind(AssertUnwindSafe(|| next(&parent, &mut pool))) {
            Ok(Some(item)) => assert!(items.insert(item), "{item} came twice"),
            Ok(None) => break,
            Err(_) => panics += 1,
        }
    }
    assert_eq!((items, panics), ((0..10).collect(), 2));
}

#[test]
fn a_task_of_a_dropped_worker_is_handed_out_again() {
    let queue = WorkQueue::new(stream::iter([1]));
    let mut stuck = queue.tasks().then(|task| std::future::pending::<u32>().map(|_| task.done()));
    assert_waits(&mut stuck);
    assert_eq!(queue.in_hand(), 1);
    drop(stuck);
    assert_eq!(item(&mut queue.tasks()).attempt(), 2);
}

#[test]
fn a_task_kept_by_the_consumer_keeps_the_queue_open() {
    let queue = WorkQueue::new(stream::iter([1, 2]));
    let mut pool = run_workers(2, |_| queue.tasks());
    let parent = Parent::new();
    let kept: Vec<Task<u32>> = parent.items(&mut pool, 2);
    assert_eq!(queue.in_hand(), 2);
    assert!(parent.poll(&mut pool).is_pending());
    parent.take_wakes();
    let done: Vec<u32> = kept.into_iter().map(Task::done).collect();
    assert_eq!(done, [1, 2]);
    assert!(parent.take_wakes() > 0, "the last task ends the queue");
    assert_ended(&mut pool);
}

#[test]
fn a_task_may_outlive_its_queue() {
    let item_of = |task: &Task<Arc<u32>>| Arc::downgrade(task);
    let queue = WorkQueue::new(stream::iter([Arc::new(1), Arc::new(2)]));
    let (dropped, done) = (item(&mut queue.tasks()), item(&mut queue.tasks()));
    drop(queue);
    let weak = item_of(&dropped);
    drop(dropped);
    assert_eq!(*done.done(), 2);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_leaked_task_keeps_the_queue_from_ending() {
    let queue = WorkQueue::new(stream::iter([1]));
    mem::forget(item(&mut queue.tasks()));
    assert_waits(&mut queue.tasks());
    queue.close();
    assert_ended(&mut queue.tasks());
}

// The end.

#[test]
fn a_queue_ends_when_its_last_task_is_done() {
    let queue = WorkQueue::new(stream::iter([1]));
    let (mut tasks, mut items) = (queue.tasks(), queue.clone());
    let parents = [Parent::new(), Parent::new()];
    let task = item(&mut queue.tasks());
    assert!(parents[0].poll(&mut tasks).is_pending());
    assert!(parents[1].poll(&mut items).is_pending());
    task.push(2);
    task.done();
    assert_eq!(item(&mut tasks).done(), 2);
    assert!(parents[1].take_wakes() > 0, "all that wait are woken");
    assert_ended(&mut items);
    assert_ended(&mut tasks);
}

#[test]
fn a_plain_queue_does_not_wait_for_what_it_handed_out() {
    let queue = WorkQueue::new(stream::iter([1]));
    let mut worker = queue.clone();
    item(&mut worker);
    assert_eq!(queue.in_hand(), 0);
    assert_ended(&mut worker);
}

#[test]
fn discovered_work_is_done_before_the_queue_ends() {
    let queue = WorkQueue::new(stream::iter([6_u32]));
    let mut pool = run_workers(3, |_| {
        queue.tasks().map(|task| {
            (0..*task).for_each(|n| task.push(n));
            task.done()
        })
    });
    assert_eq!(Parent::new().drain(&mut pool).len(), 64);
}

// Close, and what else is called from outside.

#[test]
fn a_close_drops_the_source_and_leaves_what_was_queued() {
    let (source, handle) = child(0, &[Step::Item]);
    let queue = WorkQueue::new(source);
    let (mut tasks, waiting) = (queue.tasks(), Parent::new());
    let [done, returned] = [item(&mut tasks), item(&mut tasks)];
    queue.push(5);
    queue.close();
    assert_eq!(handle.drops(), 1);
    assert!(matches!(waiting.poll(&mut queue.clone()), Poll::Ready(None)));
    assert_eq!(done.done(), 0);
    drop(returned);
    assert_eq!(queue.queued(), 2);
    assert_eq!(queue.take_left(), [5, 0]);
}

#[test]
fn a_close_wakes_every_waiting_worker() {
    let queue = endless();
    let mut workers = [queue.clone(), queue.clone()];
    let parents = [Parent::new(), Parent::new()];
    for (worker, parent) in workers.iter_mut().zip(&parents) {
        assert!(parent.poll(worker).is_pending());
    }
    queue.close();
    assert_eq!(parents.each_ref().map(Parent::take_wakes), [1, 1]);
    workers.iter_mut().for_each(assert_ended);
}

#[test]
fn an_item_that_the_source_yields_during_a_close_is_left() {
    let close = Rc::new(RefCell::new(None::<Box<dyn Fn()>>));
    let closing = Rc::clone(&close);
    let source = stream::iter([7, 8]).inspect(move |_| {
        if let Some(close) = closing.borrow_mut().take() {
            close();
        }
    });
    let queue = WorkQueue::new(source);
    let clone = queue.clone();
    *close.borrow_mut() = Some(Box::new(move || clone.close()));
    assert_ended(&mut queue.clone());
    assert_eq!(queue.take_left(), [7]);
    assert_eq!(Rc::strong_count(&close), 1, "the source was dropped");
}

#[test]
fn a_paused_queue_hands_out_nothing() {
    let queue = WorkQueue::new(stream::iter([1, 2]));
    let (mut tasks, parent) = (queue.tasks(), Parent::new());
    let task = item(&mut tasks);
    queue.pause();
    assert!(parent.poll(&mut tasks).is_pending());
    drop(task);
    queue.push(3);
    assert_eq!(parent.take_wakes(), 0);
    queue.resume();
    assert_eq!(parent.take_wakes(), 1);
    let order: Vec<_> = iter::repeat_with(|| item(&mut tasks).done()).take(3).collect();
    assert_eq!(order, [1, 3, 2]);
}

#[test]
fn an_item_that_the_source_yields_during_a_pause_is_kept() {
    let pause = Rc::new(RefCell::new(None::<Box<dyn Fn()>>));
    let pausing = Rc::clone(&pause);
    let source = stream::iter([1, 2]).inspect(move |_| {
        if let Some(pause) = pausing.borrow_mut().take() {
            pause();
        }
    });
    let queue = WorkQueue::new(source);
    let clone = queue.clone();
    *pause.borrow_mut() = Some(Box::new(move || clone.pause()));
    let mut worker = queue.clone();
    assert_waits(&mut worker);
    queue.resume();
    assert_eq!(Parent::new().drain(&mut worker), [1, 2]);
}

#[test]
fn a_paused_queue_ends_with_its_last_task() {
    let queue = WorkQueue::new(stream::iter([1]));
    let mut tasks = queue.tasks();
    let task = item(&mut tasks);
    assert_waits(&mut tasks);
    queue.pause();
    task.done();
    assert_ended(&mut tasks);
}

#[test]
fn a_queue_from_which_the_rest_is_taken_ends() {
    let queue = WorkQueue::new(stream::iter([1]));
    let (mut tasks, parent) = (queue.tasks(), Parent::new());
    let task = item(&mut tasks);
    assert_waits(&mut tasks);
    queue.pause();
    drop(task);
    assert!(parent.poll(&mut tasks).is_pending());
    assert_eq!(queue.take_left(), [1]);
    assert_eq!(parent.take_wakes(), 1);
    assert_ended(&mut tasks);
}

// Drops and panics.

#[test]
fn a_woken_worker_that_is_dropped_wakes_the_next() {
    let queue = endless();
    let (mut first, mut second) = (queue.clone(), queue.clone());
    let parents = [Parent::new(), Parent::new()];
    assert!(parents[0].poll(&mut first).is_pending());
    assert!(parents[1].poll(&mut second).is_pending());
    queue.push(1);
    assert_eq!(parents.each_ref().map(Parent::take_wakes), [1, 0]);
    drop(first);
    assert_eq!(parents[1].take_wakes(), 1);
    assert_eq!(item(&mut second), 1);
}

#[test]
fn a_waiting_worker_that_is_dropped_wakes_nothing() {
    let queue = endless();
    let (mut first, mut second) = (queue.clone(), queue.clone());
    let parents = [Parent::new(), Parent::new()];
    assert!(parents[0].poll(&mut first).is_pending());
    assert!(parents[1].poll(&mut second).is_pending());
    drop(first);
    assert_eq!(parents[0].held(), 0);
    assert_eq!(parents[1].take_wakes(), 0);
    queue.push(1);
    assert_eq!(parents[1].take_wakes(), 1);
}

#[test]
fn a_panic_of_the_source_ends_the_queue() {
    let (source, handle) = child(0, &[Step::Item, Step::Panic]);
    let queue = WorkQueue::new(source);
    let (mut tasks, mut waiting, parent) = (queue.tasks(), queue.clone(), Parent::new());
    let task = item(&mut tasks);
    queue.pause();
    assert!(parent.poll(&mut waiting).is_pending());
    queue.resume();
    parent.take_wakes();
    assert!(matches!(&*panic_of(|| Parent::new().poll(&mut tasks)), "poll"));
    assert_eq!(handle.drops(), 1);
    drop(task);
    assert_ended(&mut tasks);
    assert_ended(&mut waiting);
    assert_eq!(queue.take_left(), [0]);
}

#[test]
fn a_panic_in_the_drop_of_the_source_ends_the_queue() {
    let (source, _) = child(0, &[Step::End]);
    let mut worker = WorkQueue::new(source.panics_on_drop());
    assert_eq!(panic_of(|| Parent::new().poll(&mut worker)), "drop");
    assert_ended(&mut worker);
}

// Sources that use the queue.

#[test]
fn a_source_may_push_and_poll_its_own_queue() {
    type Queue = WorkQueue<stream::LocalBoxStream<'static, u32>>;
    let own: Rc<RefCell<Option<Queue>>> = Rc::default();
    let (used, mut polls) = (Rc::clone(&own), 0);
    let source = stream::poll_fn(move |cx: &mut Context<'_>| {
        polls += 1;
        let mut queue = used.borrow().clone().expect("it was stored");
        queue.push(100 + polls);
        assert_eq!(queue.poll_next_unpin(cx), Poll::Ready(Some(100 + polls)));
        assert_eq!(queue.poll_next_unpin(cx), Poll::Pending);
        if polls < 3 { Poll::Ready(Some(polls)) } else { Poll::Ready(None) }
    });
    let queue = WorkQueue::new(source.boxed_local());
    *own.borrow_mut() = Some(queue.clone());
    assert_eq!(Parent::new().drain(&mut queue.clone()), [1, 2]);
    own.take();
}

#[test]
fn a_source_woken_while_it_is_polled_is_polled_again() {
    let (source, handle) = child(5, &[Step::WakeIdle, Step::WakeIdle, Step::Item]);
    let mut worker = WorkQueue::new(source);
    let parent = Parent::new();
    for polls in 1..=2 {
        assert!(parent.poll(&mut worker).is_pending());
        assert_eq!((parent.take_wakes(), handle.polls()), (1, polls));
    }
    assert_eq!(item(&mut worker), 5);
}

#[test]
fn a_source_that_always_wakes_itself_does_not_hold_its_worker() {
    let (source, handle) = child(0, &[Step::WakeIdle]);
    let mut worker = WorkQueue::new(source);
    let parent = Parent::new();
    for polls in 1..100 {
        assert!(parent.poll(&mut worker).is_pending());
        assert_eq!(handle.polls(), polls);
    }
}

// Threads, and what the types promise.

#[test]
fn workers_on_threads_do_every_item_once() {
    let done = within_a_minute(|| {
        let queue = WorkQueue::new(stream::iter(0..2_000_u32));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let queue = queue.clone();
                std::thread::spawn(move || {
                    let mut pool = run_workers(3, |_| {
                        queue.tasks().filter_map(async |task| {
                            if *task % 7 == 3 && task.attempt() < 3 {
                                return None;
                            }
                            if *task < 1_000 && *task % 5 == 0 {
                                task.push(10_000 + *task);
                            }
                            Some(task.done())
                        })
                    });
                    let mut done = Vec::new();
                    futures::executor::block_on(async {
                        while let Some(item) = pool.next().await {
                            done.push(item);
                        }
                    });
                    done
                })
            })
            .collect();
        let done = threads.into_iter().flat_map(|thread| thread.join().unwrap());
        let mut done: Vec<u32> = done.collect();
        done.sort_unstable();
        done
    });
    let pushed = (0..1_000).step_by(5).map(|n| 10_000 + n);
    assert_eq!(done, Vec::from_iter((0..2_000).chain(pushed)));
}

#[test]
fn a_queue_is_send_and_sync_if_its_source_and_items_are_send() {
    fn check<T: Send + Sync + Unpin + Clone>() {}
    // `Send`, but not `Sync`.
    type Source = Pin<Box<dyn Stream<Item = Cell<u32>> + Send>>;
    check::<WorkQueue<Source>>();
    check::<Tasks<Source>>();
    fn sent<T: Send>() {}
    sent::<Task<Cell<u32>>>();
}

#[test]
fn nothing_is_left_behind() {
    let token = Arc::new(());
    let queue = WorkQueue::new(stream::iter([(); 5].map(|()| Arc::clone(&token))));
    let mut tasks = queue.tasks();
    let task = item(&mut tasks);
    queue.push(Arc::clone(&token));
    drop((queue, tasks));
    drop(task);
    assert_eq!(Arc::strong_count(&token), 1);
}

#[test]
fn debug_shows_counts_and_no_items() {
    let queue = WorkQueue::new(stream::iter([1]));
    let task = item(&mut queue.tasks());
    queue.push(2);
    let text = format!("{queue:?} {task:?}");
    let expected = "WorkQueue { queued: 1, in_hand: 1, paused: false, ended: false, .. } \
                    Task { item: 1, attempt: 1, .. }";
    assert_eq!(text, expected);
}
