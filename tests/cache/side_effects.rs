//! What others notice of a call: keyspace events, WATCH, the RDB change counter, MONITOR, SLOWLOG.

use crate::caller::{LONG, fill, lease, load};
use crate::support::{self, KeyspaceEvents, Server, monitored, rdb_changes};

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
    assert_eq!(events.take_of(&mut redis, "k"), ["set", "expire"]);
    for line in unchanging(&lease) {
        assert!(!redis.run(&line).is_error());
        assert!(events.take(&mut redis).is_empty(), "{line}");
    }
    redis.run("APP.CACHE.INVALIDATE none k").int();
    assert_eq!(events.take_of(&mut redis, "k"), ["del"]);
    redis.run("APP.CACHE.GETORSET k v EX 60").items();
    assert_eq!(events.take_of(&mut redis, "k"), ["set", "expire"]);
}

/// Whether a transaction that watches `k` and `none` goes through after `line` by another client.
fn watch_survives(server: &Server, line: &str) -> bool {
    support::watch_survives(server, "k none", || {
        assert!(!server.client().run(line).is_error(), "{line}");
    })
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
    let lease = lease(&mut redis, "k");
    assert_eq!(rdb_changes(&mut redis), 0);
    assert!(fill(&mut redis, "k", &lease, "value"));
    let after_fill = rdb_changes(&mut redis);
    assert!(after_fill > 0);
    for line in unchanging(&lease) {
        redis.run(&line);
        assert_eq!(rdb_changes(&mut redis), after_fill, "{line}");
    }
    redis.run("APP.CACHE.INVALIDATE k").int();
    assert!(rdb_changes(&mut redis) > after_fill);
}

#[test]
fn leases_are_redacted_in_monitor_and_slowlog() {
    let server = Server::start();
    let mut redis = server.client();
    redis.run("CONFIG SET slowlog-log-slower-than 0").ok();
    let lease_of_k = lease(&mut redis, "k");
    let lines = [
        format!("APP.CACHE.FILL k {lease_of_k} value EX 60"),
        format!("APP.CACHE.RELEASE k {lease_of_k} BACKOFF 60"),
        format!("APP.CACHE.FILL k {lease_of_k} value nonsense 60"),
        format!("APP.CACHE.RELEASE k {lease_of_k} nonsense"),
    ];
    let shown = monitored(&server, |redis| {
        for line in &lines {
            redis.run(line);
        }
        redis.run("MULTI").ok();
        redis.run(&lines[0]);
        redis.run("EXEC").items();
    });
    let shown = shown.concat();
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
