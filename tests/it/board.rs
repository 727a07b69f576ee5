//! Boards: lines, the close, and one half without the other.

use std::io::Write;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use active_status::event::{BoardWriter, Forward, Sampled};
use active_status::progress::ProgressSnapshot;
use active_status::testing::VirtualClock;
use active_status::{Board, Event, Events, Job, JobOptions, StatusOptions, WithStatus, board};

use crate::harness::millis;
use crate::snapshot::snapshot;
use crate::support::{Parent, within_a_minute};

// Rule 2
#[test]
fn the_types_have_their_auto_traits() {
    fn shared<T: Send + Sync + Clone + Unpin + 'static>() {}
    fn moved<T: Send + Unpin + 'static>() {}
    shared::<Board>();
    shared::<Job>();
    shared::<JobOptions>();
    shared::<StatusOptions>();
    shared::<active_status::console::Clock>();
    moved::<Events>();
    moved::<BoardWriter>();
    moved::<Forward>();
    moved::<Sampled<fn(Duration), ()>>();
    moved::<WithStatus<Events>>();
}

// Rule 20
#[test]
fn each_line_of_a_text_is_an_event() {
    let (board, mut events) = board();
    for text in ["one", "", "two\nthree", "end\n", "dos\r\ndos\r\n", "a\rb\x1b[1m\t"] {
        board.println(text);
    }
    let expected = ["one", "", "two", "three", "end", "", "dos", "dos", "", "a\rb\x1b[1m\t"];
    assert_eq!(snapshot(&mut events), expected.map(|line| format!("| {line}")));
}

// Rule 2
#[test]
fn lines_and_jobs_keep_their_order() {
    let (board, mut events) = board();
    board.println("one");
    let job = board.add_job("a: ");
    board.println("two");
    job.finish();
    board.println("three");
    let expected = ["| one", "1 added: a: ", "| two", "1 finished", "| three"];
    assert_eq!(snapshot(&mut events), expected);
}

// Rule 20
#[test]
fn lines_of_one_call_stay_together() {
    let (board, mut events) = board();
    let print = |board: Board| move || (0..500).for_each(|_| board.println("a\nb\nc"));
    let threads: Vec<_> = (0..4).map(|_| thread::spawn(print(board.clone()))).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let lines = snapshot(&mut events);
    assert_eq!(lines.len(), 6_000);
    assert!(lines.chunks(3).all(|lines| lines == ["| a", "| b", "| c"]));
}

// Rule 20
#[test]
fn a_written_line_waits_for_its_newline() {
    let (board, mut events) = board();
    let mut writer = board.writer();
    writer.write_all(b"one").unwrap();
    writer.flush().unwrap();
    assert_eq!(snapshot(&mut events), ["~ one"]);
    writer.write_all(b" and\ntwo\nthr").unwrap();
    assert_eq!(snapshot(&mut events), ["| one and", "| two", "~ thr"]);
    writer.write_all(b"ee\n").unwrap();
    assert_eq!(snapshot(&mut events), ["| three", "~ "]);
}

// Rule 20
#[test]
fn the_partial_line_that_was_written_last_is_shown() {
    let (board, mut events) = board();
    let (mut one, mut two) = (board.writer(), board.writer());
    write!(one, "one").unwrap();
    write!(two, "two").unwrap();
    assert_eq!(snapshot(&mut events), ["~ two"]);
    drop(two);
    assert_eq!(snapshot(&mut events), ["| two", "~ one"]);
    write!(one, "{}", "!".repeat(5_000)).unwrap();
    let shown = format!("~ one{}", "!".repeat(1_021));
    assert_eq!(snapshot(&mut events), [shown]);
}

// Rule 2
#[test]
fn pending_changes_of_partial_lines_are_one_event() {
    let (board, mut events) = board();
    let mut writer = board.writer();
    (0..1_000).for_each(|_| write!(writer, ".").unwrap());
    assert_eq!(snapshot(&mut events), [format!("~ {}", ".".repeat(1_000))]);
    (0..1_000).for_each(|_| write!(board.writer(), "").unwrap());
    assert_eq!(snapshot(&mut events), Vec::<String>::new());
}

