//! Keys that hold something else, and records that are damaged: an error, never a guess, never a
//! crash, never somebody else's session.

use crate::caller::{calls, create, create_named, fields, get, id, list, state, view};
use crate::support::{Client, Reply, Server, eventually, words};

const OTHER_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
const OTHER_HASH: &str =
    "WRONGTYPE the key holds a hash that is not the sessions of an owner; nothing was changed";
const DAMAGED: &str = "ERR the record of this session is damaged; APP.SESSION.REVOKE removes it";

fn set_field(redis: &mut Client, key: &str, field: &[u8], value: &[u8]) {
    redis
        .call(redis::cmd("HSET").arg(key).arg(field).arg(value))
        .int();
}

/// Forms of the changing commands that would write the most.
fn thorough_calls(session: &str) -> Vec<String> {
    let mut lines = calls("k", session).to_vec();
    lines.extend([
        format!("APP.SESSION.CREATE k EX 60 ID {session} LIMIT 1 DATA {{\"a\":1}}"),
        format!("APP.SESSION.TOUCH k {session} EX 1 WITHMETA"),
        format!("APP.SESSION.UPDATE k {session} {{\"a\":1}} REPLACE"),
        format!("APP.SESSION.ROTATE k {session} GRACE 1000"),
        "APP.SESSION.REVOKE k HANDLE ungWv48Bz-pBQUDeXa4iIw".to_owned(),
        "APP.SESSION.REVOKE k HANDLE what".to_owned(),
        format!("APP.SESSION.REVOKEALL k EXCEPT {session}"),
        format!("APP.SESSION.LIST k CURRENT {session}"),
    ]);
    lines
}

#[test]
fn other_types_are_wrongtype_and_stay_as_they_are() {
    let server = Server::start();
    let mut redis = server.client();
    for make in [
        "SET k v",
        "SET k 12345",
        "RPUSH k a b",
        "SADD k 1 2",
        "ZADD k 1 a",
        "XADD k 1-1 f v",
        "APP.RATELIMIT k 5 EX 3600",
    ] {
        redis.run("DEL k").int();
        assert!(!redis.run(make).is_error());
        redis.run("PEXPIRE k 1000000").int();
        let before = (redis.run("DUMP k"), redis.run("PEXPIRETIME k"));
        for line in thorough_calls(&id("x")) {
            assert_eq!(
                redis.run(&line),
                Reply::Error(OTHER_TYPE.into()),
                "{make}: {line}"
            );
        }
        let after = (redis.run("DUMP k"), redis.run("PEXPIRETIME k"));
        assert_eq!(after, before, "{make}");
    }
}

#[test]
fn other_hashes_are_wrongtype_and_keep_every_byte() {
    let server = Server::start();
    let mut redis = server.client();
    let long = vec![b'x'; 1 << 16];
    let foreign: [&[(&[u8], &[u8])]; 9] = [
        &[(b"name", b"Alice")],
        &[(b"a\0b", b"\xff"), (b"", b"")],
        &[(b"_", b"")],
        &[(b"_", b"lodash")],
        &[(b"_", b"appkit:session:1")],
        &[(b"_", b"appkit:session:2 1800000000000")],
        &[(b"_", b"appkit:session:10 1800000000000")],
        &[(b"_", b"appkit:lock:1 5 token")],
        &[
            (b"_", &long),
            (b"ungWv48Bz-pBQUDeXa4iIw", b"now=ungWv48Bz-pBQUDeXa4iIw"),
        ],
    ];
    for pairs in foreign {
        redis.run("DEL k").int();
        for (field, value) in pairs {
            set_field(&mut redis, "k", field, value);
        }
        let before = redis.run("DUMP k");
        for line in thorough_calls(&id("x")) {
            assert_eq!(
                redis.run(&line),
                Reply::Error(OTHER_HASH.into()),
                "{pairs:?}: {line}"
            );
        }
        assert_eq!(redis.run("DUMP k"), before, "{pairs:?}");
        assert_eq!(redis.run("PTTL k").int(), -1, "{pairs:?}");
    }
}

#[test]
fn a_foreign_value_that_ran_out_is_no_value() {
    let server = Server::start();
    let mut redis = server.client();
    redis.run("DEBUG SET-ACTIVE-EXPIRE 0").ok();
    for line in calls("k", &id("x")) {
        redis.run("DEL k").int();
        redis.run("RPUSH k element").int();
        redis.run("PEXPIRE k 1").int();
        eventually("the list has run out", || redis.run("PTTL k").int() == -2);
        assert!(!redis.run(&line).is_error(), "{line}");
    }
}

