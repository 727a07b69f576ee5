//! A harness for consoles: futures that are polled by hand, outputs that report what is
//! written to them, and the resulting screen. Nothing here waits for a fixed time: a test
//! fails if a signal does not arrive within a minute.

use std::future::Future;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use active_status::console::Live;
use active_status::{Console, Theme};

/// The time that a test waits for another thread before it fails, so that it does not
/// hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// Creates a live console whose rows change only with their jobs.
pub(crate) fn classic() -> Console<Live> {
    Console::live().theme(Theme::classic())
}

/// Creates a console like [`classic`], which is live if its output is a terminal.
#[cfg(unix)]
pub(crate) fn classic_auto() -> Console {
    Console::auto().theme(Theme::classic())
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A signal to the test.
#[derive(Debug)]
pub(crate) enum Signal {
    Woken,
    Wrote(String),
}

/// A writer that reports everything written to it, in whole characters.
pub(crate) struct Reporter(pub(crate) Sender<Signal>);

impl Write for Reporter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The end of a large write may be within a character, which then begins the next.
        let text = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        let _ = self.0.send(Signal::Wrote(text.to_owned()));
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that reports everything written to it, and then blocks until the test permits
/// it to return. It fails once the sender of permits is dropped.
pub(crate) struct Blocked {
    reporter: Reporter,
    permits: Receiver<()>,
}

impl Write for Blocked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.reporter.write(bytes)?;
        match self.permits.recv() {
            Ok(()) => Ok(taken),
            Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Creates a blocked writer and the sender of permits, each of which ends one write.
pub(crate) fn blocked(reporter: Reporter) -> (Blocked, Sender<()>) {
    let (permit, permits) = mpsc::channel();
    (Blocked { reporter, permits }, permit)
}

struct Wakes(Sender<Signal>);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(Signal::Woken);
    }
}

/// The future of a console, which is polled by hand when it is woken.
pub(crate) struct Show<F: Future> {
    pub(crate) future: Option<Pin<Box<F>>>,
    pub(crate) result: Option<F::Output>,
    waker: Waker,
    signals: Receiver<Signal>,
    pub(crate) frames: Vec<String>,
    pub(crate) polls: usize,
}

impl<F: Future> Show<F> {
    pub(crate) fn new(show: impl FnOnce(Reporter) -> F) -> Self {
        let (sender, signals) = mpsc::channel();
        let future = Some(Box::pin(show(Reporter(sender.clone()))));
        let waker = Waker::from(Arc::new(Wakes(sender)));
        let mut show = Self { future, result: None, waker, signals, frames: Vec::new(), polls: 0 };
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

    fn handle(&mut self, signal: Signal) {
        match signal {
            Signal::Woken => self.poll(),
            Signal::Wrote(frame) => self.frames.push(frame),
        }
    }

    /// Polls until no signal is left.
    pub(crate) fn settle(&mut self) -> &mut Self {
        while let Ok(signal) = self.signals.try_recv() {
            self.handle(signal);
        }
        self
    }

    /// Waits for a wake or a write.
    #[track_caller]
    pub(crate) fn wait(&mut self) {
        let signal = self.signals.recv_timeout(PATIENCE).expect("a signal within a minute");
        self.handle(signal);
    }

    /// Returns the next frame.
    #[track_caller]
    pub(crate) fn frame(&mut self) -> String {
        while self.frames.is_empty() {
            self.wait();
        }
        self.frames.remove(0)
    }

    /// Returns the result of the future, and everything written before it.
    #[track_caller]
    pub(crate) fn end(mut self) -> (F::Output, String) {
        while self.result.is_none() {
            self.wait();
        }
        let wrote = self.written();
        (self.result.take().expect("a result"), wrote)
    }

    /// Drops the future, and returns everything written until its thread ends.
    pub(crate) fn written(&mut self) -> String {
        self.future = None;
        self.waker = Waker::noop().clone();
        loop {
            match self.signals.recv_timeout(PATIENCE) {
                Ok(Signal::Wrote(frame)) => self.frames.push(frame),
                Ok(Signal::Woken) => {}
                Err(RecvTimeoutError::Disconnected) => return self.frames.concat(),
                Err(RecvTimeoutError::Timeout) => panic!("the thread did not end"),
            }
        }
    }
}

/// Returns the text of a screen after these bytes, without the empty rows at the end.
pub(crate) fn screen(bytes: &str) -> String {
    let mut terminal = avt::Terminal::with_scrollback(40, 10, None).expect("a size");
    terminal.feed(bytes);
    terminal.screen().text().join("\n").trim_end().to_string()
}

/// Returns everything that a console on a thread writes until it ends.
pub(crate) fn wrote(signals: &Receiver<Signal>) -> String {
    let mut text = String::new();
    loop {
        match signals.recv_timeout(PATIENCE) {
            Ok(Signal::Wrote(frame)) => text += &frame,
            Ok(Signal::Woken) => {}
            Err(RecvTimeoutError::Disconnected) => return text,
            Err(RecvTimeoutError::Timeout) => panic!("the thread did not end"),
        }
    }
}

/// Returns the next frame of a console on a thread.
#[track_caller]
pub(crate) fn next_frame(signals: &Receiver<Signal>) -> String {
    match signals.recv_timeout(PATIENCE) {
        Ok(Signal::Wrote(frame)) => frame,
        other => panic!("no frame within a minute: {other:?}"),
    }
}
