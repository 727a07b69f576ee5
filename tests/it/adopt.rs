//! Descendants that find the board of this process by themselves.

use std::collections::BTreeMap;
use std::env;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

use active_status::event::Row;
use active_status::relay::Adoption;
use active_status::{Console, Event, Events, JobId, Outcome, board};

use crate::support::within_a_minute;

/// The variable for what a child does: `finish` or `hang`.
const PART: &str = "ACTIVE_STATUS_CHILD";

/// Not a test: what the children of the tests run.
#[test]
fn child() {
    let Some(part) = env::var_os(PART) else { return };
    let board = Console::auto().open();
    let job = board.add_job("copy: ");
    job.set_text(part.to_str().expect("UTF-8"));
    if part == "hang" {
        board.flush();
        loop {
            thread::park();
        }
    }
    job.finish();
    board.shutdown();
}

/// Starts a child behind a shell.
fn start(adoption: &Adoption, part: &str) -> Child {
    let mut shell = Command::new("sh");
    // The second command keeps the shell from replacing itself.
    shell.args(["-c", "\"$0\" --exact adopt::child --nocapture >/dev/null; exit $?"]);
    shell.arg(env::current_exe().expect("this program")).env(PART, part);
    adoption.env(&mut shell).stderr(Stdio::piped()).spawn().expect("sh starts")
}

/// Reads events until a condition holds for the rows and the outcomes of jobs.
fn read_until(
    events: &mut Events,
    jobs: &mut BTreeMap<JobId, (Row, Option<Outcome>)>,
    done: impl Fn(&BTreeMap<JobId, (Row, Option<Outcome>)>) -> bool,
) {
    while !done(jobs) {
        match events.recv_blocking().expect("the board is open") {
            Event::Added { job, row, .. } => drop(jobs.insert(job, (row, None))),
            Event::Changed { job, change, .. } => {
                jobs.get_mut(&job).expect("a job").0.apply(&change);
            }
            Event::Ended { job, outcome, .. } => {
                jobs.get_mut(&job).expect("a job").1 = Some(outcome);
            }
            _ => {}
        }
    }
}

#[test]
fn children_behind_a_shell_stand_on_the_board_of_their_parent() {
    within_a_minute(|| {
        let (board, mut events) = board();
        let adoption = board.adopt().expect("a socket");
        let children = ["finish", "hang", "finish"].map(|part| start(&adoption, part));
        let mut jobs = BTreeMap::new();
        read_until(&mut events, &mut jobs, |jobs| {
            jobs.values().filter(|(row, _)| !row.text.is_empty()).count() == 3
        });
        let (row, _) = jobs.values().find(|(row, _)| row.text == "hang").expect("the second");
        // The label is `it-0123456789abcdef[4711] `.
        let (_, pid) = row.prefix.split_once('[').expect("an id");
        let (pid, prefix) = pid.split_once(']').expect("an id");
        assert_eq!(prefix, " copy: ");
        assert!(row.prefix.starts_with("it-"), "{row:?}");
        let killed = Command::new("kill").args(["-9", pid]).status().expect("kill");
        assert!(killed.success());
        for child in children {
            let output = child.wait_with_output().expect("it ends");
            let shown = String::from_utf8_lossy(&output.stderr);
            assert!(!shown.contains("copy"), "no other output: {shown}");
        }
        assert!(adoption.finish());
        read_until(&mut events, &mut jobs, |jobs| jobs.values().all(|(_, end)| end.is_some()));
        let mut ends: Vec<_> = jobs.into_values().map(|(row, end)| (row.text, end)).collect();
        ends.sort_by_key(|(text, _)| text.clone());
        let end = |text: &str, outcome| (text.to_owned(), Some(outcome));
        let (one, lost) = (end("finish", Outcome::Finished), end("hang", Outcome::Lost));
        assert_eq!(ends, [one.clone(), one, lost]);
    });
}

