//! An event and its time, to be kept or sent.

use core::time::Duration;

use crate::board::event::Event;

/// An [`Event`] and when it was: what is left of a run if all of its records are
/// kept, in order.
///
/// # On a wire
///
/// With the feature `serde` a record is flat, and made for formats that name
/// their fields. As JSON, an example of each event:
///
/// ```json
/// {"event":"added","at":0.05,"job":1,"prefix":"copy: ","text":"","status":"normal","pinned":false,"elapsed":false,"progress":null}
/// {"event":"changed","at":0.1,"job":1,"text":"a.txt","progress":{"position":3,"total":5,"text":null}}
/// {"event":"ended","at":0.25,"job":1,"outcome":"failed","message":"no disk"}
/// {"event":"line","at":0.3,"text":"a printed line"}
/// {"event":"closed","at":0.3}
/// ```
///
/// - `at` is in seconds on the board's clock; in the first twelve days nothing
///   of a nanosecond is lost.
/// - `status` is `normal`, `success`, `warning` or `error`.
/// - A change has only the fields that changed, of `prefix`, `text`, `status`,
///   `progress`, where `null` takes it off the row, and `detached`, which is
///   `true`.
/// - `outcome` is `finished`, `failed`, `cancelled`, `panicked` or `abandoned`;
///   only `failed` has a `message`.
///
/// A reader should pass over fields that it does not know, as ours does.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use active_status::{Event, Model, Record};
///
/// let second = Duration::from_secs(1);
/// let records = [
///     Record::new(Event::Line("hello".into()), second),
///     Record::new(Event::Closed { at: second }, 2 * second),
/// ];
/// assert_eq!(records[1].at, second);
///
/// let mut model = Model::new();
/// for record in &records {
///     model.apply(&record.event, record.at);
/// }
/// assert!(model.is_closed());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// When it was, on the board's clock: when it happened if the event tells
    /// that, else when it was taken from the board.
    pub at: Duration,
    /// What happened.
    pub event: Event,
}

impl Record {
    /// A record of an event that was taken at `now`.
    pub fn new(event: Event, now: Duration) -> Self {
        Self { at: event.at().unwrap_or(now), event }
    }
}

#[cfg(feature = "serde")]
pub(crate) mod wire {
    use core::time::Duration;
    use std::borrow::Cow;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use super::Record;
    use crate::board::event::{Change, Event, JobId, Outcome, Progress, Row, Status};

    type Text<'a> = Cow<'a, str>;

