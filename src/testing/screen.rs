//! An in-memory screen.

use std::fmt;
use std::time::Duration;

use crate::board::event::Event;
use crate::board::events::Events;
use crate::board::model::Model;
use crate::console::live::frame::Frame;
use crate::console::live::theme::Theme;

/// The text that a terminal would show: the rows of the board and, above them, the lines
/// that have left it.
///
/// A screen shows the text of the frames of a [`Console`](crate::Console) without colors
/// and styles. It does not interpret escape sequences and does not wrap lines. To test
/// the bytes, use [`Console::output`](crate::Console::output).
///
/// An update gets the time at which it is read, so call [`show`](Self::show) before the
/// clock is advanced.
///
/// The `Display` implementation writes the lines that have left the board, then the rows.
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
/// assert_eq!(screen.show(&mut events).rows(), ["⠋ copy  notes.txt"]);
///
/// clock.advance(Duration::from_secs(10));
/// assert_eq!(screen.show(&mut events).rows(), ["⠋ copy  notes.txt  quiet 10s"]);
///
/// board.println("the disk is slow");
/// job.fail("no space");
/// screen.show(&mut events);
/// assert_eq!(screen.scrollback(), ["the disk is slow"]);
/// assert_eq!(screen.to_string(), "the disk is slow\n✗ copy  notes.txt  no space\n");
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
    /// Creates an empty screen of the given size. As on a terminal, 0 columns mean 80, 0
    /// rows mean 24, and the board leaves one column and one row free.
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

    /// Sets the size for the next frames.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.columns = columns;
        self.height = rows;
    }

    /// Applies all pending events, and draws the board at the current time on its clock.
    pub fn show(&mut self, events: &mut Events) -> &Self {
        let now = events.now();
        for event in events.drain() {
            self.apply(&event);
        }
        self.draw(now)
    }

    /// Applies one event that did not come from [`Events`]. The next [`draw`](Self::draw)
    /// shows it.
    pub fn apply(&mut self, event: &Event) {
        self.model.apply(event);
    }

    /// Draws the board as it looks at the time `now`.
    pub fn draw(&mut self, now: Duration) -> &Self {
        let Self { columns, height, theme, .. } = self;
        self.model.advance(now);
        self.frame.advance(&self.model, theme, *columns, *height, now);
        self.model.retire(self.frame.above().len());
        for above in self.frame.above() {
            self.scrollback.extend(above.to_string().split('\n').map(String::from));
        }
        self.rows.clear();
        self.rows.extend(self.frame.live().iter().map(ToString::to_string));
        self
    }

    /// Returns the rows of the board, from top to bottom.
    pub fn rows(&self) -> &[String] {
        &self.rows
    }

    /// Returns the lines that have left the board, oldest first.
    pub fn scrollback(&self) -> &[String] {
        &self.scrollback
    }

    /// Returns the model of the board, for the counts of outcomes, whether the board has
    /// closed, and the time of the next change.
    pub fn model(&self) -> &Model {
        &self.model
    }
}

impl fmt::Display for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.scrollback.iter().chain(&self.rows).try_for_each(|line| writeln!(f, "{line}"))
    }
}
