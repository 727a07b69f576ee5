//! The partial lines of the writers of a board.

use std::collections::BTreeMap;
use std::mem;

/// The maximum number of bytes of a partial line that is shown.
const SHOWN: usize = 1024;

/// The partial lines of all writers. Each writer has a number.
#[derive(Debug, Default)]
pub(crate) struct Partials {
    lines: BTreeMap<u64, Vec<u8>>,
    writers: u64,
    /// The writer that has written last.
    newest: u64,
    /// Whether a message about a change is queued.
    queued: bool,
    /// The text that the reader was given last.
    shown: String,
}

impl Partials {
    /// Returns the number of another writer.
    pub(crate) fn add_writer(&mut self) -> u64 {
        self.writers += 1;
        self.writers
    }

    /// Appends to the line of a writer. Returns `true` if a message must be queued, and the
    /// length of the line.
    pub(crate) fn append(&mut self, writer: u64, bytes: &[u8]) -> (bool, usize) {
        let line = self.lines.entry(writer).or_default();
        line.extend_from_slice(bytes);
        let length = line.len();
        self.newest = writer;
        (!mem::replace(&mut self.queued, true), length)
    }

    /// Takes the line of a writer, because it ends. Returns `true` if a message must be
    /// queued, and the line.
    pub(crate) fn take(&mut self, writer: u64) -> (bool, Vec<u8>) {
        let line = self.lines.remove(&writer).unwrap_or_default();
        (!mem::replace(&mut self.queued, true), line)
    }

    /// Returns the partial line to show, if it has changed since the last call: that of the
    /// writer that has written last, if it has one.
    pub(crate) fn read(&mut self) -> Option<String> {
        self.queued = false;
        let newest = self.lines.get(&self.newest).or_else(|| self.lines.values().next_back());
        let newest = newest.map_or(&[][..], |line| &line[..line.len().min(SHOWN)]);
        let text = String::from_utf8_lossy(newest);
        if text == self.shown {
            return None;
        }
        self.shown = text.into_owned();
        Some(self.shown.clone())
    }

    /// Takes all lines, because the board is closed.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = String> + use<> {
        let lines = mem::take(&mut self.lines).into_values();
        lines.map(|line| String::from_utf8_lossy(&line).into_owned())
    }
}
