//! The example `multi` of indicatif 0.18 with this crate.

use std::thread;
use std::time::Duration;

use active_status::{Console, JobOptions};

#[expect(clippy::disallowed_methods, reason = "the example simulates work")]
fn main() {
    let board = Console::auto().open();
    let n = 200;
    let row = |prefix, total| JobOptions::new().prefix(prefix).total(total).transient(true);
    let started = board.add_job(row("started: ", n));
    let done = board.add_job(row("done: ", n));
    let items = board.add_job(row("items: ", 1_024).below(&done));
    board.println("starting!");

    thread::scope(|scope| {
        scope.spawn(|| {
            for i in 1..=1_024 {
                thread::sleep(Duration::from_millis(2));
                items.set_text(format_args!("item #{i}"));
                items.tick();
            }
            board.println("all items are done!");
            items.finish();
        });
        for i in 0..n {
            thread::sleep(Duration::from_millis(15));
            if i == n / 3 {
                thread::sleep(Duration::from_secs(2));
            }
            started.tick();
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(fastrand::u64(1_000..5_000)));
                done.tick();
            });
        }
        started.set_text("all jobs started");
    });
    drop((started, done));
    board.shutdown();
}
