//! Whatever lines a relay reads, its board gets events that make sense, within the limits.
//!
//! ```sh
//! RUSTC_BOOTSTRAP=1 cargo fuzz run relay_read -- -max_total_time=600 -dict=fuzz/relay.dict
//! ```
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/it/relay_input.rs"]
#[expect(dead_code, reason = "each target uses a part of it")]
mod relay_input;

fuzz_target!(|bytes: &[u8]| relay_input::read_lines(bytes));
