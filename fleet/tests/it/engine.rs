//! The steps of the queue.

use std::fs;
use std::slice;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use active_status_fleet::engine::{
    Counts, Dead, Engine, EngineError, Entry, Failed, Place, QueueOptions, Watch,
};
use active_status_fleet::{Address, LocalServer};
use redis::{Cmd, Connection, FromRedisValue, cmd};
use smol::block_on;

const LEASE: Duration = Duration::from_millis(300);

/// A server with a queue.
struct Queue {
    server: LocalServer,
    raw: Connection,
}

impl Queue {
    fn new() -> Self {
        Self::with_options(&[])
    }

    fn with_options(options: &[&str]) -> Self {
        let server = LocalServer::start(false, options).expect("redis-server is installed");
        let raw = connect(&server);
        Self { server, raw }
    }

    fn engine(&self, node: &str) -> Engine {
        let options = QueueOptions::new("q").lease(LEASE).pauses([Duration::ZERO]);
        Engine::new(self.server.address(), options, node).expect("a queue")
    }

    /// Returns an engine and what it reports.
    fn engine_with_messages(&self) -> (Engine, Arc<Mutex<Vec<String>>>) {
        let messages = Arc::<Mutex<Vec<String>>>::default();
        let said = Arc::clone(&messages);
        let report = move |message: &str| said.lock().unwrap().push(message.to_owned());
        (self.engine("a").with_report(report), messages)
    }

    fn raw<T: FromRedisValue>(&mut self, command: &[&str]) -> T {
        let mut call = Cmd::new();
        call.arg(command);
        call.query(&mut self.raw).expect("a reply")
    }
}

fn connect(server: &LocalServer) -> Connection {
    let address = format!("redis+unix://{}/socket", server.folder().display());
    redis::Client::open(address).expect("an address").get_connection().expect("a connection")
}

fn feed(engine: &Engine, items: &[&str]) -> u64 {
    let pair = |item: &&str| (item.as_bytes().to_vec(), format!("do {item}").into_bytes());
    block_on(engine.feed(&items.iter().map(pair).collect::<Vec<_>>())).expect("fed")
}

fn take(engine: &Engine, count: usize) -> Vec<Entry> {
    block_on(engine.take(count, Duration::from_millis(1))).expect("taken")
}

fn take_one(engine: &Engine) -> Entry {
    let [entry] = &take(engine, 1)[..] else { panic!("one item waits") };
    entry.clone()
}

fn complete(engine: &Engine, entry: &Entry, result: &str) -> u64 {
    block_on(engine.complete([(entry, result.as_bytes())])).expect("completed")
}

fn counts(engine: &Engine) -> Counts {
    block_on(engine.counts()).expect("counted")
}

fn results(engine: &Engine) -> Vec<(Vec<u8>, Vec<u8>)> {
    block_on(engine.results(0)).expect("results").1
}

/// Looks for items of lost nodes until there are some.
fn claim(engine: &Engine) -> (Vec<Entry>, Vec<Dead>) {
    let found = async {
        loop {
            let claimed = engine.claim(10).await.expect("claimed");
            if !claimed.entries.is_empty() || !claimed.dead.is_empty() {
                return (claimed.entries, claimed.dead);
            }
            smol::Timer::after(LEASE / 20).await;
        }
    };
    let deadline = async {
        smol::Timer::after(Duration::from_secs(20)).await;
        panic!("nothing was claimed in time");
    };
    block_on(smol::future::or(found, deadline))
}

#[test]
fn an_item_is_fed_once() {
    let queue = Queue::new();
    let engine = queue.engine("a");
    assert_eq!(feed(&engine, &["one", "two", "one"]), 2);
    assert_eq!(feed(&engine, &["two", "three"]), 1);
    let taken = take(&engine, 10);
    let items: Vec<_> = taken.iter().map(|entry| (&entry.item[..], &entry.payload[..])).collect();
    let expected: [(&[u8], &[u8]); 3] =
        [(b"one", b"do one"), (b"two", b"do two"), (b"three", b"do three")];
    assert_eq!(items, expected);
    for entry in &taken {
        complete(&engine, entry, "done");
    }
    assert_eq!(feed(&engine, &["one", "two", "three"]), 0);
    assert!(counts(&engine).are_settled());
}

