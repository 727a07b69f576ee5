//! What a terminal makes of the bytes: they are played into one that wraps
//! lines anew when its width changes, and keeps what scrolled away.

use core::time::Duration;

use avt::Terminal;

use super::ansi::Painter;
use super::frame::Frame;
use crate::board::event::{Event, JobId, Row};
use crate::board::model::Model;

/// A board on a terminal.
struct Screen {
    terminal: Terminal,
    painter: Painter,
    model: Model,
    frame: Frame,
    now: Duration,
}

impl Screen {
    fn new(columns: usize, rows: usize) -> Self {
        let terminal = Terminal::with_scrollback(columns, rows, None).expect("a size");
        Self {
            terminal,
            painter: Painter::new(true),
            model: Model::new(),
            frame: Frame::default(),
            now: Duration::ZERO,
        }
    }

    fn apply(&mut self, event: &Event) {
        self.model.apply(event, self.now);
    }

    fn add(&mut self, job: u64, text: &str) {
        let job = JobId::new(job).expect("ids count from 1");
        let row = Row { text: text.into(), ..Row::default() };
        self.apply(&Event::Added { job, at: self.now, row });
    }

    /// Draws a frame, and returns its bytes.
    fn paint(&mut self) -> String {
        let (columns, rows) = self.terminal.size();
        let (columns, rows) = (columns as u16, rows as u16);
        let mut bytes = Vec::new();
        self.frame = self.model.frame_after(&self.frame, columns, rows, self.now);
        self.painter.paint(&self.frame, columns, rows, self.now, &mut bytes);
        self.model.retire(self.frame.above().len());
        let text = String::from_utf8(bytes).expect("text");
        self.terminal.feed(text.as_str());
        text
    }

    /// All that the terminal shows and keeps, a line a row; the rows below the
    /// cursor are empty.
    fn text(&self) -> String {
        self.terminal.screen().text().join("\n").trim_end().to_string()
    }
}

#[test]
fn rows_stand_above_the_cursor() {
    let mut screen = Screen::new(20, 5);
    screen.terminal.feed("before\r\n");
    screen.add(1, "one");
    screen.add(2, "two");
    screen.paint();
    assert_eq!(screen.text(), "before\none\ntwo");
    assert_eq!(screen.terminal.cursor().position(), Some((0, 3)));
}

#[test]
fn the_last_frame_stays_and_what_follows_is_below() {
    let mut screen = Screen::new(20, 5);
    screen.add(1, "one");
    screen.paint();
    let mut bytes = Vec::new();
    screen.apply(&Event::Closed { at: screen.now });
    screen.frame = screen.model.frame(20, 5, screen.now);
    screen.painter.last(&screen.frame, 20, 5, screen.now, &mut bytes);
    screen.terminal.feed(String::from_utf8(bytes).expect("text").as_str());
    screen.terminal.feed("after");
    assert_eq!(screen.text(), "one … abandoned\nafter");
}
