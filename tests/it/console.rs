//! Consoles: when they poll, draw and end, and that they block no worker.

use std::future::{Future, pending, ready};
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use active_status::console::{ConsoleHandle, Live};
use active_status::event::Change;
use active_status::testing::VirtualClock;
use active_status::{Board, Console, Event, JobId, OpenBoard, Outcome, board, board_with_clock};
use futures::Stream;
use futures::stream::{self, StreamExt};

use crate::harness::{Reporter, Show, Signal, blocked, classic, millis, next_frame, screen, wrote};
use crate::snapshot::printed;
use crate::support::within_a_minute;

/// A board on a virtual clock, shown by `console`.
fn shown(
    console: Console<Live>,
    time: &VirtualClock,
) -> (Board, Show<impl Future<Output = ()> + use<>>) {
    let (board, events) = board_with_clock(time.reader());
    let console = console.clock(time.reader()).size(40, 10);
    let show = Show::new(|reporter| console.output(reporter).run(events, time.timer()));
    (board, show)
}

#[test]
fn consoles_and_their_futures_are_send() {
    fn goes<T: Send + 'static>(_: &T) {}
    let (_board, events) = board();
    goes(&Console::auto());
    goes(&Console::auto().run(events, |_| ready(())));
    let (_board, events) = board();
    goes(&Console::auto().run_while(events, |_| ready(()), pending::<()>()));
    fn both<T: Send + Sync>() {}
    both::<OpenBoard>();
    both::<ConsoleHandle>();
}

// Rule 15
#[test]
fn the_first_frame_is_drawn_immediately() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(classic(), &time);
    assert_eq!(time.next_timer(), None);
    let _job = board.add_job("copy: ");
    assert_eq!(screen(&show.frame()), "copy:");
}

// Rule 15
#[test]
fn frames_are_100_ms_apart_and_the_last_state_is_drawn() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(classic(), &time);
    let job = board.add_job("copy: ");
    let mut bytes = show.frame();
    job.set_text("a");
    time.advance(millis(99));
    job.set_text("b");
    show.settle();
    assert!(show.frames.is_empty());
    time.advance(millis(1));
    bytes += &show.frame();
    assert_eq!(screen(&bytes), "copy: b");
    assert_eq!(time.now(), millis(100));
}

// Rules 15, 16
#[test]
fn a_busy_board_is_written_ten_times_per_second() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(classic(), &time);
    let jobs: Vec<_> = (0..8).map(|number| board.add_job(format!("job {number}: "))).collect();
    let mut bytes = show.frame();
    for round in 1..=250 {
        time.advance(millis(20));
        jobs.iter().for_each(|job| job.set_text(round));
        show.settle();
        if round % 5 == 0 {
            bytes += &show.frame();
        }
        assert!(show.frames.is_empty(), "in round {round}");
    }
    let rows: Vec<_> = (0..8).map(|number| format!("job {number}: 250")).collect();
    assert_eq!(screen(&bytes), rows.join("\n"));
}

// Rule 6
#[test]
fn ten_megabytes_in_one_update_are_one_row() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(classic(), &time);
    let job = board.add_job("copy: ");
    job.set_text("a word\n".repeat(1_500_000));
    let frame = show.frame();
    assert_eq!(screen(&frame), "copy: a word a word a word a word a wo…");
    assert!(frame.len() < 200, "{}", frame.len());
}

// Rule 2
#[test]
fn the_stream_is_not_polled_before_the_next_frame() {
    let time = VirtualClock::new();
    let (board, events) = board_with_clock(time.reader());
    let looks = Arc::new(AtomicBool::new(false));
    let looked = Arc::clone(&looks);
    let mut events = events;
    let events = stream::poll_fn(move |cx| {
        looked.store(true, Ordering::Relaxed);
        Pin::new(&mut events).poll_next(cx)
    });
    let mut show = Show::new(|reporter| classic().output(reporter).run(events, time.timer()));
    let job = board.add_job("copy: ");
    show.frame();
    looks.store(false, Ordering::Relaxed);
    for _ in 0..99 {
        job.set_text("a");
        time.advance(millis(1));
        show.settle().poll();
    }
    assert!(!looks.load(Ordering::Relaxed));
    time.advance(millis(1));
    show.frame();
    assert!(looks.load(Ordering::Relaxed));
}

