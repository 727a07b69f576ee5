//! Jobs of many other boards on this one, and the silence of their processes.

use std::time::Duration;

use active_status::event::{Change, Row};
use active_status::relay::{Contact, Outbox, Received, Relay, Relays, RelaysOptions};
use active_status::testing::VirtualClock;
use active_status::{Board, Event, Events, Status};

use crate::batches::{SECOND, Seen, added, batch, ended, job, text};

/// A board with relays, and what it has shown.
struct Shown {
    clock: VirtualClock,
    board: Board,
    events: Events,
    relays: Relays,
    seen: Seen,
}

impl Shown {
    fn new(options: RelaysOptions) -> Self {
        let clock = VirtualClock::new();
        let (board, events) = clock.board();
        let relays = board.relays(options);
        Self { clock, board, events, relays, seen: Seen::default() }
    }

    /// Receives a batch of the given events, sent at the time of the clock.
    fn receive(
        &mut self,
        outbox: &mut Outbox,
        events: impl IntoIterator<Item = Event>,
    ) -> Received {
        let now = self.clock.now().as_secs() as u32;
        self.relays.receive(&batch(outbox, now, events).to_json().expect("a small batch"))
    }

    /// Checks once per second for the given time.
    fn pass(&mut self, seconds: u32) {
        for _ in 0..seconds {
            self.clock.advance(SECOND);
            self.relays.check();
        }
    }

    fn seen(&mut self) -> &mut Seen {
        self.seen.read(&mut self.events)
    }

    fn rows(&mut self) -> Vec<String> {
        self.seen().rows()
    }

    /// Returns the lines and outcomes since the last call.
    fn said(&mut self) -> Vec<String> {
        let seen = self.seen();
        let mut said = std::mem::take(&mut seen.lines);
        said.append(&mut seen.outcomes);
        said
    }
}

fn shown() -> Shown {
    Shown::new(RelaysOptions::new())
}

