//! A server that becomes a replica lets its waiters go and writes nothing.

use crate::caller::{known_waiter, lock, nobody_waits, unload, waiter};
use crate::support::{Server, dataset, eventually, info, stretched_ms, words};

#[test]
fn waiters_are_unblocked_and_nothing_is_written() {
    let other = Server::start();
    let server = Server::start();
    let mut redis = server.client();
    // It runs out when its server is a replica.
    let lifetime_ms = stretched_ms(600);
    lock(&mut redis, &format!("APP.LOCK k holder PX {lifetime_ms}"));
    let mut line = [
        waiter(&server, "APP.LOCK k a EX 100 WAIT 10000"),
        waiter(&server, "APP.LOCK k b EX 100 WAIT 10000"),
    ];
    redis
        .run(&format!("REPLICAOF 127.0.0.1 {}", other.port()))
        .ok();
    for client in &mut line {
        let reply = client.reply();
        assert!(reply.error().starts_with("UNBLOCKED"), "{reply:?}");
    }
    nobody_waits(&server);
    eventually("it follows", || {
        info(&mut redis, "replication")["master_link_status"] == "up"
    });
    server.catch_up_with(&other);
    assert_eq!(dataset(&mut redis), dataset(&mut other.client()));
    // And works as a primary again.
    redis.run("REPLICAOF NO ONE").ok();
    lock(&mut redis, "APP.LOCK k holder EX 100");
    let mut next = waiter(&server, "APP.LOCK k next EX 100 WAIT 10000");
    redis.run("APP.UNLOCK k holder").int();
    assert!(crate::caller::fence(&mut next) > 0);
    unload(&mut redis);
}

#[test]
fn a_lock_given_to_a_client_that_is_gone_stays_on_the_replica_until_it_runs_out() {
    let other = Server::start();
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder EX 100");
    let (_chosen, chosen_id) = known_waiter(&server, "APP.LOCK k chosen EX 100 WAIT 10000");
    redis.pipeline(&[
        words("APP.UNLOCK k holder"),
        words(&format!("CLIENT KILL ID {chosen_id}")),
        words(&format!("REPLICAOF 127.0.0.1 {}", other.port())),
    ]);
    eventually("it follows", || {
        info(&mut redis, "replication")["master_link_status"] == "up"
    });
    assert_eq!(redis.run("DBSIZE").int(), 0);
    redis.run("REPLICAOF NO ONE").ok();
    unload(&mut redis);
}
