//! Jobs of other boards on this one.

use std::io::{self, BufReader};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use active_status::event::{Change, Place, Progress, Row};
use active_status::progress::Unit;
use active_status::relay::RelayOptions;
use active_status::testing::VirtualClock;
use active_status::{Board, Event, Events, JobId, Outcome, Status, board, board_with_clock};

use crate::allocator::bytes;

const SECOND: Duration = Duration::from_secs(1);

fn job(id: u64) -> JobId {
    JobId::new(id).expect("ids count from 1")
}

fn added(id: u64, row: Row) -> Event {
    Event::Added { at: SECOND, job: job(id), row }
}

fn changed(id: u64, change: Change) -> Event {
    Event::Changed { at: SECOND, job: job(id), change }
}

fn ended(id: u64, outcome: Outcome) -> Event {
    Event::Ended { at: SECOND, job: job(id), outcome }
}

fn line(text: &str) -> Event {
    Event::Line { at: SECOND, text: text.into() }
}

/// Returns the prefixes, texts, outcomes and lines of all pending events.
fn seen(events: &mut Events) -> Vec<String> {
    let describe = |event| match event {
        Event::Added { job, row, .. } => format!("+{} {}{}", job.get(), row.prefix, row.text),
        Event::Changed { job, change, .. } => {
            format!("{} {}", job.get(), change.text.unwrap_or_default())
        }
        Event::Ended { job, outcome, .. } => format!("-{} {outcome:?}", job.get()),
        Event::Line { text, .. } => text,
        _ => "closed".into(),
    };
    events.drain().map(describe).collect()
}

const BLOCK: u64 = 1 << 32;

#[test]
fn jobs_of_each_relay_have_ids_of_their_block() {
    let (board, mut events) = board();
    let mut one = board.relay("one");
    let mut two = board.relay("two");
    two.apply(added(7, Row::new("copy: ")));
    one.apply(added(7, Row::new("copy: ").with_text("a")));
    one.apply(added(1, Row::new("move: ")));
    one.apply(changed(7, Change::default().with_text("b")));
    one.apply(ended(7, Outcome::Finished));
    one.apply(changed(9, Change::default().with_text("never added")));
    one.apply(ended(9, Outcome::Finished));
    let own = board.add_job("own");
    let (first, second) = (BLOCK + 1, 2 * BLOCK + 1);
    let expected = [
        format!("+{second} two copy: "),
        format!("+{first} one copy: a"),
        format!("+{} one move: ", first + 1),
        format!("{first} b"),
        format!("-{first} Finished"),
        "+1 own".into(),
    ];
    assert_eq!(seen(&mut events), expected);
    drop((one, two, own));
}

#[test]
fn the_jobs_of_a_relay_that_is_dropped_are_lost() {
    let (board, mut events) = board();
    let mut relay = board.relay("child");
    relay.apply(added(1, Row::new("copy: ")));
    relay.apply(added(1, Row::new("again: ")));
    drop(relay);
    let (first, second) = (BLOCK + 1, BLOCK + 2);
    let expected = [
        format!("+{first} child copy: "),
        format!("-{first} Lost"),
        format!("+{second} child again: "),
        format!("-{second} Lost"),
    ];
    assert_eq!(seen(&mut events), expected);
}

#[test]
fn the_close_of_the_other_board_ends_its_jobs() {
    let (board, mut events) = board();
    let mut relay = board.relay("child");
    for id in 1..=3 {
        relay.apply(added(id, Row::new("").with_elapsed(id == 3)));
    }
    relay.apply(changed(2, Change::default().with_detached(true)));
    let _added = seen(&mut events);
    relay.apply(Event::Closed { at: SECOND });
    let of = |id, outcome| format!("-{} {outcome}", BLOCK + id);
    assert_eq!(seen(&mut events), [of(1, "Abandoned"), of(2, "Finished"), of(3, "Finished")]);
    // Another program may go on in the same process.
    relay.apply(added(1, Row::new("next")));
    assert_eq!(seen(&mut events), [format!("+{} child next", BLOCK + 4)]);
}