#[test]
fn a_read_without_a_wait_does_not_block() {
    let queue = Queue::new();
    let (engine, messages) = queue.engine_with_messages();
    assert_eq!(block_on(engine.take(1, Duration::ZERO)), Ok(vec![]));
    // Otherwise the reply would count as lost after a while.
    assert_eq!(messages.lock().unwrap()[..], [""; 0]);
}

#[test]
fn any_number_of_items_is_fed_and_completed() {
    let queue = Queue::new();
    let engine = queue.engine("a");
    assert_eq!(block_on(engine.complete([])), Ok(0));
    let items: Vec<_> = (0..1_201).map(|number| (format!("{number}").into(), vec![])).collect();
    assert_eq!(block_on(engine.feed(&items)), Ok(1_201));
    let taken = take(&engine, 2_000);
    assert_eq!(taken.len(), 1_201);
    let results = taken.iter().map(|entry| (entry, &b"done"[..]));
    assert_eq!(block_on(engine.complete(results)), Ok(1_201));
    assert!(counts(&engine).are_settled());
}

#[test]
fn items_may_have_any_bytes_but_nul() {
    let queue = Queue::new();
    let engine = queue.engine("a");
    let (item, payload) = (vec![0xff, b'\n', b'\\'], vec![0, 0xff, b'\r']);
    block_on(engine.feed(&[(item.clone(), payload.clone())])).unwrap();
    let entry = take_one(&engine);
    assert_eq!(block_on(engine.fail(&entry, "no")), Ok(Failed::Again(Duration::ZERO)));
    assert_eq!(block_on(engine.claim(1)).unwrap().entries, []);
    let entry = take_one(&engine);
    assert_eq!((&entry.item, &entry.payload), (&item, &payload));

    for bad in [vec![], b"a\0b".to_vec(), vec![b'a'; 4_097]] {
        let error = block_on(engine.feed(&[(bad, vec![])])).unwrap_err();
        assert!(matches!(error, EngineError::Item(_)), "{error}");
    }
    let error = block_on(engine.feed(&[(b"big".to_vec(), vec![0; 65_537])])).unwrap_err();
    assert_eq!(error.to_string(), "\"big\" has 65537 bytes, but at most 65536 are stored");
    let error = block_on(engine.complete([(&entry, &[0; 65_537][..])])).unwrap_err();
    assert!(matches!(error, EngineError::TooLarge(..)), "{error}");
    assert_eq!(counts(&engine).fed, 1);
}

#[test]
fn the_first_result_counts() {
    let queue = Queue::new();
    let (a, b) = (queue.engine("a"), queue.engine("b"));
    feed(&a, &["one"]);
    let entry = take_one(&a);
    assert_eq!(complete(&b, &entry, "of b"), 1);
    assert_eq!(complete(&a, &entry, "of a"), 0);
    assert_eq!(complete(&a, &entry, "of a"), 0);
    assert_eq!(results(&a), [(b"one".to_vec(), b"of b".to_vec())]);
    assert!(counts(&a).are_settled());
    assert_eq!(block_on(a.renew(slice::from_ref(&entry.id))).unwrap().lost, [entry.id]);
}

#[test]
fn a_result_settles_only_the_entry_of_its_item() {
    let mut queue = Queue::new();
    let engine = queue.engine("a");
    feed(&engine, &["one"]);
    let entry = take_one(&engine);
    // After a rollback of the server, the id of an entry may return with another item.
    queue.raw::<()>(&["XDEL", "{q}:work", &entry.id]);
    queue.raw::<()>(&["XSETID", "{q}:work", "0-1"]);
    queue.raw::<()>(&["XADD", "{q}:work", &entry.id, "i", "two", "p", "do two"]);
    assert_eq!(complete(&engine, &entry, "done"), 1);
    assert_eq!(block_on(engine.fail(&entry, "no")), Ok(Failed::Ignored));
    assert_eq!(queue.raw::<u64>(&["XLEN", "{q}:work"]), 1);
}

