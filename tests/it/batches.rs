//! Jobs of other boards on this one, over a way that loses, repeats and reorders batches.

use std::collections::BTreeMap;
use std::time::Duration;

use active_status::event::{Change, Progress, Row};
use active_status::progress::Unit;
use active_status::relay::{Batch, BatchError, Outbox, Received, RelayOptions};
use active_status::testing::VirtualClock;
use active_status::{Event, Events, JobId, Outcome, Status, board, board_with_clock};
use proptest::prelude::{Strategy, any};
use proptest::{collection, prop_oneof, proptest};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn job(id: u64) -> JobId {
    JobId::new(id).expect("ids count from 1")
}

pub(crate) fn added(id: u64) -> Event {
    Event::Added { at: SECOND, job: job(id), row: Row::new(format!("{id}: ")) }
}

pub(crate) fn text(id: u64, text: &str) -> Event {
    Event::Changed { at: SECOND, job: job(id), change: Change::default().with_text(text) }
}

pub(crate) fn ended(id: u64) -> Event {
    Event::Ended { at: SECOND, job: job(id), outcome: Outcome::Finished }
}

/// Pushes events and returns their batch, as it arrives.
pub(crate) fn batch(
    outbox: &mut Outbox,
    now: u32,
    events: impl IntoIterator<Item = Event>,
) -> Batch {
    events.into_iter().for_each(|event| outbox.push(event));
    let json = outbox.batch(now * SECOND, SECOND).to_json().expect("a small batch");
    Batch::from_json(&json).expect("a batch")
}

/// The running rows of a board by their ids, and its outcomes.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) rows: BTreeMap<JobId, Row>,
    pub(crate) outcomes: Vec<String>,
    pub(crate) changes: usize,
    pub(crate) lines: Vec<String>,
}

impl Seen {
    pub(crate) fn read(&mut self, events: &mut Events) -> &mut Self {
        for event in events.drain() {
            match event {
                Event::Added { job, row, .. } => {
                    self.rows.insert(job, row);
                }
                Event::Changed { job, change, .. } => {
                    self.changes += 1;
                    self.rows.get_mut(&job).expect("a running job").apply(&change);
                }
                Event::Ended { job, outcome, .. } => {
                    let row = self.rows.remove(&job).expect("a running job");
                    self.outcomes.push(format!("{}{outcome:?}", row.prefix));
                }
                Event::Line { text, .. } => self.lines.push(text),
                _ => {}
            }
        }
        self
    }

    /// Returns the prefixes and texts of the running rows.
    pub(crate) fn rows(&self) -> Vec<String> {
        self.rows.values().map(|row| format!("{}{}", row.prefix, row.text)).collect()
    }
}

#[test]
fn a_batch_is_applied_once_and_in_order() {
    let (board, mut events) = board();
    let mut relay = board.relay("h1");
    let (mut outbox, mut seen) = (Outbox::new("h1"), Seen::default());
    let first = batch(&mut outbox, 1, [added(1)]);
    let second = batch(&mut outbox, 1, [text(1, "a")]);
    let third = batch(&mut outbox, 1, [text(1, "b")]);
    assert_eq!(relay.receive(first.clone()), Received::Applied);
    assert_eq!(relay.receive(third), Received::Gap(1));
    assert_eq!(relay.receive(second), Received::Late);
    assert_eq!(relay.receive(first), Received::Late);
    assert_eq!(seen.read(&mut events).rows(), ["h1 1: b"]);
}

#[test]
fn events_of_unknown_jobs_have_no_effect_until_a_key_batch() {
    let (board, mut events) = board();
    let mut relay = board.relay("h1");
    let (mut outbox, mut seen) = (Outbox::new("h1"), Seen::default());
    let _lost = batch(&mut outbox, 1, [added(1)]);
    assert_eq!(relay.receive(batch(&mut outbox, 2, [text(1, "a"), added(2)])), Received::Gap(1));
    assert_eq!(seen.read(&mut events).rows(), ["h1 2: "]);
    let key = batch(&mut outbox, 7, [text(1, "b")]);
    assert!(key.is_key());
    assert_eq!(relay.receive(key), Received::Applied);
    assert_eq!(seen.read(&mut events).rows(), ["h1 2: ", "h1 1: b"]);
}

