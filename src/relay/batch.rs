//! A batch of events, and its form as JSON.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::board::event::{Event, JobId, seconds};

/// The version of the format that this crate writes and reads.
const FORMAT: u32 = 1;

/// The maximum number of bytes of a batch as JSON.
pub(super) const SIZE: usize = 1 << 20;

/// The maximum number of bytes of the name of a node.
pub(super) const NAME: usize = 64;

/// The numbers of processes are below, so that a JSON number holds them exactly.
pub(super) const BOOTS: u64 = 1 << 53;

/// Events of another board, which may get lost, repeated or reordered on their way.
///
/// An [`Outbox`](crate::relay::Outbox) makes batches, and
/// [`Relay::receive`](crate::relay::Relay::receive) applies them. As JSON, a batch is one
/// object, with its events as in the [record](crate::record) of a run:
///
/// ```json
/// {"v":1,"node":"h1","boot":6991877402115921,"seq":7,"at":1.61,"next":1.0,
///  "events":[{"event":"ended","at":1.6,"job":1,"outcome":"finished"}],
///  "key":[{"event":"added","at":0.1,"job":2,"prefix":"copy: ","text":"b.mov"}]}
/// ```
///
/// `key` is present in a key batch alone, and holds every job that runs after the events. If
/// they exceed a batch, several key batches hold a part each: `"from":101` and `"to":200` are
/// the first and the last id of the part, and one of them is absent in the first and in the
/// last part. Unknown fields are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    pub(super) v: u32,
    pub(super) node: String,
    pub(super) boot: u64,
    pub(super) seq: u64,
    #[serde(with = "seconds")]
    pub(super) at: Duration,
    #[serde(with = "seconds")]
    pub(super) next: Duration,
    #[serde(default)]
    pub(super) events: Vec<Event>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<Vec<Event>>,
    /// The first and the last id of the jobs in the key; `None` for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<JobId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<JobId>,
}

impl Batch {
    /// Creates a batch without events.
    pub(super) fn new(node: String, boot: u64, seq: u64, at: Duration, next: Duration) -> Self {
        let (v, events) = (FORMAT, Vec::new());
        Self { v, node, boot, seq, at, next, events, key: None, from: None, to: None }
    }

    /// Returns the name of the sender, which serves to show it.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Returns the number that identifies the process of the sender.
    pub const fn boot(&self) -> u64 {
        self.boot
    }

    /// Returns the number of the batch among those of its sender, from 1.
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// Returns the time until the sender makes its next batch.
    pub const fn next(&self) -> Duration {
        self.next
    }

    /// Returns `true` if the batch holds every job that runs, or a part of them.
    pub const fn is_key(&self) -> bool {
        self.key.is_some()
    }

    /// Writes the batch as JSON, without a line break.
    ///
    /// # Errors
    ///
    /// Fails if the batch exceeds 1 MiB, which no receiver accepts. The batches of an
    /// [`Outbox`](crate::relay::Outbox) never do.
    pub fn to_json(&self) -> Result<Vec<u8>, BatchError> {
        let json =
            serde_json::to_vec(self).map_err(|error| BatchError::Invalid(error.to_string()))?;
        if json.len() > SIZE {
            return Err(BatchError::TooLarge(json.len()));
        }
        Ok(json)
    }

    /// Reads a batch from JSON.
    ///
    /// # Errors
    ///
    /// Fails if the bytes exceed 1 MiB, are of another version of the format, or are not a
    /// batch. The name of a node has at most 64 bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::relay::{Batch, BatchError};
    ///
    /// let json = br#"{"v":1,"node":"h1","boot":7,"seq":1,"at":0.5,"next":1.0,"key":[]}"#;
    /// let batch = Batch::from_json(json)?;
    /// assert_eq!((batch.node(), batch.seq(), batch.is_key()), ("h1", 1, true));
    ///
    /// let error = Batch::from_json(br#"{"v":2}"#).unwrap_err();
    /// assert_eq!(error, BatchError::Version(2));
    /// assert_eq!(error.to_string(), "expected a batch of version 1, found version 2");
    /// # Ok::<(), BatchError>(())
    /// ```
    pub fn from_json(json: &[u8]) -> Result<Self, BatchError> {
        #[derive(Deserialize)]
        struct Version {
            v: u64,
        }

        if json.len() > SIZE {
            return Err(BatchError::TooLarge(json.len()));
        }
        let invalid = |error: serde_json::Error| BatchError::Invalid(error.to_string());
        match serde_json::from_slice(json).map_err(invalid)? {
            Version { v } if v == u64::from(FORMAT) => {}
            Version { v } => return Err(BatchError::Version(v)),
        }
        let batch: Self = serde_json::from_slice(json).map_err(invalid)?;
        batch.check().map_err(BatchError::Invalid)?;
        Ok(batch)
    }

    /// Returns what was expected of the batch instead.
    fn check(&self) -> Result<(), String> {
        if self.node.len() > NAME {
            let length = self.node.len();
            return Err(format!("expected a node of at most {NAME} bytes, found {length} bytes"));
        }
        if self.boot >= BOOTS {
            return Err(format!("expected a boot below 2^53, found {}", self.boot));
        }
        if self.seq == 0 {
            return Err("expected a seq from 1, found 0".to_owned());
        }
        let other = |event: &&Event| !matches!(event, Event::Added { .. });
        if self.key.iter().flatten().any(|event| other(&event)) {
            return Err("expected only added jobs in a key, found another event".to_owned());
        }
        Ok(())
    }
}

/// The error of [`Batch::to_json`] and [`Batch::from_json`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchError {
    /// The batch has this number of bytes, but at most 1 MiB is accepted.
    TooLarge(usize),
    /// The batch has this version of the format, which is not supported.
    Version(u64),
    /// The bytes are not a batch, with what was expected instead.
    Invalid(String),
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(bytes) => {
                write!(f, "expected a batch of at most {SIZE} bytes, found {bytes} bytes")
            }
            Self::Version(v) => {
                write!(f, "expected a batch of version {FORMAT}, found version {v}")
            }
            Self::Invalid(what) => write!(f, "not a batch: {what}"),
        }
    }
}

impl Error for BatchError {}
