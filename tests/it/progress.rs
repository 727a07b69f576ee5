//! Progress: styles, sizes, and streams that count their items.

use std::time::Duration;

use active_status::model::{Frame, Model};
use active_status::progress::{ProgressSnapshot, ReportProgress, format_bytes};
use active_status::testing::{Screen, VirtualClock};
use active_status::{
    Job, JobOptions, ProgressStyle, board, report_progress, run_workers, wrap_with_status,
};
use futures::stream::{self, FusedStream};
use futures::{FutureExt, Stream, StreamExt};
use proptest::prelude::*;

use crate::harness::millis;
use crate::snapshot::snapshot;
use crate::support::Parent;

const MIB: u64 = 1 << 20;

/// Formats a position that was reached in two seconds.
fn formatted(style: ProgressStyle, total: impl Into<Option<u64>>, position: u64) -> String {
    let clock = VirtualClock::new();
    let (board, mut events) = clock.board();
    let job = board.add_job(JobOptions::new().total(total).style(style));
    snapshot(&mut events);
    clock.set(millis(2_000));
    job.set_position(position);
    snapshot(&mut events).remove(0)
}

// Rule 10
#[test]
fn each_style_chooses_the_numbers() {
    let (bar, bytes) = (ProgressStyle::bar, ProgressStyle::bytes);
    for (actual, expected) in [
        (formatted(bar(), 12, 3), "1: 3/12"),
        (formatted(bar().rate(), 12, 3), "1: 3/12, 1500 in 1000 s"),
        (formatted(bar().eta(), 12, 3), "1: 3/12, 6 s left"),
        (formatted(bar().rate().eta(), 12, 3), "1: 3/12, 1500 in 1000 s, 6 s left"),
        (formatted(bar().eta(), 12, 5), "1: 5/12, 3 s left"),
        (formatted(bar().rate().eta(), 12, 12), "1: 12/12, 6000 in 1000 s"),
        (formatted(bar().rate().eta(), 5, 6), "1: 6/5, 3000 in 1000 s"),
        (formatted(bar().rate().eta(), 12, 0), "1: 0/12"),
        (formatted(bar().rate().eta(), 0, 3), "1: 3/0, 1500 in 1000 s"),
        (formatted(bar().eta(), None, 3), "1: 3"),
        (formatted(bar().unit("files"), 12, 3), "1: 3/12 Named(\"files\")"),
        (formatted(bytes(), 12, 3), "1: 3/12 Bytes"),
        (formatted(bytes().rate().eta(), 12, 3), "1: 3/12 Bytes, 1500 in 1000 s, 6 s left"),
        (formatted(ProgressStyle::decimal_bytes(), None, 0), "1: 0 DecimalBytes"),
        (formatted(ProgressStyle::custom(|_| "so so".into()).rate(), 12, 3), "1: 3/12 'so so'"),
    ] {
        assert_eq!(actual, expected);
    }
}

// Rule 10
#[test]
fn a_closure_receives_position_rate_and_time_left() {
    let format = |it: &ProgressSnapshot| {
        format!(
            "{} of {:?} in {:?}, {:?} per second, {:?} left",
            it.position,
            it.total,
            it.elapsed,
            it.rate,
            it.eta()
        )
    };
    assert_eq!(
        formatted(format.into(), 12, 3),
        "1: 3/12 '3 of Some(12) in 2s, Some(1.5) per second, Some(6s) left'"
    );
}

#[test]
fn the_elapsed_time_of_progress_starts_with_start_progress() {
    let clock = VirtualClock::new();
    let (board, mut events) = clock.board();
    let style = |it: &ProgressSnapshot| format!("{:?}", it.elapsed);
    let job = board.add_job(JobOptions::new().style(style));
    clock.set(millis(1_000));
    job.start_progress(5);
    clock.set(millis(4_000));
    assert_eq!(snapshot(&mut events), ["1 added: ", "1: 0/5 '3s'"]);
}

/// A step of a counting job, or of its board.
#[derive(Clone, Debug)]
enum Step {
    Tick(u64),
    /// An update that does not move the position.
    Touch(fn(&Job)),
    Wait(u64),
    Frame,
}

fn step() -> impl Strategy<Value = Step> {
    let touch: Vec<fn(&Job)> =
        vec![|job| job.tick_by(0), |job| job.set_text("text"), |job| job.set_prefix("prefix")];
    prop_oneof![
        2 => prop_oneof![1..5u64, 1..5_000u64].prop_map(Step::Tick),
        3 => prop::sample::select(touch).prop_map(Step::Touch),
        3 => prop_oneof![0..5u64, 0..5_000u64].prop_map(Step::Wait),
        6 => Just(Step::Frame),
    ]
}