#[test]
fn a_key_batch_adds_corrects_and_loses_jobs() {
    let (board, mut events) = board();
    let mut relay = board.relay("h1");
    let (mut outbox, mut seen) = (Outbox::new("h1"), Seen::default());
    relay.receive(batch(&mut outbox, 1, [added(1), added(2), added(3)]));
    let _lost = batch(&mut outbox, 1, [text(1, "new"), ended(2), added(4)]);
    relay.receive(batch(&mut outbox, 7, [ended(3)]));
    seen.read(&mut events);
    assert_eq!(seen.rows(), ["h1 1: new", "h1 4: "]);
    assert_eq!(seen.outcomes, ["h1 3: Finished", "h1 2: Lost"]);
}

#[test]
fn a_key_batch_does_not_touch_rows_that_are_right() {
    let (board, mut events) = board();
    let mut relay = board.relay("h1");
    let (mut outbox, mut seen) = (Outbox::new("h1"), Seen::default());
    relay.receive(batch(&mut outbox, 1, [added(1), text(1, "a\tb")]));
    let before = seen.read(&mut events).changes;
    outbox.skip();
    relay.receive(batch(&mut outbox, 2, []));
    assert_eq!(seen.read(&mut events).changes, before);
}

#[test]
fn a_job_that_has_the_id_of_another_one_is_new() {
    let (board, mut events) = board();
    let mut relay = board.relay("h1");
    let (mut outbox, mut seen) = (Outbox::new("h1"), Seen::default());
    relay.receive(batch(&mut outbox, 1, [added(1)]));
    outbox.push(Event::Closed { at: 2 * SECOND });
    outbox.push(Event::Added { at: 3 * SECOND, job: job(1), row: Row::new("other") });
    outbox.skip();
    relay.receive(batch(&mut outbox, 3, []));
    seen.read(&mut events);
    assert_eq!(
        (seen.rows(), &seen.outcomes[..]),
        (vec!["h1 other".into()], &["h1 1: Lost".into()][..])
    );
}

#[test]
fn key_batches_come_first_and_less_often_with_many_rows() {
    let mut outbox = Outbox::new("h1");
    let keys = |outbox: &mut Outbox, from: u32| -> Vec<u32> {
        (from..from + 20).filter(|&now| outbox.batch(now * SECOND, SECOND).is_key()).collect()
    };
    assert_eq!(keys(&mut outbox, 0), [0, 5, 10, 15]);
    (1..=1_000).map(added).for_each(|event| outbox.push(event));
    assert_eq!(keys(&mut outbox, 20), [25, 35]);
    outbox.skip();
    assert_eq!(keys(&mut outbox, 40), [40, 50]);
    (1..=1_000).map(ended).for_each(|event| outbox.push(event));
    assert_eq!(keys(&mut outbox, 60), [60, 65, 70, 75]);
}

#[test]
fn events_beyond_what_an_outbox_holds_make_a_key_batch() {
    let (board, mut events) = board();
    let mut relay = board.relay(RelayOptions::new("h1").per_second(10_000));
    let (mut outbox, mut seen) = (Outbox::new("h1"), Seen::default());
    relay.receive(batch(&mut outbox, 1, []));
    let batch = batch(&mut outbox, 1, (1..=5_000).map(added));
    assert!(batch.is_key());
    assert_eq!(relay.receive(batch), Received::Applied);
    assert_eq!(seen.read(&mut events).rows.len(), 5_000);
}

#[test]
fn the_rows_of_the_old_process_are_lost_even_without_a_key() {
    let (board, mut events) = board();
    let mut relay = board.relay("h1");
    let (mut old, mut new) = (Outbox::new("h1"), Outbox::new("h1"));
    relay.receive(batch(&mut old, 1, [added(1)]));
    let _lost = batch(&mut new, 1, []);
    assert_eq!(relay.receive(batch(&mut new, 2, [text(1, "of another job")])), Received::Gap(1));
    let mut seen = Seen::default();
    assert_eq!(seen.read(&mut events).outcomes, ["h1 1: Lost"]);
}

#[test]
fn a_new_process_of_a_name_follows_the_old_one() {
    let (board, mut events) = board();
    let mut relay = board.relay("h1");
    let (mut old, mut new) = (Outbox::new("h1"), Outbox::new("h1"));
    let mut seen = Seen::default();
    relay.receive(batch(&mut old, 1, [added(1)]));
    assert_eq!(relay.receive(batch(&mut new, 1, [added(2)])), Received::Applied);
    assert_eq!(relay.receive(batch(&mut old, 2, [added(3)])), Received::Foreign);
    assert_eq!(relay.receive(batch(&mut Outbox::new("h2"), 2, [added(4)])), Received::Foreign);
    seen.read(&mut events);
    assert_eq!(
        (seen.rows(), &seen.outcomes[..]),
        (vec!["h1 2: ".into()], &["h1 1: Lost".into()][..])
    );
}

