//! What happens on a board is data: here it goes to a channel of our own,
//! instead of a console.
//!
//! ```sh
//! cargo run --example events
//! ```

use active_status::{Event, Outcome, board};

fn main() {
    let (board, events) = board();
    let (sink, ours) = async_channel::unbounded();
    let forward = events.forward(sink);

    let job = board.add_job("build: ");
    job.set_text("linking");
    board.println("a line between");
    job.fail("no space left");
    board.close();
    smol::block_on(forward);

    let mut seen = Vec::new();
    while let Ok(event) = ours.try_recv() {
        seen.push(match event {
            Event::Added { job, row, .. } => format!("{job} added, {}", row.prefix),
            Event::Changed { job, change } => {
                format!("{job} says {}", change.text.unwrap_or_default())
            }
            Event::Line(line) => line,
            Event::Ended { job, outcome: Outcome::Failed(why), .. } => {
                format!("{job} failed, {why}")
            }
            Event::Closed { .. } => "closed".into(),
            other => format!("{other:?}"),
        });
    }
    assert_eq!(
        seen,
        [
            "1 added, build: ",
            "1 says linking",
            "a line between",
            "1 failed, no space left",
            "closed"
        ]
    );
}
