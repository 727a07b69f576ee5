//! The styles in which progress is written.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::board::event::{Progress, Unit};
use crate::board::job::rate::ProgressSnapshot;

/// The style in which the progress of a job is written.
///
/// A style writes the position and total in a unit, optionally with the rate and the time
/// left, or the text that a closure returns. A row with a total has a bar and a percentage
/// as well. Rate, time left and the text of a closure are those of the time at which the
/// console reads the update.
///
/// | style | 3 of 12 in 2 s | 3 in 2 s |
/// |---|---|---|
/// | [`bar`](Self::bar) | ` 25%   3/12` | `3` |
/// | `bar().rate()` | ` 25%   3/12  1.50/s` | `3  1.50/s` |
/// | `bar().eta()` | ` 25%   3/12  6s left` | `3` |
/// | `bar().unit("files")` | ` 25%   3/12 files` | `3 files` |
/// | [`bytes`](Self::bytes) | ` 25%   3/12 B` | `3 B` |
/// | `bytes().rate().eta()` | ` 25%   3/12 B  1.50 B/s  6s left` | `3 B  1.50 B/s` |
///
/// A closure that formats a [`ProgressSnapshot`] as a `String` converts to a style. If
/// the closure panics, the board does not call it again and shows the numbers instead.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use active_status::progress::ProgressSnapshot;
/// use active_status::testing::{Screen, VirtualClock};
/// use active_status::{JobOptions, ProgressStyle};
///
/// let clock = VirtualClock::new();
/// let (board, mut events) = clock.board();
/// let page = |progress: &ProgressSnapshot| format!("page {}", progress.position);
/// let styles = [ProgressStyle::bar().rate().eta(), ProgressStyle::bytes(), page.into()];
/// let jobs = styles.map(|style| board.add_job(JobOptions::new().total(12).style(style)));
/// clock.advance(Duration::from_secs(2));
/// jobs.iter().for_each(|job| job.tick_by(3));
///
/// let mut screen = Screen::new(80, 24);
/// let rows = screen.show(&mut events).rows();
/// let numbers = rows.iter().map(|row| row.split_once("25%").unwrap().1.trim());
/// assert_eq!(numbers.collect::<Vec<_>>(), ["3/12  1.50/s       6s left", "3/12 B", "page 3"]);
/// ```
#[derive(Clone)]
pub struct ProgressStyle {
    content: Content,
}

#[derive(Clone)]
enum Content {
    Numbers(Numbers),
    Custom(Arc<dyn Fn(&ProgressSnapshot) -> String + Send + Sync>),
}

/// The numbers to write, and their unit.
#[derive(Clone, Debug)]
struct Numbers {
    unit: Unit,
    rate: bool,
    eta: bool,
}

impl ProgressStyle {
    /// Creates a style with percentage, position and total. This is the default.
    pub const fn bar() -> Self {
        Self::of(Unit::Items)
    }

    /// Creates a style like [`bar`](Self::bar) with the numbers in bytes: `1.23 MiB`.
    pub const fn bytes() -> Self {
        Self::of(Unit::Bytes)
    }

    /// Creates a style like [`bytes`](Self::bytes) in powers of 1,000: `1.29 MB`.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::testing::{Screen, VirtualClock};
    /// use active_status::{JobOptions, ProgressStyle};
    ///
    /// let (board, mut events) = VirtualClock::new().board();
    /// let mut screen = Screen::new(60, 10);
    /// let jobs = [ProgressStyle::bytes(), ProgressStyle::decimal_bytes()].map(|style| {
    ///     let job = board.add_job(JobOptions::new().style(style));
    ///     job.tick_by(1_300_000);
    ///     job
    /// });
    /// let rows = screen.show(&mut events).rows();
    /// assert!(rows[0].ends_with("1.23 MiB") && rows[1].ends_with("1.30 MB"), "{rows:?}");
    /// # drop(jobs);
    /// ```
    pub const fn decimal_bytes() -> Self {
        Self::of(Unit::DecimalBytes)
    }

    const fn of(unit: Unit) -> Self {
        Self { content: Content::Numbers(Numbers { unit, rate: false, eta: false }) }
    }

    /// Sets the word that follows the numbers: `3/12 files`. This has no effect on a custom
    /// style.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::testing::{Screen, VirtualClock};
    /// use active_status::{JobOptions, ProgressStyle};
    ///
    /// let (board, mut events) = VirtualClock::new().board();
    /// let mut screen = Screen::new(60, 10);
    /// let style = ProgressStyle::bar().unit("rows");
    /// let job = board.add_job(JobOptions::new().prefix("import: ").style(style));
    /// job.tick_by(1_234_567);
    /// let rows = screen.show(&mut events).rows();
    /// assert!(rows[0].ends_with("1,234,567 rows"), "{rows:?}");
    /// ```
    pub fn unit(mut self, unit: impl Into<Cow<'static, str>>) -> Self {
        if let Content::Numbers(numbers) = &mut self.content {
            numbers.unit = Unit::Named(unit.into());
        }
        self
    }

    /// Adds the rate per second, as the [example](Self#examples) shows. This has no effect on a
    /// custom style.
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
    /// [`ProgressSnapshot::eta`] has an example.
    pub fn custom(format: impl Fn(&ProgressSnapshot) -> String + Send + Sync + 'static) -> Self {
        Self { content: Content::Custom(Arc::new(format)) }
    }

    /// Returns the progress as it is shown.
    pub(crate) fn apply(&self, snapshot: &ProgressSnapshot) -> Progress {
        let progress = Progress::new(snapshot.position, snapshot.total);
        match &self.content {
            Content::Custom(format) => progress.with_text(format(snapshot)),
            Content::Numbers(Numbers { unit, rate, eta }) => progress
                .with_unit(unit.clone())
                .with_rate(snapshot.rate.filter(|_| *rate).and_then(thousandths))
                .with_seconds_left(snapshot.eta().filter(|_| *eta).and_then(seconds)),
        }
    }
}

/// Returns a rate in thousandths, unless it is 0.
fn thousandths(rate: f64) -> Option<u64> {
    Some((rate * 1_000.0) as u64).filter(|rate| *rate > 0)
}

/// Returns a time in seconds, rounded up, unless it is 0.
fn seconds(time: Duration) -> Option<u64> {
    let started = u64::from(time.subsec_nanos() > 0);
    Some(time.as_secs().saturating_add(started)).filter(|seconds| *seconds > 0)
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
