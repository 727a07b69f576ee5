//! Events as lines of JSON, written and read.

use std::future::ready;
use std::io::{self, BufReader, Read};
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use active_status::event::{Change, Place, Progress, Row};
use active_status::model::{Frame, Model};
use active_status::progress::Unit;
use active_status::record::read_records;
use active_status::testing::VirtualClock;
use active_status::{
    Console, Event, JobId, JobOptions, Outcome, Status, board, board_with_clock, tee,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::harness::{Reporter, Show, blocked, millis, wrote};
use crate::snapshot::change_of;
use crate::support::Parent;

const ALL: [&str; 14] = [
    r#"{"event":"added","at":0.05,"job":1,"prefix":"copy: ","text":"a","status":"normal","pinned":false,"elapsed":false,"progress":null}"#,
    r#"{"event":"added","at":0.0,"job":2,"prefix":"","text":"","status":"success","pinned":true,"elapsed":true,"progress":{"position":1,"total":null,"text":"x"}}"#,
    r#"{"event":"changed","at":0.1,"job":1}"#,
    r#"{"event":"changed","at":0.1,"job":1,"prefix":"p","text":"t","status":"warning","progress":{"position":3,"total":5,"text":null},"detached":true}"#,
    r#"{"event":"changed","at":0.1,"job":1,"status":"error","progress":null}"#,
    r#"{"event":"ended","at":0.25,"job":1,"outcome":"failed","message":"no disk"}"#,
    r#"{"event":"ended","at":0.25,"job":1,"outcome":"finished"}"#,
    r#"{"event":"ended","at":0.25,"job":1,"outcome":"cancelled"}"#,
    r#"{"event":"ended","at":0.25,"job":1,"outcome":"panicked"}"#,
    r#"{"event":"ended","at":0.25,"job":1,"outcome":"abandoned"}"#,
    r#"{"event":"ended","at":0.25,"job":1,"outcome":"lost"}"#,
    r#"{"event":"line","at":1.849448205,"text":"\"\u001b[1mü"}"#,
    r#"{"event":"partial","at":0.28,"text":"a printed "}"#,
    r#"{"event":"closed","at":0.3}"#,
];

/// More lines of every kind: with every state of each field, with times that need all
/// digits, and with the shortest and the longest time.
const MORE: [&str; 25] = [
    r#"{"event":"added","at":1e-9,"job":18446744073709551615,"prefix":"","text":"","status":"normal","pinned":false,"elapsed":false,"progress":null}"#,
    r#"{"event":"added","at":0.1,"job":3,"prefix":"p","text":"t\n","status":"error","pinned":false,"elapsed":true,"progress":{"position":0,"total":0,"text":""}}"#,
    r#"{"event":"added","at":0.7,"job":3,"prefix":"","text":"","status":"warning","pinned":true,"elapsed":false,"progress":{"position":18446744073709551615,"total":18446744073709551615,"text":null}}"#,
    r#"{"event":"added","at":0.7,"job":3,"prefix":"","text":"","status":"normal","pinned":false,"elapsed":false,"progress":null,"transient":true}"#,
    r#"{"event":"added","at":0.7,"job":3,"prefix":"","text":"","status":"normal","pinned":false,"elapsed":false,"progress":null,"parent":1,"place":{"above":2},"output":["a",""]}"#,
    r#"{"event":"added","at":0.7,"job":3,"prefix":"","text":"","status":"normal","pinned":false,"elapsed":false,"progress":null,"place":{"below":2}}"#,
    r#"{"event":"changed","at":2.0,"job":1,"output":[]}"#,
    r#"{"event":"changed","at":2.0,"job":1,"output":["a"]}"#,
    r#"{"event":"changed","at":1036799.999999999,"job":1,"prefix":""}"#,
    r#"{"event":"changed","at":123456.789012345,"job":1,"text":""}"#,
    r#"{"event":"changed","at":2.0,"job":1,"status":"normal"}"#,
    r#"{"event":"changed","at":2.0,"job":1,"status":"success"}"#,
    r#"{"event":"changed","at":2.0,"job":1,"progress":null}"#,
    r#"{"event":"changed","at":2.0,"job":1,"progress":{"position":7,"total":null,"text":null}}"#,
    r#"{"event":"changed","at":2.0,"job":1,"progress":{"position":7,"total":9,"text":" 77% - 7/9"}}"#,
    r#"{"event":"changed","at":2.0,"job":1,"progress":{"position":7,"total":9,"unit":"bytes","rate":1500,"seconds_left":2,"text":null}}"#,
    r#"{"event":"changed","at":2.0,"job":1,"progress":{"position":7,"total":null,"unit":{"named":"files"},"text":null}}"#,
    r#"{"event":"changed","at":2.0,"job":1,"detached":true}"#,
    r#"{"event":"changed","at":2.0,"job":1,"text":"t","progress":null,"detached":true}"#,
    r#"{"event":"ended","at":3.3,"job":1,"outcome":"failed","message":""}"#,
    r#"{"event":"ended","at":3.3,"job":1,"outcome":"failed","message":"two\nlines \\ \"quoted\""}"#,
    r#"{"event":"ended","at":1.8446744073709552e+19,"job":1,"outcome":"finished"}"#,
    r#"{"event":"line","at":0.000123,"text":""}"#,
    r#"{"event":"line","at":1.849448205,"text":"\t\u0000 世界"}"#,
    r#"{"event":"closed","at":1036800.000000001}"#,
];

fn all() -> [Event; 14] {
    let job = JobId::new(1).unwrap();
    let full = Row::default()
        .with_status(Status::Success)
        .with_pinned(true)
        .with_elapsed(true)
        .with_progress(Progress::new(1, None).with_text("x"));
    let change = Change::default()
        .with_prefix("p")
        .with_text("t")
        .with_status(Status::Warning)
        .with_progress(Progress::new(3, 5))
        .with_detached(true);
    let cleared = Change::default().with_status(Status::Error).with_progress(None);
    let changed = |change| Event::Changed { at: millis(100), job, change };
    let ended = |outcome| Event::Ended { at: millis(250), job, outcome };
    [
        Event::Added { at: millis(50), job, row: Row::new("copy: ").with_text("a") },
        Event::Added { at: Duration::ZERO, job: JobId::new(2).unwrap(), row: full },
        changed(Change::default()),
        changed(change),
        changed(cleared),
        ended(Outcome::Failed("no disk".into())),
        ended(Outcome::Finished),
        ended(Outcome::Cancelled),
        ended(Outcome::Panicked),
        ended(Outcome::Abandoned),
        ended(Outcome::Lost),
        Event::Line { at: Duration::from_nanos(1_849_448_205), text: "\"\x1b[1mü".into() },
        Event::Partial { at: millis(280), text: "a printed ".into() },
        Event::Closed { at: millis(300) },
    ]
}

fn read(lines: &[u8]) -> Vec<Result<Event, String>> {
    read_records(lines).map(|read| read.map_err(|error| error.to_string())).collect()
}

#[test]
fn every_event_is_a_flat_line() {
    for (event, line) in all().iter().zip(ALL) {
        assert_eq!(serde_json::to_string(event).unwrap(), line);
    }
}

#[test]
fn every_line_is_read_as_its_event() {
    let lines = ALL.join("\n");
    assert_eq!(read(lines.as_bytes()), all().map(Ok));
}

#[test]
fn a_line_that_is_read_is_written_byte_for_byte() {
    for line in ALL.into_iter().chain(MORE) {
        let event: Event = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), line);
    }
}

