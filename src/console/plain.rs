//! The board as lines of a log: which lines, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use std::time::Duration;

use crate::board::event::{Change, Counts, Event, JobId, Outcome, Progress, Row};
use crate::console::numbers::words;
use crate::console::text::clean;
use crate::units::format_elapsed_short;

/// The least time between two lines of a running job.
const PAUSE: Duration = Duration::from_secs(5);

/// After this time without a line, one line names the running jobs.
const SILENCE: Duration = Duration::from_secs(30);

/// The most jobs that this line names.
const NAMED: usize = 5;

/// A fold of events that writes lines. The time is an argument.
///
/// A job has a line when its text is new, and at each tenth of its progress: immediately
/// if its last line is 5 s old, and otherwise after 5 s, with the latest state. The end of
/// a job always has a line.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    jobs: BTreeMap<JobId, Entry>,
    /// The jobs that may have a line to write, by the time from which they may write it.
    waiting: BTreeSet<(Duration, JobId)>,
    counts: Counts,
    /// When the first job was added.
    began: Option<Duration>,
    /// When the last line was written, or the first work was added.
    last_line: Duration,
    closed: bool,
    /// Whether only lines of the program and of jobs that did not finish are written yet.
    hides_rows: bool,
}

impl Plain {
    /// Folds an event. Writes the lines that do not wait for [`due`](Self::due): an end, or a
    /// printed line and the lines that were due before it.
    pub(crate) fn apply(&mut self, event: &Event, out: &mut String) {
        match event {
            Event::Added { at, job, row } => self.add(*job, row, *at),
            Event::Changed { at, job, change } => self.change(*job, change, *at),
            Event::Ended { at, job, outcome } => {
                if let Some(entry) = self.jobs.remove(job) {
                    self.end(*job, &entry, outcome, *at, out);
                }
            }
            Event::Line { at, text } => {
                if !self.hides_rows {
                    self.write_waiting(*at, out);
                }
                self.write_line(*at, out, format_args!("{text}"));
            }
            // Printed once it has ended.
            Event::Partial { .. } => {}
            Event::Closed { at } => self.close(*at, out),
        }
    }

    pub(crate) fn hide_rows(&mut self, hides: bool) {
        self.hides_rows = hides;
    }

    /// Writes the lines that are due at `now`.
    pub(crate) fn due(&mut self, now: Duration, out: &mut String) {
        if self.hides_rows {
            return;
        }
        self.write_waiting(now, out);
        if self.works() && now >= self.last_line.saturating_add(SILENCE) {
            let running = StillRunning(&self.jobs, now).to_string();
            self.write_line(now, out, format_args!("{running}"));
        }
    }

    /// When [`due`](Self::due) next writes a line without another event.
    pub(crate) fn next_change(&self) -> Option<Duration> {
        if self.hides_rows {
            return None;
        }
        let waiting = self.waiting.first().map(|&(at, _)| at);
        let silence = self.works().then(|| self.last_line.saturating_add(SILENCE));
        waiting.into_iter().chain(silence).min()
    }

    fn add(&mut self, job: JobId, row: &Row, at: Duration) {
        if self.closed {
            return;
        }
        if !self.works() {
            self.last_line = self.last_line.max(at);
        }
        self.began = Some(self.began.map_or(at, |began| began.min(at)));
        if let Some(before) = self.jobs.insert(job, Entry::new(at, row)) {
            self.forget(job, &before);
        }
    }

    fn change(&mut self, job: JobId, change: &Change, at: Duration) {
        let Some(entry) = self.jobs.get_mut(&job) else { return };
        entry.update(change);
        if entry.has_changed() && entry.waits.is_none() {
            let from = entry.earliest.max(at);
            entry.waits = Some(from);
            self.waiting.insert((from, job));
        }
    }

    /// Writes the lines of the jobs that are due at `now`.
    fn write_waiting(&mut self, now: Duration, out: &mut String) {
        while let Some(&(from, job)) = self.waiting.first()
            && from <= now
        {
            self.waiting.pop_first();
            if let Some(state) = self.jobs.get_mut(&job).and_then(|entry| entry.line(job, now)) {
                self.write_line(now, out, format_args!("{state}"));
            }
        }
    }