/// Whatever is done to one record, nobody else loses a session, and it cannot be used.
#[test]
fn a_damaged_record_takes_no_other_session_down() {
    let server = Server::start();
    let mut redis = server.client();
    let damages: [&[u8]; 8] = [
        b"",
        b"{}",
        b"\n{}",
        b"\xff\xff",
        b"created=1 seen=1 idle=1 expires=99999999999999\n[]",
        b"created=1 seen=1 idle=0 expires=99999999999999\n{}",
        b"created=1 seen=1 idle=1 expires=99999999999999999999\n{}",
        b"now=nowhere",
    ];
    for damage in damages {
        let shown = damage.escape_ascii();
        redis.run("DEL k").int();
        let good = create_named(&mut redis, "k", "good");
        let bad = create_named(&mut redis, "k", "bad");
        let handle = view(&mut redis, "k", &bad).handle;
        set_field(&mut redis, "k", handle.as_bytes(), damage);
        let before = state(&mut redis, "k");
        for command in [
            "GET {}",
            "TOUCH {} EX 9",
            "UPDATE {} {\"a\":1}",
            "ROTATE {}",
        ] {
            let line = format!(
                "APP.SESSION.{} ",
                command.replacen("{}", &format!("k {bad}"), 1)
            );
            assert_eq!(
                redis.run(&line),
                Reply::Error(DAMAGED.into()),
                "{shown}: {line}"
            );
        }
        let again = redis.run(&format!("APP.SESSION.CREATE k EX 60 ID {bad}"));
        assert_eq!(again.error(), DAMAGED, "{shown}");
        assert_eq!(state(&mut redis, "k"), before, "{shown}");
        assert_eq!(list(&mut redis, "k").len(), 1, "{shown}: it hides no other");
        assert!(get(&mut redis, "k", &good).is_some(), "{shown}");
        create(&mut redis, "k EX 60 LIMIT 2 REJECT");
        assert_eq!(
            redis.run(&format!("APP.SESSION.REVOKE k {bad}")).int(),
            1,
            "{shown}"
        );
        assert_eq!(get(&mut redis, "k", &bad), None, "{shown}");
        assert_eq!(fields(&mut redis, "k").len(), 3, "{shown}");
    }
}

#[test]
fn everything_can_be_ended_whatever_is_in_the_way() {
    let server = Server::start();
    let mut redis = server.client();
    let good = create_named(&mut redis, "k", "good");
    set_field(&mut redis, "k", b"\0stray", b"x");
    set_field(&mut redis, "k", b"ungWv48Bz-pBQUDeXa4iIw", b"damaged");
    assert_eq!(
        redis
            .run(&format!("APP.SESSION.REVOKEALL k EXCEPT {good}"))
            .int(),
        0
    );
    assert_eq!(fields(&mut redis, "k").len(), 2);
    set_field(&mut redis, "k", b"_", b"appkit:session:1 ?");
    assert_eq!(
        redis.run(&format!("APP.SESSION.GET k {good}")).error(),
        OTHER_HASH
    );
    assert_eq!(redis.run("APP.SESSION.REVOKEALL k").int(), 1);
    assert_eq!(redis.run("EXISTS k").int(), 0);
}

/// A record with one flipped bit is read as what it says or refused, and no reply ever holds the
/// document of another session.
#[test]
fn a_flipped_bit_is_never_a_crash_nor_somebody_elses_session() {
    let server = Server::start();
    let mut redis = server.client();
    create(
        &mut redis,
        &format!("k EX 3600 ID {} DATA {{\"of\":\"other\"}}", id("other")),
    );
    let made = format!(
        "k EX 3600 MAXAGE 7200000 ID {} DATA {{\"of\":\"mine\"}}",
        id("mine")
    );
    create(&mut redis, &made);
    let mine = redis
        .run(&format!(
            "APP.SESSION.ROTATE k {} GRACE 3600000",
            id("mine")
        ))
        .text();
    let handle = view(&mut redis, "k", &mine).handle.into_bytes();
    let old = fields(&mut redis, "k")
        .into_iter()
        .find(|(_, value)| value.starts_with(b"now="));
    let (old_handle, old_value) = old.expect("the field of the old id");
    let value = fields(&mut redis, "k")[&handle].clone();
    redis.run("PERSIST k").int();
    let records = [(&handle, &value), (&old_handle, &old_value)];
    for (field, value) in records {
        for (place, mask) in (0..value.len()).flat_map(|p| [1, 2, 0x10, 0x80].map(|m| (p, m))) {
            let mut flipped = value.clone();
            flipped[place] ^= mask;
            let before = words("COPY k before REPLACE");
            let mut hset = redis::cmd("HSET");
            hset.arg("k").arg(field).arg(&flipped);
            let mut calls = vec![before, hset];
            for id in [mine.clone(), id("mine")] {
                calls.push(words(&format!("APP.SESSION.GET k {id}")));
                calls.push(words(&format!("APP.SESSION.TOUCH k {id} EX 60")));
                calls.push(words(&format!("APP.SESSION.UPDATE k {id} {{\"a\":1}}")));
                calls.push(words(&format!("APP.SESSION.ROTATE k {id} GRACE 9")));
            }
            calls.push(words(&format!("APP.SESSION.GET k {}", id("other"))));
            calls.push(words("APP.SESSION.LIST k"));
            calls.push(words("COPY before k REPLACE"));
            let replies = redis.pipeline(&calls);
            let shown = format!("byte {place} ^ {mask:#x}");
            for reply in &replies[2..10] {
                match reply {
                    Reply::Bulk(text) => {
                        let text = String::from_utf8_lossy(text);
                        assert!(!text.contains("other"), "{shown}: {text}");
                    }
                    Reply::Error(text) => assert_eq!(text, DAMAGED, "{shown}"),
                    reply => assert!(reply.is_nil(), "{shown}: {reply:?}"),
                }
            }
            assert_eq!(replies[10].text(), "{\"of\":\"other\"}", "{shown}");
        }
    }
}
