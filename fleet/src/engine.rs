//! The queue in Redis or Valkey. No other file knows the server.
//!
//! Another engine needs these functions: `prepare`, `feed`, `take`, `own`, `claim`,
//! `renew`, `complete`, `fail`, `release`, `publish`, `watch`, `batches`, `counts`,
//! `results`, `dead` and `drop`. All but `publish`, `watch`, `batches` and `counts` are
//! exact: each is one step for all other clients, and may be called again if its reply
//! got lost.
//!
//! Every function waits while the server is away, for as long as that takes.

mod scripts;

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use active_status::event::plain_text;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError, cmd};
use smol::Timer;
use smol::lock::Mutex;

use crate::address::Address;
use crate::clock::now;
use scripts::{Call, Key, Scripts};

/// The time after which a reply counts as lost. A read blocks for less.
const RESPONSE: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(5);
/// The least and the greatest pause between two attempts.
const PAUSE: Duration = Duration::from_millis(20);
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// The maximum number of bytes of an item id.
pub const MAX_ID: usize = 4_096;
/// The maximum number of bytes of a payload or a result.
pub const MAX_PAYLOAD: usize = 65_536;
/// The maximum number of bytes of a reason in `dead`.
const MAX_REASON: usize = 4_096;

/// The maximum number of items per call of a script.
const STEP: usize = 500;

/// The maximum number of batches per read. They are held in memory together, and a forged
/// one may be large.
const BATCHES: usize = 16;

/// How the queue treats items and the nodes that work on them.
#[derive(Clone, Debug)]
#[must_use]
pub struct QueueOptions {
    name: String,
    lease: Duration,
    limit: u32,
    pauses: Vec<Duration>,
}

impl QueueOptions {
    /// Creates the default options of a queue with this name.
    pub fn new(name: impl Into<String>) -> Self {
        let pauses = vec![Duration::from_secs(1), Duration::from_secs(10)];
        Self { name: name.into(), lease: Duration::from_secs(10), limit: 3, pauses }
    }

    /// Sets the time after which an item is taken from a node that does not renew its
    /// lease. A node renews three times per lease. The default is 10 s.
    pub const fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets the pauses after the first, second, … error of an item; the last one is
    /// repeated. The defaults are 1 s and 10 s.
    pub fn pauses(mut self, pauses: impl Into<Vec<Duration>>) -> Self {
        self.pauses = pauses.into();
        self
    }

    /// Sets the number of errors, or of lost nodes, after which an item is dead. The default
    /// is 3.
    pub const fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    pub(crate) const fn get_lease(&self) -> Duration {
        self.lease
    }

    /// Returns `true` if an item that has lost this number of nodes must run alone: the next
    /// loss would be its last.
    #[must_use]
    pub const fn runs_alone(&self, deaths: u32) -> bool {
        deaths > 0 && deaths + 1 >= self.limit
    }
}

/// An item in the hands of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where the item stands in the queue. It is new each time that the item is queued.
    pub id: String,
    /// The id of the item.
    pub item: Vec<u8>,
    /// What the node needs to do the work.
    pub payload: Vec<u8>,
    /// The number of nodes that were lost while they worked on the item.
    pub deaths: u32,
}

/// An item that no node works on any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dead {
    /// The id of the item.
    pub item: Vec<u8>,
    /// Why it is dead.
    pub reason: Vec<u8>,
}

/// What [`Engine::claim`] took from lost nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// The items to work on.
    pub entries: Vec<Entry>,
    /// The items that have lost too many nodes.
    pub dead: Vec<Dead>,
}

/// What [`Engine::renew`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewed {
    /// The entries that are no longer those of this node.
    pub lost: Vec<String>,
    /// Entries of this node that it does not know, because a reply got lost.
    pub strays: Vec<Entry>,
}

/// What [`Engine::fail`] did with an item.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failed {
    /// The item is queued again after this time.
    Again(Duration),
    /// The item is dead, after this number of errors.
    Dead(u32),
    /// The item is not this node's, or has a result. The error was ignored.
    Ignored,
}

/// How many items are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Items that were fed.
    pub fed: u64,
    /// Items that wait for a node.
    pub queued: u64,
    /// Items that a node works on.
    pub taken: u64,
    /// Items that wait after an error.
    pub later: u64,
    /// Items with a result.
    pub results: u64,
    /// Items without a result that no node works on any more.
    pub dead: u64,
    /// Nodes of the last 15 s.
    pub nodes: u64,
}

