//! Redirecting standard output and standard error to files.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::io::redirect::{Redirect, StandardStream};

/// Redirects standard output to the file `BASE.out` and standard error to the file
/// `BASE.err`, until the guard is dropped.
///
/// The files and their folder are created if they do not exist, and output is appended to
/// them. The redirect applies to all threads of the process, and to child processes that
/// are spawned meanwhile. A [`Console`](crate::Console) keeps drawing on the original
/// standard error, even if it is opened later.
///
/// If several guards exist, the newest is in effect. A panic drops the guard like any
/// other value.
///
/// # Errors
///
/// Returns an error if the folder or a file cannot be created or opened. Nothing is
/// redirected in that case.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # let folder = std::env::temp_dir().join(format!("active-status-{}", std::process::id()));
/// let base = folder.join("logs/build");
/// let files = active_status::capture::redirect_output(&base)?;
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
    let out = Redirect::new(StandardStream::Out, out.into())?;
    let err = Redirect::new(StandardStream::Err, err.into())?;
    Ok(RedirectedOutput { _streams: [out, err] })
}

/// Runs `work` with standard output and standard error
/// [redirected](redirect_output) to files.
///
/// # Errors
///
/// Returns an error if the folder or a file cannot be created or opened. `work` does not
/// run in that case.
pub fn with_output_redirected<T>(
    base: impl AsRef<Path>,
    work: impl FnOnce() -> T,
) -> io::Result<T> {
    let _files = redirect_output(base)?;
    Ok(work())
}

/// The guard returned by [`redirect_output`].
#[derive(Debug)]
#[must_use = "the streams are restored when the guard is dropped"]
pub struct RedirectedOutput {
    _streams: [Redirect; 2],
}

/// Opens for appending the file whose path is `base` followed by `end`.
fn append(base: &Path, end: &str) -> io::Result<File> {
    let mut path = OsString::from(base);
    path.push(end);
    File::options().append(true).create(true).open(path)
}
