//! What a console shows: events in, bytes out.

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_core::Stream;

use crate::board::event::{Event, Outcome};
use crate::board::model::Model;
use crate::console::access::{Access, Turn};
use crate::console::clock::BoardTime;
use crate::console::live::frame::Frame;
use crate::console::live::painter::Painter;
use crate::console::output::Size;
use crate::console::plain::Plain;
use crate::io::panics::{Panics, UNWINDING};
use crate::io::terminal::{self, Permit};
#[cfg(feature = "json")]
use crate::record::Recorder;

/// Returns the least time between two frames.
pub(crate) const FRAME: Duration = Duration::from_millis(100);

/// The most events that are read at the end, from a stream that always has more.
pub(crate) const REST: usize = 1 << 22;

/// The most bytes of printed lines that are read while the output accepts nothing. The
/// other lines stay on the board, which bounds them.
const AHEAD: usize = 1 << 20;

/// The bytes of printed lines in one frame of a log that is busy.
const BUSY: usize = 64 << 10;

/// Whether this process has printed [`HINT`].
static HINTED: AtomicBool = AtomicBool::new(false);

/// The line for the developer of a program that writes to the terminal while a console
/// draws on it.
const HINT: &str = if cfg!(feature = "capture") {
    "active-status: other output was written below the rows; a `Capture` prints it above them"
} else {
    "active-status: other output was written below the rows; the feature `capture` prints it above them"
};

/// The state of a console: the kind, what there is to draw, and the time on the board.
#[derive(Debug)]
pub(crate) struct View {
    kind: Kind,
    time: BoardTime,
    /// Whether there was an event since the last frame.
    changed: bool,
    /// When the frame next changes without an event.
    next_change: Option<Duration>,
    /// The bytes of the lines that the next frame prints.
    printed: usize,
    /// The least time between two frames.
    frame_interval: Duration,
    /// The time after the first event from which rows are shown, until that event.
    show_after: Option<Duration>,
    /// From when rows are shown, until then.
    hidden_until: Option<Duration>,
    /// Whether there is output below the board since the last frame: of a panic, or of the
    /// shell while the process was stopped.
    below: bool,
    /// When a job last panicked.
    panicked: Option<Duration>,
    /// Where the messages of panics went.
    panics: Panics,
    closed: bool,
}

#[derive(Debug)]
enum Kind {
    Live(Box<Live>),
    Plain(Plain, String),
    /// Lines of JSON.
    #[cfg(feature = "json")]
    Json(Recorder),
    /// The output has failed, or there is none.
    Disconnected,
}

/// The rows on a screen.
#[derive(Debug)]
struct Live {
    model: Model,
    painter: Painter,
    size: Size,
    /// The size that the terminal had when the frame was permitted.
    screen: Option<(u16, u16)>,
    /// The last frame.
    frame: Frame,
    /// Set on the terminal of the process, which has other users.
    access: Option<Access>,
}

/// How a read of the events ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// All pending events were read.
    All,
    /// The limit was reached; more events may be pending.
    More,
    /// The board closed, or the stream ended.
    End,
}

/// Returns a limit on the events of a read: true once the given number was read.
pub(crate) fn at_most(mut left: usize) -> impl FnMut(&View) -> bool {
    move |_| {
        let enough = left == 0;
        left = left.saturating_sub(1);
        enough
    }
}

impl View {
    pub(crate) fn live(
        painter: Painter,
        size: Size,
        time: BoardTime,
        access: Option<Access>,
    ) -> Self {
        let (model, frame, screen) = (Model::new(), Frame::default(), None);
        let live = Live { model, painter, size, screen, frame, access };
        Self::new(Kind::Live(Box::new(live)), time)
    }

    pub(crate) fn plain(time: BoardTime) -> Self {
        Self::new(Kind::Plain(Plain::default(), String::new()), time)
    }

    #[cfg(feature = "json")]
    pub(crate) fn json(time: BoardTime) -> Self {
        Self::new(Kind::Json(Recorder::default()), time)
    }

    /// Creates a view that shows nothing.
    pub(crate) fn off(time: BoardTime) -> Self {
        Self::new(Kind::Disconnected, time)
    }

