//! Numbers and times as rows and logs write them. The width of a position depends on its
//! total alone.

use core::fmt::Write;
use core::time::Duration;

use crate::board::event::{Progress, Unit};
use crate::units::format_count;

/// From this number on, numbers of items have three digits and a letter.
const MANY: u64 = 10_000_000;

/// A unit of numbers: the power of 1,000 or 1,024, and the decimals of three digits.
#[derive(Clone, Copy)]
struct Scale<'a> {
    /// What one of the unit is, in thousandths.
    one: u128,
    decimals: usize,
    /// The letter of the power, with the name of the unit.
    name: &'a str,
    /// The text before the name.
    gap: &'a str,
}

impl<'a> Scale<'a> {
    /// Returns the scale in which the given number of thousandths has at most three digits
    /// before the point. Numbers of items below `plain` thousandths are written out.
    fn of(thousandths: u128, unit: &'a Unit, plain: u128) -> Self {
        let (base, names, gap): (u128, [&str; 7], _) = match unit {
            Unit::Bytes => (1_024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"], " "),
            Unit::DecimalBytes => (1_000, ["B", "kB", "MB", "GB", "TB", "PB", "EB"], " "),
            Unit::Items | Unit::Named(_) => (1_000, ["", "k", "M", "G", "T", "P", "E"], ""),
        };
        let mut one = 1_000;
        let mut names = names.into_iter();
        let mut name = names.next().unwrap_or_default();
        if thousandths >= plain {
            for larger in names {
                if thousandths < 1_000 * one {
                    break;
                }
                (one, name) = (one * base, larger);
            }
        }
        let decimals = match thousandths / one {
            0..10 => 2,
            10..100 => 1,
            _ => 0,
        };
        Self { one, decimals, name, gap }
    }

    /// Writes a number of thousandths, rounded down.
    fn number(self, thousandths: u128) -> String {
        let factor = 10_u128.pow(self.decimals as u32);
        let parts = thousandths * factor / self.one;
        let mut number = format_count(u64::try_from(parts / factor).unwrap_or(u64::MAX));
        if self.decimals > 0 {
            let _ = write!(number, ".{:0width$}", parts % factor, width = self.decimals);
        }
        number
    }

    /// Returns the scale of whole numbers, which have decimals only in larger units.
    fn of_whole(number: u64, unit: &'a Unit) -> Self {
        let thousandths = u128::from(number) * 1_000;
        let plain = if matches!(unit, Unit::Items | Unit::Named(_)) { MANY } else { 0 };
        let scale = Self::of(thousandths, unit, u128::from(plain) * 1_000);
        if scale.one == 1_000 { Self { decimals: 0, ..scale } } else { scale }
    }
}

/// Returns what follows the numbers: a space and the word of a named unit.
fn word(unit: &Unit) -> String {
    match unit {
        Unit::Named(word) => format!(" {word}"),
        _ => String::new(),
    }
}

/// Formats an amount: `1,546`, `12.3M`, `9.87 MiB`, `27 files`.
pub(crate) fn amount(number: u64, unit: &Unit) -> String {
    let scale = Scale::of_whole(number, unit);
    let number = scale.number(u128::from(number) * 1_000);
    format!("{number}{}{}{}", scale.gap, scale.name, word(unit))
}

/// Formats a position and its total: `   9/1,200`, ` 3.1/49.4 MiB`, `9/27 files`. The
/// position is as wide as the total.
pub(crate) fn amount_of(position: u64, total: u64, unit: &Unit) -> String {
    let scale = Scale::of_whole(total, unit);
    let of = scale.number(u128::from(total) * 1_000);
    let position = scale.number(u128::from(position) * 1_000);
    format!("{position:>width$}/{of}{}{}{}", scale.gap, scale.name, word(unit), width = of.len())
}

/// Formats a rate in thousandths per second in at most ten columns: `1.50/s`,
/// `86.6M/s`, `3.72 MiB/s`.
pub(crate) fn rate(thousandths: u64, unit: &Unit) -> String {
    let scale = Scale::of(thousandths.into(), unit, 0);
    format!("{}{}{}/s", scale.number(thousandths.into()), scale.gap, scale.name)
}

/// Formats a position in percent of its total, which is not 0.
pub(crate) fn percent(progress: &Progress) -> Option<u128> {
    (u128::from(progress.position) * 100).checked_div(progress.total?.into())
}

/// Formats seconds in their two largest units: `3s`, `4m 05s`, `2h 10m`, `3d 04h`.
pub(crate) fn time(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{minutes}m {:02}s", seconds % 60),
        3_600..86_400 => format!("{hours}h {:02}m", minutes % 60),
        86_400..8_640_000 => format!("{days}d {:02}h", hours % 24),
        _ => format!("{days}d"),
    }
}

/// Formats the time that ended work took: `in 3.2s`, `in 4m 05s`. Below a tenth of a second it is
/// not worth a word.
pub(crate) fn taken(time_taken: Duration) -> Option<String> {
    let tenths = time_taken.as_millis() / 100;
    match tenths {
        0 => None,
        1..100 => Some(format!("in {}.{}s", tenths / 10, tenths % 10)),
        _ => Some(format!("in {}", time(time_taken.as_secs()))),
    }
}

