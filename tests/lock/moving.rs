//! Whatever ends a hold, or moves its end, moves the line.

use std::time::{Duration, Instant};

use crate::caller::{fence, lock, outcome, waiter};
use crate::support::{Server, stretched_ms, words};

/// A lock that is held for long, and the first in line.
fn held_with_waiter(server: &Server, key: &str) -> crate::support::Client {
    lock(
        &mut server.client(),
        &format!("APP.LOCK {key} holder EX 1000"),
    );
    waiter(server, &format!("APP.LOCK {key} next EX 1000 WAIT 10000"))
}

/// Ends of the key `k`, each a pipeline.
const ENDS: &[&[&str]] = &[
    &["DEL k"],
    &["UNLINK k"],
    &["GETDEL k"],
    &["PEXPIRE k -1"],
    &["EXPIREAT k 1"],
    &["RENAME k elsewhere"],
    &["MOVE k 5"],
    &["FLUSHDB"],
    &["FLUSHALL"],
    &["FLUSHALL ASYNC"],
    &["SWAPDB 0 7"],
    &["SWAPDB 7 0"],
    &["MULTI", "SET a x", "DEL k", "SET b x", "EXEC"],
    &["EVAL redis.call('DEL',KEYS[1]) 1 k"],
    &["PEXPIRE k 30"],
    &["SET k plain PX 30"],
    &["SET k plain", "DEL k"],
    &["SET k plain PX 100000", "PEXPIRE k 20"],
    &["PERSIST k", "PEXPIRE k 20"],
    &["SET other x PX 30", "RENAME other k"],
    &["SET other x PX 30", "COPY other k REPLACE"],
    &["RPUSH list x", "RENAME list k", "LPOP k"],
    &["APP.LOCK.EXTEND k holder PX 20"],
    &["APP.LOCK k holder PX 20"],
];

#[test]
fn the_line_moves_whatever_ends_the_hold() {
    let server = Server::start();
    let mut redis = server.client();
    for end in ENDS {
        let mut next = held_with_waiter(&server, "k");
        let started = Instant::now();
        for reply in redis.pipeline(&end.iter().map(|line| words(line)).collect::<Vec<_>>()) {
            assert!(!reply.is_error(), "{end:?}: {reply:?}");
        }
        assert!(fence(&mut next) > 0, "{end:?}");
        let elapsed = started.elapsed();
        assert!(elapsed < Duration::from_millis(500), "{end:?}: {elapsed:?}");
        assert_eq!(redis.run("APP.UNLOCK k next").int(), 1, "{end:?}");
        redis.run("FLUSHALL").ok();
    }
}

#[test]
fn a_later_end_is_waited_for() {
    let server = Server::start();
    let mut redis = server.client();
    for change in [
        "PEXPIRE k 5000",
        "APP.LOCK.EXTEND k holder PX 5000",
        "PERSIST k",
        "SET k x",
    ] {
        lock(&mut redis, "APP.LOCK k holder PX 500");
        let mut next = waiter(&server, "APP.LOCK k next EX 100 WAIT 800");
        redis.run(change);
        let refused = outcome(&mut next);
        assert!(!refused.held, "{change}: {refused:?}");
        redis.run("DEL k").int();
    }
}

#[test]
fn the_end_of_a_lock_taken_by_older_code_lets_the_next_in() {
    let server = Server::start();
    let mut redis = server.client();
    for end in ["DEL k", "PEXPIRE k 20"] {
        redis.run("SET k token NX PX 100000").ok();
        let mut next = waiter(&server, "APP.LOCK k next EX 100 WAIT 10000");
        redis.run(end).int();
        assert!(fence(&mut next) > 0);
        assert!(redis.run("SET k token NX PX 1000").is_nil());
        redis.run("APP.UNLOCK k next").int();
    }
}

#[test]
fn a_key_that_becomes_another_type_is_in_the_way_until_it_is_gone() {
    let server = Server::start();
    let mut redis = server.client();
    let mut next = held_with_waiter(&server, "k");
    redis.pipeline(&[words("RPUSH list x"), words("RENAME list k")]);
    let mut other = server.client();
    assert!(
        other
            .run("APP.LOCK k t EX 1")
            .error()
            .starts_with("WRONGTYPE")
    );
    redis.run("PEXPIRE k 30").int();
    assert!(fence(&mut next) > 0);
}

#[test]
fn a_swapped_database_is_looked_at_with_the_lines_of_both() {
    let server = Server::start();
    let mut redis = server.client();
    let mut here = held_with_waiter(&server, "k");
    redis.run("SELECT 1").ok();
    lock(&mut redis, "APP.LOCK k holder PX 100000");
    let mut client = server.client();
    client.run("SELECT 1").ok();
    crate::caller::stand_in_line(&server, &mut client, "APP.LOCK k there EX 100 WAIT 10000");
    // It runs out after the swap.
    let rest_ms = stretched_ms(200);
    redis.run(&format!("PEXPIRE k {rest_ms}")).int();
    redis.run("SWAPDB 0 1").ok();
    // The line in database 0 now waits for what was in 1.
    assert!(fence(&mut here) > 0);
    redis.run("SELECT 1").ok();
    redis.run("DEL k").int();
    assert!(fence(&mut client) > 0);
}

#[test]
fn a_holder_that_stands_in_line_where_databases_were_swapped_gets_its_answer() {
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k other EX 100");
    let mut there = server.client();
    there.run("SELECT 1").ok();
    let held = lock(&mut there, "APP.LOCK k t EX 100");
    let mut waits = waiter(&server, "APP.LOCK k t PX 50000 WAIT 10000");
    redis.run("SWAPDB 0 1").ok();
    let again = outcome(&mut waits);
    assert_eq!((again.fence, again.ttl_ms), (held.fence, 50_000));
}

#[test]
fn an_evicted_lock_lets_the_next_in() {
    let server = Server::builder()
        .config("maxmemory-policy allkeys-random")
        .start();
    let mut redis = server.client();
    let mut next = held_with_waiter(&server, "k");
    redis.run("CONFIG SET maxmemory 1").ok();
    redis.run("SET filler x");
    redis.run("CONFIG SET maxmemory 0").ok();
    assert!(fence(&mut next) > 0);
}

#[test]
fn a_reloaded_dataset_keeps_the_lock_and_the_line() {
    let server = Server::start();
    let mut redis = server.client();
    let mut next = held_with_waiter(&server, "k");
    redis.run("DEBUG RELOAD").ok();
    assert!(!lock(&mut redis, "APP.LOCK k other EX 1").held);
    assert_eq!(redis.run("APP.UNLOCK k holder").int(), 1);
    assert!(fence(&mut next) > 0);
}

#[test]
fn a_plain_set_behind_the_end_does_not_overtake_where_the_server_knows_jobs() {
    let server = Server::start();
    let mut redis = server.client();
    let mut next = held_with_waiter(&server, "k");
    let replies = redis.pipeline(&[words("DEL k"), words("SET k older NX PX 60")]);
    // Redis 7.0 lets older code in here, and the line moves at its end.
    let overtaken = !replies[1].is_nil();
    assert!(fence(&mut next) > 0);
    let has_jobs = crate::support::server_has(&mut redis, "client|no-touch");
    assert_eq!(overtaken, !has_jobs, "{replies:?}");
}