#[test]
fn jobs_are_abandoned_if_this_board_closes_first() {
    let (board, mut events) = board();
    let mut relay = board.relay("child");
    relay.apply(added(1, Row::new("")));
    board.close();
    drop(relay);
    assert_eq!(seen(&mut events)[1..], ["closed"]);
}

#[test]
fn rows_are_not_pinned_unless_the_options_say_so() {
    let (board, mut events) = board();
    let mut relay = board.relay("a");
    relay.apply(added(1, Row::new("total: ").with_pinned(true)));
    relay.apply(added(2, Row::new("time: ").with_pinned(true).with_elapsed(true)));
    relay.apply(added(3, Row::new("row: ").with_elapsed(true)));
    let rows: Vec<Row> = events.drain().filter_map(row).collect();
    assert_eq!(rows, [Row::new("a total: "), Row::new("a row: ").with_elapsed(true)]);

    let options = RelayOptions::new("b").rows(|row| {
        row.status = Status::Success;
        row.pinned
    });
    let mut relay = board.relay(options);
    relay.apply(added(1, Row::new("total: ").with_pinned(true)));
    relay.apply(added(2, Row::new("row: ")));
    let rows: Vec<Row> = events.drain().filter_map(row).collect();
    assert_eq!(rows, [Row::new("b total: ").with_pinned(true).with_status(Status::Success)]);
}

fn row(event: Event) -> Option<Row> {
    let Event::Added { row, .. } = event else { return None };
    Some(row)
}

#[test]
fn subtasks_and_places_refer_to_rows_of_the_same_relay() {
    let (board, mut events) = board();
    let own = [board.add_job("1"), board.add_job("2")];
    let mut relay = board.relay("a");
    relay.apply(added(2, Row::new("two")));
    relay.apply(added(3, Row::new("sub").with_parent(job(2)).with_place(Place::Above(job(2)))));
    relay.apply(added(4, Row::new("lost").with_parent(job(1)).with_place(Place::Below(job(1)))));
    let output = (0..20).map(|line| format!("\u{1b}[1m{line}"));
    relay.apply(changed(2, Change::default().with_output(output)));
    let events: Vec<Event> = events.drain().skip(2).collect();
    let here = job(BLOCK + 1);
    let rows: Vec<Row> = events.iter().cloned().filter_map(row).collect();
    let sub = Row::new("a sub").with_parent(here).with_place(Place::Above(here));
    assert_eq!(rows, [Row::new("a two"), sub, Row::new("a lost")]);
    let Some(Event::Changed { change, .. }) = events.last() else { panic!("a change") };
    let plain = (0..20).map(|line| line.to_string());
    assert_eq!(*change, Change::default().with_output(plain));
    drop(own);
}

#[test]
fn changes_merge_and_keep_the_numbers_of_the_other_board() {
    let (board, mut events) = board();
    let mut relay = board.relay("child");
    let progress = Progress::new(3, 5).with_unit(Unit::Bytes).with_rate(1_500);
    relay.apply(added(1, Row::new("").with_progress(Progress::new(1, 5))));
    relay.apply(changed(1, Change::default().with_text("a")));
    relay.apply(changed(1, Change::default().with_progress(progress.clone())));
    relay.apply(changed(1, Change::default().with_text("b").with_status(Status::Warning)));
    let [_, Event::Changed { change, .. }] = &events.drain().collect::<Vec<_>>()[..] else {
        panic!("one change")
    };
    let expected = Change::default().with_text("b").with_status(Status::Warning);
    assert_eq!(*change, expected.with_progress(progress));

    relay.apply(changed(1, Change::default().with_progress(None)));
    relay.apply(ended(1, Outcome::Finished));
    let [Event::Changed { change, .. }, Event::Ended { .. }] =
        &events.drain().collect::<Vec<_>>()[..]
    else {
        panic!("a change and the end")
    };
    assert_eq!(*change, Change::default().with_progress(None));
}

