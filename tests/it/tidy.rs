//! The rules of the repository that neither the compiler nor a lint enforces.

use std::path::PathBuf;

use crate::repository::{files, read, root};

/// The folders of `src` that the code of each folder may name. `lib.rs` may name all of
/// them.
const ARROWS: [(&str, &[&str]); 12] = [
    ("board", &["units"]),
    ("console", &["board", "io", "record", "units"]),
    ("guide", &[]),
    ("io", &["board"]),
    ("plain_text", &[]),
    ("pool", &[]),
    ("record", &["board"]),
    ("progress", &["board", "console", "units"]),
    ("relay", &["board", "io", "plain_text", "record"]),
    ("testing", &["board", "console"]),
    ("units", &[]),
    ("with_status", &["board", "pool"]),
];

#[test]
fn each_folder_names_only_the_folders_below_it() {
    let src = root().join("src");
    let code = |file: &PathBuf| {
        file.extension().is_some_and(|end| end == "rs") && !file.ends_with("src/lib.rs")
    };
    for file in files("src").into_iter().filter(code) {
        let path = file.strip_prefix(&src).expect("a file in src").with_extension("");
        let folder = path.iter().next().expect("a name").to_str().expect("UTF-8");
        let named = ARROWS.iter().find(|(from, _)| *from == folder);
        let (_, allowed) = named.unwrap_or_else(|| panic!("src/{folder} is not listed in ARROWS"));
        let text = read(&file);
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for name in line.split("crate::").skip(1) {
                let to = name.split(|char: char| !char.is_alphanumeric() && char != '_').next();
                let to = to.expect("the first part of a split");
                let fine = to == folder || allowed.contains(&to);
                assert!(fine, "{} names {to:?}: {line}", file.display());
            }
        }
    }
}

#[test]
fn every_dependency_has_a_row_in_the_readme() {
    let (manifest, readme) = (read(&root().join("Cargo.toml")), read(&root().join("README.md")));
    let sections = manifest.split("\n[").filter_map(|section| section.split_once("]\n"));
    let normal = sections
        .filter(|(title, _)| title.ends_with("dependencies") && !title.contains("dev-dependencies"))
        .filter(|(title, _)| !title.starts_with("workspace"));
    for line in normal.flat_map(|(_, section)| section.lines()) {
        let Some((name, _)) = line.split_once(" = ") else { continue };
        assert!(readme.contains(&format!("\n| {name}")), "say in README.md why {name} is needed");
    }
}
