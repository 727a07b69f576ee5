//! What may fail in a fleet, and what is left of it: nothing is lost, and each item has one
//! result. Every test starts a server and nodes, which end with it.

mod kit;

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use kit::{Fleet, LEASE, Proxy};
use rustix::process::Signal;

/// The nodes of this file run in processes of this test binary: see [`Fleet::start`].
#[test]
fn node_process() {
    kit::run_node_if_asked();
}

#[test]
fn a_node_is_killed() {
    let mut fleet = Fleet::new();
    let nodes = [fleet.start("n1"), fleet.start("n2"), fleet.start("n3")];
    fleet.feed("slow", 300);
    for (node, results) in nodes.into_iter().zip([40, 120]) {
        fleet.until("some results", |counts| counts.results >= results);
        fleet.kill(node);
    }
    fleet.all_have_results();
}

#[test]
fn a_node_stops_for_longer_than_its_lease() {
    let mut fleet = Fleet::new();
    let stopped = fleet.start("n1");
    fleet.feed("wait", 4);
    fleet.until("it has all items", |counts| counts.taken == 4);
    fleet.signal(stopped, Signal::STOP);
    let other = fleet.start("n2");
    fleet.let_go();
    fleet.until("the other node has done them", |counts| counts.results == 4);
    let before = fleet.results();
    fleet.signal(stopped, Signal::CONT);
    // It goes on; its results come second.
    fleet.kill(other);
    fleet.feed("slow", 20);
    fleet.all_have_results();
    assert!(before.iter().all(|(item, result)| fleet.results().get(item) == Some(result)));
    fleet.stop(stopped);
}

#[test]
fn the_server_is_killed_and_restarted() {
    let mut fleet = Fleet::with_sync();
    let nodes = [fleet.start("n1"), fleet.start("n2")];
    fleet.feed("slow", 300);
    for results in [60, 150] {
        fleet.until("some results", |counts| counts.results >= results);
        fleet.server.kill();
        for node in nodes {
            fleet.until_said(node, "waiting for unix:");
        }
        fleet.server.restart().expect("the server starts");
        fleet.forget_said();
    }
    fleet.all_have_results();
    assert_eq!(fleet.raw::<u64>(&["EXISTS", "{q}:deaths"]), 0);
}

#[test]
fn the_server_loses_its_last_writes() {
    let mut fleet = Fleet::new();
    for name in ["n1", "n2", "n3"] {
        fleet.start(name);
    }
    fleet.feed("slow", 400);
    fleet.until("most results", |counts| counts.results >= 250);
    fleet.server.kill();
    let log = fs::read_dir(fleet.server.folder().join("appendonlydir")).expect("a folder");
    let log = log.map(|file| file.expect("a file").path());
    let log = log.filter(|file| file.to_string_lossy().ends_with(".incr.aof"));
    let log = log.last().expect("a log");
    let length = fs::metadata(&log).expect("a log").len();
    let file = fs::OpenOptions::new().write(true).open(&log).expect("a log");
    file.set_len(length * 6 / 10).expect("a shorter log");
    fleet.server.restart().expect("the server starts with what is left");
    let left = fleet.counts().results;
    assert!(left < 250, "the log was cut, but {left} results are left");
    // What was fed in the lost time has to be fed again.
    fleet.feed("slow", 400);
    fleet.all_have_results();
}

#[test]
fn connections_are_cut() {
    let mut fleet = Fleet::new();
    for name in ["n1", "n2", "n3"] {
        fleet.start(name);
    }
    fleet.feed("slow", 400);
    for cut in 1..=12 {
        fleet.until("some more results", |counts| counts.results >= cut * 25);
        fleet.raw::<u64>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    }
    fleet.all_have_results();
    assert_eq!(fleet.raw::<u64>(&["EXISTS", "{q}:deaths"]), 0);
}

