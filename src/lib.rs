//! Worker pools as fair `Stream` merges, and a status board that shows what
//! every worker is doing, on any async executor or none.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

mod merge;
mod workers;

#[cfg(feature = "std")]
mod board;
#[cfg(feature = "std")]
mod console;
#[cfg(feature = "std")]
mod progress;
#[cfg(feature = "std")]
mod status;

pub use merge::{Key, Merge};
pub use workers::{Join, Once, TryJoin, WorkerId, once, run_workers};

#[cfg(feature = "std")]
pub use board::duration::{format_elapsed, format_elapsed_short};
#[cfg(feature = "std")]
pub use board::event::{Change, Event, JobId, Outcome, Progress, Row, Status};
#[cfg(feature = "std")]
pub use board::events::{Drain, Events, Forward, Ready, Sampled};
#[cfg(feature = "std")]
pub use board::job::{Job, JobOptions};
#[cfg(feature = "std")]
pub use board::meter::ProgressSnapshot;
#[cfg(feature = "std")]
pub use board::model::{Counts, Model};
#[cfg(feature = "std")]
pub use board::{Board, BoardWriter, board, board_with_clock};
#[cfg(feature = "std")]
pub use console::frame::Frame;
#[cfg(feature = "std")]
pub use console::{Console, LiveBoard, Running};
#[cfg(feature = "std")]
pub use progress::{ProgressStyle, ReportProgress, format_bytes, report_progress};
#[cfg(feature = "std")]
pub use status::{
    FailOnErr, OnItem, StatusOptions, WithStatus, wrap_with_status, wrap_with_status_options,
};
