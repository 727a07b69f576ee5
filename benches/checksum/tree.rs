//! Folders of files to hash.

use std::fs;
use std::path::{Path, PathBuf};

/// A folder, deleted when it is dropped.
pub(crate) struct Tree {
    pub(crate) path: PathBuf,
}

impl Tree {
    /// Creates the given number of files, whose sizes go evenly from 0 to the largest.
    pub(crate) fn new(name: &str, files: usize, largest: usize) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("checksum-bench-{name}"));
        let _missing = fs::remove_dir_all(&path);
        let contents: Vec<u8> = (0..largest).map(|place| (place * 31 % 251) as u8).collect();
        for file in 0..files {
            let folder = path.join(format!("{}", file / 100));
            fs::create_dir_all(&folder).expect("a folder");
            let size = largest * (file + 1) / files;
            fs::write(folder.join(format!("file {file}")), &contents[..size]).expect("a file");
        }
        Self { path }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.path);
    }
}
