//! Time on the wall, and on the processor.

use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Calls this for so long. How often it did.
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

#[expect(clippy::disallowed_methods, reason = "a bench takes its time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The time that this thread was on a processor.
pub(crate) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[expect(clippy::disallowed_methods, reason = "a bench takes its time")]
pub(crate) fn rest(time: Duration) {
    thread::sleep(time);
}
