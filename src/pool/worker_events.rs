//! The end of a worker as an item.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;

/// Makes the end of each worker an item, whether it ended by itself or panicked.
///
/// Wraps a constructor of workers into one for [`run_workers`](crate::run_workers).
/// Each worker yields its items and then exactly one
/// [`Ended`](WorkerEvent::Ended) or [`Panicked`](WorkerEvent::Panicked), each paired
/// with the argument of the constructor, such as the [`WorkerId`](crate::WorkerId).
/// A worker is dropped before its end is yielded, so that it holds nothing even if
/// the event is ignored.
///
/// Only panics of the polls and of the drop of a worker are caught. A panic of the
/// constructor propagates.
///
/// # Unwind safety
///
/// A worker that panicked is gone, so nothing observes what it left half done within
/// itself. The program must judge what the worker shared with others.
///
/// # Examples
///
/// ```
/// use active_status::workers::{WorkerEvent, with_events};
/// use active_status::{WorkerId, run_workers};
/// use futures::{StreamExt, executor::block_on, stream};
///
/// # std::panic::set_hook(Box::new(|_| {}));
/// let mut pool = run_workers(2, with_events(|id: WorkerId| {
///     stream::iter([1, 0]).map(move |n| if id.get() == 1 { n } else { 100 / n })
/// }));
/// let mut log = Vec::new();
/// block_on(async {
///     while let Some((id, event)) = pool.next().await {
///         log.push(match event {
///             WorkerEvent::Item(item) => format!("{id}: {item}"),
///             WorkerEvent::Ended => format!("{id} ended"),
///             WorkerEvent::Panicked(panic) => format!("{id} panicked: {panic}"),
///         });
///     }
/// });
/// log.sort();
/// assert_eq!(log, ["1 ended", "1: 0", "1: 1", "2 panicked: attempt to divide by zero", "2: 100"]);
/// ```
pub fn with_events<A, S, C>(mut constructor: C) -> impl FnMut(A) -> WithEvents<A, S>
where
    A: Clone,
    S: Stream,
    C: FnMut(A) -> S,
{
    move |worker| WithEvents { stream: Some(constructor(worker.clone())), worker }
}

/// An item or the end of a worker; see [`with_events`].
#[derive(Debug)]
pub enum WorkerEvent<T> {
    /// The worker yielded an item.
    Item(T),
    /// The worker ended.
    Ended,
    /// The worker panicked.
    Panicked(Panic),
}

impl<T> WorkerEvent<T> {
    /// Returns the item, unless the event is an end.
    pub fn into_item(self) -> Option<T> {
        match self {
            Self::Item(item) => Some(item),
            Self::Ended | Self::Panicked(_) => None,
        }
    }
}

/// A panic that was caught.
///
/// `Display` writes its message.
pub struct Panic {
    payload: Box<dyn Any + Send>,
}

impl Panic {
    pub(super) fn new(payload: Box<dyn Any + Send>) -> Self {
        Self { payload }
    }

    /// Returns the message of the panic, or a note that it has none: a payload of
    /// [`panic_any`](std::panic::panic_any) may be any value.
    pub fn message(&self) -> &str {
        let text = self.payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| self.payload.downcast_ref::<String>().map(String::as_str));
        text.unwrap_or("a panic without a message")
    }

    /// Returns the payload, as [`catch_unwind`] returns it.
    pub fn into_inner(self) -> Box<dyn Any + Send> {
        self.payload
    }

    /// Continues the panic, without calling the panic hook again.
    pub fn resume(self) -> ! {
        resume_unwind(self.payload)
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Panic").field(&self.message()).finish()
    }
}

/// Calls a function. Returns its panic, if it panics.
pub(super) fn catch<T>(call: impl FnOnce() -> T) -> Result<T, Panic> {
    catch_unwind(AssertUnwindSafe(call)).map_err(Panic::new)
}

pin_project! {
    /// The stream of [`with_events`].
    #[must_use = "streams do nothing unless polled"]
    pub struct WithEvents<A, S> {
        // `None` once the end was yielded.
        #[pin]
        stream: Option<S>,
        worker: A,
    }
}

impl<A: Clone, S: Stream> Stream for WithEvents<A, S> {
    type Item = (A, WorkerEvent<S::Item>);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        let Some(stream) = this.stream.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        let polled = match catch(|| stream.poll_next(cx)) {
            Ok(polled) => Ok(ready!(polled)),
            Err(panic) => Err(panic),
        };
        let event = match polled {
            Ok(Some(item)) => WorkerEvent::Item(item),
            // The first panic counts.
            ended => match (ended, catch(|| this.stream.set(None))) {
                (Err(panic), _) | (Ok(_), Err(panic)) => WorkerEvent::Panicked(panic),
                (Ok(_), Ok(())) => WorkerEvent::Ended,
            },
        };
        Poll::Ready(Some((this.worker.clone(), event)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.stream {
            // It may panic at any time.
            Some(stream) => (1, stream.size_hint().1.and_then(|most| most.checked_add(1))),
            None => (0, Some(0)),
        }
    }
}

impl<A: Clone, S: Stream> FusedStream for WithEvents<A, S> {
    fn is_terminated(&self) -> bool {
        self.stream.is_none()
    }
}

impl<A: fmt::Debug, S: fmt::Debug> fmt::Debug for WithEvents<A, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithEvents")
            .field("stream", &self.stream)
            .field("worker", &self.worker)
            .finish()
    }
}