/// The time left that a frame shows.
fn shown(model: &Model, now: Duration) -> Option<u64> {
    let frame = Frame::new(model, 80, 24, now).to_string();
    let (_, left) = frame.split_once("left: ")?;
    left.split_whitespace().next()?.parse().ok()
}

proptest! {
    // Rule 10
    #[test]
    fn the_time_left_never_rises_between_ticks(steps in prop::collection::vec(step(), 0..60)) {
        let clock = VirtualClock::new();
        let (board, mut events) = clock.board();
        let style = |progress: &ProgressSnapshot| {
            progress.eta().map_or(String::new(), |left| format!("left: {}", left.as_millis()))
        };
        let job = board.add_job(JobOptions::new().total(10_000).style(style));
        let (mut model, mut now, mut before) = (Model::new(), 0, None);
        for step in steps {
            match step {
                Step::Tick(count) => {
                    job.tick_by(count);
                    before = None;
                }
                Step::Touch(touch) => touch(&job),
                Step::Wait(millis) => {
                    now += millis;
                    clock.set(Duration::from_millis(now));
                }
                Step::Frame => {
                    let now = Duration::from_millis(now);
                    events.drain().for_each(|event| model.apply(&event));
                    let left = shown(&model, now);
                    prop_assert!(before.is_none_or(|before| left.is_some_and(|left| left <= before)));
                    before = left;
                }
            }
        }
    }
}

#[test]
fn sizes_are_rounded_down_to_a_tenth_of_their_unit() {
    for (bytes, text) in [
        (0, "0 B"),
        (1, "1 B"),
        (1_023, "1023 B"),
        (1_024, "1.0 KiB"),
        (1_535, "1.4 KiB"),
        (1_536, "1.5 KiB"),
        (MIB - 1, "1023.9 KiB"),
        (MIB, "1.0 MiB"),
        (1 << 30, "1.0 GiB"),
        (1 << 40, "1.0 TiB"),
        (1 << 50, "1.0 PiB"),
        (1 << 60, "1.0 EiB"),
        (u64::MAX, "15.9 EiB"),
    ] {
        assert_eq!(format_bytes(bytes), text);
    }
}

#[test]
fn each_item_is_a_tick() {
    let (board, mut events) = board();
    let job = board.add_job(JobOptions::new().total(3));
    let items = report_progress(stream::iter([7, 8, 9]), job.clone());
    assert_eq!(items.collect::<Vec<_>>().now_or_never().unwrap(), [7, 8, 9]);
    assert_eq!(snapshot(&mut events), ["1 added: ; 0/3", "1: 3/3"]);
    assert!(!job.is_ended());
}

#[test]
fn a_count_of_zero_is_shown_at_the_end() {
    let (board, mut events) = board();
    let job = board.add_job("a: ");
    let items = report_progress(stream::empty::<()>(), job);
    assert_eq!(items.count().now_or_never(), Some(0));
    assert_eq!(snapshot(&mut events), ["1 added: a: ", "1: 0", "1 finished"]);
}

// Rule 5
#[test]
fn a_job_finishes_with_its_stream_and_is_cancelled_before() {
    for (taken, ends, outcome) in [
        (3, true, "finished"),
        (3, false, "finished"),
        (2, false, "cancelled"),
        (0, false, "cancelled"),
    ] {
        let (board, mut events) = board();
        let mut items = report_progress(stream::iter(0..3), board.add_job("a: "));
        assert_eq!(items.by_ref().take(taken).count().now_or_never(), Some(taken));
        if ends {
            assert_eq!(items.next().now_or_never(), Some(None));
            assert!(snapshot(&mut events).contains(&"1 finished".to_owned()));
            continue;
        }
        drop(items);
        let last = snapshot(&mut events).pop();
        assert_eq!(last, Some(format!("1 {outcome}")), "{taken} items");
    }
}

#[test]
fn a_tick_after_the_end_of_a_stream_is_more_work() {
    let (board, mut events) = board();
    let job = board.add_job("a: ");
    let items = report_progress(stream::iter(0..3), job.clone());
    assert_eq!(items.count().now_or_never(), Some(3));
    assert!(!job.is_ended());
    job.tick();
    drop(job);
    assert_eq!(snapshot(&mut events), ["1 added: a: ", "1: 4", "1 cancelled"]);
}

#[test]
fn streams_counted_on_the_same_job_add_up() {
    let (board, mut events) = board();
    let job = board.add_job("a: ");
    let count = |items: u32| report_progress(stream::iter(0..items), job.clone());
    let items = stream::select(count(3), count(4));
    assert_eq!(items.count().now_or_never(), Some(7));
    assert_eq!(snapshot(&mut events), ["1 added: a: ", "1: 7"]);
}

