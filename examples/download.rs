//! The example `download` of indicatif 0.18 with this crate.

use std::thread;
use std::time::Duration;

use active_status::{Console, JobOptions, ProgressStyle};

#[expect(clippy::disallowed_methods, reason = "the example simulates work")]
fn main() {
    let total_size = 231_231_231;
    let board = Console::auto().open();
    let options = JobOptions::new().prefix("download: ").total(total_size);
    let job = board.add_job(options.style(ProgressStyle::bytes().rate().eta()));

    let mut downloaded = 0;
    while downloaded < total_size {
        downloaded = (downloaded + 223_211).min(total_size);
        job.set_position(downloaded);
        thread::sleep(Duration::from_millis(12));
    }

    job.finish_with("downloaded");
    board.shutdown();
}
