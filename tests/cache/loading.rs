//! Who loads, and for how long: leases, FILL, RELEASE, BACKOFF, GETORSET.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::caller::{LONG, counters, fill, lease, load};
use crate::support::{Protocol, Server, eventually};

#[test]
fn one_caller_loads_and_the_others_are_told_to_come_back() {
    let server = Server::start();
    for protocol in [Protocol::RESP2, Protocol::RESP3] {
        let mut redis = server.client_in(protocol);
        redis.run("FLUSHALL").ok();
        let first = load(&mut redis, "k LEASE 5000");
        assert!(first.is("LOAD"), "{first:?}");
        assert_eq!(first.ttl_ms, 5000);
        let mut others = server.client_in(protocol);
        let busy = load(&mut others, "k LEASE 60000");
        assert!(busy.is("BUSY"), "{busy:?}");
        assert!((1..=5000).contains(&busy.ttl_ms), "{busy:?}");
        assert!(load(&mut others, &format!("other {LONG}")).is("LOAD"));
        let stored = format!("APP.CACHE.FILL k {} value PX 7000", first.lease());
        assert_eq!(redis.run(&stored).int(), 1);
        let hit = load(&mut others, "k LEASE 5000");
        assert_eq!((hit.status.as_str(), hit.text().as_str()), ("HIT", "value"));
        assert!((6000..=7000).contains(&hit.ttl_ms), "{hit:?}");
        assert_eq!(others.run("GET k").text(), "value");
        let ttl = others.run("PTTL k").int();
        assert!((6000..=7000).contains(&ttl), "{ttl}");
    }
}

#[test]
fn a_lease_belongs_to_no_connection() {
    let server = Server::start();
    let lease = lease(&mut server.client(), "k");
    assert!(fill(&mut server.client(), "k", &lease, "value"));
}

#[test]
fn leases_are_short_ascii_and_never_come_twice() {
    let server = Server::start();
    let mut redis = server.client();
    let mut seen = BTreeSet::new();
    for round in 0..1000 {
        let lease = lease(&mut redis, &format!("k{}", round % 7));
        assert!(
            lease.is_ascii() && (16..=64).contains(&lease.len()),
            "{lease}"
        );
        assert!(seen.insert(lease), "twice");
        redis.run("FLUSHALL").ok();
    }
}

#[test]
fn a_lease_is_good_once_and_for_its_key_and_database_alone() {
    let server = Server::start();
    let mut redis = server.client();
    let lease = lease(&mut redis, "k");
    assert!(!fill(&mut redis, "other", &lease, "value"));
    redis.run("SELECT 1").ok();
    assert!(!fill(&mut redis, "k", &lease, "value"));
    assert_eq!(redis.run("DBSIZE").int(), 0);
    redis.run("SELECT 0").ok();
    assert_eq!(redis.run("DBSIZE").int(), 0);
    assert!(fill(&mut redis, "k", &lease, "value"));
    redis.run("DEL k").int();
    assert!(!fill(&mut redis, "k", &lease, "again"));
    assert_eq!(redis.run("EXISTS k").int(), 0);
}

#[test]
fn what_is_no_lease_fills_and_releases_nothing() {
    let server = Server::start();
    let mut redis = server.client();
    let lease = lease(&mut redis, "k");
    let long = "f".repeat(70_000);
    let upper = lease.to_uppercase();
    let shorter = &lease[1..];
    let texts: [&[u8]; 7] = [
        b"",
        b"\0",
        b"00000000000000000000000000000000",
        b"\xff\xfe",
        long.as_bytes(),
        shorter.as_bytes(),
        if upper == lease {
            b"-"
        } else {
            upper.as_bytes()
        },
    ];
    for text in texts {
        let mut fill = redis::cmd("APP.CACHE.FILL");
        fill.arg("k").arg(text).arg("v").arg("EX").arg(9);
        assert_eq!(redis.call(&fill).int(), 0, "{}", text.escape_ascii());
        let mut release = redis::cmd("APP.CACHE.RELEASE");
        release.arg("k").arg(text).arg("BACKOFF").arg(60_000);
        assert_eq!(redis.call(&release).int(), 0, "{}", text.escape_ascii());
    }
    assert!(fill(&mut redis, "k", &lease, "value"));
}

#[test]
fn a_lease_that_has_run_out_fills_nothing_and_the_next_caller_loads() {
    let server = Server::start();
    let mut redis = server.client();
    let first = load(&mut redis, "k LEASE 20");
    eventually("the lease has run out", || {
        let next = load(&mut redis, &format!("k {LONG}"));
        assert!(next.is("BUSY") || next.is("LOAD"), "{next:?}");
        next.is("LOAD")
    });
    assert!(!fill(&mut redis, "k", first.lease(), "late"));
    assert_eq!(redis.run("EXISTS k").int(), 0);
    // Also where nobody came in between.
    let alone = load(&mut redis, "alone LEASE 1");
    std::thread::sleep(Duration::from_millis(3));
    assert!(!fill(&mut redis, "alone", alone.lease(), "late"));
    assert_eq!(
        redis
            .run(&format!("APP.CACHE.RELEASE alone {}", alone.lease()))
            .int(),
        0
    );
}

#[test]
fn a_loader_that_gives_up_lets_the_next_one_load() {
    let server = Server::start();
    let mut redis = server.client();
    let lease = lease(&mut redis, "k");
    assert_eq!(redis.run(&format!("APP.CACHE.RELEASE k {lease}")).int(), 1);
    assert_eq!(redis.run(&format!("APP.CACHE.RELEASE k {lease}")).int(), 0);
    assert!(!fill(&mut redis, "k", &lease, "late"));
    assert!(load(&mut redis, "k LEASE 9").is("LOAD"));
}

