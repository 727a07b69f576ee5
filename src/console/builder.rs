//! The builder of a console: its output, its look and its clock.

use std::fmt;
use std::io::{self, Write};
use std::marker::PhantomData;
use std::time::Duration;

use futures_core::Stream;

use crate::board::board_with_clock;
use crate::board::clock::Clock;
use crate::board::event::Event;
use crate::console::access::Access;
use crate::console::clock::BoardTime;
use crate::console::driver::{Run, RunWhile};
use crate::console::environment::Environment;
use crate::console::live::painter::Painter;
use crate::console::live::theme::Theme;
use crate::console::open::OpenBoard;
use crate::console::output::{Output, Size};
use crate::console::thread::ConsoleHandle;
use crate::console::view::{FRAME, View};
use crate::io::stdio::Target;
use crate::io::terminal::{Claim, LinesAbove};

/// A console, which shows the events of a board as live rows on a terminal, or as lines of
/// a log.
///
/// A console draws at most ten frames per second by default, the first one immediately,
/// and writes nothing while nothing changes. It never blocks a worker or an executor: a
/// separate thread writes the bytes. If the terminal stops accepting output, the board
/// continues, and the next frame shows the latest state.
///
/// | | draws on | for |
/// |---|---|---|
/// | [`open`](Self::open) | a thread | a program with one board |
/// | [`start`](Self::start) | a thread | any stream of events |
/// | [`run_while`](Self::run_while) | an executor | the duration of a future |
/// | [`run`](Self::run) | an executor | any stream of events |
///
/// Output goes to standard error, so that results can go to standard output;
/// [`stdout`](Self::stdout) and [`output`](Self::output) set another target. If writing
/// fails, the console stops drawing, and the board continues.
///
/// The type parameter is the kind of console. Options that a kind would ignore do not
/// exist on it: [`size`](Self::size), [`color`](Self::color), [`theme`](Self::theme),
/// [`show_after`](Self::show_after) and [`terminal_progress`](Self::terminal_progress)
/// exist only for [`Auto`] and [`Live`].
///
/// # Live consoles
///
/// Rows are redrawn in place. When a job has ended, its row leaves the board at the top.
/// The cursor is never hidden and no signals are handled, so Ctrl-C leaves the terminal
/// usable. The size of the terminal is read for every frame. Rows that a resize pushes
/// off the top remain in the scrollback unchanged.
///
/// A panic hook erases the rows before a panic message is printed, and the board
/// continues below the message; [`panic_hook`](Self::panic_hook) turns it off. While the
/// process is in the background, nothing is drawn. While the terminal is being resized,
/// rows are redrawn only after its size has been stable for 300 ms, or for one second in a
/// multiplexer or over SSH.
///
/// After Ctrl-Z and `fg`, the board continues below the output of the shell, if a change
/// was due meanwhile. No signal handler is needed: a thread that wakes more than a second
/// late detects the stop.
///
/// # Plain consoles
///
/// Plain output has no escape sequences except those in printed lines. A job gets a line
/// when its text changes or another tenth of its work is done, but at most one line per
/// 5 s; the latest change is always written. The initial text of a job is not written.
/// The end of a job gets a line as well. After 30 s of silence, one line names the running
/// jobs. When the board closes, a last line counts the outcomes.
///
/// # Examples
///
/// ```
/// use active_status::{Console, JobOptions};
///
/// let board = Console::auto().open();
/// let job = board.add_job(JobOptions::new().prefix("copy: ").total(2));
/// for file in ["notes.txt", "plan.txt"] {
///     job.set_text(file);
///     job.tick();
/// }
/// assert_eq!(job.position(), 2);
/// job.finish();
/// board.shutdown();
/// ```
///
/// The kind can be chosen at run time:
///
/// ```
/// use active_status::Console;
///
/// # let (quiet, log) = (false, true);
/// let console = match () {
///     _ if quiet => Console::off(),
///     _ if log => Console::plain().into(),
///     _ => Console::auto(),
/// };
/// let board = console.open();
/// board.shutdown();
/// ```
#[must_use = "a console shows nothing until it is opened, started or run"]
pub struct Console<K = Auto> {
    kind: Kind,
    /// `None` for the standard stream.
    output: Option<Box<dyn Write + Send>>,
    stream: Target,
    size: Option<(u16, u16)>,
    color: Option<bool>,
    theme: Option<Theme>,
    progress: Option<bool>,
    panic_hook: bool,
    echo: bool,
    frame_interval: Option<Duration>,
    show_after: Option<Duration>,
    clock: Option<Clock>,
    marker: PhantomData<K>,
}

