//! Events are plain data.

use active_status::{JobId, Outcome};

#[test]
fn job_ids_count_from_one() {
    assert_eq!(JobId::new(0), None);
    assert_eq!(JobId::new(1).map(JobId::get), Some(1));
}

#[test]
fn a_result_is_an_outcome() {
    assert_eq!(Outcome::from(&Ok::<_, String>(3)), Outcome::Finished);
    assert_eq!(Outcome::from(&Err::<(), _>("no disk")), Outcome::Failed("no disk".into()));
}
