//! How a board is laid out.

use std::time::Duration;

use active_status::{Event, JobId, Model, Row};

fn add(model: &mut Model, job: u64, row: Row) {
    let job = JobId::new(job).expect("ids count from 1");
    model.apply(&Event::Added { job, at: Duration::ZERO, row }, Duration::ZERO);
}

#[test]
fn a_row_is_its_prefix_and_its_text() {
    let mut model = Model::new();
    add(&mut model, 1, Row { prefix: "copy: ".into(), text: "a.txt".into(), ..Row::default() });
    assert_eq!(model.frame(80, 24, Duration::ZERO).to_string(), "copy: a.txt\n");
}