impl Counts {
    /// Returns `true` if every item that was fed has a result or a reason.
    pub const fn are_settled(&self) -> bool {
        self.queued + self.taken + self.later == 0 && self.results + self.dead >= self.fed
    }
}

/// What [`Engine::publish`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Whether a board shows the events.
    pub watched: bool,
    /// Nodes of the last 15 s.
    pub nodes: u64,
}

/// A queue on a server, as one consumer of it.
pub struct Engine {
    address: Address,
    client: Client,
    options: QueueOptions,
    /// Identifies this process. A consumer is never used again.
    consumer: String,
    keys: HashMap<Key, String>,
    scripts: Scripts,
    /// For everything but reads that block.
    calls: Link,
    /// For reads that block, which would hold up the others.
    reads: Link,
    /// Entries that were idle for a lease, with the time since when.
    idle: Mutex<HashMap<(String, String), Instant>>,
    away: AtomicBool,
    /// Whether the group was there once.
    had_group: AtomicBool,
    report: Box<dyn Fn(&str) + Send + Sync>,
}

/// A connection, which is made when it is needed.
#[derive(Default)]
struct Link {
    /// The number of connections so far, with the present one.
    connection: Mutex<(u64, Option<MultiplexedConnection>)>,
}

impl Engine {
    /// Creates an engine for a queue. `node` begins the name of the consumer. Nothing is
    /// connected yet.
    ///
    /// # Errors
    ///
    /// Fails if the name of the queue is not made of 1 to 64 letters, digits, `.`, `_`
    /// and `-`.
    pub fn new(address: Address, options: QueueOptions, node: &str) -> Result<Self, EngineError> {
        let fine = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
        if !(1..=64).contains(&options.name.len()) || !options.name.chars().all(fine) {
            return Err(EngineError::Queue(options.name));
        }
        let client = Client::open(address.info())
            .map_err(|error| EngineError::Server(address.to_string(), error.to_string()))?;
        let random = RandomState::new().build_hasher().finish();
        Ok(Self {
            keys: Key::ALL.map(|key| (key, key.of(&options.name))).into(),
            consumer: format!("{node}.{random:016x}"),
            address,
            client,
            options,
            scripts: Scripts::new(),
            calls: Link::default(),
            reads: Link::default(),
            idle: Mutex::default(),
            away: AtomicBool::new(false),
            had_group: AtomicBool::new(false),
            report: Box::new(|_| {}),
        })
    }

    /// Sets a closure that is given a message when the server is away, when it is back, and
    /// when the queue is created again.
    #[must_use]
    pub fn with_report(mut self, report: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.report = Box::new(report);
        self
    }

    /// Returns the options of the queue.
    pub const fn options(&self) -> &QueueOptions {
        &self.options
    }

    /// Returns the name of this consumer in the group.
    pub fn consumer(&self) -> &str {
        &self.consumer
    }

