//! What happens on a board, as a stream.

pub(crate) mod forward;
pub(crate) mod sampled;
pub(crate) mod tee;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::Duration;

use async_channel::{Receiver, Sender, TryRecvError};
use futures_core::{FusedStream, Stream};

use crate::board::channel::{Message, Shared};
use crate::board::event::{Event, JobId};
use crate::board::events::forward::Forward;
use crate::board::events::sampled::Sampled;
use crate::board::job::state::Cell;
use crate::board::unpark::unpark_this_thread;

/// What happens on a board: the receiving half, a stream of [`Event`]s.
///
/// The order is that of the calls, except for changes: what was said about a job
/// since it was last taken comes as one [`Event::Changed`], after the job was
/// added and before it ended, and may be newer than events behind it. So at most
/// three events a job wait, whoever reads or does not, and the last state of
/// every job arrives.
///
/// The last event is [`Event::Closed`], after [`close`](crate::Board::close) or
/// when no handle of the board is left; then the stream ends. Dropped events
/// make every update do nothing.
///
/// # Reading at leisure
///
/// News merges only while it waits. A reader that takes each event as it comes
/// makes a busy worker queue, and the reader wake, at almost every tick; one
/// that looks ten times a second makes a tick cost next to nothing. So read
/// through [`sampled`](Self::sampled), or with [`ready`](Self::ready) and
/// [`drain`](Self::drain) at a pace of your own.
///
/// The stream gives an executor its turn, also if workers queue without pause:
/// when all has come that waited, it is pending once, and wakes at once.
///
/// # Cancel safety
///
/// No event is lost when a future or an iterator that borrows from here is
/// dropped.
///
/// # Examples
///
/// ```
/// use active_status::{Event, board};
///
/// let (board, mut events) = board();
/// board.println("hello");
/// board.close();
///
/// assert!(matches!(events.recv_blocking(), Some(Event::Line { text, .. }) if text == "hello"));
/// assert!(matches!(events.recv_blocking(), Some(Event::Closed { .. })));
/// assert_eq!(events.recv_blocking(), None);
/// ```
#[must_use = "a board whose events are dropped does nothing"]
pub struct Events {
    receiver: Receiver<Message>,
    shared: Arc<Shared>,
    /// The jobs that were added and have not ended: whatever they still hold
    /// when the board closes was written before that.
    live: BTreeMap<JobId, Arc<Cell>>,
    /// What was read off the channel and not taken.
    read: VecDeque<Event>,
    /// How many messages are left of those that were there when the stream last
    /// became ready; `None` while it waits.
    turn: Option<usize>,
    /// Whether everything was read, the close included.
    finished: bool,
}

impl Unpin for Events {}

impl Events {
    pub(crate) fn new(receiver: Receiver<Message>, shared: Arc<Shared>) -> Self {
        Self {
            receiver,
            shared,
            live: BTreeMap::new(),
            read: VecDeque::new(),
            turn: None,
            finished: false,
        }
    }

    /// Takes the next event, if there is one. `None` also after the end.
    pub fn try_recv(&mut self) -> Option<Event> {
        let mut all = usize::MAX;
        self.take(&mut all)
    }

    /// Waits for the next event. `None` after the end.
    ///
    /// It blocks the thread: async code uses the stream.
    pub fn recv_blocking(&mut self) -> Option<Event> {
        if let Some(event) = self.try_recv() {
            return Some(event);
        }
        let waker = unpark_this_thread();
        let mut cx = Context::from_waker(&waker);
        loop {
            match self.poll_event(&mut cx) {
                Poll::Ready(event) => return event,
                Poll::Pending => thread::park(),
            }
        }
    }

