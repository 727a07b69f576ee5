//! Waking the reader of the events, while no lock is held.

use std::sync::atomic::Ordering::AcqRel;
use std::task::Waker;

#[cfg(all(test, active_status_loom))]
use loom::sync::{Mutex, MutexGuard, atomic::AtomicBool};
#[cfg(not(all(test, active_status_loom)))]
use std::sync::{Mutex, MutexGuard, atomic::AtomicBool};

use crate::board::lock::ignore_poison;

/// A notification for the one reader of the events.
#[derive(Debug)]
pub(crate) struct Notify {
    listening: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Notify {
    /// Creates a notification without a waker.
    pub(crate) fn new() -> Self {
        Self { listening: AtomicBool::new(false), waker: Mutex::new(None) }
    }

    /// Registers a waker for the next [`notify`](Self::notify). The caller then checks
    /// the channel: either it sees a message, or the sender of the message sees the
    /// waker.
    pub(crate) fn listen(&self, waker: &Waker) {
        let listens = |listener: &Waker| listener.will_wake(waker);
        if !self.waker().as_ref().is_some_and(listens) {
            let waker = waker.clone();
            let _replaced = self.waker().replace(waker);
        }
        self.listening.swap(true, AcqRel);
    }

    /// Wakes the reader if it is listening, without holding a lock.
    pub(crate) fn notify(&self) {
        if self.listening.swap(false, AcqRel) {
            let waker = self.waker().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Drops the waker.
    pub(crate) fn forget(&self) {
        let _waker = self.waker().take();
    }

    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        ignore_poison(self.waker.lock())
    }
}

/// Model-checks the wakes: a reader that has not seen all messages is woken.
#[cfg(all(test, active_status_loom))]
mod models {
    use std::sync::Arc as StdArc;
    use std::task::{Wake, Waker};

    use loom::sync::Arc;
    use loom::sync::atomic::Ordering::{Relaxed, SeqCst};
    use loom::sync::atomic::{AtomicBool, AtomicUsize};
    use loom::thread;

    use super::Notify;

    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: StdArc<Self>) {
            self.0.store(true, SeqCst);
        }
    }

    struct Channel {
        notify: Notify,
        queued: AtomicUsize,
    }

    impl Channel {
        fn send(&self) {
            // Relaxed: `notify` orders this before the reader's check.
            self.queued.fetch_add(1, Relaxed);
            self.notify.notify();
        }

        /// Listens, then returns the number of messages queued so far.
        fn poll(&self, woken: &StdArc<Woken>) -> usize {
            self.notify.listen(&Waker::from(woken.clone()));
            self.queued.load(Relaxed)
        }
    }

    fn check(senders: usize, polls: usize) {
        loom::model(move || {
            let channel = Arc::new(Channel { notify: Notify::new(), queued: AtomicUsize::new(0) });
            let send = |_| {
                let channel = channel.clone();
                thread::spawn(move || channel.send())
            };
            let threads: Vec<_> = (0..senders).map(send).collect();
            let mut woken = StdArc::new(Woken(AtomicBool::new(false)));
            let mut seen = channel.poll(&woken);
            for _ in 1..polls {
                // A task that has moved has another waker.
                woken = StdArc::new(Woken(AtomicBool::new(false)));
                seen = channel.poll(&woken);
            }
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert!(seen == senders || woken.0.load(SeqCst), "seen {seen} of {senders}");
            channel.notify.forget();
        });
    }

    #[test]
    fn no_notification_is_lost() {
        check(2, 1);
    }

    #[test]
    fn no_notification_is_lost_when_the_waker_changes() {
        check(1, 3);
        check(2, 2);
    }
}