    fn forget(&mut self, job: JobId, entry: &Entry) {
        if let Some(from) = entry.waits {
            self.waiting.remove(&(from, job));
        }
    }

    fn end(
        &mut self,
        job: JobId,
        entry: &Entry,
        outcome: &Outcome,
        at: Duration,
        out: &mut String,
    ) {
        self.forget(job, entry);
        self.counts.add(outcome);
        let hidden = self.hides_rows && *outcome == Outcome::Finished;
        if hidden || entry.row.vanishes(outcome) {
            return;
        }
        for line in entry.row.output.iter().filter(|_| outcome.keeps_output()) {
            self.write_line(at, out, format_args!("{line}"));
        }
        let state = entry.state(job);
        let (verb, in_or_after, message) = match outcome {
            Outcome::Finished => ("finished", "in", ""),
            Outcome::Failed(message) => ("failed", "after", message.as_str()),
            Outcome::Cancelled => ("cancelled", "after", ""),
            Outcome::Panicked => ("panicked", "after", ""),
            Outcome::Abandoned => ("abandoned", "after", ""),
            Outcome::Lost => ("lost", "after", ""),
        };
        let took = at.saturating_sub(entry.added);
        let took = match took.as_secs() {
            0 => String::new(),
            _ => format!(" {in_or_after} {}", format_elapsed_short(took)),
        };
        let message = cleaned(message);
        let colon = if message.is_empty() { "" } else { ": " };
        self.write_line(at, out, format_args!("{state} ({verb}{took}){colon}{message}"));
    }

    fn close(&mut self, at: Duration, out: &mut String) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        for (job, entry) in std::mem::take(&mut self.jobs) {
            if entry.is_clock() {
                continue;
            }
            let finishes = entry.row.finishes_at_close();
            let outcome = if finishes { Outcome::Finished } else { Outcome::Abandoned };
            self.end(job, &entry, &outcome, at, out);
        }
        self.waiting.clear();
        let finished = Counts { finished: self.counts.finished, ..Counts::default() };
        if self.hides_rows && self.counts == finished {
            return;
        }
        if let Some(began) = self.began
            && self.counts != Counts::default()
        {
            let (counts, took) =
                (Summary(self.counts), format_elapsed_short(at.saturating_sub(began)));
            self.write_line(at, out, format_args!("{counts} in {took}"));
        }
    }

    fn write_line(&mut self, now: Duration, out: &mut String, line: fmt::Arguments<'_>) {
        self.last_line = self.last_line.max(now);
        // Writing to a `String` cannot fail.
        let _ = writeln!(out, "{line}");
    }

    /// Returns whether any work is running.
    fn works(&self) -> bool {
        self.jobs.values().any(Entry::is_work)
    }
}

/// A running job.
#[derive(Debug)]
struct Entry {
    added: Duration,
    row: Row,
    /// The prefix and the text of the last line, or at first.
    written: String,
    /// The tenths that were done at the last line, or at first.
    written_tenth: u64,
    /// When it may write its next line.
    earliest: Duration,
    /// From when it may write the line that it has to write, if there is one.
    waits: Option<Duration>,
}

impl Entry {
    fn new(added: Duration, row: &Row) -> Self {
        let mut entry = Self {
            added,
            row: row.clone(),
            written: String::new(),
            written_tenth: 0,
            earliest: Duration::ZERO,
            waits: None,
        };
        entry.written = entry.words();
        entry.written_tenth = entry.tenth();
        entry
    }

    fn update(&mut self, change: &Change) {
        self.row.apply(change);
        if self.tenth() == 0 {
            // The progress started over: the first tenth counts again.
            self.written_tenth = 0;
        }
    }

    fn has_changed(&self) -> bool {
        self.tenth() != self.written_tenth
            || (!self.row.text.is_empty() && self.words() != self.written)
    }

    /// Returns the line of the job at `now`, unless it is the same as the last one.
    fn line(&mut self, job: JobId, now: Duration) -> Option<String> {
        self.waits = None;
        if !self.has_changed() {
            return None;
        }
        self.written = self.words();
        self.written_tenth = self.tenth();
        self.earliest = now.saturating_add(PAUSE);
        Some(self.state(job))
    }

