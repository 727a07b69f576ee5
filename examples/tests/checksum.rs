//! Runs `examples/checksum.rs` as a process and compares its lines with `sha256sum`.

// Windows has other separators, and does not allow all of these file names.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

/// The checksum of an empty file.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn each_file_has_the_line_that_sha256sum_prints() {
    let tree = Tree::new("large");
    let mut expected = BTreeSet::new();
    for number in 0..3_000 {
        let name = format!("{}/{}/file {number}", number % 7, number % 31);
        let text = number.to_string().repeat(number % 200);
        tree.file(&name, &text);
        expected.insert(format!("{}  {name}", sum(&text)));
    }
    let large = "a line that is longer than one buffer holds\n".repeat(100_000);
    tree.file("large", &large);
    expected.insert(format!("{}  large", sum(&large)));

    let output = tree.checksum(&["--workers", "5"]);

    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let lines: Vec<String> = lines(&output.stdout).map(str::to_string).collect();
    assert_eq!(lines.len(), expected.len());
    assert_eq!(BTreeSet::from_iter(lines), expected);
    tree.agrees_with_sha256sum(&output.stdout);
}

#[test]
fn names_are_escaped_like_those_of_coreutils() {
    for (name, line) in [
        ("plain", format!("{EMPTY}  plain\n")),
        (" two  spaces ", format!("{EMPTY}   two  spaces \n")),
        ("*star", format!("{EMPTY}  *star\n")),
        ("-", format!("{EMPTY}  ./-\n")),
        ("--workers", format!("{EMPTY}  --workers\n")),
        ("été/☃", format!("{EMPTY}  été/☃\n")),
        ("tab\there", format!("{EMPTY}  tab\there\n")),
        ("new\nline", format!("\\{EMPTY}  new\\nline\n")),
        ("return\r", format!("\\{EMPTY}  return\\r\n")),
        ("back\\slash", format!("\\{EMPTY}  back\\\\slash\n")),
    ] {
        let tree = Tree::new("names");
        tree.file(name, "");
        let output = tree.checksum(&[]);
        assert_eq!(String::from_utf8_lossy(&output.stdout), line, "{name:?}");
        tree.agrees_with_sha256sum(&output.stdout);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf8_keep_their_bytes() {
    use std::os::unix::ffi::OsStrExt;

    let tree = Tree::new("bytes");
    tree.file(OsStr::from_bytes(b"caf\xe9"), "");
    let output = tree.checksum(&[]);
    assert_eq!(output.stdout, [EMPTY.as_bytes(), b"  caf\xe9\n"].concat());
    tree.agrees_with_sha256sum(&output.stdout);
}

#[test]
fn symbolic_links_and_special_files_are_skipped() {
    let tree = Tree::new("special");
    tree.file("folder/file", "");
    std::os::unix::fs::symlink("folder/file", tree.path.join("link")).unwrap();
    std::os::unix::fs::symlink("..", tree.path.join("folder/up")).unwrap();
    std::os::unix::fs::symlink("nowhere", tree.path.join("broken")).unwrap();
    let pipe = Command::new("mkfifo").arg(tree.path.join("pipe")).status();
    assert!(pipe.expect("mkfifo is there").success());

    let output = tree.checksum(&[]);

    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{EMPTY}  folder/file\n"));
}

#[test]
fn a_folder_without_files_has_no_lines() {
    let tree = Tree::new("empty");
    fs::create_dir_all(tree.path.join("folder")).unwrap();
    let output = tree.checksum(&[]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0), "{output:?}");
}

#[test]
fn a_deleted_file_fails_and_the_others_are_hashed() {
    let tree = Tree::new("vanished");
    let names: BTreeSet<String> = (0..20_000).map(|number| format!("file-{number}-")).collect();
    for name in &names {
        tree.file(name, "");
    }
    // The first line comes after the search of the folder. The pipe is too small for
    // all other lines, so the program blocks until the test reads again.
    let log = tree.path.with_extension("log");
    let mut child = tree.command(&[]).stderr(File::create(&log).unwrap()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    stdout.read_line(&mut text).unwrap();
    for name in &names {
        fs::remove_file(tree.path.join(name)).unwrap();
    }
    stdout.read_to_string(&mut text).unwrap();
    let status = child.wait().unwrap();
    let stderr = fs::read_to_string(&log).unwrap();
    fs::remove_file(log).unwrap();

    assert_eq!(status.code(), Some(1));
    assert!(text.lines().all(|line| line.starts_with(EMPTY)));
    let done: BTreeSet<&str> = text.lines().filter_map(name_in).collect();
    let failures = stderr.lines().filter(|line| line.contains("(failed"));
    let failed: BTreeSet<&str> = failures.filter_map(name_in).collect();
    assert!(!failed.is_empty() && done.is_disjoint(&failed));
    assert!(done.union(&failed).copied().eq(names.iter().map(String::as_str)));
}

/// Returns the name `file-…-` in a line.
fn name_in(line: &str) -> Option<&str> {
    let name = &line[line.find("file-")?..];
    let end = "file-".len() + name["file-".len()..].find('-')?;
    Some(&name[..=end])
}

#[test]
fn an_unreadable_file_fails_and_the_others_are_hashed() {
    use std::os::unix::fs::PermissionsExt;

    let tree = Tree::new("forbidden");
    tree.file("open", "");
    tree.file("closed", "");
    tree.file("folder/inside", "");
    for name in ["closed", "folder"] {
        fs::set_permissions(tree.path.join(name), PermissionsExt::from_mode(0o0)).unwrap();
    }
    // The superuser can read the file despite its permissions.
    let forbidden = File::open(tree.path.join("closed")).is_err();
    let output = tree.checksum(&[]);
    fs::set_permissions(tree.path.join("folder"), PermissionsExt::from_mode(0o700)).unwrap();

    let lines = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(lines.contains(&format!("{EMPTY}  open\n")), "{lines}");
    if forbidden {
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(lines.lines().count(), 1, "{lines}");
        assert_eq!(stderr.matches("Permission denied").count(), 2, "{stderr}");
    }
}

#[test]
fn a_missing_folder_is_a_failure() {
    let tree = Tree::new("missing");
    fs::remove_dir_all(&tree.path).unwrap();
    let output = tree.checksum(&[]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains(tree.path.to_str().unwrap()), "{stderr}");
}

#[test]
fn bad_arguments_print_the_usage_and_exit_with_2() {
    for arguments in [
        &["--workers"][..],
        &["--workers", "0"],
        &["--workers", "-1"],
        &["--workers", "many"],
        &["--worker", "1"],
        &["-x"],
        &[".", "."],
    ] {
        let output = command(arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.ends_with("usage: checksum [--workers N] [PATH]\n"), "{stderr}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_closed_pipe_ends_the_program_without_an_error() {
    let tree = Tree::new("head");
    for number in 0..20_000 {
        tree.file(format!("file {number}"), "");
    }
    let mut child = tree.command(&[]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(line.starts_with(EMPTY), "{line}");
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(!stderr.contains("panicked") && !stderr.contains("pipe"), "{stderr}");
}

#[test]
fn a_closed_standard_error_does_not_stop_the_program() {
    let tree = Tree::new("closed");
    tree.file("file", "");
    let closed_stderr = |mut command: Command| {
        let mut child = command.spawn().unwrap();
        drop(child.stderr.take());
        child.wait_with_output().unwrap()
    };
    let output = closed_stderr(tree.command(&[]));
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{EMPTY}  file\n"));
    assert_eq!(closed_stderr(command(&["no such folder"])).status.code(), Some(1));
    assert_eq!(closed_stderr(command(&["--no-such-option"])).status.code(), Some(2));
}

#[test]
fn a_log_has_useful_lines_and_no_escapes() {
    let tree = Tree::new("log");
    for number in 0..100 {
        tree.file(format!("file {number}"), "some text");
    }
    let log = tree.path.with_extension("log");
    let mut command = tree.command(&[]);
    let status = command.stdout(Stdio::null()).stderr(File::create(&log).unwrap()).status();
    let text = fs::read_to_string(&log).unwrap();
    fs::remove_file(log).unwrap();
    assert!(status.unwrap().success());
    assert!(text.contains("100/100 files"), "{text}");
    assert!(!text.contains(['\u{1b}', '\r']), "{text}");
}

fn sum(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &str> {
    std::str::from_utf8(bytes).expect("lines in UTF-8").lines()
}

/// A folder for one test, deleted when it is dropped.
struct Tree {
    path: PathBuf,
}

impl Tree {
    fn new(test: &str) -> Self {
        let name = format!("checksum-{test}-{}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self { path }
    }

    fn file(&self, name: impl AsRef<Path>, text: &str) {
        let path = self.path.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn command(&self, options: &[&str]) -> Command {
        let mut command = command(options);
        command.arg(&self.path);
        command
    }

    fn checksum(&self, options: &[&str]) -> Output {
        self.command(options).output().unwrap()
    }

    /// Checks the lines inside the folder with the `sha256sum` of coreutils, if it is
    /// installed. Those of other systems do not read escaped names.
    fn agrees_with_sha256sum(&self, lines: &[u8]) {
        if !cfg!(target_os = "linux") {
            return;
        }
        let mut command = Command::new("sha256sum");
        command.args(["--check", "--strict", "--quiet"]).current_dir(&self.path);
        let Ok(mut child) = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() else {
            return;
        };
        child.stdin.take().unwrap().write_all(lines).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.path);
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(example());
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Returns the path of the example, which `cargo test` builds before it runs any
/// test. `cargo test --test checksum` does not build it, so this compares the program
/// with the list of its sources that cargo writes beside it.
fn example() -> &'static Path {
    static EXAMPLE: OnceLock<PathBuf> = OnceLock::new();
    EXAMPLE.get_or_init(|| {
        let modified = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
        let test = env::current_exe().unwrap();
        let folder = test.ancestors().nth(2).unwrap().join("examples");
        let program = folder.join("checksum").with_extension(env::consts::EXE_EXTENSION);
        let built = modified(&program);
        let sources = fs::read_to_string(folder.join("checksum.d")).unwrap_or_default();
        let mut sources = sources.split_whitespace().skip(1).map(Path::new);
        assert!(
            built.is_some() && sources.all(|source| modified(source) <= built),
            "{} is missing or old: `cargo build --example checksum` builds it",
            program.display()
        );
        program
    })
}
