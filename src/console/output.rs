//! The output of a console: its size, and the thread that writes to it.

use std::fmt;
#[cfg(all(unix, feature = "capture"))]
use std::io::IsTerminal;
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use crate::board::clock::monotonic;
use crate::board::lock::ignore_poison;
use crate::console::wait::Wait;
use crate::io::stdio::{self, Target};
use crate::io::terminal::Permit;

/// How long the end waits for an output that makes no progress.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// The most bytes per write. A completed write counts as progress.
const CHUNK: usize = 64 * 1024;

/// The same for a terminal. At 1 KiB, even 1,000 bytes per second are progress.
const TERMINAL_CHUNK: usize = 1024;

/// The pause after a write that would block.
const RETRY: Duration = Duration::from_millis(10);

/// The source of the size of the screen.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Size {
    /// A standard stream, which is asked for every frame.
    Of(Target),
    /// Columns and rows.
    Fixed(u16, u16),
    /// Columns that a test sets, and rows.
    #[cfg(test)]
    Columns(&'static AtomicU64, u16),
}

impl Size {
    /// Returns the current columns and rows; 0 if unknown.
    pub(crate) fn now(self) -> (u16, u16) {
        match self {
            Self::Fixed(columns, rows) => (columns, rows),
            #[cfg(test)]
            Self::Columns(columns, rows) => (columns.load(Ordering::Relaxed) as u16, rows),
            Self::Of(stream) => size_of(stream).unwrap_or((0, 0)),
        }
    }
}

#[cfg(any(unix, windows))]
fn size_of(stream: Target) -> Option<(u16, u16)> {
    let (columns, rows) = terminal_size::terminal_size_of(stdio::open(stream).ok()?)?;
    Some((columns.0, rows.0))
}

#[cfg(not(any(unix, windows)))]
fn size_of(_: Target) -> Option<(u16, u16)> {
    None
}

/// The destination of bytes. Only a thread of the console writes to it, never a
/// worker or an executor.
pub(crate) struct Output {
    writer: Box<dyn Write + Send>,
    /// The most bytes per write.
    chunk: usize,
    progress: Progress,
}

/// The progress of an output: the number of writes that have begun or ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress(Arc<AtomicU64>);

impl Progress {
    /// Returns a value that changes whenever a write begins or ends.
    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Returns whether the write in progress is the one that was in progress then. An output
    /// that waits for its next write has not stalled, whatever the board does.
    pub(crate) fn has_stalled_since(&self, then: u64) -> bool {
        is_writing(then) && then == self.now()
    }

