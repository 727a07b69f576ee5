//! Events as text, one line per event, so that tests state their expectations in place.

use std::time::Duration;

use active_status::event::{Change, Progress, ProgressChange};
use active_status::{Event, Events, Outcome, Status};

/// Takes the pending events, and returns them as text.
pub(crate) fn snapshot(events: &mut Events) -> Vec<String> {
    events.drain().map(|event| describe(&event)).collect()
}

/// Creates a line that was printed at time zero.
pub(crate) fn printed(line: impl Into<String>) -> Event {
    Event::Line { at: Duration::ZERO, text: line.into() }
}

/// Formats an event: `1 added: a: text`, `1: text x; 3/5`, `1 finished`, `| line`,
/// `~ partial line`, `closed`.
pub(crate) fn describe(event: &Event) -> String {
    match event {
        Event::Added { job, row, .. } => {
            let progress = row.progress.as_ref();
            let progress = progress.map(|progress| format!("; {}", count(progress)));
            format!("{job} added: {}{}{}", row.prefix, row.text, progress.unwrap_or_default())
        }
        Event::Changed { job, change, .. } => format!("{job}: {}", update(change)),
        Event::Ended { job, outcome, .. } => format!("{job} {}", end(outcome)),
        Event::Line { text, .. } => format!("| {text}"),
        Event::Partial { text, .. } => format!("~ {text}"),
        Event::Closed { .. } => "closed".into(),
        other => panic!("{other:?}"),
    }
}

fn end(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failed(message) => format!("failed: {message}"),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn update(change: &Change) -> String {
    let prefix = change.prefix.as_ref().map(|prefix| format!("prefix {prefix}"));
    let text = change.text.as_ref().map(|text| format!("text {text}"));
    let status = change.status.map(|status| match status {
        Status::Normal => "normal".to_owned(),
        Status::Success => "success".to_owned(),
        Status::Warning => "warning".to_owned(),
        Status::Error => "error".to_owned(),
        other => panic!("{other:?}"),
    });
    let progress = match &change.progress {
        ProgressChange::Unchanged => None,
        ProgressChange::Cleared => Some("no progress".to_owned()),
        ProgressChange::Set(progress) => Some(count(progress)),
        other => panic!("{other:?}"),
    };
    let detached = change.detached.then(|| "detached".to_owned());
    let fields: Vec<String> =
        [prefix, text, status, progress, detached].into_iter().flatten().collect();
    if fields.is_empty() { "nothing new".into() } else { fields.join("; ") }
}

fn count(progress: &Progress) -> String {
    let mut count = progress.position.to_string();
    if let Some(total) = progress.total {
        count += &format!("/{total}");
    }
    if !progress.unit.is_items() {
        count += &format!(" {:?}", progress.unit);
    }
    if let Some(rate) = progress.rate {
        count += &format!(", {rate} in 1000 s");
    }
    if let Some(seconds) = progress.seconds_left {
        count += &format!(", {seconds} s left");
    }
    if let Some(text) = &progress.text {
        count += &format!(" '{text}'");
    }
    count
}

/// A change with these fields, for property tests. `Some(None)` clears the progress.
pub(crate) fn change_of(
    prefix: Option<String>,
    text: Option<String>,
    status: Option<Status>,
    progress: Option<Option<Progress>>,
    detached: bool,
) -> Change {
    let mut change = Change::default().with_detached(detached);
    change.prefix = prefix;
    change.text = text;
    change.status = status;
    change.progress = progress.map_or(ProgressChange::Unchanged, ProgressChange::from);
    change
}
