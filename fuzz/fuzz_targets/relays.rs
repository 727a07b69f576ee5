//! Whatever batches relays receive, at any time, their board gets events that make sense, within
//! the limits of all senders.
//!
//! ```sh
//! RUSTC_BOOTSTRAP=1 cargo fuzz run relays -- -max_total_time=600 -dict=fuzz/relay.dict
//! ```
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/it/relay_input.rs"]
#[expect(dead_code, reason = "each target uses a part of it")]
mod relay_input;

fuzz_target!(|bytes: &[u8]| relay_input::receive_batches(bytes));