#[test]
fn an_item_is_dead_after_three_errors() {
    let mut queue = Queue::new();
    let engine = queue.engine("a");
    feed(&engine, &["bad", "good"]);
    for attempt in 1..=3 {
        let entries = take(&engine, 10);
        let bad = entries.iter().find(|entry| entry.item == b"bad").expect("it is queued again");
        let failed = block_on(engine.fail(bad, &format!("error {attempt}\x1b[31m")));
        let expected = if attempt < 3 { Failed::Again(Duration::ZERO) } else { Failed::Dead(3) };
        assert_eq!(failed, Ok(expected));
        // The reply may have got lost.
        assert_eq!(block_on(engine.fail(bad, "again")), Ok(Failed::Ignored));
        block_on(engine.claim(10)).unwrap();
    }
    let dead = block_on(engine.dead(0)).unwrap().1;
    assert_eq!(dead, [(b"bad".to_vec(), b"error 3".to_vec())]);
    assert_eq!(queue.raw::<Vec<String>>(&["HGETALL", "{q}:tries"]), ["bad", "3"]);
    // A result that comes later replaces the reason.
    let late = Entry { id: "1-1".into(), item: b"bad".into(), payload: vec![], deaths: 0 };
    assert_eq!(complete(&engine, &late, "done"), 1);
    let Counts { results, dead, taken, .. } = counts(&engine);
    assert_eq!((results, dead, taken), (1, 0, 1));
    assert_eq!(queue.raw::<u64>(&["EXISTS", "{q}:tries"]), 0);
}

#[test]
fn an_item_waits_between_two_errors() {
    let mut queue = Queue::new();
    let pauses = [Duration::from_secs(3_600), Duration::from_secs(7_200)];
    let options = QueueOptions::new("q").limit(9).pauses(pauses);
    let engine = Engine::new(queue.server.address(), options, "a").unwrap();
    feed(&engine, &["bad"]);
    for pause in [3_600, 7_200, 7_200] {
        let pause = Duration::from_secs(pause);
        let entry = take_one(&engine);
        assert_eq!(block_on(engine.fail(&entry, "no")), Ok(Failed::Again(pause)));
        block_on(engine.claim(10)).unwrap();
        assert_eq!(take(&engine, 10), []);
        assert_eq!(counts(&engine).later, 1);
        // The time has come.
        queue.raw::<()>(&["ZADD", "{q}:later", "XX", "1", "bad\0do bad"]);
        block_on(engine.claim(10)).unwrap();
    }
    assert_eq!(counts(&engine).queued, 1);
}

#[test]
fn an_item_with_a_result_is_not_queued_again() {
    let queue = Queue::new();
    let (a, b) = (queue.engine("a"), queue.engine("b"));
    feed(&a, &["one", "two"]);
    let [one, two] = &take(&a, 2)[..] else { panic!("two items wait") };
    // Another node fails, and then this one has a result.
    block_on(a.fail(one, "no")).unwrap();
    complete(&b, one, "done");
    complete(&b, two, "done");
    assert_eq!(block_on(a.fail(two, "no")), Ok(Failed::Ignored));
    block_on(a.claim(10)).unwrap();
    assert!(counts(&a).are_settled());

    // The same, but the item is queued and taken again before there is a result.
    feed(&a, &["three"]);
    let first = take_one(&a);
    block_on(a.fail(&first, "no")).unwrap();
    block_on(a.claim(10)).unwrap();
    let second = take_one(&a);
    complete(&b, &first, "done");
    assert_eq!(counts(&a).taken, 1);
    assert_eq!(block_on(a.fail(&second, "no")), Ok(Failed::Ignored));
    assert!(counts(&a).are_settled());
}

#[test]
fn released_items_are_queued_again_without_a_death() {
    let queue = Queue::new();
    let (a, b) = (queue.engine("a"), queue.engine("b"));
    feed(&a, &["one", "two"]);
    let ids: Vec<_> = take(&a, 2).into_iter().map(|entry| entry.id).collect();
    // Only the node that has an item can release it.
    block_on(b.release(&ids)).unwrap();
    assert_eq!(counts(&a).taken, 2);
    block_on(a.release(&ids)).unwrap();
    block_on(a.release(&ids)).unwrap();
    let again = take(&b, 10);
    assert_eq!(again.iter().map(|entry| entry.deaths).collect::<Vec<_>>(), [0, 0]);
    assert!(again.iter().all(|entry| !ids.contains(&entry.id)));
}

