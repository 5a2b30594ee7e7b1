//! Standing in line: order, time, places.

use std::time::{Duration, Instant};

use crate::caller::{counter, fence, lock, nobody_waits, outcome, stand_in_line, waiter};
use crate::support::{Client, Protocol, Server, words};

/// The call has no reply within a moment.
#[track_caller]
fn assert_waiting(client: &mut Client) {
    client.set_read_timeout(Duration::from_millis(30));
    let reply = client.try_frame();
    assert!(reply.is_err(), "got {reply:?}");
    client.set_read_timeout(crate::support::DEADLINE);
}

#[test]
fn unlock_hands_the_lock_to_the_first_in_line() {
    let server = Server::start();
    let mut redis = server.client();
    let mut last = lock(&mut redis, "APP.LOCK k holder EX 100").fence;
    let mut line: Vec<Client> = (0..5)
        .map(|n| waiter(&server, &format!("APP.LOCK k t{n} PX 60000 WAIT 10000")))
        .collect();
    assert_eq!(
        redis.run("APP.LOCK.INFO k").field("waiters").unwrap().int(),
        5
    );
    let mut token = "holder".to_owned();
    for (n, next) in line.iter_mut().enumerate() {
        assert_eq!(redis.run(&format!("APP.UNLOCK k {token}")).int(), 1);
        let got = outcome(next);
        assert!(
            got.held && got.fence > last && got.ttl_ms == 60_000,
            "{got:?}"
        );
        last = got.fence;
        token = format!("t{n}");
        // In the same step: the lock was never free in between.
        assert!(redis.run("GET k").text().ends_with(&token));
    }
    assert_eq!(redis.run(&format!("APP.UNLOCK k {token}")).int(), 1);
    assert_eq!(redis.run("EXISTS k").int(), 0);
    assert_eq!(counter(&mut redis, "lock_handed_over"), 5);
    assert_eq!(counter(&mut redis, "lock_acquired"), 6);
}

#[test]
fn the_line_moves_when_the_holder_runs_out() {
    let server = Server::start();
    for active in [0, 1] {
        let mut redis = server.client();
        redis.run(&format!("DEBUG SET-ACTIVE-EXPIRE {active}")).ok();
        lock(&mut redis, "APP.LOCK k holder PX 500");
        let mut next = waiter(&server, "APP.LOCK k next PX 80 WAIT 10000");
        let mut after = waiter(&server, "APP.LOCK k after EX 10 WAIT 10000");
        let started = Instant::now();
        let first = fence(&mut next);
        // The lifetime of a waiter starts when it gets the lock.
        assert!(fence(&mut after) > first);
        let elapsed = started.elapsed();
        assert!(elapsed >= Duration::from_millis(80), "{elapsed:?}");
        assert_eq!(redis.run("APP.UNLOCK k after").int(), 1);
    }
}

#[test]
fn a_wait_runs_out_with_the_time_left_to_the_holder() {
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder EX 100");
    for protocol in [Protocol::RESP2, Protocol::RESP3] {
        let mut client = server.client_in(protocol);
        let started = Instant::now();
        let refused = lock(&mut client, "APP.LOCK k t EX 1 WAIT 120");
        let elapsed = started.elapsed();
        assert!(!refused.held && refused.ttl_ms > 90_000, "{refused:?}");
        assert!(elapsed >= Duration::from_millis(119), "{elapsed:?}");
        assert!(elapsed < Duration::from_millis(1000), "{elapsed:?}");
    }
    redis.run("SET plain x").ok();
    assert_eq!(lock(&mut redis, "APP.LOCK plain t EX 1 WAIT 20").ttl_ms, -1);
    assert_eq!(counter(&mut redis, "lock_timed_out"), 3);
    assert_eq!(counter(&mut redis, "lock_refused"), 0);
}

#[test]
fn nobody_gets_in_before_the_line() {
    let server = Server::start();
    let mut redis = server.client();
    // With the lock's end in the same pipeline as the newcomers.
    for end in [
        "APP.UNLOCK k holder",
        "DEL k",
        "UNLINK k",
        "PEXPIRE k -1",
        "FLUSHALL",
    ] {
        lock(&mut redis, "APP.LOCK k holder EX 100");
        let mut first = waiter(&server, "APP.LOCK k first EX 100 WAIT 10000");
        let pipeline = [
            words(end),
            words("APP.LOCK k newcomer EX 100"),
            words("APP.LOCK k newcomer EX 100 WAIT 1"),
        ];
        let replies = redis.pipeline(&pipeline);
        for newcomer in &replies[1..] {
            assert_eq!(newcomer.ints()[0], 0, "{end}: {replies:?}");
        }
        assert!(fence(&mut first) > 0, "{end}");
        assert_eq!(redis.run("APP.UNLOCK k first").int(), 1);
    }
}

