#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod access;
mod body;
mod feed;
mod page;
#[cfg(feature = "smol")]
mod serve;
mod state;

pub use access::{Token, TokenError};
pub use body::PageBody;
pub use feed::Feed;
pub use page::{Page, PageOptions};
#[cfg(feature = "smol")]
pub use serve::Serve;
