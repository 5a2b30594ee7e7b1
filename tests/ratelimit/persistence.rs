//! Limiters over restarts, on servers that have the module and on servers that do not.

use crate::caller::{ALGORITHMS, decide};
use crate::support::{Builder, Client, Server, Stop, dataset, eventually, info};

/// Limiters of each algorithm with several rules; one of them refunded, one emptied.
fn populate(redis: &mut Client) {
    for algorithm in ALGORITHMS {
        let rest = format!("10 EX 3600 50 EX 7200 ALGO {algorithm}");
        for user in ["a", "b", "c\u{e9}"] {
            for _ in 0..3 {
                decide(
                    redis,
                    &format!("APP.RATELIMIT {algorithm}:{user} {rest} COST 2"),
                );
            }
        }
        decide(redis, &format!("APP.RATELIMIT.REFUND {algorithm}:b {rest}"));
        decide(
            redis,
            &format!("APP.RATELIMIT.REFUND {algorithm}:c\u{e9} {rest} COST 100"),
        );
    }
}

fn assert_goes_on_counting(redis: &mut Client) {
    for algorithm in ALGORITHMS {
        let call = format!("APP.RATELIMIT {algorithm}:a 10 EX 3600 50 EX 7200 ALGO {algorithm}");
        assert_eq!(decide(redis, &call).remaining, 3, "{algorithm}");
    }
}

fn assert_survives(mut server: Server, stop: Stop, prepare: impl Fn(&mut Client)) {
    populate(&mut server.client());
    prepare(&mut server.client());
    let before = dataset(&mut server.client());
    assert_eq!(before.expires_at.len(), 8);
    assert!(
        before.expires_at.values().all(|at| *at > 0),
        "every key expires: {before:?}"
    );
    server.restart(stop);
    assert_eq!(dataset(&mut server.client()), before, "with the module");
    server.restart_with(stop, Builder::without_module);
    assert_eq!(dataset(&mut server.client()), before, "without the module");
    server.restart_with(stop, Builder::with_module);
    assert_eq!(
        dataset(&mut server.client()),
        before,
        "with the module again"
    );
    assert_goes_on_counting(&mut server.client());
}

#[test]
fn limiters_survive_a_restart_from_rdb() {
    assert_survives(Server::start(), Stop::Save, |_| {});
}

#[test]
fn limiters_survive_a_restart_from_aof() {
    assert_survives(Server::builder().appendonly().start(), Stop::NoSave, |_| {});
}

#[test]
fn limiters_survive_a_crash_with_aof() {
    let server = Server::builder()
        .appendonly()
        .config("appendfsync always")
        .start();
    assert_survives(server, Stop::Kill, |_| {});
}

#[test]
fn limiters_survive_a_rewritten_aof_of_plain_commands() {
    let server = Server::builder()
        .appendonly()
        .config("aof-use-rdb-preamble no")
        .start();
    assert_survives(server, Stop::NoSave, |redis| {
        redis.run("BGREWRITEAOF");
        eventually("the AOF is rewritten", || {
            let state = info(redis, "persistence");
            state["aof_rewrite_in_progress"] == "0" && state["aof_rewrite_scheduled"] == "0"
        });
    });
}

#[test]
fn debug_reload_keeps_limiters() {
    let server = Server::start();
    let mut redis = server.client();
    populate(&mut redis);
    let before = dataset(&mut redis);
    redis.run("DEBUG RELOAD").ok();
    assert_eq!(dataset(&mut redis), before);
    assert_goes_on_counting(&mut redis);
}
