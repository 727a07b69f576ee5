//! A board from its handles to the screen, for any schedule of calls, times and ends.

use std::collections::BTreeMap;

use proptest::prelude::*;

use active_status::testing::VirtualClock;
use active_status::{Board, Job, JobOptions, Status, board_with_clock};

use crate::harness::{Show, classic, millis};

const TOTAL: u64 = 40;

#[derive(Clone, Debug)]
enum Act {
    Add {
        pinned: bool,
    },
    Text {
        job: usize,
        width: usize,
    },
    Tick {
        job: usize,
        count: u64,
    },
    Status {
        job: usize,
        status: Status,
    },
    Finish {
        job: usize,
    },
    Fail {
        job: usize,
    },
    /// Drops the last handle.
    Drop {
        job: usize,
    },
    Line,
    Pass {
        millis: u64,
    },
}

/// The way in which a schedule ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Close,
    /// The last handle is dropped.
    Handles,
    /// The console is no longer polled.
    Console,
}

fn act() -> impl Strategy<Value = Act> {
    let job = any::<usize>;
    let status = prop::sample::select(vec![Status::Normal, Status::Warning, Status::Error]);
    prop_oneof![
        4 => prop::bool::weighted(0.2).prop_map(|pinned| Act::Add { pinned }),
        3 => (job(), 0..12usize).prop_map(|(job, width)| Act::Text { job, width }),
        3 => (job(), 1..30u64).prop_map(|(job, count)| Act::Tick { job, count }),
        1 => (job(), status).prop_map(|(job, status)| Act::Status { job, status }),
        2 => job().prop_map(|job| Act::Finish { job }),
        1 => job().prop_map(|job| Act::Fail { job }),
        1 => job().prop_map(|job| Act::Drop { job }),
        2 => Just(Act::Line),
        4 => (1..400u64).prop_map(|millis| Act::Pass { millis }),
    ]
}

/// A running job and its updates.
struct RunningJob {
    job: Job,
    pinned: bool,
    text: String,
    position: u64,
}

/// The board under test, and the lines that must be on the screen at the end.
struct Play {
    board: Board,
    running: BTreeMap<u64, RunningJob>,
    left: Vec<String>,
}

impl Play {
    fn job(&mut self, any: usize) -> Option<&mut RunningJob> {
        let count = self.running.len().max(1);
        self.running.values_mut().nth(any % count)
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Add { pinned } => {
                let options = JobOptions::new().pinned(pinned).total(TOTAL);
                let job = self.board.add_job(options);
                job.set_prefix(format_args!("job {}: ", job.id()));
                let text = String::new();
                self.running.insert(job.id().get(), RunningJob { job, pinned, text, position: 0 });
            }
            Act::Text { job, width } => {
                let Some(running) = self.job(job) else { return };
                running.text = "x".repeat(width);
                running.job.set_text(&running.text);
            }
            Act::Tick { job, count } => {
                let Some(running) = self.job(job) else { return };
                running.position += count;
                running.job.tick_by(count);
            }
            Act::Status { job, status } => {
                let Some(running) = self.job(job) else { return };
                running.job.set_status(status);
            }
            Act::Finish { job } => self.end(job, "✔", |job| job.finish()),
            Act::Fail { job } => self.end(job, "✘ why", |job| job.fail("why")),
            Act::Drop { job } => {
                let whole = self.job(job).is_some_and(|running| running.position >= TOTAL);
                self.end(job, if whole { "✔" } else { "⊘ cancelled" }, drop);
            }
            Act::Line => {
                let line = format!("line {}", self.left.len());
                self.board.println(&line);
                self.left.push(line);
            }
            Act::Pass { .. } => {}
        }
    }

    fn end(&mut self, any: usize, mark: &str, end: fn(Job)) {
        let Some(id) = self.job(any).map(|running| running.job.id().get()) else { return };
        let Some(running) = self.running.remove(&id) else { return };
        self.left.push(row(id, &running, mark));
        end(running.job);
    }

    /// Closes the board, which abandons the running jobs, pinned rows last.
    fn abandon(&mut self) {
        for pinned in [false, true] {
            let rows = self.running.iter().filter(|(_, running)| running.pinned == pinned);
            self.left.extend(rows.map(|(id, running)| row(*id, running, "… abandoned")));
        }
    }
}

/// Returns the row of a job with the given mark at its end.
fn row(id: u64, running: &RunningJob, mark: &str) -> String {
    let RunningJob { text, position, .. } = running;
    let done = (30 * position / TOTAL).min(30) as usize;
    let bar = "▓".repeat(done) + &"░".repeat(30 - done);
    let percent = position * 100 / TOTAL;
    let numbers =
        if *position > 0 { format!(" {percent:>3}% - {position}/{TOTAL}") } else { String::new() };
    let gap = if text.is_empty() { "" } else { " " };
    format!("job {id}: {text}{gap}{bar}{numbers} {mark}")
}

/// Returns the final text of the screen with its scrollback, and the expected text.
fn play(acts: &[Act], end: Ending) -> (String, String) {
    const SIZE: (u16, u16) = (80, 8);
    let time = VirtualClock::new();
    let (board, events) = board_with_clock(time.reader());
    let console = classic().clock(time.reader()).size(SIZE.0, SIZE.1);
    let mut show = Show::new(|reporter| console.output(reporter).run(events, time.timer()));
    let mut play = Play { board, running: BTreeMap::new(), left: Vec::new() };
    for act in acts {
        play.act(act);
        if let Act::Pass { millis: length } = *act {
            show.settle();
            time.advance(millis(length));
            show.settle();
        }
    }
    let bytes = match end {
        Ending::Close => {
            play.abandon();
            play.board.close();
            time.advance(millis(100));
            show.end().1
        }
        Ending::Handles => {
            while !play.running.is_empty() {
                play.act(&Act::Drop { job: 0 });
            }
            drop(play.board);
            time.advance(millis(100));
            show.end().1
        }
        Ending::Console => {
            play.abandon();
            show.written()
        }
    };
    let (columns, rows) = (usize::from(SIZE.0), usize::from(SIZE.1));
    let mut terminal = avt::Terminal::with_scrollback(columns, rows, None).expect("a size");
    terminal.feed(bytes.as_str());
    let seen = terminal.screen().text().join("\n").trim_end().to_string();
    (seen, play.left.join("\n"))
}

proptest! {
    // Rules 12, 21
    #[test]
    fn every_completed_row_is_there_once_and_in_order(
        acts in prop::collection::vec(act(), 0..60),
        end in prop::sample::select(vec![Ending::Close, Ending::Handles, Ending::Console]),
    ) {
        let (seen, left) = play(&acts, end);
        prop_assert_eq!(seen, left);
    }
}
