//! The rows of running jobs.

use anstyle::Style;
use std::borrow::Cow;

use crate::board::event::Status;
use crate::console::live::cells::Cell;
use crate::console::live::layout::{GAP, LEFT, MARK, PERCENT, with_gap};
use crate::console::live::line::Line;
use crate::console::live::row::{LONG, PLAIN, Pen, Shown};
use crate::console::numbers::time;

/// The columns that a text keeps beside the time since the last update.
const SHORT_TEXT: usize = 6;
/// The least width of the bar of a pinned row.
const SHORT_BAR: usize = 8;

/// Where the numbers of a row stand: the columns after them, if the row shows them.
#[derive(Clone, Copy, Debug, Default)]
struct Places {
    bar: usize,
    count: Option<usize>,
    rate: Option<usize>,
    left: Option<usize>,
}

/// For how long a row was not updated, in words.
struct Quiet {
    long: Cell,
    short: Cell,
    style: Style,
}

impl Pen<'_> {
    /// Draws a row with a total: text, bar, percentage and numbers in their columns.
    pub(crate) fn with_bar(self, shown: &Shown<'_>) -> Line {
        let layout = self.layout;
        let (text_end, room) = self.text_end(shown);
        let mut line = self.start(shown, room.saturating_sub(MARK + GAP));
        let room = text_end.saturating_sub(line.width());
        let quiet = self.quiet(shown);
        let places = match (&quiet, shown.row.data.pinned) {
            (_, true) => self.pinned_places(shown),
            (Some(quiet), _) => self.quiet_places(quiet),
            (None, false) => self.places(),
        };
        let left = quiet.as_ref().map_or(&shown.cells.left, |quiet| &quiet.long);
        let left_style = quiet.as_ref().map_or(PLAIN, |quiet| quiet.style);
        match &quiet {
            Some(quiet) if places.left.is_none() => {
                let least = shown.text.width.min(SHORT_TEXT);
                let fits = with_gap(least) + quiet.short.width <= room;
                let short = if fits { with_gap(quiet.short.width) } else { 0 };
                self.push_text(&mut line, shown, room - short.min(room));
                if fits {
                    self.push_right(&mut line, &quiet.short, quiet.style, text_end);
                }
            }
            None if shown.row.data.pinned && left.width > 0 && places.left.is_none() => {
                let text = room.saturating_sub(with_gap(left.width));
                if text >= shown.text.width.min(SHORT_TEXT) {
                    let shows_text = self.push_text(&mut line, shown, text);
                    line.pad_to(line.width() + if shows_text { GAP } else { 0 });
                }
                if line.width() + left.width <= text_end {
                    line.push_measured(PLAIN, &left.text, left.width);
                }
            }
            _ => {
                self.push_text(&mut line, shown, room);
            }
        }
        line.pad_to(layout.bar_at());
        self.push_bar(&mut line, shown, places.bar);
        self.push_right(
            &mut line,
            &shown.cells.percent,
            PLAIN,
            layout.bar_at() + places.bar + PERCENT,
        );
        let faint = self.look.styles.faint;
        for (place, cell, style) in [
            (places.count, &shown.cells.count, PLAIN),
            (places.rate, &shown.cells.rate, faint),
            (places.left, left, left_style),
        ] {
            if let Some(end) = place {
                self.push_right(&mut line, cell, style, end);
            }
        }
        line
    }

    /// Returns the column after the texts, and the column at which what follows a prefix that
    /// runs on may start at the latest: that of the bar, of the widest percentage, or of the
    /// end of a text.
    fn text_end(self, shown: &Shown<'_>) -> (usize, usize) {
        let bar = self.layout.bar_at();
        let (text_end, alone) = match self.layout.bar {
            0 => (bar, bar + 1),
            _ => (bar - GAP, bar),
        };
        (text_end, if shown.text.width > 0 { text_end } else { alone })
    }

    /// Draws a row without a total: its text runs on as far as there is room.
    pub(crate) fn without_bar(self, shown: &Shown<'_>) -> Line {
        let layout = self.layout;
        let mut line = self.start(shown, layout.columns.saturating_sub(MARK + gap(shown)));
        let cells = shown.cells;
        let faint = self.look.styles.faint;
        let quiet = self.quiet(shown);
        let counts_end = if layout.count > 0 { layout.count_end() } else { layout.percent_end() };
        let least = shown.text.width.min(SHORT_TEXT);
        let count_end = line.width() + with_gap(cells.count.width);
        // The count leaves its column if only then the time without updates has room.
        let quiet_end = quiet.as_ref().map(|quiet| count_end + least + with_gap(quiet.long.width));
        let leaves = quiet_end.is_some_and(|end| counts_end < end && end <= layout.columns);
        let in_column = layout.bars && count_end <= counts_end && !leaves;
        let mut behind: Vec<(&Cell, Style)> = Vec::new();
        let mut until = layout.columns;
        if in_column && cells.count.width > 0 {
            until = counts_end - with_gap(cells.count.width);
        } else if cells.count.width > 0 {
            behind.push((&cells.count, PLAIN));
        }
        let rate_in_column = in_column && cells.rate.width <= layout.rate;
        let rate = (&cells.rate, faint);
        let rate = Some(rate).filter(|rate| rate.0.width > 0 && quiet.is_none());
        behind.extend(rate.filter(|_| !rate_in_column));
        let room = until.saturating_sub(line.width());
        let needs = |parts: &[(&Cell, Style)]| -> usize {
            parts.iter().map(|(part, _)| with_gap(part.width)).sum()
        };
        if let Some(quiet) = &quiet {
            behind.push((&quiet.long, quiet.style));
            if least + needs(&behind) > room {
                behind.pop();
                behind.push((&quiet.short, quiet.style));
            }
        }
        while !behind.is_empty() && least + needs(&behind) > room {
            behind.pop();
        }
        let text = self.push_text(&mut line, shown, room.saturating_sub(needs(&behind)));
        for (at, (part, style)) in behind.into_iter().enumerate() {
            line.pad_to(line.width() + if text || at > 0 { GAP } else { 0 });
            line.push_measured(style, &part.text, part.width);
        }
        if in_column {
            self.push_right(&mut line, &cells.count, PLAIN, counts_end);
        }
        if let Some((rate, style)) = rate.filter(|_| rate_in_column) {
            self.push_right(&mut line, rate, style, layout.rate_end());
        }
        line
    }

    /// Appends as much of the text as fits, and returns whether that is anything.
    fn push_text(self, line: &mut Line, shown: &Shown<'_>, columns: usize) -> bool {
        let style = self.text_style(shown);
        let start = line.width();
        if shown.text.width <= columns {
            line.push_measured(style, &shown.text.text, shown.text.width);
        } else {
            line.push(style, &self.cut(shown, columns));
        }
        line.width() > start
    }

    /// Appends a part that ends before the given column.
    fn push_right(self, line: &mut Line, cell: &Cell, style: Style, end: usize) {
        if cell.width > 0 {
            line.pad_to(end.saturating_sub(cell.width));
            line.push_measured(style, &cell.text, cell.width);
        }
    }

    fn push_bar(self, line: &mut Line, shown: &Shown<'_>, columns: usize) {
        let Some(progress) = shown.progress() else { return };
        let bar = &self.look.bar;
        let style = self.bar_style(shown);
        let (whole, part) = bar.done(progress, columns);
        line.repeat(style, bar.full(), whole);
        line.repeat(style, part.unwrap_or(bar.left), usize::from(part.is_some()));
        let left = columns - whole - usize::from(part.is_some());
        line.repeat(self.look.styles.faint, bar.left, left);
    }

    fn text_style(self, shown: &Shown<'_>) -> Style {
        match &shown.text {
            Cow::Owned(_) if !shown.row.data.elapsed => self.look.styles.reason,
            _ if shown.row.is_emphasized(self.now) => self.look.styles.strong,
            _ => PLAIN,
        }
    }

    fn bar_style(self, shown: &Shown<'_>) -> Style {
        let styles = &self.look.styles;
        match shown.status() {
            Status::Normal if shown.row.data.pinned => styles.pinned,
            status => styles.of(status),
        }
    }

    fn quiet(self, shown: &Shown<'_>) -> Option<Quiet> {
        let seconds = shown.row.quiet(self.now)?;
        let time = match seconds {
            LONG..3_600 => format!("{}m", seconds / 60),
            _ => time(seconds),
        };
        let styles = &self.look.styles;
        Some(Quiet {
            long: Cell::new(format!("quiet {time}")),
            short: Cell::new(format!("{} {time}", self.theme.dot)),
            style: if seconds < LONG { styles.faint } else { styles.strong },
        })
    }

    /// Returns the places of the columns.
    fn places(self) -> Places {
        let layout = self.layout;
        let place = |width, end| (width > 0).then_some(end);
        Places {
            bar: layout.bar,
            count: place(layout.count, layout.count_end()),
            rate: place(layout.rate, layout.rate_end()),
            left: place(layout.left, layout.end()),
        }
    }

    /// Returns the places of a row that says for how long it was not updated, instead of its
    /// rate and the time left, or instead of its count.
    fn quiet_places(self, quiet: &Quiet) -> Places {
        let layout = self.layout;
        let all = Places { rate: None, ..self.places() };
        let end = layout.rate_end() + with_gap(LEFT);
        if quiet.long.width <= LEFT && end <= layout.columns {
            Places { left: Some(end), ..all }
        } else if quiet.long.width <= layout.count {
            Places { count: None, left: all.count, ..all }
        } else {
            Places { left: None, ..all }
        }
    }

    /// Returns the places of a pinned row, which chooses by itself: the rate goes first, then
    /// the count, then a part of the bar. The time left may go to the place of the text.
    fn pinned_places(self, shown: &Shown<'_>) -> Places {
        let layout = self.layout;
        let [count, rate, left] =
            [&shown.cells.count, &shown.cells.rate, &shown.cells.left].map(|cell| cell.width);
        let left = if left > 0 { LEFT } else { 0 };
        let place = |width, end| (width > 0).then_some(end);
        let with = |bar, count: usize, rate: usize, reserved: (usize, usize)| {
            let count_end = layout.bar_at() + bar + PERCENT + with_gap(count.max(reserved.0));
            let rate_end = count_end + with_gap(rate.max(reserved.1));
            let places = Places {
                bar,
                count: place(count, count_end),
                rate: place(rate, rate_end),
                left: place(left, rate_end + with_gap(left)),
            };
            let end = places.left.or(places.rate).or(places.count).unwrap_or(0);
            (end <= layout.columns).then_some(places)
        };
        let columns = (layout.count, layout.rate);
        with(layout.bar, count, rate, columns)
            .or_else(|| with(layout.bar, count, 0, columns))
            .or_else(|| with(layout.bar, 0, 0, columns))
            .or_else(|| with(layout.bar, 0, 0, (0, 0)))
            .or_else(|| (SHORT_BAR..layout.bar).rev().find_map(|bar| with(bar, 0, 0, (0, 0))))
            .or_else(|| {
                let count = with(layout.bar, count, 0, columns);
                count.map(|places| Places { left: None, ..places })
            })
            .unwrap_or(Places { bar: layout.bar, ..Places::default() })
    }
}

/// Returns the columns between a prefix and the text, if there is one.
fn gap(shown: &Shown<'_>) -> usize {
    if shown.text.width > 0 { GAP } else { 0 }
}
