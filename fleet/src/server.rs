//! A server of the fleet on this machine, for one run.

use std::fs::Permissions;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use tempfile::TempDir;

use crate::address::Address;

/// The servers to try, in this order.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

/// A Redis or Valkey server of this process. It listens on a Unix socket in a folder that
/// only this user can enter, and on no port. It is killed, and its data deleted, when this is
/// dropped.
#[derive(Debug)]
pub struct LocalServer {
    process: Child,
    folder: TempDir,
    options: Vec<String>,
}

impl LocalServer {
    /// Starts a server, which writes its append-only file to the disk once a second, and
    /// before each reply with `sync`. `options` are further options of `redis-server`.
    ///
    /// # Errors
    ///
    /// Fails if neither `redis-server` nor `valkey-server` is installed, or if it ends
    /// before it accepts connections.
    pub fn start(sync: bool, options: &[&str]) -> io::Result<Self> {
        let only_owner = Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix("fleet-").permissions(only_owner).tempdir()?;
        let fsync = if sync { "always" } else { "everysec" };
        let all = ["--appendonly", "yes", "--appendfsync", fsync].into_iter();
        let options: Vec<_> = all.chain(options.iter().copied()).map(str::to_owned).collect();
        let process = spawn(folder.path(), &options)?;
        Ok(Self { process, folder, options })
    }

    /// Returns the address of the server.
    pub fn address(&self) -> Address {
        let address = format!("unix://{}", socket(self.folder.path()).display());
        address.parse().expect("the address of a socket")
    }

    /// Returns the folder of the server's data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the id of the server's process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Kills the server. Its data stays.
    pub fn kill(&mut self) {
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }

    /// Starts the server again with its data, after it was killed.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn restart(&mut self) -> io::Result<()> {
        self.kill();
        self.process = spawn(self.folder.path(), &self.options)?;
        Ok(())
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("socket")
}

/// Starts a server, and waits until it accepts connections.
fn spawn(folder: &Path, options: &[String]) -> io::Result<Child> {
    for program in PROGRAMS {
        let mut command = Command::new(program);
        command.args(["--port", "0", "--unixsocketperm", "700", "--save", "", "--unixsocket"]);
        command.arg(socket(folder)).arg("--dir").arg(folder).args(options);
        // Ctrl-C in a terminal is for this process alone, which ends the server last.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped());
        match command.spawn() {
            Ok(process) => return ready(process, program),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let problem = "redis-server is not installed: try `sudo apt-get install redis-server`";
    Err(io::Error::new(ErrorKind::NotFound, problem))
}

fn ready(mut process: Child, program: &str) -> io::Result<Child> {
    let mut log = BufReader::new(process.stdout.take().expect("a pipe"));
    let mut last = String::new();
    let mut line = String::new();
    while log.read_line(&mut line)? > 0 {
        if line.contains("ready to accept connections") {
            // A full pipe would stop the server.
            thread::spawn(move || io::copy(&mut log, &mut io::sink()));
            return Ok(process);
        }
        if !line.trim().is_empty() {
            line.trim().clone_into(&mut last);
        }
        line.clear();
    }
    let _ended = process.wait();
    Err(io::Error::other(format!("{program} ended as it started: {last}")))
}
