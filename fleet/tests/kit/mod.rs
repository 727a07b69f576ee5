//! A server with nodes, for tests that let them fail.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use active_status::console::Clock;
use active_status::{Console, Job};
use active_status_fleet::engine::{Counts, Engine, Entry, Pairs, QueueOptions};
use active_status_fleet::{LocalServer, NodeOptions, run_board, run_node, since_1970};
use async_signal::{Signal as StopSignal, Signals};
use redis::{Cmd, Connection, FromRedisValue};
use rustix::process::{Pid, Signal, kill_process};
use smol::Timer;
use smol::future::FutureExt;
use smol::stream::StreamExt;
use tempfile::TempDir;

/// A node renews its leases every 300 ms, and an item of a lost node is claimed after 1.35 s
/// at the latest.
pub(crate) const LEASE: Duration = Duration::from_millis(900);
const PAUSE: Duration = Duration::from_millis(10);
const DEADLINE: Duration = Duration::from_secs(40);

pub(crate) struct Fleet {
    pub(crate) server: LocalServer,
    pub(crate) engine: Engine,
    folder: TempDir,
    nodes: Vec<Node>,
    fed: BTreeSet<String>,
}

struct Node {
    process: Child,
    name: String,
    has_ended: bool,
    log: PathBuf,
    /// The bytes of the log that were forgotten.
    from: usize,
}

impl Fleet {
    /// Starts a server, without nodes.
    pub(crate) fn new() -> Self {
        Self::at(LocalServer::start(false, &[]))
    }

    /// Starts a server that loses no acknowledged write when it is killed.
    pub(crate) fn with_sync() -> Self {
        Self::at(LocalServer::start(true, &[]))
    }

    fn at(server: io::Result<LocalServer>) -> Self {
        let server = server.expect("redis-server runs; `bash .ci/services` installs it");
        let engine = Engine::new(server.address(), queue(), "test").expect("a queue");
        let folder = tempfile::tempdir().expect("a folder");
        Self { server, engine, folder, nodes: Vec::new(), fed: BTreeSet::new() }
    }

    /// Starts a node in a process, and returns its number.
    pub(crate) fn start(&mut self, name: &str) -> usize {
        self.start_with(name, &[])
    }

    pub(crate) fn start_with(&mut self, name: &str, options: &[(&str, &str)]) -> usize {
        self.spawn(name, &self.server.address().to_string(), options)
    }

    pub(crate) fn start_at(&mut self, name: &str, address: &str) -> usize {
        self.spawn(name, address, &[])
    }

    fn spawn(&mut self, name: &str, address: &str, options: &[(&str, &str)]) -> usize {
        let mut command = Command::new(env::current_exe().expect("a path"));
        command
            .args(["node_process", "--exact", "--nocapture"])
            .env("NODE", name)
            .env("SERVER", address)
            .env("FOLDER", self.folder.path())
            .envs(options.iter().copied());
        self.add(name, command)
    }

