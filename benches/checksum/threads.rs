//! The loop to compare with: one thread per core, an index, and no board.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, thread};

use sha2::{Digest as _, Sha256};

use crate::checksum::{Digest, hex};

/// Prints the checksum of every file in the folder that the last argument names.
pub(crate) fn main() {
    let folder = PathBuf::from(env::args_os().next_back().expect("a folder"));
    let mut files = Vec::new();
    walk(&folder, &mut files);
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().expect("the number of cores");
    thread::scope(|scope| {
        for _ in 0..threads.get() {
            scope.spawn(|| {
                let (mut buffer, mut lines) = (vec![0; 64 * 1024], Vec::new());
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let name = file.strip_prefix(&folder).expect("a file below the folder");
                    lines.extend(hex(&hash(file, &mut buffer)));
                    writeln!(lines, "  {}", name.display()).expect("a vector");
                    if lines.len() > 8 * 1024 {
                        io::stdout().lock().write_all(&lines).expect("stdout");
                        lines.clear();
                    }
                }
                io::stdout().lock().write_all(&lines).expect("stdout");
            });
        }
    });
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("its type").is_dir() {
            walk(&entry.path(), files);
        } else {
            files.push(entry.path());
        }
    }
}

fn hash(path: &Path, buffer: &mut [u8]) -> Digest {
    let mut file = File::open(path).expect("a file");
    let mut hasher = Sha256::new();
    loop {
        match file.read(buffer).expect("a file that can be read") {
            0 => return hasher.finalize().into(),
            length => hasher.update(&buffer[..length]),
        }
    }
}
