//! The job of the command: the SHA-256 of a file.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use active_status::{Job, ProgressStyle};
use rustix::fs::{CWD, Mode, OFlags, openat};
use sha2::{Digest, Sha256};

/// Hashes files below a folder.
#[derive(Clone, Debug)]
pub(crate) struct Checksum {
    root: Arc<OwnedFd>,
}

impl Checksum {
    pub(crate) fn new(root: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { root: Arc::new(openat(CWD, root, flags, Mode::empty())?) })
    }

    /// Returns the checksum of a file in hexadecimal digits. The path is that of a file
    /// below the root, however it is named: it has no `..`, and leads through no link.
    pub(crate) fn hash(&self, path: &[u8], row: &Job) -> io::Result<Vec<u8>> {
        let mut file = self.open(Path::new(OsStr::from_bytes(path)))?;
        row.set_style(ProgressStyle::bytes().rate().eta());
        row.start_progress(file.metadata()?.len());
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(hex(&hasher.finalize())),
                Ok(length) => {
                    hasher.update(&buffer[..length]);
                    row.tick_by(length as u64);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        let outside = || io::Error::new(ErrorKind::InvalidInput, "not a path below the root");
        // A pipe without a writer would be waited for.
        let base = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mut folder: Option<OwnedFd> = None;
        let mut parts = path.components().peekable();
        while let Some(part) = parts.next() {
            let Component::Normal(part) = part else { return Err(outside()) };
            let is_last = parts.peek().is_none();
            let flags = if is_last { base } else { base | OFlags::DIRECTORY };
            let inside = folder.as_ref().unwrap_or(&self.root);
            let opened = openat(inside, part, flags, Mode::empty())?;
            if is_last {
                let file = File::from(opened);
                let is_file = file.metadata()?.is_file();
                return if is_file { Ok(file) } else { Err(io::Error::other("not a file")) };
            }
            folder = Some(opened);
        }
        Err(outside())
    }
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Finds the files below a folder, by their paths in it. Links and special files are
/// passed over. A folder that cannot be read is passed to `unreadable`.
pub(crate) fn files(
    root: &Path,
    mut unreadable: impl FnMut(&Path, &io::Error),
) -> io::Result<Vec<Vec<u8>>> {
    // The root itself must be readable.
    root.read_dir()?;
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let children =
            root.join(&folder).read_dir().and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let children = match children {
            Ok(children) => children,
            Err(error) => {
                unreadable(&folder, &error);
                continue;
            }
        };
        for child in children {
            let path = folder.join(child.file_name());
            match child.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                Ok(kind) if kind.is_file() => {
                    found.push(path.into_os_string().into_encoded_bytes());
                }
                Ok(_) => {}
                Err(error) => unreadable(&path, &error),
            }
        }
    }
    Ok(found)
}

/// Writes the line that `sha256sum` prints for a file. A name with a newline, a return or
/// a backslash is escaped, and the line then starts with a backslash.
pub(crate) fn write_sum(output: &mut impl Write, name: &[u8], sum: &[u8]) -> io::Result<()> {
    let is_special = |byte: &u8| matches!(byte, b'\\' | b'\n' | b'\r');
    if name.iter().any(is_special) {
        output.write_all(b"\\")?;
    }
    output.write_all(sum)?;
    output.write_all(b"  ")?;
    for part in name.split_inclusive(is_special) {
        match part.split_last() {
            Some((b'\\', part)) => output.write_all(&[part, br"\\"].concat())?,
            Some((b'\n', part)) => output.write_all(&[part, br"\n"].concat())?,
            Some((b'\r', part)) => output.write_all(&[part, br"\r"].concat())?,
            _ => output.write_all(part)?,
        }
    }
    output.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use active_status::board;

    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn only_files_below_the_root_are_opened() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("root");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/file"), "").unwrap();
        fs::write(outer.path().join("secret"), "").unwrap();
        symlink("../secret", root.join("link")).unwrap();
        symlink("a", root.join("folder")).unwrap();
        rustix::fs::mknodat(CWD, root.join("pipe"), rustix::fs::FileType::Fifo, Mode::RWXU, 0)
            .unwrap();
        let checksum = Checksum::new(&root).unwrap();
        let (board, _events) = board();
        let row = board.add_job("");
        let hash = |path: &str| checksum.hash(path.as_bytes(), &row);
        assert_eq!(hash("a/b/file").unwrap(), EMPTY.as_bytes());
        let absolute = outer.path().join("secret").display().to_string();
        for path in [
            "",
            ".",
            "/",
            "..",
            "../secret",
            "a/../../secret",
            "a/../a/b/file",
            "link",
            "folder/b/file",
            "a",
            "a/b/file/c",
            "pipe",
            "none",
            "a\0b",
            absolute.as_str(),
        ] {
            assert!(hash(path).is_err(), "{path}");
        }
        let mut found = files(&root, |_, _| panic!("all is readable")).unwrap();
        found.sort();
        assert_eq!(found, [b"a/b/file".to_vec()]);
    }

    #[test]
    fn lines_are_those_of_sha256sum() {
        let line = |name: &str| {
            let mut line = Vec::new();
            write_sum(&mut line, name.as_bytes(), b"00").unwrap();
            String::from_utf8(line).unwrap()
        };
        assert_eq!(line("a b"), "00  a b\n");
        assert_eq!(line("a\nb\\c\r"), "\\00  a\\nb\\\\c\\r\n");
    }
}