    fn new(kind: Kind, time: BoardTime) -> Self {
        Self {
            kind,
            time,
            changed: false,
            next_change: None,
            printed: 0,
            frame_interval: FRAME,
            show_after: None,
            hidden_until: None,
            below: false,
            panicked: None,
            panics: Panics::new(),
            closed: false,
        }
    }

    /// Folds the pending events, until it is enough.
    pub(crate) fn read<S: Stream<Item = Event>>(
        &mut self,
        mut events: Pin<&mut S>,
        cx: &mut Context<'_>,
        mut enough: impl FnMut(&Self) -> bool,
    ) -> Read {
        self.take_lines();
        while !self.closed {
            if enough(self) {
                return Read::More;
            }
            match events.as_mut().poll_next(cx) {
                Poll::Ready(Some(event)) => self.fold(&event),
                Poll::Ready(None) => return Read::End,
                Poll::Pending => return Read::All,
            }
        }
        Read::End
    }

    /// As [`read`](Self::read), but returns `More` for a stream that has only yielded to
    /// the executor: it has woken its waker already.
    pub(crate) fn read_on<S: Stream<Item = Event>>(
        &mut self,
        events: Pin<&mut S>,
        waker: &Waker,
        enough: impl FnMut(&Self) -> bool,
    ) -> Read {
        let woken = Arc::new(Woken { waker: waker.clone(), woken: AtomicBool::new(false) });
        let waker = Waker::from(Arc::clone(&woken));
        let read = self.read(events, &mut Context::from_waker(&waker), enough);
        let more = read == Read::All && woken.woken.load(Ordering::Relaxed);
        if more { Read::More } else { read }
    }

    /// Folds all pending events, for the last time.
    pub(crate) fn read_rest<S: Stream<Item = Event>>(
        &mut self,
        mut events: Pin<&mut S>,
        waker: &Waker,
    ) -> Read {
        let mut left = REST;
        loop {
            let enough = |_: &Self| {
                left = left.saturating_sub(1);
                left == 0
            };
            let read = self.read_on(events.as_mut(), waker, enough);
            if read != Read::More || left == 0 {
                return read;
            }
        }
    }

    fn fold(&mut self, event: &Event) {
        self.time.observe(event.at());
        let now = self.time.now();
        match event {
            Event::Ended { outcome: Outcome::Panicked, .. } => {
                self.below |= !self.panics.was_redirected(now) && !self.sees_panics();
                self.panicked = Some(now);
            }
            Event::Line { text, .. } => self.printed += text.len(),
            Event::Closed { .. } => {
                // Printed above the rows that the close ends.
                self.take_lines();
                self.closed = true;
            }
            _ => {}
        }
        self.changed = true;
        if let Some(time) = self.show_after.take() {
            self.hidden_until = Some(event.at().saturating_add(time));
            self.hide(true);
        }
        self.show_if_due(now);
        match &mut self.kind {
            Kind::Live(live) => live.model.apply(event),
            Kind::Plain(plain, out) => plain.apply(event, out),
            #[cfg(feature = "json")]
            Kind::Json(recorder) => {
                recorder.add(event, now);
                self.printed = recorder.len();
            }
            Kind::Disconnected => {}
        }
    }

    /// Returns whether this writes lines, of which none should be omitted.
    pub(crate) fn is_log(&self) -> bool {
        !matches!(self.kind, Kind::Live(_) | Kind::Disconnected)
    }

    /// Returns whether this is a log that was read so fast that the board may fill up.
    pub(crate) fn is_busy_log(&self) -> bool {
        self.is_log() && self.printed >= BUSY
    }

    /// Returns whether enough lines were read ahead of the output.
    pub(crate) fn is_full(&self) -> bool {
        self.printed >= AHEAD
    }

    /// When the next frame is due if there is no event.
    pub(crate) fn next_change(&self) -> Option<Duration> {
        self.next_change
    }

    /// Returns how long a timer takes until this time on the board.
    pub(crate) fn time_until(&self, at: Duration) -> Duration {
        self.time.until(at)
    }

    /// A timer for this time on the board has ended.
    pub(crate) fn reached(&mut self, at: Duration) {
        self.time.reach(at);
    }

    pub(crate) fn with_frame_interval(self, frame_interval: Duration) -> Self {
        Self { frame_interval, ..self }
    }