// Rules 20, 21
#[test]
fn a_partial_line_is_printed_when_its_board_closes() {
    let (board, mut events) = board();
    let mut writer = board.writer();
    write!(writer, "one").unwrap();
    assert_eq!(snapshot(&mut events), ["~ one"]);
    board.close();
    write!(writer, " and two").unwrap();
    assert_eq!(snapshot(&mut events), ["| one", "~ ", "closed"]);
}

// Rule 20
#[test]
fn a_partial_line_is_printed_when_its_writer_is_dropped() {
    let (board, mut events) = board();
    write!(board.writer(), "one\ntwo").unwrap();
    assert_eq!(snapshot(&mut events), ["| one", "| two"]);
    writeln!(board.writer(), "three").unwrap();
    drop(board.writer());
    assert_eq!(snapshot(&mut events), ["| three"]);
}

#[test]
fn writers_do_not_share_a_partial_line() {
    let (board, mut events) = board();
    let (mut one, mut two) = (board.writer(), board.writer());
    write!(one, "o").unwrap();
    write!(two, "t").unwrap();
    writeln!(one, "ne").unwrap();
    writeln!(two, "wo").unwrap();
    assert_eq!(snapshot(&mut events), ["| one", "| two"]);
}

#[test]
fn a_character_can_be_written_byte_by_byte() {
    let (board, mut events) = board();
    let mut writer = board.writer();
    for byte in "é…\n".bytes() {
        assert_eq!(writer.write(&[byte]).unwrap(), 1);
    }
    assert_eq!(snapshot(&mut events), ["| é…"]);
}

#[test]
fn bytes_that_are_not_utf_8_are_replaced() {
    let (board, mut events) = board();
    board.writer().write_all(b"a\xffb\n\xc3\nc\n").unwrap();
    assert_eq!(snapshot(&mut events), ["| a\u{fffd}b", "| \u{fffd}", "| c"]);
}

#[test]
fn an_endless_line_is_broken() {
    let (board, mut events) = board();
    let mut writer = board.writer();
    let piece = vec![b'x'; 1 << 20];
    (0..20).for_each(|_| writer.write_all(&piece).unwrap());
    let lines: Vec<usize> = snapshot(&mut events).iter().map(String::len).collect();
    assert_eq!(lines, [2 + 1024, 2 + (17 << 20)]);
}

// Rule 19
#[test]
fn lines_beyond_the_limit_are_counted_in_their_place() {
    let (board, mut events) = board();
    (0..65_540).for_each(|number| board.println(number));
    let job = board.add_job("a: ");
    let lines = snapshot(&mut events);
    assert_eq!(lines[65_535..], ["| 65535", "| … 4 lines not shown", "1 added: a: "]);
    board.println("there is room again");
    assert_eq!(snapshot(&mut events), ["| there is room again"]);
    drop(job);
}

#[test]
fn no_line_comes_before_the_count_of_omitted_ones() {
    let (board, mut events) = board();
    (0..65_537).for_each(|number| board.println(number));
    events.try_recv().unwrap();
    board.println("there is room for one");
    let lines = snapshot(&mut events);
    assert_eq!(lines[65_534..], ["| 65535", "| … 2 lines not shown"]);
}

// Rule 19
#[test]
fn bytes_of_lines_have_a_limit_too() {
    let (board, mut events) = board();
    let mebibyte = "x".repeat(1 << 20);
    (0..17).for_each(|_| board.println(&mebibyte));
    let lines = snapshot(&mut events);
    assert_eq!(lines.len(), 17);
    assert_eq!(lines[16], "| … 1 line not shown");
}

#[test]
fn a_single_line_may_exceed_the_limit() {
    let (board, mut events) = board();
    board.println("x".repeat(17 << 20));
    board.println("left out");
    let lines = snapshot(&mut events);
    assert_eq!(lines[0].len(), 2 + (17 << 20));
    assert_eq!(lines[1..], ["| … 1 line not shown"]);
}

#[test]
fn omitted_lines_are_counted_at_the_close_at_the_latest() {
    let (board, mut events) = board();
    (0..65_538).for_each(|number| board.println(number));
    board.close();
    let lines = snapshot(&mut events);
    assert_eq!(lines[65_535..], ["| 65535", "| … 2 lines not shown", "closed"]);
}

