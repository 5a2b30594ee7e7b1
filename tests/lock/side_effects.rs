//! A change looks like a core change; a call that changes nothing leaves no trace.

use crate::caller::lock;
use crate::support::{Client, KeyspaceEvents, Protocol, Server};

fn names(events: &mut KeyspaceEvents, client: &mut Client) -> Vec<String> {
    events
        .take(client)
        .into_iter()
        .map(|(name, _)| name)
        .collect()
}

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
        assert_eq!(names(&mut events, &mut redis), expected, "{line}");
    }
    lock(&mut redis, "APP.LOCK k a EX 10");
    events.take(&mut redis);
    for line in IDLE {
        redis.run(line);
        assert!(names(&mut events, &mut redis).is_empty(), "{line}");
    }
}

#[test]
fn watch_sees_changes_and_nothing_else() {
    let server = Server::start();
    let (mut redis, mut watcher) = (server.client(), server.client());
    let mut aborted = |redis: &mut Client, line: &str| {
        watcher.run("WATCH k").ok();
        redis.run(line);
        watcher.run("MULTI").ok();
        watcher.run("PING");
        watcher.run("EXEC").is_nil()
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
    let mut is_told = |redis: &mut Client, line: &str| {
        reader.run("GET k");
        reader.run("GET mark");
        redis.run(line);
        // The next thing to be told of is this, or `line` was not silent.
        redis.run("SET mark x").ok();
        let told = |push: &crate::support::Reply| push.items()[1].items()[0].text();
        let first = told(&reader.next_push());
        if first == "k" {
            assert_eq!(told(&reader.next_push()), "mark");
        }
        first == "k"
    };
    assert!(is_told(&mut redis, "APP.LOCK k a EX 10"));
    for line in IDLE {
        assert!(!is_told(&mut redis, line), "{line}");
    }
    assert!(is_told(&mut redis, "APP.LOCK.EXTEND k a EX 20"));
    assert!(is_told(&mut redis, "APP.UNLOCK k a"));
}

#[test]
fn the_change_counter_counts_changes() {
    let server = Server::start();
    let mut redis = server.client();
    let changes = |redis: &mut Client| -> i64 {
        let persistence = crate::support::info(redis, "persistence");
        persistence["rdb_changes_since_last_save"].parse().unwrap()
    };
    let before = changes(&mut redis);
    lock(&mut redis, "APP.LOCK k a EX 10");
    let after = changes(&mut redis);
    assert!(after > before);
    for line in IDLE {
        redis.run(line);
    }
    assert_eq!(changes(&mut redis), after);
}
