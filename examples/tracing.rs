//! What `tracing` has to say comes out above the board, a line an event.
//!
//! ```sh
//! cargo run --features tracing --example tracing
//! ```

use std::thread;

use active_status::Console;
use tracing::{info, warn};

fn main() {
    let board = Console::auto().open();
    let lines = board.clone();
    tracing_subscriber::fmt().with_writer(move || lines.writer()).init();

    thread::scope(|scope| {
        for host in ["alpha", "beta", "gamma"] {
            let job = board.add_job(format!("{host}: "));
            scope.spawn(move || {
                job.set_text("connecting");
                info!(host, "connected");
                job.start_progress(3);
                for part in 1..=3 {
                    info!(host, part, "received");
                    job.tick();
                }
                warn!(host, "closed early");
                job.finish();
            });
        }
    });

    // The subscriber stays for good, and with it a handle of the board: only the
    // shutdown closes it. What is logged from here on is not shown.
    board.shutdown();
    info!("nobody reads this");
}
