//! A merge with no executor at all: you poll it, and a bell tells you when to
//! poll it again.
#![expect(clippy::print_stdout, reason = "it is an example")]

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use active_status::run_workers;
use futures_lite::{Stream, StreamExt};

/// Remembers that it was rung.
#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl Bell {
    fn rang(&self) -> bool {
        self.0.swap(false, Ordering::Acquire)
    }
}

fn main() {
    let (sensors, queues): (Vec<_>, Vec<_>) = (0..3).map(|_| async_channel::unbounded()).unzip();
    let mut readings = run_workers(3, |id| {
        let queue = queues[id.index()].clone();
        queue.map(move |celsius| (id.get(), celsius))
    });

    let bell = Arc::new(Bell::default());
    let waker = Waker::from(bell.clone());
    let mut look = || Pin::new(&mut readings).poll_next(&mut Context::from_waker(&waker));

    assert_eq!(look(), Poll::Pending, "no reading yet");
    assert!(!bell.rang());

    sensors[2].try_send(21).unwrap();
    sensors[0].try_send(19).unwrap();
    assert!(bell.rang(), "there is something to look at");

    let mut seen = Vec::new();
    while let Poll::Ready(Some((sensor, celsius))) = look() {
        println!("sensor {sensor}: {celsius} °C");
        seen.push((sensor, celsius));
    }
    assert_eq!(seen, [(1, 19), (3, 21)]);

    drop(sensors);
    assert!(bell.rang());
    assert_eq!(look(), Poll::Ready(None), "all sensors are gone");
}
