//! What each command does, with nobody in line.

use crate::caller::{Outcome, counter, lock};
use crate::support::{Client, Protocol, Server, eventually, words};

#[test]
fn a_lock_is_held_by_one_token_until_it_is_released() {
    let server = Server::start();
    let mut redis = server.client();
    let held = lock(&mut redis, "APP.LOCK k a EX 10");
    assert!(held.held);
    assert_eq!(held.ttl_ms, 10_000);
    let refused = lock(&mut redis, "APP.LOCK k b EX 10");
    assert!(!refused.held && refused.fence == 0);
    assert!((9000..=10_000).contains(&refused.ttl_ms), "{refused:?}");
    assert_eq!(redis.run("APP.UNLOCK k b").int(), 0);
    assert_eq!(redis.run("APP.UNLOCK k a").int(), 1);
    assert_eq!(redis.run("EXISTS k").int(), 0);
    assert!(lock(&mut redis, "APP.LOCK k b PX 10000").held);
}

#[test]
fn a_lock_is_a_plain_string_with_the_lifetime_as_its_ttl() {
    let server = Server::start();
    let mut redis = server.client();
    let held = lock(&mut redis, "APP.LOCK k token PX 60000");
    let state = format!("appkit:lock:1 {} token", held.fence);
    assert_eq!(redis.run("GET k").text(), state);
    assert_eq!(redis.run("TYPE k").text(), "string");
    let ttl = redis.run("PTTL k").int();
    assert!((59_000..=60_000).contains(&ttl), "{ttl}");
}

#[test]
fn the_same_token_again_is_the_same_hold_with_a_new_lifetime() {
    let server = Server::start();
    let mut redis = server.client();
    let first = lock(&mut redis, "APP.LOCK k a PX 1000");
    let again = lock(&mut redis, "APP.LOCK k a PX 60000");
    assert_eq!(again.fence, first.fence);
    assert_eq!((again.held, again.ttl_ms), (true, 60_000));
    assert!(redis.run("PTTL k").int() > 50_000);
    let shorter = lock(&mut redis, "APP.LOCK k a PX 900 WAIT 5000");
    assert_eq!((shorter.fence, shorter.ttl_ms), (first.fence, 900));
    assert!(redis.run("PTTL k").int() <= 900);
    assert_eq!(redis.run("APP.UNLOCK k a").int(), 1);
    assert!(redis.run("APP.UNLOCK k a").is_nil());
}

#[test]
fn a_lock_that_ran_out_is_nobodys() {
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k a PX 20");
    eventually("the lock runs out", || redis.run("EXISTS k").int() == 0);
    assert!(redis.run("APP.UNLOCK k a").is_nil());
    assert!(redis.run("APP.LOCK.EXTEND k a EX 10").is_nil());
    assert!(redis.run("APP.LOCK.INFO k").is_nil());
    assert_eq!(redis.run("EXISTS k").int(), 0, "EXTEND makes nothing");
    assert!(lock(&mut redis, "APP.LOCK k b EX 10").held);
    assert_eq!(redis.run("APP.UNLOCK k a").int(), 0, "taken over");
    assert_eq!(
        redis.run("APP.LOCK.EXTEND k a EX 10").int(),
        0,
        "taken over"
    );
}

#[test]
fn extend_sets_the_lifetime_from_now_on_for_the_holder_alone() {
    let server = Server::start();
    let mut redis = server.client();
    let held = lock(&mut redis, "APP.LOCK k a PX 5000");
    let state = redis.run("GET k");
    assert_eq!(redis.run("APP.LOCK.EXTEND k b EX 100").int(), 0);
    assert!(redis.run("PTTL k").int() <= 5000);
    assert_eq!(redis.run("APP.LOCK.EXTEND k a EX 100").int(), 1);
    assert!(redis.run("PTTL k").int() > 99_000);
    assert_eq!(redis.run("GET k"), state);
    assert_eq!(redis.run("APP.LOCK.EXTEND k a PX 300").int(), 1);
    assert!(redis.run("PTTL k").int() <= 300);
    assert_eq!(lock(&mut redis, "APP.LOCK k a EX 1").fence, held.fence);
}

