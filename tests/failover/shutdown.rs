//! A shutdown that waits for a replica that lags behind, while locks run out.

use std::process::Command;
use std::time::Duration;

use crate::pair::{Pair, is_primary};
use crate::support::{Server, eventually, info, words};
use crate::workload::Load;

/// Sends a signal with the shell's own `kill`: small systems have no program of that name.
fn signal(server: &Server, signal: &str) {
    let status = Command::new("sh")
        .args(["-c", &format!("kill {signal} {}", server.pid())])
        .status();
    assert!(status.expect("a shell runs").success());
}

/// A replica that stands still, so that its primary has to wait for it.
struct Frozen<'a>(&'a Server);

impl<'a> Frozen<'a> {
    fn new(server: &'a Server) -> Frozen<'a> {
        signal(server, "-STOP");
        Frozen(server)
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        signal(self.0, "-CONT");
    }
}

fn pair() -> Pair {
    Pair::start_with(|builder| builder.config("shutdown-timeout 30"))
}

/// Asks for a shutdown that has to wait.
fn shut_down(server: &Server) {
    server.client().send(&words("SHUTDOWN NOSAVE"));
    let mut redis = server.client();
    eventually("the shutdown waits for the replica", || {
        info(&mut redis, "server").contains_key("shutdown_in_milliseconds")
    });
}

#[test]
fn a_lock_that_runs_out_during_a_shutdown_is_not_given_to_anybody() {
    let pair = pair();
    let mut admin = pair.primary.client();
    admin.run("APP.LOCK k holder PX 1000").ints();
    let mut waiter = pair.primary.client();
    waiter.send(&words("APP.LOCK k waiter EX 3600 WAIT 60000"));
    eventually("it waits", || {
        info(&mut admin, "appkit")["appkit_lock_waiting"] == "1"
    });
    let frozen = Frozen::new(&pair.replica);
    admin.run("APP.LOCK other holder EX 3600").ints();
    shut_down(&pair.primary);
    // The lock runs out, the line would move.
    std::thread::sleep(Duration::from_millis(1500));
    drop(frozen);
    assert!(
        waiter.try_frame().is_err(),
        "the waiter's connection is closed without an answer"
    );
    assert!(pair.primary.wait_for_end().success());
    let mut replica = pair.replica.client();
    replica.run("REPLICAOF NO ONE").ok();
    assert!(replica.run("APP.LOCK.INFO k").is_nil(), "nobody holds it");
    let other = replica.run("APP.LOCK.INFO other");
    assert!(
        other.field("fence").is_some(),
        "what came before the shutdown arrived: {other:?}"
    );
}

#[test]
fn a_shutdown_that_is_called_off_lets_the_line_move() {
    let pair = pair();
    let mut admin = pair.primary.client();
    admin.run("APP.LOCK k holder PX 500").ints();
    let mut waiter = pair.primary.client();
    waiter.send(&words("APP.LOCK k waiter EX 3600 WAIT 60000"));
    let frozen = Frozen::new(&pair.replica);
    admin.run("APP.LOCK other holder EX 3600").ints();
    shut_down(&pair.primary);
    std::thread::sleep(Duration::from_millis(800));
    admin.run("SHUTDOWN ABORT").ok();
    assert_eq!(waiter.reply().ints()[0], 1);
    drop(frozen);
    pair.assert_equal();
}

#[test]
fn a_shutdown_under_load_hands_everything_to_the_replica() {
    let pair = pair();
    let load = Load::start(pair.connect(), &[""], 12);
    load.run_for_calls(1000);
    let frozen = Frozen::new(&pair.replica);
    load.run_for_calls(200);
    shut_down(&pair.primary);
    std::thread::sleep(Duration::from_millis(300));
    drop(frozen);
    assert!(pair.primary.wait_for_end().success());
    let mut replica = pair.replica.client();
    replica.run("REPLICAOF NO ONE").ok();
    assert!(is_primary(&pair.replica));
    load.run_for_calls(500);
    let mut report = load.audit();
    report.figures("shut down while its replica lagged behind");
    report.leases_were_lost(1);
    report.assert_nothing_lost(&["READONLY"]);
}
