//! The columns of a frame. A frame is a table: each part of a row has a column, and if the
//! parts do not fit, whole columns give way for all rows alike.
//!
//! Pure arithmetic on widths, in time proportional to the number of shown rows.

use core::time::Duration;
use std::collections::VecDeque;

/// The columns of the mark and the space after it.
pub(crate) const MARK: usize = 2;
/// The columns between two parts.
pub(crate) const GAP: usize = 2;
/// The columns of a percentage and the space before it.
pub(crate) const PERCENT: usize = 5;
/// The columns of a time left.
pub(crate) const LEFT: usize = 12;
/// The time for which a column keeps a width that no row needs any more.
const KEEP: Duration = Duration::from_secs(5);

/// The least, the usual and the largest width of a bar.
const BARS: [usize; 3] = [10, 12, 24];
/// The width of a bar where no number beside the percentage has room.
const SHORT_BAR: usize = 8;
/// The widest prefix without a text that has a column. A wider one runs on.
const ALONE: usize = 20;
/// The columns that a text keeps as long as a count, or only a bar, has room beside it.
const TEXTS: [usize; 2] = [20, 10];

/// The widths that one shown row needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Need {
    /// Whether the row is pinned. Pinned rows choose their numbers by themselves.
    pub(crate) pinned: bool,
    /// Whether the row has a total, and so a bar. Otherwise its text runs on.
    pub(crate) bar: bool,
    pub(crate) prefix: usize,
    pub(crate) text: usize,
    pub(crate) count: usize,
    pub(crate) rate: usize,
    /// Whether the row has a time left.
    pub(crate) left: bool,
}

/// The widths of the columns before any of them gives way, each bounded by the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Widths {
    prefix: usize,
    text: usize,
    count: usize,
    rate: usize,
    left: usize,
    /// The widest count of pinned rows, and the time left if one of them has it.
    pinned: [usize; 2],
}

/// The columns of a frame. A width of 0 means that there is no such column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The number of columns of a row.
    pub(crate) columns: usize,
    pub(crate) prefix: usize,
    pub(crate) text: usize,
    pub(crate) bar: usize,
    pub(crate) count: usize,
    pub(crate) rate: usize,
    pub(crate) left: usize,
    /// Whether a row has a total. Otherwise only the prefix is a column.
    pub(crate) bars: bool,
}

/// The widths of the last seconds. They grow at once and shrink late, so that bars move
/// rarely.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    columns: usize,
    prefix: Recent,
    text: Recent,
    count: Recent,
    rate: Recent,
    left: Recent,
    pinned: [Recent; 2],
}

impl History {
    /// Returns the layout of the frame at `now` for rows of the given number of columns.
    pub(crate) fn next(
        &mut self,
        needs: impl Iterator<Item = Need> + Clone,
        columns: usize,
        now: Duration,
    ) -> Layout {
        if self.columns != columns {
            *self = Self { columns, ..Self::default() };
        }
        let all_pinned = needs.clone().all(|need| need.pinned);
        // Before bars without texts, a pinned prefix has no room to run on.
        let no_texts = needs.clone().all(|need| !need.bar || need.text == 0);
        let most = most_prefix(columns, 3);
        let has_column = |need: &Need| all_pinned || !need.pinned || no_texts && need.bar;
        let prefixes = needs.clone().filter(has_column);
        let prefixes = prefixes.filter(|need| need.text > 0 || need.prefix <= ALONE);
        let prefix = widest(prefixes.map(|need| need.prefix)).min(most);
        let prefix = self.prefix.keep(prefix, now);

        let usual = prefix.min(most_prefix(columns, 4));
        let rows = needs.clone().filter(|need| need.bar && !need.pinned);
        let bars = needs.clone().filter(|need| need.bar);
        let text = widest(bars.map(|need| need.beyond(usual)));
        let text = text.next_multiple_of(4).min(TEXTS[0].max(columns * 3 / 10));
        let pinned = needs.clone().filter(|need| need.bar && need.pinned);
        let [pinned_count, pinned_left] = &mut self.pinned;
        let widths = Widths {
            prefix,
            text: self.text.keep(text, now),
            count: self.count.keep(widest(rows.clone().map(|need| need.count)), now),
            rate: self.rate.keep(widest(rows.clone().map(|need| need.rate)), now),
            left: self.left.keep(widest(rows.map(Need::left)), now),
            pinned: [
                pinned_count.keep(widest(pinned.clone().map(|need| need.count)), now),
                pinned_left.keep(widest(pinned.map(Need::left)), now),
            ],
        };
        Layout::new(widths, { needs }.any(|need| need.bar), columns)
    }
}

