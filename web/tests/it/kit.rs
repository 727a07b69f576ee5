//! A board, its page and its server, for tests.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use active_status::{Board, Events, board};
use active_status_web::{Page, PageBody, PageOptions};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use smol::{Task, Timer};

/// A board whose page is served.
pub(crate) struct Site {
    pub(crate) board: Board,
    pub(crate) page: Page,
    pub(crate) address: SocketAddr,
    server: Option<Task<Infallible>>,
    _feed: Task<()>,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with_options(PageOptions::new().title("test"))
    }

    pub(crate) fn with_options(options: PageOptions) -> Self {
        let (board, events) = board();
        let (page, feed) = options.build(events, Timer::after);
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut site = Self { board, page, address, server: None, _feed: smol::spawn(feed) };
        site.start();
        site
    }

    /// Serves the page, at the same address as before.
    pub(crate) fn start(&mut self) {
        let listener = TcpListener::bind(self.address).expect("a free port");
        self.address = listener.local_addr().expect("an address");
        self.server = Some(smol::spawn(self.page.serve(listener).expect("a loopback address")));
    }

    /// Closes the listener and all connections.
    pub(crate) fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            smol::block_on(server.cancel());
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

/// A page whose feed is polled by hand, without timers: each poll is a round.
pub(crate) struct Rounds {
    pub(crate) board: Board,
    pub(crate) page: Page,
    feed: Pin<Box<dyn Future<Output = ()>>>,
}

impl Rounds {
    pub(crate) fn new(options: PageOptions) -> Self {
        let (board, events): (Board, Events) = board();
        let mut beat = true;
        let (page, feed) = options.build(events, move |_| {
            // The first timer is that of the heartbeat, which is never due.
            let never = std::mem::replace(&mut beat, false);
            std::future::poll_fn(move |_| if never { Poll::Pending } else { Poll::Ready(()) })
        });
        Self { board, page, feed: Box::pin(feed) }
    }

    /// Applies the events that are pending.
    pub(crate) fn round(&mut self) {
        for _ in 0..4 {
            if self.feed.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                break;
            }
        }
    }
}

/// Sends a request to a page, with the given headers.
pub(crate) fn get(page: &Page, path: &str, headers: &[(&str, &str)]) -> Response<PageBody> {
    let mut request = Request::get(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "localhost:8080");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    page.respond(&request.body(()).expect("a request"))
}

/// Returns the next message of a response; `None` if none is ready.
pub(crate) fn next(response: &mut Response<PageBody>) -> Option<String> {
    match poll(response) {
        Poll::Ready(Some(bytes)) => Some(String::from_utf8(bytes.to_vec()).expect("UTF-8")),
        Poll::Ready(None) | Poll::Pending => None,
    }
}

/// Returns the next part of a response, without waiting.
pub(crate) fn poll(response: &mut Response<PageBody>) -> Poll<Option<Bytes>> {
    let body = pin!(response.body_mut());
    let frame = body.poll_frame(&mut Context::from_waker(Waker::noop()));
    frame.map(|frame| frame.map(|frame| frame.expect("infallible").into_data().expect("data")))
}
