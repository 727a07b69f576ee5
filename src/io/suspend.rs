//! Suspending the console while other code uses the terminal.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

#[cfg(unix)]
use crate::io::echo::EchoPause;
#[cfg(all(unix, feature = "capture"))]
use crate::io::redirect::Pause;
use crate::io::terminal::{Inside, Use};

/// Runs `work` while no rows are on the terminal, for a prompt or a child process that
/// needs the terminal.
///
/// The live console of the process erases its rows before `work`, and redraws them below
/// its output afterwards, even if `work` panics. Workers continue meanwhile: their lines
/// and outcomes are kept, and appear afterwards. Redirected and captured streams lead to
/// the terminal while `work` runs. Calls may be nested and come from any thread; threads
/// that suspend at the same time share the terminal.
///
/// A shutdown by `work` draws the last frame at once, below the output so far. A shutdown
/// by another thread waits until `work` has ended, so `work` must not wait for that thread.
/// Nor should it wait for the board: [`flush`](crate::Board::flush) returns after two
/// seconds, and [`println_blocking`](crate::Board::println_blocking) finds no room once
/// the board is full.
///
/// If the terminal accepts no output, `work` is delayed for at most one second. Plain
/// consoles keep printing.
///
/// This blocks the thread. Async code should use [`suspend_async`] instead.
///
/// # Examples
///
/// ```
/// use active_status::{Console, console};
///
/// let board = Console::auto().open();
/// let job = board.add_job("deploy: ");
/// let answer = console::suspend(|| {
///     // A prompt that reads from standard input.
///     "yes"
/// });
/// job.set_text(answer);
/// board.shutdown();
/// assert_eq!(job.text(), "yes");
/// ```
pub fn suspend<T>(work: impl FnOnce() -> T) -> T {
    let _suspension = Suspension::of(Use::begin());
    let _inside = Inside::enter();
    work()
}

/// Runs a future while no rows are on the terminal, as [`suspend`] does.
///
/// The suspension begins once the future has been polled and no frame is being written,
/// and ends when the future is ready or dropped.
///
/// # Examples
///
/// ```
/// use active_status::{Console, board, console};
///
/// # smol::block_on(async {
/// let (board, events) = board();
/// let work = async {
///     board.add_job("deploy: ").finish();
///     console::suspend_async(async { "yes" }).await
/// };
/// let answer = Console::auto().run_while(events, smol::Timer::after, work).await;
/// assert_eq!(answer, "yes");
/// # });
/// ```
pub fn suspend_async<F: Future>(future: F) -> Suspend<F> {
    Suspend { state: State::Start, future: Some(future) }
}

pin_project! {
    /// The future returned by [`suspend_async`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Suspend<F> {
        // `None` once the suspension is being dropped.
        #[pin]
        future: Option<F>,
        state: State,
    }

    impl<F> PinnedDrop for Suspend<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let suspended = matches!(this.state, State::Suspended { .. });
            let _inside = suspended.then(Inside::enter);
            this.future.set(None);
        }
    }
}

enum State {
    Start,
    /// Waits for the terminal.
    Announced(Use),
    Suspended {
        _suspension: Suspension,
    },
    Done,
}

impl<F: Future> Future for Suspend<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if matches!(this.state, State::Start) {
            *this.state = State::Announced(Use::announce());
        }
        if let State::Announced(announced) = this.state {
            if announced.poll_begin(cx).is_pending() {
                return Poll::Pending;
            }
            if let State::Announced(begun) = std::mem::replace(this.state, State::Done) {
                *this.state = State::Suspended { _suspension: Suspension::of(begun) };
            }
        }
        let Some(future) = this.future.as_pin_mut() else { return Poll::Pending };
        let polled = {
            let _inside = Inside::enter();
            future.poll(cx)
        };
        if polled.is_ready() {
            *this.state = State::Done;
        }
        polled
    }
}

impl<F> fmt::Debug for Suspend<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suspend").finish_non_exhaustive()
    }
}

/// The use of the terminal, with the streams leading to it. The streams are restored
/// first.
struct Suspension {
    #[cfg(unix)]
    _echo: EchoPause,
    #[cfg(all(unix, feature = "capture"))]
    _pause: Pause,
    _terminal: Use,
}

impl Suspension {
    fn of(terminal: Use) -> Self {
        Self {
            #[cfg(unix)]
            _echo: EchoPause::begin(),
            #[cfg(all(unix, feature = "capture"))]
            _pause: Pause::begin(),
            _terminal: terminal,
        }
    }
}