// Rules 14, 15
#[test]
fn a_quiet_board_wakes_once_per_second() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(Console::live(), &time);
    let _job = board.add_job("copy: ");
    show.frame();
    // The spinner turns, and from 10 s on only with the seconds.
    let turns = (1..=100).map(|turn| turn * 100).chain((11..=70).map(|second| second * 1_000));
    for at in turns.map(millis) {
        if time.now() >= millis(10_000) {
            // The stream is polled 100 ms after each frame.
            time.advance(millis(100));
            show.settle();
        }
        assert_eq!(time.next_timer(), Some(at));
        time.advance(at - time.now());
        assert_ne!(show.frame(), "");
    }
}

// Rule 15
#[test]
fn a_classic_board_is_still_until_a_drawn_character_changes() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(classic(), &time);
    let _job = board.add_job("copy: ");
    show.frame();
    // The row is no longer bold after a second, and then shows its silence.
    for at in [1_000, 10_000].map(millis) {
        time.advance(millis(100));
        show.settle();
        assert_eq!(time.next_timer(), Some(at));
        time.advance(at - time.now());
        assert_ne!(show.frame(), "");
    }
}

// Rule 15
#[test]
fn a_board_without_pending_changes_does_not_wake() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(classic(), &time);
    board.println("hello");
    show.frame();
    time.advance(millis(100));
    show.settle();
    assert_eq!(time.next_timer(), None);
    let polls = show.polls;
    time.advance(Duration::from_secs(3_600));
    show.settle();
    assert_eq!(show.polls, polls);
}

// Rules 13, 24
#[test]
fn elapsed_time_is_drawn() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(classic(), &time);
    board.show_elapsed();
    let mut bytes = show.frame();
    for (seconds, text) in [(1, "1 second"), (2, "2 seconds"), (3, "3 seconds")] {
        time.advance(millis(100));
        show.settle();
        time.advance(Duration::from_secs(seconds) - time.now());
        bytes += &show.frame();
        assert_eq!(screen(&bytes), format!("elapsed time: {text}"));
    }
}

#[test]
fn an_early_timer_does_not_stop_the_clock() {
    let time = VirtualClock::new();
    let (board, events) = board_with_clock(time.reader());
    let still = classic().clock(|| Duration::ZERO);
    let mut show = Show::new(|reporter| still.output(reporter).run(events, time.timer()));
    board.show_elapsed();
    let mut bytes = show.frame();
    time.advance(millis(100));
    show.settle();
    time.advance(millis(1_000));
    bytes += &show.frame();
    assert_eq!(screen(&bytes), "elapsed time: 1 second");
}

#[test]
fn the_close_ends_the_future_after_all_events() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(classic(), &time);
    let job = board.add_job("copy: ");
    let first = show.frame();
    job.set_text("a.txt");
    job.finish();
    board.println("hello");
    let running = board.add_job("move: ");
    board.close();
    time.advance(millis(100));
    let ((), rest) = show.end();
    drop(running);
    assert_eq!(screen(&(first + &rest)), "copy: a.txt ✔\nhello\nmove: … abandoned");
}

#[test]
fn the_end_of_the_stream_closes_the_board() {
    let time = VirtualClock::new();
    let (board, mut events) = board_with_clock(time.reader());
    let _job = board.add_job("copy: ");
    let events = stream::iter(events.drain().collect::<Vec<Event>>());
    let show = Show::new(|reporter| Console::plain().output(reporter).run(events, time.timer()));
    assert_eq!(show.end().1, "copy: (abandoned)\n0 done, 1 abandoned in 0s\n");
}

