//! `EARLY`: one caller refreshes a value that is about to end while everybody else gets it.

use crate::caller::{LONG, counters, fill, load};
use crate::support::{Client, Server, eventually};

/// A value that ends in a minute, for callers that refresh within two.
fn store(redis: &mut Client) {
    redis.run("SET k old EX 60").ok();
}

const EARLY: &str = "k LEASE 600000 EARLY 120000";

#[test]
fn one_refreshes_and_everybody_else_is_served() {
    let server = Server::start();
    let mut redis = server.client();
    store(&mut redis);
    let refresh = load(&mut redis, EARLY);
    assert_eq!(
        (refresh.status.as_str(), refresh.text().as_str()),
        ("REFRESH", "old")
    );
    assert_eq!(refresh.ttl_ms, 600_000);
    for _ in 0..3 {
        let hit = load(&mut server.client(), EARLY);
        assert_eq!((hit.status.as_str(), hit.text().as_str()), ("HIT", "old"));
    }
    assert!(fill(&mut redis, "k", refresh.lease(), "new"));
    assert_eq!(redis.run("GET k").text(), "new");
    assert_eq!(counters(&mut redis)["refreshes"], 1);
}

#[test]
fn nobody_refreshes_without_early_before_its_time_or_a_value_without_end() {
    let server = Server::start();
    let mut redis = server.client();
    store(&mut redis);
    assert!(load(&mut redis, &format!("k {LONG}")).is("HIT"));
    assert!(load(&mut redis, &format!("k {LONG} EARLY 1000")).is("HIT"));
    redis.run("PERSIST k").int();
    assert!(load(&mut redis, EARLY).is("HIT"));
    assert_eq!(counters(&mut redis)["leases"], 0);
}

#[test]
fn a_refresher_that_dies_leaves_no_gap() {
    let server = Server::start();
    let mut redis = server.client();
    store(&mut redis);
    let dead = load(&mut redis, "k LEASE 30 EARLY 120000");
    assert!(dead.is("REFRESH"));
    eventually("somebody else refreshes", || {
        let next = load(&mut redis, EARLY);
        assert!(next.is("HIT") || next.is("REFRESH"), "{next:?}");
        next.is("REFRESH")
    });
    assert!(!fill(&mut redis, "k", dead.lease(), "late"));
    assert_eq!(redis.run("GET k").text(), "old");
}

#[test]
fn a_refresher_that_gives_up_with_a_backoff_leaves_the_value_to_all() {
    let server = Server::start();
    let mut redis = server.client();
    store(&mut redis);
    let refresh = load(&mut redis, EARLY);
    let release = format!("APP.CACHE.RELEASE k {} BACKOFF 600000", refresh.lease());
    assert_eq!(redis.run(&release).int(), 1);
    assert!(load(&mut redis, EARLY).is("HIT"));
    redis.run("PEXPIRE k 1").int();
    eventually("the value has run out", || redis.run("EXISTS k").int() == 0);
    // The backoff outlives the value.
    assert!(load(&mut redis, EARLY).is("BUSY"));
}

#[test]
fn a_refresher_that_finishes_after_the_end_of_the_value_still_fills() {
    for active_expiry in [0, 1] {
        let server = Server::start();
        let mut redis = server.client();
        redis
            .run(&format!("DEBUG SET-ACTIVE-EXPIRE {active_expiry}"))
            .ok();
        redis.run("SET k old PX 40").ok();
        let refresh = load(&mut redis, EARLY);
        assert!(refresh.is("REFRESH"), "{refresh:?}");
        eventually("the value has run out", || redis.run("EXISTS k").int() == 0);
        assert!(load(&mut redis, EARLY).is("BUSY"));
        assert!(fill(&mut redis, "k", refresh.lease(), "new"));
        assert_eq!(redis.run("GET k").text(), "new");
    }
}

#[test]
fn a_refresh_of_a_value_that_was_changed_meanwhile_is_lost() {
    let server = Server::start();
    let mut redis = server.client();
    for change in [
        "SET k other",
        "APPEND k x",
        "DEL k",
        "APP.CACHE.INVALIDATE k",
    ] {
        store(&mut redis);
        let refresh = load(&mut redis, EARLY);
        assert!(refresh.is("REFRESH"), "{change}: {refresh:?}");
        redis.run(change);
        assert!(!fill(&mut redis, "k", refresh.lease(), "stale"), "{change}");
        assert_ne!(
            redis.run("GET k"),
            crate::support::Reply::Bulk(b"stale".to_vec())
        );
    }
}