// Rule 21
#[test]
fn the_close_comes_once_and_last() {
    let (board, mut events) = board();
    let job = board.add_job("a: ");
    job.set_text("x");
    board.println("before");
    board.close();
    board.close();
    let expected = ["1 added: a: ", "1: text x", "| before", "closed"];
    assert_eq!(snapshot(&mut events), expected);
    assert_eq!(events.try_recv(), None);
    assert_eq!(events.recv_blocking(), None);
}

// Rule 21
#[test]
fn updates_after_the_close_do_nothing() {
    let (board, mut events) = board();
    let job = board.add_job("a: ");
    let mut writer = board.writer();
    board.close();
    job.set_text("x");
    job.set_position(3);
    job.finish();
    board.println("after");
    writeln!(writer, "after").unwrap();
    let late = board.add_job("b: ");
    late.tick();
    late.finish();
    board.show_elapsed();
    assert_eq!(snapshot(&mut events), ["1 added: a: ", "closed"]);
}

// Rule 3
#[test]
fn the_time_of_the_close_is_that_of_the_first_call() {
    let clock = VirtualClock::new();
    let (board, mut events) = clock.board();
    clock.set(millis(10));
    board.close();
    clock.set(millis(20));
    board.close();
    drop(board);
    assert_eq!(events.try_recv(), Some(Event::Closed { at: Duration::from_millis(10) }));
}

#[test]
fn the_last_handle_of_any_kind_closes_the_board() {
    let clock = VirtualClock::new();
    let (board, mut events) = clock.board();
    let writer = board.writer();
    let job = board.add_job("a: ");
    drop(board);
    assert_eq!(snapshot(&mut events), ["1 added: a: "]);
    drop(writer);
    assert_eq!(snapshot(&mut events), Vec::<String>::new());
    clock.set(millis(5));
    job.detach();
    clock.set(millis(9));
    assert_eq!(snapshot(&mut events), ["1: detached", "closed"]);
}

#[test]
fn the_last_handle_sets_the_time_of_the_close() {
    let clock = VirtualClock::new();
    let (board, mut events) = clock.board();
    clock.set(millis(5));
    drop(board);
    clock.set(millis(9));
    assert_eq!(events.try_recv(), Some(Event::Closed { at: Duration::from_millis(5) }));
}

// Rule 13
#[test]
fn elapsed_time_is_a_pinned_row_without_a_handle() {
    let (board, mut events) = board();
    board.show_elapsed();
    let Some(Event::Added { row, .. }) = events.try_recv() else { panic!("not added") };
    assert_eq!((&*row.prefix, row.pinned, row.elapsed), ("elapsed time: ", true, true));
    board.close();
    assert_eq!(snapshot(&mut events), ["closed"]);
}

// Rules 1, 2
#[test]
fn without_events_every_update_does_nothing() {
    let (board, events) = board();
    let job = board.add_job("a: ");
    drop(events);
    job.tick();
    job.set_text("x");
    board.println("x");
    writeln!(board.writer(), "x").unwrap();
    let late = board.add_job("b: ");
    late.finish();
    board.close();
    assert!(late.is_ended());
    assert!(!job.is_ended());
    job.fail("x");
    assert!(job.is_ended());
}

// Rule 2
#[test]
fn dropped_events_hold_no_pending_message() {
    let (board, mut events) = board();
    let held = Arc::new(());
    let style = held.clone();
    let options = JobOptions::new().style(move |_: &ProgressSnapshot| {
        let _held = &style;
        String::new()
    });
    let job = board.add_job(options.clone());
    assert_eq!(snapshot(&mut events).len(), 1);
    let other = board.add_job(options);
    job.tick();
    drop((job, other));
    drop(events);
    assert_eq!(Arc::strong_count(&held), 1);
    board.println("the board is still there");
}

#[test]
fn dropped_events_release_their_waker() {
    let (_board, mut events) = board();
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut events), Poll::Pending);
    assert_eq!(parent.held(), 1);
    drop(events);
    assert_eq!(parent.held(), 0);
}

