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
    let relays = RefCell::new(board.relays(RelaysOptions::new()));
    let nodes = Nodes { relays, board, total: &total };
    let counts =
        count.or(watch_all(engine)).or(nodes.receive_all(engine)).or(nodes.check_all(engine));
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
    /// The row of the whole queue.
    total: &'a Job,
}

impl Drop for Nodes<'_> {
    fn drop(&mut self) {
        if self.total.total() == Some(self.total.position()) {
            self.total.finish();
        }
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

    async fn check_all<T>(&self, engine: &Engine) -> T {
        loop {
            Timer::after(CHECK).await;
            self.check(engine.is_away());
        }
    }

    /// Checks whether the nodes are heard. While the server is away none can be, so the first
    /// check after that pardons them all.
    fn check(&self, server_is_away: bool) {
        if !server_is_away {
            self.relays.borrow_mut().check();
        }
    }
}

#[cfg(test)]
mod tests {
    use active_status::Event;
    use active_status::relay::Outbox;
    use active_status::testing::VirtualClock;

    use super::*;

    #[test]
    fn no_node_is_silent_because_the_server_is_away() {
        let time = VirtualClock::new();
        let (board, mut events) = time.board();
        let total = board.add_job("fleet: ");
        let relays = RefCell::new(board.relays(RelaysOptions::new()));
        let nodes = Nodes { relays, board: &board, total: &total };
        let batch = Outbox::new("h1").batch(time.now(), Duration::from_secs(1)).to_json();
        let batch = batch.expect("a small batch");
        assert_eq!(nodes.relays.borrow_mut().receive(&batch), Received::Applied);
        let mut says_silence = |server_is_away, checks| {
            for _ in 0..checks {
                time.advance(CHECK);
                nodes.check(server_is_away);
            }
            let silent =
                |event| matches!(event, Event::Line { text, .. } if text.contains("silent"));
            events.drain().any(silent)
        };
        assert!(!says_silence(false, 2));
        assert!(!says_silence(true, 60));
        assert!(!says_silence(false, 2));
        assert!(says_silence(false, 60));
    }
}
