//! Those who wait: served in order, dropped when they go, and never in front of a value.

use std::time::Instant;

use crate::caller::{LONG, Loaded, counters, fill, lease, load, send_load};
use crate::support::{Client, Protocol, Server, eventually, words};

/// `count` callers in line for `k`, in order.
fn line(server: &Server, count: usize) -> Vec<Client> {
    let mut redis = server.client();
    let mut waiters: Vec<Client> = Vec::new();
    for number in 0..count {
        let mut waiter = server.client();
        send_load(&mut waiter, &format!("k {LONG} WAIT 600000"));
        eventually("it waits", || {
            counters(&mut redis)["waiting"] == number as u64 + 1
        });
        waiters.push(waiter);
    }
    waiters
}

#[track_caller]
fn next(waiter: &mut Client) -> Loaded {
    Loaded::of(&waiter.reply())
}

#[test]
fn a_plain_set_serves_those_in_line_with_its_value() {
    let server = Server::start();
    let mut redis = server.client();
    for writer in [
        "SET k value",
        "SET other value ; RENAME other k",
        "MULTI ; SET k value ; EXEC",
        "SETEX k 50 value",
        "APP.CACHE.GETORSET k value EX 60",
    ] {
        redis.run("FLUSHALL").ok();
        lease(&mut redis, "k");
        let mut waiters = line(&server, 3);
        for command in writer.split(" ; ") {
            assert!(!redis.run(command).is_error(), "{command}");
        }
        for waiter in &mut waiters {
            let hit = next(waiter);
            assert_eq!(
                (hit.status.as_str(), hit.text().as_str()),
                ("HIT", "value"),
                "{writer}"
            );
        }
    }
}

#[test]
fn the_first_in_line_loads_when_the_lease_ends() {
    let server = Server::start();
    let mut redis = server.client();
    let lease_of_k = lease(&mut redis, "k");
    let mut waiters = line(&server, 3);
    let mut lease_before = lease_of_k;
    for waiter in &mut waiters {
        assert_eq!(
            redis
                .run(&format!("APP.CACHE.RELEASE k {lease_before}"))
                .int(),
            1
        );
        let load = next(waiter);
        assert_eq!((load.status.as_str(), load.ttl_ms), ("LOAD", 600_000));
        lease_before = load.lease().to_owned();
    }
    assert!(fill(&mut redis, "k", &lease_before, "value"));
}

#[test]
fn a_lease_that_runs_out_goes_to_the_first_in_line_within_10_ms() {
    let server = Server::start();
    let mut redis = server.client();
    let mut late = Vec::new();
    for round in 0..20 {
        let key = format!("k{round}");
        let mut waiter = server.client();
        assert!(load(&mut redis, &format!("{key} LEASE 30")).is("LOAD"));
        let started = Instant::now();
        let promoted = load(&mut waiter, &format!("{key} {LONG} WAIT 600000"));
        assert!(promoted.is("LOAD"));
        late.push(started.elapsed().as_millis().saturating_sub(30));
    }
    // A quarter of them: on a busy machine processes wait for the processor, and a server that only
    // looks every now and then would be late more often than that.
    late.sort_unstable();
    assert!(late[late.len() / 4] <= 10, "{late:?}");
}

#[test]
fn a_newcomer_does_not_load_before_those_in_line() {
    let server = Server::start();
    let mut redis = server.client();
    let lease_of_k = lease(&mut redis, "k");
    let mut waiters = line(&server, 1);
    // In one pipeline, so before the server gets round to look at the line.
    let replies = redis.pipeline(&[
        words(&format!("APP.CACHE.RELEASE k {lease_of_k}")),
        words(&format!("APP.CACHE.GETORLOAD k {LONG}")),
    ]);
    assert_eq!(replies[0].int(), 1);
    assert!(Loaded::of(&replies[1]).is("BUSY"));
    assert!(next(&mut waiters[0]).is("LOAD"));
}

#[test]
fn a_backoff_answers_all_in_line_at_once() {
    let server = Server::start();
    let mut redis = server.client();
    let lease_of_k = lease(&mut redis, "k");
    let mut waiters = line(&server, 3);
    redis
        .run(&format!("APP.CACHE.RELEASE k {lease_of_k} BACKOFF 5000"))
        .int();
    for waiter in &mut waiters {
        let busy = next(waiter);
        assert!(busy.is("BUSY"), "{busy:?}");
        assert!((1..=5000).contains(&busy.ttl_ms), "{busy:?}");
    }
    assert_eq!(counters(&mut redis)["waiting"], 0);
}

