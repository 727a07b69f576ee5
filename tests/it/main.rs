//! The contract of `active-status`, one file per subject.

mod adapters;
#[cfg(all(unix, feature = "relay"))]
mod adopt;
mod allocator;
#[cfg(feature = "relay")]
mod batches;
mod board;
#[cfg(all(unix, feature = "capture"))]
mod capture;
mod classic;
mod console;
mod dynamic;
mod event;
mod events;
mod frame;
mod fuzz_input;
mod harness;
mod job;
#[cfg(feature = "json")]
mod json;
mod kit;
mod language;
mod loggers;
mod map_workers;
mod merge_ends;
mod merge_fairness;
mod merge_futures;
mod merge_keys;
mod merge_many;
mod merge_memory;
mod merge_panic;
mod merge_pin;
mod merge_property;
mod merge_threads;
mod merge_tokio;
mod merge_wakers;
mod model;
mod numbers;
mod oracle;
mod plain;
mod pool;
mod progress;
#[cfg(unix)]
mod pty;
mod queue;
mod quiet;
#[cfg(feature = "relay")]
mod relay;
#[cfg(feature = "relay")]
mod relay_input;
#[cfg(feature = "relay")]
mod relays;
mod remote;
mod reorder;
mod replay;
mod repository;
mod rules;
mod schedules;
mod shown;
mod sim;
mod snapshot;
mod status;
mod supervise;
mod support;
mod tee;
#[cfg(unix)]
mod terminal;
mod terminal_progress;
mod theme;
mod tidy;
mod worker_events;
