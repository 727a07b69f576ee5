//! The board: its two halves, lines and the close.

use std::time::Duration;

use active_status::{
    Board, BoardWriter, Event, Events, Job, JobId, Outcome, board, board_with_clock,
};

fn id(id: u64) -> JobId {
    JobId::new(id).unwrap()
}

#[test]
fn the_handles_go_anywhere() {
    fn goes<T: Send + Sync + Clone + Unpin + 'static>() {}
    fn moves<T: Send + Sync + Unpin + 'static>() {}
    goes::<Board>();
    goes::<Job>();
    moves::<Events>();
    moves::<BoardWriter>();
}

#[test]
fn a_job_is_added_changed_and_ended_in_order() {
    let (board, mut events) = board_with_clock(|| Duration::from_secs(3));
    let job = board.add_job("a: ");
    job.set_text("x");
    job.finish();
    let seen: Vec<Event> = events.drain().collect();
    let [added, changed, ended] = &seen[..] else { panic!("{seen:?}") };
    assert!(matches!(added, Event::Added { row, .. } if row.prefix == "a: "));
    assert!(
        matches!(changed, Event::Changed { change, .. } if change.text.as_deref() == Some("x"))
    );
    let at = Duration::from_secs(3);
    assert_eq!(ended, &Event::Ended { job: id(1), at, outcome: Outcome::Finished });
}

#[test]
fn the_close_comes_once_after_all_that_was_said_before() {
    let (board, mut events) = board();
    board.println("before");
    board.close();
    board.println("after");
    assert_eq!(events.try_recv(), Some(Event::Line("before".into())));
    assert!(matches!(events.try_recv(), Some(Event::Closed { .. })));
    assert_eq!(events.try_recv(), None);
    assert_eq!(events.recv_blocking(), None);
}