    fn begin_write(&self) {
        if !is_writing(self.now()) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn end_write(&self) {
        if is_writing(self.now()) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Every other value belongs to a write in progress.
const fn is_writing(progress: u64) -> bool {
    progress % 2 == 1
}

impl Output {
    pub(crate) fn new(writer: Box<dyn Write + Send>) -> Self {
        Self { writer, chunk: CHUNK, progress: Progress::default() }
    }

    /// Returns the original standard stream, even while it is redirected.
    pub(crate) fn standard(stream: Target) -> Self {
        match stdio::open(stream) {
            Ok(stream) => {
                let chunk = if stream.is_terminal() { TERMINAL_CHUNK } else { CHUNK };
                Self { chunk, ..Self::new(Box::new(stream)) }
            }
            // The process has run out of descriptors.
            Err(_) => Self::new(Box::new(io::sink())),
        }
    }

    pub(crate) fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Writes all bytes and flushes. A panic of the writer is an error.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let written = panic::catch_unwind(AssertUnwindSafe(|| self.write_chunks(bytes)));
        self.progress.end_write();
        written.unwrap_or_else(|_| Err(io::Error::other("the writer panicked")))
    }

    fn write_chunks(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut left = bytes;
        while !left.is_empty() {
            self.progress.begin_write();
            match self.writer.write(&left[..left.len().min(self.chunk)]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => left = left.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // Another process made the terminal non-blocking.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    thread::park_timeout(RETRY);
                    continue;
                }
                Err(error) => return Err(error),
            }
            self.progress.end_write();
        }
        self.progress.begin_write();
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
    /// Real time, independent of the clock of the board.
    now: Box<dyn Fn() -> Duration + Send + Sync>,
    state: Mutex<State>,
    /// Notified when the thread has work.
    work: Condvar,
    progress: Progress,
}

#[derive(Debug, Default)]
struct State {
    /// The output, until the thread takes it.
    output: Option<Output>,
    /// The buffer to write next.
    buffer: Option<Vec<u8>>,
    /// The permits of that buffer, which end when it has been written.
    permits: Vec<Permit>,
    /// A written buffer, to be reused.
    spent: Vec<u8>,
    /// Whether the thread is writing.
    writing: bool,
    /// Returns whether the output has failed.
    failed: bool,
    /// Whether the future is gone.
    closed: bool,
    /// The waker to call when everything is written.
    waiting: Option<Waker>,
    /// The wait of the future. An executor may be late; the thread is late only if the
    /// process was stopped.
    watched: Option<Wait>,
    /// Whether the process was stopped since the last check.
    stopped: bool,
}

impl WriterThread {
    /// The thread starts with the first write.
    pub(crate) fn new(output: Output) -> Self {
        Self::with_clock(output, monotonic())
    }

    fn with_clock(output: Output, now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        let (now, progress) = (Box::new(now), output.progress());
        let state = Mutex::new(State { output: Some(output), ..State::default() });
        Self { shared: Arc::new(Shared { now, state, work: Condvar::new(), progress }) }
    }

    /// Starts the thread. Without a thread, the output counts as failed.
    fn start(&self, output: Output) {
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new().name("active-status".into());
        if thread.spawn(move || shared.run(output)).is_err() {
            self.shared.lock().fail();
        }
    }

    /// Whether the output has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.shared.lock().failed
    }

    pub(crate) fn progress(&self) -> &Progress {
        &self.shared.progress
    }

    /// Returns an empty buffer to fill.
    pub(crate) fn buffer(&self) -> Vec<u8> {
        std::mem::take(&mut self.shared.lock().spent)
    }

    /// Hands over a buffer. An idle thread writes it immediately; otherwise it is
    /// appended to the next buffer. Only the last frame is handed to a busy thread, so
    /// at most two frames are pending.
    pub(crate) fn write(&self, mut buffer: Vec<u8>, permit: Option<Permit>) {
        let mut state = self.shared.lock();
        if buffer.is_empty() || state.failed {
            state.spent = buffer;
            state.spent.clear();
            return;
        }
        state.permits.extend(permit);
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

    /// Makes the thread wait for the given time, too, to detect whether the process is
    /// stopped meanwhile. There is no thread before the first write.
    pub(crate) fn watch(&self, time: Duration) {
        let now = (self.shared.now)();
        let mut state = self.shared.lock();
        if state.output.is_none() {
            state.watched = Some(Wait::new(now, time));
            self.shared.work.notify_one();
        }
    }

    /// Returns whether the process was stopped since the last call.
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

    /// Ready when every buffer has been written, or the output has failed.
    pub(crate) fn poll_idle(&self, cx: &mut Context<'_>) -> Poll<()> {
        // Wakers are cloned and dropped without holding the lock.
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
    /// The thread ends after it has written its buffers, without being joined.
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
        ignore_poison(self.state.lock())
    }

    /// Runs the thread.
    fn run(&self, mut output: Output) {
        let mut state = self.lock();
        loop {
            if let Some(mut buffer) = state.buffer.take() {
                let permits = mem::take(&mut state.permits);
                state.writing = true;
                drop(state);
                let written = output.write(&buffer);
                drop(permits);
                buffer.clear();
                state = self.lock();
                state.writing = false;
                state.spent = buffer;
                // A slow write is not a stop.
                state.watched = state.watched.filter(|wait| !wait.is_overdue((self.now)()));
                if written.is_err() {
                    state.fail();
                }
            } else if let Some(waiting) = state.waiting.take() {
                drop(state);
                // A foreign waker may panic.
                let _ = panic::catch_unwind(AssertUnwindSafe(|| waiting.wake()));
                state = self.lock();
            } else if state.closed {
                break;
            } else if let Some(wait) = state.watched {
                state = self.wait(state, wait);
            } else {
                state = ignore_poison(self.work.wait(state));
            }
        }
    }
}

impl Shared {
    /// Waits for work, or for the end of a wait.
    fn wait<'a>(&'a self, mut state: MutexGuard<'a, State>, wait: Wait) -> MutexGuard<'a, State> {
        let now = (self.now)();
        if wait.left(now).is_zero() {
            state.stopped |= wait.is_overdue(now);
            state.watched = None;
            return state;
        }
        let waited = self.work.wait_timeout(state, wait.left(now));
        ignore_poison(waited).0
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
        self.permits.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver, Sender};
    use std::task::Wake;

    use super::*;

    /// How long a test waits before it fails rather than hang.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// A writer that reports each call and then returns the result it is given.
    struct Scripted {
        took: Sender<Vec<u8>>,
        orders: Receiver<io::Result<usize>>,
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.took.send(bytes.to_vec());
            self.orders.recv_timeout(PATIENCE).expect("an order")
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn scripted() -> (Output, Receiver<Vec<u8>>, Sender<io::Result<usize>>) {
        let (took, taken) = mpsc::channel();
        let (order, orders) = mpsc::channel();
        (Output::new(Box::new(Scripted { took, orders })), taken, order)
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
    fn an_output_continues_where_the_writer_stopped() {
        let (mut output, taken, orders) = scripted();
        let interruptions = [ErrorKind::Interrupted, ErrorKind::WouldBlock];
        interruptions.into_iter().for_each(|kind| order(&orders, Err(kind.into())));
        order(&orders, Ok(2));
        order(&orders, Ok(3));
        output.write(b"hello").expect("a writer that takes all");
        let calls: Vec<_> = taken.try_iter().collect();
        assert_eq!(calls, [b"hello".to_vec(), b"hello".into(), b"hello".into(), b"llo".into()]);
    }

    #[test]
    fn a_large_buffer_is_written_in_chunks() {
        let (mut output, taken, orders) = scripted();
        order(&orders, Ok(CHUNK));
        order(&orders, Ok(1));
        output.write(&vec![b'x'; CHUNK + 1]).expect("a writer that takes all");
        assert_eq!(taken.try_iter().map(|call| call.len()).collect::<Vec<_>>(), [CHUNK, 1]);
    }

    #[test]
    fn a_terminal_gets_at_most_1_kib_per_write() {
        let (output, taken, orders) = scripted();
        let mut output = Output { chunk: TERMINAL_CHUNK, ..output };
        (0..2).for_each(|_| order(&orders, Ok(1024)));
        output.write(&[b'x'; 2048]).expect("a writer that takes all");
        assert_eq!(taken.try_iter().map(|call| call.len()).collect::<Vec<_>>(), [1024, 1024]);
    }

    // Rule 21
    #[test]
    fn only_a_write_in_progress_can_stall() {
        let (mut output, taken, orders) = scripted();
        let progress = output.progress();
        assert!(!progress.has_stalled_since(progress.now()), "before the first write");
        let writer = thread::spawn(move || output.write(b"hello").map(|()| output));
        next(&taken);
        let before = progress.now();
        assert!(progress.has_stalled_since(before));
        // A writer that would block has not accepted anything.
        order(&orders, Err(ErrorKind::WouldBlock.into()));
        next(&taken);
        assert!(progress.has_stalled_since(before));
        order(&orders, Ok(2));
        next(&taken);
        assert!(!progress.has_stalled_since(before));
        assert!(progress.has_stalled_since(progress.now()));
        order(&orders, Ok(3));
        writer.join().expect("no panic").expect("a writer that takes all");
        assert!(!progress.has_stalled_since(progress.now()), "after the last write");
    }

    #[test]
    fn a_writer_that_accepts_nothing_or_panics_is_an_error() {
        struct Panics;
        impl Write for Panics {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                panic!("no write")
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (mut output, _taken, orders) = scripted();
        order(&orders, Ok(0));
        assert_eq!(output.write(b"x").map_err(|error| error.kind()), Err(ErrorKind::WriteZero));
        assert!(Output::new(Box::new(Panics)).write(b"x").is_err());
    }

    #[test]
    fn the_future_is_woken_when_a_buffer_is_written() {
        let (output, taken, orders) = scripted();
        let (waker, calls) = call();
        let mut cx = Context::from_waker(&waker);
        let writer = WriterThread::new(output);
        assert!(writer.poll_idle(&mut cx).is_ready());
        writer.write(b"one".to_vec(), None);
        assert_eq!(next(&taken), b"one");
        assert!(writer.poll_idle(&mut cx).is_pending());
        order(&orders, Ok(3));
        next(&calls);
        assert!(writer.poll_idle(&mut cx).is_ready());
    }

    // Rule 19
    #[test]
    fn pending_buffers_are_written_together() {
        let (output, taken, orders) = scripted();
        let writer = WriterThread::new(output);
        writer.write(b"one".to_vec(), None);
        next(&taken);
        writer.write(b"two".to_vec(), None);
        writer.write(b"three".to_vec(), None);
        order(&orders, Ok(3));
        assert_eq!(next(&taken), b"twothree");
        order(&orders, Ok(8));
    }

    #[test]
    fn pending_buffers_are_written_after_the_drop() {
        let (output, taken, orders) = scripted();
        let writer = WriterThread::new(output);
        writer.write(b"one".to_vec(), None);
        next(&taken);
        writer.write(b"two".to_vec(), None);
        drop(writer);
        order(&orders, Ok(3));
        assert_eq!(next(&taken), b"two");
        order(&orders, Ok(3));
    }

    #[test]
    fn after_an_error_nothing_is_written() {
        let (output, taken, orders) = scripted();
        let (waker, calls) = call();
        let mut cx = Context::from_waker(&waker);
        let writer = WriterThread::new(output);
        writer.write(b"one".to_vec(), None);
        next(&taken);
        assert!(writer.poll_idle(&mut cx).is_pending());
        order(&orders, Err(ErrorKind::BrokenPipe.into()));
        next(&calls);
        assert!(writer.has_failed());
        writer.write(b"two".to_vec(), None);
        assert!(writer.poll_idle(&mut cx).is_ready());
        assert!(taken.try_recv().is_err());
    }

    #[test]
    fn an_overdue_wait_is_reported_once_as_a_stop() {
        let (output, taken, orders) = scripted();
        let time = Arc::new(AtomicU64::new(0));
        let now = Arc::clone(&time);
        let now = move || Duration::from_millis(now.load(Ordering::Relaxed));
        let writer = WriterThread::with_clock(output, now);
        // Without a frame on the screen a stop does not matter.
        writer.watch(Duration::from_secs(100));
        time.store(200_000, Ordering::Relaxed);
        assert!(!writer.was_stopped());
        writer.write(b"one".to_vec(), None);
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
    fn a_slow_write_is_not_a_stop() {
        let (output, taken, orders) = scripted();
        let time = Arc::new(AtomicU64::new(0));
        let now = Arc::clone(&time);
        let writer = WriterThread::with_clock(output, move || {
            Duration::from_secs(now.load(Ordering::Relaxed))
        });
        writer.write(b"one".to_vec(), None);
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
    fn dropping_the_writer_drops_the_waker() {
        let (output, taken, orders) = scripted();
        let held = Arc::new(Call(mpsc::channel().0));
        let waker = Waker::from(Arc::clone(&held));
        let writer = WriterThread::new(output);
        writer.write(b"one".to_vec(), None);
        next(&taken);
        assert!(writer.poll_idle(&mut Context::from_waker(&waker)).is_pending());
        drop((writer, waker));
        assert_eq!(Arc::strong_count(&held), 1);
        order(&orders, Ok(3));
    }
}
