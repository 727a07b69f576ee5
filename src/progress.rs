//! Adapters that count the items or bytes of a job, and the formatting of numbers.
//!
//! | | counts |
//! |---|---|
//! | [`ProgressIterator`] | the items of an iterator |
//! | `ParallelProgressIterator` | those of a parallel iterator, with the feature `rayon` |
//! | [`report_progress`](crate::report_progress) | the items of a stream |
//! | [`wrap_io`] | the bytes of a reader or a writer, synchronous or not |

mod io;
mod iter;
#[cfg(feature = "rayon")]
mod parallel;
pub(crate) mod stream;

pub use crate::board::event::Unit;
pub use crate::board::job::rate::ProgressSnapshot;
pub use crate::units::{
    format_bytes, format_count, format_decimal_bytes, format_elapsed, format_elapsed_short,
};
pub use io::{WrapIo, wrap_io};
pub use iter::{ProgressIter, ProgressIterator};
#[cfg(feature = "rayon")]
pub use parallel::{ParallelProgress, ParallelProgressIterator};
pub use stream::ReportProgress;