/// The kind of [`Console::auto`]: live or plain, depending on the environment.
#[derive(Debug)]
pub enum Auto {}

/// The kind of [`Console::live`].
#[derive(Debug)]
pub enum Live {}

/// The kind of [`Console::plain`].
#[derive(Debug)]
pub enum Plain {}

/// The kind of [`Console::json`].
#[cfg(feature = "json")]
#[derive(Debug)]
pub enum Json {}

mod sealed {
    /// A kind of console that may draw rows.
    pub trait DrawsRows {}

    impl DrawsRows for super::Auto {}
    impl DrawsRows for super::Live {}
}

/// The kind of a console as a value.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Auto,
    Live,
    Plain,
    #[cfg(feature = "json")]
    Json,
    Off,
}

impl Console<Auto> {
    /// Creates a console that is live if standard error is a terminal that supports it,
    /// and plain otherwise.
    ///
    /// The console is live if standard error is a terminal, `TERM` is set and is not
    /// `dumb`, no other live console has the terminal, and neither `CI` nor `ACCESSIBLE`
    /// is set to a value other than `0` or `false`. `ACCESSIBLE` is for screen readers,
    /// which need lines that do not change: the console then writes at least one line per
    /// 30 s, even on a terminal. A console with another [`output`](Self::output) is plain.
    ///
    /// With the feature `relay`, the console of a process that an ancestor adopted by
    /// `Board::adopt` shows nothing: its events go to the board of the ancestor. This is so
    /// unless it has another output.
    ///
    /// On Windows, `TERM` need not be set if the console interprets escape sequences. Older
    /// consoles are made to do so.
    pub fn auto() -> Self {
        Self::new(Kind::Auto)
    }

    /// Creates a console that shows nothing, for `--quiet`.
    ///
    /// The board works as with any other console. Printed lines and failures are dropped as
    /// well, so a program reports its errors by other means.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    ///
    /// use active_status::{Console, JobOptions};
    ///
    /// # fn main() -> io::Result<()> {
    /// # let quiet = true;
    /// let (reader, writer) = io::pipe()?;
    /// let console = if quiet { Console::off() } else { Console::auto() };
    /// let board = console.output(writer).open();
    /// let job = board.add_job(JobOptions::new().total(3));
    /// job.tick();
    /// board.println("not shown");
    /// board.shutdown();
    /// assert_eq!(io::read_to_string(reader)?, "");
    /// assert_eq!(job.position(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn off() -> Self {
        Self::new(Kind::Off)
    }
}

impl Console<Live> {
    /// Creates a live console, whatever the output is.
    ///
    /// If another live console has the terminal of the process, this one prints plain lines
    /// above its rows.
    pub fn live() -> Self {
        Self::new(Kind::Live)
    }
}

impl Console<Plain> {
    /// Creates a plain console, whatever the output is.
    pub fn plain() -> Self {
        Self::new(Kind::Plain)
    }
}

#[cfg(feature = "json")]
impl Console<Json> {
    /// Creates a console that writes every event as a line of JSON, after a
    /// [header](crate::record::Header). [`Event`] describes the lines.
    ///
    /// With a file as [`output`](Self::output), this records a run for
    /// [`read_records`](crate::record::read_records) or `jq`. Events are written as they
    /// arrive, at most ten times per second. While the output accepts nothing, the
    /// console buffers about 1 MiB; further events stay on the board, where updates
    /// merge.
    ///
    /// # Examples
    ///
    /// A board on the terminal and in a file, here a pipe:
    ///
    /// ```
    /// use std::io::{self, BufReader};
    ///
    /// use active_status::record::read_records;
    /// use active_status::{Console, board, tee};
    ///
    /// # fn main() -> io::Result<()> {
    /// let (board, events) = board();
    /// let [screen, record] = tee(events);
    /// let (file, writer) = io::pipe()?;
    /// let screen = Console::auto().start(screen);
    /// let record = Console::json().output(writer).start(record);
    /// board.add_job("copy: ").finish();
    /// board.close();
    /// screen.shutdown();
    /// record.shutdown();
    /// // The job was added and has ended, and the board was closed.
    /// assert_eq!(read_records(BufReader::new(file)).count(), 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn json() -> Self {
        Self::new(Kind::Json)
    }
}

