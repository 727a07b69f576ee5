//! Wall-clock and processor time.

use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Calls a closure for the given time, and returns the number of calls.
pub(crate) fn until(time: Duration, mut call: impl FnMut(u64)) -> u64 {
    let began = now();
    let (mut number, mut batch) = (0, 1);
    loop {
        let before = now();
        for _ in 0..batch {
            call(number);
            number += 1;
        }
        let after = now();
        if after - began >= time {
            return number;
        }
        if after - before < Duration::from_millis(1) {
            batch *= 2;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Returns the processor time of this thread.
pub(crate) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
pub(crate) fn sleep(time: Duration) {
    thread::sleep(time);
}
