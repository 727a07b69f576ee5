//! Writing to the output without making anyone wait, and its size.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use crate::board::monotonic;
use crate::console::wait::Wait;
use crate::io::stdio;

/// How long an output that takes nothing is waited for at the end.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// How much one call of the writer is given, so that one can see it move.
const CHUNK: usize = 64 * 1024;

/// How long a writer that would block is left alone.
const BREATH: Duration = Duration::from_millis(10);

/// Where the size of the screen comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// The terminal that stderr is, asked each time.
    Stderr,
    /// Columns and rows.
    Fixed(u16, u16),
}

impl Size {
    /// Columns and rows now; 0 and 0 if nobody knows.
    pub(crate) fn now(self) -> (u16, u16) {
        match self {
            Self::Fixed(columns, rows) => (columns, rows),
            Self::Stderr => size_of_stderr().unwrap_or((0, 0)),
        }
    }
}

#[cfg(any(unix, windows))]
fn size_of_stderr() -> Option<(u16, u16)> {
    let (columns, rows) = terminal_size::terminal_size_of(stdio::stderr().ok()?)?;
    Some((columns.0, rows.0))
}

#[cfg(not(any(unix, windows)))]
fn size_of_stderr() -> Option<(u16, u16)> {
    None
}

/// Where the bytes go. It is written to on a thread of its own, never on a
/// worker's or an executor's.
pub(crate) struct Output {
    writer: Box<dyn Write + Send>,
    taken: Arc<AtomicU64>,
}

impl Output {
    pub(crate) fn new(writer: Box<dyn Write + Send>) -> Self {
        Self { writer, taken: Arc::default() }
    }

    /// Standard error, also while it is diverted.
    pub(crate) fn stderr() -> Self {
        match stdio::stderr() {
            Ok(stderr) => Self::new(Box::new(stderr)),
            // No descriptor is left for it.
            Err(_) => Self::new(Box::new(io::sink())),
        }
    }

    /// How often the writer took something: whether it moves.
    pub(crate) fn taken(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.taken)
    }

    /// Writes all of it and flushes. A writer that panics has failed.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        panic::catch_unwind(AssertUnwindSafe(|| self.write_chunks(bytes)))
            .unwrap_or_else(|_| Err(io::Error::other("the writer panicked")))
    }

    fn write_chunks(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut left = bytes;
        while !left.is_empty() {
            match self.writer.write(&left[..left.len().min(CHUNK)]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => left = left.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // Someone else made the terminal non-blocking.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    thread::park_timeout(BREATH);
                    continue;
                }
                Err(error) => return Err(error),
            }
            self.taken.fetch_add(1, Ordering::Relaxed);
        }
        self.writer.flush()
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").finish_non_exhaustive()
    }
}

/// A thread that writes for a future, one buffer at a time.
#[derive(Debug)]
pub(crate) struct WriterThread {
    shared: Arc<Shared>,
}

struct Shared {
    /// Real time, whatever the time on the board.
    now: Box<dyn Fn() -> Duration + Send + Sync>,
    state: Mutex<State>,
    /// The thread has something to do.
    work: Condvar,
    /// See [`Output::taken`].
    taken: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct State {
    /// Until the thread has it.
    output: Option<Output>,
    /// To be written next.
    buffer: Option<Vec<u8>>,
    /// A buffer that was written, for use again.
    spent: Vec<u8>,
    /// A buffer is being written.
    writing: bool,
    /// The output takes nothing any more.
    failed: bool,
    /// Nobody will write or wait again.
    closed: bool,
    /// Who waits until all is written.
    waiting: Option<Waker>,
    /// How long the future waits. An executor may be late; the thread is not, unless
    /// the process was stopped.
    watched: Option<Wait>,
    /// It was stopped since the future last asked.
    stopped: bool,
}

impl WriterThread {
    /// The thread starts when there is something to write.
    pub(crate) fn new(output: Output) -> Self {
        Self::with_clock(output, monotonic())
    }

