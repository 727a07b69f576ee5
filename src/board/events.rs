//! The events of a board, as a stream.

pub(crate) mod forward;
pub(crate) mod sampled;
pub(crate) mod tee;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_channel::{Receiver, Sender, TryRecvError};
use futures_core::{FusedStream, Stream};

use crate::board::alarm::Alarm;
use crate::board::channel::{BoardState, Message};
use crate::board::event::{Event, JobId};
use crate::board::events::forward::Forward;
use crate::board::events::sampled::Sampled;
use crate::board::flush::{self, Mark};
use crate::board::job::state::JobState;

/// The receiving half of a board: a stream of [`Event`]s.
///
/// Events arrive in the order of the calls, except for changes. All updates of a job
/// since it was last read merge into one [`Event::Changed`], which arrives after the job
/// was added and before it ends, and may be newer than the events that follow it.
/// Therefore at most three events per job are pending, even if the board is not read, and
/// the last state of every job arrives.
///
/// The last event is [`Event::Closed`], which arrives after
/// [`close`](crate::Board::close) or when the last handle of the board is dropped. Then
/// the stream ends. Once the events are dropped, updates do nothing.
///
/// # Choosing a pace
///
/// Updates merge only while they are pending. If the reader takes each event immediately,
/// a busy worker queues an update and wakes the reader at almost every tick. If the
/// reader takes events ten times per second, a tick costs a few nanoseconds. To read at
/// intervals, use [`sampled`](Self::sampled), or call [`ready`](Self::ready) and
/// [`drain`](Self::drain) and then wait.
///
/// The stream is cooperative: after delivering everything that was queued when it became
/// ready, it wakes itself and returns `Pending` once.
///
/// # Cancel safety
///
/// No event is lost if a future or an iterator that borrows the events is dropped.
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
    board: Arc<BoardState>,
    /// The jobs that were added and have not ended. Updates that they still hold when the
    /// board closes were made before the close.
    running: BTreeMap<JobId, Arc<JobState>>,
    /// Events that were read from the channel and not yet yielded.
    read: VecDeque<Event>,
    /// The number of messages left of those that were queued when the stream last became
    /// ready; `None` while it is not ready.
    batch: Option<usize>,
    /// Whether everything was read, including the close.
    finished: bool,
    /// The marks of flushes that were read. They are dropped when the reader polls again
    /// after a pause, because it could show its events during the pause.
    marks: Vec<Mark>,
    /// Whether the reader has paused: the last read gave it nothing.
    paused: bool,
}

impl Unpin for Events {}

impl Events {
    pub(crate) fn new(receiver: Receiver<Message>, board: Arc<BoardState>) -> Self {
        Self {
            receiver,
            board,
            running: BTreeMap::new(),
            read: VecDeque::new(),
            batch: None,
            finished: false,
            marks: Vec::new(),
            paused: false,
        }
    }

    /// Returns the next event if one is pending; `None` otherwise and after the end.
    pub fn try_recv(&mut self) -> Option<Event> {
        let mut all = usize::MAX;
        self.take(&mut all)
    }

    /// Blocks until the next event, and returns it. Returns `None` after the end.
    ///
    /// Async code should use the stream instead.
    pub fn recv_blocking(&mut self) -> Option<Event> {
        if let Some(event) = self.try_recv() {
            return Some(event);
        }
        let alarm = Arc::new(Alarm::default());
        let waker = alarm.waker();
        let mut cx = Context::from_waker(&waker);
        loop {
            match self.poll_event(&mut cx) {
                Poll::Ready(event) => return event,
                Poll::Pending => _ = alarm.sleep(None),
            }
        }
    }