#[test]
fn items_of_a_lost_node_are_claimed_and_their_deaths_counted() {
    let queue = Queue::new();
    let b = queue.engine("b");
    feed(&b, &["one", "two"]);
    assert_eq!(take(&queue.engine("a"), 1).len(), 1);
    let (one, dead) = claim(&b);
    assert_eq!((one.len(), one[0].deaths, dead.len()), (1, 1, 0));
    assert_eq!(&one[0].payload, b"do one");
    assert!(!b.options().runs_alone(1));

    // The node that claimed it is lost as well; now it must run alone.
    let c = queue.engine("c");
    let (one, _) = claim(&c);
    assert_eq!(one[0].deaths, 2);
    assert!(c.options().runs_alone(2));
    // It keeps its deaths when it is queued again.
    block_on(c.release(&[one[0].id.clone()])).unwrap();
    let two = take_one(&queue.engine("d"));
    assert_eq!((&two.item[..], two.deaths), (&b"two"[..], 0));
    assert_eq!(take_one(&queue.engine("e")).deaths, 2);

    let mut reasons = Vec::new();
    let mut claimed = Vec::new();
    while reasons.is_empty() || claimed.is_empty() {
        let (entries, dead) = claim(&c);
        claimed.extend(entries);
        reasons.extend(dead);
    }
    let reason = b"lost the node that worked on it 3 times".to_vec();
    assert_eq!(reasons, [Dead { item: b"one".to_vec(), reason }]);
    assert_eq!(claimed[0].item, b"two");
    complete(&c, &claimed[0], "done");
    assert!(counts(&c).are_settled());
}

#[test]
fn a_claim_takes_at_most_the_given_number() {
    let queue = Queue::new();
    let b = queue.engine("b");
    feed(&b, &["one", "two", "three"]);
    take(&queue.engine("a"), 3);
    let mut claimed = Vec::new();
    let deadline = std::time::Duration::from_secs(20);
    let all = async {
        while claimed.len() < 3 {
            let entries = b.claim(1).await.unwrap().entries;
            assert!(entries.len() <= 1);
            claimed.extend(entries);
            smol::Timer::after(LEASE / 20).await;
        }
    };
    block_on(smol::future::or(all, async {
        smol::Timer::after(deadline).await;
    }));
    assert_eq!(claimed.len(), 3);
}

#[test]
fn a_jump_of_the_servers_clock_takes_nothing_from_the_living() {
    let mut queue = Queue::new();
    let a = queue.engine("a");
    let options = QueueOptions::new("q").lease(Duration::from_secs(60));
    let b = Engine::new(queue.server.address(), options, "b").unwrap();
    feed(&a, &["one"]);
    let entry = take_one(&a);
    // Everything looks idle for an hour.
    let jump = ["XCLAIM", "{q}:work", "pool", a.consumer(), "0", &entry.id];
    queue.raw::<()>(&[&jump[..], &["IDLE", "3600000", "JUSTID"]].concat());
    // Half a lease has not passed by the clock of the node that looks.
    assert_eq!(block_on(b.claim(10)).unwrap().entries, []);
    assert_eq!(block_on(b.claim(10)).unwrap().entries, []);
    // The node is alive, and renews its lease meanwhile.
    assert_eq!(block_on(a.renew(slice::from_ref(&entry.id))).unwrap().lost, [""; 0]);
    assert_eq!(block_on(b.claim(10)).unwrap().entries, []);
    assert_eq!(queue.raw::<u64>(&["EXISTS", "{q}:deaths"]), 0);
    // The node is lost.
    assert_eq!(claim(&queue.engine("c")).0[0].item, b"one");
}

#[test]
fn a_zombie_cannot_take_its_items_back() {
    let queue = Queue::new();
    let (a, b) = (queue.engine("a"), queue.engine("b"));
    feed(&a, &["one"]);
    let entry = take_one(&a);
    let (claimed, _) = claim(&b);
    assert_eq!(block_on(a.renew(slice::from_ref(&entry.id))).unwrap().lost, [&*entry.id]);
    block_on(a.release(slice::from_ref(&entry.id))).unwrap();
    assert_eq!(block_on(a.fail(&entry, "no")), Ok(Failed::Ignored));
    assert_eq!(block_on(b.renew(&[claimed[0].id.clone()])).unwrap().lost, [""; 0]);
    assert_eq!(counts(&b).taken, 1);
}