/// A waker that updates its board when it is woken, as in an executor that logs to the
/// board.
struct Logging(Mutex<(Board, Job)>);

impl Wake for Logging {
    fn wake(self: Arc<Self>) {
        let logging = self.0.lock().unwrap();
        let (board, job) = &*logging;
        board.println("woken");
        write!(board.writer(), "woken").unwrap();
        job.tick();
        board.add_job("wake: ").finish();
    }
}

#[test]
fn a_waker_that_uses_its_board_does_not_deadlock() {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let (board, mut events) = board();
        let job = board.add_job("a: ");
        assert_eq!(snapshot(&mut events).len(), 1);
        let waker = Waker::from(Arc::new(Logging(Mutex::new((board.clone(), job)))));
        let mut cx = std::task::Context::from_waker(&waker);
        let pending = futures::Stream::poll_next(std::pin::Pin::new(&mut events), &mut cx);
        assert_eq!(pending, Poll::Pending);
        board.println("hello");
        sender.send(snapshot(&mut events)).unwrap();
    });
    let events = receiver.recv_timeout(Duration::from_secs(60)).expect("a deadlock");
    let expected = ["| hello", "| woken", "| woken", "1: 1", "2 added: wake: ", "2 finished"];
    assert_eq!(events, expected);
}

/// More lines than a board holds.
const MANY: usize = 100_000;

/// Takes every line, and checks that none is missing.
fn assert_every_line_arrives(events: Events) {
    let mut number = 0;
    for event in futures::executor::block_on_stream(events) {
        if let Event::Line { text, .. } = event {
            assert_eq!(text, number.to_string());
            number += 1;
        }
    }
    assert_eq!(number, MANY);
}

// Rule 19
#[test]
fn a_blocking_println_omits_no_line() {
    let (board, events) = board();
    let printing =
        thread::spawn(move || (0..MANY).for_each(|number| board.println_blocking(number)));
    within_a_minute(|| assert_every_line_arrives(events));
    printing.join().expect("no panic");
}

// Rule 19
#[test]
fn an_async_println_waits_for_room() {
    let (board, mut events) = board();
    (0..65_536).for_each(|_| board.println("x"));
    let parent = Parent::new();
    let mut print = Box::pin(futures::stream::once(board.println_async("last")));
    assert!(parent.poll(&mut print).is_pending());
    assert_eq!(events.drain().take(32_767).count(), 32_767);
    assert_eq!(parent.take_wakes(), 0);
    // Half of the room is free.
    events.try_recv();
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.poll(&mut print), Poll::Ready(Some(())));
    let last = events.drain().last();
    assert!(matches!(last, Some(Event::Line { text, .. }) if text == "last"));
}

#[test]
fn a_println_that_waits_ends_with_the_board() {
    type End = fn(Board, Events);
    let ends: [End; 2] = [|board, _events| board.close(), |_board, events| drop(events)];
    for end in ends {
        let (board, events) = board();
        (0..65_536).for_each(|_| board.println("x"));
        let parent = Parent::new();
        let mut print = Box::pin(futures::stream::once(board.println_async("last")));
        assert!(parent.poll(&mut print).is_pending());
        let other = board.clone();
        let blocked = thread::spawn(move || other.println_blocking("last"));
        end(board, events);
        assert_eq!(parent.take_wakes(), 1);
        assert_eq!(parent.poll(&mut print), Poll::Ready(Some(())));
        within_a_minute(|| blocked.join()).expect("no panic");
    }
}

// Rule 21
#[test]
fn a_flush_waits_until_the_reader_comes_back() {
    let (board, mut events) = board();
    board.println("hello");
    let flushed = thread::spawn(move || board.flush());
    let parent = Parent::new();
    let mut read = Vec::new();
    within_a_minute(move || {
        while !flushed.is_finished() {
            if let Poll::Ready(Some(event @ Event::Line { .. })) = parent.poll(&mut events) {
                read.push(event);
            }
        }
        assert_eq!(read.len(), 1);
    });
}

#[test]
fn a_flush_of_a_board_without_a_reader_returns() {
    let (board, events) = board();
    drop(events);
    within_a_minute(move || board.flush());
}