#[test]
fn a_wait_that_runs_out_is_busy_and_leaves_the_line() {
    let server = Server::start();
    for protocol in [Protocol::RESP2, Protocol::RESP3] {
        let mut redis = server.client_in(protocol);
        redis.run("FLUSHALL").ok();
        let lease_of_k = lease(&mut redis, "k");
        let started = Instant::now();
        let mut waiter = server.client_in(protocol);
        let busy = load(&mut waiter, "k LEASE 60 WAIT 50");
        assert!(started.elapsed().as_millis() >= 50);
        assert!(busy.is("BUSY"), "{busy:?}");
        assert!((500_000..600_000).contains(&busy.ttl_ms), "{busy:?}");
        assert_eq!(counters(&mut redis)["waiting"], 0);
        assert!(fill(&mut redis, "k", &lease_of_k, "value"));
        assert!(load(&mut waiter, "k LEASE 60 WAIT 50").is("HIT"));
    }
}

#[test]
fn client_unblock_ends_a_wait() {
    let server = Server::start();
    let mut redis = server.client();
    let lease_of_k = lease(&mut redis, "k");
    let mut waiter = server.client();
    let id = waiter.run("CLIENT ID").int();
    for (how, error) in [("TIMEOUT", false), ("ERROR", true)] {
        send_load(&mut waiter, &format!("k {LONG} WAIT 600000"));
        eventually("it waits", || counters(&mut redis)["waiting"] == 1);
        assert_eq!(redis.run(&format!("CLIENT UNBLOCK {id} {how}")).int(), 1);
        let reply = waiter.reply();
        assert_eq!(reply.is_error(), error, "{reply:?}");
        if error {
            assert!(reply.error().starts_with("UNBLOCKED"), "{reply:?}");
        } else {
            assert!(Loaded::of(&reply).is("BUSY"));
        }
        eventually("the line is empty", || counters(&mut redis)["waiting"] == 0);
    }
    assert!(fill(&mut redis, "k", &lease_of_k, "value"));
    assert!(load(&mut waiter, &format!("k {LONG}")).is("HIT"));
}

#[test]
fn a_waiter_that_goes_is_passed_over() {
    let server = Server::start();
    let mut redis = server.client();
    let lease_of_k = lease(&mut redis, "k");
    let mut waiters = line(&server, 3);
    drop(waiters.remove(0));
    eventually("it has left", || counters(&mut redis)["waiting"] == 2);
    redis
        .run(&format!("APP.CACHE.RELEASE k {lease_of_k}"))
        .int();
    assert!(next(&mut waiters[0]).is("LOAD"));
}

#[test]
fn a_lease_given_to_a_client_that_is_gone_goes_to_the_next() {
    let server = Server::start();
    let mut redis = server.client();
    for kill_first in [false, true] {
        redis.run("FLUSHALL").ok();
        let lease_of_k = lease(&mut redis, "k");
        let mut first = server.client();
        let id = first.run("CLIENT ID").int();
        send_load(&mut first, &format!("k {LONG} WAIT 600000"));
        eventually("it waits", || counters(&mut redis)["waiting"] == 1);
        let mut second = server.client();
        send_load(&mut second, &format!("k {LONG} WAIT 600000"));
        eventually("both wait", || counters(&mut redis)["waiting"] == 2);
        let mut steps = [
            format!("APP.CACHE.RELEASE k {lease_of_k}"),
            // Lets the line move before the client is killed.
            "APP.CACHE.GETORLOAD k LEASE 60".to_owned(),
            format!("CLIENT KILL ID {id}"),
        ];
        if kill_first {
            steps.rotate_right(1);
        }
        redis.pipeline(&steps.map(|step| words(&step)));
        let promoted = next(&mut second);
        assert!(promoted.is("LOAD"), "{promoted:?}");
        assert!(fill(&mut redis, "k", promoted.lease(), "value"));
        assert!(load(&mut redis, &format!("k {LONG}")).is("HIT"));
    }
}

