//! An HTTP server that serves nothing but the page.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use active_status::{Merge, once};
use async_io::{Async, Timer};
use futures_core::Stream;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use smol_hyper::rt::{FuturesIo, SmolTimer};

use crate::body::PageBody;
use crate::page::Page;

/// The maximum number of connections. Others wait until the listener accepts them.
const CONNECTIONS: usize = 128;
/// The time for the head of a request.
const HEAD: Duration = Duration::from_secs(5);
/// The pause after an error of the listener, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);
/// The maximum number of bytes of a request or of unsent messages.
const BUFFER: usize = 64 << 10;

impl Page {
    /// Serves the page on a listener, on any executor. The future does not end; drop it to
    /// close the listener and all connections. It spawns nothing.
    ///
    /// # Errors
    ///
    /// Fails if the listener accepts connections of other machines and the page has no
    /// [token](crate::PageOptions::token).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::net::TcpListener;
    ///
    /// use active_status::board;
    /// use active_status_web::Page;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let (board, events) = board();
    /// let (page, feed) = Page::new(events, smol::Timer::after);
    /// let serve = page.serve(TcpListener::bind("127.0.0.1:8080")?)?;
    /// smol::spawn(feed).detach();
    /// smol::spawn(serve).detach();
    /// # Ok(())
    /// # }
    /// ```
    pub fn serve(&self, listener: TcpListener) -> io::Result<Serve> {
        let address = listener.local_addr()?.ip().to_canonical();
        if !address.is_loopback() && self.shared.access.token.is_none() {
            let message = "a page that other machines can reach needs a token";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        let mut connections = Merge::new();
        connections.stay_open(true);
        let listener = Async::new(listener)?;
        Ok(Serve { page: self.clone(), listener, pause: None, connections })
    }
}

type Connection = active_status::merge::Once<Pin<Box<dyn Future<Output = ()> + Send>>>;

/// The future returned by [`Page::serve`], which polls all connections.
#[must_use = "futures do nothing unless polled"]
pub struct Serve {
    page: Page,
    listener: Async<TcpListener>,
    /// The pause after an error.
    pause: Option<Timer>,
    connections: Merge<Connection>,
}

impl Serve {
    /// Accepts connections until none is left or the limit is reached.
    fn poll_accept(&mut self, cx: &mut Context<'_>) {
        while self.connections.len() < CONNECTIONS {
            if let Some(pause) = &mut self.pause {
                if Pin::new(pause).poll(cx).is_pending() {
                    return;
                }
                self.pause = None;
            }
            match self.listener.get_ref().accept() {
                Ok((stream, _)) => self.connect(stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.listener.poll_readable(cx).is_pending() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(_) => self.pause = Some(Timer::after(PAUSE)),
            }
        }
    }

    fn connect(&mut self, stream: TcpStream) {
        let page = self.page.clone();
        let respond = move |request: Request<Incoming>| {
            let response: Response<PageBody> = page.respond(&request);
            std::future::ready(Ok::<_, Infallible>(response))
        };
        // Messages are small, and their delay is seen.
        let stream = stream.set_nodelay(true).and_then(|()| Async::new(stream));
        let Ok(stream) = stream else { return };
        let connection = http1::Builder::new()
            .timer(SmolTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(BUFFER)
            .keep_alive(false)
            .serve_connection(FuturesIo::new(stream), service_fn(respond));
        self.connections.push(once(Box::pin(async move {
            // The error is that the browser is gone or spoke no HTTP.
            let _ended = connection.await;
        })));
    }
}

impl Future for Serve {
    type Output = Infallible;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Infallible> {
        loop {
            self.poll_accept(cx);
            if Pin::new(&mut self.connections).poll_next(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl fmt::Debug for Serve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("connections", &self.connections.len())
            .finish_non_exhaustive()
    }
}