/// The given number of lines, from a stream that yields before each one, as the
/// channels of some executors do.
fn yielding(lines: usize) -> impl Stream<Item = Event> + Send {
    let (mut line, mut yielded) = (0, false);
    stream::poll_fn(move |cx| {
        yielded = !yielded;
        if line == lines {
            return Poll::Pending;
        }
        if yielded {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        line += 1;
        Poll::Ready(Some(printed(line.to_string())))
    })
}

#[test]
fn a_yielding_stream_is_drained_after_the_work() {
    let time = VirtualClock::new();
    let show = Show::new(|reporter| {
        Console::plain().output(reporter).run_while(yielding(3), time.timer(), ready(()))
    });
    assert_eq!(show.end().1, "1\n2\n3\n");
}

#[test]
fn a_yielding_stream_is_drained_by_the_drop() {
    let time = VirtualClock::new();
    let mut show =
        Show::new(|reporter| Console::plain().output(reporter).run(yielding(3), time.timer()));
    assert_eq!(show.written(), "1\n2\n3\n");
}

#[test]
fn a_yielding_stream_is_drained_by_the_shutdown() {
    let (sender, signals) = mpsc::channel();
    Console::plain().output(Reporter(sender)).start(yielding(1_000)).shutdown();
    assert_eq!(wrote(&signals).lines().count(), 1_000);
}

#[test]
fn events_after_the_close_are_ignored() {
    let events = stream::iter([printed("hello"), Event::Closed { at: millis(0) }]);
    let events = events.chain(stream::pending());
    let time = VirtualClock::new();
    let show = Show::new(|reporter| Console::plain().output(reporter).run(events, time.timer()));
    assert_eq!(show.end().1, "hello\n");
}

#[test]
fn an_endless_stream_is_drawn_and_yields_to_the_executor() {
    let time = VirtualClock::new();
    let events = stream::repeat(printed("again"));
    let mut show =
        Show::new(|reporter| Console::plain().output(reporter).run(events, time.timer()));
    assert_eq!(show.polls, 1);
    assert!(show.frame().starts_with("again\n"));
    time.advance(millis(100));
    assert!(show.frame().starts_with("again\n"));
}

#[test]
fn a_timer_that_is_always_ready_yields_to_the_executor() {
    let (board, events) = board_with_clock(|| Duration::ZERO);
    board.show_elapsed();
    let show = Show::new(|reporter| classic().output(reporter).run(events, |_| ready(())));
    assert_eq!(show.polls, 1);
}

/// A board on a virtual clock, shown on a terminal that accepts a write per permits.
fn stalled(time: &VirtualClock) -> (Board, Show<impl Future<Output = ()> + use<>>, Sender<()>) {
    let (board, events) = board_with_clock(time.reader());
    let mut sender = None;
    let show = Show::new(|reporter| {
        let (output, permits) = blocked(reporter);
        sender = Some(permits);
        let console = classic().clock(time.reader()).size(40, 10);
        console.output(output).run(events, time.timer())
    });
    (board, show, sender.expect("a writer"))
}

// Rule 19
#[test]
fn after_a_stall_the_terminal_gets_ends_and_the_latest_frame() {
    let time = VirtualClock::new();
    let (board, mut show, permits) = stalled(&time);
    let last = board.add_job("last: ");
    let mut bytes = show.frame();
    for name in ["a", "b", "c"] {
        board.add_job(name).finish();
        board.println(format!("{name} is done"));
        last.set_text(name);
        time.advance(millis(1_100));
        show.settle();
    }
    assert!(show.frames.is_empty());
    permits.send(()).unwrap();
    bytes += &show.frame();
    permits.send(()).unwrap();
    assert_eq!(screen(&bytes), "a ✔\na is done\nb ✔\nb is done\nc ✔\nc is done\nlast: c");
    assert_eq!(bytes.matches("\u{1b}[?2026h").count(), 2);
}

// Rule 19
#[test]
fn events_are_taken_while_the_terminal_is_stalled() {
    let time = VirtualClock::new();
    let (sink, events) = async_channel::bounded(1);
    let mut sender = None;
    let mut show = Show::new(|reporter| {
        let (output, permits) = blocked(reporter);
        sender = Some(permits);
        Console::plain().output(output).run(events, time.timer())
    });
    sink.try_send(printed("first")).unwrap();
    show.frame();
    for line in ["a", "b", "c"] {
        sink.try_send(printed(line)).expect("room again");
        time.advance(millis(100));
        show.settle();
    }
    drop(sender);
}

// Rule 19
#[test]
fn at_most_1_mib_of_lines_is_taken_for_a_stalled_terminal() {
    let time = VirtualClock::new();
    let (sink, events) = async_channel::unbounded();
    let waiting = events.clone();
    let mut sender = None;
    let mut show = Show::new(|reporter| {
        let (output, permits) = blocked(reporter);
        sender = Some(permits);
        Console::plain().output(output).run(events, time.timer())
    });
    sink.try_send(printed("first")).unwrap();
    show.frame();
    for _ in 0..40 {
        sink.try_send(printed("x".repeat(1 << 16))).unwrap();
    }
    for _ in 0..10 {
        time.advance(millis(100));
        show.settle();
    }
    assert_eq!(waiting.len(), 40 - 16);
    drop(sender);
}

// Rule 21
#[test]
fn the_end_waits_two_seconds_for_a_stalled_terminal() {
    let time = VirtualClock::new();
    let (board, mut show, permits) = stalled(&time);
    board.println("hello");
    show.frame();
    drop(board);
    time.advance(millis(100));
    show.settle();
    time.advance(millis(1_999));
    assert_eq!(show.settle().result, None);
    time.advance(millis(1));
    assert_eq!(show.settle().result, Some(()));
    drop(permits);
}

#[test]
fn the_end_waits_as_long_as_the_terminal_makes_progress() {
    let time = VirtualClock::new();
    let (board, mut show, permits) = stalled(&time);
    board.println("hello");
    show.frame();
    board.println("last words");
    drop(board);
    time.advance(millis(100));
    show.settle();
    time.advance(millis(1_900));
    permits.send(()).unwrap();
    let last = show.frame();
    time.advance(millis(200));
    assert_eq!(show.settle().result, None);
    permits.send(()).unwrap();
    assert_eq!(show.end(), ((), String::new()));
    assert!(last.contains("last words"));
}

// Rule 21
#[test]
fn a_vanished_terminal_ends_the_drawing_and_not_the_work() {
    let time = VirtualClock::new();
    let (board, mut show, permits) = stalled(&time);
    let job = board.add_job("copy: ");
    show.frame();
    drop(permits);
    for _ in 0..3 {
        job.set_text("a");
        time.advance(millis(100));
        assert_eq!(show.settle().result, None);
    }
    board.close();
    time.advance(millis(100));
    assert_eq!(show.end(), ((), String::new()));
}

#[test]
fn a_board_on_a_vanished_terminal_sets_no_timer() {
    let time = VirtualClock::new();
    let (board, mut show, permits) = stalled(&time);
    board.show_elapsed();
    show.frame();
    time.advance(millis(1_000));
    show.settle();
    drop(permits);
    show.wait();
    time.advance(millis(100));
    show.settle();
    assert_eq!(time.next_timer(), None);
}

#[test]
fn a_dropped_future_hands_over_all_events_without_waiting() {
    let time = VirtualClock::new();
    let (board, mut show, permits) = stalled(&time);
    let (done, open) = (board.add_job("done: "), board.add_job("open: "));
    let mut bytes = show.frame();
    done.finish();
    board.println("hello");
    show.future = None;
    permits.send(()).unwrap();
    permits.send(()).unwrap();
    bytes += &show.written();
    drop(open);
    assert_eq!(screen(&bytes), "done: ✔\nhello\nopen: … abandoned");
}

#[test]
fn a_future_dropped_before_its_first_poll_shows_nothing() {
    let (board, events) = board();
    board.println("hello");
    let (sender, signals) = mpsc::channel();
    drop(Console::plain().output(Reporter(sender)).run(events, |_| ready(())));
    assert!(signals.recv().is_err());
}

#[test]
fn run_while_shows_the_work_and_returns_its_output() {
    let time = VirtualClock::new();
    let (board, events) = board_with_clock(time.reader());
    let mut sleep = time.timer();
    let work = async move {
        let job = board.add_job("copy: ");
        sleep(millis(300)).await;
        job.set_text("done");
        job.finish();
        7
    };
    let mut show = Show::new(|reporter| {
        let console = classic().clock(time.reader()).output(reporter);
        console.run_while(events, time.timer(), work)
    });
    let mut bytes = show.frame();
    time.advance(millis(300));
    let (result, rest) = show.end();
    bytes += &rest;
    assert_eq!(screen(&bytes), "copy: done ✔");
    assert_eq!(result, 7);
}

#[test]
fn work_continues_after_its_board_has_closed() {
    let time = VirtualClock::new();
    let (board, events) = board_with_clock(time.reader());
    let mut sleep = time.timer();
    let work = async move {
        board.close();
        sleep(millis(5_000)).await;
        7
    };
    let mut show = Show::new(|reporter| {
        Console::plain().output(reporter).run_while(events, time.timer(), work)
    });
    time.advance(millis(4_999));
    assert_eq!(show.settle().result, None);
    time.advance(millis(1));
    assert_eq!(show.end().0, 7);
}

#[test]
fn jobs_that_outlive_the_work_are_abandoned() {
    let time = VirtualClock::new();
    let (board, events) = board_with_clock(time.reader());
    let job = board.add_job("copy: ");
    let show = Show::new(|reporter| {
        Console::plain().output(reporter).run_while(events, time.timer(), ready(()))
    });
    assert_eq!(show.end().1, "copy: (abandoned)\n0 done, 1 abandoned in 0s\n");
    drop(job);
}

#[test]
fn work_ends_even_beside_an_endless_stream() {
    let time = VirtualClock::new();
    let job = JobId::new(1).expect("ids count from 1");
    let events =
        stream::repeat(Event::Changed { at: Duration::ZERO, job, change: Change::default() });
    let show = Show::new(|reporter| {
        Console::plain().output(reporter).run_while(events, time.timer(), ready(7))
    });
    assert_eq!(show.end(), (7, String::new()));
}

#[test]
fn dropped_work_is_shown_as_cancelled() {
    let time = VirtualClock::new();
    let (board, events) = board_with_clock(time.reader());
    let job = board.add_job("copy: ");
    let work = async move {
        let _job = job;
        pending::<()>().await;
    };
    let mut show = Show::new(|reporter| {
        Console::plain().output(reporter).run_while(events, time.timer(), work)
    });
    assert_eq!(show.written(), "copy: (cancelled)\n0 done, 1 cancelled in 0s\n");
}

// Rule 21
#[test]
fn the_last_frame_is_below_the_message_of_a_panic_in_the_work() {
    let time = VirtualClock::new();
    let (board, events) = board_with_clock(time.reader());
    let mut sleep = time.timer();
    let work = async move {
        let _job = board.add_job("copy: ");
        sleep(millis(200)).await;
        panic!("as it does");
    };
    let mut show = Show::new(|reporter| {
        let console = classic().clock(time.reader()).output(reporter);
        console.run_while(events, time.timer(), work)
    });
    let before = show.frame();
    time.advance(millis(200));
    assert!(catch_unwind(AssertUnwindSafe(|| show.settle().polls)).is_err());
    let after = show.written();
    assert_eq!(screen(&format!("{before}message\r\n{after}")), "copy:\nmessage\ncopy: ✘ panicked");
}

#[test]
fn the_last_frame_is_below_even_if_jobs_outlive_the_work() {
    let time = VirtualClock::new();
    let (board, events) = board_with_clock(time.reader());
    let _job = board.add_job("copy: ");
    let mut sleep = time.timer();
    let work = async move {
        sleep(millis(200)).await;
        panic!("as it does");
    };
    let mut show = Show::new(|reporter| {
        let console = classic().clock(time.reader()).output(reporter);
        console.run_while(events, time.timer(), work)
    });
    let before = show.frame();
    time.advance(millis(200));
    assert!(catch_unwind(AssertUnwindSafe(|| show.settle().polls)).is_err());
    let after = show.written();
    let expected = "copy:\nmessage\ncopy: … abandoned";
    assert_eq!(screen(&format!("{before}message\r\n{after}")), expected);
}

#[test]
fn a_stream_is_not_polled_after_its_panic() {
    let time = VirtualClock::new();
    let mut polls = 0;
    let events = stream::poll_fn(move |_| {
        polls += 1;
        match polls {
            1 => Poll::Ready(Some(printed("before"))),
            2 => panic!("as it does"),
            _ => Poll::Ready(Some(printed("after"))),
        }
    });
    let (sender, signals) = mpsc::channel();
    let mut future = Box::pin(Console::plain().output(Reporter(sender)).run(events, time.timer()));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx).is_ready())).is_err());
    drop(future);
    assert_eq!(wrote(&signals), "before\n");
}

