//! Formatting counts, sizes in bytes and times.

use std::time::Duration;

/// Formats a number of bytes in the largest unit that gives at least one, rounded down to
/// a tenth.
///
/// # Examples
///
/// ```
/// use active_status::progress::format_bytes;
///
/// assert_eq!(format_bytes(900), "900 B");
/// assert_eq!(format_bytes(1_258_291), "1.1 MiB");
/// assert_eq!(format_bytes(1_258_292), "1.2 MiB");
/// ```
pub fn format_bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1 << 10 {
        return format!("{bytes} B");
    }
    let power = bytes.ilog2() / 10;
    let tenths = (u128::from(bytes) * 10) >> (10 * power);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[power as usize - 1])
}

/// Formats a number of bytes in powers of 1,000, as [`format_bytes`] does in powers of
/// 1,024.
///
/// # Examples
///
/// ```
/// use active_status::progress::format_decimal_bytes;
///
/// assert_eq!(format_decimal_bytes(900), "900 B");
/// assert_eq!(format_decimal_bytes(1_258_291), "1.2 MB");
/// ```
pub fn format_decimal_bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    let power = bytes.checked_ilog10().unwrap_or(0) / 3;
    let Some(unit) = (power as usize).checked_sub(1).and_then(|power| UNITS.get(power)) else {
        return format!("{bytes} B");
    };
    let tenths = u128::from(bytes) * 10 / 1_000_u128.pow(power);
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// Formats a number with a comma before each group of three digits.
///
/// # Examples
///
/// ```
/// use active_status::progress::format_count;
///
/// assert_eq!(format_count(1_234_567), "1,234,567");
/// assert_eq!(format_count(999), "999");
/// ```
pub fn format_count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a time as days, hours, minutes and seconds, without those that are zero. A
/// time of less than a second is `less than a second`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use active_status::progress::format_elapsed;
///
/// assert_eq!(format_elapsed(Duration::from_secs(65)), "1 minute, 5 seconds");
/// assert_eq!(format_elapsed(Duration::from_secs(7_200)), "2 hours");
/// assert_eq!(format_elapsed(Duration::from_millis(999)), "less than a second");
/// ```
pub fn format_elapsed(time: Duration) -> String {
    let counted = |(count, unit): (u64, &str)| match count {
        0 => None,
        1 => Some(format!("1 {unit}")),
        _ => Some(format!("{count} {unit}s")),
    };
    let [days, hours, minutes, seconds] = split(time);
    let terms = [(days, "day"), (hours, "hour"), (minutes, "minute"), (seconds, "second")];
    let terms: Vec<String> = terms.into_iter().filter_map(counted).collect();
    if terms.is_empty() { "less than a second".to_owned() } else { terms.join(", ") }
}

/// Formats a time in its two largest units, from days down to seconds.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use active_status::progress::format_elapsed_short;
///
/// assert_eq!(format_elapsed_short(Duration::from_secs(184)), "3m 4s");
/// assert_eq!(format_elapsed_short(Duration::from_secs(7_205)), "2h 0m");
/// assert_eq!(format_elapsed_short(Duration::from_millis(999)), "0s");
/// ```
pub fn format_elapsed_short(time: Duration) -> String {
    match split(time) {
        [0, 0, 0, seconds] => format!("{seconds}s"),
        [0, 0, minutes, seconds] => format!("{minutes}m {seconds}s"),
        [0, hours, minutes, _] => format!("{hours}h {minutes}m"),
        [days, hours, _, _] => format!("{days}d {hours}h"),
    }
}

/// Splits a time into days, hours, minutes and seconds.
fn split(time: Duration) -> [u64; 4] {
    let seconds = time.as_secs();
    [seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60]
}

#[cfg(test)]
mod tests {
    use super::{format_count, format_decimal_bytes, format_elapsed, format_elapsed_short};
    use std::time::Duration;

    // Rule 13
    #[test]
    fn durations_have_a_long_and_a_short_form() {
        for (millis, long, short) in [
            (0, "less than a second", "0s"),
            (999, "less than a second", "0s"),
            (1_000, "1 second", "1s"),
            (59_999, "59 seconds", "59s"),
            (60_000, "1 minute", "1m 0s"),
            (65_000, "1 minute, 5 seconds", "1m 5s"),
            (3_600_000, "1 hour", "1h 0m"),
            (3_601_000, "1 hour, 1 second", "1h 0m"),
            (90_061_000, "1 day, 1 hour, 1 minute, 1 second", "1d 1h"),
            (172_800_000, "2 days", "2d 0h"),
        ] {
            let time = Duration::from_millis(millis);
            assert_eq!((&*format_elapsed(time), &*format_elapsed_short(time)), (long, short));
        }
    }

    #[test]
    fn counts_and_decimal_bytes_have_any_size() {
        for (count, text, bytes) in [
            (0, "0", "0 B"),
            (999, "999", "999 B"),
            (1_000, "1,000", "1.0 kB"),
            (1_999_999, "1,999,999", "1.9 MB"),
            (u64::MAX, "18,446,744,073,709,551,615", "18.4 EB"),
        ] {
            assert_eq!((&*format_count(count), &*format_decimal_bytes(count)), (text, bytes));
        }
    }

    #[test]
    fn the_longest_duration_can_be_formatted() {
        assert_eq!(format_elapsed(Duration::MAX), "213503982334601 days, 7 hours, 15 seconds");
    }
}
