#![doc = include_str!("../README.md")]
//!
//! [`run_workers`]: active_status::run_workers
//! [`wrap_with_status`]: active_status::wrap_with_status
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod board;
mod clock;
pub mod engine;
mod node;
mod server;

pub use address::{Address, AddressError};
pub use board::run_board;
pub use clock::since_1970;
pub use node::{NodeOptions, Summary, run_node};
pub use server::LocalServer;