#[test]
fn a_waker_may_print_on_the_board() {
    struct Logs(Mutex<Option<Board>>);
    impl Wake for Logs {
        fn wake(self: Arc<Self>) {
            if let Some(board) = &*self.0.lock().unwrap() {
                board.println("woken");
            }
        }
    }
    within_a_minute(|| {
        let time = VirtualClock::new();
        let (board, events) = board_with_clock(time.reader());
        let (sender, signals) = mpsc::channel();
        let waker = Waker::from(Arc::new(Logs(Mutex::new(Some(board.clone())))));
        let mut future =
            Box::pin(Console::plain().output(Reporter(sender)).run(events, time.timer()));
        let mut cx = Context::from_waker(&waker);
        assert!(future.as_mut().poll(&mut cx).is_pending());
        board.println("hello");
        assert!(future.as_mut().poll(&mut cx).is_pending());
        drop(future);
        let Signal::Wrote(text) = signals.recv().unwrap() else { panic!("no wake") };
        assert_eq!(text, "hello\nwoken\n");
    });
}

/// A live board on a thread, shown on a terminal that accepts a write per permits.
fn opened_and_stalled() -> (OpenBoard, Receiver<Signal>, Sender<()>) {
    let (sender, signals) = mpsc::channel();
    let (output, permits) = blocked(Reporter(sender));
    (classic().output(output).size(40, 10).open(), signals, permits)
}

