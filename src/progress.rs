//! Progress in words: styles and sizes.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;

use crate::board::job::rate::{Format, ProgressSnapshot};
use crate::board::job::{Job, JobOptions};
use crate::units::format_elapsed_short;

/// How a job's progress is put into words: the numbers, their unit, the rate,
/// the time left; or what a closure makes of them.
///
/// The words are made when the news is taken, and stand behind the bar if there
/// is a total.
///
/// | style | 3 of 12 in 2 s | 3 in 2 s |
/// |---|---|---|
/// | [`bar`](Self::bar) | ` 25% - 3/12` | `3` |
/// | `bar().rate()` | ` 25% - 3/12, 1.5/s` | `3, 1.5/s` |
/// | `bar().eta()` | ` 25% - 3/12, 6s left` | `3` |
/// | [`bytes`](Self::bytes) | ` 25% - 3 B/12 B` | `3 B` |
/// | `bytes().rate().eta()` | ` 25% - 3 B/12 B, 1 B/s, 6s left` | `3 B, 1 B/s` |
///
/// A closure from a [`ProgressSnapshot`] to a `String` is a style as well. If it
/// panics, it is not asked again, and the board shows the numbers.
///
/// # Examples
///
/// ```
/// use active_status::{JobOptions, ProgressSnapshot, ProgressStyle};
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
    words: Words,
}

#[derive(Clone)]
enum Words {
    Numbers(Numbers),
    Custom(Format),
}

/// What there is to say about the numbers.
#[derive(Clone, Copy, Debug, Default)]
struct Numbers {
    bytes: bool,
    rate: bool,
    eta: bool,
}

impl ProgressStyle {
    /// Percentage, position and total; the default.
    pub const fn bar() -> Self {
        Self { words: Words::Numbers(Numbers { bytes: false, rate: false, eta: false }) }
    }

    /// As [`bar`](Self::bar), but the numbers are bytes: `1.2 MiB`.
    pub const fn bytes() -> Self {
        Self { words: Words::Numbers(Numbers { bytes: true, rate: false, eta: false }) }
    }

    /// Says how much is done a second. A closure says so itself.
    pub const fn rate(mut self) -> Self {
        if let Words::Numbers(numbers) = &mut self.words {
            numbers.rate = true;
        }
        self
    }

    /// Says how much time is left, if there is a total; it never rises while the
    /// position stands. A closure says so itself.
    pub const fn eta(mut self) -> Self {
        if let Words::Numbers(numbers) = &mut self.words {
            numbers.eta = true;
        }
        self
    }

    /// What a closure makes of the progress.
    pub fn custom(words: impl Fn(&ProgressSnapshot) -> String + Send + Sync + 'static) -> Self {
        Self { words: Words::Custom(Arc::new(move |progress| Some(words(progress)))) }
    }

    fn into_format(self) -> Option<Format> {
        match self.words {
            Words::Custom(format) => Some(format),
            Words::Numbers(Numbers { bytes: false, rate: false, eta: false }) => None,
            Words::Numbers(numbers) => Some(Arc::new(move |progress| numbers.say(progress))),
        }
    }
}

impl Default for ProgressStyle {
    fn default() -> Self {
        Self::bar()
    }
}

/// As [`ProgressStyle::custom`].
impl<F: Fn(&ProgressSnapshot) -> String + Send + Sync + 'static> From<F> for ProgressStyle {
    fn from(words: F) -> Self {
        Self::custom(words)
    }
}

impl fmt::Debug for ProgressStyle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.words {
            Words::Numbers(numbers) => numbers.fmt(f),
            Words::Custom(_) => f.write_str("Custom"),
        }
    }
}

impl JobOptions {
    /// How the progress is put into words: a [`ProgressStyle`] or a closure.
    pub fn style(self, style: impl Into<ProgressStyle>) -> Self {
        self.format(style.into().into_format())
    }
}

impl Numbers {
    /// `None` if there is nothing to say yet.
    fn say(self, progress: &ProgressSnapshot) -> Option<String> {
        let position = self.size(progress.position);
        let numbers = match progress.total {
            None => Some(position),
            Some(total) if total > 0 && progress.position > 0 => {
                let percent = u128::from(progress.position) * 100 / u128::from(total);
                Some(format!("{percent:3}% - {position}/{}", self.size(total)))
            }
            Some(_) => None,
        };
        let rate = progress.rate.filter(|rate| self.rate && *rate > 0.0);
        let rate = rate.map(|rate| self.rate_in_words(rate));
        let left = progress.eta().filter(|left| self.eta && !left.is_zero());
        let left = left.map(|left| format!("{} left", format_elapsed_short(left)));
        let said: Vec<String> = [numbers, rate, left].into_iter().flatten().collect();
        (!said.is_empty()).then(|| said.join(", "))
    }

    fn size(self, count: u64) -> String {
        if self.bytes { format_bytes(count) } else { count.to_string() }
    }