#[test]
fn texts_of_others_are_plain_and_cut() {
    let (board, mut events) = board();
    let mut relay = board.relay(RelayOptions::new("\u{1b}[31mchild").text(16));
    let hostile = "\u{1b}]0;title\u{7}\u{202e}a\nb";
    let progress = Progress::new(u64::MAX, u64::MAX).with_text(hostile);
    relay.apply(added(1, Row::new(hostile).with_text("x".repeat(99)).with_progress(progress)));
    relay.apply(changed(1, Change::default().with_prefix(hostile)));
    relay.apply(ended(1, Outcome::Failed(format!("{hostile}\u{1b}[1m"))));
    relay.apply(line(hostile));
    let events: Vec<Event> = events.drain().collect();
    let [Event::Added { row, .. }, Event::Changed { change, .. }, end, line] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((&*row.prefix, &*row.text), ("child  a b", "xxxxxxxxxxxxxxxx…"));
    assert_eq!(change.prefix.as_deref(), Some("child  a b"));
    let progress = Progress::new(1 << 62, 1 << 62).with_text(" a b");
    assert_eq!(change.progress, progress.into());
    let Event::Ended { outcome, .. } = end else { panic!("{end:?}") };
    assert_eq!(*outcome, Outcome::Failed(" a\nb".into()));
    assert!(matches!(line, Event::Line { text, .. } if text == "child  a b"), "{line:?}");
}

#[test]
fn rows_and_lines_beyond_the_limits_are_counted() {
    let clock = VirtualClock::new();
    let (board, mut events) = board_with_clock(clock.reader());
    let mut relay = board.relay(RelayOptions::new("flood").jobs(2).per_second(1));
    for id in 1..=4 {
        relay.apply(added(id, Row::new("")));
    }
    relay.apply(ended(1, Outcome::Finished));
    for number in 0..20 {
        relay.apply(line(&number.to_string()));
    }
    let seen_first = seen(&mut events);
    assert_eq!(
        seen_first[..2],
        [format!("+{} flood ", BLOCK + 1), format!("+{} flood ", BLOCK + 2)]
    );
    assert_eq!(seen_first[3..5], ["flood … 2 rows and lines not shown", "flood 0"]);
    assert_eq!(seen_first.len(), 3 + 1 + 8, "ten rows and lines in all");
    clock.advance(SECOND);
    relay.apply(line("later"));
    assert_eq!(seen(&mut events), ["flood … 12 rows and lines not shown", "flood later"]);
    relay.apply(line("too soon"));
    drop(relay);
    assert_eq!(seen(&mut events)[0], "flood … 1 rows and lines not shown");
}

#[test]
fn times_are_those_of_this_board() {
    let clock = VirtualClock::new();
    clock.advance(100 * SECOND);
    let (board, mut events) = board_with_clock(clock.reader());
    let mut relay = board.relay("child");
    let mut ids = 1..;
    let mut at = |at: u64, events: &mut Events| {
        let next = job(ids.next().expect("an id"));
        relay.apply(Event::Added { at: Duration::from_secs(at), job: next, row: Row::default() });
        events.drain().next().expect("an event").at().as_secs()
    };
    assert_eq!(at(5_000, &mut events), 100, "the first event is new");
    clock.advance(3 * SECOND);
    assert_eq!(at(5_001, &mut events), 101, "it arrived two seconds late");
    assert_eq!(at(5_009, &mut events), 103, "none is of the future");
    assert_eq!(at(5_000, &mut events), 94, "the least delay counts");
    assert_eq!(at(1, &mut events), 0, "none is before the start");
}