    fn with_clock(output: Output, now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        let (now, taken) = (Box::new(now), output.taken());
        let state = Mutex::new(State { output: Some(output), ..State::default() });
        Self { shared: Arc::new(Shared { now, state, work: Condvar::new(), taken }) }
    }

    /// Starts the thread. If the system has none left, it is as if the output
    /// had failed.
    fn start(&self, output: Output) {
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new().name("active-status".into());
        if thread.spawn(move || shared.run(output)).is_err() {
            self.shared.lock().fail();
        }
    }

    /// Whether the output takes nothing any more.
    pub(crate) fn has_failed(&self) -> bool {
        self.shared.lock().failed
    }

    /// How often the output took something: whether it moves.
    pub(crate) fn taken(&self) -> u64 {
        self.shared.taken.load(Ordering::Relaxed)
    }

    /// A buffer to fill, empty.
    pub(crate) fn buffer(&self) -> Vec<u8> {
        std::mem::take(&mut self.shared.lock().spent)
    }

    /// Hands over a buffer: written at once if the thread is idle, else next,
    /// behind what is to be written next. Only the last of all buffers goes to a
    /// thread that is not idle, so that no more than two wait.
    pub(crate) fn write(&self, mut buffer: Vec<u8>) {
        let mut state = self.shared.lock();
        if buffer.is_empty() || state.failed {
            state.spent = buffer;
            state.spent.clear();
            return;
        }
        match &mut state.buffer {
            Some(next) => next.append(&mut buffer),
            None => state.buffer = Some(buffer),
        }
        self.shared.work.notify_one();
        let output = state.output.take();
        drop(state);
        if let Some(output) = output {
            self.start(output);
        }
    }

    /// Has the thread wait for this time as well, to see whether the process is
    /// stopped meanwhile. Before anything was written there is no thread.
    pub(crate) fn watch(&self, time: Duration) {
        let now = (self.shared.now)();
        let mut state = self.shared.lock();
        if state.output.is_none() {
            state.watched = Some(Wait::new(now, time));
            self.shared.work.notify_one();
        }
    }

    /// Whether the process was stopped since the last call.
    pub(crate) fn was_stopped(&self) -> bool {
        let now = (self.shared.now)();
        let mut state = self.shared.lock();
        if state.is_idle() && state.watched.is_some_and(|wait| wait.is_overdue(now)) {
            // The thread has not woken yet.
            state.watched = None;
            state.stopped = true;
        }
        std::mem::take(&mut state.stopped)
    }