impl Need {
    /// Returns the columns that prefix and text need right of a column of prefixes. Only a
    /// prefix that is pinned or has no text beside it may be wider than the column.
    fn beyond(self, prefix: usize) -> usize {
        if self.prefix <= prefix || !(self.pinned || self.text == 0) {
            return self.text;
        }
        (self.prefix + with_gap(self.text)).saturating_sub(with_gap(prefix))
    }

    /// Returns the columns of the time left.
    fn left(self) -> usize {
        if self.left { LEFT } else { 0 }
    }
}

impl Layout {
    fn new(widths: Widths, bars: bool, columns: usize) -> Self {
        let Widths { prefix, text, count, rate, left, pinned } = widths;
        if !bars {
            let text = columns.saturating_sub(MARK + with_gap(prefix));
            return Self { columns, prefix, text, ..Self::default() };
        }
        let bars_only = Self { columns, bars, ..Self::default() };
        let short = prefix.min(most_prefix(columns, 4));
        let least = TEXTS.map(|least| text.min(least));
        for (text_kept, bar, count, rate, left) in [
            (least[0], BARS[0], count, rate, left),
            (least[0], BARS[0], count, 0, left),
            (least[0], BARS[0], count, 0, 0),
            (least[1], SHORT_BAR, 0, 0, 0),
        ] {
            let layout =
                Self { prefix: short, text: text_kept, bar, count, rate, left, ..bars_only };
            if let Some(over) = columns.checked_sub(layout.end()) {
                return layout.widen(over, text, pinned);
            }
        }
        // No bar: prefix, text and percentage.
        let text = columns.saturating_sub(MARK + with_gap(prefix) + PERCENT);
        Self { prefix, text, ..bars_only }
    }

    /// Gives the columns that are left over to the bar and the text. The bar is not long at
    /// the cost of the count and the time left of pinned rows.
    fn widen(self, mut over: usize, text: usize, [count, left]: [usize; 2]) -> Self {
        let give = |width: usize, most: usize, over: &mut usize| {
            let given = most.saturating_sub(width).min(*over);
            *over -= given;
            width + given
        };
        let bar = give(self.bar, BARS[1], &mut over);
        let text = give(self.text, text, &mut over);
        let numbers = with_gap(count.max(self.count)) + with_gap(self.rate) + with_gap(left);
        let beyond = (self.percent_end() + numbers).saturating_sub(self.end());
        over = over.checked_sub(beyond).unwrap_or(over);
        Self { bar: give(bar, BARS[2], &mut over), text, ..self }
    }

    /// Returns the column at which texts start.
    pub(crate) fn text_at(&self) -> usize {
        MARK + with_gap(self.prefix)
    }

    /// Returns the column at which bars start, or percentages if there are no bars.
    pub(crate) fn bar_at(&self) -> usize {
        self.text_at() + if self.bar > 0 { with_gap(self.text) } else { self.text }
    }

    /// Returns the column after the percentages.
    pub(crate) fn percent_end(&self) -> usize {
        self.bar_at() + self.bar + PERCENT
    }

    /// Returns the column after the counts.
    pub(crate) fn count_end(&self) -> usize {
        self.percent_end() + with_gap(self.count)
    }

    /// Returns the column after the rates.
    pub(crate) fn rate_end(&self) -> usize {
        self.count_end() + with_gap(self.rate)
    }

    /// Returns the column after the times left.
    pub(crate) fn end(&self) -> usize {
        self.rate_end() + with_gap(self.left)
    }
}

/// Returns the columns of a part and of the gap beside it, if it is there.
pub(crate) fn with_gap(width: usize) -> usize {
    if width == 0 { 0 } else { width + GAP }
}

/// Returns the most columns of prefixes: a part of the row.
fn most_prefix(columns: usize, part: usize) -> usize {
    (columns / part).max(6)
}

fn widest(widths: impl Iterator<Item = usize>) -> usize {
    widths.max().unwrap_or(0)
}

/// The widths that were needed recently, each wider than those after it, with the time at
/// which it was last needed.
#[derive(Clone, Debug, Default)]
struct Recent(VecDeque<(Duration, usize)>);

