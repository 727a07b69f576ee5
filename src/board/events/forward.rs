//! Forwarding events to a channel.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_channel::Sender;

use crate::board::event::Event;
use crate::board::events::Events;

/// The future returned by [`Events::forward`].
#[must_use = "futures do nothing unless polled"]
pub struct Forward {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Forward {
    pub(crate) fn new(events: Events, sink: Sender<Event>) -> Self {
        Self { future: Box::pin(forward(events, sink)) }
    }
}

impl Future for Forward {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.future.as_mut().poll(cx)
    }
}

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forward").finish_non_exhaustive()
    }
}

async fn forward(mut events: Events, sink: Sender<Event>) {
    while poll_fn(|cx| events.poll_batch(cx)).await {
        if let Some(event) = events.take_of_batch()
            && sink.send(event).await.is_err()
        {
            return;
        }
    }
}