type Counted = ReportProgress<stream::Iter<std::ops::Range<u64>>>;

/// The events of a stream with the given number of items, read after each item.
fn counted(items: u64, configure: impl FnOnce(Counted) -> Counted) -> Vec<String> {
    let (board, mut events) = board();
    let job = board.add_job("a: ");
    let mut items = configure(report_progress(stream::iter(0..items), job.clone()));
    let mut all = Vec::new();
    loop {
        let item = items.next().now_or_never().expect("it is ready");
        all.extend(snapshot(&mut events));
        if item.is_none() {
            // Another handle keeps the job running.
            assert!(!job.is_ended());
            return all;
        }
    }
}

#[test]
fn items_can_be_counted_in_steps() {
    let added = "1 added: a: ";
    for (items, step, expected) in [
        // The end is always reported, even if the count is known.
        (3, 1, &[added, "1: 1", "1: 2", "1: 3", "1: 3"][..]),
        (3, 0, &[added, "1: 1", "1: 2", "1: 3", "1: 3"]),
        (7, 3, &[added, "1: 3", "1: 6", "1: 7", "1: 7"]),
        (6, 3, &[added, "1: 3", "1: 6", "1: 6"]),
        (2, 3, &[added, "1: 2", "1: 2"]),
        (2, u64::MAX, &[added, "1: 2", "1: 2"]),
        (0, 3, &[added, "1: 0"]),
    ] {
        assert_eq!(counted(items, |it| it.with_step(step)), expected, "{items} by {step}");
    }
}

#[test]
fn a_count_can_be_reported_as_text() {
    let text = |count| format!("{count} of them");
    let events = counted(5, |it| it.with_step(2).with_text(text));
    let expected = ["1 added: a: ", "1: text 2 of them", "1: text 4 of them", "1: text 5 of them"];
    assert_eq!(events[..4], expected);
    assert_eq!(counted(0, |it| it.with_text(text)), ["1 added: a: ", "1: text 0 of them"]);
}

#[test]
fn dropping_a_counted_stream_reports_every_item() {
    let (board, mut events) = board();
    let job = board.add_job("a: ");
    let mut items = report_progress(stream::repeat(()), job.clone()).with_step(10);
    assert_eq!(items.by_ref().take(17).count().now_or_never(), Some(17));
    assert_eq!(snapshot(&mut events), ["1 added: a: ", "1: 10"]);
    drop(items);
    assert_eq!(snapshot(&mut events), ["1: 17"]);
    let items = report_progress(stream::repeat(()), job.clone()).with_step(10);
    assert_eq!(items.take(3).count().now_or_never(), Some(3));
    assert_eq!(snapshot(&mut events), ["1: 20"]);
    assert!(!job.is_ended());
}

#[test]
fn a_finished_worker_has_reported_every_item() {
    let (board, mut events) = board();
    let worker = wrap_with_status(&board, |job| {
        job.start_progress(25);
        report_progress(stream::iter(0..25), job).with_step(10)
    });
    let mut worker = run_workers(1, worker);
    assert_eq!(worker.by_ref().take(25).count().now_or_never(), Some(25));
    let all = ["1 added: worker  1: waiting", "1: text done; 25/25", "1 finished"];
    assert_eq!(snapshot(&mut events), all);
}

#[test]
fn size_hints_and_termination_are_those_of_the_stream() {
    let (board, _events) = board();
    let parent = Parent::new();
    let mut items = report_progress(stream::iter([1, 2]).fuse(), board.add_job("a: "));
    assert_eq!(items.size_hint(), (2, Some(2)));
    assert!(!items.is_terminated());
    assert_eq!(parent.drain(&mut items), [1, 2]);
    assert!(items.is_terminated());
    assert_eq!(items.get_ref().size_hint(), (0, Some(0)));
    assert_eq!(ReportProgress::into_inner(items).size_hint(), (0, Some(0)));
}

#[test]
fn a_row_whose_closure_returns_no_text_stays_whole() {
    let (board, mut events) = VirtualClock::new().board();
    let style = |_: &ProgressSnapshot| String::new();
    let counting = board.add_job(JobOptions::from("copy: ").text("a.txt").total(4).style(style));
    let spinning = board.add_job(JobOptions::from("read: ").text("b.txt").style(style));
    counting.tick();
    spinning.tick();
    let mut screen = Screen::new(80, 10);
    let rows = screen.show(&mut events).rows();
    assert!(rows[0].starts_with("⠋ copy") && rows[0].contains("a.txt"), "{rows:?}");
    assert!(rows[0].contains("25%") && rows[0].contains('━'), "{rows:?}");
    assert!(rows[1].starts_with("⠋ read") && rows[1].contains("b.txt"), "{rows:?}");
}
