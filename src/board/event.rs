//! What happens on a board, as plain data.

use core::fmt;
use core::num::NonZeroU64;
use core::time::Duration;

#[cfg(feature = "serde")]
use serde::{Deserialize, Serialize};

/// Which job of a board this is. Ids count from 1 and are local to their board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
pub struct JobId(NonZeroU64);

impl JobId {
    /// The id with this number; `None` for 0. A relay that joins the events of
    /// several boards gives their jobs ids of its own.
    pub const fn new(id: u64) -> Option<Self> {
        match NonZeroU64::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The number, from 1.
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// How a job is doing: the color of its row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize), serde(rename_all = "lowercase"))]
pub enum Status {
    /// Nothing to remark: no color.
    #[default]
    Normal,
    /// Green.
    Success,
    /// Yellow.
    Warning,
    /// Red.
    Error,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
pub enum Outcome {
    /// It did what it was to do. The row keeps its status.
    Finished,
    /// It failed, and this is why. The row's status becomes [`Status::Error`].
    Failed(String),
    /// It was dropped before its end. The row's status becomes [`Status::Warning`].
    Cancelled,
    /// It was dropped while its thread unwound. The row's status becomes [`Status::Error`].
    Panicked,
    /// It was still running when the board closed. The row keeps its status.
    Abandoned,
}

/// `Ok` is [`Outcome::Finished`], `Err` is [`Outcome::Failed`] with the error's text.
impl<T, E: fmt::Display> From<&Result<T, E>> for Outcome {
    fn from(result: &Result<T, E>) -> Self {
        match result {
            Ok(_) => Self::Finished,
            Err(error) => Self::Failed(error.to_string()),
        }
    }
}

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
pub struct Progress {
    /// How much is done, in the job's own unit.
    pub position: u64,
    /// How much there is to do; `None` if that is not known.
    pub total: Option<u64>,
    /// What a progress style made of the numbers. It stands in their place,
    /// behind the bar if there is a total.
    pub text: Option<String>,
}

/// A row as it is when its job is added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
pub struct Row {
    /// What stands before the text, its separator included.
    pub prefix: String,
    /// What the job is doing.
    pub text: String,
    /// The color.
    pub status: Status,
    /// Whether the row stays below the others while it runs.
    pub pinned: bool,
    /// Whether the row shows the time since it was added, behind its text.
    pub elapsed: bool,
    /// How far it is, if it counts at all.
    pub progress: Option<Progress>,
}

/// What is new about a job: absolute values, so that the latest one counts and
/// nothing is lost where several are merged into one.
///
/// A change with no field set is news all the same: the job was told something
/// that it knew already.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
pub struct Change {
    /// The new prefix.
    pub prefix: Option<String>,
    /// The new text.
    pub text: Option<String>,
    /// The new status.
    pub status: Option<Status>,
    /// The new progress; `Some(None)` takes it off the row.
    #[cfg_attr(feature = "serde", serde(with = "wire"))]
    pub progress: Option<Option<Progress>>,
    /// Whether the job was detached: it has no handle any more and runs on
    /// until the board closes, which finishes it.
    pub detached: bool,
}

/// What happens on a board, in order: a job is added, changes, ends; a line is
/// printed; the board closes.
///
/// Each job is added once and ends at most once, with its changes between. The
/// last event is [`Event::Closed`]; jobs that run then are
/// [abandoned](Outcome::Abandoned), except those that were
/// [detached](Change::detached) or show [elapsed](Row::elapsed) time, which
/// finish.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[non_exhaustive]
pub enum Event {
    /// A job was added.
    Added {
        /// Its id.
        job: JobId,
        /// When, on the board's clock.
        at: Duration,
        /// Its row.
        row: Row,
    },
    /// There is news of a job.
    Changed {
        /// Its id.
        job: JobId,
        /// The news.
        change: Change,
    },
    /// A job ended.
    Ended {
        /// Its id.
        job: JobId,
        /// When, on the board's clock.
        at: Duration,
        /// How.
        outcome: Outcome,
    },
    /// A line was printed. It holds no newline.
    Line(String),
    /// The board closed: the last event.
    Closed {
        /// When, on the board's clock.
        at: Duration,
    },
}

impl Event {
    /// When it happened, if it tells that: a change and a line do not.
    pub const fn at(&self) -> Option<Duration> {
        match self {
            Self::Added { at, .. } | Self::Ended { at, .. } | Self::Closed { at } => Some(*at),
            Self::Changed { .. } | Self::Line(_) => None,
        }
    }
}

/// `Option<Option<_>>` as three named cases: most formats write `Some(None)`
/// and `None` alike.
#[cfg(feature = "serde")]
mod wire {
    use super::Progress;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(rename = "ProgressChange")]
    enum News<P> {
        Kept,
        Cleared,
        Shown(P),
    }

    pub(super) fn serialize<S: Serializer>(
        news: &Option<Option<Progress>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match news {
            None => News::Kept,
            Some(None) => News::Cleared,
            Some(Some(progress)) => News::Shown(progress),
        }
        .serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Option<Progress>>, D::Error> {
        Ok(match News::deserialize(deserializer)? {
            News::Kept => None,
            News::Cleared => Some(None),
            News::Shown(progress) => Some(Some(progress)),
        })
    }
}

#[cfg(all(test, feature = "serde"))]
mod tests {
    use super::{Change, Event, JobId, Outcome, Progress, Row, Status};
    use core::time::Duration;

    /// Every event, with every field in every state it may have.
    fn events() -> Vec<Event> {
        let job = JobId::new(7).unwrap();
        let at = Duration::new(1, 23);
        let progress = Progress { position: u64::MAX, total: Some(3), text: Some("x\n\"".into()) };
        let row = Row {
            prefix: "p: ".into(),
            text: "ü\t".into(),
            status: Status::Success,
            pinned: true,
            elapsed: true,
            progress: Some(progress.clone()),
        };
        let added = [row, Row::default()].map(|row| Event::Added { job, at, row });
        let full = Change {
            prefix: Some("p: ".into()),
            text: Some(String::new()),
            status: Some(Status::Warning),
            progress: Some(Some(progress)),
            detached: true,
        };
        let cleared = Change { progress: Some(None), ..Change::default() };
        let changed =
            [full, cleared, Change::default()].map(|change| Event::Changed { job, change });
        let ended = [
            Outcome::Finished,
            Outcome::Failed("no disk".into()),
            Outcome::Cancelled,
            Outcome::Panicked,
            Outcome::Abandoned,
        ]
        .map(|outcome| Event::Ended { job, at, outcome });
        let rest = [Event::Line("a line".into()), Event::Closed { at }];
        [added.to_vec(), changed.to_vec(), ended.to_vec(), rest.to_vec()].concat()
    }

    // Rule 3
    #[test]
    fn events_go_over_a_wire_and_back() {
        for event in events() {
            let wire = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<Event>(&wire).unwrap(), event, "{wire}");
        }
    }

    #[test]
    fn a_job_has_no_id_of_zero_on_the_wire_either() {
        assert!(serde_json::from_str::<JobId>("0").is_err());
    }
}