    /// Shows no rows until this time has passed since the first event.
    pub(crate) fn with_show_after(self, time: Duration) -> Self {
        Self { show_after: Some(time), ..self }
    }

    fn show_if_due(&mut self, now: Duration) {
        if self.hidden_until.take_if(|until| *until <= now).is_some() {
            self.hide(false);
        }
    }

    fn hide(&mut self, hidden: bool) {
        match &mut self.kind {
            Kind::Live(live) => live.model.hide_rows(hidden),
            Kind::Plain(plain, _) => plain.hide_rows(hidden),
            _ => {}
        }
    }

    /// The least time between two frames.
    pub(crate) fn frame_interval(&self) -> Duration {
        self.frame_interval
    }

    /// Returns whether the panic hook has seen a panic, and knows where the next frame is.
    fn sees_panics(&self) -> bool {
        self.access().is_some_and(Access::sees_panics)
    }

    /// Returns whether the output is the terminal of the process, which has other users.
    pub(crate) fn is_shared(&self) -> bool {
        self.access().is_some()
    }

    fn access(&self) -> Option<&Access> {
        match &self.kind {
            Kind::Live(live) => live.access.as_ref(),
            _ => None,
        }
    }

    /// Asks to draw a frame. On the terminal of the process the frame may have to wait.
    pub(crate) fn ask(&mut self) -> Turn {
        self.ask_for(false)
    }

    /// Asks to draw the last frame. If it must be drawn `at_once`, it does not wait: a
    /// frame below everything else does the least harm.
    pub(crate) fn ask_last(&mut self, at_once: bool) -> Turn {
        match self.ask_for(true) {
            Turn::Wait(_) if at_once => {
                self.below = true;
                Turn::Draw(Some(Permit::forced()))
            }
            turn => turn,
        }
    }

    fn ask_for(&mut self, last: bool) -> Turn {
        let Kind::Live(live) = &mut self.kind else { return Turn::Draw(None) };
        let Some(access) = &mut live.access else { return Turn::Draw(None) };
        let screen = live.size.now();
        live.screen = Some(screen);
        let turn = access.ask(screen, live.painter.is_drawn(), last);
        if matches!(turn, Turn::Draw(_)) {
            let strays = access.take_strays();
            // After a stop, the shell has written.
            let hint = strays && !self.below && cfg!(debug_assertions);
            self.below |= strays | access.draws_below();
            if hint && !HINTED.swap(true, Ordering::Relaxed) {
                let (at, text) = (self.time.now(), HINT.to_owned());
                live.model.apply(&Event::Line { at, text });
            }
            self.take_lines();
        }
        turn
    }

    /// Prints the lines of other consoles.
    fn take_lines(&mut self) {
        let Kind::Live(live) = &mut self.kind else { return };
        let lines = live.access.as_ref().map(Access::take_lines);
        let at = self.time.now();
        for text in lines.into_iter().flatten() {
            self.changed = true;
            live.model.apply(&Event::Line { at, text });
        }
    }

    /// Passes the bytes that erase the last frame to whatever uses the terminal next.
    pub(crate) fn publish_erase(&self, permit: &mut Option<Permit>) {
        if let (Kind::Live(live), Some(permit)) = (&self.kind, permit) {
            permit.set_erase(live.painter.erase());
        }
    }

    /// Returns whether a frame is due, after an event or a change with time.
    pub(crate) fn is_due(&self) -> bool {
        self.access().is_some_and(Access::is_due)
            || self.changed
            || self.next_change.is_some_and(|at| at <= self.time.now())
    }

    /// The process was stopped for a while, as by `Ctrl-Z`. The shell, if there is one, has
    /// written below the board.
    pub(crate) fn was_stopped(&mut self) {
        self.below |= !self.is_shared() || terminal::has_shell();
        self.changed = true;
    }