    /// Waits until an event is pending. Resolves to `false` after the end.
    ///
    /// No event is taken, so updates continue to merge. In rare cases the future resolves to
    /// `true` although no event is pending.
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
    ///     // A reader would draw here, and then wait.
    /// }
    /// assert!(matches!(seen[..], [Event::Added { .. }, Event::Ended { .. }, Event::Closed { .. }]));
    /// # });
    /// ```
    pub fn ready(&mut self) -> Ready<'_> {
        Ready { events: self }
    }

    /// Returns an iterator that takes all pending events.
    ///
    /// Events that arrive during the iteration are left for the next call, so it ends even if
    /// workers update their jobs without pause.
    pub fn drain(&mut self) -> Drain<'_> {
        let left = self.receiver.len();
        Drain { events: self, left }
    }

    /// Returns the current time on the board's clock, which also gives the events their times.
    pub fn now(&self) -> Duration {
        self.board.now()
    }

    /// Returns a stream that yields all pending events, then waits for the interval
    /// `every` before it reads again.
    ///
    /// `sleep` creates a timer of the executor, such as `tokio::time::sleep` or
    /// `smol::Timer::after`. The first events are yielded immediately. The close may
    /// arrive late by up to one interval.
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

    /// Sends the events to a channel.
    ///
    /// The future completes after the last event, or when the channel is closed. While
    /// the channel is full, updates merge on the board.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::{Event, board};
    ///
    /// # futures::executor::block_on(async {
    /// let (board, events) = board();
    /// let (sink, received) = async_channel::bounded(16);
    /// board.println("hello");
    /// drop(board);
    /// events.forward(sink).await;
    /// assert!(matches!(received.recv().await, Ok(Event::Line { text, .. }) if text == "hello"));
    /// # });
    /// ```
    pub fn forward(self, sink: Sender<Event>) -> Forward {
        Forward::new(self, sink)
    }
}

impl Events {
    /// Returns the state that the stream shares with its board.
    pub(crate) fn board(&self) -> &BoardState {
        &self.board
    }

    /// Takes the next event, and reads at most `left` messages for it. The messages of a
    /// closed board are all read, because no more can arrive.
    fn take(&mut self, left: &mut usize) -> Option<Event> {
        self.resume();
        loop {
            if let Some(event) = self.read.pop_front() {
                return Some(event);
            }
            if self.finished || (*left == 0 && !self.receiver.is_closed()) {
                break;
            }
            *left = left.saturating_sub(1);
            match self.receiver.try_recv() {
                Ok(message) => self.read(message),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Closed) => self.finish(),
            }
        }
        self.paused = true;
        None
    }

    /// Continues after a pause. The reader has shown what it was given, unless it is
    /// behind.
    fn resume(&mut self) {
        if mem::take(&mut self.paused) && !flush::is_behind() {
            self.marks.clear();
        }
    }

    /// Gives the reader nothing for now. If a flush waits, the reader is woken to return
    /// at once.
    fn pause(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.paused = true;
        if !self.marks.is_empty() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Reads a message, which yields up to two events.
    fn read(&mut self, message: Message) {
        match message {
            Message::Added(state) => self.read_row(state),
            Message::Updated(state) => self.read_update(&state),
            Message::Ended(state) => self.read_end(&state),
            Message::Line(line) => self.read_line(line),
            Message::Partials => self.read_partials(),
            Message::Mark(mark) => self.marks.push(mark),
        }
    }

    fn read_row(&mut self, state: Arc<JobState>) {
        let job = state.id();
        if let Some((at, row)) = state.read_row(self.now()) {
            self.read.push_back(Event::Added { at, job, row });
            self.running.insert(job, state);
        }
    }

    fn read_update(&mut self, state: &JobState) {
        // An update that raced with the end may be queued after it.
        let job = state.id();
        if self.running.contains_key(&job) {
            let at = self.now();
            self.read.push_back(Event::Changed { at, job, change: state.read(at) });
        }
    }

    fn read_end(&mut self, state: &JobState) {
        let (job, at) = (state.id(), self.now());
        if let Some(change) = state.read_rest(at) {
            self.read.push_back(Event::Changed { at, job, change });
        }
        if let Some((at, outcome)) = state.read_end() {
            self.read.push_back(Event::Ended { at, job, outcome });
            self.running.remove(&job);
        }
    }

    fn read_line(&mut self, line: String) {
        let at = self.now();
        let omitted = self.board.room().take(line.len());
        let lines = [Some(line), omitted].into_iter().flatten();
        self.read.extend(lines.map(|text| Event::Line { at, text }));
    }

    fn read_partials(&mut self) {
        let at = self.now();
        let changed = self.board.partials().read();
        self.read.extend(changed.map(|text| Event::Partial { at, text }));
    }

    /// Reads the remaining states of the jobs, once the board is closed and its channel
    /// is empty: an update may have been written but not queued.
    fn finish(&mut self) {
        while let Some((_, state)) = self.running.pop_first() {
            self.read_end(&state);
        }
        let now = self.now();
        let partial = self.board.partials().take_all();
        self.read.extend(partial.map(|text| Event::Line { at: now, text }));
        self.read_partials();
        let at = self.board.closed().unwrap_or(now);
        self.read.push_back(Event::Closed { at });
        self.finished = true;
    }

    /// Returns `Some(true)` if [`take`](Self::take) may return an event, and `None` after
    /// the end.
    fn looks_ready(&self) -> Option<bool> {
        if !self.read.is_empty() {
            return Some(true);
        }
        if self.finished {
            return None;
        }
        Some(!self.receiver.is_empty() || self.receiver.is_closed())
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.resume();
        if self.looks_ready() == Some(false) {
            self.board.notify().listen(cx.waker());
        }
        match self.looks_ready() {
            Some(false) => self.pause(cx),
            ready => Poll::Ready(ready.is_some()),
        }
    }

    /// Like [`poll_ready`](Self::poll_ready), but yields to the executor after each
    /// batch.
    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let ready = self.poll_ready(cx);
        let done = self.batch == Some(0) && self.read.is_empty() && !self.receiver.is_closed();
        if ready == Poll::Ready(true) && !done {
            self.batch.get_or_insert_with(|| self.receiver.len());
            return ready;
        }
        self.batch = None;
        if ready == Poll::Ready(true) {
            cx.waker().wake_by_ref();
            return self.pause(cx);
        }
        ready
    }

    /// Takes an event of the batch, if one is left.
    fn take_of_batch(&mut self) -> Option<Event> {
        let mut left = self.batch.unwrap_or_default();
        let event = self.take(&mut left);
        // The poll continues, so the reader is not paused.
        self.paused = false;
        self.batch = Some(left);
        event
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        while ready!(self.poll_batch(cx)) {
            if let Some(event) = self.take_of_batch() {
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
        self.board.notify().forget();
        self.receiver.close();
        // The handles keep the channel alive, so its messages are dropped here.
        while self.receiver.try_recv().is_ok() {}
        self.board.room().wake_all();
        let _lines = self.board.partials().take_all();
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("pending", &(self.read.len() + self.receiver.len()))
            .field("finished", &self.finished)
            .finish_non_exhaustive()
    }
}

/// The future returned by [`Events::ready`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Ready<'a> {
    events: &'a mut Events,
}

