//! Sessions over restarts, on servers that have the module and on servers that do not.

use crate::caller::{get, id, list};
use crate::replicas::{KEYS, populate};
use crate::support::{Client, Server, Source, Stop, assert_survives, eventually, timed};

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

/// The sessions of [`populate`] come back from `source` and go on.
fn assert_sessions_survive(source: Source) {
    let server = assert_survives(source, KEYS, populate, |redis| list(redis, "owner:8"));
    assert_goes_on(&mut server.client());
}

#[test]
fn sessions_survive_a_restart_from_rdb() {
    assert_sessions_survive(Source::Rdb);
}

#[test]
fn sessions_survive_a_restart_from_aof() {
    assert_sessions_survive(Source::Aof);
}

#[test]
fn sessions_survive_a_crash_with_aof() {
    assert_sessions_survive(Source::AofOfKilled);
}

#[test]
fn sessions_survive_a_rewritten_aof_of_plain_commands() {
    assert_sessions_survive(Source::PlainAof);
}

#[test]
fn a_session_that_ended_while_the_server_was_down_does_not_come_back() {
    let mut server = Server::builder().appendonly().start();
    let mut redis = server.client();
    let short = id("short");
    crate::caller::create_named(&mut redis, "k", "long");
    let made = timed(
        &mut redis,
        &format!("APP.SESSION.CREATE k PX 200 ID {short}"),
    );
    server.restart(Stop::NoSave);
    let mut redis = server.client();
    eventually("the session ends at its deadline", || {
        let got = timed(&mut redis, &format!("APP.SESSION.GET k {short}"));
        assert!(got.reply.is_nil() || got.not_before < made.not_after + 200);
        got.reply.is_nil()
    });
    assert_eq!(list(&mut redis, "k").len(), 1);
}
