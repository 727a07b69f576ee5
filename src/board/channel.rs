//! The way from a board's handles to its events: an async-channel, and the limit
//! on printed lines.
//!
//! The reader does not wait in the channel: that wakes its receiver under a
//! mutex of its own, so that a waker that sends on the same board (an executor
//! that logs into it) would wait for itself. It waits at the bell.

use std::fmt;
use std::mem;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use async_channel::{Receiver, Sender};

use crate::board::event::JobId;
use crate::board::job::state::Cell;
use crate::board::lock::ignore_poison;
use crate::board::notify::Bell;

/// What travels from the handles to the events. A cell and no sender: the queue
/// must not keep its own channel open.
pub(crate) enum Message {
    /// The job was added.
    Added(Arc<Cell>),
    /// There is news in the cell.
    News(Arc<Cell>),
    /// The job ended.
    Ended(Arc<Cell>),
    /// A line was printed.
    Line(String),
}

/// What every handle of a board holds. The board closes with the last of them.
pub(crate) struct Link {
    sender: Sender<Message>,
    shared: Arc<Shared>,
}

/// What both ends of the channel hold.
pub(crate) struct Shared {
    clock: Box<dyn Fn() -> Duration + Send + Sync>,
    jobs: AtomicU64,
    closed: OnceLock<Duration>,
    bell: Bell,
    lines: Mutex<Lines>,
}

/// The two ends of a new channel.
pub(crate) fn channel(
    clock: impl Fn() -> Duration + Send + Sync + 'static,
) -> (Arc<Link>, Receiver<Message>, Arc<Shared>) {
    let (sender, receiver) = async_channel::unbounded();
    let shared = Arc::new(Shared {
        clock: Box::new(clock),
        jobs: AtomicU64::new(0),
        closed: OnceLock::new(),
        bell: Bell::new(),
        lines: Mutex::default(),
    });
    (Arc::new(Link { sender, shared: Arc::clone(&shared) }), receiver, shared)
}

impl Link {
    /// The board's clock.
    pub(crate) fn now(&self) -> Duration {
        self.shared.now()
    }

    /// An id that no other job of the board has.
    pub(crate) fn next_id(&self) -> JobId {
        let id = self.shared.jobs.fetch_add(1, Relaxed) + 1;
        JobId::new(id).expect("fewer than 2^64 jobs")
    }

    /// Queues a message and wakes the reader, unless the board is closed or its
    /// events are gone.
    pub(crate) fn send(&self, message: Message) {
        if self.sender.try_send(message).is_ok() {
            self.shared.bell.ring();
        }
    }

    /// Queues lines, next to each other, as far as there is room for them;
    /// `false` if the board is closed or its events are gone.
    pub(crate) fn print<'a>(&self, printed: impl Iterator<Item = &'a str>) -> bool {
        if self.is_closed() {
            return false;
        }
        let mut open = true;
        let mut lines = self.shared.lines();
        for line in printed {
            if lines.admit(line.len()) && self.sender.try_send(Message::Line(line.into())).is_err()
            {
                lines.take(line.len());
                open = false;
            }
        }
        drop(lines);
        self.shared.bell.ring();
        open
    }

    /// Whether the board is closed or its events are gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Closes the board, unless it is closed.
    pub(crate) fn close(&self) {
        if !self.is_closed() {
            let now = self.now();
            self.shared.closed.get_or_init(|| now);
            self.sender.close();
            self.shared.bell.ring();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}

impl Shared {
    /// The board's clock.
    pub(crate) fn now(&self) -> Duration {
        (self.clock)()
    }

    /// When the board closed.
    pub(crate) fn closed(&self) -> Option<Duration> {
        self.closed.get().copied()
    }

    /// What wakes the reader.
    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// The reader took a line; what [`Lines::take`] says.
    pub(crate) fn line_taken(&self, bytes: usize) -> Option<String> {
        self.lines().take(bytes)
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        ignore_poison(self.lines.lock())
    }
}

/// The lines that wait to be taken.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    waiting: usize,
    bytes: usize,
    /// How many were left out. Then no more are admitted until all that wait
    /// were taken, so that one line can tell it, in its place.
    left_out: u64,
}

impl Lines {
    /// The most lines that wait.
    const MOST: usize = 65_536;
    /// The most bytes in lines that wait, unless it is one line.
    const MOST_BYTES: usize = 16 << 20;

    /// Whether there is room for a line. It waits then, or else is counted.
    pub(crate) fn admit(&mut self, bytes: usize) -> bool {
        let fits = self.waiting < Self::MOST && self.bytes + bytes <= Self::MOST_BYTES;
        let admitted = self.waiting == 0 || (self.left_out == 0 && fits);
        if admitted {
            self.waiting += 1;
            self.bytes += bytes;
        } else {
            self.left_out += 1;
        }
        admitted
    }

    /// A line does not wait any more. If it was the last and others were left
    /// out, a line that stands in their place.
    pub(crate) fn take(&mut self, bytes: usize) -> Option<String> {
        self.waiting -= 1;
        self.bytes -= bytes;
        if self.waiting > 0 || self.left_out == 0 {
            return None;
        }
        let left_out = mem::take(&mut self.left_out);
        let lines = if left_out == 1 { "line" } else { "lines" };
        Some(format!("… {left_out} {lines} not shown"))
    }
}