#[test]
fn times_are_relative_to_that_of_the_batch() {
    let clock = VirtualClock::new();
    clock.advance(100 * SECOND);
    let (board, mut events) = board_with_clock(clock.reader());
    let mut relay = board.relay("h1");
    let mut outbox = Outbox::new("h1");
    for (id, at) in [(1, 5_000), (2, 4_970), (3, 4_000), (4, 6_000)] {
        outbox.push(Event::Added { at: at * SECOND, job: job(id), row: Row::default() });
    }
    relay.receive(batch(&mut outbox, 5_000, []));
    let times: Vec<u64> = events.drain().map(|event| event.at().as_secs()).collect();
    assert_eq!(times, [100, 70, 0, 100]);
}

#[test]
fn rows_of_key_batches_beyond_the_limits_are_counted_once() {
    let (board, mut events) = board();
    let mut relay = board.relay(RelayOptions::new("h1").jobs(2));
    let (mut outbox, mut seen) = (Outbox::new("h1"), Seen::default());
    let _lost = batch(&mut outbox, 0, (1..=5).map(added));
    for now in [6, 12, 18] {
        relay.receive(batch(&mut outbox, now, []));
    }
    relay.receive(batch(&mut outbox, 19, [Event::Line { at: SECOND, text: "hi".into() }]));
    seen.read(&mut events);
    assert_eq!(seen.rows(), ["h1 1: ", "h1 2: "]);
    assert_eq!(seen.lines, ["h1 … 3 rows and lines not shown", "h1 hi"]);
    // A row that ends leaves its place to another one.
    relay.receive(batch(&mut outbox, 24, [ended(1)]));
    assert_eq!(seen.read(&mut events).rows(), ["h1 2: ", "h1 3: "]);
}

#[test]
fn invalid_batches_are_refused_with_what_was_expected() {
    let error = |json: &str| Batch::from_json(json.as_bytes()).expect_err("refused").to_string();
    let with = |field: &str, value: &str| {
        let fields = [("v", "1"), ("node", "\"h\""), ("boot", "1"), ("seq", "1"), ("at", "0")];
        let fields = fields.into_iter().chain([("next", "1"), ("key", "[]")]);
        let fields = fields.map(|(name, usual)| (name, if name == field { value } else { usual }));
        let fields: Vec<_> = fields.map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{},\"more\":{{}}}}", fields.join(","))
    };
    assert!(Batch::from_json(with("", "").as_bytes()).is_ok(), "unknown fields are ignored");
    for (field, value, expected) in [
        ("v", "7", "expected a batch of version 1, found version 7"),
        ("boot", "9007199254740992", "not a batch: expected a boot below 2^53"),
        ("seq", "0", "not a batch: expected a seq from 1, found 0"),
        ("at", "-1", "not a batch: a time must not be negative"),
        (
            "key",
            "[{\"event\":\"line\",\"at\":0,\"text\":\"\"}]",
            "not a batch: expected only added",
        ),
        ("next", "true", "not a batch: invalid type: boolean `true`, expected f64"),
    ] {
        let error = error(&with(field, value));
        assert!(error.starts_with(expected), "{error}");
    }
    let name = |bytes| with("node", &format!("\"{}\"", "x".repeat(bytes)));
    assert!(Batch::from_json(name(64).as_bytes()).is_ok());
    let expected = "not a batch: expected a node of at most 64 bytes, found 65 bytes";
    assert_eq!(error(&name(65)), expected);
    let large = " ".repeat((1 << 20) + 1);
    assert_eq!(Batch::from_json(large.as_bytes()), Err(BatchError::TooLarge(large.len())));
    let mut outbox = Outbox::new("x".repeat(65));
    assert_eq!(outbox.batch(SECOND, SECOND).node(), format!("{}…", "x".repeat(61)));
}

#[test]
fn jobs_that_exceed_a_batch_are_divided_among_several() {
    let (board, mut events) = board();
    let mut relay = board.relay(RelayOptions::new("h1").per_second(10_000));
    let (mut outbox, mut seen) = (Outbox::new("h1"), Seen::default());
    // The events of the jobs exceed what an outbox holds, and so are not sent.
    for id in 1..=10_000 {
        let row = Row::new(format!("{id}: ")).with_text("x".repeat(500));
        outbox.push(Event::Added { at: SECOND, job: job(id), row });
    }
    let mut key = |outbox: &mut Outbox, seen: &mut Seen, now| -> usize {
        outbox.skip();
        let batches = std::iter::from_fn(|| {
            assert_eq!(relay.receive(batch(outbox, now, [])), Received::Applied);
            seen.read(&mut events);
            outbox.has_more().then_some(())
        });
        batches.count() + 1
    };
    assert_eq!(key(&mut outbox, &mut seen, 1), 7);
    assert_eq!((seen.rows.len(), seen.changes), (10_000, 0));
    // The first and the last jobs of the parts, and others, end unheard.
    (1..=10_000).step_by(7).map(ended).for_each(|event| outbox.push(event));
    key(&mut outbox, &mut seen, 2);
    assert_eq!((seen.rows.len(), seen.changes), (10_000 - 1_429, 0));
    assert_eq!(seen.outcomes.len(), 1_429);
    assert!(seen.outcomes.iter().all(|outcome| outcome.ends_with(": Lost")));
}

