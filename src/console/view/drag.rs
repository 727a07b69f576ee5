//! A window that is dragged, on terminals that report their size late.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::*;
use crate::board::event::{JobId, Row};
use crate::console::live::emulator::Emulator;
use crate::console::live::theme::Theme;

/// The number of rows of the screen.
const ROWS: usize = 16;

/// The milliseconds after which the terminal reports a new size.
const LATE: u64 = 100;

/// A terminal that reflows its rows when it is resized, or one that truncates them.
enum Terminal {
    Reflows(Box<avt::Terminal>),
    Truncates(Emulator),
}

impl Terminal {
    fn feed(&mut self, bytes: &[u8]) {
        let text = std::str::from_utf8(bytes).expect("whole characters");
        match self {
            Self::Reflows(terminal) => terminal.feed(text),
            Self::Truncates(terminal) => terminal.feed(text),
        }
    }

    fn resize(&mut self, columns: usize) {
        match self {
            Self::Reflows(terminal) => terminal.resize(columns, ROWS),
            Self::Truncates(terminal) => terminal.resize(columns),
        }
    }

    fn lines(&self) -> Vec<String> {
        match self {
            Self::Reflows(terminal) => terminal.screen().text(),
            Self::Truncates(terminal) => terminal.lines(),
        }
    }
}

/// A board on a terminal, with the time in milliseconds.
struct Stage {
    view: View,
    terminal: Terminal,
    time: Arc<AtomicU64>,
    /// The columns that the terminal reports.
    reported: &'static AtomicU64,
    /// When the console may draw next.
    due: u64,
}

impl Stage {
    fn new(terminal: Terminal) -> Self {
        let time = Arc::new(AtomicU64::new(0));
        let reported: &AtomicU64 = Box::leak(Box::new(AtomicU64::new(80)));
        let now = {
            let time = Arc::clone(&time);
            move || Duration::from_millis(time.load(Relaxed))
        };
        let access = Access::for_test(true, now.clone());
        let reflows = matches!(terminal, Terminal::Reflows(_));
        let painter = Painter::new(Theme::new(), false, reflows);
        let size = Size::Columns(reported, ROWS as u16);
        let view = View::live(painter, size, BoardTime::new(Some(now.into())), Some(access));
        Self { view, terminal, time, reported, due: 0 }
    }

    /// Passes events to the console, which draws if it may.
    fn step(&mut self, now: u64, events: &[Event]) {
        self.time.store(now, Relaxed);
        events.iter().for_each(|event| self.view.fold(event));
        if now < self.due || !self.view.is_due() {
            return;
        }
        match self.view.ask() {
            Turn::Draw(permit) => {
                let mut bytes = Vec::new();
                self.view.draw(&mut bytes);
                drop(permit);
                self.terminal.feed(&bytes);
                self.due = now + 100;
            }
            Turn::Wait(time) => self.due = now + time.as_millis() as u64,
            Turn::Never => panic!("a board in the background"),
        }
    }
}

/// Plays a drag with a change of the size every `pause` milliseconds, while jobs end and
/// lines are printed. Returns the lines of the terminal, and the number of jobs and of
/// printed lines.
fn drag(terminal: Terminal, pause: u64) -> (Vec<String>, usize, usize) {
    const COLUMNS: [usize; 11] = [70, 60, 50, 40, 30, 36, 44, 55, 66, 75, 80];
    let mut stage = Stage::new(terminal);
    stage.terminal.feed(b"above\r\n");
    let (mut jobs, mut lines) = (0, 0);
    let mut reports = VecDeque::new();
    let end = 5_000 + pause * COLUMNS.len() as u64;
    for now in (0..end).step_by(25) {
        let at = Duration::from_millis(now);
        let mut events = Vec::new();
        let change = now.checked_sub(1_500).filter(|since| since % pause == 0);
        if let Some(&columns) = change.and_then(|since| COLUMNS.get((since / pause) as usize)) {
            stage.terminal.resize(columns);
            reports.push_back((now + LATE, columns));
        }
        if reports.front().is_some_and(|&(at, _)| at <= now)
            && let Some((_, columns)) = reports.pop_front()
        {
            stage.reported.store(columns as u64, Relaxed);
        }
        if now % 200 == 0 {
            let id = |number| JobId::new(number).expect("ids count from 1");
            jobs += 1;
            let row = Row::default().with_text(format!("job {jobs:02} {}", "x".repeat(60)));
            events.push(Event::Added { at, job: id(jobs), row });
            if jobs > 3 {
                events.push(Event::Ended { at, job: id(jobs - 3), outcome: Outcome::Finished });
            }
        }
        if now % 350 == 0 {
            lines += 1;
            events.push(Event::Line { at, text: format!("line {lines:02}") });
        }
        stage.step(now, &events);
    }
    let mut bytes = Vec::new();
    stage.view.finish(false, &mut bytes);
    stage.terminal.feed(&bytes);
    (stage.terminal.lines(), jobs as usize, lines)
}

// Rule 18
#[test]
fn a_drag_loses_and_repeats_no_row_and_no_line() {
    for pause in [50, 125, 200, 300, 400, 600, 900] {
        let reflowing = avt::Terminal::with_scrollback(80, ROWS, None).expect("a size");
        let truncating = Emulator::new(80, ROWS, false);
        for terminal in [Terminal::Reflows(Box::new(reflowing)), Terminal::Truncates(truncating)] {
            let (shown, jobs, lines) = drag(terminal, pause);
            let text = shown.join("\n");
            let count = |start: String| shown.iter().filter(|line| line.contains(&start)).count();
            assert_eq!(count("above".into()), 1, "{text}");
            for line in 1..=lines {
                assert_eq!(
                    count(format!("line {line:02}")),
                    1,
                    "line {line} at {pause} ms: {text}"
                );
            }
            for job in 1..=jobs {
                assert_eq!(count(format!("job {job:02}")), 1, "job {job} at {pause} ms: {text}");
            }
        }
    }
}
