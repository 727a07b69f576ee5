//! The events of `tracing` appear above the board, one line per event.
//!
//! ```sh
//! cargo run --features tracing --example tracing
//! ```

use std::thread;

use active_status::Console;
use tracing::{info, warn};

fn main() {
    let board = Console::auto().open();
    let lines = board.board().clone();
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

    // The subscriber lives until the program ends and holds a handle of the board, so
    // only the shutdown closes the board. Later events are not shown.
    board.shutdown();
    info!("this line is not shown");
}
