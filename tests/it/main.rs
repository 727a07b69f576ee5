//! The contract of `active-status`, a file a subject.

mod event;
mod tidy;
