//! What the program writes, into files.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::io::redirect::{Diversion, Stream};

/// Leads standard output to the file `BASE.out` and standard error to
/// `BASE.err`, until the guard is dropped, also by a panic.
///
/// What the files hold stays, and more is appended; they and their folder are
/// made if they are not there. All that the process writes goes there, of all
/// threads, and what processes write that are started meanwhile. A
/// [`Console`](crate::Console) goes on where it was, or where it would be
/// without this.
///
/// Of several guards the newest one counts. It needs the feature `capture` and a
/// Unix system.
///
/// # Errors
///
/// Those of the folder and the files; then nothing is redirected.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # let folder = std::env::temp_dir().join(format!("active-status-{}", std::process::id()));
/// let base = folder.join("logs/build");
/// let files = active_status::redirect_output(&base)?;
/// std::process::Command::new("echo").arg("into the file").status()?;
/// drop(files);
/// assert_eq!(std::fs::read_to_string(folder.join("logs/build.out"))?, "into the file\n");
/// # std::fs::remove_dir_all(folder)
/// # }
/// ```
pub fn redirect_output(base: impl AsRef<Path>) -> io::Result<RedirectedOutput> {
    let base = base.as_ref();
    if let Some(folder) = base.parent() {
        fs::create_dir_all(folder)?;
    }
    let (out, err) = (append(base, ".out")?, append(base, ".err")?);
    let out = Diversion::new(Stream::Out, out.into())?;
    let err = Diversion::new(Stream::Err, err.into())?;
    Ok(RedirectedOutput { _streams: [out, err] })
}

/// Does some work, with its output [redirected](redirect_output) meanwhile.
///
/// # Errors
///
/// Those of the folder and the files; then the work is not done.
pub fn with_output_redirected<T>(
    base: impl AsRef<Path>,
    work: impl FnOnce() -> T,
) -> io::Result<T> {
    let _files = redirect_output(base)?;
    Ok(work())
}

/// The guard of [`redirect_output`].
#[derive(Debug)]
#[must_use = "the streams are given back when this is dropped"]
pub struct RedirectedOutput {
    _streams: [Diversion; 2],
}

/// Opens `base` with this at its end.
fn append(base: &Path, end: &str) -> io::Result<File> {
    let mut path = OsString::from(base);
    path.push(end);
    File::options().append(true).create(true).open(path)
}