#[test]
fn missing_fields_are_defaults_and_unknown_ones_are_ignored() {
    let lines = [
        r#"{"event":"added","job":1,"at":1,"shape":"round"}"#,
        "",
        "  \r",
        r#" {"at":1e400,"text":"x","event":"line"} "#,
    ];
    let job = JobId::new(1).unwrap();
    let at = Duration::from_secs(1);
    let added = Event::Added { at, job, row: Row::default() };
    assert_eq!(read(lines[..3].join("\n").as_bytes()), [Ok(added)]);
    // A time that is too long reads as the longest one.
    let late = r#"{"at":1e300,"text":"x","event":"line"}"#;
    let line = Event::Line { at: Duration::MAX, text: "x".into() };
    assert_eq!(read(late.as_bytes()), [Ok(line)]);
    let [Err(error)] = &read(lines[3].as_bytes())[..] else { panic!("an error") };
    assert_eq!(error, "line 1 is not an event: number out of range at line 1 column 12");
}

#[test]
fn an_invalid_line_is_an_error_and_the_next_one_is_read() {
    let [.., closed] = all();
    for (line, what) in [
        ("nonsense", "expected an object"),
        ("{}", "missing field `event`"),
        (r#"{"event":"closed"}"#, "missing field `at`"),
        (r#"{"event":"closed","at":-1}"#, "a time must not be negative"),
        (r#"{"event":"won","at":1}"#, "`won`"),
        (r#"{"event":"added","at":1,"job":0}"#, "nonzero"),
        (r#"{"event":"ended","at":1,"job":1,"outcome":"failed"}"#, "missing field `message`"),
        (r#"{"event":"closed","at":1} x"#, "trailing characters at line 1 column 27"),
    ] {
        let lines = [ALL[13], line, ALL[13]].join("\n");
        let read = read(lines.as_bytes());
        let [Ok(before), Err(error), Ok(after)] = &read[..] else { panic!("{read:?}") };
        assert_eq!((before, after), (&closed, &closed));
        assert!(error.starts_with("line 2 is not an event: "), "{error}");
        assert!(error.contains(what), "{line}: {error}");
    }
    let broken = [b"\xff\n", ALL[13].as_bytes()].concat();
    assert!(matches!(&read(&broken)[..], [Err(_), Ok(event)] if *event == closed));
}

const HEADER: &str =
    r#"{"event":"run","format":1,"version":"0.1.0","program":"copy","started":1795709031.5}"#;

#[test]
fn a_header_is_read_and_is_not_an_event() {
    let later = HEADER.replace("copy", "move");
    let lines = ["", HEADER, ALL[13], &later, ALL[13]].join("\n");
    let mut records = read_records(lines.as_bytes());
    assert_eq!(records.header(), None);
    for program in ["copy", "move"] {
        assert!(records.next().unwrap().is_ok());
        let header = records.header().unwrap();
        assert_eq!((header.format, &*header.version, &*header.program), (1, "0.1.0", program));
        assert_eq!(header.started, Duration::from_millis(1_795_709_031_500));
        let line = if program == "copy" { HEADER } else { &later };
        assert_eq!(serde_json::to_string(header).unwrap(), line);
    }
    assert!(records.next().is_none());
}

#[test]
fn a_run_in_an_unknown_format_is_refused() {
    let header = r#"{"event":"run","format":2,"begun":"today"}"#;
    let lines = [header, ALL[13]].join("\n");
    let mut records = read_records(lines.as_bytes());
    let error = records.next().unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    let message = "line 1: the run was recorded in format 2, but only format 1 is supported";
    assert_eq!(error.to_string(), message);
    assert!(records.next().is_none());
}

#[test]
fn a_broken_header_is_an_error_of_its_line() {
    let lines = [r#"{"event":"run","format":1}"#, ALL[13]].join("\n");
    let read = read(lines.as_bytes());
    let [Err(error), Ok(_)] = &read[..] else { panic!("{read:?}") };
    assert!(error.starts_with("line 1 is not a header: missing field `version`"), "{error}");
}

#[test]
fn a_console_writes_a_header_before_the_first_event() {
    let time = VirtualClock::new();
    time.advance(millis(1_500));
    let (board, events) = board_with_clock(time.reader());
    let console = Console::json().clock(time.reader());
    let mut show = Show::new(|reporter| console.output(reporter).run(events, time.timer()));
    board.println("a line");
    let frame = show.frame();
    assert_eq!(frame.lines().count(), 2);
    let mut records = read_records(frame.as_bytes());
    let line = Event::Line { at: millis(1_500), text: "a line".into() };
    assert_eq!(records.next().unwrap().unwrap(), line);
    let header = records.header().unwrap();
    assert_eq!((header.format, &*header.version), (1, env!("CARGO_PKG_VERSION")));
    assert!(header.program.starts_with("it"), "{header:?}");
    assert!(header.started > Duration::from_secs(1_700_000_000), "{header:?}");
    drop(board);
    time.advance(millis(100));
    assert_eq!(show.end().1, "{\"event\":\"closed\",\"at\":1.5}\n");
}

#[test]
fn an_error_of_the_reader_is_yielded_unchanged() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("no tape"))
        }
    }
    let mut records = read_records(BufReader::new(Fails));
    assert_eq!(records.next().unwrap().unwrap_err().to_string(), "no tape");
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{0,5}", any::<String>()]
}

fn any_event() -> impl Strategy<Value = Event> {
    let unit = prop_oneof![
        Just(Unit::Items),
        Just(Unit::Bytes),
        Just(Unit::DecimalBytes),
        any_text().prop_map(|word| Unit::Named(word.into())),
    ];
    let numbers = (any::<u64>(), any::<Option<u64>>(), unit, any::<[Option<u64>; 2]>());
    let progress = (numbers, option::of(any_text()));
    let progress = progress.prop_map(|((position, total, unit, [rate, left]), text)| {
        let progress = Progress::new(position, total).with_unit(unit);
        let progress = progress.with_rate(rate).with_seconds_left(left);
        text.into_iter().fold(progress, Progress::with_text)
    });
    let progress = option::of(progress).boxed();
    let statuses = [Status::Normal, Status::Success, Status::Warning, Status::Error];
    let status = select(statuses.to_vec()).boxed();
    let row =
        (any_text(), any_text(), status.clone(), any::<(bool, bool, bool)>(), progress.clone());
    let output = vec(any_text(), 0..3).boxed();
    let row = (row, 0..3u64, 4..12u64, output.clone());
    let row = row.prop_map(|(row, parent, place, output)| {
        let (prefix, text, status, (pinned, elapsed, transient), progress) = row;
        let row = Row::new(prefix).with_text(text).with_status(status);
        let row = row.with_pinned(pinned).with_elapsed(elapsed).with_transient(transient);
        let place = match place % 4 {
            0 => Place::Above(JobId::new(place).unwrap()),
            1 => Place::Below(JobId::new(place).unwrap()),
            _ => Place::Last,
        };
        let row = row.with_parent(JobId::new(parent)).with_place(place).with_output(output);
        row.with_progress(progress)
    });
    let texts = (option::of(any_text()), option::of(any_text()));
    let change =
        (texts, option::of(status), option::of(progress), any::<bool>(), option::of(output));
    let change = change.prop_map(|((prefix, text), status, progress, detached, output)| {
        let mut change = change_of(prefix, text, status, progress, detached);
        change.output = output;
        change
    });
    let outcomes = [
        Outcome::Finished,
        Outcome::Cancelled,
        Outcome::Panicked,
        Outcome::Abandoned,
        Outcome::Lost,
    ];
    let outcome = prop_oneof![select(outcomes.to_vec()), any_text().prop_map(Outcome::Failed)];
    let job = (1..=u64::MAX).prop_map(|id| JobId::new(id).unwrap()).boxed();
    // A time is exact in the first twelve days.
    let at = (0..1_036_800_u64, 0..1_000_000_000_u32);
    let at = at.prop_map(|(seconds, nanos)| Duration::new(seconds, nanos)).boxed();
    let added = (at.clone(), job.clone(), row);
    let changed = (at.clone(), job.clone(), change);
    prop_oneof![
        added.prop_map(|(at, job, row)| Event::Added { at, job, row }),
        changed.prop_map(|(at, job, change)| Event::Changed { at, job, change }),
        (at.clone(), job, outcome).prop_map(|(at, job, outcome)| Event::Ended { at, job, outcome }),
        (at.clone(), any_text()).prop_map(|(at, text)| Event::Line { at, text }),
        (at.clone(), any_text()).prop_map(|(at, text)| Event::Partial { at, text }),
        at.prop_map(|at| Event::Closed { at }),
    ]
}

fn lines(events: &[Event]) -> Vec<u8> {
    let line = |event| serde_json::to_string(event).unwrap() + "\n";
    events.iter().map(line).collect::<String>().into_bytes()
}

proptest! {
    // Rule 3
    #[test]
    fn events_are_written_and_read_without_loss(events in vec(any_event(), 0..8)) {
        let all: Vec<_> = events.iter().cloned().map(Ok).collect();
        prop_assert_eq!(read(&lines(&events)), all);
    }

    #[test]
    fn after_a_kill_all_whole_lines_are_read(
        events in vec(any_event(), 1..5),
        cut in any::<proptest::sample::Index>(),
    ) {
        let whole = lines(&events[..events.len() - 1]).len();
        let all = lines(&events);
        // The last line has lost its newline and possibly its end.
        let at = whole + cut.index(all.len() - whole - 1);
        let mut read = read(&all[..at]);
        if at > whole {
            let number = format!("line {}", events.len());
            prop_assert!(read.pop().unwrap().unwrap_err().starts_with(&number));
        }
        let before: Vec<_> = events[..events.len() - 1].iter().cloned().map(Ok).collect();
        prop_assert_eq!(read, before);
    }
}

#[test]
fn a_console_writes_a_line_for_each_event() {
    let time = VirtualClock::new();
    let (board, events) = board_with_clock(time.reader());
    let console = Console::json().clock(time.reader());
    let mut show = Show::new(|reporter| console.output(reporter).run(events, time.timer()));
    let job = board.add_job(JobOptions::new().prefix("copy: ").total(5));
    show.frame();
    time.advance(millis(1_500));
    job.tick_by(3);
    board.println("a \"line\"");
    assert_eq!(
        show.frame(),
        concat!(
            r#"{"event":"changed","at":1.5,"job":1,"progress":{"position":3,"total":5,"text":null}}"#,
            "\n",
            r#"{"event":"line","at":1.5,"text":"a \"line\""}"#,
            "\n"
        )
    );
    time.advance(millis(500));
    job.fail("no disk");
    drop((board, job));
    let ((), wrote) = show.end();
    assert_eq!(
        wrote,
        concat!(
            r#"{"event":"ended","at":2.0,"job":1,"outcome":"failed","message":"no disk"}"#,
            "\n",
            r#"{"event":"closed","at":2.0}"#,
            "\n"
        )
    );
}

// Rule 3
#[test]
fn recorded_lines_fold_to_the_model_of_the_events() {
    let (board, events) = board();
    let [mut events, file] = tee(events);
    let (sender, signals) = mpsc::channel();
    let running = Console::json().output(Reporter(sender)).start(file);
    for number in 1..=20 {
        let job = board.add_job(format!("{number}: "));
        job.set_text("half");
        board.println(number);
        if number % 3 == 0 { job.fail("no") } else { job.finish() }
    }
    drop(board);
    running.shutdown();
    let mut models = [Model::new(), Model::new()];
    for event in Parent::new().drain(&mut events) {
        models[0].apply(&event);
    }
    for event in read_records(wrote(&signals).as_bytes()) {
        models[1].apply(&event.unwrap());
    }
    let [one, two] = models
        .map(|model| (Frame::new(&model, 80, 1_000, Duration::ZERO).to_string(), model.counts()));
    assert_eq!(one, two);
    assert_eq!(one.1.failed, 6);
}

#[test]
fn no_line_is_lost_while_the_output_blocks() {
    let (sender, signals) = mpsc::channel();
    let (output, permits) = blocked(Reporter(sender));
    let (board, events) = board();
    let mut show = Box::pin(Console::json().output(output).run(events, |_| ready(())));
    let waker = Waker::noop();
    let mut poll = || show.as_mut().poll(&mut Context::from_waker(waker));
    let line = "x".repeat(100_000);
    for number in 0..100 {
        board.println(format_args!("{number} {line}"));
        // Polls without a wake have no effect.
        (0..3).for_each(|_| assert!(poll().is_pending()));
    }
    drop(board);
    (0..10_000).for_each(|_| permits.send(()).unwrap());
    while poll().is_pending() {
        thread::yield_now();
    }
    drop((show, permits));
    let lines = wrote(&signals);
    let read: Vec<Event> = read_records(lines.as_bytes()).map(Result::unwrap).collect();
    assert_eq!(read.len(), 101);
    for (number, event) in read[..100].iter().enumerate() {
        let expected = format!("{number} {line}");
        assert!(matches!(event, Event::Line { text, .. } if *text == expected));
    }
}

#[test]
fn while_the_output_blocks_updates_merge_on_the_board() {
    let (sender, signals) = mpsc::channel();
    let (output, permits) = blocked(Reporter(sender));
    let (board, events) = board();
    let mut show = Box::pin(Console::json().output(output).run(events, |_| ready(())));
    let mut poll = || show.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let job = board.add_job("a: ");
    assert!(poll().is_pending());
    // This is more than the console reads ahead of its output.
    let text = "x".repeat(100_000);
    for _ in 0..30 {
        board.add_job(text.as_str()).detach();
        assert!(poll().is_pending());
    }
    for _ in 0..100 {
        job.tick();
        assert!(poll().is_pending());
    }
    job.finish();
    board.close();
    (0..10_000).for_each(|_| permits.send(()).unwrap());
    while poll().is_pending() {
        thread::yield_now();
    }
    drop((show, permits));
    let lines = wrote(&signals);
    let changes = lines.lines().filter(|line| line.starts_with(r#"{"event":"changed""#));
    let of_job = changes.filter(|line| line.contains(r#""job":1,"#));
    let positions: Vec<&str> = of_job.filter_map(|line| line.split("position\":").nth(1)).collect();
    assert_eq!(positions, [r#"100,"total":null,"text":null}}"#]);
}

#[test]
fn a_line_that_is_too_long_is_one_error() {
    let good = r#"{"event":"line","at":1,"text":"hello"}"#;
    let zeros = io::repeat(0).take(64 << 20);
    let file = zeros.chain(b"\n".as_slice()).chain(good.as_bytes());
    let mut records = read_records(io::BufReader::new(file));
    let error = records.next().expect("an item").expect_err("an error").to_string();
    assert_eq!(error, "line 1 is not an event: it exceeds 1048576 bytes");
    assert!(matches!(records.next(), Some(Ok(Event::Line { .. }))));
    assert!(records.next().is_none());

    let mut records = read_records(good.as_bytes()).with_line_limit(good.len());
    assert!(matches!(records.next(), Some(Ok(Event::Line { .. }))));
    let mut records = read_records(good.as_bytes()).with_line_limit(good.len() - 1);
    assert!(matches!(records.next(), Some(Err(_))));
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let file = "\u{feff}{\"event\":\"line\",\"at\":1,\"text\":\"hello\"}";
    assert!(matches!(read_records(file.as_bytes()).next(), Some(Ok(Event::Line { .. }))));
}

#[test]
fn errors_of_lines_say_what_was_expected() {
    for line in ["[]", "7", "null", "\"line\"", "nonsense"] {
        let error = read_records(line.as_bytes()).next().expect("an item").expect_err("an error");
        assert_eq!(error.to_string(), "line 1 is not an event: expected an object", "{line}");
    }
}
