//! Mixed traffic of all families for a long time, waits and disconnections included: promises kept,
//! memory flat, no growing latency, counters that add up.
//!
//! A few seconds by default; `APPKIT_LONG=1` is half an hour from 500 connections. Other figures:
//! `APPKIT_SOAK_SECONDS`, `APPKIT_SOAK_CONNECTIONS`.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "../support/mod.rs"]
mod support;
#[path = "../workload/mod.rs"]
mod workload;

mod noticed;
mod probe;
mod vanishing;

use std::sync::Arc;
use std::sync::atomic::AtomicU16;
use std::time::Duration;

use probe::Probe;
use support::{Client, Server, eventually, info};
use vanishing::Vanishing;
use workload::{KEYS, Load, Report, direct, is_long};

/// A number from the environment, or one for each form.
fn figure(name: &str, short: u64, long: u64) -> u64 {
    let given = std::env::var(name).ok();
    let default = if is_long() { long } else { short };
    given.map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn mixed_traffic_keeps_every_promise_and_leaves_nothing_behind() {
    let seconds = figure("APPKIT_SOAK_SECONDS", 10, 1800);
    let connections = figure("APPKIT_SOAK_CONNECTIONS", 60, 500);
    // On a machine that is busy elsewhere, clients come and vanish faster than the server looks at
    // them; none of them may be turned away.
    let server = Server::builder()
        .module_args("appkit.max-waiters 100000")
        .start();
    let connect = direct(&Arc::new(AtomicU16::new(server.port())));
    // About 8000 steps a second, however many connections they come from.
    let pause = Duration::from_micros(connections * 250);
    let load = Load::start_paced(connect, &[""], connections as usize, pause);
    let vanishing = Vanishing::start(server.port(), (connections / 10).max(2) as usize);
    let mut probe = Probe::new(&server);
    for _ in 0..seconds {
        std::thread::sleep(Duration::from_secs(1));
        probe.look(&load);
    }
    let vanished = vanishing.stop();
    let report = load.audit();
    let what = format!("{seconds} s from {connections} connections, {vanished} vanished");
    report.figures(&what);
    report.assert_nothing_lost(&[]);
    let mut redis = server.client();
    assert_counters_add_up(&mut redis, &report, vanished);
    probe.assert_steady();
    assert_nobody_is_left(&mut redis);
}

/// Of what vanishing clients asked for, nobody knows how much they got.
const VANISHING: &[&str] = &["lock_acquired", "cache_loads", "cache_busy"];

fn assert_counters_add_up(redis: &mut Client, report: &Report, vanished: u64) {
    let section = info(redis, "appkit");
    assert!(report.done.len() >= 15, "{:?}", report.done);
    for (name, counted) in &report.done {
        let shown: u64 = section[&format!("appkit_{name}")]
            .parse()
            .expect("a number");
        let most = counted
            + if VANISHING.contains(name) {
                vanished
            } else {
                0
            };
        assert!(
            (*counted..=most).contains(&shown),
            "{name}: {shown}, clients counted {counted}"
        );
    }
}

/// No waiter and no timer, so the module can go; leases that ran out are dropped when others come,
/// so there is one a key at the most.
fn assert_nobody_is_left(redis: &mut Client) {
    let gauge = |redis: &mut Client, name: &str| {
        let value = info(redis, "appkit")[&format!("appkit_{name}")].clone();
        value.parse::<usize>().expect("a number")
    };
    eventually("no call waits", || {
        gauge(redis, "lock_waiting") == 0 && gauge(redis, "cache_waiting") == 0
    });
    assert!(gauge(redis, "cache_leases") <= 2 * KEYS);
    redis.run("MODULE UNLOAD appkit").ok();
}