#[test]
fn a_batch_has_the_size_that_its_way_takes() {
    for (size, limit) in [(0, 48 << 10), (65_507, 65_507), (usize::MAX, 1 << 20)] {
        let mut outbox = Outbox::new("\"".repeat(64)).with_batch_size(size);
        (1..=4_000).for_each(|id| {
            let row = Row::new(format!("{id}: ")).with_text("x".repeat(300));
            outbox.push(Event::Added { at: Duration::MAX, job: job(u64::MAX - id), row });
        });
        let length = outbox.batch(Duration::MAX, Duration::MAX).to_json().unwrap().len();
        assert!((limit - 2_048..=limit).contains(&length), "{length}");
    }
}

#[test]
fn events_that_exceed_a_batch_wait_for_the_next_one() {
    let (board, mut events) = board();
    let mut relay = board.relay(RelayOptions::new("h1").text(4_096));
    let mut outbox = Outbox::new("h1").with_batch_size(0);
    let mut seen = Seen::default();
    relay.receive(batch(&mut outbox, 1, []));
    let long = "\u{1b}[31m\"\\".repeat(10_000);
    let output = vec![long.clone(); 64];
    let progress =
        Progress::new(1, 2).with_text(&*long).with_unit(Unit::Named(long.clone().into()));
    let row = Row::new(&*long).with_text(&*long).with_progress(progress.clone());
    outbox.push(Event::Added { at: SECOND, job: job(1), row: row.with_output(output.clone()) });
    outbox.push(Event::Line { at: SECOND, text: long.clone() });
    let change = Change::default().with_prefix(&*long).with_text(&*long).with_output(output);
    let change = change.with_progress(progress);
    for change in vec![change; 3] {
        outbox.push(Event::Changed { at: SECOND, job: job(1), change });
    }
    outbox.push(Event::Ended { at: SECOND, job: job(1), outcome: Outcome::Failed(long) });
    let batches = std::iter::from_fn(|| {
        let sent = outbox.has_more().then(|| batch(&mut outbox, 2, []))?;
        assert!(sent.to_json().expect("a batch").len() <= 48 << 10);
        Some(relay.receive(sent))
    });
    assert_eq!(batches.take(9).collect::<Vec<_>>(), [Received::Applied; 6]);
    seen.read(&mut events);
    assert_eq!((seen.rows.len(), seen.lines.len(), seen.outcomes.len()), (0, 1, 1));
}

#[test]
fn a_key_waits_for_the_events_that_exceed_a_batch() {
    let (board, mut events) = board();
    let mut relay = board.relay("h1");
    let mut outbox = Outbox::new("h1").with_batch_size(0);
    relay.receive(batch(&mut outbox, 1, [added(1)]));
    let line = Event::Line { at: SECOND, text: "x".repeat(4_000) };
    let lines = vec![line; 20].into_iter().chain([ended(1)]);
    let first = batch(&mut outbox, 9, lines);
    assert!(!first.is_key(), "it would lose the job");
    relay.receive(first);
    let second = batch(&mut outbox, 9, []);
    assert!(second.is_key());
    relay.receive(second);
    let mut seen = Seen::default();
    assert_eq!(seen.read(&mut events).outcomes, ["h1 1: Finished"]);
}

