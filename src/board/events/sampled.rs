//! Reading events at intervals.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;

use crate::board::event::Event;
use crate::board::events::Events;

pin_project! {
    /// The stream returned by [`Events::sampled`].
    #[must_use = "streams do nothing unless polled"]
    pub struct Sampled<F, T> {
        events: Events,
        every: Duration,
        sleep: F,
        // The number of messages left of those that were queued at the last read; `None`
        // if all were taken.
        left: Option<usize>,
        #[pin]
        timer: Option<T>,
    }
}

impl<F, T> Sampled<F, T> {
    pub(crate) fn new(events: Events, every: Duration, sleep: F) -> Self {
        Self { events, every, sleep, left: None, timer: None }
    }
}

impl<F, T> Stream for Sampled<F, T>
where
    F: FnMut(Duration) -> T,
    T: Future,
{
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut this = self.project();
        loop {
            if let Some(timer) = this.timer.as_mut().as_pin_mut() {
                ready!(timer.poll(cx));
                this.timer.set(None);
            }
            if this.left.is_none() && !ready!(this.events.poll_ready(cx)) {
                return Poll::Ready(None);
            }
            let left = this.left.get_or_insert_with(|| this.events.receiver.len());
            if let Some(event) = this.events.take(left) {
                return Poll::Ready(Some(event));
            }
            *this.left = None;
            if !this.events.is_terminated() {
                this.timer.set(Some((this.sleep)(*this.every)));
            }
        }
    }
}

impl<F, T> FusedStream for Sampled<F, T>
where
    F: FnMut(Duration) -> T,
    T: Future,
{
    fn is_terminated(&self) -> bool {
        self.events.is_terminated()
    }
}

impl<F, T> fmt::Debug for Sampled<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampled")
            .field("events", &self.events)
            .field("every", &self.every)
            .field("waiting", &self.timer.is_some())
            .finish_non_exhaustive()
    }
}
