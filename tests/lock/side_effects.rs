//! A change looks like a core change; a call that changes nothing leaves no trace.

use crate::caller::lock;
use crate::support::{
    Client, KeyspaceEvents, Protocol, Server, invalidated, rdb_changes, watch_survives,
};

/// Calls that change nothing while another token holds `k`.
const IDLE: [&str; 5] = [
    "APP.LOCK k b EX 10",
    "APP.LOCK k b EX 10 WAIT 1",
    "APP.UNLOCK k b",
    "APP.LOCK.EXTEND k b EX 10",
    "APP.LOCK.INFO k",
];

#[test]
fn keyspace_events_are_those_of_the_core_commands() {
    let server = Server::start();
    let mut redis = server.client();
    let mut events = KeyspaceEvents::listen(&server);
    for (line, expected) in [
        ("APP.LOCK k a EX 10", &["set", "expire"][..]),
        ("APP.LOCK k a EX 20", &["expire"]),
        ("APP.LOCK.EXTEND k a EX 30", &["expire"]),
        ("APP.UNLOCK k a", &["del"]),
        ("APP.UNLOCK k a", &[]),
        ("APP.LOCK.EXTEND k a EX 30", &[]),
    ] {
        redis.run(line);
        assert_eq!(events.take_of(&mut redis, "k"), expected, "{line}");
    }
    lock(&mut redis, "APP.LOCK k a EX 10");
    events.take(&mut redis);
    for line in IDLE {
        redis.run(line);
        assert!(events.take_of(&mut redis, "k").is_empty(), "{line}");
    }
}

#[test]
fn watch_sees_changes_and_nothing_else() {
    let server = Server::start();
    let mut redis = server.client();
    let aborted = |redis: &mut Client, line: &str| {
        !watch_survives(&server, "k", || {
            redis.run(line);
        })
    };
    assert!(aborted(&mut redis, "APP.LOCK k a EX 10"));
    for line in IDLE {
        assert!(!aborted(&mut redis, line), "{line}");
    }
    assert!(aborted(&mut redis, "APP.LOCK.EXTEND k a EX 20"));
    assert!(aborted(&mut redis, "APP.LOCK k a EX 10"));
    assert!(aborted(&mut redis, "APP.UNLOCK k a"));
    assert!(!aborted(&mut redis, "APP.UNLOCK k a"));
}

#[test]
fn tracking_clients_are_told_of_changes_and_nothing_else() {
    let server = Server::start();
    let mut redis = server.client();
    let mut reader = server.client_in(Protocol::RESP3);
    reader.run("CLIENT TRACKING ON").ok();
    let mut told = |redis: &mut Client, line: &str| {
        reader.run("GET k");
        redis.run(line);
        invalidated(&mut reader, redis)
    };
    assert_eq!(told(&mut redis, "APP.LOCK k a EX 10"), [b"k"]);
    for line in IDLE {
        assert!(told(&mut redis, line).is_empty(), "{line}");
    }
    assert_eq!(told(&mut redis, "APP.LOCK.EXTEND k a EX 20"), [b"k"]);
    assert_eq!(told(&mut redis, "APP.UNLOCK k a"), [b"k"]);
}

#[test]
fn the_change_counter_counts_changes() {
    let server = Server::start();
    let mut redis = server.client();
    let before = rdb_changes(&mut redis);
    lock(&mut redis, "APP.LOCK k a EX 10");
    let after = rdb_changes(&mut redis);
    assert!(after > before);
    for line in IDLE {
        redis.run(line);
    }
    assert_eq!(rdb_changes(&mut redis), after);
}