    fn add(&mut self, name: &str, mut command: Command) -> usize {
        let log = self.folder.path().join(format!("log{}", self.nodes.len()));
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("a log"))
            .spawn()
            .expect("a process");
        let name = name.to_owned();
        self.nodes.push(Node { process, name, has_ended: false, log, from: 0 });
        self.nodes.len() - 1
    }

    /// Starts a board in a process, which prints its events as JSON, and returns its number.
    pub(crate) fn start_board(&mut self) -> usize {
        let address = self.server.address().to_string();
        self.spawn("board", &address, &[("BOARD", "1")])
    }

    pub(crate) fn signal(&self, node: usize, signal: Signal) {
        let id = Pid::from_child(&self.nodes[node].process);
        kill_process(id, signal).expect("the node runs");
    }

    /// Kills a node with `kill -9`.
    pub(crate) fn kill(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        node.process.kill().expect("a process");
        node.process.wait().expect("a process");
        node.has_ended = true;
    }

    /// Asks a node to end, and waits for it.
    pub(crate) fn stop(&mut self, node: usize) {
        self.signal(node, Signal::TERM);
        self.has_ended(node);
    }

    /// Waits until a node has ended without an error.
    pub(crate) fn has_ended(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        let status = poll("the node has ended", || node.process.try_wait().expect("a process"));
        assert!(status.success(), "{status}: {}", node.said());
        node.has_ended = true;
    }

    /// Starts nodes in the place of those that have ended, and returns their number.
    pub(crate) fn restart_the_dead(&mut self) -> usize {
        let mut dead = Vec::new();
        for node in &mut self.nodes {
            if !node.has_ended && node.process.try_wait().expect("a process").is_some() {
                node.has_ended = true;
                dead.push(node.name.clone());
            }
        }
        for name in &dead {
            self.start(name);
        }
        dead.len()
    }

    /// Feeds items whose first word says what happens: `slow`, `wait`, `error`, `panic` or
    /// `kill`.
    pub(crate) fn feed(&mut self, what: &str, count: usize) {
        let items: Vec<_> = (0..count).map(|number| format!("{what} {number}")).collect();
        let pair = |item: &String| (item.clone().into_bytes(), item.to_uppercase().into_bytes());
        let pairs: Vec<_> = items.iter().map(pair).collect();
        smol::block_on(self.engine.feed(&pairs)).expect("fed");
        self.fed.extend(items);
    }

    /// Lets the items end that wait.
    pub(crate) fn let_go(&self) {
        fs::write(self.folder.path().join("go"), "").expect("a file");
    }

    pub(crate) fn counts(&self) -> Counts {
        smol::block_on(self.engine.counts()).expect("counted")
    }

    pub(crate) fn results(&self) -> BTreeMap<String, String> {
        let pairs = async |cursor| self.engine.results(cursor).await.expect("results");
        pages(pairs)
    }

    pub(crate) fn dead(&self) -> BTreeMap<String, String> {
        let pairs = async |cursor| self.engine.dead(cursor).await.expect("reasons");
        pages(pairs)
    }

    /// Waits until every item that was fed has its result, and nothing is left.
    pub(crate) fn all_have_results(&self) {
        self.until("all items are settled", Counts::are_settled);
        assert_eq!(self.dead(), BTreeMap::new());
        let expected = self.fed.iter().map(|item| (item.clone(), result(item)));
        assert_eq!(self.results(), expected.collect());
        assert_eq!(self.counts().fed, self.fed.len() as u64);
    }

    pub(crate) fn until(&self, what: &str, is_true: impl Fn(&Counts) -> bool) {
        poll(what, || is_true(&self.counts()).then_some(()));
    }

    pub(crate) fn until_with(
        &mut self,
        what: &str,
        mut is_true: impl FnMut(&mut Self, Counts) -> bool,
    ) {
        poll(what, || {
            let counts = self.counts();
            is_true(self, counts).then_some(())
        });
    }

    /// Waits until a node has printed a text.
    pub(crate) fn until_said(&self, node: usize, text: &str) {
        poll(text, || self.nodes[node].said().contains(text).then_some(()));
    }

    /// Returns what a node has printed, without what was forgotten.
    pub(crate) fn said(&self, node: usize) -> String {
        self.nodes[node].said()
    }

    /// Returns the most memory that a node has used, in bytes.
    pub(crate) fn peak_memory(&self, node: usize) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.nodes[node].process.id()));
        let status = status.expect("a process");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        let kib: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
        kib * 1_024
    }

    /// Forgets what the nodes have printed so far.
    pub(crate) fn forget_said(&mut self) {
        for node in &mut self.nodes {
            node.from += node.said().len();
        }
    }

    /// Sends a command to the server.
    pub(crate) fn raw<T: FromRedisValue>(&self, command: &[&str]) -> T {
        let mut call = Cmd::new();
        call.arg(command).query(&mut self.connect()).expect("a reply")
    }

    pub(crate) fn connect(&self) -> Connection {
        let address = format!("redis+unix://{}/socket", self.server.folder().display());
        let client = redis::Client::open(address).expect("an address");
        client.get_connection().expect("a connection")
    }

    /// Returns the entries that nodes have, with their consumers and idle times in ms.
    pub(crate) fn pending(&self) -> Vec<(String, String, u128)> {
        let pending = ["XPENDING", "{q}:work", "pool", "-", "+", "1000"];
        let pending: Vec<(String, String, u64, u64)> = self.raw(&pending);
        let entry = |(id, owner, idle, _)| (id, owner, u128::from(idle));
        pending.into_iter().map(entry).collect()
    }
}

impl Drop for Fleet {
    #[expect(clippy::print_stdout, reason = "shown if the test fails")]
    fn drop(&mut self) {
        for node in &mut self.nodes {
            let _ended = node.process.kill();
            let _ended = node.process.wait();
            if thread::panicking() {
                println!("{}: {}", node.name, node.said());
            }
        }
    }
}

impl Node {
    fn said(&self) -> String {
        let log = fs::read(&self.log).expect("a log");
        String::from_utf8_lossy(&log[self.from..]).into_owned()
    }
}

fn queue() -> QueueOptions {
    let pauses = [Duration::from_millis(50), Duration::from_millis(100)];
    QueueOptions::new("q").lease(LEASE).pauses(pauses)
}

