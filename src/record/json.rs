//! Writing a run as lines of JSON, and reading it.

use std::env;
use std::io::{self, BufRead, ErrorKind};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::board::clock::since_epoch;
use crate::board::event::{Event, seconds};

/// The version of the format that this crate writes and reads.
const FORMAT: u32 = 1;

/// The default maximum number of bytes in a line.
const LINE_LIMIT: usize = 1 << 20;

/// The byte order mark, which some editors write at the start of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The first line of a recorded run: the program that recorded it, and the time of its
/// start.
///
/// ```json
/// {"event":"run","format":1,"version":"0.1.0","program":"checksum","started":1795709031.5}
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "event", rename = "run")]
#[non_exhaustive]
pub struct Header {
    /// The version of the format of the lines: 1.
    pub format: u32,
    /// The version of this crate that wrote the lines.
    pub version: String,
    /// The file name of the program, without its extension; empty if unknown.
    pub program: String,
    /// The time of the system's clock when the board's clock was at zero, since the Unix
    /// epoch.
    #[serde(with = "seconds")]
    pub started: Duration,
}

impl Header {
    /// Creates the header for a run of this program whose clock reads `now`.
    fn new(now: Duration) -> Self {
        let program = env::args_os().next().unwrap_or_default();
        let program = Path::new(&program).file_stem().unwrap_or_default();
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            program: program.to_string_lossy().into_owned(),
            started: since_epoch().saturating_sub(now),
        }
    }
}

/// The lines of a run that have not been written yet.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    begun: bool,
    lines: Vec<u8>,
}

impl Recorder {
    /// Appends an event as a line, after the header if the event is the first. The clock
    /// of the run reads `now`.
    pub(crate) fn add(&mut self, event: &Event, now: Duration) {
        if !self.begun {
            self.begun = true;
            self.push(&Header::new(now));
        }
        self.push(event);
    }

    fn push(&mut self, line: &impl Serialize) {
        // This cannot fail: there are no maps with invalid keys, and a `Vec` accepts all
        // bytes.
        let _ = serde_json::to_writer(&mut self.lines, line);
        self.lines.push(b'\n');
    }

    /// Returns the number of bytes to write.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Moves the lines to the end of `bytes`.
    pub(crate) fn take(&mut self, bytes: &mut Vec<u8>) {
        bytes.append(&mut self.lines);
    }
}

/// Reads the lines that [`Console::json`](crate::Console::json) wrote, one event per
/// line. Empty lines are skipped.
///
/// A [`Header`] is not an event; [`Records::header`] returns it. Lines without a header
/// are accepted.
///
/// # Errors
///
/// The iterator yields an error for each line that is not an event, with the number of
/// the line, and continues with the next line. If the recording program was killed, the
/// last line may be such a line. Errors of the reader are yielded unchanged.
///
/// A line of more than 1 MiB is an error as well, and only the beginning of it is kept in
/// memory. [`with_line_limit`](Records::with_line_limit) sets another limit.
///
/// A header with an unknown format yields an error of the kind
/// [`Unsupported`](ErrorKind::Unsupported), and ends the iterator.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use active_status::Event;
/// use active_status::record::read_records;
///
/// let file = r#"{"event":"run","format":1,"version":"0.1.0","program":"greet","started":1795709031.5}
/// {"event":"line","at":1.5,"text":"hello"}
/// {"event":"clo"#;
/// let mut records = read_records(file.as_bytes());
/// let event = records.next().unwrap().unwrap();
/// assert_eq!(event, Event::Line { at: Duration::from_millis(1_500), text: "hello".into() });
/// assert_eq!(records.header().unwrap().program, "greet");
///
/// let error = records.next().unwrap().unwrap_err();
/// assert!(error.to_string().starts_with("line 3 is not an event: EOF while parsing"));
/// assert!(records.next().is_none());
/// ```
pub fn read_records<R: BufRead>(reader: R) -> Records<R> {
    Records {
        reader,
        number: 0,
        limit: LINE_LIMIT,
        line: Vec::new(),
        too_long: false,
        header: None,
        ended: false,
    }
}

