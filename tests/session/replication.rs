//! What reaches replicas: core commands with absolute values, and nothing where nothing changed.

use crate::caller::{create_named, expires_at, fields, id, view};
use crate::support::{Client, Command, ReplicationStream, Server, command, del_of, transaction};

/// `HSET key` with these fields and what they hold now.
#[track_caller]
fn hset(redis: &mut Client, key: &str, names: &[&str]) -> Command {
    let held = fields(redis, key);
    let mut all = command(&[b"HSET", key.as_bytes()]);
    for name in names {
        all.push(name.as_bytes().to_vec());
        all.push(held[name.as_bytes()].clone());
    }
    all
}

fn hdel(key: &str, names: &[&str]) -> Command {
    let mut all = command(&[b"HDEL", key.as_bytes()]);
    all.extend(names.iter().map(|name| name.as_bytes().to_vec()));
    all
}

#[track_caller]
fn pexpireat(redis: &mut Client, key: &str) -> Command {
    let at = expires_at(redis, key);
    assert!(at > 0);
    command(&[b"PEXPIREAT", key.as_bytes(), at.to_string().as_bytes()])
}

fn handle(redis: &mut Client, id: &str) -> String {
    view(redis, "k", id).handle
}

#[test]
fn each_change_is_core_commands_with_absolute_times() {
    let server = Server::start();
    let mut redis = server.client();
    let mut stream = ReplicationStream::attach(&server);

    let x = create_named(&mut redis, "k", "x");
    let hx = handle(&mut redis, &x);
    let expected = vec![
        hset(&mut redis, "k", &[&hx, "_"]),
        pexpireat(&mut redis, "k"),
    ];
    assert_eq!(stream.take(&mut redis), transaction(expected), "CREATE");

    redis
        .run(&format!("APP.SESSION.TOUCH k {x} EX 7200"))
        .text();
    let expected = vec![
        hset(&mut redis, "k", &[&hx, "_"]),
        pexpireat(&mut redis, "k"),
    ];
    assert_eq!(
        stream.take(&mut redis),
        transaction(expected),
        "TOUCH, longer"
    );

    redis
        .run(&format!("APP.SESSION.TOUCH k {x} EX 3600"))
        .text();
    assert_eq!(
        stream.take(&mut redis),
        [hset(&mut redis, "k", &[&hx])],
        "TOUCH, shorter"
    );

    redis
        .run(&format!("APP.SESSION.UPDATE k {x} {{\"a\":1}}"))
        .text();
    assert_eq!(
        stream.take(&mut redis),
        [hset(&mut redis, "k", &[&hx])],
        "UPDATE"
    );

    let y = redis
        .run(&format!("APP.SESSION.ROTATE k {x} GRACE 3600000"))
        .text();
    let hy = handle(&mut redis, &y);
    assert_eq!(
        stream.take(&mut redis),
        [hset(&mut redis, "k", &[&hy, &hx])],
        "ROTATE GRACE"
    );

    let z = redis.run(&format!("APP.SESSION.ROTATE k {x}")).text();
    let hz = handle(&mut redis, &z);
    let expected = vec![hset(&mut redis, "k", &[&hz]), hdel("k", &[&hx, &hy])];
    assert_eq!(stream.take(&mut redis), transaction(expected), "ROTATE");

    let w = create_named(&mut redis, "k", "w");
    let hw = handle(&mut redis, &w);
    stream.take(&mut redis);
    redis.run(&format!("APP.SESSION.REVOKE k {w}")).int();
    assert_eq!(stream.take(&mut redis), [hdel("k", &[&hw])], "REVOKE");
    redis
        .run(&format!("APP.SESSION.REVOKE k HANDLE {hz}"))
        .int();
    assert_eq!(
        stream.take(&mut redis),
        [del_of(b"k")],
        "REVOKE of the last"
    );

    create_named(&mut redis, "k", "x");
    redis
        .run(&format!("APP.SESSION.CREATE k EX 7200 ID {w}"))
        .text();
    stream.take(&mut redis);
    redis
        .run(&format!("APP.SESSION.REVOKEALL k EXCEPT {x}"))
        .int();
    let expected = vec![
        hset(&mut redis, "k", &["_"]),
        hdel("k", &[&hw]),
        pexpireat(&mut redis, "k"),
    ];
    assert_eq!(
        stream.take(&mut redis),
        transaction(expected),
        "REVOKEALL EXCEPT"
    );
    redis.run("APP.SESSION.REVOKEALL k").int();
    assert_eq!(stream.take(&mut redis), [del_of(b"k")], "REVOKEALL");
}