impl<K: sealed::DrawsRows> Console<K> {
    /// Sets the size of the screen, instead of reading it from the terminal.
    ///
    /// For an [`output`](Self::output) other than standard error, the default is 80
    /// columns and 24 rows.
    pub const fn size(mut self, columns: u16, rows: u16) -> Self {
        self.size = Some((columns, rows));
        self
    }

    /// Turns color on or off.
    ///
    /// By default, color is off if `NO_COLOR` is not empty. Otherwise it is on if
    /// `FORCE_COLOR` or `CLICOLOR_FORCE` is set to a value other than `0`, or if the
    /// output is standard error and a terminal. Plain output has no color.
    pub const fn color(mut self, color: bool) -> Self {
        self.color = Some(color);
        self
    }

    /// Sets the marks, colors and bars of live rows.
    ///
    /// The default is [`Theme::new`], or [`Theme::ascii`] on standard error if the
    /// locale is not UTF-8 or `TERM` is `linux`. The locale is the first of `LC_ALL`, `LC_CTYPE` and
    /// `LANG` that is not empty.
    pub fn theme(mut self, theme: Theme) -> Self {
        self.theme = Some(theme);
        self
    }

    /// Sets whether a live console reports overall progress to the terminal
    /// (`OSC 9;4`), for its tab, its title or the taskbar.
    ///
    /// The progress is the mean of the pinned jobs with a total if one of them is
    /// running, and otherwise of all jobs with a total; jobs that have ended count as
    /// done. If no running job has a total, the terminal shows indeterminate progress. It
    /// shows an error once a job has failed or panicked. The console clears the progress
    /// when it ends, which it cannot do if the program is killed or ended by Ctrl-C.
    ///
    /// By default, this is on if standard error is a terminal that is known to support
    /// it: ConEmu, Ghostty, iTerm2 from 3.6.6, mintty from 3.4.2, Ptyxis from 48, WezTerm
    /// and Windows Terminal, but not within tmux, GNU screen or Zellij. Other terminals
    /// may interpret the sequence as a notification.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    ///
    /// use active_status::Console;
    ///
    /// # fn main() -> io::Result<()> {
    /// for progress in [false, true] {
    ///     let (reader, writer) = io::pipe()?;
    ///     let console = Console::live().terminal_progress(progress);
    ///     let board = console.output(writer).open();
    ///     let job = board.add_job("copy: ");
    ///     board.flush();
    ///     job.finish();
    ///     board.shutdown();
    ///     assert_eq!(io::read_to_string(reader)?.contains("\x1b]9;4;"), progress);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub const fn terminal_progress(mut self, progress: bool) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Shows rows only after this time has passed since the first event, so that short
    /// commands print none. The default is not to wait.
    ///
    /// Until then, printed lines and the rows of jobs that end are written as usual, except
    /// for those that finish: they leave no trace. Nothing else is lost: what fails, panics
    /// or is cancelled is shown, even if the board closes before. A console that is plain
    /// writes no line about running jobs before this time, and none at all if the board
    /// closes before and every job has finished.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    /// use std::time::Duration;
    ///
    /// use active_status::Console;
    ///
    /// # fn main() -> io::Result<()> {
    /// let time = Duration::from_millis(500);
    /// # let time = Duration::from_secs(3_600);
    /// let (reader, writer) = io::pipe()?;
    /// let board = Console::live().show_after(time).output(writer).open();
    /// board.add_job("a short command").finish();
    /// board.shutdown();
    /// assert_eq!(io::read_to_string(reader)?, "");
    /// # Ok(())
    /// # }
    /// ```
    pub const fn show_after(mut self, time: Duration) -> Self {
        self.show_after = Some(time);
        self
    }