    fn rate_in_words(self, rate: f64) -> String {
        if self.bytes {
            format!("{}/s", format_bytes(rate as u64))
        } else if rate < 100.0 {
            format!("{rate:.1}/s")
        } else {
            format!("{rate:.0}/s")
        }
    }
}

/// A number of bytes in the largest unit that it fills, cut to a tenth.
///
/// # Examples
///
/// ```
/// use active_status::format_bytes;
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

/// Counts the items of a stream on a job: a tick an item, unless it is to report
/// [less often](ReportProgress::every) or in [words](ReportProgress::format).
///
/// Items, size hints and ends pass unchanged. A job that was not
/// [started](Job::start_progress) counts without a total; at the end the count
/// is shown even if it is 0. The job does not end with the stream.
///
/// # Examples
///
/// ```
/// use active_status::{Event, JobOptions, board, report_progress};
/// use futures::{StreamExt, stream};
///
/// # futures::executor::block_on(async {
/// let (board, mut events) = board();
/// let job = board.add_job(JobOptions::new().prefix("records: ").total(3));
/// let records = stream::iter(["a", "b", "c"]);
/// assert_eq!(report_progress(records, job.clone()).count().await, 3);
///
/// let Some(Event::Changed { change, .. }) = events.drain().last() else { unreachable!() };
/// let progress = change.progress.flatten().unwrap();
/// assert_eq!((progress.position, progress.total), (3, Some(3)));
/// # });
/// ```
///
/// In words, every thousand items:
///
/// ```
/// use active_status::testing::{Screen, VirtualClock};
/// use active_status::report_progress;
/// use futures::{FutureExt, StreamExt, stream};
///
/// let (board, mut events) = VirtualClock::new().board();
/// let job = board.add_job("import: ");
/// let mut records = report_progress(stream::iter(0..2_500), job)
///     .every(1_000)
///     .format(|count| format!("{count} records"));
///
/// let mut screen = Screen::new(80, 24);
/// assert_eq!(records.by_ref().take(1_700).count().now_or_never(), Some(1_700));
/// assert_eq!(screen.show(&mut events).rows(), ["import: 1000 records"]);
/// assert_eq!(records.by_ref().count().now_or_never(), Some(800));
/// assert_eq!(screen.show(&mut events).rows(), ["import: 2500 records"]);
/// ```
pub const fn report_progress<S: Stream>(stream: S, job: Job) -> ReportProgress<S> {
    let count = Count { job, items: 0, reported: 0, every: 1, say: None };
    ReportProgress { stream, count }
}

pin_project! {
    /// The stream of [`report_progress`].
    #[derive(Debug)]
    #[must_use = "streams do nothing unless polled"]
    pub struct ReportProgress<S> {
        #[pin]
        stream: S,
        count: Count,
    }
}

impl<S> ReportProgress<S> {
    /// Reports whenever this many more items have come, and once at the end: when
    /// the stream ends or has no more to give, or is dropped. By default that is
    /// every item; 0 are as 1.
    ///
    /// A tick costs a few nanoseconds and is read ten times a second, so this is
    /// for counts that are to go in steps, and for words that cost more.
    pub const fn every(mut self, items: u64) -> Self {
        self.count.every = items;
        self
    }

    /// Reports the count as the [text](Job::set_text) of the job, in these words,
    /// instead of by ticks.
    pub fn format<T: fmt::Display>(
        mut self,
        words: impl Fn(u64) -> T + Send + Sync + 'static,
    ) -> Self {
        self.count.say = Some(Box::new(move |job, items| job.set_text(words(items))));
        self
    }

    /// The stream whose items are counted.
    pub const fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream, not counted any more.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: Stream> Stream for ReportProgress<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        let item = ready!(this.stream.as_mut().poll_next(cx));
        match item {
            Some(_) => this.count.add(this.stream.size_hint().1 == Some(0)),
            None => this.count.report(),
        }
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

impl<S: FusedStream> FusedStream for ReportProgress<S> {
    fn is_terminated(&self) -> bool {
        self.stream.is_terminated()
    }
}

/// Says on a job how many items there were.
type Say = Box<dyn Fn(&Job, u64) + Send + Sync>;

/// How many items there were, and what the job knows of it. At the latest it
/// knows when this is dropped.
struct Count {
    job: Job,
    items: u64,
    reported: u64,
    /// How many items come between two reports.
    every: u64,
    /// `None` if items are ticks.
    say: Option<Say>,
}

impl Count {
    /// One more item, perhaps the last.
    fn add(&mut self, last: bool) {
        self.items = self.items.saturating_add(1);
        if last || self.items - self.reported >= self.every {
            self.report();
        }
    }

    fn report(&mut self) {
        let new = self.items - self.reported;
        self.reported = self.items;
        match &self.say {
            Some(say) => say(&self.job, self.items),
            None => self.job.tick_by(new),
        }
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        if self.items > self.reported {
            self.report();
        }
    }
}

impl fmt::Debug for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Count")
            .field("job", &self.job)
            .field("items", &self.items)
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}
