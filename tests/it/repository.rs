//! The files of the repository, for tests that read them.

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn files(path: &str) -> Vec<PathBuf> {
    let (mut found, mut left) = (Vec::new(), vec![root().join(path)]);
    while let Some(path) = left.pop() {
        if path.is_file() {
            found.push(path);
        } else {
            left.extend(
                fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path()),
            );
        }
    }
    found.sort();
    found
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