// Rule 21
#[test]
fn a_shutdown_draws_everything_said_before() {
    let (sender, signals) = mpsc::channel();
    let board = classic().output(Reporter(sender)).size(40, 10).open();
    let job = board.add_job("copy: ");
    job.set_text("a.txt");
    job.finish();
    board.println("hello");
    let _running = board.add_job("move: ");
    board.shutdown();
    // Nothing may be written later.
    let frames = signals.try_iter().map(|signals| match signals {
        Signal::Wrote(frame) => frame,
        Signal::Woken => String::new(),
    });
    assert_eq!(screen(&frames.collect::<String>()), "copy: a.txt ✔\nhello\nmove: … abandoned");
}

// Rule 21
#[test]
fn a_dropped_board_is_shut_down() {
    let (sender, signals) = mpsc::channel();
    let board = Console::plain().output(Reporter(sender)).open();
    board.println("hello");
    drop(board);
    assert_eq!(wrote(&signals), "hello\n");
}

// Rules 1, 21
#[test]
fn a_closed_board_may_be_updated_and_shut_down() {
    let (sender, signals) = mpsc::channel();
    let board = Console::plain().output(Reporter(sender)).open();
    let handle = board.board().clone();
    let job = board.add_job("copy: ");
    board.close();
    board.println("after the close");
    board.shutdown();
    job.set_text("a.txt");
    handle.println("after the shutdown");
    assert_eq!(wrote(&signals), "copy: (abandoned)\n0 done, 1 abandoned in 0s\n");
}

