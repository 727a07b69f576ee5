//! Consoles as futures, whose output a thread writes.

use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use futures_core::Stream;

use crate::board::event::Event;
use crate::board::flush;
use crate::console::access::Turn;
use crate::console::output::{GRACE, Output, WriterThread};
use crate::console::view::{REST, Read, View, at_most};
use crate::io::terminal::{self, Permit};

/// The maximum number of events per step, after which the future yields.
const TURN: usize = 1_024;

/// The maximum number of steps per poll, so that a timer that is always ready does not
/// block the executor.
const STEPS: usize = 16;

/// The future returned by [`Console::run`](crate::Console::run).
#[must_use = "futures do nothing unless polled"]
pub struct Run<S: Stream<Item = Event>, F, T> {
    events: Pin<Box<S>>,
    view: View,
    writer: WriterThread,
    sleep: F,
    timer: Option<Pin<Box<T>>>,
    awaits: Awaits,
    /// Whether the last step left events in the stream.
    behind: bool,
    /// Whether the stream is being polled, or its poll has unwound.
    reading: bool,
    /// After a stop: the number of ready events that may still be taken.
    rest: Option<usize>,
    /// Whether a panic has printed its message below the board.
    panics: bool,
}

/// The condition that the future waits for. All but the first two have a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    /// The first poll.
    Start,
    /// An event.
    Event,
    /// The time of the next frame. The stream is not polled before it.
    Frame,
    /// Room in the output for a frame, or the next poll of the stream.
    Turn,
    /// The next attempt to draw on a terminal that other code uses.
    Hold,
    /// An event, or the time on the board at which a drawn character changes.
    Change(Duration),
    /// Acceptance of the last frame by the output. The value is the output's progress so
    /// far.
    End(u64),
    /// Nothing.
    Nothing,
}

/// The action after a step.
enum Step {
    /// Take the next step.
    On,
    /// Yield to the executor, then take the next step.
    Yield,
    /// Wait until the future is woken.
    Wait,
    /// The future is ready.
    Done,
}

// Nothing is pinned in place: everything that needs pinning is boxed.
impl<S: Stream<Item = Event>, F, T> Unpin for Run<S, F, T> {}

impl<S: Stream<Item = Event>, F, T> Run<S, F, T> {
    pub(crate) fn new(events: S, sleep: F, view: View, output: Output) -> Self {
        Self {
            events: Box::pin(events),
            view,
            writer: WriterThread::new(output),
            sleep,
            timer: None,
            awaits: Awaits::Start,
            behind: false,
            reading: false,
            rest: None,
            panics: false,
        }
    }

    /// From now on, takes only events that are ready, then draws the last frame.
    fn stop(&mut self) {
        self.rest = Some(REST);
    }

    fn is_over(&self) -> bool {
        matches!(self.awaits, Awaits::End(_) | Awaits::Nothing)
    }

    fn read(&mut self, read: impl FnOnce(&mut View, Pin<&mut S>) -> Read) -> Read {
        self.reading = true;
        let read = read(&mut self.view, self.events.as_mut());
        self.reading = false;
        read
    }

    fn draw_last(&mut self, mut permit: Option<Permit>) {
        if self.writer.was_stopped() {
            self.view.was_stopped();
        }
        let mut bytes = self.writer.buffer();
        self.view.finish(self.panics, &mut bytes);
        self.view.publish_erase(&mut permit);
        self.writer.write(bytes, permit);
    }
}

impl<S: Stream<Item = Event>, F, T> fmt::Debug for Run<S, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("view", &self.view).finish_non_exhaustive()
    }
}

impl<S: Stream<Item = Event>, F, T> Drop for Run<S, F, T> {
    /// Takes the ready events and hands over the last frame, without waiting.
    fn drop(&mut self) {
        if self.awaits == Awaits::Start || self.is_over() {
            return;
        }
        if !self.reading {
            let read = |view: &mut View, events: Pin<&mut S>| view.read_rest(events, Waker::noop());
            // A stream that panics counts as ended.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| self.read(read)));
        }
        self.panics |= thread::panicking();
        // A drop cannot wait.
        if let Turn::Draw(permit) = self.view.ask_last(true) {
            self.draw_last(permit);
        }
    }
}

