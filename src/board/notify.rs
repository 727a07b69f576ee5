//! Waking the one who waits for events, under no lock.

use std::sync::atomic::Ordering::AcqRel;
use std::task::Waker;

#[cfg(all(test, active_status_loom))]
use loom::sync::{Mutex, MutexGuard, atomic::AtomicBool};
#[cfg(not(all(test, active_status_loom)))]
use std::sync::{Mutex, MutexGuard, atomic::AtomicBool};

use crate::board::lock::ignore_poison;

/// Wakes the one reader.
#[derive(Debug)]
pub(crate) struct Bell {
    listening: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Bell {
    /// Nobody listens.
    pub(crate) fn new() -> Self {
        Self { listening: AtomicBool::new(false), waker: Mutex::new(None) }
    }

    /// Wakes this waker at the next ring. The caller then looks at the channel:
    /// either it sees what was queued, or the ring that comes after sees it.
    pub(crate) fn listen(&self, waker: &Waker) {
        let listens = |listener: &Waker| listener.will_wake(waker);
        if !self.waker().as_ref().is_some_and(listens) {
            let waker = waker.clone();
            let _replaced = self.waker().replace(waker);
        }
        self.listening.swap(true, AcqRel);
    }

    /// Wakes who listens, under no lock.
    pub(crate) fn ring(&self) {
        if self.listening.swap(false, AcqRel) {
            let waker = self.waker().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Forgets who listens.
    pub(crate) fn forget(&self) {
        let _waker = self.waker().take();
    }

    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        ignore_poison(self.waker.lock())
    }
}

/// The bell under the model checker: whoever leaves without having seen all that
/// was queued is woken for it.
#[cfg(all(test, active_status_loom))]
mod models {
    use std::sync::Arc as StdArc;
    use std::task::{Wake, Waker};

    use loom::sync::Arc;
    use loom::sync::atomic::Ordering::{Relaxed, SeqCst};
    use loom::sync::atomic::{AtomicBool, AtomicUsize};
    use loom::thread;

    use super::Bell;

    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: StdArc<Self>) {
            self.0.store(true, SeqCst);
        }
    }

    struct Channel {
        bell: Bell,
        queued: AtomicUsize,
    }

    impl Channel {
        fn send(&self) {
            // Relaxed: it is the bell that orders this before the reader's look.
            self.queued.fetch_add(1, Relaxed);
            self.bell.ring();
        }

        /// Looks, listens and looks again. How much was queued.
        fn poll(&self, woken: &StdArc<Woken>) -> usize {
            self.bell.listen(&Waker::from(woken.clone()));
            self.queued.load(Relaxed)
        }
    }

    fn check(senders: usize, polls: usize) {
        loom::model(move || {
            let channel = Arc::new(Channel { bell: Bell::new(), queued: AtomicUsize::new(0) });
            let send = |_| {
                let channel = channel.clone();
                thread::spawn(move || channel.send())
            };
            let threads: Vec<_> = (0..senders).map(send).collect();
            let mut woken = StdArc::new(Woken(AtomicBool::new(false)));
            let mut seen = channel.poll(&woken);
            for _ in 1..polls {
                // A task that moved has another waker.
                woken = StdArc::new(Woken(AtomicBool::new(false)));
                seen = channel.poll(&woken);
            }
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert!(seen == senders || woken.0.load(SeqCst), "seen {seen} of {senders}");
            channel.bell.forget();
        });
    }

    #[test]
    fn no_ring_is_lost() {
        check(2, 1);
    }

    #[test]
    fn no_ring_is_lost_when_the_waker_changes() {
        check(1, 3);
        check(2, 2);
    }
}