// Rule 19
#[test]
fn a_stalled_terminal_blocks_no_worker() {
    let (board, signals, permits) = opened_and_stalled();
    let job = board.add_job("copy: ");
    let mut bytes = next_frame(&signals);
    // The terminal accepts nothing before all of this is done.
    for number in 0..10_000 {
        job.tick();
        job.set_text(number);
        if number % 1_000 == 0 {
            board.println(number);
            board.add_job(format!("job {number}")).finish();
        }
    }
    job.clear_progress();
    job.finish();
    (0..1_000).for_each(|_| permits.send(()).unwrap());
    board.shutdown();
    bytes += &wrote(&signals);
    let lines = (0..10).map(|n| format!("{0}\njob {0} ✔\n", n * 1_000)).collect::<String>();
    assert_eq!(screen(&bytes), format!("{lines}copy: 9999 ✔"));
}

// Rule 21
#[test]
fn a_stalled_terminal_does_not_block_the_shutdown() {
    let (board, signals, permits) = opened_and_stalled();
    board.println("hello");
    next_frame(&signals);
    within_a_minute(|| board.shutdown());
    drop(permits);
}

// Rule 1
#[test]
fn a_vanished_terminal_does_not_affect_workers() {
    let (board, signals, permits) = opened_and_stalled();
    let job = board.add_job("copy: ");
    next_frame(&signals);
    drop(permits);
    job.set_text("a.txt");
    board.println("hello");
    board.shutdown();
    assert_eq!(wrote(&signals), "");
}