    /// A record as it is written.
    #[derive(Serialize, Deserialize)]
    #[serde(tag = "event", rename = "Record", rename_all = "lowercase")]
    pub(crate) enum Flat<'a> {
        Added {
            #[serde(with = "seconds")]
            at: Duration,
            job: JobId,
            #[serde(default)]
            prefix: Text<'a>,
            #[serde(default)]
            text: Text<'a>,
            #[serde(default)]
            status: Status,
            #[serde(default)]
            pinned: bool,
            #[serde(default)]
            elapsed: bool,
            #[serde(default)]
            progress: Option<Cow<'a, Progress>>,
        },
        Changed {
            #[serde(with = "seconds")]
            at: Duration,
            job: JobId,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            prefix: Option<Text<'a>>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            text: Option<Text<'a>>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            status: Option<Status>,
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "there")]
            progress: Option<Option<Cow<'a, Progress>>>,
            #[serde(default, skip_serializing_if = "core::ops::Not::not")]
            detached: bool,
        },
        Ended {
            #[serde(with = "seconds")]
            at: Duration,
            job: JobId,
            outcome: End,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            message: Option<Text<'a>>,
        },
        Line {
            #[serde(with = "seconds")]
            at: Duration,
            text: Text<'a>,
        },
        Closed {
            #[serde(with = "seconds")]
            at: Duration,
        },
    }

    /// An outcome without its message.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub(crate) enum End {
        Finished,
        Failed,
        Cancelled,
        Panicked,
        Abandoned,
    }

    impl<'a> Flat<'a> {
        /// An event that was taken at `now`.
        pub(crate) fn new(event: &'a Event, now: Duration) -> Self {
            match event {
                Event::Added { job, at, row } => Self::Added {
                    at: *at,
                    job: *job,
                    prefix: Cow::Borrowed(&row.prefix),
                    text: Cow::Borrowed(&row.text),
                    status: row.status,
                    pinned: row.pinned,
                    elapsed: row.elapsed,
                    progress: row.progress.as_ref().map(Cow::Borrowed),
                },
                Event::Changed { job, change } => Self::Changed {
                    at: now,
                    job: *job,
                    prefix: change.prefix.as_deref().map(Cow::Borrowed),
                    text: change.text.as_deref().map(Cow::Borrowed),
                    status: change.status,
                    progress: change
                        .progress
                        .as_ref()
                        .map(|progress| progress.as_ref().map(Cow::Borrowed)),
                    detached: change.detached,
                },
                Event::Ended { job, at, outcome } => {
                    let (outcome, message) = split(outcome);
                    Self::Ended { at: *at, job: *job, outcome, message }
                }
                Event::Line(text) => Self::Line { at: now, text: Cow::Borrowed(text) },
                Event::Closed { at } => Self::Closed { at: *at },
            }
        }

        fn into_record(self) -> Record {
            let owned = |progress: Option<Cow<'_, Progress>>| progress.map(Cow::into_owned);
            match self {
                Self::Added { at, job, prefix, text, status, pinned, elapsed, progress } => {
                    let (prefix, text) = (prefix.into_owned(), text.into_owned());
                    let progress = owned(progress);
                    let row = Row { prefix, text, status, pinned, elapsed, progress };
                    Record { at, event: Event::Added { job, at, row } }
                }
                Self::Changed { at, job, prefix, text, status, progress, detached } => {
                    let (prefix, text) = (prefix.map(Cow::into_owned), text.map(Cow::into_owned));
                    let progress = progress.map(owned);
                    let change = Change { prefix, text, status, progress, detached };
                    Record { at, event: Event::Changed { job, change } }
                }
                Self::Ended { at, job, outcome, message } => {
                    let outcome = join(outcome, message);
                    Record { at, event: Event::Ended { job, at, outcome } }
                }
                Self::Line { at, text } => Record { at, event: Event::Line(text.into_owned()) },
                Self::Closed { at } => Record { at, event: Event::Closed { at } },
            }
        }
    }

    fn split(outcome: &Outcome) -> (End, Option<Text<'_>>) {
        match outcome {
            Outcome::Finished => (End::Finished, None),
            Outcome::Failed(message) => (End::Failed, Some(Cow::Borrowed(message))),
            Outcome::Cancelled => (End::Cancelled, None),
            Outcome::Panicked => (End::Panicked, None),
            Outcome::Abandoned => (End::Abandoned, None),
        }
    }

    fn join(outcome: End, message: Option<Text<'_>>) -> Outcome {
        match outcome {
            End::Finished => Outcome::Finished,
            End::Failed => Outcome::Failed(message.unwrap_or_default().into_owned()),
            End::Cancelled => Outcome::Cancelled,
            End::Panicked => Outcome::Panicked,
            End::Abandoned => Outcome::Abandoned,
        }
    }

    /// A field that is there, be it `null`.
    fn there<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        T::deserialize(deserializer).map(Some)
    }

    mod seconds {
        use super::{Deserialize, Deserializer, Duration, Error, Serializer};

        pub(super) fn serialize<S: Serializer>(
            time: &Duration,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            // Rounded once: `as_secs_f64` adds two parts, which shows.
            serializer.serialize_f64(time.as_nanos() as f64 / 1e9)
        }

        pub(super) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Duration, D::Error> {
            let seconds = f64::deserialize(deserializer)?;
            match Duration::try_from_secs_f64(seconds) {
                Ok(time) => Ok(time),
                Err(_) if seconds > 0.0 => Ok(Duration::MAX),
                Err(_) => Err(D::Error::custom("a time is not negative")),
            }
        }
    }

    impl Serialize for Record {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            Flat::new(&self.event, self.at).serialize(serializer)
        }
    }

    impl<'de> Deserialize<'de> for Record {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Flat::deserialize(deserializer).map(Flat::into_record)
        }
    }
}