#[test]
fn a_login_that_drops_others_is_one_transaction() {
    let server = Server::start();
    let mut redis = server.client();
    let x = create_named(&mut redis, "k", "x");
    let hx = handle(&mut redis, &x);
    let mut stream = ReplicationStream::attach(&server);
    let y = redis.run("APP.SESSION.CREATE k EX 60 LIMIT 1").text();
    let hy = handle(&mut redis, &y);
    let expected = vec![
        hset(&mut redis, "k", &[&hy, "_"]),
        hdel("k", &[&hx]),
        pexpireat(&mut redis, "k"),
    ];
    assert_eq!(stream.take(&mut redis), transaction(expected));
}

#[test]
fn what_changes_nothing_is_not_replicated() {
    let server = Server::start();
    let mut redis = server.client();
    let x = create_named(&mut redis, "k", "x");
    let mut stream = ReplicationStream::attach(&server);
    for line in [
        format!("APP.SESSION.CREATE k EX 60 ID {x}"),
        "APP.SESSION.CREATE k EX 60 LIMIT 1 REJECT".to_owned(),
        format!("APP.SESSION.GET k {x} WITHMETA"),
        format!("APP.SESSION.TOUCH k {x}"),
        format!("APP.SESSION.UPDATE k {x} {{}}"),
        "APP.SESSION.UPDATE k nobody {\"a\":1}".to_owned(),
        "APP.SESSION.ROTATE k nobody".to_owned(),
        "APP.SESSION.REVOKE k nobody".to_owned(),
        format!("APP.SESSION.REVOKEALL k EXCEPT {x}"),
        "APP.SESSION.REVOKEALL none".to_owned(),
        "APP.SESSION.LIST k".to_owned(),
        "APP.SESSION.CREATE k EX 60 DATA []".to_owned(),
    ] {
        redis.run(&line);
        assert!(stream.take(&mut redis).is_empty(), "{line}");
    }
}

#[test]
fn transactions_and_scripts_are_replicated_as_one() {
    let server = Server::start();
    let mut redis = server.client();
    let x = id("x");
    let mut stream = ReplicationStream::attach(&server);
    redis.run("MULTI").ok();
    redis.run(&format!("APP.SESSION.CREATE k EX 60 ID {x}"));
    redis.run("APP.SESSION.LIST k");
    redis.run("EXEC").items();
    let hx = handle(&mut redis, &x);
    let made = vec![
        hset(&mut redis, "k", &[&hx, "_"]),
        pexpireat(&mut redis, "k"),
    ];
    assert_eq!(stream.take(&mut redis), transaction(made));
    let script = "redis.call('APP.SESSION.GET', KEYS[1], ARGV[1])
                  return redis.call('APP.SESSION.REVOKEALL', KEYS[1])";
    let mut eval = redis::cmd("EVAL");
    assert_eq!(
        redis.call(eval.arg(script).arg(1).arg("k").arg(&x)).int(),
        1
    );
    assert_eq!(stream.take(&mut redis), [del_of(b"k")]);
}

#[test]
fn keys_of_any_bytes_and_other_databases_are_replicated_as_they_are() {
    let server = Server::start();
    let mut redis = server.client();
    let mut stream = ReplicationStream::attach(&server);
    redis.run("SELECT 7").ok();
    for key in [&b"a\0b"[..], b"\r\n", b"\xff%s%n", b""] {
        let mut create = redis::cmd("APP.SESSION.CREATE");
        create
            .arg(key)
            .arg("EX")
            .arg(60)
            .arg("DATA")
            .arg("{\"a\":\"%s\\u0000\"}");
        redis.call(&create).text();
        let commands = stream.take(&mut redis);
        assert_eq!(commands.len(), 4);
        assert_eq!(
            (&commands[1][0][..], &commands[1][1][..]),
            (&b"HSET"[..], key)
        );
        let text = String::from_utf8_lossy(&commands[1][3]).into_owned();
        assert!(text.ends_with("\n{\"a\":\"%s\\u0000\"}"), "{text}");
        redis
            .call(redis::cmd("APP.SESSION.REVOKEALL").arg(key))
            .int();
        assert_eq!(stream.take(&mut redis), [del_of(key)]);
        assert_eq!(stream.db, 7);
    }
}