impl Future for Ready<'_> {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        self.events.poll_ready(cx)
    }
}

/// The iterator returned by [`Events::drain`].
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

    use super::{Events, JobState};
    use crate::board::channel::{Link, Message, channel};
    use crate::board::event::{Event, Outcome, Row};

    /// Creates a board whose clock stands at 0, and a job whose addition was read.
    fn job() -> (Arc<Link>, Events, Arc<JobState>) {
        let (link, receiver, board) = channel(|| Duration::ZERO);
        let mut events = Events::new(receiver, board);
        let state = Arc::new(JobState::new(
            link.next_id(),
            link.now(),
            Row::default(),
            Default::default(),
            0,
        ));
        link.send(Message::Added(state.clone()));
        assert_eq!(events.drain().count(), 1);
        (link, events, state)
    }

    /// Takes the pending events, and returns their texts and outcomes.
    fn snapshot(events: &mut Events) -> Vec<String> {
        let text = |event| match event {
            Event::Changed { change, .. } => change.text.unwrap_or_default(),
            Event::Ended { outcome, .. } => format!("{outcome:?}"),
            other => format!("{other:?}"),
        };
        events.drain().map(text).collect()
    }

    const CLOSED: &str = "Closed { at: 0ns }";

    // Rule 2
    #[test]
    fn an_update_that_is_not_queued_yet_arrives_at_the_close() {
        let (link, mut events, state) = job();
        assert!(state.set_text("stopped here".into()));
        assert!(!state.set_text("another thread's".into()));
        link.close();
        assert_eq!(snapshot(&mut events), ["another thread's", CLOSED]);
    }

    #[test]
    fn an_end_that_is_not_queued_yet_arrives_at_the_close() {
        let (link, mut events, state) = job();
        assert!(state.end(Duration::ZERO, Some(Outcome::Finished)));
        link.close();
        assert_eq!(snapshot(&mut events), ["Finished", CLOSED]);
    }

    // Rule 2
    #[test]
    fn an_update_queued_after_the_end_arrives_before_it() {
        let (link, mut events, state) = job();
        assert!(state.set_text("stopped here".into()));
        assert!(state.end(Duration::ZERO, Some(Outcome::Finished)));
        link.send(Message::Ended(state.clone()));
        link.send(Message::Updated(state.clone()));
        assert_eq!(snapshot(&mut events), ["stopped here", "Finished"]);
        assert!(!state.tick(1), "no update is queued after the end");
    }
}