#[test]
fn beyond_max_waiters_wait_acts_as_0() {
    let server = Server::builder()
        .module_args("appkit.max-waiters 2")
        .start();
    let mut redis = server.client();
    let lease_of_k = lease(&mut redis, "k");
    let mut waiters = line(&server, 2);
    assert!(load(&mut redis, &format!("k {LONG} WAIT 600000")).is("BUSY"));
    assert!(fill(&mut redis, "k", &lease_of_k, "value"));
    for waiter in &mut waiters {
        assert!(next(waiter).is("HIT"));
    }
}

#[test]
fn databases_that_are_swapped_or_flushed_move_their_lines() {
    let server = Server::start();
    let mut redis = server.client();
    redis.run("SELECT 1").ok();
    redis.run("SET k value").ok();
    redis.run("SELECT 0").ok();
    lease(&mut redis, "k");
    let mut waiters = line(&server, 2);
    redis.run("SWAPDB 0 1").ok();
    for waiter in &mut waiters {
        assert_eq!(next(waiter).text(), "value");
    }
    redis.run("FLUSHALL").ok();
    lease(&mut redis, "k");
    let mut waiters = line(&server, 2);
    redis.run("FLUSHDB").ok();
    let promoted = next(&mut waiters[0]);
    assert!(promoted.is("LOAD"), "{promoted:?}");
    assert!(fill(&mut redis, "k", promoted.lease(), "value"));
    assert!(next(&mut waiters[1]).is("HIT"));
}

#[test]
fn lines_of_other_databases_get_the_values_of_their_own() {
    let server = Server::start();
    let mut redis = server.client();
    let mut waiters: Vec<(Client, i64)> = Vec::new();
    for db in [3, 7] {
        redis.run(&format!("SELECT {db}")).ok();
        lease(&mut redis, "k");
        let mut waiter = server.client();
        waiter.run(&format!("SELECT {db}")).ok();
        send_load(&mut waiter, &format!("k {LONG} WAIT 600000"));
        waiters.push((waiter, db));
    }
    eventually("both wait", || counters(&mut redis)["waiting"] == 2);
    // In one step, and from a third database.
    let script = "for _, db in ipairs({3, 7}) do redis.call('SELECT', db) \
                  redis.call('SET', KEYS[1], 'value of ' .. db) end";
    redis.run("SELECT 0").ok();
    let mut eval = redis::cmd("EVAL");
    eval.arg(script).arg(1).arg("k");
    assert!(redis.call(&eval).is_nil());
    for (mut waiter, db) in waiters {
        assert_eq!(next(&mut waiter).text(), format!("value of {db}"));
    }
    assert_eq!(redis.run("EXISTS k").int(), 0);
}

#[test]
fn a_demotion_ends_all_waits() {
    let primary = Server::start();
    let server = Server::start();
    let mut redis = server.client();
    lease(&mut redis, "k");
    let mut waiters = line(&server, 2);
    redis
        .run(&format!("REPLICAOF 127.0.0.1 {}", primary.port()))
        .ok();
    for waiter in &mut waiters {
        let reply = waiter.reply();
        assert!(reply.error().starts_with("UNBLOCKED"), "{reply:?}");
    }
    let mut redis = server.client();
    redis.run("REPLICAOF NO ONE").ok();
    eventually("nobody waits", || counters(&mut redis)["waiting"] == 0);
    assert!(load(&mut redis, &format!("k {LONG}")).is("LOAD"));
}

#[test]
fn another_type_ends_the_wait_with_an_error() {
    let server = Server::start();
    let mut redis = server.client();
    let lease_of_k = lease(&mut redis, "k");
    let mut waiters = line(&server, 2);
    redis.run("RPUSH other a").int();
    redis.run("RENAME other k").ok();
    for waiter in &mut waiters {
        let reply = waiter.reply();
        assert!(reply.error().starts_with("WRONGTYPE"), "{reply:?}");
    }
    redis.run("DEL k").int();
    assert!(!fill(&mut redis, "k", &lease_of_k, "stale"));
}

#[test]
fn the_module_unloads_when_nobody_waits_any_more() {
    let server = Server::start();
    let mut redis = server.client();
    let lease_of_k = lease(&mut redis, "k");
    let mut waiters = line(&server, 2);
    assert!(redis.run("MODULE UNLOAD appkit").is_error());
    assert!(fill(&mut redis, "k", &lease_of_k, "value"));
    for waiter in &mut waiters {
        assert!(next(waiter).is("HIT"));
    }
    eventually("it unloads", || {
        !redis.run("MODULE UNLOAD appkit").is_error()
    });
    assert_eq!(redis.run("GET k").text(), "value");
}
