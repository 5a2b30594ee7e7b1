//! `kill -9`, with every write flushed before its reply.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use crate::support::{Client, Server, Stop, eventually, info};
use crate::workload::{Charges, Dice, Load, direct, is_long, seed};

/// The only errors that clients of a server that dies and comes back may meet.
const EXPECTED: &[&str] = &["LOADING"];

fn durable() -> Server {
    Server::builder()
        .appendonly()
        .config("appendfsync always")
        .start()
}

fn rounds() -> u64 {
    if is_long() { 200 } else { 6 }
}

/// Lets the load run and kills the server, again and again, `meanwhile` doing something else to it.
fn crash_again_and_again(what: &str, mut meanwhile: impl FnMut(&mut Client)) {
    let mut server = durable();
    let port = Arc::new(AtomicU16::new(server.port()));
    let load = Load::start(direct(&port), &[""], 12);
    let mut dice = Dice::new(seed());
    for _ in 0..rounds() {
        load.run_for_calls(200);
        meanwhile(&mut server.client());
        std::thread::sleep(Duration::from_millis(dice.below(300)));
        server.restart(Stop::Kill);
        port.store(server.port(), Ordering::Relaxed);
    }
    load.run_for_calls(200);
    let mut report = load.audit();
    report.figures(&format!("{what}, {} times", rounds()));
    report.leases_were_lost(rounds() as usize);
    assert!(
        report.unknown > 0,
        "no call was under way when the server died"
    );
    report.assert_nothing_lost(EXPECTED);
}

#[test]
fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    crash_again_and_again("killed", |_| {});
}

#[test]
fn nothing_acknowledged_is_lost_when_it_is_killed_during_an_aof_rewrite_or_a_snapshot() {
    let mut number = 0;
    crash_again_and_again("killed while rewriting or saving", |redis| {
        number += 1;
        let command = ["BGREWRITEAOF", "BGSAVE"][number % 2];
        let reply = redis.run(command);
        assert!(!reply.is_error(), "{command}: {reply:?}");
    });
}

/// What was there before is in the new log alone then.
#[test]
fn nothing_acknowledged_is_missing_in_a_log_that_was_rewritten_under_load() {
    const TIMES: usize = 3;
    let mut server = durable();
    let port = Arc::new(AtomicU16::new(server.port()));
    let load = Load::start(direct(&port), &[""], 12);
    for _ in 0..TIMES {
        load.run_for_calls(500);
        let mut redis = server.client();
        for (command, works, counter) in [
            ("BGREWRITEAOF", "aof_rewrite", "aof_rewrites"),
            ("BGSAVE", "rdb_bgsave", "rdb_saves"),
        ] {
            let reply = redis.run(command);
            assert!(!reply.is_error(), "{command}: {reply:?}");
            eventually("it has come to its end", || {
                let state = info(&mut redis, "persistence");
                state[&format!("{works}_in_progress")] == "0" && state[counter] != "0"
            });
            let state = info(&mut redis, "persistence");
            assert_eq!(state["aof_last_bgrewrite_status"], "ok");
            assert_eq!(state["rdb_last_bgsave_status"], "ok");
        }
        load.run_for_calls(200);
        server.restart(Stop::Kill);
        port.store(server.port(), Ordering::Relaxed);
    }
    load.run_for_calls(200);
    let mut report = load.audit();
    report.figures(&format!("rewritten, then killed, {TIMES} times"));
    report.leases_were_lost(TIMES);
    report.assert_nothing_lost(EXPECTED);
}

/// Shows that the checks above would notice.
#[test]
fn what_a_server_without_persistence_loses_is_noticed() {
    let mut server = Server::start();
    let port = Arc::new(AtomicU16::new(server.port()));
    let load = Load::start(direct(&port), &[""], 8);
    load.run_for_calls(1000);
    server.restart(Stop::Kill);
    port.store(server.port(), Ordering::Relaxed);
    load.run_for_calls(1000);
    let report = load.audit();
    for kind in ["session lost", "hold lost"] {
        assert!(
            report.findings.iter().any(|finding| finding.kind == kind),
            "{kind}"
        );
    }
    let missing = |charges: &&Charges| charges.charged < charges.least;
    assert!(
        report.charges.iter().filter(missing).count() > 0,
        "{:?}",
        report.charges
    );
}
