//! The console: when it looks, draws and ends, and that it makes nobody wait.

use std::future::{Future, pending, ready};
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use active_status::{Board, Console, Event, LiveBoard, Running, board, board_with_clock};
use futures::Stream;
use futures::stream::{self, StreamExt};

use crate::support::within_a_minute;

/// How long a test waits for another thread before it fails rather than hang.
const PATIENCE: Duration = Duration::from_secs(60);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A time that passes when a test says so: a clock, and timers.
#[derive(Clone, Default)]
struct Time(Arc<Mutex<Timers>>);

#[derive(Default)]
struct Timers {
    now: Duration,
    /// Until when somebody sleeps.
    sleepers: Vec<(Duration, Arc<Mutex<Option<Waker>>>)>,
}

impl Time {
    fn now(&self) -> Duration {
        self.0.lock().unwrap().now
    }

    fn clock(&self) -> impl Fn() -> Duration + Send + Sync + use<> {
        let time = self.clone();
        move || time.now()
    }

    fn sleep(&self) -> impl FnMut(Duration) -> Sleep + use<> {
        let time = self.clone();
        move |length| {
            let waker = Arc::default();
            let mut timers = time.0.lock().unwrap();
            let until = timers.now + length;
            timers.sleepers.push((until, Arc::clone(&waker)));
            Sleep { time: time.clone(), until, waker }
        }
    }

    /// When the next timer ends that somebody still holds.
    fn next(&self) -> Option<Duration> {
        self.0.lock().unwrap().sleepers.iter().map(|sleeper| sleeper.0).min()
    }

