//! The styles in which progress is written.

use std::fmt;
use std::sync::Arc;

use crate::board::event::percentage;
use crate::board::job::rate::{Format, ProgressSnapshot};
use crate::units::{format_bytes, format_elapsed_short};

/// The style in which the progress of a job is written.
///
/// A style writes the position and total in a unit, optionally with the rate and the time
/// left, or the text that a closure returns. The text is formatted when the console reads
/// the update, and follows the bar if the job has a total.
///
/// | style | 3 of 12 in 2 s | 3 in 2 s |
/// |---|---|---|
/// | [`bar`](Self::bar) | ` 25% - 3/12` | `3` |
/// | `bar().rate()` | ` 25% - 3/12, 1.5/s` | `3, 1.5/s` |
/// | `bar().eta()` | ` 25% - 3/12, 6s left` | `3` |
/// | [`bytes`](Self::bytes) | ` 25% - 3 B/12 B` | `3 B` |
/// | `bytes().rate().eta()` | ` 25% - 3 B/12 B, 1 B/s, 6s left` | `3 B, 1 B/s` |
///
/// A closure that formats a [`ProgressSnapshot`] as a `String` converts to a style. If
/// the closure panics, the board does not call it again and shows the numbers instead.
///
/// # Examples
///
/// ```
/// use active_status::progress::ProgressSnapshot;
/// use active_status::{JobOptions, ProgressStyle};
///
/// let files = JobOptions::new().total(12).style(ProgressStyle::bar().rate().eta());
/// let bytes = JobOptions::new().total(3 << 20).style(ProgressStyle::bytes());
/// let pages = JobOptions::new()
///     .total(250)
///     .style(|progress: &ProgressSnapshot| format!("page {}", progress.position));
/// # drop((files, bytes, pages));
/// ```
#[derive(Clone)]
pub struct ProgressStyle {
    content: Content,
}

#[derive(Clone)]
enum Content {
    Numbers(Numbers),
    Custom(Format),
}

/// The numbers to write, and their unit.
#[derive(Clone, Copy, Debug, Default)]
struct Numbers {
    bytes: bool,
    rate: bool,
    eta: bool,
}

impl ProgressStyle {
    /// Creates a style with percentage, position and total. This is the default.
    pub const fn bar() -> Self {
        Self { content: Content::Numbers(Numbers { bytes: false, rate: false, eta: false }) }
    }

    /// Creates a style like [`bar`](Self::bar) with the numbers in bytes: `1.2 MiB`.
    pub const fn bytes() -> Self {
        Self { content: Content::Numbers(Numbers { bytes: true, rate: false, eta: false }) }
    }

    /// Adds the rate per second. This has no effect on a custom style.
    pub const fn rate(mut self) -> Self {
        if let Content::Numbers(numbers) = &mut self.content {
            numbers.rate = true;
        }
        self
    }

    /// Adds the time left, if there is a total. It does not increase while the position
    /// stays the same. This has no effect on a custom style.
    pub const fn eta(mut self) -> Self {
        if let Content::Numbers(numbers) = &mut self.content {
            numbers.eta = true;
        }
        self
    }

    /// Creates a style with the text that a closure returns for the progress.
    pub fn custom(format: impl Fn(&ProgressSnapshot) -> String + Send + Sync + 'static) -> Self {
        Self { content: Content::Custom(Arc::new(move |progress| Some(format(progress)))) }
    }

    /// Returns the function that formats the progress; `None` for the default format.
    pub(crate) fn into_format(self) -> Option<Format> {
        match self.content {
            Content::Custom(format) => Some(format),
            Content::Numbers(Numbers { bytes: false, rate: false, eta: false }) => None,
            Content::Numbers(numbers) => Some(Arc::new(move |progress| numbers.format(progress))),
        }
    }
}

impl Default for ProgressStyle {
    fn default() -> Self {
        Self::bar()
    }
}

/// Equivalent to [`ProgressStyle::custom`].
impl<F: Fn(&ProgressSnapshot) -> String + Send + Sync + 'static> From<F> for ProgressStyle {
    fn from(format: F) -> Self {
        Self::custom(format)
    }
}

impl fmt::Debug for ProgressStyle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.content {
            Content::Numbers(numbers) => numbers.fmt(f),
            Content::Custom(_) => f.write_str("Custom"),
        }
    }
}

impl Numbers {
    /// Formats the progress. Returns `None` while there is nothing to write.
    fn format(self, progress: &ProgressSnapshot) -> Option<String> {
        let numbers = match progress.total {
            None => Some(self.amount(progress.position)),
            Some(total) => percentage(progress.position, total, |count| self.amount(count)),
        };
        let rate = progress.rate.filter(|rate| self.rate && *rate > 0.0);
        let rate = rate.map(|rate| self.per_second(rate));
        let left = progress.eta().filter(|left| self.eta && !left.is_zero());
        let left = left.map(|left| format!("{} left", format_elapsed_short(left)));
        let parts: Vec<String> = [numbers, rate, left].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    fn amount(self, count: u64) -> String {
        if self.bytes { format_bytes(count) } else { count.to_string() }
    }

    fn per_second(self, rate: f64) -> String {
        if self.bytes {
            format!("{}/s", format_bytes(rate as u64))
        } else if rate < 100.0 {
            format!("{rate:.1}/s")
        } else {
            format!("{rate:.0}/s")
        }
    }
}
