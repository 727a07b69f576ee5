//! The future that applies the events of a board to its page.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use active_status::Event;
use futures_core::Stream;

use crate::page::Shared;

/// The time between two rounds, in which the updates of a job merge.
const ROUND: Duration = Duration::from_millis(250);
/// The time between two heartbeats, which find the viewers that are gone.
const BEAT: Duration = Duration::from_secs(5);
/// The maximum number of events that are applied without a pause for other tasks.
const TURN: usize = 4_096;

/// The future returned by [`Page::new`](crate::Page::new). It applies the events to the
/// page until they end.
///
/// It reads the events at most four times per second. If it is dropped, the page shows
/// the last state that it has seen, as that of a run that ended.
#[must_use = "the page stays empty unless the feed is polled"]
pub struct Feed<E, F, T> {
    events: Pin<Box<E>>,
    sleep: F,
    /// The time until the next round; `None` if the last round is long past.
    round: Option<Pin<Box<T>>>,
    beat: Option<Pin<Box<T>>>,
    shared: Arc<Shared>,
}

impl<E, F, T> Feed<E, F, T> {
    pub(crate) fn new(events: E, sleep: F, shared: Arc<Shared>) -> Self {
        Self { events: Box::pin(events), sleep, round: None, beat: None, shared }
    }
}

/// Nothing is pinned in the feed: the events and the timers are boxed.
impl<E, F, T> Unpin for Feed<E, F, T> {}

impl<E, F, T> Feed<E, F, T>
where
    E: Stream<Item = Event>,
    F: FnMut(Duration) -> T,
    T: Future,
{
    fn poll_beat(&mut self, cx: &mut Context<'_>) {
        while self
            .beat
            .get_or_insert_with(|| Box::pin((self.sleep)(BEAT)))
            .as_mut()
            .poll(cx)
            .is_ready()
        {
            self.beat = None;
            let mut state = self.shared.lock();
            state.beats += 1;
            self.shared.wake(state);
        }
    }

    /// Applies the events that are ready. Returns `true` if there may be more.
    fn poll_events(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut count = 0;
        while count < TURN {
            match self.events.as_mut().poll_next(cx) {
                Poll::Ready(Some(event)) => self.shared.apply(event),
                Poll::Ready(None) => return Poll::Ready(false),
                Poll::Pending if count == 0 => return Poll::Pending,
                Poll::Pending => {
                    self.round = Some(Box::pin((self.sleep)(ROUND)));
                    break;
                }
            }
            count += 1;
        }
        Poll::Ready(true)
    }
}

impl<E, F, T> Future for Feed<E, F, T>
where
    E: Stream<Item = Event>,
    F: FnMut(Duration) -> T,
    T: Future,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.poll_beat(cx);
        if let Some(round) = &mut this.round {
            if round.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            this.round = None;
        }
        match this.poll_events(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(true) => {
                this.shared.publish();
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(false) => {
                this.shared.finish();
                Poll::Ready(())
            }
        }
    }
}

impl<E, F, T> Drop for Feed<E, F, T> {
    fn drop(&mut self) {
        self.shared.finish();
    }
}

impl<E, F, T> fmt::Debug for Feed<E, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").finish_non_exhaustive()
    }
}