/// The iterator returned by [`read_records`].
#[derive(Debug)]
#[must_use = "iterators do nothing unless iterated"]
pub struct Records<R> {
    reader: R,
    /// The number of lines read so far.
    number: u64,
    /// The maximum number of bytes in a line.
    limit: usize,
    /// The last line that was read, or the beginning of it if it was too long.
    line: Vec<u8>,
    too_long: bool,
    header: Option<Header>,
    /// Whether the rest is in an unknown format.
    ended: bool,
}

impl<R> Records<R> {
    /// Sets the maximum number of bytes in a line, which bounds the memory. The default
    /// is 1 MiB.
    ///
    /// A longer line yields an error, and reading continues with the next line.
    pub const fn with_line_limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Returns the header of the run; `None` before the first event was read, and for a
    /// run without a header. If runs are concatenated, this is the header of the latest
    /// run.
    pub const fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// Parses the last line that was read. Returns `None` for an empty line and a header.
    fn parse(&mut self) -> io::Result<Option<Event>> {
        #[derive(Deserialize)]
        #[serde(tag = "event", rename_all = "lowercase")]
        enum FormatOf {
            Run { format: u64 },
        }

        let line = match self.number {
            1 => self.line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&self.line),
            _ => &self.line,
        };
        let line = line.trim_ascii_end();
        if line.is_empty() {
            return Ok(None);
        }
        if !line.trim_ascii_start().starts_with(b"{") {
            let message = format!("line {} is not an event: expected an object", self.number);
            return Err(io::Error::new(ErrorKind::InvalidData, message));
        }
        let error = match serde_json::from_slice(line) {
            Ok(event) => return Ok(Some(event)),
            Err(error) => error,
        };
        let number = self.number;
        let invalid = |what, error| {
            let message = format!("line {number} is not {what}: {error}");
            io::Error::new(ErrorKind::InvalidData, message)
        };
        match serde_json::from_slice(line) {
            Ok(FormatOf::Run { format }) if format == u64::from(FORMAT) => {
                let header = serde_json::from_slice(line);
                self.header = Some(header.map_err(|error| invalid("a header", error))?);
                Ok(None)
            }
            Ok(FormatOf::Run { format }) => {
                self.ended = true;
                let message = format!(
                    "line {number}: the run was recorded in format {format}, \
                     but only format {FORMAT} is supported"
                );
                Err(io::Error::new(ErrorKind::Unsupported, message))
            }
            Err(_) => Err(invalid("an event", error)),
        }
    }
}

impl<R: BufRead> Records<R> {
    /// Reads a line, and stores it unless it exceeds the limit. Returns the length of the
    /// line.
    fn read_line(&mut self) -> io::Result<usize> {
        let mut length = 0;
        self.too_long = false;
        loop {
            let bytes = match self.reader.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = bytes.iter().position(|&byte| byte == b'\n');
            let piece = &bytes[..end.map_or(bytes.len(), |end| end + 1)];
            self.too_long |= self.line.len() + piece.len() > self.limit;
            if !self.too_long {
                self.line.extend_from_slice(piece);
            }
            let count = piece.len();
            self.reader.consume(count);
            length += count;
            if end.is_some() || count == 0 {
                return Ok(length);
            }
        }
    }
}

impl<R: BufRead> Iterator for Records<R> {
    type Item = io::Result<Event>;

    fn next(&mut self) -> Option<io::Result<Event>> {
        while !self.ended {
            self.line.clear();
            match self.read_line() {
                Ok(0) => return None,
                Ok(_) => self.number += 1,
                Err(error) => return Some(Err(error)),
            }
            if self.too_long {
                let (number, limit) = (self.number, self.limit);
                let message = format!("line {number} is not an event: it exceeds {limit} bytes");
                return Some(Err(io::Error::new(ErrorKind::InvalidData, message)));
            }
            if let Some(event) = self.parse().transpose() {
                return Some(event);
            }
        }
        None
    }
}
