//! Any script of pushes, removals, wakes, items, ends and panics: a merge does
//! what the naive model of the tests says.
//!
//! ```sh
//! cargo install cargo-fuzz
//! RUSTC_BOOTSTRAP=1 cargo fuzz run merge -- -max_total_time=600
//! ```
//!
//! From the repository's root; `RUSTC_BOOTSTRAP=1` lets a stable compiler have
//! the sanitizer, which cargo-fuzz switches on. `fuzz/corpus/merge` holds the
//! scripts to start from.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/it/naive.rs"]
mod naive;
#[path = "../../tests/it/script.rs"]
mod script;
#[path = "../../tests/it/support.rs"]
#[expect(dead_code, reason = "the tests need more of it")]
mod support;

fuzz_target!(|bytes: &[u8]| {
    if let Err(difference) = script::follow_bytes(bytes) {
        panic!("{difference}");
    }
});
