//! The module `testing`, used as in the tests of a program: without a terminal, a thread
//! or an executor, on a clock that the test advances.

use std::collections::VecDeque;
use std::time::Duration;

use active_status::model::Counts;
use active_status::testing::{Screen, VirtualClock};
use active_status::{
    Board, Console, Event, Job, JobOptions, ProgressStyle, Status, StatusOptions, Theme,
    run_workers,
};
use futures::{FutureExt, Stream, StreamExt, stream};

use crate::harness::{self, Show, millis};
use crate::support::Parent;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Creates a pool that fetches pages, each of which takes one second per letter of its
/// name. An empty name is an error.
fn fetch(
    board: &Board,
    clock: &VirtualClock,
    pages: &[&'static str],
) -> impl Stream<Item = Result<usize, String>> + Unpin + use<> {
    let (sender, queue) = async_channel::unbounded();
    pages.iter().for_each(|page| sender.try_send(*page).expect("an open queue"));
    let clock = clock.clone();
    let worker = move |_, job: Job| {
        let state = (job, queue.clone(), clock.clone());
        stream::unfold(state, |(job, queue, clock)| async move {
            let page = queue.try_recv().ok()?;
            job.set_text(format_args!("fetching {page}"));
            clock.sleep(seconds(page.len() as u64)).await;
            let size =
                if page.is_empty() { Err("no such page".to_owned()) } else { Ok(page.len()) };
            Some((size, (job, queue, clock)))
        })
    };
    run_workers(2, StatusOptions::new().fail_on_err().wrap(board, worker))
}

// Rule 24
#[test]
fn a_screen_shows_every_step_of_a_pool() {
    let clock = VirtualClock::new();
    let (board, mut events) = clock.board();
    let mut screen = Screen::new(40, 10);
    let mut pages = fetch(&board, &clock, &["abc", "ab", "abcd"]);

    assert_eq!(pages.next().now_or_never(), None);
    let rows = ["⠋ worker  1  fetching abc", "⠋ worker  2  fetching ab"];
    assert_eq!(screen.show(&mut events).rows(), rows);

    clock.advance(seconds(2));
    assert_eq!(pages.next().now_or_never(), Some(Some(Ok(2))));
    assert_eq!(pages.next().now_or_never(), None);
    let rows = ["⠋ worker  1  fetching abc", "⠋ worker  2  fetching abcd"];
    assert_eq!(screen.show(&mut events).rows(), rows);

    clock.advance(seconds(1));
    assert_eq!(pages.next().now_or_never(), Some(Some(Ok(3))));
    assert_eq!(pages.next().now_or_never(), None);
    let rows = ["✓ worker  1  done  in 3.0s", "⠋ worker  2  fetching abcd"];
    assert_eq!(screen.show(&mut events).rows(), rows);
    assert!(screen.scrollback().is_empty());

    clock.advance(seconds(3));
    assert_eq!(pages.by_ref().collect::<Vec<_>>().now_or_never(), Some(vec![Ok(4)]));
    assert_eq!(screen.show(&mut events).rows(), ["✓ worker  2  done  in 6.0s"]);
    assert_eq!(screen.scrollback(), ["✓ worker  1  done  in 3.0s"]);
}

#[test]
fn a_loop_over_timers_runs_a_program_to_its_end() {
    let clock = VirtualClock::new();
    let (board, mut events) = clock.board();
    let mut screen = Screen::new(40, 10);
    let mut pages = fetch(&board, &clock, &["abcdef", "abc", "", "ab"]).collect::<Vec<_>>();
    let step = |_| {
        let polled = (&mut pages).now_or_never();
        screen.show(&mut events);
        if polled.is_none() {
            clock.set(clock.next_timer().expect("something to wait for"));
        }
        polled
    };
    let all = (0..10).find_map(step).expect("an end");
    assert_eq!(all, [Ok(3), Err("no such page".into()), Ok(2), Ok(6)]);
    assert_eq!(clock.now(), seconds(6));
    board.close();
    let expected = "✗ worker  2  done  in 5.0s\n✓ worker  1  done  in 6.0s\n";
    assert_eq!(screen.show(&mut events).to_string(), expected);
}

#[test]
fn failures_are_shown_and_counted() {
    let clock = VirtualClock::new();
    let (board, mut events) = clock.board();
    let mut screen = Screen::new(60, 10);
    let mut pages = fetch(&board, &clock, &["a", ""]);
    assert_eq!(pages.next().now_or_never(), Some(Some(Err("no such page".into()))));
    assert_eq!(pages.next().now_or_never(), None);
    let rows = ["✗ worker  2  fetching  no such page", "⠋ worker  1  fetching a"];
    assert_eq!(screen.show(&mut events).rows(), rows);
    drop(pages);
    let rows = ["✗ worker  2  fetching  no such page", "⊘ worker  1  fetching a  cancelled"];
    assert_eq!(screen.show(&mut events).rows(), rows);
    let Counts { running, finished, failed, cancelled, .. } = screen.model().counts();
    assert_eq!((running, finished, failed, cancelled), (0, 0, 1, 1));
    assert!(!screen.model().is_closed());
}

// Rule 24
#[test]
fn a_screen_shows_what_a_console_draws() {
    let clock = VirtualClock::new();
    let (shown, mut events) = clock.board();
    let (drawn, others) = clock.board();
    let console = Console::live().clock(clock.reader()).size(40, 10).color(false);
    let sleep = clock.timer();
    let mut show = Show::new(|reporter| console.output(reporter).run(others, sleep));
    let mut screen = Screen::new(40, 10);
    let mut bytes = String::new();
    let mut jobs: VecDeque<[Job; 2]> = VecDeque::new();
    for step in 0..40_u64 {
        let boards = [&shown, &drawn];
        let style = ProgressStyle::bar().rate().eta();
        let options = || JobOptions::new().prefix(format!("job {step}: ")).style(style.clone());
        jobs.push_back(boards.map(|board| board.add_job(options().total(40))));
        boards.iter().for_each(|board| board.println(format_args!("line {step}")));
        jobs.iter().skip(step as usize % 7).step_by(2).flatten().for_each(|job| job.tick_by(step));
        if step % 3 > 0 {
            let ended = jobs.pop_front().expect("one more came than went");
            ended.iter().for_each(|job| job.set_status(Status::Warning));
            ended.iter().for_each(Job::finish);
        }
        // The console draws immediately, and then waits for 100 ms.
        bytes += &show.frame();
        assert_eq!(screen.show(&mut events).to_string().trim_end(), harness::screen(&bytes));
        clock.advance(millis(100));
        // The spinners turn.
        bytes += &show.frame();
        clock.advance(millis(400));
    }
}

#[test]
fn a_resized_screen_shows_what_fits() {
    let (board, mut events) = VirtualClock::new().board();
    let mut screen = Screen::new(40, 10);
    let jobs: Vec<Job> = (1..=4).map(|n| board.add_job(format!("job {n}: waiting"))).collect();
    assert_eq!(screen.show(&mut events).rows().len(), jobs.len());
    screen.resize(10, 3);
    assert_eq!(screen.rows().len(), jobs.len());
    assert_eq!(screen.show(&mut events).rows(), ["⠋ job …n…", "  … 3 mo…"]);
    screen.resize(0, 0);
    assert_eq!(screen.show(&mut events).rows().len(), jobs.len());
}

#[test]
fn a_screen_has_a_theme() {
    let (board, mut events) = VirtualClock::new().board();
    let mut screen = Screen::new(40, 10).with_theme(Theme::ascii());
    board.add_job("copy: ").finish();
    assert_eq!(screen.show(&mut events).rows(), ["+ copy"]);
}

#[test]
fn applied_events_are_shown_by_the_next_draw() {
    let mut screen = Screen::new(40, 10);
    screen.apply(&Event::Line { at: seconds(1), text: "hello".into() });
    assert_eq!(screen.to_string(), "");
    assert_eq!(screen.draw(seconds(1)).to_string(), "hello\n");
}

// Rule 24
#[test]
fn a_clock_stands_still_until_it_is_advanced() {
    let clock = VirtualClock::new();
    let (same, reads) = (clock.clone(), clock.reader());
    assert_eq!(clock.now(), Duration::ZERO);
    same.advance(seconds(3));
    assert_eq!((clock.now(), reads()), (seconds(3), seconds(3)));
    clock.set(seconds(2));
    assert_eq!(same.now(), seconds(2));
    clock.advance(Duration::MAX);
    assert_eq!(clock.now(), Duration::MAX);
}

#[test]
fn a_timer_wakes_once_and_at_its_time() {
    let clock = VirtualClock::new();
    let parent = Parent::new();
    let mut sleep = Box::pin(stream::once(clock.sleep(seconds(2))));
    assert!(parent.poll(&mut sleep).is_pending());
    clock.advance(seconds(1));
    assert_eq!(parent.take_wakes(), 0);
    clock.advance(seconds(1));
    clock.advance(seconds(1));
    assert_eq!(parent.take_wakes(), 1);
    assert!(parent.poll(&mut sleep).is_ready());
}

#[test]
fn only_the_latest_waker_of_a_timer_is_woken() {
    let clock = VirtualClock::new();
    let (old, new) = (Parent::new(), Parent::new());
    let mut sleep = Box::pin(stream::once(clock.sleep(seconds(2))));
    assert!(old.poll(&mut sleep).is_pending());
    assert!(new.poll(&mut sleep).is_pending());
    assert_eq!(old.held(), 0);
    clock.advance(seconds(2));
    assert_eq!((old.take_wakes(), new.take_wakes()), (0, 1));
}

#[test]
fn dropped_timers_do_not_count_as_the_next_one() {
    let clock = VirtualClock::new();
    assert_eq!(clock.next_timer(), None);
    let long = clock.sleep(seconds(5));
    let short = clock.sleep(seconds(1));
    assert_eq!(clock.next_timer(), Some(seconds(1)));
    drop(short);
    assert_eq!(clock.next_timer(), Some(seconds(5)));
    drop(long);
    assert_eq!(clock.next_timer(), None);
}