#[test]
fn a_backoff_keeps_everybody_from_loading_until_it_is_over() {
    let server = Server::start();
    let mut redis = server.client();
    let lease = lease(&mut redis, "k");
    assert_eq!(
        redis
            .run(&format!("APP.CACHE.RELEASE k {lease} BACKOFF 150"))
            .int(),
        1
    );
    // At once, whatever WAIT says.
    let busy = load(&mut redis, &format!("k {LONG} WAIT 600000"));
    assert!(busy.is("BUSY"), "{busy:?}");
    assert!((1..=150).contains(&busy.ttl_ms), "{busy:?}");
    assert!(!fill(&mut redis, "k", &lease, "late"));
    eventually("the backoff is over", || {
        load(&mut redis, &format!("k {LONG}")).is("LOAD")
    });
}

#[test]
fn a_new_value_or_invalidate_ends_a_backoff_and_a_removal_does_not() {
    let server = Server::start();
    let mut redis = server.client();
    let back_off = |redis: &mut _, key: &str| {
        let lease = lease(redis, key);
        redis
            .run(&format!("APP.CACHE.RELEASE {key} {lease} BACKOFF 600000"))
            .int();
        assert!(load(redis, &format!("{key} {LONG}")).is("BUSY"));
    };
    back_off(&mut redis, "invalidated");
    redis.run("APP.CACHE.INVALIDATE invalidated").int();
    assert!(load(&mut redis, &format!("invalidated {LONG}")).is("LOAD"));
    for writer in [
        "SET written v",
        "APP.CACHE.GETORSET written v EX 60",
        "APPEND written v",
    ] {
        redis.run("FLUSHALL").ok();
        back_off(&mut redis, "written");
        assert!(!redis.run(writer).is_error());
        assert!(
            load(&mut redis, &format!("written {LONG}")).is("HIT"),
            "{writer}"
        );
        redis.run("DEL written").int();
        assert!(
            load(&mut redis, &format!("written {LONG}")).is("LOAD"),
            "{writer}"
        );
    }
    back_off(&mut redis, "deleted");
    redis.run("DEL deleted").int();
    assert!(load(&mut redis, &format!("deleted {LONG}")).is("BUSY"));
    redis.run("FLUSHDB").ok();
    assert!(load(&mut redis, &format!("deleted {LONG}")).is("LOAD"));
}

#[test]
fn get_or_set_stores_once() {
    let server = Server::start();
    for protocol in [Protocol::RESP2, Protocol::RESP3] {
        let mut redis = server.client_in(protocol);
        redis.run("FLUSHALL").ok();
        let stored = redis.run("APP.CACHE.GETORSET k mine PX 5000");
        let [status, value, ttl] = stored.items() else {
            panic!("expected three fields: {stored:?}");
        };
        assert_eq!(
            (status.bytes(), value.bytes(), ttl.int()),
            (&b"SET"[..], &b"mine"[..], 5000)
        );
        let hit = redis.run("APP.CACHE.GETORSET k yours EX 60");
        let [status, value, ttl] = hit.items() else {
            panic!("expected three fields: {hit:?}");
        };
        assert_eq!((status.bytes(), value.bytes()), (&b"HIT"[..], &b"mine"[..]));
        assert!((4000..=5000).contains(&ttl.int()), "{hit:?}");
        redis.run("SET k forever").ok();
        assert_eq!(
            redis.run("APP.CACHE.GETORSET k yours EX 60").items()[2].int(),
            -1
        );
        assert_eq!(load(&mut redis, "k LEASE 5").ttl_ms, -1);
    }
}

#[test]
fn get_or_set_voids_a_lease_where_it_stores() {
    let server = Server::start();
    let mut redis = server.client();
    let lease = lease(&mut redis, "k");
    assert_eq!(
        redis.run("APP.CACHE.GETORSET k mine EX 60").items()[0].bytes(),
        b"SET"
    );
    assert!(!fill(&mut redis, "k", &lease, "late"));
    assert_eq!(redis.run("GET k").text(), "mine");
}

#[test]
fn invalidate_counts_the_keys_that_held_a_value() {
    let server = Server::start();
    let mut redis = server.client();
    redis.run("MSET a 1 b 2 c 3").ok();
    assert_eq!(redis.run("APP.CACHE.INVALIDATE a none b a b").int(), 2);
    assert_eq!(redis.run("EXISTS a b").int(), 0);
    assert_eq!(redis.run("GET c").text(), "3");
    assert_eq!(redis.run("APP.CACHE.INVALIDATE a none b").int(), 0);
}

#[test]
fn info_counts_what_happened() {
    let server = Server::start();
    let mut redis = server.client();
    let lease_of_a = lease(&mut redis, "a");
    load(&mut redis, "a LEASE 9");
    fill(&mut redis, "a", &lease_of_a, "v");
    fill(&mut redis, "a", &lease_of_a, "v");
    load(&mut redis, "a LEASE 9");
    redis.run("APP.CACHE.GETORSET a v EX 9").items();
    redis.run("APP.CACHE.GETORSET b v PX 50000").items();
    load(&mut redis, &format!("b {LONG} EARLY 60000"));
    let counters = counters(&mut redis);
    let expected = [
        ("hits", 3),
        ("misses", 3),
        ("loads", 1),
        ("refreshes", 1),
        ("fills", 1),
        ("lost_fills", 1),
        ("busy", 1),
        ("waits", 0),
        ("promoted", 0),
        ("waiting", 0),
        ("leases", 1),
    ];
    for (name, value) in expected {
        assert_eq!(counters[name], value, "{name}: {counters:?}");
    }
}