    /// Draws a frame over the last one, or below the output that followed it.
    pub(crate) fn draw(&mut self, bytes: &mut Vec<u8>) {
        let now = self.time.now();
        let below = mem::take(&mut self.below);
        self.panics.is_redirected(now);
        self.changed = false;
        self.printed = 0;
        self.show_if_due(now);
        let next_change = match &mut self.kind {
            Kind::Live(live) => {
                live.draw(now, below, bytes);
                if live.model.hides_rows() {
                    None
                } else if live.painter.theme().table {
                    live.model.next_change(now)
                } else {
                    live.model.next_change_without_spinners(now)
                }
            }
            Kind::Plain(plain, out) => {
                plain.due(now, out);
                bytes.extend(out.drain(..).as_str().bytes());
                plain.next_change()
            }
            #[cfg(feature = "json")]
            Kind::Json(recorder) => {
                recorder.take(bytes);
                None
            }
            Kind::Disconnected => None,
        };
        self.next_change = next_change.into_iter().chain(self.hidden_until).min();
    }

    /// Closes the board and draws the last frame: if something `panics`, below the message
    /// of the panic.
    pub(crate) fn finish(&mut self, panics: bool, bytes: &mut Vec<u8>) {
        if !self.closed {
            self.fold(&Event::Closed { at: self.time.now() });
        }
        let now = self.time.now();
        let seen = self.panicked.is_some_and(|at| now.saturating_sub(at) < UNWINDING);
        let redirected = self.panics.is_redirected(now);
        let below = self.below || (panics && !seen && !redirected && !self.sees_panics());
        match &mut self.kind {
            Kind::Live(live) => live.draw_last(now, below, bytes),
            Kind::Plain(_, out) => bytes.extend(out.drain(..).as_str().bytes()),
            #[cfg(feature = "json")]
            Kind::Json(recorder) => recorder.take(bytes),
            Kind::Disconnected => {}
        }
    }

    /// The output has failed: from now on events are read and dropped.
    pub(crate) fn disconnect(&mut self) {
        self.kind = Kind::Disconnected;
    }
}

impl Live {
    fn draw(&mut self, now: Duration, below: bool, bytes: &mut Vec<u8>) {
        let (columns, rows) = self.next_frame(now, below);
        self.painter.paint(&self.frame, columns, rows, now, bytes);
        self.tell(now, bytes);
        self.model.retire(self.frame.above().len());
    }

    fn draw_last(&mut self, now: Duration, below: bool, bytes: &mut Vec<u8>) {
        let (columns, rows) = self.next_frame(now, below);
        self.painter.last(&self.frame, columns, rows, now, bytes);
        self.tell(now, bytes);
        self.model.retire(self.frame.above().len());
    }

    /// Reports the overall progress to the terminal. After the close nothing runs.
    fn tell(&mut self, now: Duration, bytes: &mut Vec<u8>) {
        if self.model.hides_rows() {
            return;
        }
        self.painter.report(self.model.overall_progress(), self.model.has_failed(), now, bytes);
    }

    /// Lays out the next frame. Returns the columns and rows of the screen.
    fn next_frame(&mut self, now: Duration, below: bool) -> (u16, u16) {
        if below {
            self.painter.leave();
        }
        let (columns, rows) = self.screen.take().unwrap_or_else(|| self.size.now());
        // On a screen of one row, lines and ended rows leave, and no row is shown.
        let room = if self.model.hides_rows() { 1 } else { rows };
        self.model.advance(now);
        self.frame.advance(&self.model, self.painter.theme(), columns, room, now);
        (columns, rows)
    }
}

/// A waker that passes wakes on and remembers them.
struct Woken {
    waker: Waker,
    woken: AtomicBool,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Relaxed);
        self.waker.wake_by_ref();
    }
}

#[cfg(test)]
mod drag;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::event::{JobId, Row};
    use crate::console::live::theme::Theme;

    #[test]
    fn after_a_stop_the_board_is_drawn_below_other_output() {
        let time = BoardTime::new(Some((|| Duration::ZERO).into()));
        let mut view =
            View::live(Painter::new(Theme::new(), false, true), Size::Fixed(40, 10), time, None);
        let row = Row::default().with_text("copying");
        let job = JobId::new(1).expect("ids count from 1");
        view.fold(&Event::Added { at: Duration::ZERO, job, row });
        view.draw(&mut Vec::new());
        assert!(!view.is_due());
        view.was_stopped();
        assert!(view.is_due());
        let mut bytes = Vec::new();
        view.draw(&mut bytes);
        let bytes = String::from_utf8(bytes).expect("text");
        assert!(bytes.contains("copying") && !bytes.contains("\x1b[1A"), "{bytes:?}");
    }
}
