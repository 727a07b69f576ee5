//! The jobs of other boards on this board.

use std::sync::Arc;
#[cfg(unix)]
use std::sync::Weak;
use std::time::Duration;

use crate::board::Board;
use crate::board::channel::{Link, Message};
use crate::board::event::{Change, JobId, Outcome, Row};
use crate::board::job::state::JobState;

/// A job of another board. It has no handles, and its changes merge until they are read.
#[derive(Debug)]
pub(crate) struct RelayedJob {
    state: Arc<JobState>,
    link: Arc<Link>,
    /// Whether the close of the other board finishes the job.
    finishes: bool,
}

impl RelayedJob {
    /// Adds a job. Its progress, which was styled on the other board, arrives as a change.
    pub(crate) fn add(board: &Board, id: JobId, at: Duration, mut row: Row) -> Self {
        let progress = row.progress.take();
        let finishes = row.finishes_at_close();
        let state = Arc::new(JobState::new(id, at, row, Default::default(), 0));
        let mut job = Self { state, link: Arc::clone(&board.link), finishes };
        job.link.send(Message::Added(Arc::clone(&job.state)));
        if let Some(progress) = progress {
            job.change(&Change::default().with_progress(progress));
        }
        job
    }

    /// Returns the id of the job on this board.
    pub(crate) fn id(&self) -> JobId {
        self.state.id()
    }

    pub(crate) fn change(&mut self, change: &Change) {
        self.finishes |= change.detached;
        if !self.link.is_closed() && self.state.relay(change) {
            self.link.send(Message::Updated(Arc::clone(&self.state)));
        }
    }

    /// Ends the job because the other board has closed.
    pub(crate) fn close(self, at: Duration) {
        let outcome = if self.finishes { Outcome::Finished } else { Outcome::Abandoned };
        self.end(at, outcome);
    }

    pub(crate) fn end(self, at: Duration, outcome: Outcome) {
        // After the close there is no event for the outcome.
        let outcome = (!self.link.is_closed()).then_some(outcome);
        if self.state.end(at, outcome) {
            self.link.send(Message::Ended(self.state));
        }
    }
}

impl Board {
    /// Returns the number of messages that the reader of the board has not taken yet.
    ///
    /// Updates of a job that merge are one message. [`Relay::read`](crate::relay::Relay::read)
    /// waits while the backlog is above 4,096. Code that relays events in another way should
    /// take no more of them meanwhile: a pipe fills, so that the other board merges its
    /// updates, and a stream that drops the oldest batches is repaired by the next key batch.
    pub fn backlog(&self) -> usize {
        self.link.backlog()
    }

    /// Returns a reference that does not keep the board open.
    #[cfg(unix)]
    pub(crate) fn downgrade(&self) -> WeakBoard {
        WeakBoard(Arc::downgrade(&self.link))
    }

    /// Returns the time on the board's clock, for example to
    /// [check](crate::relay::Relays::check) the senders of its relays once per second.
    pub fn now(&self) -> Duration {
        self.link.now()
    }

    /// Returns the number before the ids of a new relay.
    pub(crate) fn next_block(&self) -> u64 {
        self.link.next_block()
    }

    /// Returns `true` if the board is closed or its events were dropped.
    pub(crate) fn is_over(&self) -> bool {
        self.link.is_closed()
    }
}

/// A reference to a board that does not keep it open.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct WeakBoard(Weak<Link>);

#[cfg(unix)]
impl WeakBoard {
    /// Returns the board, unless it has been dropped.
    pub(crate) fn upgrade(&self) -> Option<Board> {
        self.0.upgrade().map(|link| Board { link })
    }
}
