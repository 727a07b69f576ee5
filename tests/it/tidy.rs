//! The rules of the repository that no compiler and no lint keeps. Who may
//! import whom is read from the table in `ARCHITECTURE.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

mod source;

use source::{Kind, Token};

/// The room that may name everything and that no other room may name.
const ROOT: &str = "lib";

/// Words that a room has no use for: what it must not know.
const ABSENT: [(&str, &[&str]); 11] = [
    ("merge/ready", &["sync", "Waker", "Context", "Stream"]),
    ("merge/tree", &["sync", "Waker", "Context", "Stream"]),
    ("merge/slots", &["Waker", "Context", "Stream"]),
    ("merge/wake", &["Stream", "Mutex", "RwLock"]),
    ("board/event", OUTSIDE),
    ("board/model", OUTSIDE),
    ("board/model/index", OUTSIDE),
    ("board/model/row", OUTSIDE),
    ("console/frame", OUTSIDE),
    ("console/row", OUTSIDE),
    ("console/ansi", OUTSIDE),
];

/// Clocks and everything that can fail.
const OUTSIDE: &[&str] = &["Instant", "SystemTime", "async_channel", "env", "fs", "io"];

/// How to write the escape character in a literal, and the C1 form of `ESC [`.
const ESCAPES: [&str; 4] = [r"\x1b", r"\u{1b}", r"\u{9b}", "\u{1b}"];

/// What people read, at the top and below.
const TRACKED: [&str; 12] = [
    ".ci",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.toml",
    "README.md",
    "benches",
    "clippy.toml",
    "examples",
    "rustfmt.toml",
    "src",
    "tests",
];

#[test]
fn every_file_in_src_has_a_row_in_the_table_and_every_row_a_file() {
    let rows: BTreeSet<String> = rooms().into_keys().collect();
    let files: BTreeSet<String> = sources().iter().map(|file| room_of(file)).collect();
    let apart: Vec<&String> = rows.symmetric_difference(&files).collect();
    assert!(apart.is_empty(), "only in src or only in ARCHITECTURE.md: {apart:?}");
}