#[test]
fn a_panicking_writer_does_not_affect_workers() {
    struct Panics;
    impl Write for Panics {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            panic!("as it does")
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    within_a_minute(|| {
        let board = classic().output(Panics).open();
        let job = board.add_job("copy: ");
        job.finish();
        board.shutdown();
    });
}

// Rule 21
#[test]
fn the_last_frame_is_below_the_message_of_a_panic() {
    let (sender, signals) = mpsc::channel();
    let mut before = String::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        // Printing the panic may be slow: on this clock nothing dims meanwhile.
        let console = classic().clock(|| Duration::ZERO);
        let board = console.output(Reporter(sender)).size(40, 10).open();
        let _job = board.add_job("copy: ");
        before += &next_frame(&signals);
        panic!("as it does");
    }));
    assert!(panicked.is_err());
    let after = wrote(&signals);
    let expected = "copy:\nmessage\ncopy: ✘ panicked";
    assert_eq!(screen(&format!("{before}message\r\n{after}")), expected);
}

#[test]
fn the_last_frame_is_below_even_if_jobs_outlive_the_panic() {
    let (sender, signals) = mpsc::channel();
    let (mut before, mut jobs) = (String::new(), Vec::new());
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        // Printing the panic may be slow: on this clock nothing dims meanwhile.
        let console = classic().clock(|| Duration::ZERO);
        let board = console.output(Reporter(sender)).size(40, 10).open();
        jobs.push(board.add_job("copy: "));
        before += &next_frame(&signals);
        panic!("as it does");
    }));
    assert!(panicked.is_err());
    let after = wrote(&signals);
    let expected = "copy:\nmessage\ncopy: … abandoned";
    assert_eq!(screen(&format!("{before}message\r\n{after}")), expected);
}

#[test]
fn a_panic_that_was_drawn_is_not_drawn_again() {
    /// Waits for another frame while unwinding.
    struct Waits<'a>(&'a Receiver<Signal>, &'a mut String);
    impl Drop for Waits<'_> {
        fn drop(&mut self) {
            *self.1 += &next_frame(self.0);
        }
    }
    let (sender, signals) = mpsc::channel();
    let mut frames = String::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        // Printing the panic may be slow: on this clock nothing dims meanwhile.
        let console = classic().clock(|| Duration::ZERO);
        let board = console.output(Reporter(sender)).size(40, 10).open();
        let job = board.add_job("copy: ");
        frames += &(next_frame(&signals) + "message\r\n");
        let _waits = Waits(&signals, &mut frames);
        let _job = job;
        panic!("as it does");
    }));
    assert!(panicked.is_err());
    frames += &wrote(&signals);
    assert_eq!(screen(&frames), "copy:\nmessage\ncopy: ✘ panicked");
}

// Rule 21
#[test]
fn the_board_continues_below_the_message_of_a_panic() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(classic(), &time);
    let (job, other) = (board.add_job("copy: "), board.add_job("move: "));
    let mut bytes = show.frame();
    job.end(Outcome::Panicked);
    bytes += "message\r\n";
    time.advance(millis(100));
    bytes += &show.frame();
    other.set_text("b.txt");
    time.advance(millis(100));
    bytes += &show.frame();
    assert_eq!(screen(&bytes), "copy:\nmove:\nmessage\ncopy: ✘ panicked\nmove: b.txt");
}