impl<S, F, T> Future for Run<S, F, T>
where
    S: Stream<Item = Event>,
    F: FnMut(Duration) -> T,
    T: Future,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.awaits == Awaits::Start {
            this.awaits = Awaits::Event;
        }
        for _ in 0..STEPS {
            match if this.is_over() { this.end(cx) } else { this.step(cx) } {
                Step::On => {}
                Step::Yield => break,
                Step::Wait => return Poll::Pending,
                Step::Done => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S, F, T> Run<S, F, T>
where
    S: Stream<Item = Event>,
    F: FnMut(Duration) -> T,
    T: Future,
{
    /// Takes events and draws, or starts to wait until it may do so.
    fn step(&mut self, cx: &mut Context<'_>) -> Step {
        if let Some(rest) = self.rest {
            if self.awaits == Awaits::Hold && self.timer_runs(cx) {
                return Step::Wait;
            }
            return self.take_rest(cx, rest);
        }
        let waits = self.timer_runs(cx);
        if waits && self.awaits == Awaits::Hold {
            return Step::Wait;
        }
        let early = waits && self.awaits == Awaits::Frame;
        if early && !self.behind {
            return Step::Wait;
        }
        let idle = self.writer.poll_idle(cx).is_ready();
        if waits && self.awaits == Awaits::Turn && !idle {
            return Step::Wait;
        }
        let mut turn = at_most(TURN);
        let held = self.awaits == Awaits::Hold;
        let enough = |view: &View| turn(view) || ((held || !idle) && view.is_full());
        let behind = held || !idle;
        let read = self.read(|view, events| flush::read(behind, || view.read(events, cx, enough)));
        self.behind = read == Read::More && (idle || !self.view.is_full());
        if read == Read::End {
            self.finish()
        } else if !early && self.view.is_due() {
            self.draw(cx, idle)
        } else if self.behind {
            Step::Yield
        } else if early {
            Step::Wait
        } else {
            self.wait_for_change()
        }
    }

    /// Takes the events that are ready, then finishes.
    fn take_rest(&mut self, cx: &mut Context<'_>, rest: usize) -> Step {
        let turn = TURN.min(rest);
        self.rest = Some(rest - turn);
        match self.read(|view, events| view.read_on(events, cx.waker(), at_most(turn))) {
            Read::More if turn > 0 => Step::Yield,
            _ => self.finish(),
        }
    }

    /// Hands over a frame, or waits until the output accepts one.
    fn draw(&mut self, cx: &Context<'_>, idle: bool) -> Step {
        if !idle {
            return self.wait(self.view.frame_interval(), Awaits::Turn);
        }
        if self.view.is_shared() {
            terminal::register(cx.waker());
        }
        if self.writer.has_failed() {
            self.view.disconnect();
        }
        if self.writer.was_stopped() {
            self.view.was_stopped();
        }
        match self.view.ask() {
            Turn::Draw(mut permit) => {
                let mut bytes = self.writer.buffer();
                self.view.draw(&mut bytes);
                self.view.publish_erase(&mut permit);
                self.writer.write(bytes, permit);
            }
            Turn::Wait(time) => return self.wait(time, Awaits::Hold),
            Turn::Never => self.view.disconnect(),
        }
        self.wait(self.view.frame_interval(), Awaits::Frame)
    }

    fn finish(&mut self) -> Step {
        match self.view.ask_last(terminal::is_inside_use()) {
            Turn::Draw(permit) => self.draw_last(permit),
            Turn::Wait(time) => {
                // No more events are read meanwhile.
                self.rest = Some(0);
                return self.wait(time, Awaits::Hold);
            }
            Turn::Never => {}
        }
        self.wait(GRACE, Awaits::End(self.writer.progress().now()))
    }

    /// Waits until the last frame is written, as long as the output makes progress.
    fn end(&mut self, cx: &mut Context<'_>) -> Step {
        let Awaits::End(before) = self.awaits else { return Step::Done };
        if self.writer.poll_idle(cx).is_pending() {
            if self.timer_runs(cx) {
                return Step::Wait;
            }
            if !self.writer.progress().has_stalled_since(before) {
                return self.wait(GRACE, Awaits::End(self.writer.progress().now()));
            }
        }
        self.awaits = Awaits::Nothing;
        Step::Done
    }

    fn wait_for_change(&mut self) -> Step {
        let Some(at) = self.view.next_change() else {
            self.timer = None;
            self.awaits = Awaits::Event;
            return Step::Wait;
        };
        if self.timer.is_some() && self.awaits == Awaits::Change(at) {
            return Step::Wait;
        }
        self.wait(self.view.time_until(at), Awaits::Change(at))
    }

    /// Starts a timer, which the next step polls.
    fn wait(&mut self, time: Duration, awaits: Awaits) -> Step {
        self.writer.watch(time);
        self.timer = Some(Box::pin((self.sleep)(time)));
        self.awaits = awaits;
        Step::On
    }

    /// Polls the timer. Returns `true` if it is running.
    fn timer_runs(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(timer) = &mut self.timer else { return false };
        if timer.as_mut().poll(cx).is_pending() {
            return true;
        }
        self.timer = None;
        if let Awaits::Change(at) = self.awaits {
            self.view.reached(at);
        }
        false
    }
}

/// The future returned by [`Console::run_while`](crate::Console::run_while).
// Fields are dropped in this order: the work first, so that the last frame shows
// its outcome.
#[must_use = "futures do nothing unless polled"]
pub struct RunWhile<S: Stream<Item = Event>, F, T, W: Future> {
    work: Option<Pin<Box<W>>>,
    run: Run<S, F, T>,
    output: Option<W::Output>,
}

impl<S: Stream<Item = Event>, F, T, W: Future> Unpin for RunWhile<S, F, T, W> {}

impl<S: Stream<Item = Event>, F, T, W: Future> RunWhile<S, F, T, W> {
    pub(crate) fn new(work: W, run: Run<S, F, T>) -> Self {
        Self { work: Some(Box::pin(work)), run, output: None }
    }

    fn poll_work(&mut self, cx: &mut Context<'_>) {
        let Some(work) = &mut self.work else { return };
        // If this unwinds, the panic message is below the board.
        self.run.panics = true;
        let polled = work.as_mut().poll(cx);
        if let Poll::Ready(output) = polled {
            self.output = Some(output);
            self.work = None;
            self.run.stop();
        }
        self.run.panics = false;
    }
}

impl<S: Stream<Item = Event>, F, T, W: Future> fmt::Debug for RunWhile<S, F, T, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunWhile").field("run", &self.run).finish_non_exhaustive()
    }
}

impl<S, F, T, W> Future for RunWhile<S, F, T, W>
where
    S: Stream<Item = Event>,
    F: FnMut(Duration) -> T,
    T: Future,
    W: Future,
{
    type Output = W::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<W::Output> {
        let this = self.get_mut();
        this.poll_work(cx);
        let shown = Pin::new(&mut this.run).poll(cx).is_ready();
        match this.output.take_if(|_| shown) {
            Some(output) => Poll::Ready(output),
            None => Poll::Pending,
        }
    }
}