impl Recent {
    /// Returns the widest width that is needed now or was needed within the last seconds.
    fn keep(&mut self, needed: usize, now: Duration) -> usize {
        // The last frame was on the screen until now.
        if let Some((last, _)) = self.0.back_mut() {
            *last = now;
        }
        while self.0.back().is_some_and(|(_, width)| *width <= needed) {
            self.0.pop_back();
        }
        self.0.push_back((now, needed));
        while self.0.front().is_some_and(|(last, _)| last.saturating_add(KEEP) <= now) {
            self.0.pop_front();
        }
        self.0.front().map_or(needed, |(_, width)| *width)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn need() -> impl Strategy<Value = Need> {
        let widths = (0..40_usize, 0..80_usize, 0..20_usize, 0..11_usize);
        (any::<[bool; 3]>(), widths).prop_map(|(flags, (prefix, text, count, rate))| {
            let [pinned, bar, left] = flags;
            Need { pinned, bar, prefix, text, count, rate, left }
        })
    }

    fn layout(needs: &[Need], columns: usize) -> Layout {
        History::default().next(needs.iter().copied(), columns, Duration::ZERO)
    }

    proptest! {
        // Rule 16
        #[test]
        fn the_columns_fit_every_width(
            needs in prop::collection::vec(need(), 0..12),
            columns in 19..200_usize,
        ) {
            let layout = layout(&needs, columns);
            prop_assert!(layout.end() <= columns || !layout.bars, "{layout:?}");
            prop_assert!(layout.text_at() + layout.text <= columns, "{layout:?}");
        }

        // Rule 16
        #[test]
        fn a_wider_screen_never_drops_a_part(needs in prop::collection::vec(need(), 0..12)) {
            let mut before = [false; 4];
            for columns in 19..200 {
                let Layout { bar, count, rate, left, .. } = layout(&needs, columns);
                let parts = [bar, count, rate, left].map(|width| width > 0);
                let kept = before.iter().zip(parts).all(|(before, now)| !before || now);
                prop_assert!(kept, "{columns}: {before:?} {parts:?}");
                before = parts;
            }
        }

        // Rule 16
        #[test]
        fn a_width_is_kept_for_five_seconds(
            frames in prop::collection::vec((0..3_000_u64, 0..9_usize), 1..40),
        ) {
            let mut recent = Recent::default();
            // A frame is on the screen until the next one.
            let mut shown: Vec<(Duration, usize)> = Vec::new();
            let mut now = Duration::ZERO;
            for (wait, needed) in frames {
                now += Duration::from_millis(wait);
                if let Some((until, _)) = shown.last_mut() {
                    *until = now;
                }
                shown.push((now, needed));
                let kept = shown.iter().filter(|(until, _)| *until + KEEP > now);
                let expected = kept.map(|(_, width)| *width).max();
                prop_assert_eq!(Some(recent.keep(needed, now)), expected);
            }
        }
    }

    /// Counts how often the bars of eight workers move in 600 frames of a minute, and how
    /// often a first frame would place them elsewhere than the one before. Each worker has a
    /// new text of a random width every 0.5 to 6 seconds.
    fn moves(columns: usize) -> (usize, usize) {
        let mut random = 1_u64;
        let mut between = |least: u64, most: u64| {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            least + (random >> 33) % (most - least + 1)
        };
        let mut history = History::default();
        let mut texts = [(0_u64, 0_usize); 8];
        let (mut places, mut fresh) = (Vec::new(), Vec::new());
        for frame in 0..600 {
            for (until, text) in &mut texts {
                if *until <= frame {
                    (*until, *text) = (frame + between(5, 60), between(8, 45) as usize);
                }
            }
            let needs = texts.map(|(_, text)| Need {
                bar: true,
                prefix: 8,
                text,
                count: 13,
                rate: 10,
                left: true,
                ..Need::default()
            });
            let now = Duration::from_millis(100 * frame);
            places.push(history.next(needs.into_iter(), columns, now).bar_at());
            fresh.push(layout(&needs, columns).bar_at());
        }
        let moves = |places: &[usize]| places.windows(2).filter(|two| two[0] != two[1]).count();
        (moves(&places), moves(&fresh))
    }

    // Rule 16
    #[test]
    fn bars_move_rarely_while_texts_change() {
        for columns in [119, 79, 49] {
            let (moves, fresh) = moves(columns);
            assert!(moves <= 2 && moves <= fresh, "{columns} columns: {moves}, {fresh}");
        }
    }
}