#[test]
fn invalid_lines_are_counted_and_have_no_effect() {
    let (board, mut events) = board();
    let lines = "hello\n{\"event\":\"line\",\"at\":1,\"text\":\"one\"}\n{\"event\":\"?\"}\n";
    assert_eq!(board.relay("child").read(lines.as_bytes()).unwrap(), 2);
    assert_eq!(seen(&mut events), ["child one"]);
    let future = r#"{"event":"run","format":9,"version":"9","program":"x","started":1}"#;
    let error = board.relay("child").read(future.as_bytes()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
}

/// Lines of input that record the largest backlog at which they were read.
struct Watched {
    lines: io::Cursor<Vec<u8>>,
    board: Board,
    largest: Arc<AtomicUsize>,
}

impl io::Read for Watched {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.largest.fetch_max(self.board.backlog(), Relaxed);
        self.lines.read(bytes)
    }
}

#[test]
fn a_reader_waits_while_the_backlog_is_large() {
    let (board, mut events) = board();
    let relay = board.relay(RelayOptions::new("child").per_second(1_000_000));
    let line = "{\"event\":\"line\",\"at\":1,\"text\":\"x\"}\n";
    let lines = io::Cursor::new(line.repeat(20_000).into_bytes());
    let largest = Arc::new(AtomicUsize::new(0));
    let watched = Watched { lines, board: board.clone(), largest: Arc::clone(&largest) };
    let input = BufReader::with_capacity(line.len(), watched);
    let reader = thread::spawn(move || relay.read(input).expect("lines"));
    // The line that exceeds the limit is on the board, and the mark for which the reader
    // waits. One that did not wait would have read another line.
    while board.backlog() < 4_098 {
        thread::yield_now();
    }
    let mut count = 0;
    while count < 20_000 {
        count += events.drain().count();
        thread::yield_now();
    }
    assert_eq!(reader.join().expect("no panic"), 0);
    assert!(largest.load(Relaxed) <= 4_096, "{largest:?}");
}

#[test]
fn a_reader_ends_when_the_board_is_closed() {
    let (board, events) = board();
    let lines = "{\"event\":\"line\",\"at\":1,\"text\":\"x\"}\n".repeat(20_000);
    let relay = board.relay(RelayOptions::new("child").per_second(1_000_000));
    let reader = thread::spawn(move || relay.read(lines.as_bytes()).expect("lines"));
    drop(events);
    assert_eq!(reader.join().expect("no panic"), 0);
    drop::<Board>(board);
}

#[cfg(unix)]
#[test]
fn a_child_that_is_killed_leaves_lost_jobs() {
    use std::io::BufRead;
    use std::process::{Command, Stdio};

    let (board, mut events) = board();
    let lines = r#"{"event":"added","at":0.1,"job":1,"prefix":"copy: ","text":"a.txt"}"#;
    let mut child = Command::new("sh")
        .args(["-c", "echo \"$0\"; exec cat", lines])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sh starts");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    output.fill_buf().expect("the first line");
    let relay = board.relay("child");
    let reader = thread::spawn(move || relay.read(output));
    let first = events.recv_blocking().expect("the row");
    assert!(matches!(first, Event::Added { .. }));
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    reader.join().expect("no panic").expect("the output ends");
    assert_eq!(seen(&mut events), [format!("-{} Lost", BLOCK + 1)]);
}

#[test]
fn places_of_relayed_rows_are_those_of_this_board() {
    let (board, mut events) = board();
    let mut relay = board.relay("one");
    let row = Row::new("rustc: ").with_output(["a\u{1b}[31mb"]);
    relay.apply(added(7, Row::new("build: ")));
    relay.apply(added(8, row.clone().with_parent(job(7)).with_place(Place::Above(job(7)))));
    relay.apply(added(9, row.with_parent(job(99)).with_place(Place::Below(job(99)))));
    relay.apply(changed(9, Change::default().with_output(["c\u{7}d"])));
    let all: Vec<Event> = events.drain().collect();
    let [_, Event::Added { row: one, .. }, Event::Added { row: two, .. }, changed] = &all[..]
    else {
        panic!("{all:?}")
    };
    assert_eq!((one.parent, one.place), (Some(job(BLOCK + 1)), Place::Above(job(BLOCK + 1))));
    assert_eq!((two.parent, two.place), (None, Place::Last));
    assert_eq!(one.output, ["ab"]);
    let Event::Changed { change, .. } = changed else { panic!("{changed:?}") };
    assert_eq!(change.output.as_deref(), Some(&["c d".to_owned()][..]));
}