/// Formats progress as words that follow a text: `25% - 3/12, 1.50/s, 6s left`. Returns
/// `None` before there is anything to say.
pub(crate) fn words(progress: &Progress) -> Option<String> {
    let &Progress { position, total, ref unit, .. } = progress;
    if let Some(text) = &progress.text {
        return Some(text.clone());
    }
    let numbers = match total {
        None => Some(amount(position, unit)),
        Some(total) => percent(progress).filter(|_| position > 0).map(|percent| {
            format!("{percent:3}% - {}", amount_of(position, total, unit).trim_start())
        }),
    };
    let rate = progress.rate.map(|thousandths| rate(thousandths, unit));
    let left = progress.seconds_left.map(|seconds| format!("{} left", time(seconds)));
    let parts: Vec<String> = [numbers, rate, left].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    // Rule 10
    #[test]
    fn a_position_is_as_wide_as_its_total() {
        let files = Unit::Named("files".into());
        for (position, total, unit, text) in [
            (9, 1_200, Unit::Items, "    9/1,200"),
            (0, 0, Unit::Items, "0/0"),
            (9, 27, files, " 9/27 files"),
            (9_999_999, 9_999_999, Unit::Items, "9,999,999/9,999,999"),
            (230_000_000, 1_000_000_000, Unit::Items, "0.23/1.00G"),
            (MIB * 31 / 10, MIB * 494 / 10, Unit::Bytes, " 3.0/49.3 MiB"),
            (700, 900, Unit::Bytes, "700/900 B"),
            (1, 1_000, Unit::Bytes, "0.00/0.97 KiB"),
            (999 << 10, 1_000 << 10, Unit::Bytes, "0.97/0.97 MiB"),
            (3_100_000, 49_400_000, Unit::DecimalBytes, " 3.1/49.4 MB"),
            (1_300, 1_200, Unit::Items, "1,300/1,200"),
            (u64::MAX, u64::MAX, Unit::Bytes, "15.9/15.9 EiB"),
            (u64::MAX, 1, Unit::Items, "18,446,744,073,709,551,615/1"),
        ] {
            assert_eq!(amount_of(position, total, &unit), text);
        }
    }

    // Rule 10
    #[test]
    fn an_amount_alone_has_its_own_unit() {
        for (number, unit, text) in [
            (1_546, Unit::Items, "1,546"),
            (12_345_678, Unit::Items, "12.3M"),
            (0, Unit::Bytes, "0 B"),
            (10_349_445, Unit::Bytes, "9.86 MiB"),
            (27, Unit::Named("files".into()), "27 files"),
            (u64::MAX, Unit::Items, "18.4E"),
        ] {
            assert_eq!(amount(number, &unit), text);
        }
    }

    // Rule 10
    #[test]
    fn a_rate_has_three_digits_and_at_most_ten_columns() {
        for (thousandths, unit, text) in [
            (1_500, Unit::Items, "1.50/s"),
            (15, Unit::Items, "0.01/s"),
            (86_600_000_000, Unit::Items, "86.6M/s"),
            (1_500_000, Unit::Items, "1.50k/s"),
            (117 * 1_024_000, Unit::Bytes, "117 KiB/s"),
            (3_720 * MIB, Unit::Bytes, "3.72 MiB/s"),
            (999_999, Unit::Bytes, "999 B/s"),
            (u64::MAX, Unit::Bytes, "16.3 PiB/s"),
            (u64::MAX, Unit::Items, "18.4P/s"),
        ] {
            let rate = rate(thousandths, &unit);
            assert_eq!(rate, text);
            assert!(rate.len() <= 10);
        }
    }

    // Rule 10
    #[test]
    fn times_have_two_units() {
        for (seconds, text) in [
            (3, "3s"),
            (59, "59s"),
            (60, "1m 00s"),
            (245, "4m 05s"),
            (7_800, "2h 10m"),
            (273_600, "3d 04h"),
            (8_639_999, "99d 23h"),
            (8_640_000, "100d"),
        ] {
            assert_eq!(time(seconds), text);
        }
        for (millis, text) in [
            (99, None),
            (100, Some("in 0.1s")),
            (3_290, Some("in 3.2s")),
            (9_999, Some("in 9.9s")),
            (12_900, Some("in 12s")),
        ] {
            assert_eq!(taken(Duration::from_millis(millis)).as_deref(), text);
        }
    }

    // Rule 23
    #[test]
    fn words_join_numbers_with_commas() {
        let progress = |position, total: u64| Progress::new(position, total);
        for (progress, text) in [
            (progress(3, 12), Some(" 25% - 3/12")),
            (
                progress(3, 12).with_rate(1_500).with_seconds_left(6),
                Some(" 25% - 3/12, 1.50/s, 6s left"),
            ),
            (progress(12, 1_200), Some("  1% - 12/1,200")),
            (progress(0, 12), None),
            (progress(3, 0), None),
            (progress(3, 0).with_rate(1_500), Some("1.50/s")),
            (Progress::new(3, None).with_unit(Unit::Bytes), Some("3 B")),
            (progress(3, 12).with_text("page 3"), Some("page 3")),
        ] {
            assert_eq!(words(&progress).as_deref(), text);
        }
    }
}
