//! Waking a blocked thread.

use std::sync::{Arc, Condvar, Mutex};
use std::task::{Wake, Waker};
use std::time::Duration;

use crate::board::lock::ignore_poison;

/// An alarm for one thread, which sleeps until it rings.
///
/// Code that the thread runs in between may block it, for example a writer that waits for a
/// channel. It would use up the token of [`park`](std::thread::park), but not a ring.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    rung: Mutex<bool>,
    bell: Condvar,
}

impl Alarm {
    /// Ends the present sleep of the thread, or the next one.
    pub(crate) fn ring(&self) {
        let rung = std::mem::replace(&mut *ignore_poison(self.rung.lock()), true);
        if !rung {
            self.bell.notify_one();
        }
    }

    /// Sleeps until the alarm rings, at most for the given time. Returns `true` if it rang.
    pub(crate) fn sleep(&self, time: Option<Duration>) -> bool {
        let rung = ignore_poison(self.rung.lock());
        let silent = |rung: &mut bool| !*rung;
        let mut rung = match time {
            Some(time) => ignore_poison(self.bell.wait_timeout_while(rung, time, silent)).0,
            None => ignore_poison(self.bell.wait_while(rung, silent)),
        };
        std::mem::take(&mut *rung)
    }

    /// Returns a waker that rings the alarm.
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}
