//! Sessions over restarts, on servers that have the module and on servers that do not.

use crate::caller::{get, id, list};
use crate::replicas::{KEYS, populate};
use crate::support::{Builder, Client, Server, Stop, dataset, eventually, info};

/// The sessions of one owner as the commands show them, and that they still work.
fn assert_goes_on(redis: &mut Client) {
    let alive = id("8.3");
    let sessions = list(redis, "owner:8");
    assert_eq!(sessions.len(), 6);
    assert_eq!(
        get(redis, "owner:8", &id("8.2")),
        None,
        "what was ended stays so"
    );
    assert!(
        get(redis, "owner:8", &id("8.4")).is_some(),
        "a grace goes on"
    );
    let touched = redis.run(&format!("APP.SESSION.TOUCH owner:8 {alive}"));
    assert_eq!(touched.text(), "{\"n\":3,\"é\":[1,2]}");
}

fn assert_survives(mut server: Server, stop: Stop, prepare: impl Fn(&mut Client)) {
    populate(&mut server.client());
    prepare(&mut server.client());
    let before = dataset(&mut server.client());
    let sessions = list(&mut server.client(), "owner:8");
    assert_eq!(before.expires_at.len(), KEYS);
    let expires = before.expires_at.values().all(|at| *at > 0);
    assert!(expires, "every key expires: {before:?}");
    server.restart(stop);
    assert_eq!(dataset(&mut server.client()), before, "with the module");
    assert_eq!(list(&mut server.client(), "owner:8"), sessions);
    server.restart_with(stop, Builder::without_module);
    assert_eq!(dataset(&mut server.client()), before, "without the module");
    server.restart_with(stop, Builder::with_module);
    assert_eq!(
        dataset(&mut server.client()),
        before,
        "with the module again"
    );
    assert_eq!(list(&mut server.client(), "owner:8"), sessions);
    assert_goes_on(&mut server.client());
}

#[test]
fn sessions_survive_a_restart_from_rdb() {
    assert_survives(Server::start(), Stop::Save, |_| {});
}

#[test]
fn sessions_survive_a_restart_from_aof() {
    assert_survives(Server::builder().appendonly().start(), Stop::NoSave, |_| {});
}

#[test]
fn sessions_survive_a_crash_with_aof() {
    let server = Server::builder()
        .appendonly()
        .config("appendfsync always")
        .start();
    assert_survives(server, Stop::Kill, |_| {});
}

#[test]
fn sessions_survive_a_rewritten_aof_of_plain_commands() {
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
fn a_session_that_ended_while_the_server_was_down_does_not_come_back() {
    let mut server = Server::builder().appendonly().start();
    let mut redis = server.client();
    let short = id("short");
    crate::caller::create_named(&mut redis, "k", "long");
    let made = crate::caller::timed(
        &mut redis,
        &format!("APP.SESSION.CREATE k PX 200 ID {short}"),
    );
    server.restart(Stop::NoSave);
    let mut redis = server.client();
    eventually("the session ends at its deadline", || {
        let got = crate::caller::timed(&mut redis, &format!("APP.SESSION.GET k {short}"));
        assert!(got.reply.is_nil() || got.not_before < made.not_after + 200);
        got.reply.is_nil()
    });
    assert_eq!(list(&mut redis, "k").len(), 1);
}
