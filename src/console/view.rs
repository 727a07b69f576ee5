//! What is to be shown: events in, bytes out, live or plain.

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_core::Stream;

use crate::board::event::{Event, Outcome};
use crate::board::model::Model;
use crate::console::clock::BoardTime;
use crate::console::live::frame::Frame;
use crate::console::live::painter::Painter;
use crate::console::output::Size;
use crate::console::plain::Plain;
use crate::io::panics::{Panics, UNWINDING};
#[cfg(feature = "json")]
use crate::record::Recorder;

/// The time from one frame to the next, at least.
pub(crate) const FRAME: Duration = Duration::from_millis(100);

/// How many events are taken at the end from a stream that has more and more.
pub(crate) const REST: usize = 1 << 22;

/// How many bytes of printed lines are taken ahead of an output that takes
/// nothing. The others stay on the board, which knows what to do with too many.
const AHEAD: usize = 1 << 20;

/// A board as it is shown, and the time on it.
#[derive(Debug)]
pub(crate) struct View {
    kind: Kind,
    time: BoardTime,
    /// Something happened since the last frame.
    news: bool,
    /// When a frame differs from the last one even if nothing happens.
    next_change: Option<Duration>,
    /// Bytes of the lines that the next frame prints.
    printed: usize,
    /// Others have written below the board since the last frame: a panic, or the
    /// shell while the process was stopped.
    below: bool,
    /// When the last one was seen.
    panicked: Option<Duration>,
    /// Where its message went.
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
    /// The output takes nothing any more.
    Blind,
}

/// Rows on a screen.
#[derive(Debug)]
struct Live {
    model: Model,
    painter: Painter,
    size: Size,
    /// The last frame.
    frame: Frame,
}

/// What there was to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// All that was there was taken.
    All,
    /// There may be more: it was enough for once.
    More,
    /// The board closed, or the stream ended.
    End,
}

/// A limit on the events of a look: true when this many were taken.
pub(crate) fn at_most(mut left: usize) -> impl FnMut(&View) -> bool {
    move |_| {
        let enough = left == 0;
        left = left.saturating_sub(1);
        enough
    }
}

impl View {
    pub(crate) fn live(painter: Painter, size: Size, time: BoardTime) -> Self {
        let (model, frame) = (Model::new(), Frame::default());
        Self::new(Kind::Live(Box::new(Live { model, painter, size, frame })), time)
    }

    pub(crate) fn plain(time: BoardTime) -> Self {
        Self::new(Kind::Plain(Plain::default(), String::new()), time)
    }

    #[cfg(feature = "json")]
    pub(crate) fn json(time: BoardTime) -> Self {
        Self::new(Kind::Json(Recorder::default()), time)
    }

    fn new(kind: Kind, time: BoardTime) -> Self {
        Self {
            kind,
            time,
            news: false,
            next_change: None,
            printed: 0,
            below: false,
            panicked: None,
            panics: Panics::new(),
            closed: false,
        }
    }

    /// Folds what is there until it is enough.
    pub(crate) fn look<S: Stream<Item = Event>>(
        &mut self,
        mut events: Pin<&mut S>,
        cx: &mut Context<'_>,
        mut enough: impl FnMut(&Self) -> bool,
    ) -> Look {
        while !self.closed {
            if enough(self) {
                return Look::More;
            }
            match events.as_mut().poll_next(cx) {
                Poll::Ready(Some(event)) => self.fold(&event),
                Poll::Ready(None) => return Look::End,
                Poll::Pending => return Look::All,
            }
        }
        Look::End
    }

    /// Folds what is there, and tells a stream that waits from one that has only
    /// left others their turn: it has woken already, and there is `More`.
    pub(crate) fn look_again<S: Stream<Item = Event>>(
        &mut self,
        events: Pin<&mut S>,
        waker: &Waker,
        enough: impl FnMut(&Self) -> bool,
    ) -> Look {
        let woken = Arc::new(Woken { waker: waker.clone(), woken: AtomicBool::new(false) });
        let waker = Waker::from(Arc::clone(&woken));
        let look = self.look(events, &mut Context::from_waker(&waker), enough);
        let more = look == Look::All && woken.woken.load(Ordering::Relaxed);
        if more { Look::More } else { look }
    }

    /// Folds all that is there, for the last time.
    pub(crate) fn look_at_rest<S: Stream<Item = Event>>(
        &mut self,
        mut events: Pin<&mut S>,
        waker: &Waker,
    ) -> Look {
        let mut left = REST;
        loop {
            let enough = |_: &Self| {
                left = left.saturating_sub(1);
                left == 0
            };
            let look = self.look_again(events.as_mut(), waker, enough);
            if look != Look::More || left == 0 {
                return look;
            }
        }
    }