#[test]
fn rooms_import_only_what_the_table_allows() {
    let rooms = rooms();
    let found = each_room(|room, tokens| forbidden_imports(&rooms, room, tokens));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_table_allows_no_more_than_is_used() {
    let rooms = rooms();
    let found = each_room(|room, tokens| {
        let used = imported_rooms(&rooms, room, tokens);
        let used: BTreeSet<String> = used.into_iter().map(|(to, _)| to).collect();
        rooms[room].difference(&used).map(|unused| format!("does not import {unused}")).collect()
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_table_has_no_cycle() {
    let mut left = rooms();
    left.remove(ROOT);
    while let Some(leaf) = left.iter().find(|(_, may)| may.is_empty()).map(|(name, _)| name.clone())
    {
        left.remove(&leaf);
        for may in left.values_mut() {
            may.remove(&leaf);
        }
    }
    assert!(left.is_empty(), "in or behind a cycle: {left:?}");
}

#[test]
fn the_table_names_only_rooms_and_never_the_root() {
    let rooms = rooms();
    for (room, may) in &rooms {
        let strangers: Vec<_> =
            may.iter().filter(|name| !rooms.contains_key(*name) || *name == ROOT).collect();
        assert!(strangers.is_empty(), "{room} may import {strangers:?}");
    }
}

#[test]
fn unsafe_stands_only_in_the_two_rooms_that_own_memory() {
    let found = each_room(|room, tokens| match room {
        "merge/wake" | "merge/slots" => Vec::new(),
        _ => words(tokens, &["unsafe"]),
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn escape_sequences_stand_only_in_ansi() {
    let found = each_room(|room, tokens| match room {
        "console/ansi" => Vec::new(),
        _ => escapes(&source::without_tests(tokens)),
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_clock_is_read_only_by_the_board() {
    let found = each_room(|room, tokens| match room {
        "board" => Vec::new(),
        _ => clock_reads(tokens),
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn rooms_do_not_know_what_is_none_of_their_business() {
    let found = each_room(|room, tokens| {
        let absent = ABSENT.iter().find(|(name, _)| *name == room);
        absent.map_or_else(Vec::new, |(_, absent)| words(&source::without_tests(tokens), absent))
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn guides_stay_short() {
    for (guide, most) in [("ARCHITECTURE.md", 120), ("CONTRIBUTING.md", 60)] {
        let lines = read(&root().join(guide)).lines().count();
        assert!(lines <= most, "{guide} has {lines} lines, at most {most} are allowed");
    }
}

#[test]
fn every_dependency_has_a_row_in_the_readme() {
    let manifest = read(&root().join("Cargo.toml"));
    let sections = manifest.split("\n[").filter_map(|section| section.split_once("]\n"));
    let ours =
        sections.filter(|(title, _)| title.ends_with("dependencies") && !title.contains("dev-"));
    let lines = ours.flat_map(|(_, section)| section.lines());
    let names = lines.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name);
    let readme = read(&root().join("README.md"));
    let missing: Vec<&str> =
        names.filter(|name| !readme.contains(&format!("\n| {name}"))).collect();
    assert!(missing.is_empty(), "say in README.md why {missing:?} is needed");
}

#[test]
fn every_example_is_listed_in_the_readme() {
    let readme = read(&root().join("README.md"));
    let listed = |file: &PathBuf| readme.contains(&format!("(examples/{})", name_of(file)));
    let missing: Vec<PathBuf> =
        files("examples").into_iter().filter(|file| !listed(file)).collect();
    assert!(missing.is_empty(), "say in README.md what {missing:?} shows");
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    let top = ["work", "tmp", "root", "home", "Users"].map(|folder| format!("/{folder}/"));
    let names_one = |line: &str| top.iter().any(|path| line.contains(path));
    let mut found = Vec::new();
    for file in TRACKED.into_iter().flat_map(files) {
        let text = read(&file);
        let lines = (1..).zip(text.lines()).filter(|(_, line)| names_one(line));
        found.extend(lines.map(|(number, line)| format!("{}:{number}: {line}", file.display())));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_forbidden_import_is_found_however_it_is_written() {
    let rooms = table(
        "| `board.rs` | | `board/job` |\n| `board/job.rs` | | – |\n| `console.rs` | | `board` |\n\
         | `console/frame.rs` | | – |\n| `lib.rs` | | all |",
    );
    for (room, line, to) in [
        ("board", "use crate::console::Console;", "console"),
        ("board", "use super::console::{Console, LiveBoard as Live};", "console"),
        ("board", "use crate::{board::job::Job, console};", "console"),
        ("board", "use crate::{board::{self, job as j}, console::frame::*};", "console/frame"),
        ("board", "fn f() { crate::console::open(); }", "console"),
        ("board", "mod tests { use super::super::console::Console; }", "console"),
        ("board", "impl From<crate::console::frame::Frame> for X {}", "console/frame"),
        ("board/job", "use super::Board;", "board"),
        ("console", "mod frame;\nuse frame::Frame;", "console/frame"),
        ("board", "use crate::Event;", ROOT),
        ("board", "use super::Event;", ROOT),
        ("board", "use crate::*;", ROOT),
        ("console/frame", "macro_rules! m { () => { $crate::merge() }; }", ROOT),
    ] {
        let found = forbidden_imports(&rooms, room, &source::tokens(line));
        let complaint = format!("imports {to}");
        assert!(!found.is_empty(), "{line}");
        assert!(found.iter().all(|found| found.ends_with(&complaint)), "{line}: {found:?}");
    }
}

#[test]
fn what_only_looks_like_a_forbidden_import_is_let_through() {
    let rooms = table("| `board.rs` | | `board/job` |\n| `board/job.rs` | | – |");
    for line in [
        "mod job;\npub use job::{Job, JobOptions};",
        "use crate::board::job::Job;",
        "use self::inner::Thing;\nmod inner { pub struct Thing; }",
        "mod tests { use super::*; }",
        "//! [`Console`](crate::console::Console)\n/* use crate::console; */",
        r##"const A: &str = "crate::console"; const B: &str = r#"" crate::console "#;"##,
        "fn f<'a>(x: &'a str) -> char { 'b' } // crate::console",
        "pub(crate) fn g() { std::console::crate_of() }",
        "use other::console::job::Job;",
    ] {
        let found = forbidden_imports(&rooms, "board", &source::tokens(line));
        assert!(found.is_empty(), "{line}: {found:?}");
    }
}

#[test]
fn an_escape_is_found_in_code_and_let_through_in_tests() {
    for code in [r#"f("\x1b[0m")"#, r#"f('\u{1B}')"#, r#"f(b"\u{1b}")"#, "f(\"\u{1b}\")"] {
        assert_eq!(escapes(&source::tokens(code)).len(), 1, "{code}");
        let test = format!("#[cfg(all(test, unix))] mod tests {{ {code} }} g('x')");
        assert!(escapes(&source::without_tests(&source::tokens(&test))).is_empty(), "{test}");
        let after = format!("#[cfg(test)] mod tests {{ g('x') }} {code}");
        assert_eq!(escapes(&source::without_tests(&source::tokens(&after))).len(), 1, "{after}");
    }
}

/// Each room and the rooms that it may import, as `ARCHITECTURE.md` has it.
fn rooms() -> BTreeMap<String, BTreeSet<String>> {
    table(&read(&root().join("ARCHITECTURE.md")))
}

/// The rows of a table whose first column is a file in backticks and whose
/// last column names rooms in backticks.
fn table(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut rooms = BTreeMap::new();
    for row in text.lines().filter(|line| line.starts_with("| `")) {
        let columns: Vec<&str> = row.trim_matches('|').split('|').collect();
        let [file, _, may] = columns[..] else { panic!("not three columns: {row}") };
        let Some(room) = in_backticks(file).next().and_then(|file| file.strip_suffix(".rs")) else {
            continue;
        };
        rooms.insert(room.to_string(), in_backticks(may).map(str::to_string).collect());
    }
    rooms
}

fn in_backticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The imports of a room that the table does not allow.
fn forbidden_imports(
    rooms: &BTreeMap<String, BTreeSet<String>>,
    room: &str,
    tokens: &[Token<'_>],
) -> Vec<String> {
    if room == ROOT {
        return Vec::new();
    }
    let forbidden = |(to, _): &(String, usize)| to != room && !rooms[room].contains(to);
    let imports = imported_rooms(rooms, room, tokens).into_iter().filter(forbidden);
    imports.map(|(to, line)| format!("line {line}: {room} imports {to}")).collect()
}

/// The rooms that a room names, itself among them, and in which line.
fn imported_rooms(
    rooms: &BTreeMap<String, BTreeSet<String>>,
    room: &str,
    tokens: &[Token<'_>],
) -> Vec<(String, usize)> {
    let module: Vec<&str> = room.split('/').collect();
    let imports = source::imports(&module, tokens);
    imports.into_iter().map(|import| (room_named(rooms, &import.path), import.line)).collect()
}

/// The room that holds what this path names: the one with the longest name
/// that the path starts with.
fn room_named(rooms: &BTreeMap<String, BTreeSet<String>>, path: &[&str]) -> String {
    let prefixes = (1..=path.len()).rev().map(|length| path[..length].join("/"));
    prefixes.into_iter().find(|name| rooms.contains_key(name)).unwrap_or_else(|| ROOT.into())
}

/// Where these words stand.
fn words(tokens: &[Token<'_>], words: &[&str]) -> Vec<String> {
    let named =
        |token: &&Token<'_>| matches!(token.kind, Kind::Word(word) if words.contains(&word));
    tokens
        .iter()
        .filter(named)
        .map(|token| format!("line {}: {:?}", token.line, token.kind))
        .collect()
}

fn escapes(tokens: &[Token<'_>]) -> Vec<String> {
    let holds_one = |text: &str| ESCAPES.iter().any(|escape| text.contains(escape));
    let is_one = |token: &&Token<'_>| match token.kind {
        Kind::Literal(text) => holds_one(&text.to_lowercase()),
        Kind::Word(word) => word.eq_ignore_ascii_case("0x1b"),
        Kind::Sign(_) => false,
    };
    tokens
        .iter()
        .filter(is_one)
        .map(|token| format!("line {}: {:?}", token.line, token.kind))
        .collect()
}

fn clock_reads(tokens: &[Token<'_>]) -> Vec<String> {
    let read = [Kind::Word("Instant"), Kind::Sign("::"), Kind::Word("now")];
    let found = tokens.windows(3).filter(|window| window.iter().map(|token| token.kind).eq(read));
    found.map(|window| format!("line {}: Instant::now", window[0].line)).collect()
}

/// What `complaints` has to say of each room, with the file's name before it.
fn each_room(complaints: impl Fn(&str, &[Token<'_>]) -> Vec<String>) -> Vec<String> {
    let mut found = Vec::new();
    for file in sources() {
        let text = read(&file);
        let all = complaints(&room_of(&file), &source::tokens(&text));
        found.extend(all.into_iter().map(|complaint| format!("{}: {complaint}", file.display())));
    }
    found
}

/// The name of the room that a file in `src` is: its path there, without `.rs`.
fn room_of(file: &Path) -> String {
    let inside = file.strip_prefix(root().join("src")).expect("a file in src");
    let name = inside.with_extension("");
    name.to_str().expect("a name in UTF-8").replace(std::path::MAIN_SEPARATOR, "/")
}

/// The files at and below a path of the repository. What is not there has none:
/// packages leave some out.
/// The files of code in src; pages of the guide are not rooms.
fn sources() -> Vec<PathBuf> {
    let is_code = |file: &PathBuf| file.extension() == Some(OsStr::new("rs"));
    files("src").into_iter().filter(is_code).collect()
}

pub(crate) fn files(path: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![root().join(path)];
    while let Some(path) = left.pop() {
        if path.is_file() {
            found.push(path);
        } else if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a readable folder");
            left.extend(entries.map(|entry| entry.expect("a readable entry").path()));
        }
    }
    found.sort();
    found
}

fn name_of(file: &Path) -> &str {
    file.file_name().and_then(OsStr::to_str).expect("a name in UTF-8")
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
