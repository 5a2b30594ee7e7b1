//! Memory of leases is bounded and comes back.

use crate::caller::{LONG, counters, lease, load};
use crate::support::{Client, Server, eventually, info, is_long, stretched_ms, words};

fn used_memory(redis: &mut Client) -> i64 {
    redis.run("MEMORY PURGE");
    info(redis, "memory")["used_memory"].parse().unwrap()
}

/// How many rounds the repeating tests make: more with `APPKIT_LONG`.
fn rounds(long: usize) -> usize {
    if is_long() { long } else { long / 20 }
}

const BATCH: usize = 1000;

#[test]
fn many_rounds_leave_no_memory_behind() {
    let server = Server::start();
    let mut redis = server.client();
    let mut memory = Vec::new();
    for _ in 0..4 {
        for batch in 0..rounds(1_000_000) / BATCH / 4 {
            let loads: Vec<_> = (0..BATCH)
                .map(|i| words(&format!("APP.CACHE.GETORLOAD k:{batch}:{i} {LONG}")))
                .collect();
            let replies = redis.pipeline(&loads);
            let ends: Vec<_> = (0..BATCH)
                .map(|i| {
                    let lease = replies[i].items()[2].text();
                    let key = format!("k:{batch}:{i}");
                    words(&match i % 4 {
                        0 => format!("APP.CACHE.FILL {key} {lease} value EX 60"),
                        1 => format!("APP.CACHE.RELEASE {key} {lease}"),
                        2 => format!("APP.CACHE.INVALIDATE {key}"),
                        _ => format!("SET {key} value"),
                    })
                })
                .collect();
            redis.pipeline(&ends);
        }
        assert_eq!(counters(&mut redis)["leases"], 0);
        redis.run("FLUSHALL SYNC").ok();
        memory.push(used_memory(&mut redis));
    }
    // The first turn warms up what the server keeps for itself.
    assert!(memory[3] - memory[1] < 100_000, "{memory:?}");
}

#[test]
fn leases_that_nobody_fills_are_taken_back_by_later_calls() {
    let server = Server::start();
    let mut redis = server.client();
    lease(&mut redis, "warm-up");
    let before = used_memory(&mut redis);
    // All of them last until the last one is given.
    let lease_ms = stretched_ms(100);
    let loads: Vec<_> = (0..10_000)
        .map(|i| {
            words(&format!(
                "APP.CACHE.GETORLOAD abandoned:{i} LEASE {lease_ms}"
            ))
        })
        .collect();
    redis.pipeline(&loads);
    let peak = used_memory(&mut redis);
    assert!(peak - before > 500_000, "{before} {peak}");
    assert!(peak - before < 10_000 * 400, "{before} {peak}");
    redis.run("SET k value").ok();
    eventually("they are taken back, by hits alone", || {
        for _ in 0..100 {
            load(&mut redis, "k LEASE 1");
        }
        // The lease of the warm-up.
        counters(&mut redis)["leases"] == 1
    });
    let after = used_memory(&mut redis);
    assert!(after - before < 100_000, "{before} {peak} {after}");
}

#[test]
fn leases_are_bounded_and_the_one_that_ends_first_makes_room() {
    let server = Server::start();
    let mut redis = server.client();
    let shortest = load(&mut redis, "shortest LEASE 300000").lease().to_owned();
    let longest = load(&mut redis, "longest LEASE 900000").lease().to_owned();
    let before = used_memory(&mut redis);
    // Keys of a megabyte reach the bound of 64 MB soon.
    let long_key = |i: usize| format!("{i}:{}", "k".repeat(1 << 20));
    for i in 0..100 {
        let mut call = redis::cmd("APP.CACHE.GETORLOAD");
        call.arg(long_key(i)).arg("LEASE").arg(600_000);
        assert_eq!(redis.call(&call).items()[0].bytes(), b"LOAD");
    }
    let grown = used_memory(&mut redis) - before;
    // The allocator rounds such keys up by a quarter.
    assert!(grown < 100 << 20, "{grown}");
    let count = counters(&mut redis)["leases"];
    assert!((50..70).contains(&count), "{count}");
    assert!(!crate::caller::fill(&mut redis, "shortest", &shortest, "v"));
    assert!(crate::caller::fill(&mut redis, "longest", &longest, "v"));
    redis.run("FLUSHALL").ok();
    assert_eq!(counters(&mut redis)["leases"], 0);
    let left = used_memory(&mut redis) - before;
    // The connection's own buffer held a long key.
    assert!(left < 4 << 20, "{left}");
}
