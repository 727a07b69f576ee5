//! The page: the answers to requests, from the state that the feed keeps.

use std::env;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use active_status::Event;
use active_status::console::Clock;
use futures_core::Stream;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
    REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{Request, Response, StatusCode};

use crate::access::{Access, COOKIE_NAME, Token};
use crate::body::{PageBody, Viewer};
use crate::feed::Feed;
use crate::state::{Cursor, State};

const TEXT_TYPE: &str = "text/plain; charset=utf-8";

/// The headers of every response: nothing from elsewhere is loaded, and nothing elsewhere
/// embeds or reads the page.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (CACHE_CONTROL, "no-store"),
    // Proxies that collect responses would hold back the events.
    (HeaderName::from_static("x-accel-buffering"), "no"),
];

/// Options of a [`Page`].
///
/// # Examples
///
/// ```
/// use active_status::board;
/// use active_status_web::PageOptions;
///
/// let (board, events) = board();
/// let (page, feed) = PageOptions::new().title("nightly build").build(events, smol::Timer::after);
/// ```
#[derive(Debug, Default)]
#[must_use = "options do nothing until a page is built"]
pub struct PageOptions {
    title: Option<String>,
    clock: Option<Clock>,
    access: Access,
}

impl PageOptions {
    /// Creates the default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the heading of the page. The default is the file name of the program.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Sets the clock of the board, from which the ages of the rows are computed: the one
    /// given to [`board_with_clock`](active_status::board_with_clock), or
    /// [that of a replay](active_status::record::Replay::clock).
    ///
    /// By default, the page estimates it from the times of events.
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = Some(clock.into());
        self
    }

    /// Requires a token, without which only a form for the token is shown.
    ///
    /// A browser presents it once, in the form or in the address `/?token=…`, and gets a
    /// cookie that neither scripts nor other sites can use. Other clients send it as
    /// `Authorization: Bearer …`. The token crosses the network unencrypted, unless a
    /// proxy or a tunnel adds TLS.
    pub fn token(mut self, token: Token) -> Self {
        self.access.token = Some(token);
        self
    }

    /// Accepts requests for a host name. By default, only `localhost` and addresses are
    /// accepted, because another site can point its name at this machine.
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.access.hosts.push(name.into().to_ascii_lowercase());
        self
    }

    /// Creates a page for the events of a board, and the future that applies the events.
    ///
    /// `sleep` creates a timer of the executor, such as `tokio::time::sleep` or
    /// `smol::Timer::after`.
    pub fn build<E, F, T>(self, events: E, sleep: F) -> (Page, Feed<E, F, T>)
    where
        E: Stream<Item = Event>,
        F: FnMut(Duration) -> T,
        T: Future,
    {
        let title = self.title.unwrap_or_else(|| {
            let program = env::args_os().next().unwrap_or_default();
            Path::new(&program).file_stem().unwrap_or_default().to_string_lossy().into_owned()
        });
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(&title)),
            exact: self.clock.is_some(),
            clock: self.clock.unwrap_or_else(|| Clock::new(monotonic())),
            aligned: Mutex::new(Duration::ZERO),
            access: self.access,
        });
        let feed = Feed::new(events, sleep, Arc::clone(&shared));
        (Page { shared }, feed)
    }
}

/// A page that shows a board in browsers, read-only. Clones show the same board.
///
/// The page folds the events once, whatever the number of viewers. Each viewer is sent
/// what is newer than what it has seen, at most four times per second. Updates merge
/// while a viewer is slow, so the memory does not depend on the viewers. At most 64
/// viewers are served at once.
#[derive(Clone)]
pub struct Page {
    pub(crate) shared: Arc<Shared>,
}

impl Page {
    /// Creates a page with default options: see [`PageOptions::build`].
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::board;
    /// use active_status_web::Page;
    /// use http::Request;
    ///
    /// # futures_lite::future::block_on(async {
    /// let (board, events) = board();
    /// let (page, feed) = Page::new(events, smol::Timer::after);
    /// board.add_job("copy: ").finish();
    /// board.close();
    /// feed.await;
    ///
    /// let request = Request::get("/").header("host", "localhost:8080").body(()).unwrap();
    /// assert_eq!(page.respond(&request).status(), 200);
    /// # });
    /// ```
    pub fn new<E, F, T>(events: E, sleep: F) -> (Self, Feed<E, F, T>)
    where
        E: Stream<Item = Event>,
        F: FnMut(Duration) -> T,
        T: Future,
    {
        PageOptions::new().build(events, sleep)
    }