#[test]
fn a_shutdown_takes_ready_events_and_closes_the_board() {
    let (sender, signals) = mpsc::channel();
    let (board, events) = board();
    let running = Console::plain().output(Reporter(sender)).start(events);
    let job = board.add_job("copy: ");
    job.tick();
    running.shutdown();
    board.println("too late");
    assert_eq!(wrote(&signals), "copy: 1 (abandoned)\n0 done, 1 abandoned in 0s\n");
}

#[test]
fn a_panicking_stream_does_not_block_the_shutdown() {
    within_a_minute(|| {
        let events = stream::poll_fn(|_| -> Poll<Option<Event>> { panic!("as it does") });
        Console::plain().start(events).shutdown();
    });
}

#[test]
fn an_endless_stream_does_not_block_the_shutdown() {
    let (sender, signals) = mpsc::channel();
    let events = stream::repeat(printed("again"));
    let running = Console::plain().output(Reporter(sender)).start(events);
    next_frame(&signals);
    within_a_minute(|| running.shutdown());
}

// Rule 24
#[test]
fn an_opened_board_has_the_clock_of_the_console() {
    let (sender, signals) = mpsc::channel();
    let time = VirtualClock::new();
    let board = Console::plain().output(Reporter(sender)).clock(time.reader()).open();
    let job = board.add_job("copy: ");
    time.advance(Duration::from_secs(184));
    job.finish();
    board.shutdown();
    assert!(wrote(&signals).ends_with("copy: (finished in 3m 4s)\n1 done in 3m 4s\n"));
}

// Rule 20
#[test]
fn a_plain_console_writes_printed_lines_unchanged() {
    let (sender, signals) = mpsc::channel();
    let board = Console::plain().output(Reporter(sender)).open();
    board.println("\u{1b}[31mred\u{1b}[m\tand\nmore");
    board.shutdown();
    assert_eq!(wrote(&signals), "\u{1b}[31mred\u{1b}[m\tand\nmore\n");
}

// Rule 19
#[test]
fn a_log_omits_no_line_while_it_is_written() {
    const MANY: usize = 300_000;
    let (sender, signals) = mpsc::channel();
    let board = Console::plain().output(Reporter(sender)).open();
    (0..MANY).for_each(|number| board.println(number));
    board.shutdown();
    let lines: String = (0..MANY).map(|number| format!("{number}\n")).collect();
    assert!(wrote(&signals) == lines, "all lines in order");
}

// Rule 19
#[test]
fn a_log_that_is_stuck_delays_no_line_for_ever() {
    within_a_minute(|| {
        let (sender, signals) = mpsc::channel();
        let (writer, permit) = blocked(Reporter(sender));
        let board = Console::plain().output(writer).open();
        board.println("first");
        let Ok(Signal::Wrote(first)) = signals.recv() else { panic!("no write") };
        assert_eq!(first, "first\n");
        (0..65_546).for_each(|number| board.println(number));
        (0..1_000).for_each(|_| permit.send(()).expect("a writer that waits"));
        board.shutdown();
        assert!(wrote(&signals).ends_with("\n65535\n… 10 lines not shown\n"));
    });
}

// Rule 15
#[test]
fn the_frame_interval_can_be_chosen() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(classic().frame_interval(millis(400)), &time);
    let job = board.add_job("copy: ");
    let mut bytes = show.frame();
    job.set_text("a");
    time.advance(millis(399));
    show.settle();
    assert!(show.frames.is_empty());
    time.advance(millis(1));
    bytes += &show.frame();
    assert_eq!(screen(&bytes), "copy: a");
}

// Rule 20
#[test]
fn a_partial_line_is_below_the_rows_until_it_ends() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(classic(), &time);
    let _job = board.add_job("copy: ");
    let mut writer = board.writer();
    write!(writer, "Continue? ").unwrap();
    let mut bytes = show.frame();
    assert_eq!(screen(&bytes), "copy:\nContinue?");
    writeln!(writer, "yes").unwrap();
    time.advance(millis(100));
    bytes += &show.frame();
    assert_eq!(screen(&bytes), "Continue? yes\ncopy:");
}
