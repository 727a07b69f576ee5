//! Workers written with `async-stream`, as loops that await and yield.
//!
//! ```sh
//! cargo run --features async-stream --example async_stream
//! ```

use active_status::{Console, Job, run_workers, wrap_with_status};
use async_stream::stream;
use smol::stream::{Stream, StreamExt};

fn main() {
    let board = Console::auto().open();
    let mut first = 0;
    let pool = wrap_with_status(&board, |job| {
        first += 1;
        collatz(job, first)
    });
    let lengths: Vec<(u64, u32)> = smol::block_on(run_workers(3, pool).collect());
    board.shutdown();

    assert_eq!(lengths.len(), 3 * 100);
    assert!(lengths.contains(&(27, 111)));
}

/// Yields the number of Collatz steps for every third number.
fn collatz(job: Job, first: u64) -> impl Stream<Item = (u64, u32)> {
    stream! {
        job.start_progress(100);
        for start in (first..).step_by(3).take(100) {
            job.set_text(format_args!("from {start}"));
            let mut number = start;
            let mut steps = 0;
            while number != 1 {
                number = if number % 2 == 0 { number / 2 } else { 3 * number + 1 };
                steps += 1;
                smol::future::yield_now().await;
            }
            job.tick();
            yield (start, steps);
        }
    }
}
