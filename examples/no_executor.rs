//! A merge without an executor. The program polls it by hand, and a waker records when
//! to poll it again.
#![expect(clippy::print_stdout, reason = "it is an example")]

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use active_status::run_workers;
use futures_lite::{Stream, StreamExt};

/// Records that the task was woken.
#[derive(Default)]
struct Notified(AtomicBool);

impl Wake for Notified {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl Notified {
    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Acquire)
    }
}

fn main() {
    let (sensors, queues): (Vec<_>, Vec<_>) = (0..3).map(|_| async_channel::unbounded()).unzip();
    let mut readings = run_workers(3, |id| {
        let queue = queues[id.index()].clone();
        queue.map(move |celsius| (id.get(), celsius))
    });

    let notified = Arc::new(Notified::default());
    let waker = Waker::from(notified.clone());
    let mut poll = || Pin::new(&mut readings).poll_next(&mut Context::from_waker(&waker));

    assert_eq!(poll(), Poll::Pending, "no reading yet");
    assert!(!notified.take());

    sensors[2].try_send(21).unwrap();
    sensors[0].try_send(19).unwrap();
    assert!(notified.take(), "a reading is ready");

    let mut seen = Vec::new();
    while let Poll::Ready(Some((sensor, celsius))) = poll() {
        println!("sensor {sensor}: {celsius} °C");
        seen.push((sensor, celsius));
    }
    assert_eq!(seen, [(1, 19), (3, 21)]);

    drop(sensors);
    assert!(notified.take());
    assert_eq!(poll(), Poll::Ready(None), "all sensors were dropped");
}
