//! The rows of jobs that ended, on the board and when they leave it.

use std::borrow::Cow;

use anstyle::Style;

use crate::board::event::{Outcome, Progress};
use crate::console::live::layout::{GAP, MARK, with_gap};
use crate::console::live::line::Line;
use crate::console::live::row::{PLAIN, Pen, Shown};
use crate::console::numbers::{amount, amount_of, taken};
use crate::console::text::width;

/// The least width of a row that shows a text beside the reason of its end.
const NARROW: usize = 31;

impl Pen<'_> {
    /// Draws a row that is on the board.
    pub(crate) fn ended(self, shown: &Shown<'_>) -> Line {
        match reason(shown) {
            Some(reason) => self.with_reason(shown, reason),
            None => self.finished(shown),
        }
    }

    /// Draws a row that leaves the board. If the reason of its end does not fit beside prefix
    /// and text, it follows in lines below them, and nothing is cut.
    pub(crate) fn committed(self, shown: &Shown<'_>) -> Vec<Line> {
        let Some(reason) = reason(shown) else { return vec![self.live(shown)] };
        if let Some(line) = self.theme.draw(shown.row, self.layout.columns, self.now, true) {
            return vec![line];
        }
        let whole = |text: &str| self.theme.clean(text, u16::MAX.into()).trim_end().to_owned();
        let mut line = self.start_with_mark(shown);
        line.push(self.prefix_style(shown), &shown.cells.prefix.text);
        let text = whole(&shown.row.data.text);
        if !text.is_empty() {
            self.next_part(&mut line);
            line.push(PLAIN, &text);
        }
        let style = self.reason_style(shown);
        let reason: Vec<String> = reason.lines().map(whole).collect();
        if let [only] = &reason[..] {
            let mut one = line.clone();
            self.next_part(&mut one);
            one.push(style, only);
            if one.width() <= self.layout.columns {
                return vec![self.finish(one)];
            }
        }
        let below = reason.iter().map(|reason| {
            let mut line = Line::default();
            line.pad_to(2 * GAP);
            line.push(style, reason);
            line
        });
        let ellipsis = self.theme.ellipsis;
        let lines = core::iter::once(line).chain(below);
        lines.map(|line| line.finish(usize::MAX, ellipsis)).collect()
    }

    /// Ends a line where the next part starts: in the column of texts, or behind a gap.
    fn next_part(self, line: &mut Line) {
        let text_at = self.layout.text_at();
        let behind = line.width() + GAP;
        line.pad_to(if behind <= text_at || self.layout.prefix == 0 && line.width() <= text_at {
            text_at
        } else {
            behind
        });
    }

    /// Draws mark, prefix and text, the amount and the time taken. If they do not fit, the
    /// amount is left out, then the time, so that the text keeps half of the room.
    fn finished(self, shown: &Shown<'_>) -> Line {
        let columns = self.layout.columns;
        let facts = facts(shown);
        let has_text = shown.text.width > 0;
        let taken_by = |fact: &String| width(fact) + if has_text { GAP } else { 0 };
        let least = facts.last().map_or(0, |fact| width(fact) + GAP);
        let prefix = if has_text { columns / 2 } else { columns };
        let mut line = self.start(shown, prefix.saturating_sub(MARK + least));
        let room = columns.saturating_sub(line.width());
        let fits = |fact: &&String| {
            let left = room.checked_sub(taken_by(fact));
            left.is_some_and(|left| left >= shown.text.width || left >= room / 2)
        };
        let fact = facts.iter().find(fits);
        let taken = fact.map_or(0, taken_by);
        line.push(PLAIN, &self.cut(shown, room - taken));
        if let Some(fact) = fact {
            line.pad_to(line.width() + if has_text { GAP } else { 0 });
            line.push(self.look.styles.faint, fact);
        }
        line
    }

    /// Draws mark, prefix and text, which takes at most half of the room, and as much as
    /// fits of the reason.
    fn with_reason(self, shown: &Shown<'_>, reason: Cow<'_, str>) -> Line {
        let columns = self.layout.columns;
        let mut line = self.start(shown, columns / 2);
        let room = columns.saturating_sub(line.width());
        let reason = self.theme.clean(reason.trim(), columns);
        if shown.text.width > 0 && columns >= NARROW {
            let beside = room.saturating_sub(with_gap(width(&reason)));
            line.push(PLAIN, &self.cut(shown, beside.max(room / 2)));
            line.pad_to(line.width() + GAP);
        }
        line.push(self.reason_style(shown), &reason);
        line
    }

    fn reason_style(self, shown: &Shown<'_>) -> Style {
        match outcome(shown) {
            Some(Outcome::Failed(_) | Outcome::Panicked) => self.look.styles.reason,
            _ => PLAIN,
        }
    }
}

fn outcome<'a>(shown: &Shown<'a>) -> Option<&'a Outcome> {
    shown.row.end.as_ref()?.outcome.as_ref()
}

/// Returns why a job did not finish; `None` if it did.
fn reason<'a>(shown: &Shown<'a>) -> Option<Cow<'a, str>> {
    Some(match outcome(shown)? {
        Outcome::Finished => return None,
        Outcome::Failed(reason) if reason.trim().is_empty() => "failed".into(),
        Outcome::Failed(reason) => reason.trim_end().into(),
        Outcome::Cancelled => "cancelled".into(),
        Outcome::Panicked => "panicked".into(),
        Outcome::Abandoned => "abandoned".into(),
        Outcome::Lost => "lost".into(),
    })
}

/// Returns what a finished row says behind its text, from the most to the least.
fn facts(shown: &Shown<'_>) -> Vec<String> {
    let finished = shown.row.end.as_ref().filter(|end| end.outcome.is_some());
    let taken = finished.and_then(|end| taken(end.at.saturating_sub(shown.row.added)));
    let done = shown.progress().filter(|progress| progress.position > 0).map(|progress| {
        let &Progress { position, total, ref unit, .. } = progress;
        match (&progress.text, total) {
            (Some(_), _) => shown.cells.count.text.clone(),
            // A number alone does not say of what.
            (None, Some(total)) if total != position || unit.is_items() => {
                amount_of(position, total, unit).trim_start().to_owned()
            }
            _ => amount(position, unit),
        }
    });
    match (done, taken) {
        (Some(done), Some(taken)) => vec![format!("{done} {taken}"), taken],
        (done, taken) => done.or(taken).into_iter().collect(),
    }
}