#[test]
fn rows_of_a_divided_key_beyond_the_limits_are_counted_once() {
    let (board, mut events) = board();
    let mut relay = board.relay(RelayOptions::new("h1").jobs(2));
    let mut seq = 0;
    let mut part = |ids: &[u64], range: &str| {
        seq += 1;
        let jobs = ids.iter().map(|id| format!(r#"{{"event":"added","at":1,"job":{id}}}"#));
        let jobs = jobs.collect::<Vec<_>>().join(",");
        let head = format!(r#""v":1,"node":"h1","boot":1,"seq":{seq},"at":{seq},"next":1"#);
        let json = format!(r#"{{{head},"key":[{jobs}]{range}}}"#);
        relay.receive(Batch::from_json(json.as_bytes()).expect("a batch"))
    };
    for _ in 0..3 {
        part(&[1, 2, 3], r#","to":3"#);
        part(&[4, 5], r#","from":4,"to":5"#);
        part(&[6], r#","from":6"#);
    }
    // A part of no jobs, and one that ends before it begins.
    part(&[], r#","from":9,"to":4"#);
    let mut seen = Seen::default();
    assert_eq!(seen.read(&mut events).rows.len(), 2);
    drop(relay);
    assert_eq!(seen.read(&mut events).lines, ["h1 … 4 rows and lines not shown"]);
}

/// A step of a sender: an event, or a batch and how it arrives.
#[derive(Clone, Debug)]
enum Step {
    Add,
    Change(usize, u8),
    End(usize),
    Close,
    Skip,
    /// A batch that arrives the given number of times after the given number of others.
    Batch(u8, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<()>().prop_map(|()| Step::Add),
        6 => any::<(usize, u8)>().prop_map(|(job, how)| Step::Change(job, how)),
        3 => any::<usize>().prop_map(Step::End),
        1 => any::<()>().prop_map(|()| Step::Close),
        1 => any::<()>().prop_map(|()| Step::Skip),
        6 => (0_u8..3, 0_usize..4).prop_map(|(times, later)| Step::Batch(times, later)),
    ]
}

fn change(how: u8) -> Change {
    let change = Change::default();
    match how % 5 {
        0 => change.with_text(how.to_string()),
        1 => change.with_status(Status::Warning).with_prefix(format!("p{how} ")),
        2 => change.with_progress(Progress::new(how.into(), 255)),
        3 => change.with_progress(None).with_output([how.to_string()]),
        _ => change.with_detached(true),
    }
}

proptest! {
    #[test]
    fn after_the_next_key_batch_the_rows_equal_those_of_the_sender(
        steps in collection::vec(step(), 0..120),
    ) {
        let (board, mut events) = board();
        let mut relay = board.relay("h1");
        let (mut outbox, mut seen) = (Outbox::new("h1"), Seen::default());
        let mut rows: BTreeMap<JobId, Row> = BTreeMap::new();
        let mut under_way: Vec<(usize, Batch)> = Vec::new();
        let (mut id, mut now) = (0, 0);
        for step in steps {
            let at = now * SECOND;
            let one = |rows: &BTreeMap<JobId, Row>, index: usize| {
                rows.keys().nth(index % rows.len().max(1)).copied()
            };
            match step {
                Step::Add => {
                    id += 1;
                    let (job, row) = (job(id), Row::new(format!("{id} ")).with_elapsed(id % 2 == 0));
                    rows.insert(job, row.clone());
                    outbox.push(Event::Added { at, job, row });
                }
                Step::Change(index, how) => if let Some(job) = one(&rows, index) {
                    rows.get_mut(&job).expect("it runs").apply(&change(how));
                    outbox.push(Event::Changed { at, job, change: change(how) });
                },
                Step::End(index) => if let Some(job) = one(&rows, index) {
                    rows.remove(&job);
                    outbox.push(Event::Ended { at, job, outcome: Outcome::Finished });
                },
                Step::Close => {
                    rows.clear();
                    outbox.push(Event::Closed { at });
                    // The ids of the next board in the same process start over.
                    (id, now) = (0, now + 1);
                }
                Step::Skip => outbox.skip(),
                Step::Batch(times, later) => {
                    now += 1;
                    let batch = batch(&mut outbox, now, []);
                    under_way.extend((0..times).map(|again| (later + usize::from(again), batch.clone())));
                    under_way.retain_mut(|(wait, batch)| {
                        if *wait == 0 {
                            relay.receive(batch.clone());
                        }
                        wait.checked_sub(1).map(|less| *wait = less).is_some()
                    });
                }
            }
        }
        outbox.skip();
        relay.receive(batch(&mut outbox, now, []));
        // What arrives now is late.
        for (_, batch) in under_way {
            assert_eq!(relay.receive(batch), Received::Late);
        }
        let here = seen.read(&mut events).rows.values().cloned();
        let there = rows.into_values().map(|mut row| {
            row.prefix.insert_str(0, "h1 ");
            row
        });
        let sorted = |mut rows: Vec<Row>| {
            // Several rows may have the same prefix and text.
            rows.sort_by_cached_key(|row| format!("{row:?}"));
            rows
        };
        assert_eq!(sorted(here.collect()), sorted(there.collect()));
    }
}