#[test]
fn a_pipeline_cannot_overtake_a_line_by_waiting_for_the_expiry() {
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder PX 400");
    let mut first = waiter(&server, "APP.LOCK k first EX 100 WAIT 10000");
    // The server is busy over the end of the holder, and the newcomer is the first command after.
    let replies = redis.pipeline(&[
        words("DEBUG SLEEP 0.45"),
        words("APP.LOCK k newcomer EX 100"),
    ]);
    assert_eq!(replies[1].ints()[0], 0, "{replies:?}");
    assert!(fence(&mut first) > 0);
}

#[test]
fn a_token_stands_in_line_once_and_all_its_calls_get_one_answer() {
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder EX 100");
    let mut first = waiter(&server, "APP.LOCK k twice PX 70000 WAIT 10000");
    let mut other = waiter(&server, "APP.LOCK k other EX 100 WAIT 10000");
    let mut again = waiter(&server, "APP.LOCK k twice PX 70000 WAIT 10000");
    assert_eq!(
        redis.run("APP.LOCK.INFO k").field("waiters").unwrap().int(),
        2
    );
    redis.run("APP.UNLOCK k holder").int();
    let (one, two) = (outcome(&mut first), outcome(&mut again));
    assert!(one.held);
    assert_eq!(one, two);
    assert_waiting(&mut other);
    assert_eq!(redis.run("APP.UNLOCK k twice").int(), 1);
    assert!(fence(&mut other) > one.fence);
}

#[test]
fn a_call_sent_again_keeps_the_place_of_its_token() {
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder EX 100");
    let lost = waiter(&server, "APP.LOCK k t EX 100 WAIT 10000");
    let mut other = waiter(&server, "APP.LOCK k other EX 100 WAIT 10000");
    let mut again = waiter(&server, "APP.LOCK k t EX 100 WAIT 10000");
    drop(lost);
    crate::support::eventually("the lost client is gone", || {
        counter(&mut redis, "lock_waiting") == 2
    });
    redis.run("APP.UNLOCK k holder").int();
    assert!(fence(&mut again) > 0);
    assert_waiting(&mut other);
}

#[test]
fn lines_of_different_keys_and_databases_do_not_touch() {
    let server = Server::start();
    let mut redis = server.client();
    let mut waiters = Vec::new();
    for (db, key) in [(0, "a"), (0, "b"), (3, "a")] {
        redis.run(&format!("SELECT {db}")).ok();
        lock(&mut redis, &format!("APP.LOCK {key} holder EX 100"));
        let mut client = server.client();
        client.run(&format!("SELECT {db}")).ok();
        stand_in_line(
            &server,
            &mut client,
            &format!("APP.LOCK {key} t EX 100 WAIT 10000"),
        );
        waiters.push(client);
    }
    redis.run("SELECT 3").ok();
    assert_eq!(
        redis.run("APP.LOCK.INFO a").field("waiters").unwrap().int(),
        1
    );
    redis.run("APP.UNLOCK a holder").int();
    assert!(fence(&mut waiters[2]) > 0);
    assert_waiting(&mut waiters[0]);
    assert_waiting(&mut waiters[1]);
    redis.run("SELECT 0").ok();
    redis.run("APP.UNLOCK b holder").int();
    assert!(fence(&mut waiters[1]) > 0);
    assert_waiting(&mut waiters[0]);
}

#[test]
fn a_client_goes_on_with_its_pipeline_after_the_wait() {
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder EX 100");
    let mut client = server.client();
    let line = [
        "APP.LOCK k t EX 100 WAIT 10000",
        "APP.UNLOCK k t",
        "APP.LOCK k u EX 1",
        "PING",
    ];
    let packed: Vec<u8> = line
        .iter()
        .flat_map(|line| words(line).get_packed_command())
        .collect();
    client.write(&packed);
    crate::support::eventually("it stands in line", || {
        counter(&mut redis, "lock_waiting") == 1
    });
    redis.run("APP.UNLOCK k holder").int();
    let got = fence(&mut client);
    assert_eq!(client.reply().int(), 1);
    assert!(fence(&mut client) > got);
    assert_eq!(client.reply().text(), "PONG");
    nobody_waits(&server);
}