#[test]
fn a_flood_that_is_not_read_takes_little_memory() {
    let (board, mut events) = board();
    let mut relay = board.relay(RelayOptions::new("flood").per_second(u32::MAX));
    let before = bytes();
    let mut largest = 0;
    let text = "x".repeat(4_096);
    let progress = Progress::new(1, 2).with_text(&*text);
    let row = Row::new(&*text).with_text(&*text).with_progress(progress);
    let row = row.with_output([&*text; 2]);
    for id in 1..=20_000 {
        relay.apply(added(id, row.clone()));
        relay.apply(changed(id, Change::default().with_text(id.to_string())));
        if id % 2 == 0 {
            relay.apply(ended(id / 2, Outcome::Failed(text.clone())));
            relay.apply(line(&text));
        }
        largest = largest.max(bytes() - before);
    }
    assert!(largest < 100 << 20, "{largest}");
    // Every row that is shown has its last state.
    let (mut ends, mut rows) = (0, 0);
    for event in events.drain() {
        rows += usize::from(matches!(event, Event::Added { .. }));
        ends += usize::from(matches!(event, Event::Ended { .. }));
    }
    assert!(rows > 4_096, "{rows}");
    drop(relay);
    assert_eq!(rows, ends + events.drain().filter(|event| event.job().is_some()).count());
}

#[test]
fn a_slow_reader_of_the_board_gets_every_last_state() {
    let (board, mut events) = board();
    let mut relay = board.relay(RelayOptions::new("h").per_second(u32::MAX));
    let (mut shown, mut ended_well, mut largest) = (0, 0, 0);
    let mut read = |events: &mut Events, count: usize| {
        for event in events.drain().take(count) {
            shown += usize::from(matches!(event, Event::Added { .. }));
            ended_well +=
                usize::from(matches!(event, Event::Ended { outcome: Outcome::Finished, .. }));
        }
        shown - ended_well
    };
    for id in 1..=50_000 {
        relay.apply(added(id, Row::new("")));
        relay.apply(changed(id, Change::default().with_text("x")));
        relay.apply(ended(id, Outcome::Finished));
        read(&mut events, 1);
        largest = largest.max(board.backlog());
    }
    assert!((16_384..16_400).contains(&largest), "{largest}");
    assert_eq!(read(&mut events, usize::MAX), 0, "all that were shown have finished");
    drop(relay);
    let last = seen(&mut events);
    assert!(last.iter().all(|line| line.ends_with("rows and lines not shown")), "{last:?}");
}

#[test]
fn the_texts_of_all_jobs_have_a_limit() {
    let (board, mut events) = board();
    let mut relay = board.relay(RelayOptions::new("h").jobs(100_000).per_second(u32::MAX));
    let long = "x".repeat(1_000);
    let mut shown = 0;
    for id in 1..=17_000 {
        relay.apply(added(id, Row::new("").with_text(&*long)));
        shown += events.drain().count();
    }
    assert_eq!(shown, (16 << 20) / (1_000 + "h ".len()));
    // A row has room for a longer text, or another one its place, after a shorter one.
    relay.apply(changed(1, Change::default().with_prefix(&*long)));
    assert_eq!(events.drain().count(), 0);
    for _ in 0..3 {
        relay.apply(changed(2, Change::default().with_text("")));
    }
    relay.apply(changed(1, Change::default().with_prefix(&long[..900])));
    relay.apply(ended(3, Outcome::Finished));
    for id in 20_000..20_003 {
        relay.apply(added(id, Row::new("").with_text(&*long)));
    }
    let seen = seen(&mut events);
    assert_eq!(seen.iter().filter(|event| event.starts_with('+')).count(), 1);
    assert_eq!(seen.len(), 5, "two changes, an end, a row, and a line that counts the others");
    drop((relay, board));
}
