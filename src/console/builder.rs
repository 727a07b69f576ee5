//! The board on a terminal or in a log.

use std::fmt;
use std::io::Write;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use futures_core::Stream;

use crate::board::event::Event;
use crate::board::{Board, board_with_clock, monotonic};
use crate::console::clock::{Clock, Now};
use crate::console::driver::{Run, RunWhile};
use crate::console::environment::Environment;
use crate::console::live::painter::Painter;
use crate::console::live::theme::Theme;
use crate::console::output::{Output, Size};
pub use crate::console::thread::Running;
use crate::console::view::View;
use crate::record::replay::Replay;

/// Shows what happens on a board: live on a terminal, or as lines of a log.
///
/// It draws ten times a second at most, the first time at once, and writes
/// nothing while nothing changes. It never keeps a worker or an executor
/// waiting: bytes are written on a thread of its own, and while the terminal
/// takes none the board goes on, the next frame being the latest.
///
/// | | draws on | for |
/// |---|---|---|
/// | [`open`](Self::open) | a thread | a program with one board |
/// | [`start`](Self::start) | a thread | any stream of events |
/// | [`run_while`](Self::run_while) | your executor | the time that some work takes |
/// | [`run`](Self::run) | your executor | any stream of events |
///
/// Output goes to stderr, so that results can go to stdout. If it cannot be
/// written, nothing more is drawn; the board goes on.
///
/// # Live
///
/// Rows are drawn over where they stand, and leave upwards when their jobs have
/// ended. There is no cursor hidden and no signal handled, so Ctrl-C leaves the
/// terminal as it should be. The size is asked for at every frame: a terminal that
/// gets narrower wraps the rows, and those that this pushes off its top stay in what
/// scrolled away, as they were. After a job that
/// [panicked](crate::Outcome::Panicked) the board goes on below the message, whose
/// length nobody knows, so that a copy of the rows stays above it unless others'
/// output is captured (feature `capture`).
/// After Ctrl-Z and `fg` it goes on below what the shell wrote, if something was
/// due to change meanwhile: there is no signal handler, but a thread that wakes a
/// second too late.
///
/// # Plain
///
/// No escape sequences but those in printed lines. A line whenever a job has a
/// new text or another tenth done, at most one a job in 5 s, the last one always;
/// one for its end; after 30 s of silence one of what still runs; when the board
/// closes, one that counts the outcomes. The text that a job starts with is not
/// said.
///
/// # Examples
///
/// ```
/// use active_status::Console;
///
/// let board = Console::auto().open();
/// let job = board.add_job("copy: ");
/// job.set_text("notes.txt");
/// job.finish();
/// board.shutdown();
/// ```
#[must_use = "a console shows nothing until it is opened, started or run"]
pub struct Console {
    kind: Kind,
    output: Option<Box<dyn Write + Send>>,
    size: Option<(u16, u16)>,
    colour: Option<bool>,
    theme: Option<Theme>,
    progress: Option<bool>,
    clock: Option<Now>,
    /// How many times as fast as time the clock runs.
    rate: f64,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Auto,
    Live,
    Plain,
    #[cfg(feature = "json")]
    Json,
}

impl Console {
    /// Live if stderr is a terminal that can do it, else plain.
    ///
    /// It is live if stderr is a terminal, `TERM` is set and not `dumb`, and
    /// neither `CI` nor `ACCESSIBLE` is set, or only to `0` or `false`. The latter
    /// is for people whose screen reader needs lines that stay: they get the plain
    /// board on a terminal too, with a sign of life at least every 30 s. With an
    /// [`output`](Self::output) of yours it is plain.
    pub fn auto() -> Self {
        Self::new(Kind::Auto)
    }

    /// Live, whatever the output is.
    pub fn live() -> Self {
        Self::new(Kind::Live)
    }

    /// Plain, whatever the output is.
    pub fn plain() -> Self {
        Self::new(Kind::Plain)
    }

    /// As lines of JSON: each event that was taken is one, a [`Record`](crate::Record)
    /// says what is in it.
    ///
    /// With an [`output`](Self::output) that is a file this keeps a run, to be read
    /// by [`read_records`](crate::read_records) or by `jq`. Lines are written as
    /// they come, ten times a second at most. While the output takes nothing, about
    /// 1 MiB is taken from the board and the rest waits there, where news merges.
    ///
    /// # Examples
    ///
    /// On the terminal and in a file, here in memory:
    ///
    /// ```
    /// use active_status::{Console, board, tee};
    ///
    /// let (board, events) = board();
    /// let [screen, file] = tee(events);
    /// let screen = Console::auto().start(screen);
    /// let file = Console::json().output(Vec::new()).start(file);
    /// board.add_job("copy: ").finish();
    /// board.close();
    /// screen.shutdown();
    /// file.shutdown();
    /// ```
    #[cfg(feature = "json")]
    pub fn json() -> Self {
        Self::new(Kind::Json)
    }

