//! For tests of programs that have a board: time that passes when a test says
//! so, and a screen in memory.
//!
//! Nothing here waits, starts a thread or needs an executor. A [`VirtualClock`]
//! is the clock of the board, of the console and of whatever else takes a clock
//! or a timer. A [`Screen`] shows what the board would look like.
//!
//! # Examples
//!
//! A pool of two workers, each of which rests before it gives its number:
//!
//! ```
//! use std::time::Duration;
//!
//! use active_status::testing::{Screen, VirtualClock};
//! use active_status::{WorkerId, once, run_workers, wrap_with_status};
//! use futures::{FutureExt, StreamExt};
//!
//! let clock = VirtualClock::new();
//! let (board, mut events) = clock.board();
//! let mut screen = Screen::new(60, 10);
//!
//! let mut seconds = 0;
//! let mut pool = run_workers(2, wrap_with_status(&board, |job| {
//!     seconds += 1;
//!     job.set_text(format_args!("resting for {seconds} s"));
//!     let rest = clock.sleep(Duration::from_secs(seconds));
//!     once(async move {
//!         rest.await;
//!         job.id().get()
//!     })
//! }));
//!
//! // Nothing runs but what is polled here.
//! assert_eq!(pool.next().now_or_never(), None);
//! let rows = ["worker  1: resting for 1 s", "worker  2: resting for 2 s"];
//! assert_eq!(screen.show(&mut events).rows(), rows);
//!
//! clock.advance(Duration::from_secs(1));
//! assert_eq!(pool.next().now_or_never(), Some(Some(1)));
//! let rows = ["worker  1: done ✔", "worker  2: resting for 2 s"];
//! assert_eq!(screen.show(&mut events).rows(), rows);
//!
//! // A row that is done stays for a second, then it scrolls away.
//! clock.advance(Duration::from_secs(1));
//! assert_eq!(pool.next().now_or_never(), Some(Some(2)));
//! assert_eq!(screen.show(&mut events).scrollback(), ["worker  1: done ✔"]);
//! assert_eq!(screen.rows(), ["worker  2: done ✔"]);
//! ```

mod clock;
mod screen;

pub use clock::{Sleep, VirtualClock};
pub use screen::Screen;
