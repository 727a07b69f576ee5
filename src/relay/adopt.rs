//! Descendants of this process, which find its board by themselves.

use std::collections::hash_map::RandomState;
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, DirBuilder};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{self, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::Deserialize;

use crate::board::Board;
use crate::board::lock::ignore_poison;
use crate::board::relayed::WeakBoard;
use crate::io::parent::{ACCEPTED, ANSWER, SCHEME, VARIABLE};
use crate::plain_text::plain_text;
use crate::relay::limits::Limits;
use crate::relay::{Relay, RelayOptions};

/// The maximum number of connections at once, and the limits over all of them on jobs and on
/// rows and lines per second.
const CONNECTIONS: usize = 256;
const JOBS: usize = 20_000;
const PER_SECOND: u32 = 5_000;
/// The maximum time that [`Adoption::finish`] waits.
const FINISH: Duration = Duration::from_secs(2);
/// The maximum lengths in bytes of the first line of a connection, and of a name.
const HELLO: u64 = 4_096;
const NAME: usize = 40;

impl Board {
    /// Lets descendants of this process show their boards on this one.
    ///
    /// A command that was given [`Adoption::env`] and all of its descendants find the
    /// board, also behind shells and build tools. Their [`Console::auto`](crate::Console::auto)
    /// connects to it instead of using standard error; nothing else changes for them. Each
    /// has a relay with a label such as `checksum[4711]`. The jobs of a process that was
    /// killed are [lost](crate::Outcome::Lost).
    ///
    /// At most 256 processes are adopted at once; others behave as if there were no
    /// parent. Together they have at most 20,000 jobs, and 5,000 new rows and lines per
    /// second. While a descendant is connected, it keeps the board open, as a
    /// [`Job`](crate::Job) does.
    ///
    /// Requires the feature `relay`, in the descendants as well, and a Unix system.
    ///
    /// # Errors
    ///
    /// Fails if the socket cannot be created in a new folder of the temporary folder.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::process::Command;
    ///
    /// use active_status::Console;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let board = Console::auto().open();
    /// let adoption = board.board().adopt()?;
    /// let mut make = Command::new("make");
    /// adoption.env(&mut make).spawn()?.wait()?;
    /// adoption.finish();
    /// board.shutdown();
    /// # Ok(())
    /// # }
    /// ```
    pub fn adopt(&self) -> io::Result<Adoption> {
        let random = RandomState::new().build_hasher().finish();
        let name = format!("active-status-{}-{random:x}", process::id());
        let folder = Folder(env::temp_dir().join(name));
        DirBuilder::new().mode(0o700).create(&folder.0)?;
        let socket = folder.0.join("board");
        let listener = UnixListener::bind(&socket)?;
        let shared = Arc::new(Shared {
            limits: Limits::new(JOBS, PER_SECOND, self.now()),
            state: Mutex::default(),
            ended: Condvar::new(),
        });
        let (board, state) = (self.downgrade(), Arc::clone(&shared));
        let listening = move || listen(&listener, &board, &state);
        let listener =
            thread::Builder::new().name("active-status-adopt".into()).spawn(listening)?;
        Ok(Adoption { socket, shared, listener: Some(listener), _folder: folder })
    }
}

/// The adoption of descendants of this process: see [`Board::adopt`].
///
/// When it is dropped, no more processes are adopted. Those that are connected stay on the
/// board.
#[must_use = "descendants are adopted until this is dropped"]
pub struct Adoption {
    socket: PathBuf,
    shared: Arc<Shared>,
    /// The thread that accepts connections; `None` once it has ended.
    listener: Option<JoinHandle<()>>,
    _folder: Folder,
}

impl Adoption {
    /// Sets the variable of the environment by which a command and its descendants find
    /// the board.
    pub fn env<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let (name, value) = self.variable();
        command.env(name, value)
    }

    /// Returns the name and the value of that variable, for commands of another kind.
    pub fn variable(&self) -> (&'static str, OsString) {
        let mut value = OsString::from(SCHEME);
        value.push(&self.socket);
        (VARIABLE, value)
    }

    /// Waits until all processes have disconnected and what they sent is on the board, for
    /// at most 2 s.
    ///
    /// Call this when the processes have ended, so that none of their last events arrives
    /// after the board is closed. Returns `false` if a process is still connected.
    pub fn finish(mut self) -> bool {
        self.stop();
        let connections = self.shared.lock();
        let some = |state: &mut State| state.connections > 0;
        let waited = self.shared.ended.wait_timeout_while(connections, FINISH, some);
        ignore_poison(waited).0.connections == 0
    }

    /// Accepts those that have connected, and no others.
    fn stop(&mut self) {
        let Some(listener) = self.listener.take() else { return };
        self.shared.lock().stopped = true;
        // The listener accepts connections in their order, so this one is the last.
        if UnixStream::connect(&self.socket).is_ok() {
            let _panicked = listener.join();
        }
    }
}

impl Drop for Adoption {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Adoption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connections = self.shared.lock().connections;
        f.debug_struct("Adoption").field("connections", &connections).finish_non_exhaustive()
    }
}

/// A folder that is removed with its socket.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _removed = fs::remove_dir_all(&self.0);
    }
}

/// What an adoption and its threads share.
struct Shared {
    limits: Arc<Limits>,
    state: Mutex<State>,
    /// Notified when a connection has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    connections: usize,
    stopped: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        ignore_poison(self.state.lock())
    }
}

/// Accepts connections until the adoption stops or the board is gone.
fn listen(listener: &UnixListener, board: &WeakBoard, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        match (stream, board.upgrade()) {
            (Ok(stream), Some(board)) => start(stream, board, shared),
            (Err(error), Some(_)) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            _ => break,
        }
        // The rest of the queue is accepted without waiting for more.
        if shared.lock().stopped && listener.set_nonblocking(true).is_err() {
            break;
        }
    }
}

/// Starts a thread that relays a connection, unless there are too many.
fn start(stream: UnixStream, board: Board, shared: &Arc<Shared>) {
    let mut state = shared.lock();
    if state.connections == CONNECTIONS {
        return;
    }
    state.connections += 1;
    drop(state);
    let connection = Connection(Arc::clone(shared));
    let relay = move || {
        // An error has the same meaning as the end: the process is gone.
        let _ended = relay(stream, &board, &connection.0.limits);
    };
    let thread = thread::Builder::new().name("active-status-relay".into());
    let _not_started = thread.spawn(relay);
}

/// A connection, which is counted.
struct Connection(Arc<Shared>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.lock().connections -= 1;
        self.0.ended.notify_all();
    }
}

/// The first line of a connection.
#[derive(Deserialize)]
struct Hello {
    v: u32,
    name: String,
    pid: u32,
}

fn relay(mut stream: UnixStream, board: &Board, limits: &Arc<Limits>) -> io::Result<()> {
    // Some systems inherit this from the listener.
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(ANSWER))?;
    let mut lines = BufReader::new(stream.try_clone()?);
    let mut hello = Vec::new();
    lines.by_ref().take(HELLO).read_until(b'\n', &mut hello)?;
    let Hello { v: 1, name, pid } = serde_json::from_slice(&hello)? else { return Ok(()) };
    let options = RelayOptions::new(format!("{}[{pid}]", plain_text(&name, NAME)));
    let relay = Relay::new(board, options, Arc::clone(limits), true);
    stream.write_all(&[ACCEPTED])?;
    stream.set_read_timeout(None)?;
    relay.read(lines)?;
    Ok(())
}