    const fn new(kind: Kind) -> Self {
        Self {
            kind,
            output: None,
            size: None,
            colour: None,
            theme: None,
            progress: None,
            clock: None,
            rate: 1.0,
        }
    }

    /// Writes to this instead of stderr.
    ///
    /// It is written to on one thread, a frame a call unless that is large. An
    /// error, or a panic, ends the drawing and nothing else.
    ///
    /// # Examples
    ///
    /// What a test may do:
    ///
    /// ```
    /// use std::io::{self, Write};
    /// use std::sync::{Arc, Mutex};
    ///
    /// use active_status::Console;
    ///
    /// #[derive(Clone, Default)]
    /// struct Memory(Arc<Mutex<Vec<u8>>>);
    ///
    /// impl Write for Memory {
    ///     fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
    ///         self.0.lock().unwrap().write(bytes)
    ///     }
    ///     fn flush(&mut self) -> io::Result<()> {
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let memory = Memory::default();
    /// let board = Console::plain().output(memory.clone()).open();
    /// board.add_job("copy: ").finish();
    /// board.shutdown();
    /// let log = memory.0.lock().unwrap().clone();
    /// assert_eq!(log, b"copy: (finished in 0s)\n1 done in 0s\n");
    /// ```
    pub fn output(mut self, output: impl Write + Send + 'static) -> Self {
        self.output = Some(Box::new(output));
        self
    }

    /// Takes the screen to have this size, instead of asking the terminal.
    ///
    /// An [`output`](Self::output) of yours cannot be asked: its size is 80
    /// columns and 24 rows unless it is set here.
    pub const fn size(mut self, columns: u16, rows: u16) -> Self {
        self.size = Some((columns, rows));
        self
    }

    /// With colours or without.
    ///
    /// Unless it is set, there are none if `NO_COLOR` is not empty; else there
    /// are if `FORCE_COLOR` or `CLICOLOR_FORCE` is set, and not to `0`; else if
    /// stderr is a terminal and the output. Plain output has no colours.
    pub const fn colour(mut self, colour: bool) -> Self {
        self.colour = Some(colour);
        self
    }

    /// What rows are drawn with when they are live.
    ///
    /// Unless it is set, it is [`Theme::new`], or [`Theme::ascii`] on stderr if the
    /// locale is not UTF-8: the first of `LC_ALL`, `LC_CTYPE` and `LANG` that is
    /// not empty counts.
    pub fn theme(mut self, theme: Theme) -> Self {
        self.theme = Some(theme);
        self
    }

    /// Whether a live board also tells the terminal how far it is, for its tab, its
    /// title or the taskbar (`OSC 9;4`).
    ///
    /// The terminal shows the mean of the pinned jobs that have a total, if one of
    /// them runs, else of all that have one, where those that ended count as done;
    /// if no job that runs has a total, only that something runs. It shows an
    /// error as soon as a job failed or panicked. At the end it shows nothing any
    /// more. A program that is killed, or ended by Ctrl-C, cannot take it back.
    ///
    /// Unless it is set, stderr is told if its terminal is known to understand it:
    /// ConEmu, Ghostty, iTerm2 from 3.6.6, mintty from 3.4.2, Ptyxis from 48,
    /// WezTerm and Windows Terminal, and not within tmux, GNU screen or Zellij.
    /// Others may take it for a notification.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::Console;
    ///
    /// let board = Console::auto().terminal_progress(false).open();
    /// board.add_job("copy: ").finish();
    /// board.shutdown();
    /// ```
    pub const fn terminal_progress(mut self, progress: bool) -> Self {
        self.progress = Some(progress);
        self
    }

    /// The clock that the times of the events are on, as given to
    /// [`board_with_clock`](crate::board_with_clock).
    ///
    /// It tells how old things on the board are; when frames are drawn does not
    /// depend on it. Unless it is set, it is worked out from the events, which
    /// may take the first of them for newer than they are.
    pub fn clock(mut self, now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.clock = Some(Arc::new(now));
        self.rate = 1.0;
        self
    }

    /// Goes by the time in this replay, at its speed, so that all is as old as it
    /// was in the run.
    pub fn follow<I, F, T>(self, replay: &Replay<I, F, T>) -> Self {
        Self { rate: replay.rate(), ..self.clock(replay.clock()) }
    }

    /// Makes a board and shows it, on a thread of its own.
    ///
    /// If the system gives no thread, the board shows nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::Console;
    ///
    /// let board = Console::auto().open();
    /// std::thread::scope(|scope| {
    ///     for worker in 1..=3 {
    ///         let job = board.add_job(format!("worker {worker}: "));
    ///         scope.spawn(move || job.set_text("done"));
    ///     }
    /// });
    /// board.shutdown();
    /// ```
    pub fn open(mut self) -> LiveBoard {
        let now = self.clock.take().unwrap_or_else(|| Arc::new(monotonic()));
        self.clock = Some(Arc::clone(&now));
        let (board, events) = board_with_clock(move || now());
        LiveBoard { board, running: self.start(events) }
    }