#[test]
fn a_node_is_cut_off() {
    let mut fleet = Fleet::new();
    let proxy = Proxy::new(&fleet);
    let cut = fleet.start_at("n1", &proxy.address());
    fleet.feed("wait", 4);
    fleet.until("it has all items", |counts| counts.taken == 4);
    proxy.set_cut(true);
    fleet.let_go();
    let other = fleet.start("n2");
    fleet.until("the other node has done them", |counts| counts.results == 4);
    let before = fleet.results();
    proxy.set_cut(false);
    fleet.kill(other);
    fleet.feed("slow", 20);
    fleet.all_have_results();
    assert!(before.iter().all(|(item, result)| fleet.results().get(item) == Some(result)));
    fleet.stop(cut);
}

#[test]
fn poison_and_killer_items_are_dead_and_take_no_other_with_them() {
    let mut fleet = Fleet::new();
    fleet.feed("slow", 30);
    fleet.feed("error", 1);
    fleet.feed("kill", 1);
    fleet.feed("panic", 1);
    fleet.feed("slow2", 30);
    for name in ["n1", "n2", "n3"] {
        fleet.start(name);
    }
    let mut deaths = 0;
    fleet.until_with("all is settled", |fleet, counts| {
        deaths += fleet.restart_the_dead();
        counts.are_settled()
    });
    let dead: BTreeMap<_, _> = fleet.dead();
    let expected = [
        ("error 0", "no such thing"),
        ("kill 0", "lost the node that worked on it 3 times"),
        ("panic 0", "panicked: a bug"),
    ];
    let expected = expected.map(|(item, reason)| (item.to_owned(), reason.to_owned()));
    assert_eq!(dead, expected.into());
    assert_eq!(fleet.results().len(), 60);
    fleet.until_with("three nodes were killed", |fleet, _| {
        deaths += fleet.restart_the_dead();
        deaths >= 3
    });
    assert_eq!(deaths, 3);
}

#[test]
fn two_nodes_have_one_name() {
    let mut fleet = Fleet::new();
    let nodes = [fleet.start("twin"), fleet.start("twin")];
    fleet.feed("wait", 8);
    fleet.until("both have items", |counts| counts.taken == 8);
    fleet.let_go();
    fleet.all_have_results();
    for node in nodes {
        fleet.stop(node);
    }
    let consumers = fleet.raw::<Vec<String>>(&["ZRANGE", "{q}:nodes", "0", "-1"]);
    assert!(consumers.len() == 2 && consumers.iter().all(|name| name.starts_with("twin.")));
}

#[test]
fn the_servers_clock_jumps() {
    let mut fleet = Fleet::new();
    for name in ["n1", "n2"] {
        fleet.start(name);
    }
    fleet.feed("wait", 8);
    for _ in 0..3 {
        fleet.until("all items are taken", |counts| counts.taken == 8);
        // Every entry looks idle for an hour, as after a jump of the server's clock.
        for (entry, consumer, _) in fleet.pending() {
            let claim = ["XCLAIM", "{q}:work", "pool", &consumer, "0", &entry];
            fleet.raw::<()>(&[&claim[..], &["IDLE", "3600000", "JUSTID"]].concat());
        }
        fleet.until_with("all leases are renewed", |fleet, _| {
            fleet.pending().iter().all(|(_, _, idle)| *idle < LEASE.as_millis())
        });
    }
    fleet.let_go();
    fleet.all_have_results();
    assert_eq!(fleet.raw::<u64>(&["EXISTS", "{q}:deaths"]), 0);
}

#[test]
fn the_queue_is_deleted() {
    let mut fleet = Fleet::new();
    let node = fleet.start("n1");
    fleet.feed("slow", 20);
    fleet.all_have_results();
    fleet.raw::<()>(&["FLUSHALL"]);
    fleet.until_said(node, "the queue is gone: it is created again");
    fleet.feed("slow", 20);
    fleet.all_have_results();
}

