//! Consoles on a thread.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::Context;
use std::thread;
use std::time::Duration;

use futures_core::Stream;

use crate::board::alarm::Alarm;
use crate::board::clock::monotonic;
use crate::board::event::Event;
use crate::board::events::Events;
use crate::board::flush;
use crate::board::lock::ignore_poison;
use crate::console::access::Turn;
use crate::console::output::{GRACE, Output, Progress};
use crate::console::view::{Read, View};
use crate::console::wait::Wait;
use crate::io::terminal;

/// The shortest wait, for clocks that stand still or advance slowly.
const MOMENT: Duration = Duration::from_millis(1);

/// A console that shows a stream of events on a thread, returned by
/// [`Console::start`](crate::Console::start).
///
/// Dropping it draws the last frame, as [`shutdown`](Self::shutdown) does.
#[must_use = "the console stops when this is dropped"]
pub struct ConsoleHandle {
    shared: Arc<Shared>,
    /// `false` if the system provided no thread.
    runs: bool,
}

struct Shared {
    state: Mutex<State>,
    ended: Condvar,
    /// Wakes the thread.
    alarm: Arc<Alarm>,
    progress: Progress,
}

#[derive(Clone, Copy, Default)]
struct State {
    stop: Option<Stop>,
    ended: bool,
}

/// A request to stop.
#[derive(Clone, Copy)]
struct Stop {
    /// Whether the stopping thread is panicking, with its message below the board.
    panics: bool,
    /// Whether the last frame must not wait until other code has stopped using the
    /// terminal, because that code waits for the frame.
    at_once: bool,
}

impl ConsoleHandle {
    pub(crate) fn start<S>(events: Pin<Box<S>>, view: View, output: Output) -> Self
    where
        S: Stream<Item = Event> + Send + 'static,
    {
        if let Some(events) = (&*events as &dyn Any).downcast_ref::<Events>()
            && view.is_log()
        {
            let progress = output.progress();
            events.board().room().read_by_log(move || progress.now());
        }
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            ended: Condvar::new(),
            alarm: Arc::default(),
            progress: output.progress(),
        });
        let ended = Ended(Arc::clone(&shared));
        let drawing = Drawing { events, view, output, shared: Arc::clone(&shared), _ended: ended };
        let thread = thread::Builder::new().name("active-status".into());
        let runs = thread.spawn(move || drawing.run()).is_ok();
        Self { shared, runs }
    }

    /// Takes the events that are ready, draws the last frame, and waits until the
    /// terminal has accepted it, or has accepted none of it for 2 s.
    ///
    /// This blocks the thread. Async code should use [`Console::run`](crate::Console::run).
    pub fn shutdown(self) {}

    /// Makes the thread take the ready events and end.
    pub(crate) fn stop(&self) {
        let stop = Stop { panics: thread::panicking(), at_once: terminal::is_inside_use() };
        self.shared.lock().stop = Some(stop);
        self.shared.alarm.ring();
    }
}

impl Drop for ConsoleHandle {
    fn drop(&mut self) {
        self.stop();
        if self.runs {
            self.shared.wait(GRACE);
        }
    }
}

impl fmt::Debug for ConsoleHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsoleHandle")
            .field("ended", &self.shared.lock().ended)
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        ignore_poison(self.state.lock())
    }

    fn stop(&self) -> Option<Stop> {
        self.lock().stop
    }

    /// Waits until the thread has ended, or one write has lasted for `grace`.
    fn wait(&self, grace: Duration) {
        let mut state = self.lock();
        loop {
            let before = self.progress.now();
            let running = |state: &mut State| !state.ended;
            let waited = self.ended.wait_timeout_while(state, grace, running);
            state = ignore_poison(waited).0;
            if state.ended || self.progress.has_stalled_since(before) {
                return;
            }
        }
    }
}

/// The state of the thread.
struct Drawing<S> {
    events: Pin<Box<S>>,
    view: View,
    output: Output,
    shared: Arc<Shared>,
    /// Dropped last: when the handle stops waiting, the events have been dropped.
    _ended: Ended,
}

