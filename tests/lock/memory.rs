//! No call leaves memory behind.

use crate::caller::{counter, nobody_waits};
use crate::support::{Client, Server, eventually, is_long, used_memory, words};

/// More than this is a leak; the server's own pools stay below it.
const SLACK: i64 = 1_500_000;

#[track_caller]
fn assert_back_to(redis: &mut Client, before: i64) {
    let mut now = 0;
    eventually("memory is back to where it was", || {
        now = used_memory(redis);
        now < before + SLACK
    });
}

#[test]
fn lock_and_unlock_pairs_leave_nothing() {
    let server = Server::start();
    let mut redis = server.client();
    let batch: Vec<redis::Cmd> = (0..500)
        .flat_map(|n| {
            [
                words(&format!("APP.LOCK k{n} token EX 100")),
                words(&format!("APP.LOCK k{n} other EX 100")),
                words(&format!("APP.LOCK.EXTEND k{n} token EX 100")),
                words(&format!("APP.UNLOCK k{n} token")),
            ]
        })
        .collect();
    redis.pipeline(&batch);
    let before = used_memory(&mut redis);
    let pairs = if is_long() { 1_000_000 } else { 20_000 };
    for _ in 0..pairs / 500 {
        redis.pipeline(&batch);
    }
    assert_eq!(counter(&mut redis, "lock_acquired"), pairs + 500);
    assert_eq!(redis.run("DBSIZE").int(), 0);
    assert!(
        used_memory(&mut redis) < before + 200_000,
        "{before} {}",
        used_memory(&mut redis)
    );
}

#[test]
fn waits_of_every_kind_leave_nothing() {
    let server = Server::start();
    let mut redis = server.client();
    let mut line: Vec<Client> = (0..50).map(|_| server.client()).collect();
    let ids: Vec<i64> = line.iter_mut().map(crate::caller::id).collect();
    let rounds = if is_long() { 2000 } else { 40 };
    let mut before = 0;
    for round in 0..rounds {
        // The first rounds fill the server's pools.
        if round == 5 {
            before = used_memory(&mut redis);
        }
        redis.run("APP.LOCK k holder EX 100").ints();
        for (n, client) in line.iter_mut().enumerate() {
            let wait = if n % 5 == 1 { 3 } else { 60_000 };
            client.send(&words(&format!("APP.LOCK k token{n} PX 2 WAIT {wait}")));
        }
        for (n, id) in ids.iter().enumerate() {
            if n % 5 == 2 {
                redis.run(&format!("CLIENT UNBLOCK {id}")).int();
            } else if n % 5 == 3 {
                redis.run(&format!("APP.UNLOCK k token{n}"));
            }
        }
        redis.run("APP.UNLOCK k holder");
        for client in &mut line {
            assert_eq!(client.reply().ints().len(), 3);
        }
        nobody_waits(&server);
    }
    assert_back_to(&mut redis, before);
}
