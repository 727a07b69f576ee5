//! Any bytes are read as a recorded run without a panic, in bounded memory, with an error
//! or an event per line that is not empty.
//!
//! ```sh
//! RUSTC_BOOTSTRAP=1 cargo fuzz run records -- -max_total_time=600
//! ```
#![no_main]

use active_status::record::read_records;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let lines = bytes.split(|&byte| byte == b'\n').count();
    assert!(read_records(bytes).count() <= lines);
    assert!(read_records(bytes).with_line_limit(64).count() <= lines);
});