    /// Waits until there is something to take; `false` after the end.
    ///
    /// Nothing is taken, so news goes on to merge. On occasion there is nothing
    /// after all.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::{Event, board};
    ///
    /// # futures::executor::block_on(async {
    /// let (board, mut events) = board();
    /// let job = board.add_job("copy: ");
    /// drop((board, job));
    ///
    /// let mut seen = Vec::new();
    /// while events.ready().await {
    ///     seen.extend(events.drain());
    ///     // Here a board would be drawn, and then wait for a while.
    /// }
    /// assert!(matches!(seen[..], [Event::Added { .. }, Event::Ended { .. }, Event::Closed { .. }]));
    /// # });
    /// ```
    pub fn ready(&mut self) -> Ready<'_> {
        Ready { events: self }
    }

    /// Takes all that is there now. What comes meanwhile is left for the next
    /// time, so that this ends even if workers keep on ticking.
    pub fn drain(&mut self) -> Drain<'_> {
        let left = self.receiver.len();
        Drain { events: self, left }
    }

    /// The board's clock, on which the times of the events are: the time since
    /// it was made.
    pub fn now(&self) -> Duration {
        self.shared.now()
    }

    /// A stream that takes all that is there, then does not look for this long.
    ///
    /// `sleep` makes a future that waits for a time: the timer of your executor,
    /// such as `tokio::time::sleep` or `smol::Timer::after`. The first look is
    /// at once. The close comes up to this much late.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use active_status::{Event, board};
    /// use futures::StreamExt;
    ///
    /// # smol::block_on(async {
    /// let (board, events) = board();
    /// let job = board.add_job("copy: ");
    /// std::thread::spawn(move || {
    ///     for _ in 0..1_000_000 {
    ///         job.tick();
    ///     }
    ///     job.finish();
    /// });
    /// drop(board);
    ///
    /// let events = events.sampled(Duration::from_millis(100), smol::Timer::after);
    /// let events: Vec<Event> = events.collect().await;
    /// assert!(events.len() < 1_000);
    /// # });
    /// ```
    pub fn sampled<F, T>(self, every: Duration, sleep: F) -> Sampled<F, T>
    where
        F: FnMut(Duration) -> T,
        T: Future,
    {
        Sampled::new(self, every, sleep)
    }

    /// Puts the events on a channel of yours. It is done after the last event,
    /// or at the first one that finds the channel closed.
    ///
    /// While the channel is full, news merges on the board.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::{Event, board};
    ///
    /// # futures::executor::block_on(async {
    /// let (board, events) = board();
    /// let (sink, mine) = async_channel::bounded(16);
    /// board.println("hello");
    /// drop(board);
    /// events.forward(sink).await;
    /// assert!(matches!(mine.recv().await, Ok(Event::Line { text, .. }) if text == "hello"));
    /// # });
    /// ```
    pub fn forward(self, sink: Sender<Event>) -> Forward {
        Forward::new(self, sink)
    }
}

impl Events {
    /// Takes the next event, reading up to this many messages for it. A closed
    /// board gets no more of them, so they are read to the end.
    fn take(&mut self, left: &mut usize) -> Option<Event> {
        loop {
            if let Some(event) = self.read.pop_front() {
                return Some(event);
            }
            if self.finished || (*left == 0 && !self.receiver.is_closed()) {
                return None;
            }
            *left = left.saturating_sub(1);
            match self.receiver.try_recv() {
                Ok(message) => self.read(message),
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Closed) => self.finish(),
            }
        }
    }

    /// Reads a message: none, one or two events.
    fn read(&mut self, message: Message) {
        match message {
            Message::Added(cell) => self.read_row(cell),
            Message::News(cell) => self.read_news(&cell),
            Message::Ended(cell) => self.read_end(&cell),
            Message::Line(line) => self.read_line(line),
        }
    }

    fn read_row(&mut self, cell: Arc<Cell>) {
        let job = cell.id();
        if let Some((at, row)) = cell.read_row(self.now()) {
            self.read.push_back(Event::Added { at, job, row });
            self.live.insert(job, cell);
        }
    }

    fn read_news(&mut self, cell: &Cell) {
        // An update that raced the end may be queued behind it.
        let job = cell.id();
        if self.live.contains_key(&job) {
            let at = self.now();
            self.read.push_back(Event::Changed { at, job, change: cell.read(at) });
        }
    }

    fn read_end(&mut self, cell: &Cell) {
        let (job, at) = (cell.id(), self.now());
        if let Some(change) = cell.read_rest(at) {
            self.read.push_back(Event::Changed { at, job, change });
        }
        if let Some((at, outcome)) = cell.read_end() {
            self.read.push_back(Event::Ended { at, job, outcome });
            self.live.remove(&job);
        }
    }

    fn read_line(&mut self, line: String) {
        let at = self.now();
        let left_out = self.shared.line_taken(line.len());
        let lines = [Some(line), left_out].into_iter().flatten();
        self.read.extend(lines.map(|text| Event::Line { at, text }));
    }

    /// The board is closed and its channel empty. An update that was about to
    /// queue its cell had no luck, so look into the cells themselves.
    fn finish(&mut self) {
        while let Some((_, cell)) = self.live.pop_first() {
            self.read_end(&cell);
        }
        let at = self.shared.closed().unwrap_or_else(|| self.now());
        self.read.push_back(Event::Closed { at });
        self.finished = true;
    }

    /// Whether [`take`](Self::take) would find something; `None` after the end.
    fn looks_ready(&self) -> Option<bool> {
        if !self.read.is_empty() {
            return Some(true);
        }
        if self.finished {
            return None;
        }
        Some(!self.receiver.is_empty() || self.receiver.is_closed())
    }

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.looks_ready() == Some(false) {
            self.shared.bell().listen(cx.waker());
        }
        match self.looks_ready() {
            Some(false) => Poll::Pending,
            ready => Poll::Ready(ready.is_some()),
        }
    }

    /// As [`poll_ready`](Self::poll_ready), but when all was taken that was there
    /// at first, the executor has its turn.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let ready = self.poll_ready(cx);
        let over = self.turn == Some(0) && self.read.is_empty() && !self.receiver.is_closed();
        if ready == Poll::Ready(true) && !over {
            self.turn.get_or_insert_with(|| self.receiver.len());
            return ready;
        }
        self.turn = None;
        if ready == Poll::Ready(true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        ready
    }

    /// Takes an event of this turn, if there is one.
    fn take_in_turn(&mut self) -> Option<Event> {
        let mut left = self.turn.unwrap_or_default();
        let event = self.take(&mut left);
        self.turn = Some(left);
        event
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        while ready!(self.poll_turn(cx)) {
            if let Some(event) = self.take_in_turn() {
                return Poll::Ready(Some(event));
            }
        }
        Poll::Ready(None)
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.get_mut().poll_event(cx)
    }
}