fn pages(page: impl AsyncFn(u64) -> (u64, Pairs)) -> BTreeMap<String, String> {
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let mut found = BTreeMap::new();
    let mut cursor = 0;
    loop {
        let (next, pairs) = smol::block_on(page(cursor));
        found.extend(pairs.into_iter().map(|(item, value)| (text(item), text(value))));
        if next == 0 {
            return found;
        }
        cursor = next;
    }
}

/// Waits until there is a value.
pub(crate) fn poll<T>(what: &str, mut value: impl FnMut() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(value) = value() {
                return Some(value);
            }
            Timer::after(PAUSE).await;
        }
    };
    let deadline = async {
        Timer::after(DEADLINE).await;
        None
    };
    smol::block_on(found.or(deadline)).unwrap_or_else(|| panic!("not in time: {what}"))
}

fn result(item: &str) -> String {
    format!("{} done", item.to_uppercase())
}

/// Runs a node or a board if the environment asks for one.
pub(crate) fn run_node_if_asked() {
    let Ok(name) = env::var("NODE") else { return };
    let variable = |name| env::var(name).unwrap_or_default();
    let folder = variable("FOLDER");
    let address = variable("SERVER").parse().expect("an address");
    let engine = Engine::new(address, queue(), &name).expect("a queue");
    let mut signals = Signals::new([StopSignal::Term]).expect("signals");
    let stop = async move {
        signals.next().await;
    };
    if !variable("BOARD").is_empty() {
        let console = Console::json().output(io::stderr()).clock(Clock::new(since_1970())).open();
        let board = console.board().clone();
        let lines = board.clone();
        let engine = engine.with_report(move |message| lines.println(message));
        let shown = async {
            run_board(&engine, &board, |_| false).await.expect("the board works");
        };
        smol::block_on(stop.or(shown));
        return console.shutdown();
    }
    let mut options = NodeOptions::new(name).workers(4).console(Console::plain());
    if let Ok(prefetch) = variable("PREFETCH").parse() {
        options = options.prefetch(prefetch);
    }
    if let Ok(grace) = variable("GRACE").parse() {
        options = options.grace(Duration::from_secs(grace));
    }
    let work = async |entry: &Entry, _row: &Job| work(entry, Path::new(&folder)).await;
    smol::block_on(run_node(engine, options, work, stop)).expect("the node works");
}

async fn work(entry: &Entry, folder: &Path) -> Result<Vec<u8>, &'static str> {
    let item = String::from_utf8(entry.item.clone()).expect("UTF-8");
    match item.split(' ').next() {
        Some("error") => return Err("no such thing"),
        Some("panic") => panic!("a bug"),
        Some("kill") => {
            let id = rustix::process::getpid();
            kill_process(id, Signal::KILL).expect("this process runs");
        }
        Some("wait") => {
            while !folder.join("go").exists() {
                Timer::after(PAUSE).await;
            }
        }
        _ => {
            Timer::after(PAUSE).await;
        }
    }
    assert_eq!(entry.payload, item.to_uppercase().into_bytes());
    Ok(result(&item).into_bytes())
}

/// A way to the server that can be cut, so that nothing passes and nothing ends.
pub(crate) struct Proxy {
    path: PathBuf,
    cut: Arc<(Mutex<bool>, Condvar)>,
}

impl Proxy {
    pub(crate) fn new(fleet: &Fleet) -> Self {
        let path = fleet.folder.path().join("proxy");
        let server = fleet.server.folder().join("socket");
        let listener = UnixListener::bind(&path).expect("a socket");
        let cut = Arc::<(Mutex<bool>, Condvar)>::default();
        let gate = Arc::clone(&cut);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = UnixStream::connect(&server).expect("the server");
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let gate = Arc::clone(&gate);
                    thread::spawn(move || pass(from, to, &gate));
                }
            }
        });
        Self { path, cut }
    }

    pub(crate) fn address(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    pub(crate) fn set_cut(&self, cut: bool) {
        *self.cut.0.lock().expect("no panic") = cut;
        self.cut.1.notify_all();
    }
}

/// Passes bytes on, unless the way is cut.
fn pass(mut from: UnixStream, mut to: UnixStream, (cut, changed): &(Mutex<bool>, Condvar)) {
    let mut buffer = [0; 4_096];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let cut = cut.lock().expect("no panic");
        let _open = changed.wait_while(cut, |cut| *cut).expect("no panic");
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _closed = to.shutdown(Shutdown::Both);
    let _closed = from.shutdown(Shutdown::Both);
}
