//! A virtual clock, an in-memory screen and a simulation, for tests of programs that use a
//! board.
//!
//! Nothing in this module waits, starts a thread or needs an executor. A [`VirtualClock`]
//! serves as the clock of the board and of the console, and as the timer of the program.
//! A [`Screen`] shows the board as a terminal would, and a [`Sim`] runs tasks in an order
//! determined by a seed.
//!
//! # Examples
//!
//! A pool of two workers, each of which sleeps before it yields its number:
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
//!     job.set_text(format_args!("sleeping for {seconds} s"));
//!     let sleep = clock.sleep(Duration::from_secs(seconds));
//!     once(async move {
//!         sleep.await;
//!         job.id().get()
//!     })
//! }));
//!
//! // The workers run while the pool is polled.
//! assert_eq!(pool.next().now_or_never(), None);
//! let rows = ["⠋ worker  1  sleeping for 1 s", "⠋ worker  2  sleeping for 2 s"];
//! assert_eq!(screen.show(&mut events).rows(), rows);
//!
//! clock.advance(Duration::from_secs(1));
//! assert_eq!(pool.next().now_or_never(), Some(Some(1)));
//! let rows = ["✓ worker  1  done  in 1.0s", "⠋ worker  2  sleeping for 2 s"];
//! assert_eq!(screen.show(&mut events).rows(), rows);
//!
//! // A completed row stays for a second, then it leaves the board.
//! clock.advance(Duration::from_secs(1));
//! assert_eq!(pool.next().now_or_never(), Some(Some(2)));
//! assert_eq!(screen.show(&mut events).scrollback(), ["✓ worker  1  done  in 1.0s"]);
//! assert_eq!(screen.rows(), ["✓ worker  2  done  in 2.0s"]);
//! ```

mod clock;
mod screen;
mod sim;

pub use clock::{Sleep, VirtualClock};
pub use screen::Screen;
pub use sim::{Chance, Sim};
