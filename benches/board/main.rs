//! Measures the cost of an update beside five peers while their boards are drawn, the
//! cost of drawing this board, and the effects that only a terminal shows.
//!
//! `cargo bench --bench board` measures costs, in five minutes. With `-- --terminal`
//! it measures what a terminal shows, in six minutes, with `-- --drawing` only the cost of
//! drawing. With `-- --test` it makes a short run of everything.
#![cfg_attr(unix, expect(clippy::print_stdout, reason = "it prints tables"))]

#[cfg(unix)]
mod drawing;
#[cfg(unix)]
mod peers;
#[cfg(unix)]
mod process;
#[cfg(unix)]
#[path = "../../tests/it/pty.rs"]
mod pty;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod time;
#[cfg(unix)]
mod updates;

/// Does nothing outside of Unix, whose terminals and thread clocks it needs.
fn main() {
    #[cfg(unix)]
    match process::part() {
        Some(part) => {
            process::lead_session();
            run_part(&part);
        }
        None => measure(),
    }
}

#[cfg(unix)]
fn measure() {
    let has = |flag| std::env::args().any(|argument| argument == flag);
    let short = has("--test");
    if short {
        println!("a short run: all times are shorter than stated, and the figures mean nothing\n");
    }
    if short || !(has("--terminal") || has("--drawing")) {
        updates::print(short);
    }
    if short || !has("--terminal") {
        drawing::print(short);
    }
    if short || has("--terminal") {
        terminal::print(short);
    }
}

/// Measures one part on behalf of another process.
#[cfg(unix)]
fn run_part(part: &str) {
    match part.split_once(' ').expect("a bench and a part") {
        ("updates", part) => updates::run_part(part),
        (_, part) => terminal::run_part(part),
    }
}
