//! While writes are paused nothing is handed over, and nobody loses a place.

use std::time::{Duration, Instant};

use crate::caller::{Outcome, counter, fence, known_waiter, lock, nobody_waits, waiter};
use crate::support::{Client, Server, eventually, info, stretched, stretched_ms, words};

/// Ten clients in line, each with a lifetime of 5 ms.
fn ten(server: &Server) -> Vec<Client> {
    let wait_ms = stretched_ms(10_000);
    (0..10)
        .map(|n| waiter(server, &format!("APP.LOCK k t{n} PX 5 WAIT {wait_ms}")))
        .collect()
}

/// All are served, in order.
fn assert_served(line: &mut [Client], after: i64) {
    let mut last = after;
    for client in line {
        let got = fence(client);
        assert!(got > last);
        last = got;
    }
}

#[test]
fn a_holder_that_runs_out_during_a_pause_is_followed_after_it() {
    for kind in ["WRITE", "ALL"] {
        let server = Server::builder().appendonly().start();
        let mut redis = server.client();
        let held = lock(&mut redis, "APP.LOCK k holder EX 100").fence;
        let mut line = ten(&server);
        expire_soon(&mut redis);
        let started = Instant::now();
        let pause_ms = stretched_ms(400);
        redis.run(&format!("CLIENT PAUSE {pause_ms} {kind}")).ok();
        if kind == "WRITE" {
            std::thread::sleep(stretched(250));
            // The server lives, and the holder has run out.
            assert_eq!(counter(&mut redis, "lock_waiting"), 10);
            assert_eq!(counter(&mut redis, "lock_handed_over"), 0);
            assert_eq!(redis.run("PTTL k").int(), -2);
        }
        assert_served(&mut line[..1], held);
        assert!(started.elapsed() >= Duration::from_millis(pause_ms - 5));
        assert_served(&mut line[1..], held);
        assert_eq!(counter(&mut redis, "lock_handed_over"), 10);
    }
}

#[test]
fn a_deletion_just_before_a_pause_is_followed_after_it() {
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder EX 100");
    let mut next = waiter(&server, "APP.LOCK k next EX 100 WAIT 10000");
    redis.pipeline(&[words("DEL k"), words("CLIENT PAUSE 200 WRITE")]);
    assert!(fence(&mut next) > 0);
}

#[test]
fn a_wait_runs_out_during_a_pause_all_the_same() {
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder PX 400");
    let started = Instant::now();
    let mut next = waiter(&server, "APP.LOCK k next EX 100 WAIT 500");
    redis.run("CLIENT PAUSE 2000 WRITE").ok();
    let refused = Outcome::of(&next.reply());
    assert!(!refused.held && refused.ttl_ms >= 1, "{refused:?}");
    assert!(started.elapsed() < Duration::from_millis(1500));
    redis.run("CLIENT UNPAUSE").ok();
}

#[test]
fn a_client_gone_during_a_pause_is_passed_over_after_it() {
    let server = Server::builder().appendonly().start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder EX 100");
    let (_chosen, chosen_id) = known_waiter(&server, "APP.LOCK k chosen EX 100 WAIT 10000");
    let mut next = waiter(&server, "APP.LOCK k next EX 100 WAIT 10000");
    // The lock is the dead client's when the pause begins, and taking it back is a write.
    redis.pipeline(&[
        words("APP.UNLOCK k holder"),
        words(&format!("CLIENT KILL ID {chosen_id}")),
        words("CLIENT PAUSE 200 WRITE"),
    ]);
    assert!(fence(&mut next) > 0);
    assert_eq!(counter(&mut redis, "lock_passed_on"), 1);
}

/// A replica that does not answer, so that the primary waits for it.
fn stalled_replica(server: &Server) -> Server {
    let replica = Server::builder().replica_of(server).start();
    stall(&replica, server, 1500);
    replica
}

/// Keeps the replica from answering for about `ms`.
fn stall(replica: &Server, primary: &Server, ms: u64) {
    replica.catch_up_with(primary);
    let seconds = stretched(ms).as_secs_f64();
    replica
        .client()
        .send(&words(&format!("DEBUG SLEEP {seconds}")));
    std::thread::sleep(stretched(40));
}

/// The holder of `k` has a moment left.
fn expire_soon(redis: &mut Client) {
    let moment_ms = stretched_ms(100);
    redis.run(&format!("PEXPIRE k {moment_ms}")).int();
}

#[test]
fn a_shutdown_that_waits_for_replicas_hands_nothing_over_and_may_be_called_off() {
    let server = Server::builder()
        .appendonly()
        .config("shutdown-timeout 60")
        .start();
    let _replica = stalled_replica(&server);
    let mut redis = server.client();
    let held = lock(&mut redis, "APP.LOCK k holder EX 100").fence;
    let mut line = ten(&server);
    expire_soon(&mut redis);
    let mut stops = server.client();
    stops.send(&words("SHUTDOWN"));
    std::thread::sleep(stretched(300));
    assert_eq!(counter(&mut redis, "lock_handed_over"), 0);
    redis.run("SHUTDOWN ABORT").ok();
    assert_served(&mut line, held);
}

#[test]
fn a_failover_hands_nothing_over_and_leaves_nobody_in_line() {
    let primary = Server::builder().appendonly().start();
    let replica = Server::builder().replica_of(&primary).start();
    let mut redis = primary.client();
    lock(&mut redis, "APP.LOCK k holder EX 100");
    let mut line = ten(&primary);
    stall(&replica, &primary, 600);
    // The replica lags behind this, so the failover takes until it wakes up.
    expire_soon(&mut redis);
    redis.run("FAILOVER").ok();
    for client in &mut line {
        let reply = client.reply();
        assert!(reply.error().starts_with("UNBLOCKED"), "{reply:?}");
    }
    nobody_waits(&primary);
    assert_eq!(counter(&mut redis, "lock_handed_over"), 0);
    let mut promoted = replica.client();
    eventually("the replica is promoted", || {
        info(&mut promoted, "replication")["role"] == "master"
    });
    eventually("the lock runs out there", || {
        promoted.run("EXISTS k").int() == 0
    });
    assert!(lock(&mut promoted, "APP.LOCK k t EX 1").held);
}
