//! A board without async code: jobs that threads update.
//!
//! ```sh
//! cargo run --example threads
//! ```

use std::thread;

use active_status::{Console, JobOptions};

fn main() {
    let board = Console::auto().open();
    let total = board.add_job(JobOptions::new().prefix("all: ").pinned(true).total(4_000_000));
    let sums: Vec<u64> = thread::scope(|scope| {
        let threads: Vec<_> = (1..=4_u64)
            .map(|number| {
                let job = board.add_job(format!("thread {number}: "));
                let total = &total;
                scope.spawn(move || {
                    job.set_text("adding up");
                    job.start_progress(1_000_000);
                    let mut sum = 0;
                    for term in 0..1_000_000 {
                        sum += term * number;
                        job.tick();
                        total.tick();
                    }
                    job.set_text(format_args!("the sum is {sum}"));
                    job.finish();
                    sum
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    });
    total.finish();
    board.shutdown();

    assert_eq!(sums, [1, 2, 3, 4].map(|number| number * 499_999_500_000));
}