#[test]
fn info_tells_everything_but_the_token() {
    let server = Server::start();
    let held = lock(&mut server.client(), "APP.LOCK k a EX 100");
    for protocol in [Protocol::RESP2, Protocol::RESP3] {
        let mut redis = server.client_in(protocol);
        let info = redis.run("APP.LOCK.INFO k");
        let names: Vec<String> = info.pairs().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["fence", "ttl_ms", "waiters"]);
        assert_eq!(info.field("fence").unwrap().int(), held.fence);
        assert!((99_000..=100_000).contains(&info.field("ttl_ms").unwrap().int()));
        assert_eq!(info.field("waiters").unwrap().int(), 0);
        assert!(redis.run("APP.LOCK.INFO other").is_nil());
    }
}

#[test]
fn a_lock_taken_by_older_code_is_somebody_elses() {
    let server = Server::start();
    let mut redis = server.client();
    for value in ["token", "12345", "appkit:lock:2 1700000000000000 token"] {
        redis
            .call(redis::cmd("SET").arg("k").arg(value).arg("PX").arg(60_000))
            .ok();
        let refused = lock(&mut redis, "APP.LOCK k token EX 1");
        assert!(!refused.held && refused.ttl_ms > 50_000, "{refused:?}");
        assert_eq!(redis.run("APP.UNLOCK k token").int(), 0);
        assert_eq!(redis.run("APP.LOCK.EXTEND k token EX 1").int(), 0);
        assert_eq!(
            redis.run("APP.LOCK.INFO k").field("fence").unwrap().int(),
            0
        );
        assert_eq!(redis.run("GET k").text(), value);
    }
    redis.run("SET k 12345").ok();
    let for_ever = lock(&mut redis, "APP.LOCK k token EX 1");
    assert_eq!((for_ever.held, for_ever.ttl_ms), (false, -1));
    assert_eq!(
        redis.run("APP.LOCK.INFO k").field("ttl_ms").unwrap().int(),
        -1
    );
    assert_eq!(
        redis.run("OBJECT ENCODING k").text(),
        "int",
        "left as it was"
    );
    redis.run("DEL k").int();
    lock(&mut redis, "APP.LOCK k token EX 10");
    assert!(
        redis.run("SET k other NX PX 1000").is_nil(),
        "and the other way round"
    );
}

#[test]
fn keys_and_tokens_are_any_bytes() {
    let server = Server::start();
    let mut redis = server.client();
    let key: &[u8] = b"\0key \r\n\xff";
    let token: &[u8] = b" a\0b \r\n\xfe ";
    let command = |name: &str, token: &[u8]| {
        let mut command = redis::cmd(name);
        command.arg(key).arg(token);
        command
    };
    let lock_with = |redis: &mut Client, token: &[u8]| {
        Outcome::of(&redis.call(command("APP.LOCK", token).arg("EX").arg(10)))
    };
    let fence = lock_with(&mut redis, token).fence;
    assert!(fence > 0);
    assert!(!lock_with(&mut redis, &token[..token.len() - 1]).held);
    assert_eq!(lock_with(&mut redis, token).fence, fence);
    let extended = redis.call(command("APP.LOCK.EXTEND", token).arg("EX").arg(10));
    assert_eq!(extended.int(), 1);
    assert_eq!(redis.call(&command("APP.UNLOCK", token)).int(), 1);
    assert_eq!(redis.run("DBSIZE").int(), 0);
}

#[test]
fn counters_tell_what_happened() {
    let server = Server::start();
    let mut redis = server.client();
    for line in [
        "APP.LOCK k a EX 10",
        "APP.LOCK k a EX 10",
        "APP.LOCK k b EX 10",
        "APP.LOCK.EXTEND k b EX 10",
        "APP.LOCK.EXTEND k a EX 10",
        "APP.UNLOCK k b",
        "APP.UNLOCK k a",
        "APP.UNLOCK k a",
    ] {
        redis.call(&words(line));
    }
    for (name, count) in [
        ("lock_acquired", 1),
        ("lock_refused", 1),
        ("lock_extended", 1),
        ("lock_released", 1),
        ("lock_waiting", 0),
        ("lock_handed_over", 0),
    ] {
        assert_eq!(counter(&mut redis, name), count, "{name}");
    }
}
