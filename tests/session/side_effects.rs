//! What others notice of a call: keyspace events, WATCH, client-side caching, the RDB change
//! counter, INFO. A change looks like a change by the core; what changes nothing is not noticed.

use crate::caller::{create_named, id};
use crate::support::{
    Client, KeyspaceEvents, Protocol, Server, info, invalidated, monitored, rdb_changes,
    watch_survives,
};

/// An hour's session `x`, one day's session `y`; calls that change nothing of them.
fn unchanging() -> [String; 14] {
    let x = id("x");
    [
        format!("APP.SESSION.GET k {x}"),
        format!("APP.SESSION.GET k {x} WITHMETA"),
        format!("APP.SESSION.TOUCH k {x}"),
        format!("APP.SESSION.TOUCH k {x} EX 3600 WITHMETA"),
        format!("APP.SESSION.UPDATE k {x} {{}}"),
        format!("APP.SESSION.UPDATE k {x} {{}} REPLACE"),
        format!("APP.SESSION.UPDATE k {x} {{\"gone\":null}} KEEPTTL"),
        format!("APP.SESSION.CREATE k EX 60 ID {x} DATA {{\"a\":1}}"),
        "APP.SESSION.CREATE k EX 60 LIMIT 1 REJECT".to_owned(),
        "APP.SESSION.ROTATE k nobody GRACE 1000".to_owned(),
        "APP.SESSION.REVOKE k nobody".to_owned(),
        "APP.SESSION.REVOKE k HANDLE nobody".to_owned(),
        format!("APP.SESSION.LIST k CURRENT {x}"),
        "APP.SESSION.REVOKEALL elsewhere".to_owned(),
    ]
}

/// Calls that change something, each in turn, and the events of each.
fn changing() -> Vec<(String, &'static [&'static str])> {
    let (x, z) = (id("x"), id("z"));
    let create_z = format!("APP.SESSION.CREATE k EX 60 ID {z}");
    let revoke_z = format!("APP.SESSION.REVOKE k {z}");
    let shorter = format!("APP.SESSION.TOUCH k {x} EX 3600");
    vec![
        (create_z.clone(), &["hset", "expire"]),
        (
            format!("APP.SESSION.TOUCH k {x} EX 90000"),
            &["hset", "expire"],
        ),
        (shorter, &["hset"]),
        (format!("APP.SESSION.UPDATE k {x} {{\"a\":1}}"), &["hset"]),
        (
            format!("APP.SESSION.UPDATE k {x} {{}} REPLACE KEEPTTL"),
            &["hset"],
        ),
        (format!("APP.SESSION.ROTATE k {z} GRACE 60000"), &["hset"]),
        (format!("APP.SESSION.ROTATE k {z}"), &["hset", "hdel"]),
        (create_z.clone(), &["hset", "expire"]),
        (revoke_z.clone(), &["hdel"]),
        (
            format!("APP.SESSION.REVOKEALL k EXCEPT {x}"),
            &["hset", "hdel", "expire"],
        ),
        (format!("{create_z} LIMIT 1"), &["hset", "hdel", "expire"]),
        (revoke_z, &["del"]),
        (create_z, &["hset", "expire"]),
        ("APP.SESSION.REVOKEALL k".to_owned(), &["del"]),
    ]
}

fn prepare(redis: &mut Client) {
    redis.run("DEL k").int();
    create_named(redis, "k", "x");
    redis
        .run(&format!("APP.SESSION.CREATE k EX 86400 ID {}", id("y")))
        .text();
}

#[track_caller]
fn run(redis: &mut Client, line: &str) {
    let reply = redis.run(line);
    assert!(!reply.is_error(), "{line}: {reply:?}");
}

#[test]
fn a_change_emits_the_events_of_the_core_and_nothing_else_does() {
    let server = Server::start();
    let mut redis = server.client();
    prepare(&mut redis);
    let mut events = KeyspaceEvents::listen(&server);
    for line in unchanging() {
        run(&mut redis, &line);
        assert!(events.take(&mut redis).is_empty(), "{line}");
    }
    for (line, expected) in changing() {
        run(&mut redis, &line);
        assert_eq!(events.take_of(&mut redis, "k"), expected, "{line}");
    }
}

#[test]
fn watch_breaks_by_a_change_and_by_nothing_else() {
    let server = Server::start();
    let mut redis = server.client();
    let survives =
        |redis: &mut Client, line: &str| watch_survives(&server, "k", || run(redis, line));
    prepare(&mut redis);
    for line in unchanging() {
        assert!(survives(&mut redis, &line), "{line}");
    }
    for (line, _) in changing() {
        assert!(!survives(&mut redis, &line), "{line}");
    }
}

#[test]
fn client_side_caches_are_invalidated_by_a_change_alone() {
    let server = Server::start();
    let mut redis = server.client();
    prepare(&mut redis);
    let mut cache = server.client_in(Protocol::RESP3);
    cache.run("CLIENT TRACKING ON").ok();
    cache.run(&format!("APP.SESSION.GET k {}", id("x"))).text();
    for line in unchanging() {
        run(&mut redis, &line);
        assert!(invalidated(&mut cache, &mut redis).is_empty(), "{line}");
    }
    for (line, _) in changing() {
        run(&mut redis, &line);
        assert_eq!(invalidated(&mut cache, &mut redis), [b"k"], "{line}");
        // GET and LIST are reads like any other, so they can be cached too.
        cache.run("APP.SESSION.LIST k").items();
    }
}

#[test]
fn the_rdb_change_counter_counts_changes_alone() {
    let server = Server::start();
    let mut redis = server.client();
    prepare(&mut redis);
    let mut before = rdb_changes(&mut redis);
    for line in unchanging() {
        run(&mut redis, &line);
        assert_eq!(rdb_changes(&mut redis), before, "{line}");
    }
    for (line, _) in changing() {
        run(&mut redis, &line);
        let after = rdb_changes(&mut redis);
        assert!(after > before, "{line}");
        before = after;
    }
}

#[test]
fn info_counts_what_was_done_and_not_what_was_asked() {
    let server = Server::start();
    let mut redis = server.client();
    let counters = |redis: &mut Client| {
        let info = info(redis, "appkit");
        [
            "created", "rejected", "slid", "updated", "rotated", "revoked",
        ]
        .map(|name| {
            info[&format!("appkit_session_{name}")]
                .parse::<i64>()
                .unwrap()
        })
    };
    prepare(&mut redis);
    assert_eq!(counters(&mut redis), [2, 0, 0, 0, 0, 0]);
    for line in unchanging() {
        run(&mut redis, &line);
    }
    assert_eq!(counters(&mut redis), [2, 1, 0, 0, 0, 0]);
    for (line, _) in changing() {
        run(&mut redis, &line);
    }
    // Ended by the limit is not revoked.
    assert_eq!(counters(&mut redis), [6, 1, 2, 2, 2, 5]);
}

#[test]
fn monitor_shows_the_call_and_not_what_it_writes() {
    let server = Server::start();
    let shown = monitored(&server, |redis| run(redis, "APP.SESSION.CREATE k EX 60"));
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert!(
        shown[0].ends_with("\"APP.SESSION.CREATE\" \"k\" \"EX\" \"60\""),
        "{shown:?}"
    );
}