#[test]
fn a_child_whose_parent_does_not_answer_decides_as_always() {
    within_a_minute(|| {
        let (board, _events) = board();
        let adoption = board.adopt().expect("a socket");
        let (name, value) = adoption.variable();
        drop(adoption);
        for value in [value, "unix:".into(), "tcp:1".into(), "\u{1}".into()] {
            let mut child = Command::new(env::current_exe().expect("this program"));
            child.args(["--exact", "adopt::child", "--nocapture"]);
            let output = child.env(PART, "finish").env(name, &value).output().expect("it runs");
            let shown = String::from_utf8_lossy(&output.stderr);
            assert!(shown.contains("copy: finish"), "{value:?}: {shown}");
        }
    });
}

/// Connects to the socket of an adoption, and returns whether it was accepted.
fn connect(adoption: &Adoption, hello: &str) -> (UnixStream, bool) {
    let mut stream = UnixStream::connect(socket(adoption)).expect("a listener");
    // It may be refused before it has said anything.
    let _refused = writeln!(stream, "{hello}");
    let accepted = stream.read_exact(&mut [0]).is_ok();
    (stream, accepted)
}

fn socket(adoption: &Adoption) -> PathBuf {
    let (_, value) = adoption.variable();
    value.to_str().expect("UTF-8").strip_prefix("unix:").expect("a path").into()
}

const HELLO: &str = r#"{"v":1,"name":"test","pid":7}"#;

#[test]
fn a_connection_without_a_valid_first_line_is_refused() {
    within_a_minute(|| {
        let (board, mut events) = board();
        let adoption = board.adopt().expect("a socket");
        let long = format!(r#"{{"v":1,"name":"{}","pid":7}}"#, "x".repeat(5_000));
        for hello in ["", "GET / HTTP/1.1", r#"{"v":2,"name":"x","pid":7}"#, &long] {
            assert!(!connect(&adoption, hello).1, "{hello}");
        }
        assert!(connect(&adoption, HELLO).1);
        assert!(adoption.finish());
        assert_eq!(events.try_recv(), None);
    });
}

#[test]
fn the_257th_connection_is_refused_until_another_ends() {
    within_a_minute(|| {
        let (board, _events) = board();
        let adoption = board.adopt().expect("a socket");
        let mut streams: Vec<_> = (0..256).map(|_| connect(&adoption, HELLO)).collect();
        assert!(streams.iter().all(|(_, accepted)| *accepted));
        assert!(!connect(&adoption, HELLO).1);
        streams.pop();
        while !connect(&adoption, HELLO).1 {}
        drop(streams);
        assert!(adoption.finish());
    });
}

#[test]
fn the_limit_on_jobs_is_over_all_connections() {
    within_a_minute(|| {
        let (board, mut events) = board();
        let adoption = board.adopt().expect("a socket");
        let jobs = (1..=7_000).map(|id| format!("{{\"event\":\"added\",\"at\":1,\"job\":{id}}}\n"));
        let lines: String =
            jobs.chain([r#"{"event":"line","at":1,"text":"done"}"#.into()]).collect();
        let send = || {
            let (mut stream, _) = connect(&adoption, HELLO);
            writeln!(stream, "{lines}").expect("a reader");
            stream
        };
        let (mut rows, mut done) = (0, 0);
        // The streams stay open until all has been read, so that no job is lost before.
        thread::scope(|scope| {
            let senders: Vec<_> = (0..3).map(|_| scope.spawn(send)).collect();
            while done < 3 {
                match events.recv_blocking().expect("an event") {
                    Event::Added { .. } => rows += 1,
                    Event::Line { text, .. } => done += u32::from(text.ends_with("done")),
                    _ => {}
                }
            }
            drop(senders);
        });
        assert_eq!(rows, 20_000);
    });
}

#[test]
fn an_adoption_does_not_keep_its_board_open() {
    within_a_minute(|| {
        let (board, mut events) = board();
        let adoption = board.adopt().expect("a socket");
        let socket = socket(&adoption);
        assert!(socket.exists());
        drop(board);
        assert!(matches!(events.recv_blocking(), Some(Event::Closed { .. })));
        drop(adoption);
        assert!(!socket.parent().expect("a folder").exists(), "the folder is removed");
    });
}

#[test]
fn only_this_user_can_connect() {
    use std::os::unix::fs::PermissionsExt;

    let (board, _events) = board();
    let adoption = board.adopt().expect("a socket");
    let socket = socket(&adoption);
    let folder = socket.parent().expect("a folder").metadata().expect("it exists");
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
}