fn json(node: &str, boot: u64, seq: u64, events: &str) -> Vec<u8> {
    let head = format!(r#"{{"v":1,"node":{node:?},"boot":{boot},"seq":{seq},"at":1,"next":1"#);
    format!(r#"{head},"events":[{events}]}}"#).into_bytes()
}

fn one_row(boot: u64) -> Vec<u8> {
    json("h", boot, 1, r#"{"event":"added","at":1,"job":1,"prefix":"copy: "}"#)
}

#[test]
fn senders_are_distinguished_by_their_boot() {
    let mut shown = shown();
    let (mut one, mut two) = (Outbox::new("h1"), Outbox::new("h2"));
    assert_eq!(shown.receive(&mut one, [added(1)]), Received::Applied);
    assert_eq!(shown.receive(&mut two, [added(1), added(2)]), Received::Applied);
    shown.receive(&mut one, [text(1, "a")]);
    shown.receive(&mut two, [ended(1)]);
    assert_eq!(shown.rows(), ["h1 1: a", "h2 2: "]);
    assert_eq!((shown.relays.nodes(), shown.said()), (2, vec!["h2 1: Finished".into()]));
}

#[test]
fn bytes_that_are_no_batch_of_this_version_have_no_effect() {
    let mut shown = shown();
    for invalid in [&b"hello"[..], b"{}", &[b' '; (1 << 20) + 1], &json(&"x".repeat(65), 1, 1, "")]
    {
        assert_eq!(shown.relays.receive(invalid), Received::Invalid);
    }
    assert_eq!(shown.relays.receive(br#"{"v":2,"of":"the future"}"#), Received::Foreign);
    assert_eq!(shown.relays.receive(&one_row(1)), Received::Applied);
    assert_eq!(shown.relays.receive(&json("other", 1, 2, "")), Received::Foreign);
    assert_eq!((shown.relays.nodes(), shown.rows()), (1, vec!["h copy: ".into()]));
}

#[test]
fn a_new_process_of_a_name_follows_until_the_old_one_speaks() {
    let mut shown = shown();
    let (mut old, mut new) = (Outbox::new("h1"), Outbox::new("h1"));
    shown.receive(&mut old, [added(1)]);
    shown.receive(&mut new, [added(2)]);
    assert_eq!((shown.rows(), shown.relays.nodes()), (vec!["h1 2: ".into()], 1));
    assert_eq!(shown.said(), ["h1 1: Lost"]);

    // What was under way is late, but what is new shows that both live.
    assert_eq!(shown.relays.receive(&one_row(0)), Received::Applied, "another name");
    old.skip();
    let both = batch(&mut old, 2, []);
    let label = format!("h1~{:04x}", both.boot() & 0xffff);
    let both = both.to_json().expect("a small batch");
    assert_eq!(shown.relays.receive(&both), Received::Applied);
    assert_eq!(shown.relays.receive(&both), Received::Late);
    let rows = [String::from("h1 2: "), "h copy: ".into(), format!("{label} 1: ")];
    let mut found = shown.rows();
    found.sort();
    let mut expected = rows.to_vec();
    expected.sort();
    assert_eq!((found, shown.relays.nodes()), (expected, 3));

    // A third one follows neither.
    let mut third = Outbox::new("h1");
    shown.receive(&mut third, [added(3)]);
    assert_eq!((shown.rows().len(), shown.relays.nodes()), (4, 4));
    assert!(shown.rows().iter().any(|row| row.starts_with("h1~") && row.ends_with(" 3: ")));
}

#[test]
fn names_that_look_alike_have_labels_that_differ() {
    let mut shown = shown();
    for (node, boot) in [("h\u{202e}", 0x1_0001), ("h\u{7}", 0x1_0002), (" ", 0x1_0003), ("", 4)] {
        let node = node.replace('\u{7}', "\\u0007");
        let json = format!(
            r#"{{"v":1,"node":"{node}","boot":{boot},"seq":1,"at":1,"next":1,
                "events":[{{"event":"line","at":1,"text":"x"}}]}}"#
        );
        assert_eq!(shown.relays.receive(json.as_bytes()), Received::Applied);
    }
    assert_eq!(shown.said(), ["h  x", "h ~0002 x", " ~0003 x", "~0004 x"]);
}

#[test]
fn a_silent_sender_is_marked_and_found_again() {
    let mut shown = shown();
    let mut outbox = Outbox::new("h1");
    let warning = Change::default().with_status(Status::Error);
    let error = Event::Changed { at: SECOND, job: job(2), change: warning };
    shown.receive(&mut outbox, [added(1), added(2), error]);
    shown.pass(3);
    assert_eq!((shown.rows(), shown.said()), (vec!["h1 1: ".into(), "h1 2: ".into()], vec![]));
    let ids: Vec<_> = shown.seen().rows.keys().copied().collect();

    shown.pass(1);
    assert_eq!(shown.rows(), ["h1 (silent) 1: ", "h1 (silent) 2: "]);
    assert_eq!(shown.said(), ["h1 is silent"]);
    assert!(shown.seen().rows.values().all(|row| row.status == Status::Warning));
    assert_eq!(shown.relays.nodes(), 1);
    shown.pass(30);
    assert_eq!(shown.rows().len(), 2);

    shown.receive(&mut outbox, [text(1, "a")]);
    assert_eq!(shown.rows(), ["h1 1: a", "h1 2: "]);
    assert_eq!(shown.said(), ["h1 is heard again"]);
    assert_eq!(shown.seen().rows.keys().copied().collect::<Vec<_>>(), ids);
    let statuses: Vec<_> = shown.seen().rows.values().map(|row| row.status).collect();
    assert_eq!(statuses, [Status::Normal, Status::Error]);
}

#[test]
fn a_sender_that_stays_silent_is_lost_and_has_new_rows_later() {
    let mut shown = shown();
    let mut outbox = Outbox::new("h1");
    shown.receive(&mut outbox, [added(1)]);
    shown.pass(4 + 30);
    let ids: Vec<_> = shown.seen().rows.keys().copied().collect();
    assert_eq!(shown.said(), ["h1 is silent"]);
    shown.pass(1);
    assert_eq!(shown.rows(), [""; 0]);
    assert_eq!(shown.said(), ["h1 is lost", "h1 (silent) 1: Lost"]);
    assert_eq!(shown.relays.nodes(), 0);

    // The batch is a key batch, since more than five seconds have passed.
    shown.receive(&mut outbox, [text(1, "a")]);
    assert_eq!((shown.rows(), shown.relays.nodes()), (vec!["h1 1: a".into()], 1));
    assert_eq!(shown.said(), ["h1 is heard again"]);
    assert!(shown.seen().rows.keys().all(|id| !ids.contains(id)));
}

#[test]
fn the_silence_begins_after_three_times_the_announced_time() {
    for (next, silent) in
        [(0.0, 4), (0.5, 4), (1.0, 4), (2.0, 7), (9.0, 28), (100.0, 31), (1e300, 31)]
    {
        let mut shown = shown();
        let batch = format!(r#"{{"v":1,"node":"h","boot":1,"seq":1,"at":0,"next":{next}}}"#);
        assert_eq!(shown.relays.receive(batch.as_bytes()), Received::Applied);
        shown.pass(silent - 1);
        assert_eq!(shown.said(), [""; 0], "{next}");
        shown.pass(1);
        assert_eq!(shown.said(), ["h is silent"], "{next}");
    }
}

#[test]
fn a_late_batch_is_no_sign_of_life() {
    let mut shown = shown();
    for _ in 0..4 {
        shown.relays.receive(&one_row(1));
        shown.pass(1);
    }
    assert_eq!(shown.said(), ["h is silent"]);
}

#[test]
fn the_own_absence_is_no_silence_of_others() {
    let mut shown = shown();
    shown.relays.receive(&one_row(1));
    shown.pass(3);
    // This process was stopped. Then it takes what was sent in the meantime, or not.
    shown.clock.advance(60 * SECOND);
    shown.relays.check();
    shown.pass(3);
    assert_eq!(shown.said(), [""; 0]);
    shown.pass(1);
    assert_eq!(shown.said(), ["h is silent"]);
    // In silence, the same.
    shown.pass(29);
    shown.clock.advance(60 * SECOND);
    shown.relays.check();
    shown.pass(30);
    assert_eq!(shown.said(), [""; 0]);
    shown.pass(1);
    assert_eq!(shown.said(), ["h is lost", "h (silent) copy: Lost"]);
}

#[test]
fn a_pardon_is_for_an_absence_that_the_checks_do_not_show() {
    let mut shown = shown();
    shown.relays.receive(&one_row(1));
    for _ in 0..5 {
        shown.pass(3);
        shown.relays.pardon();
    }
    assert_eq!(shown.said(), [""; 0]);
    shown.pass(4);
    assert_eq!(shown.said(), ["h is silent"]);
}

#[test]
fn a_single_relay_reports_the_contact() {
    let clock = VirtualClock::new();
    let (board, mut events) = clock.board();
    let mut relay = board.relay("h1");
    let pass = |relay: &mut Relay, seconds: u32| -> Vec<Contact> {
        let check = |_| {
            clock.advance(SECOND);
            relay.check()
        };
        let mut contacts: Vec<_> = (0..seconds).map(check).collect();
        contacts.dedup();
        contacts
    };
    assert_eq!(pass(&mut relay, 99), [Contact::Heard], "no batch yet");
    let mut outbox = Outbox::new("h1");
    relay.receive(batch(&mut outbox, 1, [added(1)]));
    assert_eq!(pass(&mut relay, 3), [Contact::Heard]);
    relay.pardon();
    assert_eq!(pass(&mut relay, 3), [Contact::Heard]);
    clock.advance(60 * SECOND);
    assert_eq!(relay.check(), Contact::Heard, "this process was away");
    assert_eq!(pass(&mut relay, 4), [Contact::Heard, Contact::Silent]);
    assert_eq!(pass(&mut relay, 31), [Contact::Silent, Contact::Lost]);
    relay.receive(batch(&mut outbox, 99, []));
    assert_eq!(relay.check(), Contact::Heard);
    let mut seen = Seen::default();
    assert_eq!(seen.read(&mut events).lines, ["h1 is silent", "h1 is lost", "h1 is heard again"]);
    // A new process begins without the mark of the old one.
    assert_eq!(pass(&mut relay, 4), [Contact::Heard, Contact::Silent]);
    relay.receive(batch(&mut Outbox::new("h1"), 1, [added(2)]));
    assert_eq!(relay.check(), Contact::Heard);
    assert_eq!(seen.read(&mut events).rows(), ["h1 2: "]);
}

#[test]
fn rows_that_a_closure_has_changed_are_found_again_as_they_were() {
    let options = RelaysOptions::new().rows(|row: &mut Row| {
        row.prefix = row.prefix.replace("h1 1", "first");
        row.status = Status::Success;
        !row.prefix.contains('3')
    });
    let mut shown = Shown::new(options);
    let mut outbox = Outbox::new("h1");
    shown.receive(&mut outbox, [added(1), added(2), added(3)]);
    shown.pass(4);
    assert_eq!(shown.rows(), ["h1 (silent) first: ", "h1 (silent) 2: "]);
    shown.receive(&mut outbox, []);
    assert_eq!(shown.rows(), ["first: ", "h1 2: "]);
    assert!(shown.seen().rows.values().all(|row| row.status == Status::Success));
}

#[test]
fn the_limits_on_rows_are_over_all_senders() {
    let mut shown = Shown::new(RelaysOptions::new().jobs(3));
    let mut outboxes = ["h1", "h2"].map(Outbox::new);
    for outbox in &mut outboxes {
        shown.receive(outbox, [added(1), added(2)]);
    }
    assert_eq!(shown.rows(), ["h1 1: ", "h1 2: ", "h2 1: "]);
    shown.pass(1);
    assert_eq!(shown.said(), ["h2 … 1 rows and lines not shown"]);
    // It is in each key batch, and has the place of a row that ends.
    for _ in 0..8 {
        shown.pass(2);
        for outbox in &mut outboxes {
            shown.receive(outbox, []);
        }
    }
    assert_eq!(shown.said(), [""; 0]);
    shown.receive(&mut outboxes[0], [ended(1)]);
    outboxes[1].skip();
    shown.receive(&mut outboxes[1], []);
    assert_eq!(shown.rows(), ["h1 2: ", "h2 1: ", "h2 2: "]);
    assert_eq!(shown.said(), ["h1 1: Finished"]);
    // Lost rows leave their places as well.
    drop(std::mem::replace(&mut shown.relays, shown.board.relays(RelaysOptions::new())));
    assert_eq!(shown.said().len(), 3);
}

#[test]
fn one_sender_has_a_part_of_the_common_limit() {
    let mut shown = shown();
    let mut outbox = Outbox::new("h1");
    for part in 0..3 {
        shown.receive(&mut outbox, (1..=3_500).map(|id| added(3_500 * part + id)));
        shown.seen();
    }
    for _ in 0..3 {
        let lines = vec![Event::Line { at: SECOND, text: "x".into() }; 3_500];
        shown.receive(&mut outbox, lines);
        shown.seen();
    }
    assert_eq!((shown.rows().len(), shown.said().len()), (10_000, 10_000));
    shown.receive(&mut Outbox::new("h2"), [Event::Line { at: SECOND, text: "y".into() }]);
    shown.pass(1);
    assert_eq!(shown.said(), ["h2 y", "h1 … 1000 rows and lines not shown"]);
}

#[test]
fn forged_senders_have_the_rows_and_lines_of_one_limit() {
    let mut shown = Shown::new(RelaysOptions::new().senders(8).jobs(1_000).per_second(10));
    let events =
        r#"{"event":"added","at":1,"job":1,"prefix":"x"},{"event":"line","at":1,"text":"y"}"#;
    let received: Vec<_> =
        (0..2_000).map(|boot| shown.relays.receive(&json("h", boot, 1, events))).collect();
    assert!(received.iter().all(|one| *one == Received::Applied), "each follows the last");
    let seen = shown.seen();
    let ended = seen.outcomes.len();
    assert_eq!(ended + seen.rows.len() + seen.lines.len(), 100);
    shown.said();
    shown.pass(1);
    let nodes = "8 nodes … 3900 rows and lines not shown";
    assert_eq!(shown.said(), [nodes]);
}

#[test]
fn batches_of_further_senders_are_counted_until_one_is_lost() {
    let mut shown = Shown::new(RelaysOptions::new().senders(2));
    let mut outboxes = ["h1", "h2", "h3"].map(Outbox::new);
    let mut speak = |shown: &mut Shown, number: usize| {
        let outbox: &mut Outbox = &mut outboxes[number];
        shown.receive(outbox, [added(1)])
    };
    assert_eq!(speak(&mut shown, 0), Received::Applied);
    assert_eq!(speak(&mut shown, 1), Received::Applied);
    for _ in 0..35 {
        assert_eq!(speak(&mut shown, 2), Received::Full);
        speak(&mut shown, 1);
        shown.pass(1);
    }
    assert_eq!(shown.relays.nodes(), 1);
    let said = shown.said();
    assert_eq!(said[..2], ["… 1 batches of more than 2 nodes not shown"; 2]);
    assert_eq!(speak(&mut shown, 2), Received::Gap(35));
    assert_eq!((shown.relays.nodes(), shown.rows().len()), (2, 2));
    assert_eq!(speak(&mut shown, 0), Received::Full, "its place is taken");
}

#[test]
fn jobs_are_abandoned_if_the_board_closes_before_relays_drop() {
    let mut shown = shown();
    shown.relays.receive(&one_row(1));
    shown.board.close();
    drop(std::mem::replace(&mut shown.relays, shown.board.relays(RelaysOptions::new())));
    let last: Vec<Event> = shown.events.drain().collect();
    assert!(matches!(last[..], [Event::Added { .. }, Event::Closed { .. }]), "{last:?}");
}

#[test]
fn times_are_relative_to_those_of_each_sender() {
    let mut shown = shown();
    shown.clock.advance(100 * SECOND);
    for (boot, at) in [(1, 5_000), (2, 7)] {
        let json = format!(
            r#"{{"v":1,"node":"h{boot}","boot":{boot},"seq":1,"at":{at},"next":1,
                "events":[{{"event":"added","at":{},"job":1}}]}}"#,
            at - 5
        );
        shown.relays.receive(json.as_bytes());
    }
    let times: Vec<Duration> = shown.events.drain().map(|event| event.at()).collect();
    assert_eq!(times, [95 * SECOND; 2]);
}

#[test]
fn texts_of_all_senders_are_plain_and_cut() {
    let mut shown = Shown::new(RelaysOptions::new().text(8));
    let events = r#"{"event":"added","at":1,"job":1,"text":"\u001b[1mlong\u202e text"}"#;
    shown.relays.receive(&json("h", 1, 1, events));
    assert_eq!(shown.rows(), ["h long  te…"]);
}