    fn words(&self) -> String {
        format!("{}{}", self.row.prefix, self.row.text)
    }

    /// Returns how many tenths are done.
    fn tenth(&self) -> u64 {
        self.row.progress.as_ref().and_then(|progress| progress.done_of(10)).unwrap_or(0)
    }

    /// Returns the prefix, the text and the progress, on one line.
    fn state(&self, job: JobId) -> String {
        let mut state = cleaned(&self.words());
        if state.trim().is_empty() {
            state = format!("job {job}");
        }
        if let Some(progress) = &self.row.progress {
            push_progress(&mut state, progress);
        }
        state.truncate(state.trim_end().len());
        state
    }

    /// Returns whether the row only shows the elapsed time, which is in the last line anyway.
    fn is_clock(&self) -> bool {
        self.row.elapsed && self.row.text.is_empty() && self.row.progress.is_none()
    }

    fn is_work(&self) -> bool {
        !self.row.detached && !self.is_clock()
    }
}

fn push_progress(line: &mut String, progress: &Progress) {
    let Some(words) = words(progress) else { return };
    if !line.ends_with(' ') {
        line.push(' ');
    }
    line.push_str(cleaned(&words).trim_start());
}

/// The line that names the running jobs.
struct StillRunning<'a>(&'a BTreeMap<JobId, Entry>, Duration);

impl fmt::Display for StillRunning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(jobs, now) = self;
        let mut work = jobs.iter().filter(|(_, entry)| entry.is_work());
        f.write_str("still running: ")?;
        for (index, (job, entry)) in work.by_ref().take(NAMED).enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            let took = format_elapsed_short(now.saturating_sub(entry.added));
            write!(f, "{separator}{} ({took})", entry.state(*job))?;
        }
        match work.count() {
            0 => Ok(()),
            more => write!(f, "; {more} more"),
        }
    }
}

/// The outcomes in the last line: `12 done, 1 failed`.
struct Summary(Counts);

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(counts) = self;
        write!(f, "{} done", counts.finished)?;
        let others = [
            (counts.failed, "failed"),
            (counts.cancelled, "cancelled"),
            (counts.panicked, "panicked"),
            (counts.abandoned, "abandoned"),
            (counts.lost, "lost"),
        ];
        for (count, word) in others.into_iter().filter(|&(count, _)| count > 0) {
            write!(f, ", {count} {word}")?;
        }
        Ok(())
    }
}

