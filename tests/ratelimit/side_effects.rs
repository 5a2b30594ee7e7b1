//! What others notice of a call: keyspace events, WATCH, client-side caching, the RDB change
//! counter. A change looks like a change by the core; what changes nothing is not noticed.

use crate::caller::{ALGORITHMS, decide};
use crate::support::{
    self, Client, KeyspaceEvents, Protocol, Server, invalidated, monitored, rdb_changes,
};

/// Calls that change nothing where `k` is a limiter of 2 units an hour with none left.
fn unchanging(algorithm: &str) -> [String; 5] {
    let rules = format!("k 2 EX 3600 ALGO {algorithm}");
    [
        format!("APP.RATELIMIT {rules}"),
        format!("APP.RATELIMIT.PEEK {rules}"),
        format!("APP.RATELIMIT {rules} COST 3"),
        // No unit was ever charged to this window.
        format!("APP.RATELIMIT.REFUND k 2 EX 60 ALGO {algorithm}"),
        format!("APP.RATELIMIT k 0 EX 3600 ALGO {algorithm}"),
    ]
}

/// Makes that limiter.
fn exhaust(redis: &mut Client, algorithm: &str) {
    redis.run("DEL k").int();
    decide(
        redis,
        &format!("APP.RATELIMIT k 2 EX 3600 ALGO {algorithm} COST 2"),
    );
}

#[test]
fn a_change_emits_the_events_of_the_core_and_nothing_else_does() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        redis.run("DEL k").int();
        let mut events = KeyspaceEvents::listen(&server);
        let rules = format!("k 2 EX 3600 ALGO {algorithm}");
        for _ in 0..2 {
            decide(&mut redis, &format!("APP.RATELIMIT {rules}"));
            assert_eq!(
                events.take_of(&mut redis, "k"),
                ["set", "expire"],
                "{algorithm}: charge"
            );
        }
        for line in unchanging(algorithm) {
            decide(&mut redis, &line);
            assert!(events.take(&mut redis).is_empty(), "{line}");
        }
        decide(&mut redis, &format!("APP.RATELIMIT.REFUND {rules}"));
        assert_eq!(
            events.take_of(&mut redis, "k"),
            ["set", "expire"],
            "{algorithm}: refund"
        );
        decide(&mut redis, &format!("APP.RATELIMIT.REFUND {rules}"));
        assert_eq!(
            events.take_of(&mut redis, "k"),
            ["del"],
            "{algorithm}: last refund"
        );
        decide(&mut redis, &format!("APP.RATELIMIT.REFUND {rules}"));
        assert!(
            events.take(&mut redis).is_empty(),
            "{algorithm}: refund of nothing"
        );
    }
}

/// Whether a transaction that watches `k` still goes through after `line` by another client.
fn watch_survives(server: &Server, line: &str) -> bool {
    support::watch_survives(server, "k", || {
        decide(&mut server.client(), line);
    })
}

#[test]
fn watch_breaks_by_a_change_and_by_nothing_else() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        exhaust(&mut redis, algorithm);
        for line in unchanging(algorithm) {
            assert!(watch_survives(&server, &line), "{line}");
        }
        let rules = format!("k 2 EX 3600 ALGO {algorithm}");
        let partial_refund = format!("APP.RATELIMIT.REFUND {rules}");
        assert!(
            !watch_survives(&server, &partial_refund),
            "{partial_refund}"
        );
        let charge = format!("APP.RATELIMIT {rules}");
        assert!(!watch_survives(&server, &charge), "{charge}");
        let emptying_refund = format!("APP.RATELIMIT.REFUND {rules} COST 2");
        assert!(
            !watch_survives(&server, &emptying_refund),
            "{emptying_refund}"
        );
        let refund_of_nothing = format!("APP.RATELIMIT.REFUND {rules}");
        assert!(
            watch_survives(&server, &refund_of_nothing),
            "{refund_of_nothing}"
        );
        assert!(!watch_survives(&server, &charge), "the first charge");
    }
}

#[test]
fn client_side_caches_are_invalidated_by_a_change_alone() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        exhaust(&mut redis, algorithm);
        let mut cache = server.client_in(Protocol::RESP3);
        cache.run("CLIENT TRACKING ON").ok();
        cache.run("GET k");
        for line in unchanging(algorithm) {
            decide(&mut redis, &line);
            assert!(invalidated(&mut cache, &mut redis).is_empty(), "{line}");
        }
        decide(
            &mut redis,
            &format!("APP.RATELIMIT.REFUND k 2 EX 3600 ALGO {algorithm}"),
        );
        assert_eq!(
            invalidated(&mut cache, &mut redis),
            [b"k"],
            "{algorithm}: refund"
        );
        // PEEK is a read like GET, so it can be cached too.
        decide(
            &mut cache,
            &format!("APP.RATELIMIT.PEEK k 2 EX 3600 ALGO {algorithm}"),
        );
        decide(
            &mut redis,
            &format!("APP.RATELIMIT k 2 EX 3600 ALGO {algorithm}"),
        );
        assert_eq!(
            invalidated(&mut cache, &mut redis),
            [b"k"],
            "{algorithm}: charge"
        );
    }
}

#[test]
fn the_rdb_change_counter_counts_changes_alone() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        exhaust(&mut redis, algorithm);
        let before = rdb_changes(&mut redis);
        for line in unchanging(algorithm) {
            decide(&mut redis, &line);
        }
        assert_eq!(rdb_changes(&mut redis), before, "{algorithm}");
        decide(
            &mut redis,
            &format!("APP.RATELIMIT.REFUND k 2 EX 3600 ALGO {algorithm}"),
        );
        let after_refund = rdb_changes(&mut redis);
        assert!(after_refund > before, "{algorithm}: refund");
        decide(
            &mut redis,
            &format!("APP.RATELIMIT k 2 EX 3600 ALGO {algorithm}"),
        );
        let after_charge = rdb_changes(&mut redis);
        assert!(after_charge > after_refund, "{algorithm}: charge");
        decide(
            &mut redis,
            &format!("APP.RATELIMIT.REFUND k 2 EX 3600 ALGO {algorithm} COST 2"),
        );
        assert!(
            rdb_changes(&mut redis) > after_charge,
            "{algorithm}: emptying refund"
        );
    }
}

#[test]
fn monitor_shows_the_call_and_not_what_it_writes() {
    let server = Server::start();
    let shown = monitored(&server, |redis| {
        decide(redis, "APP.RATELIMIT k 2 EX 60");
    });
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert!(
        shown[0].ends_with("\"APP.RATELIMIT\" \"k\" \"2\" \"EX\" \"60\""),
        "{shown:?}"
    );
}