#[test]
fn a_node_that_should_stop_gives_its_items_back() {
    let mut fleet = Fleet::new();
    // Four workers, and four items that wait for them.
    let first = fleet.start_with("n1", &[("PREFETCH", "4")]);
    fleet.feed("wait", 12);
    fleet.until("it has eight items", |counts| counts.taken == 8);
    fleet.signal(first, Signal::TERM);
    fleet.until("what has not begun is given back at once", |counts| counts.taken == 4);
    fleet.start("n2");
    fleet.until("the other node takes four", |counts| counts.taken == 8);
    fleet.let_go();
    fleet.all_have_results();
    fleet.has_ended(first);
    assert_eq!(fleet.raw::<u64>(&["EXISTS", "{q}:deaths"]), 0);
}

#[test]
fn connections_are_cut_while_a_node_stops() {
    let mut fleet = Fleet::new();
    let node = fleet.start("n1");
    fleet.feed("wait", 2);
    fleet.until("it has all items", |counts| counts.taken == 2);
    // It finds both at once.
    fleet.signal(node, Signal::STOP);
    fleet.signal(node, Signal::TERM);
    fleet.raw::<u64>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    fleet.signal(node, Signal::CONT);
    fleet.until_said(node, "is back");
    // It goes on with what it has.
    assert_eq!((fleet.counts().taken, fleet.counts().queued), (2, 0));
    fleet.let_go();
    fleet.has_ended(node);
    fleet.all_have_results();
}

#[test]
fn a_node_without_grace_gives_running_items_back() {
    let mut fleet = Fleet::new();
    let first = fleet.start_with("n1", &[("GRACE", "0")]);
    fleet.feed("wait", 4);
    fleet.until("it has all items", |counts| counts.taken == 4);
    fleet.stop(first);
    let counts = fleet.counts();
    assert_eq!((counts.taken, counts.queued), (0, 4));
    fleet.start("n2");
    fleet.let_go();
    fleet.all_have_results();
    assert_eq!(fleet.raw::<u64>(&["EXISTS", "{q}:deaths"]), 0);
}

#[test]
fn a_node_stops_although_the_server_is_away() {
    let mut fleet = Fleet::with_sync();
    let node = fleet.start_with("n1", &[("GRACE", "0")]);
    // Two of four workers are free, so the node waits for more items.
    fleet.feed("wait", 2);
    fleet.until("it has all items", |counts| counts.taken == 2);
    fleet.server.kill();
    fleet.stop(node);
    fleet.server.restart().expect("the server starts");
    // Nothing was given back, so the leases run out.
    fleet.start("n2");
    fleet.let_go();
    fleet.all_have_results();
}

#[test]
fn an_item_takes_longer_than_a_lease() {
    let mut fleet = Fleet::new();
    for name in ["n1", "n2"] {
        fleet.start(name);
    }
    fleet.feed("wait", 4);
    fleet.until("all are taken", |counts| counts.taken == 4);
    let owners: Vec<_> = fleet.pending().into_iter().map(|(id, owner, _)| (id, owner)).collect();
    // The items are held for three leases, as the nodes renew them.
    let mut renewals = 0;
    let mut before = Duration::ZERO;
    fleet.until_with("nine renewals", |fleet, _| {
        let idle = fleet.pending().iter().map(|(_, _, idle)| *idle).min().unwrap_or(0);
        let idle = Duration::from_millis(idle as u64);
        renewals += u32::from(idle < before);
        before = idle;
        renewals >= 9
    });
    let now: Vec<_> = fleet.pending().into_iter().map(|(id, owner, _)| (id, owner)).collect();
    assert_eq!(now, owners);
    fleet.let_go();
    fleet.all_have_results();
}

