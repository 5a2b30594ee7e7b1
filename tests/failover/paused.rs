//! `CLIENT PAUSE` while locks, windows and sessions run out.

use std::time::{Duration, Instant};

use crate::pair::Pair;
use crate::support::{Client, Server, eventually, info, words};
use crate::workload::{Load, is_long};

fn await_line(redis: &mut Client, length: usize) {
    eventually("it stands in line", || {
        info(redis, "appkit")["appkit_lock_waiting"] == length.to_string()
    });
}

#[test]
fn a_lock_that_runs_out_during_a_pause_goes_to_the_line_after_it() {
    for kind in ["WRITE", "ALL"] {
        let pair = Pair::start();
        let mut admin = pair.primary.client();
        let held = admin.run("APP.LOCK k holder PX 300").ints();
        let mut waiters = [pair.primary.client(), pair.primary.client()];
        for (number, waiter) in waiters.iter_mut().enumerate() {
            waiter.send(&words(&format!("APP.LOCK k w{number} PX 60000 WAIT 60000")));
            await_line(&mut admin, number + 1);
        }
        let paused = Instant::now();
        admin.run(&format!("CLIENT PAUSE 800 {kind}")).ok();
        let first = waiters[0].reply().ints();
        assert!(
            paused.elapsed() >= Duration::from_millis(799),
            "{:?}",
            paused.elapsed()
        );
        assert_eq!(first[0], 1, "{kind}: first come, first served");
        assert!(first[1] > held[1]);
        assert!(
            first[2] > 59_000,
            "its lifetime begins when it gets the lock"
        );
        pair.assert_equal();
    }
}

#[test]
fn a_wait_that_runs_out_during_a_pause_of_writes_ends_in_time() {
    let server = Server::start();
    let mut admin = server.client();
    admin.run("APP.LOCK k holder EX 60").ints();
    let mut waiter = server.client();
    waiter.send(&words("APP.LOCK k w EX 60 WAIT 100"));
    await_line(&mut admin, 1);
    let started = Instant::now();
    admin.run("CLIENT PAUSE 5000 WRITE").ok();
    assert_eq!(waiter.reply().ints()[0], 0);
    assert!(
        started.elapsed() < Duration::from_millis(3000),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn pauses_under_load_lose_nothing_and_leave_both_servers_equal() {
    let pair = Pair::start();
    let load = Load::start(pair.connect(), &[""], 12);
    let rounds = if is_long() { 60 } else { 6 };
    for round in 0..rounds {
        load.run_for_calls(200);
        let kind = ["WRITE", "ALL"][round % 2];
        // Longer than the short lifetimes and windows of the load.
        pair.primary
            .client()
            .run(&format!("CLIENT PAUSE 250 {kind}"))
            .ok();
    }
    load.run_for_calls(500);
    pair.assert_equal_under(&load);
    let report = load.audit();
    report.figures(&format!("paused {rounds} times"));
    report.assert_nothing_lost(&[]);
}