    /// Shows what these events tell, on a thread of its own, until they end or
    /// the board is [closed](Event::Closed).
    ///
    /// If the system gives no thread, nothing is shown and the stream is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::{Console, board};
    ///
    /// let (board, events) = board();
    /// let running = Console::plain().start(events);
    /// board.println("hello");
    /// running.shutdown();
    /// ```
    pub fn start<S>(self, events: S) -> Running
    where
        S: Stream<Item = Event> + Send + 'static,
    {
        let (view, output) = self.prepare();
        Running::start(Box::pin(events), view, output)
    }

    /// Shows what these events tell, on the executor that polls the future,
    /// until they end or the board is [closed](Event::Closed).
    ///
    /// `sleep` makes a future that waits for a time: the timer of your executor,
    /// such as `tokio::time::sleep` or `smol::Timer::after`. A thread is started
    /// at the first poll; it only writes.
    ///
    /// At the end the future waits for the terminal to take the last frame, at
    /// most 2 s while it takes nothing.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped it takes the events that are there and hands
    /// over the last frame, without waiting until it is written.
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
    ///     let job = board.add_job("copy: ");
    ///     job.set_text("notes.txt");
    ///     job.finish();
    /// };
    /// smol::future::zip(show, work).await;
    /// # });
    /// ```
    pub fn run<S, F, T>(self, events: S, sleep: F) -> impl Future<Output = ()>
    where
        S: Stream<Item = Event>,
        F: FnMut(Duration) -> T,
        T: Future,
    {
        let (view, output) = self.prepare();
        Run::new(events, sleep, view, output)
    }

    /// Does some work and shows meanwhile what these events tell, as
    /// [`run`](Self::run) does; then draws the last frame and gives what came
    /// out of the work.
    ///
    /// Jobs that run when the work is done are shown as abandoned. The work is
    /// dropped before that, and also before the board when the future is.
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
    pub fn run_while<S, F, T, W>(
        self,
        events: S,
        sleep: F,
        work: W,
    ) -> impl Future<Output = W::Output>
    where
        S: Stream<Item = Event>,
        F: FnMut(Duration) -> T,
        T: Future,
        W: Future,
    {
        let (view, output) = self.prepare();
        RunWhile::new(work, Run::new(events, sleep, view, output))
    }

    fn prepare(self) -> (View, Output) {
        let (environment, size) = match self.output {
            Some(_) => (Environment::of_other(), Size::Fixed(0, 0)),
            None => (Environment::of_stderr(), Size::Stderr),
        };
        let size = self.size.map_or(size, |(columns, rows)| Size::Fixed(columns, rows));
        let clock = match self.clock {
            Some(now) => Clock::rated(now, self.rate),
            None => Clock::aligned(Arc::new(monotonic())),
        };
        let view = match self.kind {
            #[cfg(feature = "json")]
            Kind::Json => View::json(clock),
            Kind::Plain => View::plain(clock),
            Kind::Auto if !environment.is_live() => View::plain(clock),
            Kind::Auto | Kind::Live => {
                let colour = self.colour.unwrap_or_else(|| environment.has_colour());
                let theme = self.theme.unwrap_or_else(|| match environment.has_unicode() {
                    true => Theme::new(),
                    false => Theme::ascii(),
                });
                let painter = Painter::new(theme, colour, environment.reflows());
                let tells = self.progress.unwrap_or_else(|| environment.shows_progress());
                View::live(if tells { painter.with_progress() } else { painter }, size, clock)
            }
        };
        (view, self.output.map_or_else(Output::stderr, Output::new))
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console")
            .field("kind", &self.kind)
            .field("stderr", &self.output.is_none())
            .field("size", &self.size)
            .field("colour", &self.colour)
            .field("theme", &self.theme)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

/// A board that is shown: a [`Board`], and the console that shows it.
///
/// When it is dropped, the board is closed and the last frame drawn, as by
/// [`shutdown`](Self::shutdown).
///
/// # Examples
///
/// ```
/// use active_status::Console;
///
/// let board = Console::auto().open();
/// board.println("hello");
/// let handle = board.clone();
/// board.shutdown();
/// handle.println("nobody reads this");
/// ```
#[derive(Debug)]
#[must_use = "the board is closed when this is dropped"]
pub struct LiveBoard {
    board: Board,
    /// Dropped after the close: it waits for the last frame.
    running: Running,
}

impl LiveBoard {
    /// Closes the board, and waits until all that was said is drawn: 2 s at most
    /// while the terminal takes nothing.
    ///
    /// It blocks the thread. Async code uses [`Console::run_while`].
    pub fn shutdown(self) {}
}

impl AsRef<Board> for LiveBoard {
    fn as_ref(&self) -> &Board {
        &self.board
    }
}

impl Deref for LiveBoard {
    type Target = Board;

    fn deref(&self) -> &Board {
        &self.board
    }
}

impl Drop for LiveBoard {
    fn drop(&mut self) {
        // The stop first: it says whether this is a panic, the close does not.
        self.running.stop();
        self.board.close();
    }
}
