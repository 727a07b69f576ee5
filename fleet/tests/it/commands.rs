//! The commands, as a user calls them.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::panic::catch_unwind;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use active_status_fleet::LocalServer;
use active_status_fleet::engine::{Engine, QueueOptions};
use rustix::process::{Pid, Signal, kill_process};
use smol::block_on;
use tempfile::TempDir;

fn fleet(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleet"));
    command.args(arguments).env_remove("FLEET_REDIS").env_remove("FLEET_PASSWORD_FILE");
    command.stdin(Stdio::null());
    command
}

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("a process");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

fn signal(process: &Child, signal: Signal) {
    kill_process(Pid::from_child(process), signal).expect("the process runs");
}

/// A folder with files, and what `sha256sum` prints for them.
fn files() -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("b")).expect("a folder");
    fs::write(folder.path().join("a"), "").expect("a file");
    fs::write(folder.path().join("b/c d"), "abc").expect("a file");
    let sums = "\
        e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a\n\
        ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  b/c d\n";
    (folder, sums.to_owned())
}

#[test]
fn files_are_fed_hashed_and_printed() {
    let server = LocalServer::start(false, &[]).expect("redis-server is installed");
    let address = server.address().to_string();
    let (folder, sums) = files();
    let path = folder.path().to_str().expect("UTF-8");
    let fleet = |arguments: &[&str]| {
        let mut command = fleet(arguments);
        command.env("FLEET_REDIS", &address);
        command
    };
    let (code, _, said) = run(&mut fleet(&["feed", path]));
    assert_eq!((code, &*said), (Some(0), "fleet: queued 2 files, 0 were known\n"));
    let (_, _, said) = run(&mut fleet(&["feed", path, "--queue", "files"]));
    assert_eq!(said, "fleet: queued 0 files, 2 were known\n");
    let (code, _, said) = run(&mut fleet(&["drop", "files", "--keep", "7d"]));
    let expected = "fleet: the queue is not settled: items still wait for a result\n";
    assert_eq!((code, &*said), (Some(1), expected));

    let mut node = fleet(&["work", "--root", path, "--workers", "2", "--name", "h1"]);
    let mut node = node.stderr(Stdio::piped()).spawn().expect("a process");
    let engine = Engine::new(server.address(), QueueOptions::new("files"), "test").unwrap();
    block_on(async {
        while !engine.counts().await.unwrap().are_settled() {
            smol::Timer::after(Duration::from_millis(10)).await;
        }
    });
    signal(&node, Signal::TERM);
    let mut said = String::new();
    node.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(node.wait().unwrap().success());
    assert!(said.ends_with("fleet: 2 results, 0 errors\n"), "{said}");

    let (code, printed, said) = run(&mut fleet(&["results"]));
    assert_eq!((code, &*printed, &*said), (Some(0), &*sums, ""));
    assert_eq!(run(&mut fleet(&["drop", "files", "--keep", "7d"])).0, Some(0));
    let (code, _, said) = run(&mut fleet(&["feed", path]));
    let expected = "fleet: the queue files was dropped and is only kept: feed another one\n";
    assert_eq!((code, &*said), (Some(1), expected));
    assert_eq!(run(&mut fleet(&["results"])).1, sums);
    assert_eq!(run(&mut fleet(&["drop", "files"])).0, Some(0));
    assert_eq!(run(&mut fleet(&["results"])).1, "");
}

#[test]
fn the_reasons_of_dead_files_are_printed() {
    let server = LocalServer::start(false, &[]).expect("redis-server is installed");
    let engine = Engine::new(server.address(), QueueOptions::new("files").limit(1), "a").unwrap();
    block_on(async {
        engine.feed(&[(b"gone".to_vec(), b"gone".to_vec())]).await.unwrap();
        let entry = engine.take(1, Duration::ZERO).await.unwrap().remove(0);
        engine.fail(&entry, "No such file").await.unwrap();
    });
    let results = run(fleet(&["results"]).env("FLEET_REDIS", server.address().to_string()));
    assert_eq!(results, (Some(1), String::new(), "fleet: gone: No such file\n".to_owned()));
}

#[test]
fn a_board_ends_with_a_signal() {
    let server = LocalServer::start(false, &[]).expect("redis-server is installed");
    let mut board = fleet(&["board"]);
    board.env("FLEET_REDIS", server.address().to_string()).stderr(Stdio::piped());
    let mut board = board.spawn().expect("a process");
    let mut said = BufReader::new(board.stderr.take().expect("a pipe"));
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(line, "fleet: 0 nodes, 0 running\n");
    signal(&board, Signal::INT);
    assert!(board.wait().unwrap().success());
}