#[test]
fn items_whose_reply_got_lost_are_found_again() {
    let queue = Queue::new();
    let engine = queue.engine("a");
    feed(&engine, &["one", "two"]);
    let taken = take(&engine, 2);
    assert_eq!(block_on(engine.own()).unwrap(), taken);
    // A renewal finds them after a third of a lease, if the node does not know them.
    let known = [taken[0].id.clone()];
    let stray = async {
        loop {
            let strays = engine.renew(&known).await.unwrap().strays;
            if !strays.is_empty() {
                return strays;
            }
            smol::Timer::after(LEASE / 20).await;
        }
    };
    assert_eq!(block_on(stray), taken[1..]);
}

#[test]
fn events_are_kept_only_while_a_board_looks() {
    let mut queue = Queue::new();
    let (a, board) = (queue.engine("a"), queue.engine("board"));
    assert_eq!(block_on(a.publish(b"1")), Ok(Watch { watched: false, nodes: 1 }));
    assert_eq!(queue.raw::<u64>(&["EXISTS", "{q}:events"]), 0);
    block_on(board.watch()).unwrap();
    let b = queue.engine("b");
    assert_eq!(block_on(b.publish(b"")), Ok(Watch { watched: true, nodes: 2 }));
    assert_eq!(queue.raw::<u64>(&["EXISTS", "{q}:events"]), 0);

    let mut place = Place::default();
    let publish = async {
        // The read is under way.
        loop {
            let clients: String = cmd("CLIENT").arg("LIST").query(&mut queue.raw).unwrap();
            if clients.contains("cmd=xread ") {
                return a.publish(b"2").await;
            }
            smol::Timer::after(Duration::from_millis(5)).await;
        }
    };
    let (batches, _) = block_on(smol::future::zip(board.batches(&mut place), publish));
    assert_eq!(batches.unwrap(), [b"2"]);
    block_on(b.publish(b"3")).unwrap();
    block_on(a.publish(b"4")).unwrap();
    assert_eq!(block_on(board.batches(&mut place)).unwrap(), [b"3", b"4"]);
    block_on(a.publish(b"5")).unwrap();
    assert_eq!(block_on(board.batches(&mut place)).unwrap(), [b"5"]);
    assert!(queue.raw::<u64>(&["PTTL", "{q}:events"]) <= 60_000);
    assert!(queue.raw::<u64>(&["TTL", "{q}:watch"]) <= 15);
    assert_eq!(counts(&a).nodes, 2);
}

#[test]
fn consumers_that_are_gone_for_an_hour_are_removed() {
    let mut queue = Queue::new();
    let (a, b, c) = (queue.engine("a"), queue.engine("b"), queue.engine("c"));
    feed(&a, &["one"]);
    for engine in [&a, &b, &c] {
        take(engine, 1);
        block_on(engine.publish(b"")).unwrap();
        queue.raw::<()>(&["ZADD", "{q}:nodes", "1", engine.consumer()]);
    }
    block_on(c.publish(b"")).unwrap();
    block_on(c.claim(1)).unwrap();
    // The item of the first one is still pending.
    let left = queue.raw::<Vec<String>>(&["ZRANGE", "{q}:nodes", "0", "-1"]);
    assert_eq!(left, [a.consumer(), c.consumer()]);
    let consumers: String =
        format!("{:?}", queue.raw::<redis::Value>(&["XINFO", "CONSUMERS", "{q}:work", "pool"]));
    assert!(!consumers.contains(b.consumer()));
}

