//! The harness itself: what it observes is what happens, and it does not sleep through a crash.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use support::{
    Builder, KeyspaceEvents, Protocol, ReplicationStream, Server, Stop, command_docs, command_info,
    dataset, modules, server_has,
};

fn plain() -> Builder {
    Server::builder().without_module()
}

fn words(line: &str) -> Vec<Vec<u8>> {
    line.split(' ')
        .map(|word| word.as_bytes().to_vec())
        .collect()
}

#[test]
fn replication_stream_is_exact_in_both_transfer_forms() {
    let server = plain().config("repl-diskless-sync yes").start();
    let mut redis = server.client();
    redis.run("SET before 1").ok();
    for capabilities in [&[][..], &["eof"][..]] {
        let mut stream = ReplicationStream::attach_with(&server, capabilities);
        assert!(stream.take(&mut redis).is_empty());
        redis.run("SET k v").ok();
        redis.run("GET k");
        redis.run("SELECT 3").ok();
        redis.run("DEL nothing").int();
        redis.run("RPUSH l a b").int();
        assert_eq!(
            stream.take(&mut redis),
            [words("SET k v"), words("RPUSH l a b")]
        );
        assert_eq!(stream.db, 3);
        assert!(stream.take(&mut redis).is_empty());
        redis.run("SELECT 0").ok();
    }
}

#[test]
fn keyspace_events_are_seen_once_and_in_order() {
    let server = plain().start();
    let mut redis = server.client();
    let mut events = KeyspaceEvents::listen(&server);
    assert!(events.take(&mut redis).is_empty());
    redis.run("SET a:b v PX 100000").ok();
    redis.run("DEL a:b").int();
    let seen = events.take(&mut redis);
    let names: Vec<&str> = seen.iter().map(|(event, _)| event.as_str()).collect();
    assert_eq!(names, ["set", "expire", "del"]);
    assert!(seen.iter().all(|(_, key)| key == b"a:b"));
    assert!(events.take(&mut redis).is_empty());
}

#[test]
fn data_survives_a_restart_from_rdb_and_from_aof() {
    let mut from_rdb = plain().start();
    from_rdb.client().run("SET k v PX 100000").ok();
    let before = dataset(&mut from_rdb.client());
    assert_eq!(before.expires_at.len(), 1);
    from_rdb.restart(Stop::Save);
    assert_eq!(dataset(&mut from_rdb.client()), before);
    from_rdb.restart(Stop::NoSave);
    assert_eq!(dataset(&mut from_rdb.client()), before);

    let mut from_aof = plain().appendonly().config("appendfsync always").start();
    from_aof.client().run("SET k v PX 100000").ok();
    let before = dataset(&mut from_aof.client());
    from_aof.restart(Stop::Kill);
    assert_eq!(dataset(&mut from_aof.client()), before);
}

#[test]
fn replica_follows_its_primary() {
    let primary = plain().start();
    let replica = plain().replica_of(&primary).start();
    primary.client().run("SET k v PX 100000").ok();
    replica.catch_up_with(&primary);
    assert_eq!(
        dataset(&mut replica.client()),
        dataset(&mut primary.client())
    );
}

#[test]
fn both_protocols_and_an_ordinary_client_read_the_same() {
    let server = plain().start();
    for protocol in [Protocol::RESP2, Protocol::RESP3] {
        let mut raw = server.client_in(protocol);
        raw.run("HSET h f v").int();
        assert_eq!(raw.run("HGETALL h").field("f").unwrap().bytes(), b"v");
        assert!(raw.run("GET nothing").is_nil());
        let mut ordinary = server.redis(protocol);
        let value: String = redis::cmd("HGET")
            .arg("h")
            .arg("f")
            .query(&mut ordinary)
            .unwrap();
        assert_eq!(value, "v");
    }
}

#[test]
fn commands_are_described() {
    let server = plain().start();
    for protocol in [Protocol::RESP2, Protocol::RESP3] {
        let mut redis = server.client_in(protocol);
        let get = command_info(&mut redis, "get");
        assert_eq!((get.arity, get.keys), (2, [1, 1, 1]));
        assert!(get.flags.contains("readonly") && get.categories.contains("@read"));
        assert_eq!((get.key_specs[0].index, get.key_specs[0].last), (1, 0));
        assert!(get.key_specs[0].flags.contains("RO"));
        let docs = command_docs(&mut redis, "get");
        assert_eq!(
            (docs.group.as_str(), docs.arguments[0].kind.as_str()),
            ("string", "key")
        );
        assert!(!server_has(&mut redis, "no.such.command"));
    }
}

#[test]
fn a_server_that_refuses_to_start_hands_over_its_log() {
    let Err(log) = plain().config("no-such-directive 1").try_start() else {
        panic!("the server started with a wrong line");
    };
    assert!(log.contains("no-such-directive"), "{log}");
}

#[test]
#[should_panic(expected = "the server wrote a crash report")]
fn a_crashed_server_fails_its_test() {
    let server = plain().start();
    let mut redis = server.client();
    redis.send(&support::words("DEBUG SEGFAULT"));
    assert!(redis.try_frame().is_err());
    drop(server);
}

#[test]
fn the_module_is_built_and_loaded() {
    let server = Server::start();
    assert!(modules(&mut server.client()).contains("appkit"));
    assert!(!modules(&mut plain().start().client()).contains("appkit"));
}
