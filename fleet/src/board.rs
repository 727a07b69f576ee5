//! The board of all nodes.

use std::cell::RefCell;
use std::time::Duration;

use active_status::relay::{Received, Relays, RelaysOptions};
use active_status::{Board, Job, JobOptions, ProgressStyle};
use smol::Timer;
use smol::future::FutureExt;

use crate::engine::{Counts, Engine, EngineError, Place};

/// The time between two requests to publish, which last for 15 s.
const WATCH: Duration = Duration::from_secs(5);
const COUNT: Duration = Duration::from_millis(250);
/// The time between two looks for nodes that are silent.
const CHECK: Duration = Duration::from_secs(1);
/// The number of messages on the board above which it takes no batches. What is trimmed
/// meanwhile is repaired by the next key batch.
const BACKLOG: usize = 4_096;
const CATCH_UP: Duration = Duration::from_millis(50);

/// Shows the nodes of a queue on a board, and a row with the numbers of items, until `over`
/// returns `true` for the numbers. Then the board closes.
///
/// The board should have a clock that starts at the time of day, such as
/// [`since_1970`](crate::since_1970), so that what began before has a time on it.
///
/// # Errors
///
/// Fails if the server refuses what the board does. A server that is away is waited for.
pub async fn run_board(
    engine: &Engine,
    board: &Board,
    mut over: impl FnMut(&Counts) -> bool,
) -> Result<Counts, EngineError> {
    let options = JobOptions::new().prefix("fleet: ").pinned(true);
    let total = board.add_job(options.style(ProgressStyle::bar().rate().eta()));
    total.start_progress(None);
    let count = async {
        loop {
            let counts = engine.counts().await?;
            show(&counts, &total);
            if over(&counts) {
                return Ok(counts);
            }
            Timer::after(COUNT).await;
        }
    };
    let nodes = Nodes { relays: RefCell::new(board.relays(RelaysOptions::new())), board };
    let counts = count.or(watch_all(engine)).or(nodes.receive_all(engine)).or(nodes.check_all());
    let counts = counts.await;
    total.finish();
    counts
}

fn show(counts: &Counts, total: &Job) {
    let Counts { taken, later, dead, nodes, .. } = *counts;
    let mut text = format!("{nodes} nodes");
    for (number, what) in [(dead, "dead"), (later, "to retry")] {
        if number > 0 {
            text += &format!(", {number} {what}");
        }
    }
    if dead + later == 0 {
        text += &format!(", {taken} running");
    }
    total.set_text(text);
    total.set_total(counts.fed);
    total.set_position(counts.results + counts.dead);
}

async fn watch_all<T>(engine: &Engine) -> Result<T, EngineError> {
    loop {
        engine.watch().await?;
        Timer::after(WATCH).await;
    }
}

/// The nodes on a board.
struct Nodes<'a> {
    relays: RefCell<Relays>,
    board: &'a Board,
}

impl Drop for Nodes<'_> {
    fn drop(&mut self) {
        // Before the relays are dropped: their nodes are not lost.
        self.board.close();
    }
}

impl Nodes<'_> {
    async fn receive_all<T>(&self, engine: &Engine) -> Result<T, EngineError> {
        let mut place = Place::default();
        let mut invalid = 0;
        loop {
            let batches = engine.batches(&mut place).await?;
            let before = invalid;
            for batch in batches {
                let received = self.relays.borrow_mut().receive(&batch);
                invalid += u64::from(received == Received::Invalid);
            }
            if invalid > before {
                self.board.println(format_args!("{invalid} batches are not valid"));
            }
            while self.board.backlog() > BACKLOG {
                Timer::after(CATCH_UP).await;
            }
        }
    }

    async fn check_all<T>(&self) -> T {
        loop {
            Timer::after(CHECK).await;
            self.relays.borrow_mut().check();
        }
    }
}