    /// Checks the server. Returns a warning if it keeps nothing on its disk.
    ///
    /// The group of the nodes is created by the first of them, and again if it is gone.
    ///
    /// # Errors
    ///
    /// Fails if the server may evict keys, which would lose items.
    pub async fn prepare(&self) -> Result<Option<&'static str>, EngineError> {
        let mut info = cmd("INFO");
        info.arg("memory");
        let memory: String = self.query(&self.calls, &info).await?;
        let policy = memory.lines().find_map(|line| line.strip_prefix("maxmemory_policy:"));
        if policy.is_some_and(|policy| policy != "noeviction") {
            return Err(EngineError::Evicts(policy.unwrap_or_default().to_owned()));
        }
        let mut info = cmd("INFO");
        info.arg("persistence");
        let disk: String = self.query(&self.calls, &info).await?;
        let has_log = disk.lines().any(|line| line == "aof_enabled:1");
        Ok((!has_log).then_some("the server has no append-only file: a restart loses items"))
    }

    async fn create_group(&self) -> Result<(), RedisError> {
        let mut create = cmd("XGROUP");
        create.arg("CREATE").arg(&self.keys[&Key::Work]).arg("pool").arg("0").arg("MKSTREAM");
        let mut link = self.connect(&self.calls).await?.1;
        match create.query_async::<()>(&mut link).await {
            Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
            created => created,
        }
    }

    /// Queues items, with their payloads. An item that was fed before is passed over.
    /// Returns the number of the others.
    ///
    /// # Errors
    ///
    /// Fails before anything is fed if an id is empty, has more than 4,096 bytes or a NUL,
    /// if a payload has more than 64 KiB, or if the queue was [dropped](Self::drop) and is
    /// kept for some time.
    pub async fn feed(&self, items: &[(Vec<u8>, Vec<u8>)]) -> Result<u64, EngineError> {
        for (item, payload) in items {
            if item.is_empty() || item.len() > MAX_ID || item.contains(&0) {
                return Err(EngineError::Item(lossy(item)));
            }
            if payload.len() > MAX_PAYLOAD {
                return Err(EngineError::TooLarge(lossy(item), payload.len()));
            }
        }
        let mut fed = 0;
        for items in items.chunks(STEP) {
            let mut call = self.call(&self.scripts.feed);
            for (item, payload) in items {
                call = call.arg(item).arg(payload);
            }
            let count: i64 = self.run(call).await?;
            fed += u64::try_from(count)
                .map_err(|_negative| EngineError::Expires(self.options.name.clone()))?;
        }
        Ok(fed)
    }

    /// Takes up to `count` items, and waits for the first one for up to `wait`, which is at
    /// most 2 s.
    ///
    /// After a lost reply, the items are those that [`own`](Self::own) returns: some of
    /// them may be known already.
    pub async fn take(&self, count: usize, wait: Duration) -> Result<Vec<Entry>, EngineError> {
        // The server takes 0 for without end.
        let wait = millis(wait.min(Duration::from_secs(2))).max(1);
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP").arg("pool").arg(&self.consumer).arg("COUNT").arg(count);
        read.arg("BLOCK").arg(wait).arg("STREAMS").arg(&self.keys[&Key::Work]).arg(">");
        let mut attempt = 0;
        loop {
            match self.query_once::<Option<Streams>>(&self.reads, &read).await {
                Ok(streams) => {
                    self.is_back();
                    self.had_group.store(true, Relaxed);
                    let entries = streams.into_iter().flatten().flat_map(|(_, entries)| entries);
                    return Ok(entries.filter_map(|(id, fields)| entry(id, &fields?)).collect());
                }
                Err(error) => {
                    let is_lost = error.is_io_error();
                    self.wait_out(error, attempt).await?;
                    if is_lost {
                        return self.own().await;
                    }
                }
            }
            attempt += 1;
        }
    }

    /// Returns the items that the server has given to this consumer.
    pub async fn own(&self) -> Result<Vec<Entry>, EngineError> {
        let call = self.call(&self.scripts.renew).arg(&self.consumer).arg(0);
        let (_, own): (Vec<String>, Vec<RawEntry>) = self.run(call).await?;
        Ok(own.into_iter().map(Entry::from).collect())
    }

    /// Takes up to `count` items of nodes that were lost: items whose lease was not renewed
    /// at two looks, half a lease apart by the clock of this process. So a jump of the
    /// server's clock takes no item from a node that is alive.
    ///
    /// Each look also queues the items whose pause after an error is over.
    pub async fn claim(&self, count: usize) -> Result<Claimed, EngineError> {
        let lease = self.options.lease;
        let mut idle = self.idle.lock().await;
        let mut call = self.call(&self.scripts.claim);
        call = call.arg(&self.consumer).arg(millis(lease)).arg(count).arg(self.options.limit);
        for ((id, consumer), since) in &*idle {
            if now().duration_since(*since) >= lease / 2 {
                call = call.arg(id).arg(consumer);
            }
        }
        type Found = (Vec<RawEntry>, Vec<(Vec<u8>, Vec<u8>)>, Vec<(String, String)>);
        let (entries, dead, seen): Found = self.run(call).await?;
        let before = std::mem::take(&mut *idle);
        let since = |key: &(String, String)| before.get(key).copied().unwrap_or_else(now);
        *idle = seen.into_iter().map(|key| (key.clone(), since(&key))).collect();
        let dead = dead.into_iter().map(|(item, reason)| Dead { item, reason }).collect();
        Ok(Claimed { entries: entries.into_iter().map(Entry::from).collect(), dead })
    }

    /// Renews the leases of entries, and returns those that are no longer this consumer's,
    /// and those that it has without knowing.
    pub async fn renew(&self, entries: &[String]) -> Result<Renewed, EngineError> {
        let call = self.call(&self.scripts.renew).arg(&self.consumer);
        let call = call.arg(millis(self.options.lease / 3).max(1));
        let call = entries.iter().fold(call, Call::arg);
        let (lost, strays): (_, Vec<RawEntry>) = self.run(call).await?;
        Ok(Renewed { lost, strays: strays.into_iter().map(Entry::from).collect() })
    }

    /// Stores results and settles their items. The first result of an item counts; it
    /// replaces a reason in `dead`. Returns the number of results that were the first.
    ///
    /// # Errors
    ///
    /// Fails before anything is stored if a result has more than 64 KiB.
    pub async fn complete<'a>(
        &self,
        results: impl IntoIterator<Item = (&'a Entry, &'a [u8])>,
    ) -> Result<u64, EngineError> {
        let results: Vec<_> = results.into_iter().collect();
        for (entry, result) in &results {
            if result.len() > MAX_PAYLOAD {
                return Err(EngineError::TooLarge(lossy(&entry.item), result.len()));
            }
        }
        let mut first = 0;
        for results in results.chunks(STEP) {
            let mut call = self.call(&self.scripts.complete);
            for (entry, result) in results {
                call = call.arg(&entry.id).arg(&entry.item).arg(*result);
            }
            first += self.run::<u64>(call).await?;
        }
        Ok(first)
    }

    /// Counts an error of an item, which is then queued again after a pause, or dead.
    pub async fn fail(&self, entry: &Entry, error: &str) -> Result<Failed, EngineError> {
        let reason = plain_text(error, MAX_REASON);
        let call = self.call(&self.scripts.fail).arg(&self.consumer).arg(&entry.id);
        let call = call.arg(&entry.item).arg(reason).arg(self.options.limit);
        let call = self.options.pauses.iter().fold(call, |call, pause| call.arg(millis(*pause)));
        let (what, number): (String, u64) = self.run(call).await?;
        Ok(match what.as_str() {
            "again" => Failed::Again(Duration::from_millis(number)),
            "dead" => Failed::Dead(number.try_into().unwrap_or(u32::MAX)),
            _ => Failed::Ignored,
        })
    }

    /// Queues items again that this node has not worked on to the end. That counts neither
    /// as an error nor as a lost node.
    pub async fn release(&self, entries: &[String]) -> Result<(), EngineError> {
        let call = self.call(&self.scripts.release).arg(&self.consumer);
        self.run(entries.iter().fold(call, Call::arg)).await
    }

    /// Publishes a batch of events if a board watches, and notes that this node is alive.
    /// Batches are kept for at most 15 s.
    pub async fn publish(&self, batch: &[u8]) -> Result<Watch, EngineError> {
        let call = self.call(&self.scripts.publish).arg(&self.consumer).arg(batch);
        let (watched, nodes) = self.run(call).await?;
        Ok(Watch { watched, nodes })
    }

    /// Asks the nodes to publish their events for the next 15 s.
    pub async fn watch(&self) -> Result<(), EngineError> {
        let mut set = cmd("SET");
        set.arg(&self.keys[&Key::Watch]).arg("1").arg("EX").arg(15);
        self.query(&self.calls, &set).await
    }

    /// Waits up to 1 s for batches after `place`, and moves the place behind them. The
    /// default place is now. Batches may be missing.
    pub async fn batches(&self, place: &mut Place) -> Result<Vec<Vec<u8>>, EngineError> {
        let from = place.0.as_deref().unwrap_or("$");
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(BATCHES).arg("BLOCK").arg(1_000);
        read.arg("STREAMS").arg(&self.keys[&Key::Events]).arg(from);
        let streams: Option<Streams> = self.query(&self.reads, &read).await?;
        let found: Vec<_> = streams.into_iter().flatten().flat_map(|(_, found)| found).collect();
        // After a second without a batch the place is forgotten: the stream may have begun
        // anew, with smaller ids.
        place.0 = found.last().map(|(id, _)| id.clone());
        let batch = |fields: Option<Vec<Vec<u8>>>| fields?.into_iter().nth(1);
        Ok(found.into_iter().filter_map(|(_, fields)| batch(fields)).collect())
    }

    /// Counts the items of the queue.
    pub async fn counts(&self) -> Result<Counts, EngineError> {
        let [fed, queued, taken, later, results, dead, nodes] =
            self.query(&self.calls, &self.scripts.counts.read(&self.keys)).await?;
        Ok(Counts { fed, queued, taken, later, results, dead, nodes })
    }

    /// Returns the items that have a result, in no particular order, a page at a time. The
    /// first page is that of the cursor 0, and the last page returns it. An item may be on
    /// two pages.
    pub async fn results(&self, cursor: u64) -> Result<(u64, Pairs), EngineError> {
        self.scan(Key::Results, cursor).await
    }

    /// Returns the items that are dead, with their reasons: see [`results`](Self::results).
    pub async fn dead(&self, cursor: u64) -> Result<(u64, Pairs), EngineError> {
        self.scan(Key::Dead, cursor).await
    }

    async fn scan(&self, key: Key, cursor: u64) -> Result<(u64, Pairs), EngineError> {
        let mut scan = cmd("HSCAN");
        scan.arg(&self.keys[&key]).arg(cursor).arg("COUNT").arg(1_000);
        self.query(&self.calls, &scan).await
    }

    /// Deletes the queue with its results, at once or after `keep`, in which nothing can be
    /// fed. Returns `false` if items are not settled, which forbids `keep`.
    pub async fn drop(&self, keep: Option<Duration>) -> Result<bool, EngineError> {
        let keep = keep.map_or(0, |keep| millis(keep).max(1));
        self.run(self.call(&self.scripts.drop).arg(keep)).await
    }

    fn call<'a>(&'a self, step: &'a scripts::Step) -> Call<'a> {
        step.call(&self.keys)
    }

    /// Runs a script until it succeeds.
    async fn run<T: FromRedisValue>(&self, call: Call<'_>) -> Result<T, EngineError> {
        let mut attempt = 0;
        loop {
            match self.run_once(&call).await {
                Ok(value) => {
                    self.is_back();
                    return Ok(value);
                }
                Err(error) => self.wait_out(error, attempt).await?,
            }
            attempt += 1;
        }
    }

    async fn run_once<T: FromRedisValue>(&self, call: &Call<'_>) -> Result<T, RedisError> {
        let (number, mut connection) = self.connect(&self.calls).await?;
        let result = call.invoke(&mut connection).await;
        self.check(&self.calls, number, result).await
    }

    /// Sends a command until it succeeds.
    async fn query<T: FromRedisValue>(&self, link: &Link, cmd: &Cmd) -> Result<T, EngineError> {
        let mut attempt = 0;
        loop {
            match self.query_once(link, cmd).await {
                Ok(value) => {
                    self.is_back();
                    return Ok(value);
                }
                Err(error) => self.wait_out(error, attempt).await?,
            }
            attempt += 1;
        }
    }

    async fn query_once<T: FromRedisValue>(&self, link: &Link, cmd: &Cmd) -> Result<T, RedisError> {
        let (number, mut connection) = self.connect(link).await?;
        let result = cmd.query_async(&mut connection).await;
        self.check(link, number, result).await
    }

    /// Returns the connection of a link, with its number.
    async fn connect(&self, link: &Link) -> Result<(u64, MultiplexedConnection), RedisError> {
        let mut held = link.connection.lock().await;
        if held.1.is_none() {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(CONNECT))
                .set_response_timeout(Some(RESPONSE));
            let connection = self.client.get_multiplexed_async_connection_with_config(&config);
            *held = (held.0 + 1, Some(connection.await?));
        }
        let connection = held.1.clone().expect("connected above");
        Ok((held.0, connection))
    }

    /// Drops the connection with this number after an error that it cannot recover from.
    async fn check<T>(
        &self,
        link: &Link,
        number: u64,
        result: Result<T, RedisError>,
    ) -> Result<T, RedisError> {
        if let Err(error) = &result
            && (error.is_io_error() || error.is_unrecoverable_error())
        {
            let mut held = link.connection.lock().await;
            if held.0 == number {
                held.1 = None;
            }
        }
        result
    }

    /// Waits before another attempt, or fails if there should be none.
    async fn wait_out(&self, error: RedisError, attempt: u32) -> Result<(), EngineError> {
        // A read that blocks is ended by the second one.
        if error.code().is_some_and(|code| ["NOGROUP", "UNBLOCKED"].contains(&code)) {
            if self.had_group.swap(true, Relaxed) {
                (self.report)("the queue is gone: it is created again");
            }
            // If this fails, so will the next attempt.
            let _created = self.create_group().await;
        } else if is_passing(&error) {
            if !self.away.swap(true, Relaxed) {
                (self.report)(&format!("waiting for {}: {error}", self.address));
            }
        } else {
            return Err(EngineError::Server(self.address.to_string(), error.to_string()));
        }
        if attempt > 0 || !error.is_io_error() {
            let pause = PAUSE.saturating_mul(1 << attempt.min(10)).min(MAX_PAUSE);
            Timer::after(pause).await;
        }
        Ok(())
    }

    /// Returns `true` while the server does not answer, from the first error to the next
    /// reply.
    pub fn is_away(&self) -> bool {
        self.away.load(Relaxed)
    }

    fn is_back(&self) {
        if self.away.load(Relaxed) && self.away.swap(false, Relaxed) {
            (self.report)(&format!("{} is back", self.address));
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("address", &self.address)
            .field("consumer", &self.consumer)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// A place in the events of the nodes.
#[derive(Clone, Debug, Default)]
pub struct Place(Option<String>);

/// Items with their results or reasons.
pub type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// Streams with their entries, whose fields are missing if they were deleted.
type Streams = Vec<(String, Vec<(String, Option<Vec<Vec<u8>>>)>)>;

/// The id, item, payload and deaths of an entry, as scripts return it.
type RawEntry = (String, Vec<u8>, Vec<u8>, u32);

impl From<RawEntry> for Entry {
    fn from((id, item, payload, deaths): RawEntry) -> Self {
        Self { id, item, payload, deaths }
    }
}

/// Reads the fields of an entry: `i` item, `p` payload, and `d` deaths if there are any.
fn entry(id: String, fields: &[Vec<u8>]) -> Option<Entry> {
    let field = |name: &[u8]| {
        let mut pairs = fields.chunks_exact(2);
        pairs.find(|pair| pair[0] == name).map(|pair| pair[1].clone())
    };
    let deaths = field(b"d").and_then(|deaths| String::from_utf8(deaths).ok()?.parse().ok());
    Some(Entry { id, item: field(b"i")?, payload: field(b"p")?, deaths: deaths.unwrap_or(0) })
}

/// Returns `true` for an error that ends by itself, if the server is repaired or restarted.
fn is_passing(error: &RedisError) -> bool {
    const CODES: [&str; 9] = [
        "LOADING",
        "READONLY",
        "OOM",
        "BUSY",
        "MASTERDOWN",
        "CLUSTERDOWN",
        "TRYAGAIN",
        "NOREPLICAS",
        "MISCONF",
    ];
    match error.kind() {
        ErrorKind::Io => true,
        _ => error.code().is_some_and(|code| CODES.contains(&code)) || error.is_timeout(),
    }
}

fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An error that waiting does not repair. It never contains a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineError {
    /// The server's address, and its error.
    Server(String, String),
    /// The server evicts keys, by this policy.
    Evicts(String),
    /// This is not the name of a queue.
    Queue(String),
    /// This is not the id of an item.
    Item(String),
    /// This queue was dropped, and is kept for some time.
    Expires(String),
    /// This item has a payload or result of this number of bytes.
    TooLarge(String, usize),
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(address, error) => write!(f, "{address}: {error}"),
            Self::Evicts(policy) => write!(
                f,
                "the server evicts keys, which loses items: set maxmemory-policy to noeviction \
                 instead of {policy}"
            ),
            Self::Queue(name) => write!(
                f,
                "expected 1 to 64 letters, digits, '.', '_' and '-' as the name of the queue, \
                 found {name:?}"
            ),
            Self::Item(item) => write!(
                f,
                "expected the id of an item to have 1 to {MAX_ID} bytes and no NUL, found {item:?}"
            ),
            Self::Expires(queue) => {
                write!(f, "the queue {queue} was dropped and is only kept: feed another one")
            }
            Self::TooLarge(item, bytes) => {
                write!(f, "{item:?} has {bytes} bytes, but at most {MAX_PAYLOAD} are stored")
            }
        }
    }
}

impl std::error::Error for EngineError {}