#[test]
fn bad_input_is_explained_without_secrets() {
    let (folder, _) = files();
    let path = folder.path().to_str().expect("UTF-8");
    let secret = "redis://node:hunter2@localhost";
    let password = folder.path().join("none");
    for (arguments, address, expected) in [
        (&["results"][..], None, "FLEET_REDIS is not set, for example to redis://user@host"),
        (&["results"], Some("localhost"), "FLEET_REDIS: expected an address such as redis://"),
        (&["results"], Some(secret), "FLEET_REDIS: the address contains a password: put it"),
        (&["results"], Some("redis://localhost"), "none: No such file"),
        (&["feed", "none"], Some("unix:///none"), "none: No such file"),
    ] {
        let mut command = fleet(arguments);
        command.envs(address.map(|address| ("FLEET_REDIS", address)));
        if expected.starts_with("none") {
            command.env("FLEET_PASSWORD_FILE", &password);
        }
        let (code, printed, said) = run(&mut command);
        assert_eq!((code, &*printed), (Some(1), ""), "{arguments:?}");
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let server = LocalServer::start(false, &[]).expect("redis-server is installed");
    let address = server.address().to_string();
    for (arguments, expected) in [
        (&["feed", "/none"][..], "fleet: /none: No such file or directory"),
        (&["work", "--root", "/none"], "fleet: /none: No such file or directory"),
        (&["results", "--queue", "a b"], "as the name of the queue, found \"a b\""),
        (&["drop", "a b"], "as the name of the queue, found \"a b\""),
    ] {
        let (code, _, said) = run(fleet(arguments).env("FLEET_REDIS", &address));
        assert_eq!(code, Some(1), "{arguments:?}");
        assert!(said.contains(expected), "{said}");
    }
    let (code, _, said) = run(&mut fleet(&["fly"]));
    assert_eq!(code, Some(2));
    assert!(said.starts_with("fleet: there is no command fly\n\nusage: fleet up PATH"), "{said}");
    assert_eq!(run(&mut fleet(&["--help"])).0, Some(0));

    let (code, _, said) = run(fleet(&["up", path]).env("PATH", "/none"));
    assert_eq!(code, Some(1));
    assert!(said.contains("try `sudo apt-get install redis-server`"), "{said}");
    let (code, _, said) = run(&mut fleet(&["up", "/none"]));
    assert_eq!((code, &*said), (Some(1), "fleet: /none: No such file or directory (os error 2)\n"));
}

/// Returns `true` if the folder is empty, and no process has its name in its arguments or
/// its environment.
fn is_clean(folder: &Path) -> bool {
    let name = folder.to_str().expect("UTF-8").as_bytes();
    let names = |file: &Path| {
        let bytes = fs::read(file).unwrap_or_default();
        bytes.windows(name.len()).any(|part| part == name)
    };
    let processes = fs::read_dir("/proc").expect("processes").filter_map(Result::ok);
    let mut processes = processes.map(|process| process.path());
    let mut found = processes
        .by_ref()
        .filter(|process| names(&process.join("cmdline")) || names(&process.join("environ")));
    found.next().is_none() && fs::read_dir(folder).expect("a folder").next().is_none()
}

#[test]
fn up_prints_what_sha256sum_prints_and_leaves_nothing() {
    let (folder, sums) = files();
    let path = folder.path().to_str().expect("UTF-8");
    for options in [&[][..], &["--sync", "--nodes", "1", "--workers", "4"]] {
        let temporary = tempfile::tempdir().expect("a folder");
        let mut up = fleet(&[&["up", path][..], options].concat());
        let (code, printed, said) = run(up.env("TMPDIR", temporary.path()));
        assert_eq!((code, &*printed), (Some(0), &*sums), "{said}");
        assert!(said.contains("queued 2 files, 0 were known\n"), "{said}");
        assert!(said.contains("100% - 2/2"), "{said}");
        assert!(is_clean(temporary.path()));
    }
}

#[test]
fn up_leaves_nothing_after_ctrl_c() {
    let folder = tempfile::tempdir().expect("a folder");
    // Too large to be done before the signal.
    File::create(folder.path().join("large")).unwrap().set_len(1 << 36).unwrap();
    for stop in [Signal::INT, Signal::TERM] {
        let temporary = tempfile::tempdir().expect("a folder");
        let mut up = fleet(&["up", folder.path().to_str().expect("UTF-8")]);
        let mut up =
            up.env("TMPDIR", temporary.path()).stderr(Stdio::piped()).spawn().expect("a process");
        let mut lines = BufReader::new(up.stderr.take().expect("a pipe")).lines();
        let mut lines = lines.by_ref().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("1 running")));
        assert!(!is_clean(temporary.path()));
        signal(&up, stop);
        lines.for_each(drop);
        assert_eq!(up.wait().unwrap().code(), Some(130));
        assert!(is_clean(temporary.path()));
    }
}

#[test]
fn a_local_server_leaves_nothing_after_a_panic() {
    let unwound = catch_unwind(|| {
        let server = LocalServer::start(false, &[]).expect("redis-server is installed");
        std::panic::panic_any((server.id(), server.folder().to_owned()));
    });
    let found = unwound.expect_err("it panics").downcast::<(u32, std::path::PathBuf)>();
    let (id, folder) = *found.expect("the id and the folder");
    assert!(!folder.exists());
    assert!(!Path::new(&format!("/proc/{id}")).exists());
}

#[test]
fn only_this_user_reaches_a_local_server() {
    use std::os::unix::fs::PermissionsExt;

    let server = LocalServer::start(false, &[]).expect("redis-server is installed");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(server.folder()), 0o700);
    assert_eq!(mode(&server.folder().join("socket")), 0o700);
    let error = LocalServer::start(false, &["--no-such-option", "1"]).unwrap_err().to_string();
    assert!(error.starts_with("redis-server ended as it started: "), "{error}");
}
