//! A pool that is spawned on tokio, with the board on the same runtime. No thread of
//! the runtime waits for the terminal.
//!
//! ```sh
//! cargo run --features tokio --example tokio_pool
//! ```

use std::time::Duration;

use active_status::{Console, board, once, run_workers, wrap_with_status};
use futures_lite::StreamExt;
use tokio::time::sleep;

#[tokio::main]
async fn main() {
    let (board, events) = board();
    let pool = run_workers(
        5,
        wrap_with_status(&board, |job| {
            once(async move {
                job.set_text("napping");
                job.start_progress(10);
                for _ in 0..10 {
                    sleep(Duration::from_millis(20)).await;
                    job.tick();
                }
                10
            })
        }),
    );
    let work = tokio::spawn(pool.collect::<Vec<u32>>());
    let naps = Console::auto().run_while(events, sleep, work).await.expect("no worker panics");
    assert_eq!(naps, [10; 5]);
}
