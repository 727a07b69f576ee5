//! The bodies of responses.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::page::Shared;
use crate::state::{Cursor, VIEWERS};

/// The body of a response of a [`Page`](crate::Page): a file, or the events of the page
/// until the run ends.
#[must_use = "bodies do nothing unless they are sent"]
pub struct PageBody(Content);

enum Content {
    File(Option<Bytes>),
    Events(Viewer),
}

impl PageBody {
    pub(crate) fn file(content: &'static str) -> Self {
        Self(Content::File(Some(Bytes::from_static(content.as_bytes()))))
    }

    pub(crate) fn events(viewer: Viewer) -> Self {
        Self(Content::Events(viewer))
    }
}

impl Body for PageBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = match &mut self.0 {
            Content::File(file) => Poll::Ready(file.take()),
            Content::Events(viewer) => viewer.poll_message(cx).map(|text| text.map(Bytes::from)),
        };
        bytes.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Content::File(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::File(file) => {
                SizeHint::with_exact(file.as_ref().map_or(0, |file| file.len() as u64))
            }
            Content::Events(_) => SizeHint::default(),
        }
    }
}

impl fmt::Debug for PageBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Content::File(_) => "File",
            Content::Events(_) => "Events",
        };
        f.debug_tuple("PageBody").field(&kind).finish()
    }
}

/// A browser that shows the page: its place in the versions of the state.
pub(crate) struct Viewer {
    shared: Arc<Shared>,
    /// The key of its waker.
    number: u64,
    cursor: Cursor,
    /// The heartbeats that it was sent, or that a message replaced.
    beats: u64,
}

impl Viewer {
    /// Adds a viewer that has seen what its cursor says. Returns `None` if there are too
    /// many.
    pub(crate) fn new(shared: Arc<Shared>, cursor: Cursor) -> Option<Self> {
        let mut state = shared.lock();
        if state.viewers == VIEWERS {
            return None;
        }
        state.viewers += 1;
        state.last_viewer += 1;
        let (number, beats) = (state.last_viewer, state.beats);
        drop(state);
        Some(Self { shared, number, cursor, beats })
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        let (now, rate) = self.shared.time();
        let mut state = self.shared.lock();
        let beats = std::mem::replace(&mut self.beats, state.beats);
        if let Some(message) = state.next_message(&mut self.cursor, now, rate) {
            return Poll::Ready(Some(message));
        }
        if state.is_over(&self.cursor) {
            return Poll::Ready(None);
        }
        if beats != state.beats {
            return Poll::Ready(Some(":\n\n".to_owned()));
        }
        state.waiting.insert(self.number, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.viewers -= 1;
        let waker = state.waiting.remove(&self.number);
        drop(state);
        drop(waker);
    }
}