    /// Ready when all that was handed over is written, or never will be.
    pub(crate) fn poll_idle(&self, cx: &mut Context<'_>) -> Poll<()> {
        // Wakers are cloned and dropped outside of the lock.
        let waiting = cx.waker().clone();
        let mut state = self.shared.lock();
        if state.is_idle() {
            return Poll::Ready(());
        }
        let _before = state.waiting.replace(waiting);
        drop(state);
        Poll::Pending
    }
}

impl Drop for WriterThread {
    /// The thread ends when it has written what it has. Nobody waits for it.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        let _waiting = state.waiting.take();
        self.shared.work.notify_one();
        drop(state);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No foreign code runs under the lock, so it cannot be poisoned.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread.
    fn run(&self, mut output: Output) {
        let mut state = self.lock();
        loop {
            if let Some(mut buffer) = state.buffer.take() {
                state.writing = true;
                drop(state);
                let written = output.write(&buffer);
                buffer.clear();
                state = self.lock();
                state.writing = false;
                state.spent = buffer;
                // It may be the output that took so long.
                state.watched = state.watched.filter(|wait| !wait.is_overdue((self.now)()));
                if written.is_err() {
                    state.fail();
                }
            } else if let Some(waiting) = state.waiting.take() {
                drop(state);
                // Foreign code; its panics are its own.
                let _ = panic::catch_unwind(AssertUnwindSafe(|| waiting.wake()));
                state = self.lock();
            } else if state.closed {
                break;
            } else if let Some(wait) = state.watched {
                state = self.wait(state, wait);
            } else {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

impl Shared {
    /// Waits for something to do, or for this.
    fn wait<'a>(&'a self, mut state: MutexGuard<'a, State>, wait: Wait) -> MutexGuard<'a, State> {
        let now = (self.now)();
        if wait.left(now).is_zero() {
            state.stopped |= wait.is_overdue(now);
            state.watched = None;
            return state;
        }
        let waited = self.work.wait_timeout(state, wait.left(now));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("state", &self.state).finish_non_exhaustive()
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.failed || (self.buffer.is_none() && !self.writing)
    }

    fn fail(&mut self) {
        self.failed = true;
        self.buffer = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver, Sender};
    use std::task::Wake;

    use super::*;

    /// How long a test waits before it fails rather than hang.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// A writer that says what it takes, and then does what it is told.
    struct Told {
        took: Sender<Vec<u8>>,
        orders: Receiver<io::Result<usize>>,
    }

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.took.send(bytes.to_vec());
            self.orders.recv_timeout(PATIENCE).expect("an order")
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn told() -> (Output, Receiver<Vec<u8>>, Sender<io::Result<usize>>) {
        let (took, taken) = mpsc::channel();
        let (order, orders) = mpsc::channel();
        (Output::new(Box::new(Told { took, orders })), taken, order)
    }

    fn order(orders: &Sender<io::Result<usize>>, order: io::Result<usize>) {
        orders.send(order).expect("a writer that listens");
    }

    fn next<T>(receiver: &Receiver<T>) -> T {
        receiver.recv_timeout(PATIENCE).expect("something within a minute")
    }

    /// A waker that sends a message.
    struct Call(Sender<()>);

    impl Wake for Call {
        fn wake(self: Arc<Self>) {
            let _ = self.0.send(());
        }
    }

    fn call() -> (Waker, Receiver<()>) {
        let (sender, receiver) = mpsc::channel();
        (Arc::new(Call(sender)).into(), receiver)
    }

    #[test]
    fn an_output_goes_on_where_the_writer_stopped() {
        let (mut output, taken, orders) = told();
        let interruptions = [ErrorKind::Interrupted, ErrorKind::WouldBlock];
        interruptions.into_iter().for_each(|kind| order(&orders, Err(kind.into())));
        order(&orders, Ok(2));
        order(&orders, Ok(3));
        output.write(b"hello").expect("a writer that takes all");
        let calls: Vec<_> = taken.try_iter().collect();
        assert_eq!(calls, [b"hello".to_vec(), b"hello".into(), b"hello".into(), b"llo".into()]);
    }

    #[test]
    fn an_output_gives_a_large_buffer_in_pieces() {
        let (mut output, taken, orders) = told();
        order(&orders, Ok(CHUNK));
        order(&orders, Ok(1));
        output.write(&vec![b'x'; CHUNK + 1]).expect("a writer that takes all");
        assert_eq!(taken.try_iter().map(|call| call.len()).collect::<Vec<_>>(), [CHUNK, 1]);
    }

    #[test]
    fn an_output_fails_when_the_writer_takes_nothing_or_panics() {
        struct Panics;
        impl Write for Panics {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                panic!("no write")
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (mut output, _taken, orders) = told();
        order(&orders, Ok(0));
        assert_eq!(output.write(b"x").map_err(|error| error.kind()), Err(ErrorKind::WriteZero));
        assert!(Output::new(Box::new(Panics)).write(b"x").is_err());
    }

    #[test]
    fn a_buffer_is_written_while_the_future_waits_to_be_woken() {
        let (output, taken, orders) = told();
        let (waker, calls) = call();
        let mut cx = Context::from_waker(&waker);
        let writer = WriterThread::new(output);
        assert!(writer.poll_idle(&mut cx).is_ready());
        writer.write(b"one".to_vec());
        assert_eq!(next(&taken), b"one");
        assert!(writer.poll_idle(&mut cx).is_pending());
        order(&orders, Ok(3));
        next(&calls);
        assert!(writer.poll_idle(&mut cx).is_ready());
    }

    // Rule 19
    #[test]
    fn buffers_that_wait_are_written_together() {
        let (output, taken, orders) = told();
        let writer = WriterThread::new(output);
        writer.write(b"one".to_vec());
        next(&taken);
        writer.write(b"two".to_vec());
        writer.write(b"three".to_vec());
        order(&orders, Ok(3));
        assert_eq!(next(&taken), b"twothree");
        order(&orders, Ok(8));
    }

    #[test]
    fn what_was_handed_over_is_written_after_nobody_waits_any_more() {
        let (output, taken, orders) = told();
        let writer = WriterThread::new(output);
        writer.write(b"one".to_vec());
        next(&taken);
        writer.write(b"two".to_vec());
        drop(writer);
        order(&orders, Ok(3));
        assert_eq!(next(&taken), b"two");
        order(&orders, Ok(3));
    }

    #[test]
    fn after_an_error_nothing_is_written_and_nobody_waits() {
        let (output, taken, orders) = told();
        let (waker, calls) = call();
        let mut cx = Context::from_waker(&waker);
        let writer = WriterThread::new(output);
        writer.write(b"one".to_vec());
        next(&taken);
        assert!(writer.poll_idle(&mut cx).is_pending());
        order(&orders, Err(ErrorKind::BrokenPipe.into()));
        next(&calls);
        assert!(writer.has_failed());
        writer.write(b"two".to_vec());
        assert!(writer.poll_idle(&mut cx).is_ready());
        assert!(taken.try_recv().is_err());
    }

    #[test]
    fn a_wait_that_is_overdue_was_a_stop_and_is_told_once() {
        let (output, taken, orders) = told();
        let time = Arc::new(AtomicU64::new(0));
        let now = Arc::clone(&time);
        let now = move || Duration::from_millis(now.load(Ordering::Relaxed));
        let writer = WriterThread::with_clock(output, now);
        // Nothing was written, so nothing can be written over.
        writer.watch(Duration::from_secs(100));
        time.store(200_000, Ordering::Relaxed);
        assert!(!writer.was_stopped());
        writer.write(b"one".to_vec());
        next(&taken);
        order(&orders, Ok(3));
        let (waker, calls) = call();
        if writer.poll_idle(&mut Context::from_waker(&waker)).is_pending() {
            next(&calls);
        }
        for (late, stopped) in [(0, false), (1_000, false), (1_001, true)] {
            writer.watch(Duration::from_secs(100));
            time.fetch_add(100_000 + late, Ordering::Relaxed);
            assert_eq!(writer.was_stopped(), stopped, "{late} ms late");
            assert!(!writer.was_stopped());
        }
    }

    #[test]
    fn an_output_that_takes_long_is_no_stop() {
        let (output, taken, orders) = told();
        let time = Arc::new(AtomicU64::new(0));
        let now = Arc::clone(&time);
        let writer = WriterThread::with_clock(output, move || {
            Duration::from_secs(now.load(Ordering::Relaxed))
        });
        writer.write(b"one".to_vec());
        next(&taken);
        writer.watch(Duration::from_secs(1));
        time.store(100, Ordering::Relaxed);
        assert!(!writer.was_stopped());
        let (waker, calls) = call();
        assert!(writer.poll_idle(&mut Context::from_waker(&waker)).is_pending());
        order(&orders, Ok(3));
        next(&calls);
        assert!(!writer.was_stopped());
    }

    #[test]
    fn dropping_the_writer_gives_up_the_waker_of_who_waits() {
        let (output, taken, orders) = told();
        let held = Arc::new(Call(mpsc::channel().0));
        let waker = Waker::from(Arc::clone(&held));
        let writer = WriterThread::new(output);
        writer.write(b"one".to_vec());
        next(&taken);
        assert!(writer.poll_idle(&mut Context::from_waker(&waker)).is_pending());
        drop((writer, waker));
        assert_eq!(Arc::strong_count(&held), 1);
        order(&orders, Ok(3));
    }
}