#[test]
fn the_board_follows_nodes_that_are_killed_and_stopped() {
    let mut fleet = Fleet::with_sync();
    let board = fleet.start_board();
    let killed = fleet.start("n1");
    let stopped = fleet.start("n2");
    fleet.feed("wait", 8);
    fleet.until("all are taken", |counts| counts.taken == 8);
    for node in ["n1", "n2"] {
        fleet.until_said(board, &format!("\"prefix\":\"{node} worker  4: \""));
    }
    fleet.kill(killed);
    fleet.signal(stopped, Signal::STOP);
    for node in ["n1", "n2"] {
        fleet.until_said(board, &format!("{node} is silent"));
        fleet.until_said(board, &format!("{node} (silent) worker  4: "));
    }
    fleet.signal(stopped, Signal::CONT);
    fleet.until_said(board, "n2 is heard again");
    // A new process of the name follows the one that was killed.
    let lost = "\"outcome\":\"lost\"";
    assert!(!fleet.said(board).contains(lost));
    fleet.start("n1");
    fleet.until_with("its rows are lost", |fleet, _| fleet.said(board).matches(lost).count() == 4);

    fleet.server.kill();
    fleet.until_said(board, "waiting for unix:");
    fleet.server.restart().expect("the server starts");
    fleet.until_said(board, "is back");
    fleet.let_go();
    fleet.all_have_results();
    fleet.until_said(board, "\"position\":8");
    fleet.stop(board);
    assert_eq!(fleet.said(board).matches(lost).count(), 4);
}

#[test]
fn the_board_stops_and_nodes_go_on() {
    let mut fleet = Fleet::new();
    let board = fleet.start_board();
    for name in ["n1", "n2"] {
        fleet.start(name);
    }
    fleet.feed("slow", 100);
    fleet.until_said(board, "n1 worker  1: ");
    fleet.signal(board, Signal::STOP);
    fleet.all_have_results();
    fleet.feed("more", 1_200);
    fleet.all_have_results();
    fleet.forget_said();
    fleet.signal(board, Signal::CONT);
    fleet.until_said(board, "\"position\":1300");
    // The board was away, not the nodes.
    fleet.stop(board);
    assert!(!fleet.said(board).contains("silent"));
}

#[test]
fn two_nodes_of_one_name_have_two_labels() {
    let mut fleet = Fleet::new();
    let board = fleet.start_board();
    for name in ["twin", "twin"] {
        fleet.start(name);
    }
    fleet.feed("wait", 8);
    fleet.until_said(board, "\"twin~");
    fleet.let_go();
    fleet.all_have_results();
}

#[test]
fn events_are_forged_and_too_large() {
    let mut fleet = Fleet::new();
    let board = fleet.start_board();
    fleet.start("n1");
    fleet.until_said(board, "\"n1 worker  1: \"");
    let mut forged = redis::pipe();
    let mut add = |text: &str| {
        forged.cmd("XADD").arg(&["{q}:events", "*", "b", text]).ignore();
    };
    for text in ["", "garbage", "{}", "[1]", "{\"v\":1}", "\u{0}\u{1b}[2J"] {
        add(text);
    }
    let large = "x".repeat(6 << 20);
    for _ in 0..20 {
        add(&large);
    }
    // More senders than a board shows, with hostile texts.
    for boot in 0..2_000 {
        let head =
            format!("{{\"v\":1,\"node\":\"evil{boot}\\u001b[2J\",\"boot\":{boot},\"seq\":1,");
        let row = "{\"event\":\"added\",\"at\":0,\"job\":1,\"prefix\":\"\\u001b]0;evil\\u0007x\"}";
        add(&format!("{head}\"at\":0,\"next\":1,\"key\":[{row}]}}"));
    }
    forged.query::<()>(&mut fleet.connect()).expect("added");
    fleet.until_said(board, "batches are not valid");
    fleet.until_said(board, "not shown");
    fleet.feed("slow", 20);
    fleet.all_have_results();
    fleet.until_said(board, "\"position\":20");
    let peak = fleet.peak_memory(board);
    fleet.stop(board);
    assert!(!fleet.said(board).contains("\\u001b"));
    assert!(peak < 192 << 20, "{peak} bytes");
}
