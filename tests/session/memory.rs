//! At full memory, when the key is lost, and that calls leave nothing behind.

use crate::caller::{calls, create, create_named, get, id, list, state};
use crate::support::{
    KeyspaceEvents, OOM, ReplicationStream, Server, fill_memory, left_behind, words,
};

#[test]
fn at_full_memory_nothing_is_made_and_everything_else_works() {
    let server = Server::start();
    let mut redis = server.client();
    for name in ["x", "y", "z"] {
        create_named(&mut redis, "k", name);
    }
    fill_memory(&mut redis);
    let mut stream = ReplicationStream::attach(&server);
    let before = state(&mut redis, "k");
    for line in [
        "APP.SESSION.CREATE k EX 60".to_owned(),
        "APP.SESSION.CREATE new EX 60".to_owned(),
        format!("APP.SESSION.CREATE k EX 60 ID {}", id("x")),
        format!("APP.SESSION.UPDATE k {} {{\"a\":1}}", id("x")),
    ] {
        assert_eq!(redis.run(&line).error(), OOM, "{line}");
    }
    assert_eq!(state(&mut redis, "k"), before);
    assert!(stream.take(&mut redis).is_empty());

    let x = id("x");
    assert_eq!(get(&mut redis, "k", &x).unwrap(), "{}");
    assert_eq!(list(&mut redis, "k").len(), 3);
    assert_eq!(
        redis
            .run(&format!("APP.SESSION.TOUCH k {x} EX 7200"))
            .text(),
        "{}"
    );
    assert!(crate::caller::expires_at(&mut redis, "k") > 0);
    assert_ne!(state(&mut redis, "k"), before, "the slide is written");
    let x = redis
        .run(&format!("APP.SESSION.ROTATE k {x} GRACE 60000"))
        .text();
    assert_eq!(
        redis
            .run(&format!("APP.SESSION.REVOKE k {}", id("y")))
            .int(),
        1
    );
    assert_eq!(
        redis
            .run(&format!("APP.SESSION.REVOKEALL k EXCEPT {x}"))
            .int(),
        1
    );
    assert_eq!(redis.run("APP.SESSION.REVOKEALL k").int(), 1);
    assert_eq!(redis.run("EXISTS k").int(), 0);
}

#[test]
fn scripts_meet_the_same_rule() {
    let server = Server::start();
    let mut redis = server.client();
    let x = create_named(&mut redis, "k", "x");
    fill_memory(&mut redis);
    let mut eval = |line: &str| {
        let arguments: Vec<String> = line.split(' ').map(|word| format!("'{word}'")).collect();
        let script = format!("return redis.call({})", arguments.join(", "));
        redis.call(redis::cmd("EVAL").arg(script).arg(1).arg("k"))
    };
    assert_eq!(eval(&format!("APP.SESSION.TOUCH k {x} EX 9")).text(), "{}");
    let refused = eval("APP.SESSION.CREATE k EX 60");
    assert!(refused.error().starts_with("OOM "), "{refused:?}");
    assert_eq!(eval("APP.SESSION.REVOKEALL k").int(), 1);
}

/// Without the key there is no session, whoever removed it and why: nothing is left that nobody
/// can revoke, and no write brings one back.
#[test]
fn losing_the_key_logs_everybody_out() {
    let server = Server::start();
    let mut redis = server.client();
    let mut events = KeyspaceEvents::listen(&server);
    for lose in [
        "DEL k",
        "UNLINK k",
        "FLUSHALL",
        "PEXPIRE k 0",
        "RENAME k elsewhere",
        "CONFIG SET maxmemory 1 maxmemory-policy allkeys-lru",
    ] {
        let ids = ["x", "y", "z"].map(|name| create_named(&mut redis, "k", name));
        let rotated = redis
            .run(&format!("APP.SESSION.ROTATE k {} GRACE 60000", ids[0]))
            .text();
        assert!(!redis.run(lose).is_error(), "{lose}");
        if lose.starts_with("CONFIG") {
            // A write makes room, as any other would, and finds nothing any more.
            redis.run(&format!("APP.SESSION.TOUCH k {rotated} EX 7200"));
            let gone = ("evicted".to_owned(), b"k".to_vec());
            assert!(events.take(&mut redis).contains(&gone));
            redis.run("CONFIG SET maxmemory 0").ok();
        }
        for id in ids.iter().chain([&rotated]) {
            for line in &calls("k", id)[1..6] {
                let reply = redis.run(line);
                let none = reply.is_nil() || reply == crate::support::Reply::Int(0);
                assert!(none, "{lose}: {line}: {reply:?}");
            }
        }
        assert!(list(&mut redis, "k").is_empty(), "{lose}");
        assert_eq!(redis.run("APP.SESSION.REVOKEALL k").int(), 0, "{lose}");
        assert_eq!(redis.run("EXISTS k").int(), 0, "{lose}");
    }
}

/// The server's allocator counts every byte that a call leaves behind: 16 each would be 400 KB.
#[test]
fn calls_leave_no_memory_behind() {
    let server = Server::start();
    let mut redis = server.client();
    redis.run("RPUSH list element").int();
    redis.run("HSET foreign field value").int();
    let x = create_named(&mut redis, "k", "x");
    let y = id("y");
    let round: Vec<_> = [
        format!("APP.SESSION.CREATE k EX 60 ID {y} DATA {{\"a\":1}}"),
        format!("APP.SESSION.GET k {x} WITHMETA"),
        format!("APP.SESSION.TOUCH k {y} EX 7200"),
        format!("APP.SESSION.UPDATE k {y} {{\"b\":{{\"c\":2}}}}"),
        format!("APP.SESSION.UPDATE k {y} {{\"b\":}}"),
        format!("APP.SESSION.LIST k CURRENT {y}"),
        format!("APP.SESSION.ROTATE k {y} GRACE 60000"),
        "APP.SESSION.GET k nobody".to_owned(),
        "APP.SESSION.GET list nobody".to_owned(),
        "APP.SESSION.LIST foreign".to_owned(),
        format!("APP.SESSION.REVOKE k {y}"),
        "APP.SESSION.CREATE k EX 60".to_owned(),
        format!("APP.SESSION.REVOKEALL k EXCEPT {x}"),
        "APP.SESSION.CREATE alone EX 60".to_owned(),
        "APP.SESSION.REVOKEALL alone".to_owned(),
    ]
    .iter()
    .map(|line| words(line))
    .collect();
    let left = left_behind(&mut redis, &round, 25_000);
    assert!(left < 128 << 10, "{left} bytes more");
}

#[test]
fn a_session_takes_a_few_hundred_bytes() {
    const SESSIONS: usize = 1000;
    let server = Server::start();
    let mut redis = server.client();
    let made = vec![words("APP.SESSION.CREATE k EX 3600 MAXAGE 7200000"); SESSIONS];
    redis.pipeline(&made);
    let used = redis.run("MEMORY USAGE k SAMPLES 0").int() as usize;
    eprintln!("{} bytes a session", used / SESSIONS);
    assert!(used / SESSIONS < 400, "{used} bytes");
    create(&mut redis, "k EX 60");
}