impl<S: Stream<Item = Event>> Drawing<S> {
    fn run(mut self) {
        let alarm = Arc::clone(&self.shared.alarm);
        let waker = alarm.waker();
        let mut cx = Context::from_waker(&waker);
        let now = monotonic();
        // Returns whether the sleep took far longer than requested.
        let sleep = |time: Option<Duration>| {
            let wait = time.map(|time| Wait::new(now(), time));
            alarm.sleep(time.map(|time| time.max(MOMENT)));
            wait.is_some_and(|wait| wait.is_overdue(now()))
        };
        let mut bytes = Vec::new();
        let mut due = Duration::ZERO;
        let mut held = false;
        let frame = self.view.frame_interval();
        if self.view.is_shared() {
            terminal::register(&waker);
        }
        loop {
            // Read before taking events: every event sent before the stop is drawn.
            let stop = self.shared.stop();
            let began = now();
            let read = match stop {
                Some(_) => self.view.read_rest(self.events.as_mut(), &waker),
                None => flush::read(held, || {
                    self.view.read(self.events.as_mut(), &mut cx, |view| {
                        now() >= began + frame || (held && view.is_full())
                    })
                }),
            };
            if read == Read::End || stop.is_some() {
                return self.finish(&mut bytes);
            }
            held = false;
            if self.view.is_due() {
                let hurry = self.view.is_busy_log();
                match self.view.ask() {
                    Turn::Draw(mut permit) => {
                        self.view.draw(&mut bytes);
                        self.view.publish_erase(&mut permit);
                        // A log that falls behind does not wait, so that no line is omitted.
                        due = if hurry { began } else { began + frame };
                        self.write(&mut bytes);
                    }
                    Turn::Wait(time) => {
                        held = true;
                        due = now() + time;
                    }
                    Turn::Never => self.view.disconnect(),
                }
            }
            let mut stopped = false;
            if read == Read::All && !held {
                stopped = sleep(self.view.next_change().map(|at| self.view.time_until(at)));
            }
            while self.shared.stop().is_none() && now() < due {
                stopped |= sleep(Some(due.saturating_sub(now())));
            }
            if stopped {
                self.view.was_stopped();
            }
        }
    }

    /// Draws the last frame as soon as the terminal is free.
    fn finish(&mut self, bytes: &mut Vec<u8>) {
        loop {
            // The stop may arrive while the terminal is in use.
            let stop = self.shared.stop();
            let mut permit = match self.view.ask_last(stop.is_some_and(|stop| stop.at_once)) {
                Turn::Draw(permit) => permit,
                Turn::Wait(time) => {
                    self.shared.alarm.sleep(Some(time));
                    continue;
                }
                Turn::Never => return,
            };
            self.view.finish(stop.is_some_and(|stop| stop.panics), bytes);
            self.view.publish_erase(&mut permit);
            return self.write(bytes);
        }
    }

    fn write(&mut self, bytes: &mut Vec<u8>) {
        if self.output.write(bytes).is_err() {
            self.view.disconnect();
        }
        bytes.clear();
    }
}

/// Marks the thread as ended, even if it panics.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::mpsc;
    use std::task::Poll;

    use super::*;
    use crate::console::clock::BoardTime;

    /// A writer that reports a write, waits until it may return, and uses up the token of the
    /// thread as a channel that it waits for may do.
    struct Parks(mpsc::Sender<()>, mpsc::Receiver<()>);

    impl Write for Parks {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(()).expect("a test that waits");
            let _ = self.1.recv();
            thread::park_timeout(Duration::ZERO);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    // Rule 21
    #[test]
    fn a_stop_during_a_write_that_parks_the_thread_is_seen() {
        let (writing, writes) = mpsc::channel();
        let (order, orders) = mpsc::channel();
        let mut line = Some(Event::Line { at: Duration::ZERO, text: "a line".into() });
        let events = futures::stream::poll_fn(move |_| match line.take() {
            Some(line) => Poll::Ready(Some(line)),
            None => Poll::Pending,
        });
        let view = View::plain(BoardTime::new(None));
        let output = Output::new(Box::new(Parks(writing, orders)));
        let console = ConsoleHandle::start(Box::pin(events), view, output);
        writes.recv().expect("a write");
        console.stop();
        order.send(()).expect("a writer that waits");
        let state = console.shared.lock();
        let running = |state: &mut State| !state.ended;
        let minute = Duration::from_secs(60);
        let waited = console.shared.ended.wait_timeout_while(state, minute, running);
        let ended = ignore_poison(waited).0.ended;
        if !ended {
            // A drop would wait for ever.
            std::mem::forget(console);
        }
        assert!(ended, "the stop was not seen");
    }

    // Rule 21
    #[test]
    fn a_busy_board_does_not_use_up_the_grace() {
        let (working, started) = mpsc::channel();
        let (order, orders) = mpsc::channel::<()>();
        let events = futures::stream::poll_fn(move |_| {
            working.send(()).expect("a test that waits");
            let _ = orders.recv();
            Poll::Ready(None::<Event>)
        });
        let view = View::plain(BoardTime::new(None));
        let console =
            ConsoleHandle::start(Box::pin(events), view, Output::new(Box::new(Vec::new())));
        started.recv().expect("a poll");
        console.stop();
        let shared = Arc::clone(&console.shared);
        let (about, waits) = mpsc::channel();
        let waiting = thread::spawn(move || {
            about.send(()).expect("a test that waits");
            shared.wait(Duration::from_millis(1));
            shared.lock().ended
        });
        waits.recv().expect("a thread that waits");
        (0..1_000).for_each(|_| thread::yield_now());
        drop(order);
        assert!(waiting.join().expect("no panic"), "the wait ended before the work");
    }
}