    fn fold(&mut self, event: &Event) {
        self.time.observe(event.at());
        let now = self.time.now();
        match event {
            Event::Ended { outcome: Outcome::Panicked, .. } => {
                self.below |= !self.panics.was_redirected(now);
                self.panicked = Some(now);
            }
            Event::Line { text, .. } => self.printed += text.len(),
            Event::Closed { .. } => self.closed = true,
            _ => {}
        }
        self.news = true;
        match &mut self.kind {
            Kind::Live(live) => live.model.apply(event),
            Kind::Plain(plain, out) => plain.apply(event, out),
            #[cfg(feature = "json")]
            Kind::Json(recorder) => {
                recorder.add(event, now);
                self.printed = recorder.len();
            }
            Kind::Blind => {}
        }
    }

    /// Whether as much was taken as may be ahead of the output.
    pub(crate) fn is_full(&self) -> bool {
        self.printed >= AHEAD
    }

    /// When the next frame is due if nothing happens.
    pub(crate) fn next_change(&self) -> Option<Duration> {
        self.next_change
    }

    /// How long it takes until this time on the board.
    pub(crate) fn time_until(&self, at: Duration) -> Duration {
        self.time.until(at)
    }

    /// A wait for this time on the board is over.
    pub(crate) fn reached(&mut self, at: Duration) {
        self.time.reach(at);
    }

    /// Whether there is reason for a frame: something happened, or a change is
    /// due.
    pub(crate) fn is_due(&self) -> bool {
        self.news || self.next_change.is_some_and(|at| at <= self.time.now())
    }

    /// The process was stopped for a while, perhaps by `Ctrl-Z`. The shell has
    /// then written below the board.
    pub(crate) fn was_stopped(&mut self) {
        self.below = true;
        self.news = true;
    }

    /// Draws a frame: over the last one, or below what others wrote.
    pub(crate) fn draw(&mut self, bytes: &mut Vec<u8>) {
        let now = self.time.now();
        let below = mem::take(&mut self.below);
        self.panics.is_redirected(now);
        self.news = false;
        self.printed = 0;
        self.next_change = match &mut self.kind {
            Kind::Live(live) => {
                live.draw(now, below, bytes);
                live.model.next_change(now)
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
            Kind::Blind => None,
        };
    }

    /// Closes the board and draws the last frame; if something `panics`, below
    /// its message.
    pub(crate) fn finish(&mut self, panics: bool, bytes: &mut Vec<u8>) {
        if !self.closed {
            self.fold(&Event::Closed { at: self.time.now() });
        }
        let now = self.time.now();
        let seen = self.panicked.is_some_and(|at| now.saturating_sub(at) < UNWINDING);
        let redirected = self.panics.is_redirected(now);
        let below = self.below || (panics && !seen && !redirected);
        match &mut self.kind {
            Kind::Live(live) => live.draw_last(now, below, bytes),
            Kind::Plain(_, out) => bytes.extend(out.drain(..).as_str().bytes()),
            #[cfg(feature = "json")]
            Kind::Json(recorder) => recorder.take(bytes),
            Kind::Blind => {}
        }
    }

    /// The output takes nothing any more: from now on events are only taken.
    pub(crate) fn blind(&mut self) {
        self.kind = Kind::Blind;
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

    /// Tells the terminal how far the jobs are; after the close nothing runs.
    fn tell(&mut self, now: Duration, bytes: &mut Vec<u8>) {
        self.painter.tell(self.model.share(), self.model.has_failed(), now, bytes);
    }

    /// Makes the next frame; its columns and rows.
    fn next_frame(&mut self, now: Duration, below: bool) -> (u16, u16) {
        if below {
            self.painter.leave();
        }
        let (columns, rows) = self.size.now();
        self.frame = self.frame.next(&self.model, self.painter.theme(), columns, rows, now);
        (columns, rows)
    }
}

/// Passes wakes on, and remembers them.
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
mod tests {
    use super::*;
    use crate::board::event::{JobId, Row};
    use crate::console::live::theme::Theme;

    #[test]
    fn after_a_stop_the_board_is_drawn_below_what_others_wrote() {
        let time = BoardTime::new(Some((|| Duration::ZERO).into()));
        let mut view =
            View::live(Painter::new(Theme::new(), false, true), Size::Fixed(40, 10), time);
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