#[test]
fn a_queue_is_kept_until_it_is_settled() {
    let mut queue = Queue::new();
    let engine = queue.engine("a");
    feed(&engine, &["one"]);
    let week = Duration::from_secs(7 * 86_400);
    assert_eq!(block_on(engine.drop(Some(week))), Ok(false));
    let entry = take_one(&engine);
    assert_eq!(block_on(engine.drop(Some(week))), Ok(false));
    complete(&engine, &entry, "done");
    assert_eq!(block_on(engine.drop(Some(week))), Ok(true));
    assert!(queue.raw::<i64>(&["TTL", "{q}:results"]) > 600_000);
    let error = block_on(engine.feed(&[(b"two".to_vec(), vec![])])).unwrap_err();
    assert_eq!(error, EngineError::Expires("q".to_owned()));
    assert!(counts(&engine).are_settled());
    assert_eq!(block_on(engine.drop(None)), Ok(true));
    assert_eq!(queue.raw::<u64>(&["DBSIZE"]), 0);
}

#[test]
fn a_queue_that_is_gone_is_created_again() {
    let mut queue = Queue::new();
    let (engine, messages) = queue.engine_with_messages();
    feed(&engine, &["one"]);
    let entry = take_one(&engine);
    assert_eq!(messages.lock().unwrap()[..], [""; 0]);
    queue.raw::<()>(&["FLUSHALL"]);
    assert_eq!(block_on(engine.renew(slice::from_ref(&entry.id))).unwrap().lost, [entry.id]);
    assert_eq!(messages.lock().unwrap()[..], ["the queue is gone: it is created again"]);
    assert_eq!(feed(&engine, &["one"]), 1);
    assert_eq!(take(&engine, 1).len(), 1);
}

#[test]
fn a_server_that_is_away_is_waited_for() {
    let mut queue = Queue::new();
    let (engine, messages) = queue.engine_with_messages();
    feed(&engine, &["one"]);
    let entry = take_one(&engine);
    queue.server.kill();
    let server = &mut queue.server;
    let restart = async {
        // The engine has noticed.
        while messages.lock().unwrap().is_empty() {
            smol::Timer::after(Duration::from_millis(5)).await;
        }
        server.restart().unwrap();
    };
    let results = [(&entry, &b"done"[..])];
    let (completed, ()) = block_on(smol::future::zip(engine.complete(results), restart));
    assert_eq!(completed, Ok(1));
    let messages = messages.lock().unwrap();
    assert!(messages[0].starts_with("waiting for unix:/"), "{messages:?}");
    assert!(messages[1].ends_with("is back"), "{messages:?}");
}

#[test]
fn the_first_reply_after_an_error_is_what_the_node_has_already() {
    let mut queue = Queue::new();
    let engine = queue.engine("a");
    feed(&engine, &["one", "two"]);
    let one = take(&engine, 1);
    queue.raw::<u64>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    assert_eq!(take(&engine, 1), one);
    assert_eq!(take_one(&engine).item, b"two");
}

