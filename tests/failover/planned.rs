//! A promotion that somebody asked for: nothing is lost at all.

use std::time::Duration;

use crate::pair::{Pair, is_primary, stand_in_line};
use crate::support::{Client, eventually, info};
use crate::workload::{Load, is_long};

/// Clients of a server that becomes a replica meet these, and look for the other one.
const EXPECTED: &[&str] = &["READONLY", "UNBLOCKED", "LOADING", "MASTERDOWN"];

fn rounds() -> usize {
    if is_long() { 30 } else { 3 }
}

/// Waits until `replica` follows `primary`.
#[track_caller]
fn await_link(replica: &mut Client) {
    eventually("the new replica's link is up", || {
        let state = info(replica, "replication");
        state["role"] == "slave" && state["master_link_status"] == "up"
    });
}

/// The latest fence that this server gives out.
fn fence(redis: &mut Client, round: usize) -> i64 {
    let reply = redis
        .run(&format!("APP.LOCK fence:{round} token PX 60000"))
        .ints();
    assert_eq!(reply[0], 1);
    reply[1]
}

/// Promotes the replica under a load of all families, there and back again.
fn promote_again_and_again(what: &str, promote: impl Fn(&Pair)) {
    let mut pair = Pair::start();
    let load = Load::start(pair.connect(), &[""], 12);
    for round in 0..rounds() {
        load.run_for_calls(500);
        pair.assert_equal_under(&load);
        let waiters = stand_in_line(&pair.primary, &format!("line:{round}"), 5);
        let before = fence(&mut pair.primary.client(), round * 2);
        load.run_for_calls(100);
        promote(&pair);
        for mut waiter in waiters {
            let reply = waiter.reply();
            assert!(reply.error().starts_with("UNBLOCKED"), "{reply:?}");
        }
        pair.swap();
        await_link(&mut pair.replica.client());
        let after = fence(&mut pair.primary.client(), round * 2 + 1);
        assert!(
            after > before,
            "{after} on the new primary, {before} on the old one"
        );
    }
    load.run_for_calls(500);
    pair.assert_equal_under(&load);
    let mut report = load.audit();
    report.figures(&format!("{what}, {} times", rounds()));
    report.leases_were_lost(rounds());
    report.assert_nothing_lost(EXPECTED);
}

#[test]
fn failover_loses_nothing_and_waiting_calls_are_unblocked() {
    promote_again_and_again("FAILOVER", |pair| {
        let port = pair.replica.port();
        let mut redis = pair.primary.client();
        redis
            .run(&format!("FAILOVER TO 127.0.0.1 {port} TIMEOUT 10000"))
            .ok();
        eventually("the replica is promoted", || is_primary(&pair.replica));
    });
}

#[test]
fn a_promotion_by_hand_loses_nothing_and_waiting_calls_are_unblocked() {
    promote_again_and_again("promoted by hand", |pair| {
        let (mut primary, mut replica) = (pair.primary.client(), pair.replica.client());
        primary.run("CLIENT PAUSE 20000 WRITE").ok();
        // What was under way is done, and nothing more comes.
        std::thread::sleep(Duration::from_millis(20));
        pair.replica.catch_up_with(&pair.primary);
        replica.run("REPLICAOF NO ONE").ok();
        primary
            .run(&format!("REPLICAOF 127.0.0.1 {}", pair.replica.port()))
            .ok();
        primary.run("CLIENT UNPAUSE").ok();
    });
}