    /// Answers a request: `/`, the files of the page, and `/events`.
    ///
    /// This is all that a server needs, such as axum or hyper. To serve the page below
    /// another path, strip that path from the request first, and end links to the page
    /// with a slash.
    pub fn respond<B>(&self, request: &Request<B>) -> Response<PageBody> {
        let access = &self.shared.access;
        if let Err(status) = access.check(request) {
            let mut response = error(status);
            if status == StatusCode::METHOD_NOT_ALLOWED {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
            }
            return response;
        }
        let path = request.uri().path();
        if let ("/", Some(token)) = (path, access.token_of_query(request.uri().query())) {
            return log_in(token);
        }
        let open = matches!(path, "/page.css" | "/icon.svg");
        if !open && !access.is_authorized(request.headers()) {
            let mut response = match path {
                "/" => file("text/html; charset=utf-8", include_str!("../static/token.html")),
                _ => error(StatusCode::UNAUTHORIZED),
            };
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return response;
        }
        match path {
            "/" => file("text/html; charset=utf-8", include_str!("../static/page.html")),
            "/page.js" => file("text/javascript; charset=utf-8", include_str!("../static/page.js")),
            "/page.css" => file("text/css; charset=utf-8", include_str!("../static/page.css")),
            "/icon.svg" => file("image/svg+xml", include_str!("../static/icon.svg")),
            "/events" => self.events(request),
            _ => error(StatusCode::NOT_FOUND),
        }
    }

    fn events<B>(&self, request: &Request<B>) -> Response<PageBody> {
        let id = request.headers().get("last-event-id").and_then(|id| id.to_str().ok());
        let cursor = id.and_then(Cursor::parse).unwrap_or_default();
        match Viewer::new(Arc::clone(&self.shared), cursor) {
            Some(viewer) => response("text/event-stream", PageBody::events(viewer)),
            None => {
                let mut response = error(StatusCode::SERVICE_UNAVAILABLE);
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
                response
            }
        }
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let viewers = self.shared.lock().viewers;
        f.debug_struct("Page").field("viewers", &viewers).finish_non_exhaustive()
    }
}

fn response(content_type: &'static str, body: PageBody) -> Response<PageBody> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn file(content_type: &'static str, content: &'static str) -> Response<PageBody> {
    response(content_type, PageBody::file(content))
}

fn error(status: StatusCode) -> Response<PageBody> {
    let reason = status.canonical_reason().unwrap_or_default();
    let mut response = file(TEXT_TYPE, reason);
    *response.status_mut() = status;
    response
}

/// Stores the token as a cookie, and removes it from the address.
fn log_in(token: &Token) -> Response<PageBody> {
    let mut response = error(StatusCode::SEE_OTHER);
    let cookie = format!("{COOKIE_NAME}={}; HttpOnly; SameSite=Strict", token.as_str());
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("./"));
    response
}

/// What a page, its feed and its viewers share.
pub(crate) struct Shared {
    state: Mutex<State>,
    clock: Clock,
    /// Whether `clock` is that of the board.
    exact: bool,
    /// If the clock is not exact, the time on the board when it was at zero.
    aligned: Mutex<Duration>,
    pub(crate) access: Access,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the time on the board, and the rate at which it passes.
    pub(crate) fn time(&self) -> (Duration, f64) {
        let aligned = *self.aligned.lock().unwrap_or_else(PoisonError::into_inner);
        (aligned.saturating_add(self.clock.now()), self.clock.rate())
    }

    pub(crate) fn apply(&self, event: Event) {
        if !self.exact {
            // The event with the least delay is the best estimate.
            let ahead = event.at().saturating_sub(self.clock.now());
            let mut aligned = self.aligned.lock().unwrap_or_else(PoisonError::into_inner);
            *aligned = ahead.max(*aligned);
        }
        self.lock().apply(event);
    }

    /// Shows the viewers what was applied.
    pub(crate) fn publish(&self) {
        self.wake(self.lock());
    }

    /// Shows the viewers that the run has ended.
    pub(crate) fn finish(&self) {
        let mut state = self.lock();
        state.finish();
        self.wake(state);
    }

    pub(crate) fn wake(&self, mut state: MutexGuard<'_, State>) {
        let waiting = state.publish();
        drop(state);
        waiting.into_values().for_each(std::task::Waker::wake);
    }
}

fn monotonic() -> impl Fn() -> Duration + Send + Sync + 'static {
    #[expect(clippy::disallowed_methods, reason = "this estimates the clock of a board")]
    let start = std::time::Instant::now();
    move || start.elapsed()
}
