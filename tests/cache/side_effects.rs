//! What others notice of a call: keyspace events, WATCH, the RDB change counter, MONITOR, SLOWLOG.

use crate::caller::{LONG, fill, lease, load};
use crate::support::{Client, KeyspaceEvents, Reply, Server, info};

fn names(events: &[(String, Vec<u8>)]) -> Vec<&str> {
    events.iter().map(|(event, _)| event.as_str()).collect()
}

/// Calls that change nothing where `k` holds a value and `none` does not.
fn unchanging(lease: &str) -> Vec<String> {
    vec![
        format!("APP.CACHE.GETORLOAD k {LONG}"),
        format!("APP.CACHE.GETORLOAD k {LONG} EARLY 999999999"),
        format!("APP.CACHE.GETORLOAD none {LONG}"),
        "APP.CACHE.GETORSET k other EX 60".to_owned(),
        format!("APP.CACHE.FILL none {lease} v EX 60"),
        format!("APP.CACHE.RELEASE none {lease} BACKOFF 60"),
        "APP.CACHE.INVALIDATE none nobody".to_owned(),
    ]
}

#[test]
fn a_change_emits_the_events_of_the_core_and_nothing_else_does() {
    let server = Server::start();
    let mut redis = server.client();
    let mut events = KeyspaceEvents::listen(&server);
    let lease = lease(&mut redis, "k");
    assert!(events.take(&mut redis).is_empty());
    assert!(fill(&mut redis, "k", &lease, "value"));
    assert_eq!(names(&events.take(&mut redis)), ["set", "expire"]);
    for line in unchanging(&lease) {
        assert!(!redis.run(&line).is_error());
        assert!(events.take(&mut redis).is_empty(), "{line}");
    }
    redis.run("APP.CACHE.INVALIDATE none k").int();
    assert_eq!(events.take(&mut redis), [("del".to_owned(), b"k".to_vec())]);
    redis.run("APP.CACHE.GETORSET k v EX 60").items();
    assert_eq!(names(&events.take(&mut redis)), ["set", "expire"]);
}

/// Whether a transaction that watches `k` and `none` goes through after `line` by another client.
fn watch_survives(server: &Server, line: &str) -> bool {
    let mut watcher = server.client();
    watcher.run("WATCH k none").ok();
    assert!(!server.client().run(line).is_error(), "{line}");
    watcher.run("MULTI").ok();
    watcher.run("PING");
    !watcher.run("EXEC").is_nil()
}

#[test]
fn watch_breaks_by_a_change_and_by_nothing_else() {
    let server = Server::start();
    let mut redis = server.client();
    let lease_of_k = lease(&mut redis, "k");
    let fill_k = format!("APP.CACHE.FILL k {lease_of_k} value EX 60");
    assert!(!watch_survives(&server, &fill_k));
    for line in unchanging(&lease_of_k) {
        assert!(watch_survives(&server, &line), "{line}");
    }
    assert!(watch_survives(&server, &fill_k), "a lost fill");
    assert!(!watch_survives(&server, "APP.CACHE.INVALIDATE k"));
    assert!(!watch_survives(&server, "APP.CACHE.GETORSET k v EX 60"));
}

#[test]
fn the_rdb_change_counter_counts_changes_alone() {
    let server = Server::start();
    let mut redis = server.client();
    let changes = |redis: &mut Client| {
        let text = info(redis, "persistence")["rdb_changes_since_last_save"].clone();
        text.parse::<i64>().unwrap()
    };
    let lease = lease(&mut redis, "k");
    assert_eq!(changes(&mut redis), 0);
    assert!(fill(&mut redis, "k", &lease, "value"));
    let after_fill = changes(&mut redis);
    assert!(after_fill > 0);
    for line in unchanging(&lease) {
        redis.run(&line);
        assert_eq!(changes(&mut redis), after_fill, "{line}");
    }
    redis.run("APP.CACHE.INVALIDATE k").int();
    assert!(changes(&mut redis) > after_fill);
}

#[test]
fn leases_are_redacted_in_monitor_and_slowlog() {
    let server = Server::start();
    let mut redis = server.client();
    redis.run("CONFIG SET slowlog-log-slower-than 0").ok();
    let lease_of_k = lease(&mut redis, "k");
    let mut monitor = server.client();
    monitor.run("MONITOR").ok();
    let lines = [
        format!("APP.CACHE.FILL k {lease_of_k} value EX 60"),
        format!("APP.CACHE.RELEASE k {lease_of_k} BACKOFF 60"),
        format!("APP.CACHE.FILL k {lease_of_k} value nonsense 60"),
        format!("APP.CACHE.RELEASE k {lease_of_k} nonsense"),
    ];
    for line in &lines {
        redis.run(line);
    }
    redis.run("MULTI").ok();
    redis.run(&lines[0]);
    redis.run("EXEC").items();
    redis.run("ECHO end");
    let mut shown = String::new();
    loop {
        let Reply::Simple(line) = monitor.frame() else {
            panic!("no line of MONITOR");
        };
        if line.ends_with("\"ECHO\" \"end\"") {
            break;
        }
        shown += &line;
    }
    assert_eq!(shown.matches("(redacted)").count(), 5, "{shown}");
    assert!(!shown.contains(&lease_of_k), "{shown}");
    let slow = format!("{:?}", redis.run("SLOWLOG GET -1"));
    assert!(
        slow.contains("(redacted)") && !slow.contains(&lease_of_k),
        "{slow}"
    );
    // What is logged is redacted, what is done is not.
    let next = load(&mut redis, &format!("other {LONG}"));
    assert!(fill(&mut redis, "other", next.lease(), "value"));
}
