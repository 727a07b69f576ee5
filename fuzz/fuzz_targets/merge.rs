//! For any sequence of pushes, removals, wakes, items, ends and panics, a merge does
//! what the oracle of the tests says.
//!
//! ```sh
//! cargo install cargo-fuzz
//! RUSTC_BOOTSTRAP=1 cargo fuzz run merge -- -max_total_time=600
//! ```
//!
//! Run it in the repository's root. `RUSTC_BOOTSTRAP=1` lets a stable compiler use
//! the sanitizer that cargo-fuzz enables. `fuzz/corpus/merge` holds the inputs to
//! start from.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/it/fuzz_input.rs"]
mod fuzz_input;
#[path = "../../tests/it/oracle.rs"]
mod oracle;
#[path = "../../tests/it/support.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod support;

fuzz_target!(|bytes: &[u8]| {
    if let Err(difference) = fuzz_input::follow_bytes(bytes) {
        panic!("{difference}");
    }
});