    fn pass(&self, time: Duration) {
        let wakers: Vec<Waker> = {
            let mut timers = self.0.lock().unwrap();
            timers.now += time;
            let now = timers.now;
            let due = timers.sleepers.iter().filter(|sleeper| sleeper.0 <= now);
            due.filter_map(|sleeper| sleeper.1.lock().unwrap().take()).collect()
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

struct Sleep {
    time: Time,
    until: Duration,
    waker: Arc<Mutex<Option<Waker>>>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        *self.waker.lock().unwrap() = Some(cx.waker().clone());
        if self.time.now() >= self.until { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let mut timers = self.time.0.lock().unwrap();
        timers.sleepers.retain(|sleeper| !Arc::ptr_eq(&sleeper.1, &self.waker));
    }
}

/// What a test hears of.
#[derive(Debug)]
enum News {
    Woken,
    Wrote(String),
}

/// A writer that tells of all it takes.
struct Tells(Sender<News>);

impl Write for Tells {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8(bytes.to_vec()).expect("whole characters");
        let _ = self.0.send(News::Wrote(text));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that tells of all it is given, and then waits for its orders. When
/// nobody gives orders any more, it fails.
struct Held {
    tells: Tells,
    orders: Receiver<()>,
}

impl Write for Held {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.tells.write(bytes)?;
        match self.orders.recv() {
            Ok(()) => Ok(taken),
            Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that waits for orders; each lets it take what it was given.
fn held(tells: Tells) -> (Held, Sender<()>) {
    let (order, orders) = mpsc::channel();
    (Held { tells, orders }, order)
}

struct Wakes(Sender<News>);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(News::Woken);
    }
}

/// A future that shows a board, polled by hand when it is woken.
struct Show<F: Future> {
    future: Option<Pin<Box<F>>>,
    result: Option<F::Output>,
    waker: Waker,
    news: Receiver<News>,
    frames: Vec<String>,
    polls: usize,
}

impl<F: Future> Show<F> {
    fn new(show: impl FnOnce(Tells) -> F) -> Self {
        let (sender, news) = mpsc::channel();
        let future = Some(Box::pin(show(Tells(sender.clone()))));
        let waker = Waker::from(Arc::new(Wakes(sender)));
        let mut show = Self { future, result: None, waker, news, frames: Vec::new(), polls: 0 };
        show.poll();
        show
    }

    fn poll(&mut self) {
        let Some(future) = &mut self.future else { return };
        self.polls += 1;
        let polled = future.as_mut().poll(&mut Context::from_waker(&self.waker));
        if let Poll::Ready(result) = polled {
            self.result = Some(result);
            self.future = None;
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Woken => self.poll(),
            News::Wrote(frame) => self.frames.push(frame),
        }
    }

    /// Polls as long as there are wakes.
    fn settle(&mut self) -> &mut Self {
        while let Ok(news) = self.news.try_recv() {
            self.hear(news);
        }
        self
    }

    /// The next frame that is written.
    #[track_caller]
    fn frame(&mut self) -> String {
        while self.frames.is_empty() {
            let news = self.news.recv_timeout(PATIENCE).expect("a frame within a minute");
            self.hear(news);
        }
        self.frames.remove(0)
    }

    /// The result of the future, and what was written until then.
    #[track_caller]
    fn end(mut self) -> (F::Output, String) {
        while self.result.is_none() {
            let news = self.news.recv_timeout(PATIENCE).expect("the end within a minute");
            self.hear(news);
        }
        let wrote = self.written();
        (self.result.take().expect("a result"), wrote)
    }

    /// What is written until the future and its thread have gone.
    fn written(&mut self) -> String {
        self.future = None;
        self.waker = Waker::noop().clone();
        loop {
            match self.news.recv_timeout(PATIENCE) {
                Ok(News::Wrote(frame)) => self.frames.push(frame),
                Ok(News::Woken) => {}
                Err(RecvTimeoutError::Disconnected) => return self.frames.concat(),
                Err(RecvTimeoutError::Timeout) => panic!("the thread did not end"),
            }
        }
    }
}

/// A board on a virtual clock that `console` shows.
fn shown(console: Console, time: &Time) -> (Board, Show<impl Future<Output = ()> + use<>>) {
    let (board, events) = board_with_clock(time.clock());
    let console = console.clock(time.clock()).size(40, 10);
    let show = Show::new(|tells| console.output(tells).run(events, time.sleep()));
    (board, show)
}

/// What is on a screen after these bytes, without the empty rows at the end.
fn screen(bytes: &str) -> String {
    let mut terminal = avt::Terminal::with_scrollback(40, 10, None).expect("a size");
    terminal.feed(bytes);
    terminal.screen().text().join("\n").trim_end().to_string()
}

#[test]
fn the_console_goes_anywhere() {
    fn goes<T: Send + 'static>(_: &T) {}
    let (_board, events) = board();
    goes(&Console::auto());
    goes(&Console::auto().run(events, |_| ready(())));
    let (_board, events) = board();
    goes(&Console::auto().run_while(events, |_| ready(()), pending::<()>()));
    fn both<T: Send + Sync>() {}
    both::<LiveBoard>();
    both::<Running>();
}

#[test]
fn the_first_frame_is_drawn_at_once() {
    let time = Time::default();
    let (board, mut show) = shown(Console::live(), &time);
    assert_eq!(time.next(), None);
    let _job = board.add_job("copy: ");
    assert_eq!(screen(&show.frame()), "copy:");
}

#[test]
fn frames_are_a_tenth_of_a_second_apart_and_the_last_state_is_drawn() {
    let time = Time::default();
    let (board, mut show) = shown(Console::live(), &time);
    let job = board.add_job("copy: ");
    let mut bytes = show.frame();
    job.set_text("a");
    time.pass(millis(99));
    job.set_text("b");
    show.settle();
    assert!(show.frames.is_empty());
    time.pass(millis(1));
    bytes += &show.frame();
    assert_eq!(screen(&bytes), "copy: b");
    assert_eq!(time.now(), millis(100));
}

#[test]
fn before_its_time_the_stream_is_not_looked_at() {
    let time = Time::default();
    let (board, events) = board_with_clock(time.clock());
    let looks = Arc::new(AtomicBool::new(false));
    let looked = Arc::clone(&looks);
    let mut events = events;
    let events = stream::poll_fn(move |cx| {
        looked.store(true, Ordering::Relaxed);
        Pin::new(&mut events).poll_next(cx)
    });
    let mut show = Show::new(|tells| Console::live().output(tells).run(events, time.sleep()));
    let job = board.add_job("copy: ");
    show.frame();
    looks.store(false, Ordering::Relaxed);
    for _ in 0..99 {
        job.set_text("a");
        time.pass(millis(1));
        show.settle().poll();
    }
    assert!(!looks.load(Ordering::Relaxed));
    time.pass(millis(1));
    show.frame();
    assert!(looks.load(Ordering::Relaxed));
}

#[test]
fn an_idle_board_sleeps_until_a_drawn_character_changes() {
    let time = Time::default();
    let (board, mut show) = shown(Console::live(), &time);
    let _job = board.add_job("copy: ");
    show.frame();
    // The row dims after a second, and then tells how long there was no news.
    // A tenth of a second after each frame there is one look.
    for at in [1_000, 10_000, 20_000, 30_000, 60_000, 120_000].map(millis) {
        time.pass(millis(100));
        show.settle();
        assert_eq!(time.next(), Some(at));
        time.pass(at - time.now());
        assert_ne!(show.frame(), "");
    }
}

#[test]
fn a_board_with_nothing_to_change_does_not_wake() {
    let time = Time::default();
    let (board, mut show) = shown(Console::live(), &time);
    board.println("hello");
    show.frame();
    time.pass(millis(100));
    show.settle();
    assert_eq!(time.next(), None);
    let polls = show.polls;
    time.pass(Duration::from_secs(3_600));
    show.settle();
    assert_eq!(show.polls, polls);
}

#[test]
fn time_that_passes_is_drawn() {
    let time = Time::default();
    let (board, mut show) = shown(Console::live(), &time);
    board.show_elapsed();
    let mut bytes = show.frame();
    for (seconds, text) in [(1, "1 second"), (2, "2 seconds"), (3, "3 seconds")] {
        time.pass(millis(100));
        show.settle();
        time.pass(Duration::from_secs(seconds) - time.now());
        bytes += &show.frame();
        assert_eq!(screen(&bytes), format!("elapsed time: {text}"));
    }
}

#[test]
fn a_timer_that_ends_early_does_not_stop_the_clock() {
    let time = Time::default();
    let (board, events) = board_with_clock(time.clock());
    let still = Console::live().clock(|| Duration::ZERO);
    let mut show = Show::new(|tells| still.output(tells).run(events, time.sleep()));
    board.show_elapsed();
    let mut bytes = show.frame();
    time.pass(millis(100));
    show.settle();
    time.pass(millis(1_000));
    bytes += &show.frame();
    assert_eq!(screen(&bytes), "elapsed time: 1 second");
}

#[test]
fn the_end_of_the_board_ends_the_future_with_all_that_was_said() {
    let time = Time::default();
    let (board, mut show) = shown(Console::live(), &time);
    let job = board.add_job("copy: ");
    let first = show.frame();
    job.set_text("a.txt");
    job.finish();
    board.println("hello");
    let running = board.add_job("move: ");
    board.close();
    time.pass(millis(100));
    let ((), rest) = show.end();
    drop(running);
    assert_eq!(screen(&(first + &rest)), "copy: a.txt ✔\nhello\nmove: … abandoned");
}

#[test]
fn a_stream_that_ends_without_a_close_closes_the_board() {
    let time = Time::default();
    let (board, mut events) = board_with_clock(time.clock());
    let _job = board.add_job("copy: ");
    let events = stream::iter(events.drain().collect::<Vec<Event>>());
    let show = Show::new(|tells| Console::plain().output(tells).run(events, time.sleep()));
    assert_eq!(show.end().1, "copy: (abandoned after 0s)\n0 done, 1 abandoned in 0s\n");
}

#[test]
fn the_close_is_the_end_also_of_a_stream_that_goes_on() {
    let events = stream::iter([Event::Line("hello".into()), Event::Closed { at: millis(0) }]);
    let events = events.chain(stream::pending());
    let time = Time::default();
    let show = Show::new(|tells| Console::plain().output(tells).run(events, time.sleep()));
    assert_eq!(show.end().1, "hello\n");
}

#[test]
fn a_stream_that_always_has_more_leaves_the_executor_its_turn_and_is_drawn() {
    let time = Time::default();
    let events = stream::repeat(Event::Line("again".into()));
    let mut show = Show::new(|tells| Console::plain().output(tells).run(events, time.sleep()));
    assert_eq!(show.polls, 1);
    assert!(show.frame().starts_with("again\n"));
    time.pass(millis(100));
    assert!(show.frame().starts_with("again\n"));
}

#[test]
fn a_timer_that_never_waits_leaves_the_executor_its_turn() {
    let (board, events) = board_with_clock(|| Duration::ZERO);
    board.show_elapsed();
    let show = Show::new(|tells| Console::live().output(tells).run(events, |_| ready(())));
    assert_eq!(show.polls, 1);
}

/// A board on a virtual clock, shown on a terminal that takes nothing until it
/// is told to.
fn stalled(time: &Time) -> (Board, Show<impl Future<Output = ()> + use<>>, Sender<()>) {
    let (board, events) = board_with_clock(time.clock());
    let mut order = None;
    let show = Show::new(|tells| {
        let (held, orders) = held(tells);
        order = Some(orders);
        let console = Console::live().clock(time.clock()).size(40, 10);
        console.output(held).run(events, time.sleep())
    });
    (board, show, order.expect("a writer"))
}

#[test]
fn a_stalled_terminal_gets_the_latest_frame_and_all_that_ended_meanwhile() {
    let time = Time::default();
    let (board, mut show, order) = stalled(&time);
    let last = board.add_job("last: ");
    let mut bytes = show.frame();
    for name in ["a", "b", "c"] {
        board.add_job(name).finish();
        board.println(format!("{name} is done"));
        last.set_text(name);
        time.pass(millis(1_100));
        show.settle();
    }
    assert!(show.frames.is_empty());
    order.send(()).unwrap();
    bytes += &show.frame();
    order.send(()).unwrap();
    assert_eq!(screen(&bytes), "a ✔\na is done\nb ✔\nb is done\nc ✔\nc is done\nlast: c");
    assert_eq!(bytes.matches("\u{1b}[?2026h").count(), 2);
}

#[test]
fn events_are_taken_while_the_terminal_is_stalled() {
    let time = Time::default();
    let (sink, events) = async_channel::bounded(1);
    let mut order = None;
    let mut show = Show::new(|tells| {
        let (held, orders) = held(tells);
        order = Some(orders);
        Console::plain().output(held).run(events, time.sleep())
    });
    sink.try_send(Event::Line("first".into())).unwrap();
    show.frame();
    for line in ["a", "b", "c"] {
        sink.try_send(Event::Line(line.into())).expect("room again");
        time.pass(millis(100));
        show.settle();
    }
    drop(order);
}

#[test]
fn no_more_than_a_mebibyte_of_lines_is_taken_for_a_stalled_terminal() {
    let time = Time::default();
    let (sink, events) = async_channel::unbounded();
    let waiting = events.clone();
    let mut order = None;
    let mut show = Show::new(|tells| {
        let (held, orders) = held(tells);
        order = Some(orders);
        Console::plain().output(held).run(events, time.sleep())
    });
    sink.try_send(Event::Line("first".into())).unwrap();
    show.frame();
    for _ in 0..40 {
        sink.try_send(Event::Line("x".repeat(1 << 16))).unwrap();
    }
    for _ in 0..10 {
        time.pass(millis(100));
        show.settle();
    }
    assert_eq!(waiting.len(), 40 - 16);
    drop(order);
}

#[test]
fn at_the_end_a_terminal_that_takes_nothing_is_waited_for_two_seconds() {
    let time = Time::default();
    let (board, mut show, order) = stalled(&time);
    board.println("hello");
    show.frame();
    drop(board);
    time.pass(millis(100));
    show.settle();
    time.pass(millis(1_999));
    assert_eq!(show.settle().result, None);
    time.pass(millis(1));
    assert_eq!(show.settle().result, Some(()));
    drop(order);
}

#[test]
fn at_the_end_a_terminal_that_takes_something_is_waited_for_longer() {
    let time = Time::default();
    let (board, mut show, order) = stalled(&time);
    board.println("hello");
    show.frame();
    board.println("last words");
    drop(board);
    time.pass(millis(100));
    show.settle();
    time.pass(millis(1_900));
    order.send(()).unwrap();
    let last = show.frame();
    time.pass(millis(200));
    assert_eq!(show.settle().result, None);
    order.send(()).unwrap();
    assert_eq!(show.end(), ((), String::new()));
    assert!(last.contains("last words"));
}

#[test]
fn a_terminal_that_is_gone_ends_the_drawing_and_not_the_work() {
    let time = Time::default();
    let (board, mut show, order) = stalled(&time);
    let job = board.add_job("copy: ");
    show.frame();
    drop(order);
    for _ in 0..3 {
        job.set_text("a");
        time.pass(millis(100));
        assert_eq!(show.settle().result, None);
    }
    board.close();
    time.pass(millis(100));
    assert_eq!(show.end(), ((), String::new()));
}

#[test]
fn a_future_that_is_dropped_hands_over_what_was_said_and_waits_for_nobody() {
    let time = Time::default();
    let (board, mut show, order) = stalled(&time);
    let (done, open) = (board.add_job("done: "), board.add_job("open: "));
    let mut bytes = show.frame();
    done.finish();
    board.println("hello");
    show.future = None;
    order.send(()).unwrap();
    order.send(()).unwrap();
    bytes += &show.written();
    drop(open);
    assert_eq!(screen(&bytes), "done: ✔\nhello\nopen: … abandoned");
}

#[test]
fn a_future_that_is_dropped_unpolled_shows_nothing() {
    let (board, events) = board();
    board.println("hello");
    let (sender, news) = mpsc::channel();
    drop(Console::plain().output(Tells(sender)).run(events, |_| ready(())));
    assert!(news.recv().is_err());
}

#[test]
fn work_is_shown_while_it_is_done_and_gives_its_result() {
    let time = Time::default();
    let (board, events) = board_with_clock(time.clock());
    let mut sleep = time.sleep();
    let work = async move {
        let job = board.add_job("copy: ");
        sleep(millis(300)).await;
        job.set_text("done");
        job.finish();
        7
    };
    let mut show = Show::new(|tells| {
        let console = Console::live().clock(time.clock()).output(tells);
        console.run_while(events, time.sleep(), work)
    });
    let mut bytes = show.frame();
    time.pass(millis(300));
    let (result, rest) = show.end();
    bytes += &rest;
    assert_eq!(screen(&bytes), "copy: done ✔");
    assert_eq!(result, 7);
}

#[test]
fn work_goes_on_after_its_board_was_closed() {
    let time = Time::default();
    let (board, events) = board_with_clock(time.clock());
    let mut sleep = time.sleep();
    let work = async move {
        board.close();
        sleep(millis(5_000)).await;
        7
    };
    let mut show =
        Show::new(|tells| Console::plain().output(tells).run_while(events, time.sleep(), work));
    time.pass(millis(4_999));
    assert_eq!(show.settle().result, None);
    time.pass(millis(1));
    assert_eq!(show.end().0, 7);
}

#[test]
fn what_work_left_running_was_abandoned() {
    let time = Time::default();
    let (board, events) = board_with_clock(time.clock());
    let job = board.add_job("copy: ");
    let show = Show::new(|tells| {
        Console::plain().output(tells).run_while(events, time.sleep(), ready(()))
    });
    assert_eq!(show.end().1, "copy: (abandoned after 0s)\n0 done, 1 abandoned in 0s\n");
    drop(job);
}

#[test]
fn work_that_is_dropped_is_shown_as_cancelled() {
    let time = Time::default();
    let (board, events) = board_with_clock(time.clock());
    let job = board.add_job("copy: ");
    let work = async move {
        let _job = job;
        pending::<()>().await;
    };
    let mut show =
        Show::new(|tells| Console::plain().output(tells).run_while(events, time.sleep(), work));
    assert_eq!(show.written(), "copy: (cancelled after 0s)\n0 done, 1 cancelled in 0s\n");
}

#[test]
fn after_work_that_panicked_the_last_frame_is_below_the_message() {
    let time = Time::default();
    let (board, events) = board_with_clock(time.clock());
    let mut sleep = time.sleep();
    let work = async move {
        let _job = board.add_job("copy: ");
        sleep(millis(200)).await;
        panic!("as it does");
    };
    let mut show = Show::new(|tells| {
        let console = Console::live().clock(time.clock()).output(tells);
        console.run_while(events, time.sleep(), work)
    });
    let before = show.frame();
    time.pass(millis(200));
    assert!(catch_unwind(AssertUnwindSafe(|| show.settle().polls)).is_err());
    let after = show.written();
    assert_eq!(screen(&format!("{before}message\r\n{after}")), "copy:\nmessage\ncopy: ✘ panicked");
}

#[test]
fn a_stream_that_panics_is_not_polled_again() {
    let time = Time::default();
    let mut polled = false;
    let events = stream::poll_fn(move |_| -> Poll<Option<Event>> {
        assert!(!std::mem::replace(&mut polled, true), "polled again");
        panic!("as it does");
    });
    let (sender, _news) = mpsc::channel();
    let mut future = Box::pin(Console::plain().output(Tells(sender)).run(events, time.sleep()));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx).is_ready())).is_err());
    drop(future);
}

#[test]
fn an_executor_may_log_into_the_board_when_it_is_woken() {
    struct Logs(Mutex<Option<Board>>);
    impl Wake for Logs {
        fn wake(self: Arc<Self>) {
            if let Some(board) = &*self.0.lock().unwrap() {
                board.println("woken");
            }
        }
    }
    within_a_minute(|| {
        let time = Time::default();
        let (board, events) = board_with_clock(time.clock());
        let (sender, news) = mpsc::channel();
        let waker = Waker::from(Arc::new(Logs(Mutex::new(Some(board.clone())))));
        let mut future = Box::pin(Console::plain().output(Tells(sender)).run(events, time.sleep()));
        let mut cx = Context::from_waker(&waker);
        assert!(future.as_mut().poll(&mut cx).is_pending());
        board.println("hello");
        assert!(future.as_mut().poll(&mut cx).is_pending());
        drop(future);
        let News::Wrote(text) = news.recv().unwrap() else { panic!("nobody is woken") };
        assert_eq!(text, "hello\nwoken\n");
    });
}