#[test]
fn a_server_that_evicts_is_refused() {
    let mut queue = Queue::with_options(&["--maxmemory-policy", "allkeys-lru"]);
    let engine = queue.engine("a");
    let error = block_on(engine.prepare()).unwrap_err();
    assert_eq!(error, EngineError::Evicts("allkeys-lru".to_owned()));
    assert!(error.to_string().ends_with("to noeviction instead of allkeys-lru"), "{error}");
    queue.raw::<()>(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    assert_eq!(block_on(engine.prepare()), Ok(None));
    queue.raw::<()>(&["CONFIG", "SET", "appendonly", "no"]);
    let warning = "the server has no append-only file: a restart loses items";
    assert_eq!(block_on(engine.prepare()), Ok(Some(warning)));
}

#[test]
fn a_server_without_memory_is_waited_for_and_loses_nothing() {
    let mut queue = Queue::new();
    let engine = queue.engine("a");
    feed(&engine, &["one"]);
    let entry = take_one(&engine);
    queue.raw::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let more = async {
        smol::Timer::after(Duration::from_millis(50)).await;
        queue.raw::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    };
    let results = [(&entry, &b"done"[..])];
    let (completed, ()) = block_on(smol::future::zip(engine.complete(results), more));
    assert_eq!(completed, Ok(1));
}

#[test]
fn other_errors_of_the_server_end_the_call() {
    let mut queue = Queue::new();
    let engine = queue.engine("a");
    queue.raw::<()>(&["SET", "{q}:seen", "no hash"]);
    let item = (b"one".to_vec(), vec![]);
    let error = block_on(engine.feed(&[item])).unwrap_err().to_string();
    assert!(error.starts_with("unix:/") && error.contains("WRONGTYPE"), "{error}");
}

#[test]
fn a_queue_has_a_plain_name() {
    let address: Address = "redis://localhost".parse().unwrap();
    for bad in ["", "a b", "{a}", "a:b", &"a".repeat(65)] {
        let error = Engine::new(address.clone(), QueueOptions::new(bad), "a").unwrap_err();
        assert_eq!(error, EngineError::Queue(bad.to_owned()));
    }
}

/// The users of the documentation.
const USERS: &str = include_str!("../../users.acl");

#[test]
fn the_users_of_the_documentation_can_do_their_part_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let users = USERS.replace("files", "q").replace(">change-me", ">hunter2");
    assert_eq!(users.matches("hunter2").count(), 3);
    let file = folder.path().join("users.acl");
    fs::write(&file, users + "user default on nopass ~* &* +@all\n").unwrap();
    let queue = Queue::with_options(&["--aclfile", file.to_str().unwrap()]);
    let password = folder.path().join("password");
    fs::write(&password, "hunter2\n").unwrap();
    let engine = |user: &str| {
        let address = format!("unix://{}/socket?user={user}", queue.server.folder().display());
        let address: Address = address.parse().unwrap();
        let address = address.with_password_file(&password).unwrap();
        Engine::new(address, QueueOptions::new("q").lease(LEASE).pauses([Duration::ZERO]), "a")
            .unwrap()
    };
    let refused = |result: Result<(), EngineError>| {
        let error = result.unwrap_err().to_string();
        assert!(["no permissions", "can't run"].iter().any(|one| error.contains(one)), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    };

    let feeder = engine("feeder");
    block_on(feeder.prepare()).unwrap();
    assert_eq!(feed(&feeder, &["one", "two", "three"]), 3);
    refused(block_on(feeder.take(1, Duration::from_millis(1))).map(drop));
    refused(block_on(feeder.results(0)).map(drop));
    refused(block_on(feeder.drop(None)).map(drop));
    refused(block_on(feeder.publish(b"forged")).map(drop));
    let forged = Entry { id: "1-1".into(), item: b"one".to_vec(), payload: vec![], deaths: 0 };
    refused(block_on(feeder.complete([(&forged, &b"forged"[..])])).map(drop));

    let node = engine("node");
    block_on(node.prepare()).unwrap();
    let entries = take(&node, 3);
    complete(&node, &entries[0], "done");
    block_on(node.fail(&entries[1], "no")).unwrap();
    block_on(node.release(&[entries[2].id.clone()])).unwrap();
    block_on(node.claim(10)).unwrap();
    block_on(node.renew(&[])).unwrap();
    block_on(node.own()).unwrap();
    block_on(node.publish(b"batch")).unwrap();
    refused(block_on(node.drop(None)).map(drop));
    refused(block_on(node.feed(&[(b"four".to_vec(), vec![])])).map(drop));

    let board = engine("board");
    block_on(board.watch()).unwrap();
    block_on(board.batches(&mut Place::default())).unwrap();
    assert_eq!(counts(&board).results, 1);
    assert_eq!(results(&board).len(), 1);
    block_on(board.dead(0)).unwrap();
    refused(block_on(board.drop(None)).map(drop));
    let url =
        format!("redis+unix://{}/socket?user=board&pass=hunter2", queue.server.folder().display());
    let mut raw = redis::Client::open(url).unwrap().get_connection().unwrap();
    for key in ["results", "seen", "events"] {
        let set = cmd("SET").arg(format!("{{q}}:{key}")).arg("1").query::<()>(&mut raw);
        assert!(set.unwrap_err().to_string().contains("no permissions"), "{key}");
    }
    refused(block_on(board.publish(b"forged")).map(drop));
    refused(block_on(board.release(&["1-1".into()])).map(drop));

    // A wrong password is no secret of the message either.
    fs::write(&password, "hunter3\n").unwrap();
    let error = block_on(engine("node").own()).unwrap_err().to_string();
    assert!(error.contains("node@") && !error.contains("hunter"), "{error}");
}
