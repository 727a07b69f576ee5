//! Worker pools as fair `Stream` merges, and a status board that shows what every
//! worker is doing, on any async executor or none.
//!
//! **The pool.** A worker is a stream. [`run_workers`] builds the given number of
//! workers and merges their items into one stream, a [`Merge`]. Workers that are
//! ready take turns and get equal shares; workers that are not ready cost nothing.
//! Nothing is spawned: polling the merge polls the workers. [`once`] turns a future
//! into a worker, and [`Merge::join`] waits for workers that yield no values.
//! [`map_workers`] calls an asynchronous function for each input, and [`WorkQueue`]
//! shares work among workers. The workers of a [`workers::Pool`] come and go while it
//! runs. [`guide::recipes`] has programs that use pools.
//!
//! **The board.** [`board()`] returns two halves. The sending half adds [`Job`]s,
//! one per row, whose updates never wait and never fail, on any thread. The
//! receiving half is a stream of [`Event`]s, which are plain data. Most programs
//! pass it to a [`Console`], which draws on a terminal and writes lines to a log.
//! [`guide::board`] states what the board promises, rule by rule.
//!
//! **Together.** [`wrap_with_status`] gives each worker of a pool a row on the board.
//!
//! **Testing.** Programs that use a board can be tested without a terminal and without
//! sleeping: [`testing`] has a virtual clock and an in-memory screen.
//!
//! # Examples
//!
//! ```
//! # #[cfg(feature = "std")] {
//! use active_status::{Console, run_workers, wrap_with_status};
//! use futures::{StreamExt, stream};
//!
//! let (sender, numbers) = async_channel::unbounded();
//! for number in 1..=100_u32 {
//!     sender.try_send(number).unwrap();
//! }
//! drop(sender);
//!
//! let board = Console::auto().open();
//! let squares = wrap_with_status(&board, |job| {
//!     stream::unfold((job, numbers.clone()), |(job, numbers)| async {
//!         let number = numbers.recv().await.ok()?;
//!         job.set_text(format_args!("the square of {number}"));
//!         Some((number * number, (job, numbers)))
//!     })
//! });
//! let squares: Vec<u32> = futures::executor::block_on(run_workers(4, squares).collect());
//! board.shutdown();
//!
//! assert_eq!(squares.len(), 100);
//! assert_eq!(squares.iter().sum::<u32>(), 338_350);
//! # }
//! ```
//!
//! # Features
//!
//! - `std` (default): the board and the console. Without it the crate is
//!   `no_std + alloc` and contains the pool.
//! - `serde`: `Serialize` and `Deserialize` for events.
//! - `json`: writing events as lines of JSON, and reading them.
//! - `relay`: the jobs of other processes on the board of this one.
//! - `capture`, on Unix: output of other code appears above the board or goes to files.
//! - `portable-atomic`: merges on processors without compare-and-swap, such as thumbv6m.
//! - `tokio`: merges check the cooperative budget of their tokio task, which keeps shares
//!   equal however much of it the task spends. With `std`, its readers and writers count
//!   their bytes on a job.
//! - `futures-io`: the readers and writers of futures count their bytes on a job.
//! - `rayon`: parallel iterators count their items on a job.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

pub mod guide;
mod pool;

/// The types that the methods of [`Merge`] return.
pub mod merge {
    pub use crate::pool::{IntoIter, Iter, IterMut, IterPinMut};
    pub use crate::pool::{Join, Key, Keyed, KeyedEnds, KeyedNextMany, NextMany, Once, TryJoin};
}

/// Parts of pools: tasks, ordered items, ends of workers, restarts, and workers that come
/// and go.
#[cfg(feature = "std")]
pub mod workers {
    pub use crate::pool::{
        Cause, Driver, Failure, InOrder, Numbered, Panic, Pool, PoolHandle, Remote, Reorder,
        Stopped, Supervised, Task, Tasks, TrySupervised, UntilStopped, WithEvents, Worker,
        WorkerEvent, WorkerState, remote, reorder, supervise, try_supervise, until_stopped,
        with_events,
    };
}

#[cfg(feature = "std")]
mod board;
#[cfg(feature = "std")]
pub mod console;
#[cfg(feature = "std")]
mod io;
#[cfg(feature = "std")]
mod plain_text;
#[cfg(feature = "std")]
pub mod progress;
#[cfg(feature = "std")]
pub mod record;
#[cfg(feature = "relay")]
pub mod relay;
#[cfg(feature = "std")]
pub mod testing;
#[cfg(feature = "std")]
mod units;
#[cfg(feature = "std")]
mod with_status;

pub use pool::{Merge, WorkerId, once, run_workers};
#[cfg(feature = "std")]
pub use pool::{WorkQueue, map_workers};

#[cfg(feature = "std")]
pub use board::event::{Event, JobId, Outcome, Status};
#[cfg(feature = "std")]
pub use board::events::Events;
#[cfg(feature = "std")]
pub use board::events::tee::tee;
#[cfg(feature = "std")]
pub use board::job::style::ProgressStyle;
#[cfg(feature = "std")]
pub use board::job::{Job, JobOptions};
#[cfg(feature = "std")]
pub use board::{Board, board, board_with_clock};
#[cfg(feature = "std")]
pub use console::builder::Console;
#[cfg(feature = "std")]
pub use console::live::theme::Theme;
#[cfg(feature = "std")]
pub use console::open::OpenBoard;
#[cfg(feature = "std")]
pub use progress::stream::report_progress;
#[cfg(feature = "std")]
pub use with_status::{StatusOptions, WithStatus, wrap_with_status};

/// Capturing the output of other code as lines of a board, or redirecting it to files.
///
/// Requires the feature `capture` and a Unix system.
#[cfg(all(unix, feature = "capture"))]
pub mod capture {
    pub use crate::io::capture::Capture;
    pub use crate::io::files::{RedirectedOutput, redirect_output, with_output_redirected};
}

/// The parts of events, and streams of events.
///
/// An [`Event`] is plain data: it can be compared, stored, sent and serialized. Outside
/// this crate, its parts are built with constructors such as
/// [`Row::new`](event::Row::new). The streams are returned by the methods of [`Events`]
/// and by [`tee()`].
#[cfg(feature = "std")]
pub mod event {
    pub use crate::board::event::{Change, Place, Progress, ProgressChange, Row};
    pub use crate::board::events::forward::Forward;
    pub use crate::board::events::sampled::Sampled;
    pub use crate::board::events::tee::Tee;
    pub use crate::board::events::{Drain, Ready};
    pub use crate::board::{BoardWriter, PrintLines};
    pub use crate::plain_text::plain_text;
}

/// The state and the appearance of a board, computed from its events.
///
/// A [`Model`](model::Model) is the state of a board after a sequence of [`Event`]s, and
/// a [`Frame`](model::Frame) is the lines that show this state at a given size and time.
/// Neither needs a terminal, a thread or a clock.
#[cfg(feature = "std")]
pub mod model {
    pub use crate::board::event::Counts;
    pub use crate::board::model::Model;
    pub use crate::console::live::frame::Frame;
}

/// Handlers for the items of a [`WithStatus`], and reports of restarted workers on their
/// rows.
#[cfg(feature = "std")]
pub mod status {
    pub use crate::with_status::{FailOnErr, OnItem, Restart, report_restarts};
}

/// Runs the code blocks of the README as doc tests.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
struct Readme;
