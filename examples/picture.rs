//! Draws a recorded run as a moving SVG, for light and dark pages.
//!
//! ```sh
//! cargo run --features json --example show -- --record target/run.jsonl
//! cargo run --features picture --example picture -- target/run.jsonl >picture.svg
//! ```
//!
//! The run is played in real time on a terminal in memory. The picture repeats; where the
//! system asks for reduced motion, it shows the last frame only. With `--at`, it shows the
//! frame at that time of the run. `examples/pictures.sh` draws the pictures of the
//! documentation.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{env, fmt};

use active_status::record::{read_records, replay};
use active_status::{Console, Theme};
use avt::{Cell, Color, Line, Terminal};
use smol::Timer;

const USAGE: &str = "usage: picture FILE [--columns N] [--rows N] [--at SECONDS] [--classic]";

/// The size of a cell, in pixels.
const CELL: (f64, f64) = (7.8, 17.0);

/// The space around the terminal, in pixels.
const MARGIN: f64 = 12.0;

/// The time between two frames. Each adds about 3 kB to the picture.
const FRAME: Duration = Duration::from_millis(200);

/// How long the last frame stands still before the picture repeats.
const PAUSE: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let result = match Arguments::parse() {
        Some(arguments) => arguments.draw(),
        None => Err(io::Error::other(USAGE)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _closed = writeln!(io::stderr(), "picture: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Arguments {
    file: String,
    columns: u16,
    rows: u16,
    at: Option<f64>,
    theme: Theme,
}

impl Arguments {
    fn parse() -> Option<Self> {
        let (file, theme) = (String::new(), Theme::new());
        let mut found = Self { file, columns: 80, rows: 24, at: None, theme };
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--columns" => found.columns = arguments.next()?.parse().ok()?,
                "--rows" => found.rows = arguments.next()?.parse().ok()?,
                "--at" => found.at = Some(arguments.next()?.parse().ok()?),
                "--classic" => found.theme = Theme::classic(),
                option if option.starts_with('-') => return None,
                file => found.file = file.into(),
            }
        }
        Some(found).filter(|found| !found.file.is_empty())
    }

    fn draw(self) -> io::Result<()> {
        let events: Vec<_> =
            read_records(BufReader::new(File::open(&self.file)?)).collect::<io::Result<_>>()?;
        let recorder = Recorder::new(self.columns, self.rows);
        let replay = replay(events, Timer::after);
        let console = Console::live().color(true).size(self.columns, self.rows);
        let console = console.theme(self.theme).frame_interval(FRAME).output(recorder.clone());
        smol::block_on(console.clock(replay.clock()).run(replay, Timer::after));
        let mut frames = recorder.into_frames();
        if let Some(at) = self.at {
            let later = frames.partition_point(|frame| frame.at.as_secs_f64() <= at);
            frames.truncate(later.max(1));
            frames.drain(..frames.len().saturating_sub(1));
        }
        let picture = Picture { frames, columns: self.columns, rows: self.rows };
        write!(io::stdout(), "{picture}")
    }
}

/// A frame, and the time at which it appears.
struct Frame {
    at: Duration,
    lines: Vec<Line>,
}

/// A terminal in memory that keeps what it shows after each write.
#[derive(Clone)]
struct Recorder {
    start: Instant,
    state: Arc<Mutex<(Terminal, Vec<Frame>)>>,
}

impl Recorder {
    #[expect(clippy::disallowed_methods, reason = "the picture moves as the terminal did")]
    fn new(columns: u16, rows: u16) -> Self {
        let terminal = Terminal::new(columns.into(), rows.into()).expect("a size above 0");
        Self { start: Instant::now(), state: Arc::new(Mutex::new((terminal, Vec::new()))) }
    }

    fn into_frames(self) -> Vec<Frame> {
        std::mem::take(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).1)
    }
}

impl Write for Recorder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
        let (terminal, frames) = &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        terminal.feed(&*text.replace('\n', "\r\n"));
        let lines = terminal.screen().visible_lines().cloned().collect();
        frames.push(Frame { at: self.start.elapsed(), lines });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The SVG of some frames: a film whose frames lie side by side and pass behind a window.
/// A line that several frames contain is drawn once and used again.
struct Picture {
    frames: Vec<Frame>,
    columns: u16,
    rows: u16,
}

impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = f64::from(self.columns) * CELL.0;
        let height = f64::from(self.rows) * CELL.1;
        let (outer_width, outer_height) = (width + 2.0 * MARGIN, height + 2.0 * MARGIN);
        let mut lines = HashMap::new();
        let (mut drawn, mut film, mut steps) = (String::new(), String::new(), String::new());
        let end = self.frames.last().map_or(PAUSE, |frame| frame.at + PAUSE);
        for (place, frame) in self.frames.iter().enumerate() {
            let x = place as f64 * width;
            write!(film, "<g transform=\"translate({x:.0})\">")?;
            for (row, line) in frame.lines.iter().enumerate() {
                let spans = spans(line);
                if spans.is_empty() {
                    continue;
                }
                let new = lines.len();
                let id = *lines.entry(spans).or_insert_with_key(|spans| {
                    let _infallible = writeln!(drawn, "<text id=\"l{new}\">{spans}</text>");
                    new
                });
                let y = (row as f64 + 0.75) * CELL.1;
                write!(film, "<use href=\"#l{id}\" y=\"{y:.1}\"/>")?;
            }
            writeln!(film, "</g>")?;
            let percent = 100.0 * frame.at.div_duration_f64(end);
            write!(steps, "{percent:.2}%{{transform:translateX({:.0}px)}}", -x)?;
        }
        let last = self.frames.len().saturating_sub(1) as f64 * -width;
        writeln!(
            f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{outer_width:.0}\" \
             height=\"{outer_height:.0}\" viewBox=\"0 0 {outer_width:.1} {outer_height:.1}\">\n\
             <style>\n{STYLE}\
             @keyframes film{{{steps}100%{{transform:translateX({last:.0}px)}}}}\n\
             .film{{animation:film {:.2}s step-end infinite;transform:translateX({last:.0}px)}}\n\
             @media (prefers-reduced-motion:reduce){{.film{{animation:none}}}}\n\
             </style>\n\
             <defs>\n{drawn}</defs>\n\
             <rect class=\"page\" width=\"100%\" height=\"100%\" rx=\"8\"/>\n\
             <svg x=\"{MARGIN}\" y=\"{MARGIN}\" width=\"{width:.1}\" height=\"{height:.1}\">\n\
             <g class=\"film\">{film}</g>\n</svg>\n</svg>",
            end.as_secs_f64(),
        )
    }
}

/// The fonts, and the colors of a light and of a dark page. The contrast of every color
/// with its page is at least 4.5, and 4 for faint text.
const STYLE: &str = "\
text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;\
white-space:pre;fill:#24292f}
.page{fill:#f6f8fa}.b{font-weight:bold}.f{opacity:.65}.i{font-style:italic}
.c1{fill:#c4202a}.c2{fill:#116329}.c3{fill:#7a5300}.c4{fill:#0550ae}.c5{fill:#8250df}.c6{fill:#0b6a75}
@media (prefers-color-scheme:dark){text{fill:#d7dde4}.page{fill:#0d1117}
.c1{fill:#ff7b72}.c2{fill:#56d364}.c3{fill:#e3b341}.c4{fill:#79c0ff}.c5{fill:#d2a8ff}.c6{fill:#56d4dd}}
";

/// Returns the elements of a line, one for each run of cells that look the same. Each has
/// its own place, because the font of a reader may lack a character.
fn spans(line: &Line) -> String {
    let mut spans = String::new();
    let mut column = 0;
    for cells in line.chunks(|left, right| left.pen() != right.pen()) {
        let text: String = cells.iter().filter(|cell| cell.width() > 0).map(Cell::char).collect();
        let width: usize = cells.iter().map(|cell| usize::from(cell.width())).sum();
        if !text.trim_matches(' ').is_empty() {
            let before = text.len() - text.trim_start_matches(' ').len();
            let after = text.len() - text.trim_end_matches(' ').len();
            let x = (column + before) as f64 * CELL.0;
            // With a length, a run has the same width in every font.
            let length = match text.is_ascii() {
                true => String::new(),
                false => format!(" textLength=\"{:.1}\"", (width - before - after) as f64 * CELL.0),
            };
            let class = class(&cells[0]);
            let text = text.trim_matches(' ').replace('&', "&amp;").replace('<', "&lt;");
            let _infallible = write!(spans, "<tspan x=\"{x:.1}\"{length}{class}>{text}</tspan>");
        }
        column += width;
    }
    spans
}

/// Returns the attribute with the classes of a cell.
fn class(cell: &Cell) -> String {
    let pen = cell.pen();
    let color = match pen.foreground() {
        Some(Color::Indexed(color)) => Some(format!("c{}", color % 8)),
        _ => None,
    };
    let effects = [(pen.is_bold(), "b"), (pen.is_faint(), "f"), (pen.is_italic(), "i")];
    let effects = effects.into_iter().filter(|(set, _)| *set).map(|(_, name)| name.to_owned());
    let names: Vec<String> = color.into_iter().chain(effects).collect();
    if names.is_empty() { String::new() } else { format!(" class=\"{}\"", names.join(" ")) }
}
