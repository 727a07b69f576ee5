//! Events as lines of JSON, and back.

use std::io::{self, BufRead, ErrorKind};

use crate::board::event::Event;

/// Appends an event as a line.
pub(crate) fn write(event: &Event, lines: &mut Vec<u8>) {
    // An event has no maps, whose keys could be wrong, and a `Vec` takes all bytes.
    let _ = serde_json::to_writer(&mut *lines, event);
    lines.push(b'\n');
}

/// Reads the lines that [`Console::json`](crate::Console::json) wrote, one at a
/// time. Empty lines are passed over.
///
/// # Errors
///
/// The iterator yields an error for each line that is no [`Event`], with its
/// number and, where that is known, the column; then it goes on with the next
/// one. If the program was killed while it wrote, that is the last line. An error
/// of the reader is yielded as it is.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use active_status::Event;
/// use active_status::record::read_records;
///
/// let file = "{\"event\":\"line\",\"at\":1.5,\"text\":\"hello\"}\n{\"event\":\"clo";
/// let mut records = read_records(file.as_bytes());
/// let event = records.next().unwrap().unwrap();
/// assert_eq!(event, Event::Line { at: Duration::from_millis(1_500), text: "hello".into() });
///
/// let error = records.next().unwrap().unwrap_err();
/// assert_eq!(error.to_string(), "line 2, column 13: EOF while parsing a string");
/// assert!(records.next().is_none());
/// ```
pub fn read_records<R: BufRead>(reader: R) -> Records<R> {
    Records { reader, number: 0, line: Vec::new() }
}

/// The iterator of [`read_records`].
#[derive(Debug)]
#[must_use = "iterators do nothing unless iterated"]
pub struct Records<R> {
    reader: R,
    /// How many lines were read.
    number: u64,
    /// The last of them.
    line: Vec<u8>,
}

impl<R: BufRead> Iterator for Records<R> {
    type Item = io::Result<Event>;

    fn next(&mut self) -> Option<io::Result<Event>> {
        loop {
            self.line.clear();
            match self.reader.read_until(b'\n', &mut self.line) {
                Ok(0) => return None,
                Ok(_) => self.number += 1,
                Err(error) => return Some(Err(error)),
            }
            let line = self.line.trim_ascii_end();
            if !line.is_empty() {
                let parsed = serde_json::from_slice(line);
                return Some(parsed.map_err(|error| named(self.number, &error)));
            }
        }
    }
}

/// What is wrong in the line with this number. To the parser each line is the
/// first, which is not worth saying; the column it does not always know.
fn named(number: u64, error: &serde_json::Error) -> io::Error {
    let what = error.to_string();
    let named = match what.split_once(" at line 1 column ") {
        Some((what, column)) => format!("line {number}, column {column}: {what}"),
        None => format!("line {number}: {what}"),
    };
    io::Error::new(ErrorKind::InvalidData, named)
}