    /// Sets whether the console installs a panic hook.
    ///
    /// By default, a live console on the terminal of the process installs a hook when it
    /// is opened, started or run; all consoles share it. The hook erases the rows, calls
    /// the previous hook, and lets the next frame start below the message. Hooks are
    /// global, and this one stays installed. Without it, or if a later hook replaces it,
    /// a frame may be drawn over a panic message.
    pub const fn panic_hook(mut self, install: bool) -> Self {
        self.panic_hook = install;
        self
    }

    /// Sets whether the terminal echoes typed keys while the console draws rows on it.
    ///
    /// By default it does, and each Enter leaves a copy of the first row behind. Without
    /// echo, a child process (`sh`) restores the modes of the terminal at the end, even if
    /// the program is killed, and when Ctrl-Z stops it; after `fg`, the echo is off again
    /// with the next frame. If the program is killed, as by Ctrl-C, the child also ends the style
    /// that an incomplete frame may have left on. While the console is [suspended](crate::console::suspend()), keys
    /// are echoed. The option has no effect in the background, and on systems other than
    /// Unix.
    pub const fn echo(mut self, echo: bool) -> Self {
        self.echo = echo;
        self
    }
}

impl<K> Console<K> {
    const fn new(kind: Kind) -> Self {
        Self {
            kind,
            output: None,
            stream: Target::Err,
            size: None,
            color: None,
            theme: None,
            progress: None,
            panic_hook: true,
            echo: true,
            frame_interval: None,
            show_after: None,
            clock: None,
            marker: PhantomData,
        }
    }

    /// Draws on standard output, instead of standard error.
    ///
    /// The console is live if standard output is a terminal that supports it. This is for
    /// programs without results that may be piped. A capture redirects nothing unless standard
    /// error is a terminal, too.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::Console;
    /// use active_status::progress::ProgressIterator;
    ///
    /// let board = Console::auto().stdout().open();
    /// let sum: u32 = (1..=100).progress_on(&board, "add: ").sum();
    /// board.shutdown();
    /// assert_eq!(sum, 5_050);
    /// ```
    pub fn stdout(mut self) -> Self {
        self.output = None;
        self.stream = Target::Out;
        self
    }

    /// Sets the writer to draw on, instead of standard error.
    ///
    /// A separate thread calls it, once per frame unless the frame is large. An error or
    /// a panic of the writer ends the drawing and nothing else.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    ///
    /// use active_status::Console;
    ///
    /// # fn main() -> io::Result<()> {
    /// let (reader, writer) = io::pipe()?;
    /// let board = Console::plain().output(writer).open();
    /// board.add_job("copy: ").finish();
    /// board.shutdown();
    /// assert_eq!(io::read_to_string(reader)?, "copy: (finished)\n1 done in 0s\n");
    /// # Ok(())
    /// # }
    /// ```
    pub fn output(mut self, output: impl Write + Send + 'static) -> Self {
        self.output = Some(Box::new(output));
        self
    }

