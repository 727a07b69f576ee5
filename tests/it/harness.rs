//! A stage for consoles: time that passes when a test says so, outputs that tell
//! what they are given, and the screen that comes of it. Nothing here waits for
//! time: what does not come within a minute fails a test.

use std::future::Future;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// How long a test waits for another thread before it fails rather than hang.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What a test hears of.
#[derive(Debug)]
pub(crate) enum News {
    Woken,
    Wrote(String),
}

/// A writer that tells of all it takes.
pub(crate) struct Tells(pub(crate) Sender<News>);

impl Write for Tells {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8(bytes.to_vec()).expect("whole characters");
        let _ = self.0.send(News::Wrote(text));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that tells of all it is given, and then waits for its orders. When
/// nobody gives orders any more, it fails.
pub(crate) struct Held {
    tells: Tells,
    orders: Receiver<()>,
}

impl Write for Held {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.tells.write(bytes)?;
        match self.orders.recv() {
            Ok(()) => Ok(taken),
            Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that waits for orders; each lets it take what it was given.
pub(crate) fn held(tells: Tells) -> (Held, Sender<()>) {
    let (order, orders) = mpsc::channel();
    (Held { tells, orders }, order)
}

struct Wakes(Sender<News>);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(News::Woken);
    }
}

/// A future that shows a board, polled by hand when it is woken.
pub(crate) struct Show<F: Future> {
    pub(crate) future: Option<Pin<Box<F>>>,
    pub(crate) result: Option<F::Output>,
    waker: Waker,
    news: Receiver<News>,
    pub(crate) frames: Vec<String>,
    pub(crate) polls: usize,
}

impl<F: Future> Show<F> {
    pub(crate) fn new(show: impl FnOnce(Tells) -> F) -> Self {
        let (sender, news) = mpsc::channel();
        let future = Some(Box::pin(show(Tells(sender.clone()))));
        let waker = Waker::from(Arc::new(Wakes(sender)));
        let mut show = Self { future, result: None, waker, news, frames: Vec::new(), polls: 0 };
        show.poll();
        show
    }

    pub(crate) fn poll(&mut self) {
        let Some(future) = &mut self.future else { return };
        self.polls += 1;
        let polled = future.as_mut().poll(&mut Context::from_waker(&self.waker));
        if let Poll::Ready(result) = polled {
            self.result = Some(result);
            self.future = None;
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Woken => self.poll(),
            News::Wrote(frame) => self.frames.push(frame),
        }
    }

    /// Polls as long as there are wakes.
    pub(crate) fn settle(&mut self) -> &mut Self {
        while let Ok(news) = self.news.try_recv() {
            self.hear(news);
        }
        self
    }

    /// Waits for a wake or a write.
    #[track_caller]
    pub(crate) fn wait(&mut self) {
        let news = self.news.recv_timeout(PATIENCE).expect("news within a minute");
        self.hear(news);
    }

    /// The next frame that is written.
    #[track_caller]
    pub(crate) fn frame(&mut self) -> String {
        while self.frames.is_empty() {
            self.wait();
        }
        self.frames.remove(0)
    }

    /// The result of the future, and what was written until then.
    #[track_caller]
    pub(crate) fn end(mut self) -> (F::Output, String) {
        while self.result.is_none() {
            self.wait();
        }
        let wrote = self.written();
        (self.result.take().expect("a result"), wrote)
    }

    /// What is written until the future and its thread have gone.
    pub(crate) fn written(&mut self) -> String {
        self.future = None;
        self.waker = Waker::noop().clone();
        loop {
            match self.news.recv_timeout(PATIENCE) {
                Ok(News::Wrote(frame)) => self.frames.push(frame),
                Ok(News::Woken) => {}
                Err(RecvTimeoutError::Disconnected) => return self.frames.concat(),
                Err(RecvTimeoutError::Timeout) => panic!("the thread did not end"),
            }
        }
    }
}

/// What is on a screen after these bytes, without the empty rows at the end.
pub(crate) fn screen(bytes: &str) -> String {
    let mut terminal = avt::Terminal::with_scrollback(40, 10, None).expect("a size");
    terminal.feed(bytes);
    terminal.screen().text().join("\n").trim_end().to_string()
}

/// What a console on a thread wrote until it had gone.
pub(crate) fn wrote(news: &Receiver<News>) -> String {
    let mut text = String::new();
    loop {
        match news.recv_timeout(PATIENCE) {
            Ok(News::Wrote(frame)) => text += &frame,
            Ok(News::Woken) => {}
            Err(RecvTimeoutError::Disconnected) => return text,
            Err(RecvTimeoutError::Timeout) => panic!("the thread did not end"),
        }
    }
}

/// The next frame of a console on a thread.
#[track_caller]
pub(crate) fn next_frame(news: &Receiver<News>) -> String {
    match news.recv_timeout(PATIENCE) {
        Ok(News::Wrote(frame)) => frame,
        other => panic!("no frame within a minute: {other:?}"),
    }
}
