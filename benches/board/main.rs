//! What an update costs who makes it, beside five peers, while a board is drawn;
//! what it costs to draw ours; and what only a terminal shows.
//!
//! `cargo bench --bench board` measures costs, in five minutes; with
//! `-- --terminal` it looks at terminals, in three; with `-- --test` it does a
//! short run of all.
#![expect(clippy::print_stdout, reason = "the tables are what it is for")]

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

/// Terminals and the time of a thread are things of Unix.
fn main() {
    #[cfg(unix)]
    match process::part() {
        Some(part) => play(&part),
        None => measure(),
    }
}

#[cfg(unix)]
fn measure() {
    let has = |flag| std::env::args().any(|argument| argument == flag);
    let short = has("--test");
    if short {
        println!("a short run: all times are shorter than it says, the figures mean nothing\n");
    }
    if short || !has("--terminal") {
        updates::print(short);
        drawing::print(short);
    }
    if short || has("--terminal") {
        terminal::print(short);
    }
}

/// Plays a part for another process.
#[cfg(unix)]
fn play(part: &str) {
    match part.split_once(' ').expect("a bench and a part") {
        ("updates", part) => updates::play(part),
        (_, part) => terminal::play(part),
    }
}
