//! The page in a browser, and its answers to requests.

mod browser;
mod kit;
mod page;
mod respond;
mod serve;