impl FusedStream for Events {
    fn is_terminated(&self) -> bool {
        self.finished && self.read.is_empty()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.shared.bell().forget();
        self.receiver.close();
        // The handles keep the channel, but nobody the messages in it.
        while self.receiver.try_recv().is_ok() {}
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("waiting", &(self.read.len() + self.receiver.len()))
            .field("finished", &self.finished)
            .finish_non_exhaustive()
    }
}

/// The future of [`Events::ready`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Ready<'a> {
    events: &'a mut Events,
}

impl Future for Ready<'_> {
    type Output = bool;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        self.events.poll_ready(cx)
    }
}

/// The iterator of [`Events::drain`].
#[derive(Debug)]
#[must_use = "iterators do nothing unless iterated"]
pub struct Drain<'a> {
    events: &'a mut Events,
    left: usize,
}

impl Iterator for Drain<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.events.take(&mut self.left)
    }
}

#[cfg(all(test, not(active_status_loom)))]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::{Cell, Events};
    use crate::board::channel::{Link, Message, channel};
    use crate::board::event::{Event, Outcome, Row};

    /// A board whose clock stands at 0, and a job that was told of.
    fn job() -> (Arc<Link>, Events, Arc<Cell>) {
        let (link, receiver, shared) = channel(|| Duration::ZERO);
        let mut events = Events::new(receiver, shared);
        let cell = Arc::new(Cell::new(link.next_id(), link.now(), Row::default(), None));
        link.send(Message::Added(cell.clone()));
        assert_eq!(events.drain().count(), 1);
        (link, events, cell)
    }

    /// The texts and outcomes of these events.
    fn told(events: &mut Events) -> Vec<String> {
        let tell = |event| match event {
            Event::Changed { change, .. } => change.text.unwrap_or_default(),
            Event::Ended { outcome, .. } => format!("{outcome:?}"),
            other => format!("{other:?}"),
        };
        events.drain().map(tell).collect()
    }

    const CLOSED: &str = "Closed { at: 0ns }";

    // Rule 2
    #[test]
    fn an_update_that_stopped_before_it_was_queued_is_told_at_the_close() {
        let (link, mut events, cell) = job();
        assert!(cell.set_text("stopped here".into()));
        assert!(!cell.set_text("another thread's".into()));
        link.close();
        assert_eq!(told(&mut events), ["another thread's", CLOSED]);
    }

    #[test]
    fn an_end_that_stopped_before_it_was_queued_is_told_at_the_close() {
        let (link, mut events, cell) = job();
        assert!(cell.end(Duration::ZERO, Some(Outcome::Finished)));
        link.close();
        assert_eq!(told(&mut events), ["Finished", CLOSED]);
    }

    // Rule 2
    #[test]
    fn an_update_that_was_queued_behind_the_end_is_told_before_it() {
        let (link, mut events, cell) = job();
        assert!(cell.set_text("stopped here".into()));
        assert!(cell.end(Duration::ZERO, Some(Outcome::Finished)));
        link.send(Message::Ended(cell.clone()));
        link.send(Message::News(cell.clone()));
        assert_eq!(told(&mut events), ["stopped here", "Finished"]);
        assert!(!cell.tick(1), "nothing is queued after the end");
    }
}
