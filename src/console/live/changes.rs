//! What has changed in a row on the screen.
//!
//! Terminals disagree about the width of some characters. A part of a line starts in a known
//! column, and what a terminal finds wider runs into the parts behind it, which are sent
//! after it.

use anstyle::Style;

use crate::console::live::line::{Line, Part};
use crate::console::text::{is_certain, most_columns};

/// The parts of a line to send, from left to right.
#[derive(Debug)]
pub(crate) struct Changes<'a> {
    pub(crate) parts: Vec<Part<'a>>,
    /// Whether the row must be erased behind the last part.
    pub(crate) erases: bool,
}

impl<'a> Changes<'a> {
    /// Returns what turns the row that shows the line `drawn` into the one that shows `line`.
    pub(crate) fn new(line: &'a Line, drawn: &Line) -> Self {
        let drawn_end = drawn.parts().last().map_or(0, most_end);
        let shorter = line.width() < drawn.width();
        let mut drawn = drawn.parts().peekable();
        let mut parts = Vec::new();
        // The column up to which a terminal may have overwritten the row.
        let mut reach = 0;
        for part in line.parts() {
            while drawn.next_if(|drawn| drawn.column() < part.column()).is_some() {}
            let before = drawn.next_if(|drawn| drawn.column() == part.column());
            let before = before.filter(|_| reach <= part.column());
            let is_last = part.end() == line.width();
            let sent = match before {
                Some(before) if before == part && !(is_last && shorter) => continue,
                Some(before) if is_certain(part.text()) && is_certain(before.text()) => {
                    part.without_same(&before)
                }
                _ => part,
            };
            reach = reach.max(most_end(sent));
            parts.push(sent);
        }
        let sent_end = parts.last().map_or(0, Part::end);
        let erases = sent_end == line.width() && reach.max(drawn_end) > line.width();
        Self { parts, erases }
    }

    /// Removes and returns the first part and its style, if it is a mark. One that the row is
    /// erased behind stays.
    pub(crate) fn take_mark(&mut self) -> Option<(Style, &'a str)> {
        if self.erases && self.parts.len() == 1 {
            return None;
        }
        let is_mark = |part: &Part<'_>| part.column() == 0 && part.end() == 1;
        let first = *self.parts.first().filter(|part| is_mark(part) && is_certain(part.text()))?;
        self.parts.remove(0);
        first.runs().next()
    }
}

/// Returns the column after a part on a terminal that finds it as wide as possible.
fn most_end(part: Part<'_>) -> usize {
    part.column() + part.text().chars().map(most_columns).sum::<usize>()
}