/// Returns the whole text on one line, without control characters.
fn cleaned(text: &str) -> String {
    clean(text, usize::MAX, '…')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::event::Status;

    fn id(job: u64) -> JobId {
        JobId::new(job).expect("ids count from 1")
    }

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn row(prefix: &str, text: &str) -> Row {
        Row::new(prefix).with_text(text)
    }

    fn count(position: u64, total: impl Into<Option<u64>>) -> Option<Progress> {
        Some(Progress::new(position, total))
    }

    /// A log on a virtual clock.
    #[derive(Default)]
    struct Log {
        plain: Plain,
        now: Duration,
        lines: String,
    }

    impl Log {
        /// Advances the clock, and writes each line that becomes due with its time.
        fn at(&mut self, now: f64) -> &mut Self {
            self.until(seconds(now))
        }

        fn until(&mut self, now: Duration) -> &mut Self {
            while let Some(due) = self.plain.next_change().filter(|due| *due <= now) {
                self.now = self.now.max(due);
                self.write(|plain, now, out| plain.due(now, out));
            }
            self.now = now;
            self
        }

        fn write(&mut self, write: impl FnOnce(&mut Plain, Duration, &mut String)) -> &mut Self {
            let mut out = String::new();
            write(&mut self.plain, self.now, &mut out);
            for line in out.lines() {
                self.lines += &format!("{:>4} {line}\n", self.now.as_secs_f64());
            }
            self
        }

        fn event(&mut self, event: Event) -> &mut Self {
            self.write(|plain, _, out| plain.apply(&event, out))
        }

        fn add(&mut self, job: u64, row: Row) -> &mut Self {
            self.event(Event::Added { at: self.now, job: id(job), row })
        }

        fn change(&mut self, job: u64, change: Change) -> &mut Self {
            self.event(Event::Changed { at: self.now, job: id(job), change })
        }

        fn text(&mut self, job: u64, text: &str) -> &mut Self {
            self.change(job, Change::default().with_text(text))
        }

        fn progress(&mut self, job: u64, progress: Option<Progress>) -> &mut Self {
            self.change(job, Change::default().with_progress(progress))
        }

        fn end(&mut self, job: u64, outcome: Outcome) -> &mut Self {
            self.event(Event::Ended { at: self.now, job: id(job), outcome })
        }

        fn line(&mut self, line: &str) -> &mut Self {
            self.event(Event::Line { at: self.now, text: line.into() })
        }

        fn close(&mut self) -> &mut Self {
            self.event(Event::Closed { at: self.now })
        }

        #[track_caller]
        fn contains(&mut self, lines: &[&str]) {
            self.until(self.now);
            assert_eq!(self.lines.lines().collect::<Vec<_>>(), lines);
        }
    }

    // Rule 23
    #[test]
    fn the_first_text_of_a_job_has_no_line() {
        Log::default().add(1, row("copy: ", "waiting")).at(20.0).contains(&[]);
    }

    // Rule 23
    #[test]
    fn a_new_text_is_written_at_once_with_its_prefix() {
        let mut log = Log::default();
        log.add(1, row("copy: ", "waiting"))
            .at(0.5)
            .text(1, "a.txt")
            .contains(&[" 0.5 copy: a.txt"]);
    }

    #[test]
    fn a_new_prefix_is_written() {
        let mut log = Log::default();
        let change = Change::default().with_prefix("move: ");
        log.add(1, row("copy: ", "a.txt")).change(1, change).contains(&["   0 move: a.txt"]);
    }

    // Rule 23
    #[test]
    fn the_same_text_again_is_not_written() {
        let mut log = Log::default();
        log.add(1, row("copy: ", "waiting")).text(1, "a.txt").at(6.0).text(1, "a.txt");
        log.at(20.0).contains(&["   0 copy: a.txt"]);
    }

    #[test]
    fn a_status_alone_is_not_written() {
        let mut log = Log::default();
        let change = Change::default().with_status(Status::Warning);
        log.add(1, row("copy: ", "waiting")).change(1, change).at(20.0).contains(&[]);
    }

    // Rule 23
    #[test]
    fn a_job_writes_its_latest_text_every_five_seconds() {
        let mut log = Log::default();
        log.add(1, row("", "")).text(1, "a").at(1.0).text(1, "b").at(4.9).text(1, "c");
        log.at(7.0).text(1, "d").at(60.0).text(1, "e");
        log.contains(&["   0 a", "   5 c", "  10 d", "  40 still running: d (40s)", "  60 e"]);
    }

    #[test]
    fn a_text_that_was_reverted_in_time_is_not_written() {
        let mut log = Log::default();
        log.add(1, row("", "")).text(1, "a").at(1.0).text(1, "b").at(2.0).text(1, "a");
        log.at(20.0).contains(&["   0 a"]);
    }

    #[test]
    fn jobs_do_not_wait_for_each_other() {
        let mut log = Log::default();
        log.add(1, row("1: ", "")).add(2, row("2: ", "")).text(1, "a").at(1.0).text(2, "b");
        log.at(2.0).text(1, "c").text(2, "d").at(20.0);
        log.contains(&["   0 1: a", "   1 2: b", "   5 1: c", "   6 2: d"]);
    }

    // Rule 23
    #[test]
    fn progress_is_written_at_each_tenth() {
        let mut log = Log::default();
        log.add(1, row("copy", "")).progress(1, count(0, 200)).at(10.0).progress(1, count(19, 200));
        log.at(20.0).progress(1, count(20, 200)).at(30.0).progress(1, count(39, 200));
        log.at(40.0).progress(1, count(70, 200));
        log.contains(&["  20 copy 10% - 20/200", "  40 copy 35% - 70/200"]);
    }

    #[test]
    fn progress_that_starts_over_is_written_again() {
        let mut log = Log::default();
        log.add(1, row("copy", "")).progress(1, count(5, 10)).at(10.0).progress(1, count(0, 10));
        log.at(20.0).progress(1, count(5, 10));
        log.contains(&["   0 copy 50% - 5/10", "  20 copy 50% - 5/10"]);
    }

    #[test]
    fn progress_without_a_total_is_written_with_the_text_only() {
        let mut log = Log::default();
        log.add(1, row("copy: ", "")).progress(1, count(7, None)).at(9.0).text(1, "a.txt");
        log.contains(&["   9 copy: a.txt 7"]);
    }

    #[test]
    fn progress_is_written_for_any_numbers() {
        let styled = Progress::new(1, 2).with_text("half");
        let most = u64::MAX;
        for (progress, text) in [
            (count(0, 10), "copy"),
            (count(3, 0), "copy"),
            (count(6, 5), "copy 120% - 6/5"),
            (count(most, most), "copy 100% - 18.4/18.4E"),
            (count(most, 1), "copy 1844674407370955161500% - 18,446,744,073,709,551,615/1"),
            (count(0, None), "copy 0"),
            (Some(styled), "copy half"),
            (None, "copy"),
        ] {
            let mut log = Log::default();
            log.add(1, Row::new("copy").with_progress(progress)).end(1, Outcome::Finished);
            log.contains(&[&format!("   0 {text} (finished)")]);
        }
    }

    // Rule 23
    #[test]
    fn an_end_is_written_at_once_with_outcome_and_duration() {
        for (outcome, end) in [
            (Outcome::Finished, "(finished in 2s)"),
            (Outcome::Failed("no space".into()), "(failed after 2s): no space"),
            (Outcome::Failed(String::new()), "(failed after 2s)"),
            (Outcome::Cancelled, "(cancelled after 2s)"),
            (Outcome::Panicked, "(panicked after 2s)"),
            (Outcome::Abandoned, "(abandoned after 2s)"),
            (Outcome::Lost, "(lost after 2s)"),
        ] {
            let mut log = Log::default();
            log.at(1.0)
                .add(1, row("copy: ", ""))
                .text(1, "a")
                .at(2.0)
                .text(1, "b")
                .at(3.5)
                .end(1, outcome);
            log.at(20.0).contains(&["   1 copy: a", &format!(" 3.5 copy: b {end}")]);
        }
    }

    #[test]
    fn an_update_just_before_the_end_is_written_once() {
        let mut log = Log::default();
        log.add(1, row("copy: ", "")).text(1, "done").end(1, Outcome::Finished);
        log.at(9.0).contains(&["   0 copy: done (finished)"]);
    }

    // Rule 5
    #[test]
    fn a_transient_row_has_a_line_only_for_an_end_that_is_no_finish() {
        let mut log = Log::default();
        for job in 1..=3 {
            log.add(job, row("fetch: ", "").with_transient(true));
        }
        log.text(1, "a").end(1, Outcome::Finished).end(2, Outcome::Failed("gone".into())).close();
        let expected =
            ["fetch: (failed): gone", "fetch: (abandoned)", "1 done, 1 failed, 1 abandoned in 0s"];
        log.contains(&expected.map(|line| format!("   0 {line}")).each_ref().map(String::as_str));
    }

    #[test]
    fn a_job_without_a_text_is_named_by_its_number() {
        let mut log = Log::default();
        log.add(7, row("", "")).end(7, Outcome::Finished);
        log.contains(&["   0 job 7 (finished)"]);
    }

    #[test]
    fn printed_lines_are_unchanged_and_in_order() {
        let mut log = Log::default();
        log.add(1, row("copy: ", "")).text(1, "a").line("\u{1b}[31mred\u{1b}[m ").text(1, "b");
        log.line("").end(1, Outcome::Finished);
        let expected = ["copy: a", "\u{1b}[31mred\u{1b}[m ", "", "copy: b (finished)"];
        log.contains(&expected.map(|line| format!("   0 {line}")).each_ref().map(String::as_str));
    }

    // Rule 23
    #[test]
    fn after_silence_a_line_names_the_running_jobs() {
        let mut log = Log::default();
        log.add(1, row("copy: ", "a")).at(10.0).add(2, row("move: ", "b")).at(61.0);
        log.contains(&[
            "  30 still running: copy: a (30s); move: b (20s)",
            "  60 still running: copy: a (1m 0s); move: b (50s)",
        ]);
    }

    #[test]
    fn silence_counts_from_the_last_line() {
        let mut log = Log::default();
        log.add(1, row("", "a")).at(29.0).line("hello").at(58.0).contains(&["  29 hello"]);
        log.at(59.0).contains(&["  29 hello", "  59 still running: a (59s)"]);
    }

    #[test]
    fn without_work_silence_has_no_line() {
        let mut log = Log::default();
        let clock = Row::new("elapsed time: ").with_elapsed(true);
        log.add(1, clock).add(2, row("", "notice"));
        log.change(2, Change::default().with_detached(true));
        log.at(100.0).contains(&[]);
        log.at(120.0).add(3, row("", "work")).at(149.0).contains(&[]);
    }

    #[test]
    fn a_line_names_five_jobs_at_most() {
        let mut log = Log::default();
        for job in 1..=7 {
            log.add(job, row("", &format!("job {job}")));
        }
        let named = [1, 2, 3, 4, 5].map(|job| format!("job {job} (30s)")).join("; ");
        log.at(30.0).contains(&[&format!("  30 still running: {named}; 2 more")]);
    }

    #[test]
    fn a_close_abandons_running_jobs_and_finishes_detached_ones() {
        let mut log = Log::default();
        log.add(1, row("", "work")).add(2, row("", "notice"));
        log.change(2, Change::default().with_detached(true)).at(4.0).close();
        log.contains(&[
            "   4 work (abandoned after 4s)",
            "   4 notice (finished in 4s)",
            "   4 1 done, 1 abandoned in 4s",
        ]);
    }

    // Rule 23
    #[test]
    fn the_last_line_counts_the_outcomes() {
        let mut log = Log::default();
        for job in 1..=17 {
            log.add(job, row("", "x"));
        }
        log.at(184.0);
        for job in 1..=12 {
            log.end(job, Outcome::Finished);
        }
        log.end(13, Outcome::Failed("x".into())).end(14, Outcome::Cancelled);
        log.end(15, Outcome::Panicked).close();
        let last = log.lines.lines().last();
        assert_eq!(
            last,
            Some(" 184 12 done, 1 failed, 1 cancelled, 1 panicked, 2 abandoned in 3m 4s")
        );
    }

    #[test]
    fn a_board_without_jobs_has_no_last_line() {
        let clock = Row::new("elapsed time: ").with_elapsed(true);
        Log::default().add(1, clock).at(4.0).close().contains(&[]);
    }

    #[test]
    fn after_the_close_only_lines_are_written() {
        let mut log = Log::default();
        log.close().add(1, row("", "a")).text(1, "b").end(1, Outcome::Finished).close();
        log.line("hello").at(90.0).contains(&["   0 hello"]);
    }

    #[test]
    fn events_of_unknown_jobs_are_ignored() {
        Log::default().text(1, "a").end(1, Outcome::Finished).close().contains(&[]);
    }

    #[test]
    fn a_job_that_is_added_twice_starts_over() {
        let mut log = Log::default();
        log.add(1, row("", "")).text(1, "a").at(1.0).text(1, "b").add(1, row("", "c"));
        log.at(9.0).contains(&["   0 a"]);
    }

    #[test]
    fn texts_are_written_on_one_line_without_controls() {
        for (text, written) in [
            ("two\nlines\r\n", "two lines"),
            ("a\tb", "a b"),
            (&"x".repeat(5_000), &"x".repeat(5_000)),
            ("\u{1b}[1;31mred\u{1b}[m", "red"),
            ("\u{1b}]8;;https://example.org\u{1b}\\link\u{1b}]8;;\u{7}", "link"),
            ("bell\u{7} and \u{9b}2Jrest", "bell and rest"),
            ("cut\u{1b}[31", "cut"),
            ("héllo 世界 👍", "héllo 世界 👍"),
        ] {
            let mut log = Log::default();
            log.add(1, row("", "")).text(1, text).contains(&[&format!("   0 {written}")]);
        }
    }
}
