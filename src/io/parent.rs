//! The connection of a process to the board of its parent.

use std::env;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process;
use std::time::Duration;

/// The variable that names the socket of the parent: `unix:PATH`.
pub(crate) const VARIABLE: &str = "ACTIVE_STATUS";
/// The text before the path.
pub(crate) const SCHEME: &str = "unix:";
/// The byte with which the parent accepts a connection.
pub(crate) const ACCEPTED: u8 = b'\n';
/// The maximum time for the answer of the parent.
pub(crate) const ANSWER: Duration = Duration::from_secs(1);

/// Connects to the board of the parent, if there is one and it answers.
pub(crate) fn connect() -> Option<UnixStream> {
    let value = env::var_os(VARIABLE)?;
    let path = value.as_bytes().strip_prefix(SCHEME.as_bytes())?;
    let mut stream = UnixStream::connect(Path::new(OsStr::from_bytes(path))).ok()?;
    introduce(&mut stream).is_ok().then_some(stream)
}

/// Sends the name and the id of this process, and waits for the answer.
fn introduce(stream: &mut UnixStream) -> io::Result<()> {
    let program = env::args_os().next().unwrap_or_default();
    let program = Path::new(&program).file_stem().unwrap_or_default().to_string_lossy();
    let name = serde_json::Value::from(program);
    writeln!(stream, "{{\"v\":1,\"name\":{name},\"pid\":{}}}", process::id())?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.read_exact(&mut [0])
}
