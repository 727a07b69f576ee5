//! The example `yarnish` of indicatif 0.18 with this crate.

use std::thread;
use std::time::Duration;

use active_status::progress::format_elapsed;
use active_status::{Console, JobOptions};

const PACKAGES: [&str; 6] = [
    "fs-events",
    "my-awesome-module",
    "emoji-speaker",
    "wrap-ansi",
    "stream-browserify",
    "acorn-dynamic-import",
];

const COMMANDS: [&str; 8] = [
    "cmake .",
    "make",
    "make clean",
    "gcc foo.c -o foo",
    "gcc bar.c -o bar",
    "./helper.sh rebuild-cache",
    "make all-clean",
    "make test",
];

#[expect(clippy::disallowed_methods, reason = "the example simulates work")]
fn main() {
    let board = Console::auto().open();
    let row = |prefix: String| JobOptions::new().prefix(prefix).transient(true);
    let steps = board.add_job(row("steps: ".into()).total(4).pinned(true));

    board.println("[1/4] 🔍  Resolving packages...");
    steps.tick();
    board.println("[2/4] 🚚  Fetching packages...");
    steps.tick();

    board.println("[3/4] 🔗  Linking dependencies...");
    let links = board.add_job(row("link: ".into()).total(1_232));
    for _ in 0..1_232 {
        thread::sleep(Duration::from_millis(3));
        links.tick();
    }
    drop(links);
    steps.tick();

    board.println("[4/4] 📃  Building fresh packages...");
    thread::scope(|scope| {
        for builder in 1..=4 {
            let count = fastrand::u64(30..80);
            let job = board.add_job(row(format!("[{builder}/?] ")).total(count));
            scope.spawn(move || {
                let package = PACKAGES[fastrand::usize(..PACKAGES.len())];
                for _ in 0..count {
                    let command = COMMANDS[fastrand::usize(..COMMANDS.len())];
                    thread::sleep(Duration::from_millis(fastrand::u64(25..200)));
                    job.set_text(format_args!("{package}: {command}"));
                    job.tick();
                }
            });
        }
    });
    steps.tick();

    board.println(format_args!("✨ Done in {}", format_elapsed(steps.elapsed())));
    drop(steps);
    board.shutdown();
}
