//! Where a call may come from: transactions, scripts, replicas, full memory, a full house.

use crate::caller::{Outcome, counter, fence, lock, nobody_waits, unload, waiter};
use crate::support::{Server, words};

#[test]
fn in_transactions_and_scripts_wait_acts_as_0() {
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder EX 100");
    redis.run("MULTI").ok();
    redis.run("APP.LOCK k t EX 1 WAIT 10000");
    redis.run("APP.LOCK free t EX 1 WAIT 10000");
    let replies = redis.run("EXEC");
    assert!(!Outcome::of(&replies.items()[0]).held);
    assert!(Outcome::of(&replies.items()[1]).held);
    let script = "return redis.call('APP.LOCK', KEYS[1], 't', 'EX', 1, 'WAIT', 10000)";
    let reply = redis.call(redis::cmd("EVAL").arg(script).arg(1).arg("k"));
    assert!(!Outcome::of(&reply).held);
    assert_eq!(counter(&mut redis, "lock_waiting"), 0);
    // The connection is free and so is the module.
    assert_eq!(redis.run("PING").text(), "PONG");
    unload(&mut redis);
}

#[test]
fn unlock_in_transactions_and_scripts_hands_over() {
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder EX 100");
    let mut first = waiter(&server, "APP.LOCK k first EX 100 WAIT 10000");
    let mut second = waiter(&server, "APP.LOCK k second EX 100 WAIT 10000");
    redis.run("MULTI").ok();
    redis.run("APP.UNLOCK k holder");
    redis.run("GET k");
    let replies = redis.run("EXEC");
    assert_eq!(replies.items()[0].int(), 1);
    assert!(replies.items()[1].text().ends_with(" first"));
    let got = fence(&mut first);
    let script = "return redis.call('APP.UNLOCK', KEYS[1], 'first')";
    assert_eq!(
        redis
            .call(redis::cmd("EVAL").arg(script).arg(1).arg("k"))
            .int(),
        1
    );
    assert!(fence(&mut second) > got);
}

#[test]
fn at_full_memory_locks_are_refused_and_what_is_held_can_be_kept_and_released() {
    let server = Server::start();
    let mut redis = server.client();
    let held = lock(&mut redis, "APP.LOCK k a EX 100");
    lock(&mut redis, "APP.LOCK waited holder EX 100");
    let mut next = waiter(&server, "APP.LOCK waited next EX 100 WAIT 10000");
    redis.run("CONFIG SET maxmemory 1").ok();
    for line in [
        "APP.LOCK new t EX 1",
        "APP.LOCK new t EX 1 WAIT 100",
        "APP.LOCK k b EX 1 WAIT 100",
    ] {
        assert!(redis.run(line).error().starts_with("OOM "), "{line}");
    }
    assert!(
        !lock(&mut redis, "APP.LOCK k b EX 1").held,
        "a refusal takes no memory"
    );
    assert_eq!(lock(&mut redis, "APP.LOCK k a EX 200").fence, held.fence);
    assert_eq!(redis.run("APP.LOCK.EXTEND k a EX 300").int(), 1);
    assert_eq!(
        redis.run("APP.LOCK.INFO k").field("fence").unwrap().int(),
        held.fence
    );
    assert_eq!(redis.run("APP.UNLOCK k a").int(), 1);
    // Admitted when it came.
    assert_eq!(redis.run("APP.UNLOCK waited holder").int(), 1);
    assert!(fence(&mut next) > 0);
    assert_eq!(redis.run("EXISTS new").int(), 0);
    redis.run("CONFIG SET maxmemory 0").ok();
    assert!(lock(&mut redis, "APP.LOCK new t EX 1").held);
}

#[test]
fn a_replica_knows_the_lock_and_gives_none() {
    let primary = Server::start();
    let replica = Server::builder().replica_of(&primary).start();
    let held = lock(&mut primary.client(), "APP.LOCK k a EX 100");
    replica.catch_up_with(&primary);
    let mut redis = replica.client();
    let info = redis.run("APP.LOCK.INFO k");
    assert_eq!(info.field("fence").unwrap().int(), held.fence);
    for line in [
        "APP.LOCK k a EX 1 WAIT 100",
        "APP.UNLOCK k a",
        "APP.LOCK.EXTEND k a EX 1",
    ] {
        assert!(redis.run(line).error().starts_with("READONLY"), "{line}");
    }
    // Where a replica may be written to, nobody is kept waiting: nothing could be handed over.
    redis.run("CONFIG SET replica-read-only no").ok();
    assert!(!lock(&mut redis, "APP.LOCK k b EX 1 WAIT 10000").held);
}

#[test]
fn too_few_replicas_refuse_new_locks_and_not_what_was_admitted() {
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder PX 600");
    let mut next = waiter(&server, "APP.LOCK k next EX 100 WAIT 10000");
    redis.run("CONFIG SET min-replicas-to-write 1").ok();
    assert!(
        redis
            .run("APP.LOCK new t EX 1")
            .error()
            .starts_with("NOREPLICAS")
    );
    assert!(fence(&mut next) > 0);
}

#[test]
fn beyond_max_waiters_wait_acts_as_0() {
    let server = Server::builder()
        .module_args("appkit.max-waiters 2")
        .start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder EX 100");
    let mut first = waiter(&server, "APP.LOCK k a EX 100 WAIT 10000");
    lock(&mut redis, "APP.LOCK other holder EX 100");
    let second = waiter(&server, "APP.LOCK other b EX 100 WAIT 10000");
    assert!(!lock(&mut redis, "APP.LOCK k c EX 100 WAIT 10000").held);
    drop(second);
    crate::support::eventually("there is room again", || {
        counter(&mut redis, "lock_waiting") == 1
    });
    let mut third = waiter(&server, "APP.LOCK k c EX 100 WAIT 10000");
    redis.run("APP.UNLOCK k holder").int();
    let got = fence(&mut first);
    redis.run("APP.UNLOCK k a").int();
    assert!(fence(&mut third) > got);
    nobody_waits(&server);
    redis.run("CONFIG SET appkit.max-waiters 0").ok();
    assert!(!lock(&mut redis, "APP.LOCK k d EX 100 WAIT 10000").held);
    assert!(redis.run("CONFIG SET appkit.max-waiters 100001").is_error());
}

#[test]
fn wait_0_is_no_wait() {
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder EX 100");
    assert!(!lock(&mut redis, "APP.LOCK k t EX 100 WAIT 0").held);
    let replies = redis.pipeline(&[words("APP.LOCK free t EX 1 WAIT 0"), words("PING")]);
    assert!(Outcome::of(&replies[0]).held);
}
