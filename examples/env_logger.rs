//! The records of the `log` macros appear above the board, through `env_logger`.
//!
//! ```sh
//! RUST_LOG=debug cargo run --features env_logger --example env_logger
//! ```

use active_status::Console;
use env_logger::{Builder, Env, Target};
use log::{debug, info, warn};

fn main() {
    let board = Console::auto().open();
    let lines = Box::new(board.writer());
    Builder::from_env(Env::default().default_filter_or("info")).target(Target::Pipe(lines)).init();

    let job = board.add_job("convert: ");
    job.start_progress(4);
    for name in ["spring", "summer", "autumn", "winter"] {
        debug!("opening {name}.png");
        job.set_text(name);
        if name == "autumn" {
            warn!("{name}.png has no colors");
        }
        info!("wrote {name}.jpg");
        job.tick();
    }
    job.finish();

    // The logger lives until the program ends and holds a handle of the board, so only
    // the shutdown closes the board. Later records are not shown.
    board.shutdown();
    info!("this line is not shown");
}
