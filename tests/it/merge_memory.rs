//! The memory of a merge follows its present children.

use std::cell::RefCell;
use std::task::Poll;

use active_status::{Merge, once};
use futures::FutureExt;
use futures::stream::{self, StreamExt};

use crate::allocator::{allocations, bytes};
use crate::support::{Child, NO_ITEMS, Parent, Step, child};

/// The bytes that `act` leaves allocated on this thread, and its result.
fn held<T>(act: impl FnOnce() -> T) -> (T, usize) {
    let before = bytes();
    let result = act();
    (result, usize::try_from(bytes() - before).unwrap())
}

/// A future of a kilobyte.
async fn kilobyte(number: usize) -> usize {
    let words = [number; 128];
    std::future::ready(()).await;
    words[number % 128]
}

#[test]
fn after_a_peak_at_most_a_hundredth_is_held() {
    let (mut merge, empty) = held(Merge::new);
    let ((), peak) = held(|| merge.extend((0..100_000).map(|number| once(kilobyte(number)))));
    assert!(peak > 100_000 * 1_024);
    let before = bytes();
    assert_eq!(Parent::new().drain(&mut merge).len(), 100_000);
    let left = peak + empty - usize::try_from(before - bytes()).unwrap();
    assert!(left <= peak / 100, "{left} of {peak} bytes");
}

#[test]
fn a_large_child_has_a_separate_chunk() {
    const SIZE: usize = 1 << 15;
    struct Large(Box<[u8; 0]>, [u8; SIZE]);
    let (mut merge, _) = held(Merge::<Large>::new);
    let large = || Large(Box::new([]), [0; SIZE]);
    let (_, one) = held(|| merge.push(large()));
    assert!(one < SIZE + SIZE / 10, "{one} bytes");
    let (_, more) = held(|| {
        (0..6).for_each(|_| _ = merge.push(large()));
    });
    assert!(more < 7 * SIZE, "{more} bytes");
    let first = merge.keys().next().unwrap();
    assert!(merge.remove(first));
    assert!(merge.iter().all(|(_, large)| large.0.is_empty() && large.1[7] == 0));
}

#[test]
fn one_waker_keeps_little_memory() {
    let kept = RefCell::new(None);
    let ((), left) = held(|| {
        let child = |number| {
            let kept = &kept;
            stream::poll_fn(move |cx| {
                if number == 70_000 {
                    *kept.borrow_mut() = Some(cx.waker().clone());
                }
                Poll::Ready(None::<()>)
            })
        };
        let mut merge: Merge<_> = (0..100_000).map(child).collect();
        assert!(Parent::new().drain(&mut merge).is_empty());
    });
    assert!(kept.take().is_some());
    assert!(left > 0 && left < 10_000, "{left} bytes");
}

#[test]
fn a_pool_that_refills_does_not_allocate() {
    for size in [1, 4, 5, 64, 65, 1_000] {
        let mut pool: Merge<_> = (0..size).map(|number| once(std::future::ready(number))).collect();
        let mut refill = |rounds: usize| {
            for _ in 0..rounds {
                let output = pool.next().now_or_never().flatten();
                // A pending merge yields.
                if let Some(output) = output {
                    pool.push(once(std::future::ready(output)));
                }
            }
        };
        refill(3 * size);
        let before = allocations();
        refill(1_000);
        assert_eq!(allocations() - before, 0, "{size} futures");
    }
}

#[test]
fn a_pool_that_varies_by_a_block_does_not_allocate() {
    let future = |number| once(std::future::ready(number));
    let mut pool: Merge<_> = (0..640).map(future).collect();
    let mut vary = |rounds: usize| {
        for _ in 0..rounds {
            let mut taken = 0;
            while taken < 64 {
                taken += usize::from(pool.next().now_or_never().flatten().is_some());
            }
            (0..taken).for_each(|number| _ = pool.push(future(number)));
        }
    };
    vary(30);
    let before = allocations();
    vary(30);
    assert_eq!(allocations() - before, 0);
}

#[test]
fn a_cleared_merge_frees_its_children() {
    let mut merge: Merge<_> = (0..10_000).map(|number| once(kilobyte(number))).collect();
    let before = bytes();
    merge.clear();
    assert!(before - bytes() > 10_000 * 1_024);
}

#[test]
fn shrink_to_fit_frees_what_an_empty_merge_holds() {
    let (mut merge, peak) =
        held(|| (0..100_000).map(|number| child(number, &[Step::End]).0).collect::<Merge<_>>());
    let before = bytes();
    let parent = Parent::new();
    assert_eq!(parent.drain(&mut merge), NO_ITEMS);
    merge.shrink_to_fit();
    let left = peak - usize::try_from(before - bytes()).unwrap();
    assert!(left < 30_000, "{left} of {peak} bytes");
    merge.extend((0..100).map(|number| child(number, &[Step::Item, Step::End]).0));
    assert!(parent.drain(&mut merge).into_iter().eq(0..100));
}

#[test]
fn keys_from_before_a_shrink_are_stale() {
    let mut merge = Merge::new();
    let mut old = Vec::new();
    for round in 0..3 {
        for number in 0..200 {
            old.push(merge.push(child(number, &[Step::End]).0));
        }
        assert_eq!(Parent::new().drain(&mut merge), NO_ITEMS);
        if round < 2 {
            merge.shrink_to_fit();
        } else {
            merge.extend((0..200).map(|number| child(number, &[Step::Idle]).0));
        }
        assert!(old.iter().all(|&key| !merge.contains(key)));
    }
}

#[test]
fn a_merge_that_waits_is_woken_after_a_shrink() {
    let (idle, handle) = child(7, &[Step::Sent]);
    let mut merge: Merge<Child> = [idle].into_iter().collect();
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    merge.shrink_to_fit();
    handle.send();
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.drain(&mut merge), [7]);
}

#[test]
fn a_stale_wake_after_a_shrink_is_ignored() {
    let (ending, handle) = child(0, &[Step::Idle, Step::End]);
    let mut merge: Merge<Child> = [ending].into_iter().collect();
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    handle.wake();
    assert_eq!(parent.poll(&mut merge), Poll::Ready(None));
    merge.shrink_to_fit();
    merge.push(child(1, &[Step::Idle]).0);
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    parent.take_wakes();
    handle.wake();
    assert_eq!(parent.take_wakes(), 0);
}
