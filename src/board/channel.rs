//! The channel from the handles of a board to its events.
//!
//! The reader waits in [`Notify`] instead of the async-channel, which wakes its receiver
//! while it holds a mutex. A waker that sends on the same board, as in an executor that
//! logs to it, would deadlock there.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use async_channel::{Receiver, Sender};

use crate::board::event::JobId;
use crate::board::flush::Mark;
use crate::board::job::state::JobState;
use crate::board::lines;
use crate::board::lock::ignore_poison;
use crate::board::notify::Notify;
use crate::board::partial::Partials;
use crate::board::room::{Lines, Room};

/// A message from a handle to the events. It holds no sender, so that the queue does not
/// keep its channel open.
pub(crate) enum Message {
    /// The job was added.
    Added(Arc<JobState>),
    /// The job was updated.
    Updated(Arc<JobState>),
    /// The job ended.
    Ended(Arc<JobState>),
    /// A line was printed.
    Line(String),
    /// The partial lines of the writers changed.
    Partials,
    /// A flush waits for everything before this message to be shown.
    Mark(Mark),
}

/// The sending half, held by every handle of a board. The board closes when the last
/// handle is dropped.
pub(crate) struct Link {
    sender: Sender<Message>,
    shared: Arc<BoardState>,
}

/// The state of a board that both halves use.
pub(crate) struct BoardState {
    clock: Box<dyn Fn() -> Duration + Send + Sync>,
    jobs: AtomicU64,
    /// The number of relays.
    #[cfg(feature = "relay")]
    relays: AtomicU64,
    closed: OnceLock<Duration>,
    notify: Notify,
    room: Room,
    partials: Mutex<Partials>,
}

/// Creates a channel. Returns its two halves and the state that they share.
pub(crate) fn channel(
    clock: impl Fn() -> Duration + Send + Sync + 'static,
) -> (Arc<Link>, Receiver<Message>, Arc<BoardState>) {
    let (sender, receiver) = async_channel::unbounded();
    let shared = Arc::new(BoardState {
        clock: Box::new(clock),
        jobs: AtomicU64::new(0),
        #[cfg(feature = "relay")]
        relays: AtomicU64::new(0),
        closed: OnceLock::new(),
        notify: Notify::new(),
        room: Room::default(),
        partials: Mutex::default(),
    });
    (Arc::new(Link { sender, shared: Arc::clone(&shared) }), receiver, shared)
}

impl Link {
    /// Returns the time on the board's clock.
    pub(crate) fn now(&self) -> Duration {
        self.shared.now()
    }

    /// Returns the id for the next job.
    pub(crate) fn next_id(&self) -> JobId {
        let id = self.shared.jobs.fetch_add(1, Relaxed) + 1;
        JobId::new(id).expect("fewer than 2^64 jobs")
    }

    /// Returns the number before the ids of a new relay: each relay has 2^32 ids after
    /// those of the board, so that its rows stand together.
    #[cfg(feature = "relay")]
    pub(crate) fn next_block(&self) -> u64 {
        (self.shared.relays.fetch_add(1, Relaxed) + 1) << 32
    }

    /// Returns the number of messages that wait for the reader.
    #[cfg(feature = "relay")]
    pub(crate) fn backlog(&self) -> usize {
        self.sender.len()
    }

    /// Queues a message and wakes the reader, unless the board is closed or its events
    /// were dropped.
    pub(crate) fn send(&self, message: Message) {
        if self.sender.try_send(message).is_ok() {
            self.shared.notify.notify();
        }
    }

    /// Queues the lines of a text with no other lines between them, up to the limit. Waits for
    /// a log that makes progress. Returns `false` if the board is closed or its events were
    /// dropped.
    pub(crate) fn print(&self, text: &str) -> bool {
        let (mut pending, has_room) =
            self.shared.room.wait_for_log(text.len(), || self.is_closed());
        if self.is_closed() {
            return false;
        }
        let mut open = true;
        for line in lines(text) {
            if has_room {
                pending.add(line.len());
            } else if !pending.admit(line.len()) {
                continue;
            }
            open &= self.queue(&mut pending, line);
        }
        drop(pending);
        self.shared.notify.notify();
        open
    }

    /// Returns the number of a new writer.
    pub(crate) fn add_writer(&self) -> u64 {
        self.shared.partials().add_writer()
    }

    /// Appends to the partial line of a writer, unless the board is closed. Returns the length
    /// of the line.
    pub(crate) fn append_partial(&self, writer: u64, bytes: &[u8]) -> usize {
        if self.is_closed() {
            return 0;
        }
        let (queue, length) = self.shared.partials().append(writer, bytes);
        if queue {
            self.send(Message::Partials);
        }
        length
    }

    /// Prints the partial line of a writer, followed by `bytes`.
    pub(crate) fn print_partial(&self, writer: u64, bytes: &[u8]) {
        let (queue, mut line) = self.shared.partials().take(writer);
        line.extend_from_slice(bytes);
        self.print(&String::from_utf8_lossy(&line));
        if queue {
            self.send(Message::Partials);
        }
    }

    /// Waits until there is room for a line and queues it, or drops it if the board is closed.
    pub(crate) fn print_blocking(&self, line: &str) {
        let mut pending = self.shared.room.wait(line.len(), || self.is_closed());
        pending.add(line.len());
        self.queue(&mut pending, line);
        drop(pending);
        self.shared.notify.notify();
    }

    /// Like [`print_blocking`](Self::print_blocking), for a task.
    pub(crate) fn poll_print(&self, line: &str, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut pending = self.shared.room.lines();
        if !self.is_closed() && !pending.has_room(line.len()) {
            pending.wake_later(waker);
            return Poll::Pending;
        }
        pending.add(line.len());
        self.queue(&mut pending, line);
        drop(pending);
        self.shared.notify.notify();
        Poll::Ready(())
    }

    /// Queues a line that was counted as pending. Returns `false` if the board is closed or its
    /// events were dropped.
    fn queue(&self, pending: &mut Lines, line: &str) -> bool {
        let queued = self.sender.try_send(Message::Line(line.into())).is_ok();
        if !queued {
            pending.take(line.len());
        }
        queued
    }

    /// Returns `true` if the board is closed or its events were dropped.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Closes the board, unless it is closed already.
    pub(crate) fn close(&self) {
        if !self.is_closed() {
            let now = self.now();
            self.shared.closed.get_or_init(|| now);
            self.sender.close();
            self.shared.notify.notify();
            self.shared.room.wake_all();
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

impl BoardState {
    /// Returns the time on the board's clock.
    pub(crate) fn now(&self) -> Duration {
        (self.clock)()
    }

    /// Returns the time at which the board closed; `None` while it is open.
    pub(crate) fn closed(&self) -> Option<Duration> {
        self.closed.get().copied()
    }

    /// Returns the notification that wakes the reader.
    pub(crate) fn notify(&self) -> &Notify {
        &self.notify
    }

    /// Returns the room for printed lines.
    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    /// Returns the partial lines of the writers.
    pub(crate) fn partials(&self) -> MutexGuard<'_, Partials> {
        ignore_poison(self.partials.lock())
    }
}
