//! A screen in memory.

use std::fmt;
use std::time::Duration;

use crate::board::event::Event;
use crate::board::events::Events;
use crate::board::model::Model;
use crate::console::live::frame::Frame;
use crate::console::live::theme::Theme;

/// What a terminal would show of a board: its rows, and the lines that have left
/// it upwards.
///
/// It shows the text of what a [`Console`](crate::Console) draws, at the times
/// when it is asked to. It is no terminal: bytes are not interpreted, there are
/// no colors and weights, and lines that a terminal would wrap stay whole.
/// [`Console::output`](crate::Console::output) has the bytes.
///
/// What was said about a job is news at the time when it is taken, so
/// [`show`](Self::show) what there is before time passes.
///
/// `Display` writes all of it as one would see it: what left the board, and its
/// rows.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use active_status::testing::{Screen, VirtualClock};
///
/// let clock = VirtualClock::new();
/// let (board, mut events) = clock.board();
/// let mut screen = Screen::new(40, 10);
///
/// let job = board.add_job("copy: ");
/// job.set_text("notes.txt");
/// assert_eq!(screen.show(&mut events).rows(), ["copy: notes.txt"]);
///
/// clock.advance(Duration::from_secs(10));
/// assert_eq!(screen.show(&mut events).rows(), ["copy: notes.txt · 10 s"]);
///
/// board.println("the disk is slow");
/// job.fail("no space");
/// screen.show(&mut events);
/// assert_eq!(screen.scrollback(), ["the disk is slow"]);
/// assert_eq!(screen.to_string(), "the disk is slow\ncopy: notes.txt ✘ no space\n");
/// ```
#[derive(Clone, Debug)]
pub struct Screen {
    columns: u16,
    height: u16,
    theme: Theme,
    model: Model,
    frame: Frame,
    scrollback: Vec<String>,
    rows: Vec<String>,
}

impl Screen {
    /// A screen on which nothing was shown. As on a terminal, 0 columns are 80
    /// and 0 rows are 24, and the board leaves one column and one row free.
    pub fn new(columns: u16, rows: u16) -> Self {
        Self {
            columns,
            height: rows,
            theme: Theme::new(),
            model: Model::new(),
            frame: Frame::default(),
            scrollback: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Sets the theme. The default is [`Theme::new`].
    pub fn with_theme(mut self, theme: Theme) -> Self {
        self.theme = theme;
        self
    }

    /// Another size, as of what is shown next.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.columns = columns;
        self.height = rows;
    }

    /// Takes the events that are there, and shows the board as it is now, by its
    /// own clock.
    pub fn show(&mut self, events: &mut Events) -> &Self {
        let now = events.now();
        for event in events.drain() {
            self.apply(&event);
        }
        self.draw(now)
    }

    /// Folds in one event that did not come from [`Events`]. The next
    /// [`draw`](Self::draw) shows it.
    pub fn apply(&mut self, event: &Event) {
        self.model.apply(event);
    }

    /// Shows the board as it is at `now`.
    pub fn draw(&mut self, now: Duration) -> &Self {
        let Self { columns, height, theme, .. } = self;
        self.frame = self.frame.next(&self.model, theme, *columns, *height, now);
        self.model.retire(self.frame.above().len());
        self.scrollback.extend(self.frame.above().iter().map(ToString::to_string));
        self.rows.clear();
        self.rows.extend(self.frame.live().iter().map(ToString::to_string));
        self
    }

    /// The rows of the board, from top to bottom.
    pub fn rows(&self) -> &[String] {
        &self.rows
    }

    /// All that has left the board, the first line first.
    pub fn scrollback(&self) -> &[String] {
        &self.scrollback
    }

    /// What the screen knows of the board: how many jobs ended how, whether it
    /// closed, when it looks different next.
    pub fn model(&self) -> &Model {
        &self.model
    }
}

impl fmt::Display for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.scrollback.iter().chain(&self.rows).try_for_each(|line| writeln!(f, "{line}"))
    }
}
