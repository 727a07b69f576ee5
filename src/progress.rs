//! Snapshots of progress, adapters that report it, and the formatting of numbers.

pub(crate) mod stream;

pub use crate::board::event::Unit;
pub use crate::board::job::rate::ProgressSnapshot;
pub use crate::units::{format_bytes, format_elapsed, format_elapsed_short};
pub use stream::ReportProgress;