    /// Sets the clock of the board: the one given to
    /// [`board_with_clock`](crate::board_with_clock), or
    /// [that of a replay](crate::record::Replay::clock).
    ///
    /// The clock determines the age of the rows, not the times at which frames are drawn.
    /// By default, the console estimates it from the times of events; the first event may
    /// then appear newer than it is.
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = Some(clock.into());
        self
    }

    /// Sets the minimum time between two frames, or between two writes of lines.
    ///
    /// The default is 100 ms. A longer interval saves bytes on a slow connection.
    ///
    /// # Examples
    ///
    /// The last state is written without waiting for the interval:
    ///
    /// ```
    /// use std::io;
    /// use std::time::Duration;
    ///
    /// use active_status::Console;
    ///
    /// # fn main() -> io::Result<()> {
    /// let (reader, writer) = io::pipe()?;
    /// let console = Console::plain().frame_interval(Duration::from_secs(60));
    /// let board = console.output(writer).open();
    /// board.add_job("copy: ").fail("no space");
    /// board.shutdown();
    /// let log = io::read_to_string(reader)?;
    /// assert!(log.starts_with("copy: (failed): no space\n"), "{log}");
    /// # Ok(())
    /// # }
    /// ```
    pub const fn frame_interval(mut self, interval: Duration) -> Self {
        self.frame_interval = Some(interval);
        self
    }

    /// Creates a board, and shows it on a separate thread.
    ///
    /// If the system cannot provide a thread, nothing is shown.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::{Console, JobOptions};
    ///
    /// let board = Console::auto().open();
    /// let total = board.add_job(JobOptions::new().prefix("total: ").pinned(true).total(3));
    /// std::thread::scope(|scope| {
    ///     for worker in 1..=3 {
    ///         let (job, total) = (board.add_job(format!("worker {worker}: ")), total.clone());
    ///         scope.spawn(move || {
    ///             total.tick();
    ///             job.finish_with("done");
    ///         });
    ///     }
    /// });
    /// board.shutdown();
    /// assert_eq!(total.position(), 3);
    /// ```
    pub fn open(mut self) -> OpenBoard {
        let clock = self.clock.get_or_insert_with(Clock::monotonic).clone();
        let (board, events) = board_with_clock(move || clock.now());
        OpenBoard::new(board, self.start(events))
    }

    /// Shows a stream of events on a separate thread, until the stream ends or the board
    /// is [closed](Event::Closed).
    ///
    /// If the system cannot provide a thread, the stream is dropped and nothing is shown.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    ///
    /// use active_status::{Console, board};
    ///
    /// # fn main() -> io::Result<()> {
    /// let (board, events) = board();
    /// let (reader, writer) = io::pipe()?;
    /// let console = Console::plain().output(writer).start(events);
    /// board.println("hello");
    /// console.shutdown();
    /// assert_eq!(io::read_to_string(reader)?, "hello\n");
    /// # Ok(())
    /// # }
    /// ```
    pub fn start<S>(self, events: S) -> ConsoleHandle
    where
        S: Stream<Item = Event> + Send + 'static,
    {
        let (view, output) = self.prepare();
        ConsoleHandle::start(Box::pin(events), view, output)
    }

    /// Shows a stream of events on the executor that polls the returned future, until the
    /// stream ends or the board is [closed](Event::Closed).
    ///
    /// `sleep` creates a timer of the executor, such as `tokio::time::sleep` or
    /// `smol::Timer::after`. The first poll starts a thread that only writes.
    ///
    /// At the end, the future waits until the terminal has accepted the last frame, but
    /// gives up after 2 s without progress.
    ///
    /// # Cancel safety
    ///
    /// A dropped future takes the events that are ready and hands over the last frame,
    /// without waiting until it is written.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::{Console, board};
    ///
    /// # smol::block_on(async {
    /// let (board, events) = board();
    /// let show = Console::auto().run(events, smol::Timer::after);
    /// let work = async move {
    ///     let job = board.add_job("count: ");
    ///     job.set_text("sheep");
    ///     job.finish();
    ///     12
    /// };
    /// let (_, sheep) = smol::future::zip(show, work).await;
    /// assert_eq!(sheep, 12);
    /// # });
    /// ```
    pub fn run<S, F, T>(self, events: S, sleep: F) -> Run<S, F, T>
    where
        S: Stream<Item = Event>,
        F: FnMut(Duration) -> T,
        T: Future,
    {
        let (view, output) = self.prepare();
        Run::new(events, sleep, view, output)
    }

    /// Runs `work` while showing a stream of events as [`run`](Self::run) does, then
    /// draws the last frame and returns the output of `work`.
    ///
    /// Jobs that are still running when `work` completes are shown as abandoned. `work`
    /// is dropped before the last frame is drawn. If the future is dropped, `work` is
    /// dropped first.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::{Console, board};
    ///
    /// # smol::block_on(async {
    /// let (board, events) = board();
    /// let work = async {
    ///     let job = board.add_job("count: ");
    ///     job.set_text("sheep");
    ///     job.finish();
    ///     12
    /// };
    /// let sheep = Console::auto().run_while(events, smol::Timer::after, work).await;
    /// assert_eq!(sheep, 12);
    /// # });
    /// ```
    pub fn run_while<S, F, T, W>(self, events: S, sleep: F, work: W) -> RunWhile<S, F, T, W>
    where
        S: Stream<Item = Event>,
        F: FnMut(Duration) -> T,
        T: Future,
        W: Future,
    {
        RunWhile::new(work, self.run(events, sleep))
    }

    fn prepare(self) -> (View, Output) {
        // A process whose parent shows its board needs no output.
        #[cfg(all(unix, feature = "relay"))]
        if let (Kind::Auto, None) = (self.kind, &self.output)
            && let Some(parent) = crate::io::parent::connect()
        {
            let view = View::json(BoardTime::new(self.clock));
            let view = view.with_frame_interval(self.frame_interval.unwrap_or(FRAME));
            return (view, Output::new(Box::new(parent)));
        }
        let (environment, size) = match self.output {
            Some(_) => (Environment::of_other(), Size::Fixed(0, 0)),
            None => (Environment::of(self.stream), Size::Of(self.stream)),
        };
        let size = self.size.map_or(size, |(columns, rows)| Size::Fixed(columns, rows));
        let time = BoardTime::new(self.clock);
        let interval = self.frame_interval.unwrap_or(FRAME);
        // One console draws on the terminal; the lines of others appear above its rows.
        let wants_rows = match self.kind {
            Kind::Auto => environment.is_live(),
            Kind::Live => self.output.is_none() && environment.is_terminal(),
            _ => false,
        };
        let claim =
            if wants_rows && self.output.is_none() { Claim::new(self.stream) } else { None };
        let finish = |view: View| {
            let view = view.with_frame_interval(interval);
            if let Some(time) = self.show_after { view.with_show_after(time) } else { view }
        };
        if wants_rows && claim.is_none() {
            return (finish(View::plain(time)), Output::new(Box::new(LinesAbove::default())));
        }
        let view = match self.kind {
            #[cfg(feature = "json")]
            Kind::Json => View::json(time),
            Kind::Off => return (View::off(time), Output::new(Box::new(io::sink()))),
            Kind::Plain => View::plain(time),
            Kind::Auto if !environment.is_live() => View::plain(time),
            Kind::Auto | Kind::Live => {
                let color = self.color.unwrap_or_else(|| environment.has_color());
                let theme = self.theme.unwrap_or_else(|| match environment.has_unicode() {
                    true => Theme::new(),
                    false => Theme::ascii(),
                });
                let painter = Painter::new(theme, color, environment.reflows());
                let reports = self.progress.unwrap_or_else(|| environment.shows_progress());
                let painter = if reports { painter.with_progress() } else { painter };
                let late = environment.reports_late();
                let access =
                    claim.map(|claim| Access::new(claim, self.panic_hook, self.echo, late));
                View::live(painter, size, time, access)
            }
        };
        let output = self.output.map_or_else(|| Output::standard(self.stream), Output::new);
        (finish(view), output)
    }

    fn into_auto(self) -> Console<Auto> {
        Console {
            kind: self.kind,
            output: self.output,
            stream: self.stream,
            size: self.size,
            color: self.color,
            theme: self.theme,
            progress: self.progress,
            panic_hook: self.panic_hook,
            echo: self.echo,
            frame_interval: self.frame_interval,
            show_after: self.show_after,
            clock: self.clock,
            marker: PhantomData,
        }
    }
}

/// Converts a console to one whose kind is chosen at run time. It stays live.
impl From<Console<Live>> for Console<Auto> {
    fn from(console: Console<Live>) -> Self {
        console.into_auto()
    }
}

/// Converts a console to one whose kind is chosen at run time. It stays plain: options of
/// live rows that are set afterwards have no effect.
impl From<Console<Plain>> for Console<Auto> {
    fn from(console: Console<Plain>) -> Self {
        console.into_auto()
    }
}

/// Converts a console to one whose kind is chosen at run time. It keeps writing JSON:
/// options of live rows that are set afterwards have no effect.
#[cfg(feature = "json")]
impl From<Console<Json>> for Console<Auto> {
    fn from(console: Console<Json>) -> Self {
        console.into_auto()
    }
}

impl<K> fmt::Debug for Console<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console")
            .field("kind", &self.kind)
            .field("stream", &self.output.is_none().then_some(self.stream))
            .field("size", &self.size)
            .field("color", &self.color)
            .field("theme", &self.theme)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}
