//! The events of a board are data. Here they go to a channel instead of a console.
//!
//! ```sh
//! cargo run --example events
//! ```

use active_status::{Event, Outcome, board};

fn main() {
    let (board, events) = board();
    let (sink, received) = async_channel::unbounded();
    let forward = events.forward(sink);

    let job = board.add_job("build: ");
    job.set_text("linking");
    board.println("a line between");
    job.fail("no space left");
    board.close();
    smol::block_on(forward);

    let mut seen = Vec::new();
    while let Ok(event) = received.try_recv() {
        seen.push(match event {
            Event::Added { job, row, .. } => format!("{job} added, {}", row.prefix),
            Event::Changed { job, change, .. } => {
                format!("{job} reads {}", change.text.unwrap_or_default())
            }
            Event::Line { text, .. } => text,
            Event::Ended { job, outcome: Outcome::Failed(message), .. } => {
                format!("{job} failed, {message}")
            }
            Event::Closed { .. } => "closed".into(),
            other => format!("{other:?}"),
        });
    }
    assert_eq!(
        seen,
        [
            "1 added, build: ",
            "1 reads linking",
            "a line between",
            "1 failed, no space left",
            "closed"
        ]
    );
}
