//! Measures `examples/checksum.rs`, with a log and with a live board, beside a loop on
//! threads without a board, `sha256sum` and `xargs`: processor time and wall-clock
//! time on many small files and on a few large ones.
//!
//! `cargo bench --bench checksum` takes a minute. With `-- --test` it makes a short
//! run. It does nothing outside of Unix.
#![cfg_attr(unix, expect(clippy::print_stdout, reason = "it prints tables"))]

#[cfg(unix)]
#[path = "../../examples/checksum.rs"]
mod checksum;
#[cfg(unix)]
mod measure;
#[cfg(unix)]
#[path = "../../tests/it/pty.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod pty;
#[cfg(unix)]
mod threads;
#[cfg(unix)]
mod tree;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    match std::env::var(measure::PART).as_deref() {
        Ok("checksum") => return checksum::main(),
        Ok(_) => threads::main(),
        Err(_) => measure::print(std::env::args().any(|argument| argument == "--test")),
    }
    std::process::ExitCode::SUCCESS
}

#[cfg(not(unix))]
fn main() {}
