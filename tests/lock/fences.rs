//! Fences grow with every new hold, whatever ended the one before.

use crate::caller::{fence, lock, waiter};
use crate::support::{Client, Server, Stop, eventually, now_ms};

const MAX_FENCE: i64 = (1 << 53) - 1;

/// Takes the lock `key` with a fence above `last`, and releases it.
#[track_caller]
fn next(redis: &mut Client, key: &str, last: i64) -> i64 {
    let held = lock(redis, &format!("APP.LOCK {key} token EX 100"));
    assert!(held.held && held.fence > last, "{held:?} after {last}");
    assert!(held.fence <= MAX_FENCE);
    redis.run(&format!("DEL {key}")).int();
    held.fence
}

#[test]
fn a_fence_is_the_clock_in_microseconds() {
    let server = Server::start();
    let before = now_ms();
    let fence = lock(&mut server.client(), "APP.LOCK k a EX 1").fence;
    assert!(
        (before * 1000..=(now_ms() + 1) * 1000).contains(&fence),
        "{fence}"
    );
}

#[test]
fn fences_grow_over_all_locks_of_a_server() {
    let server = Server::start();
    let mut redis = server.client();
    let mut last = 0;
    // A pipeline takes locks faster than the clock's microseconds may tell apart.
    let locks: Vec<redis::Cmd> = (0..2000)
        .map(|n| {
            let mut lock = redis::cmd("APP.LOCK");
            lock.arg(format!("k{n}")).arg("token").arg("EX").arg(100);
            lock
        })
        .collect();
    for reply in redis.pipeline(&locks) {
        let fence = reply.ints()[1];
        assert!(fence > last);
        last = fence;
    }
}

#[test]
fn fences_grow_across_whatever_ends_a_hold() {
    let server = Server::start();
    let mut redis = server.client();
    let mut last = next(&mut redis, "k", 0);
    lock(&mut redis, "APP.LOCK k a EX 10");
    assert_eq!(redis.run("APP.UNLOCK k a").int(), 1);
    last = next(&mut redis, "k", last);
    lock(&mut redis, "APP.LOCK k a PX 1");
    eventually("the lock runs out", || redis.run("EXISTS k").int() == 0);
    last = next(&mut redis, "k", last);
    redis.run("SET k plain PX 10000").ok();
    redis.run("FLUSHALL").ok();
    last = next(&mut redis, "k", last);
    // Handed over in line.
    let mut held = lock(&mut redis, "APP.LOCK k a EX 10").fence;
    assert!(held > last);
    for name in ["b", "c"] {
        let mut next = waiter(&server, &format!("APP.LOCK k {name} EX 10 WAIT 5000"));
        redis.run("DEL k").int();
        let fence = fence(&mut next);
        assert!(fence > held);
        held = fence;
    }
}

#[test]
fn fences_grow_across_restarts_from_rdb_and_aof() {
    let mut server = Server::builder().appendonly().start();
    let mut last = next(&mut server.client(), "k", 0);
    lock(&mut server.client(), "APP.LOCK held a EX 1000");
    for stop in [Stop::NoSave, Stop::Save] {
        server.restart(stop);
        let mut redis = server.client();
        last = next(&mut redis, "k", last);
        assert!(!lock(&mut redis, "APP.LOCK held b EX 1").held, "{stop:?}");
    }
    let mut server = Server::start();
    let mut last = next(&mut server.client(), "k", last);
    let held = lock(&mut server.client(), "APP.LOCK held a EX 1000").fence;
    server.restart(Stop::Save);
    let mut redis = server.client();
    last = next(&mut redis, "k", last);
    let again = lock(&mut redis, "APP.LOCK held a EX 1000");
    assert_eq!(again.fence, held, "the hold is the same after the restart");
    assert!(next(&mut redis, "k", last) > held);
}

#[test]
fn fences_grow_when_a_replica_is_promoted() {
    let primary = Server::start();
    let replica = Server::builder().replica_of(&primary).start();
    let last = next(&mut primary.client(), "k", 0);
    let held = lock(&mut primary.client(), "APP.LOCK held a EX 1000").fence;
    replica.catch_up_with(&primary);
    let mut redis = replica.client();
    redis.run("REPLICAOF NO ONE").ok();
    assert_eq!(lock(&mut redis, "APP.LOCK held a EX 1000").fence, held);
    next(&mut redis, "k", last.max(held));
}
