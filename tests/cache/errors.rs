//! Wrong use: the error names the argument, and everything is left as it was.

use crate::caller::{LONG, fill, lease, load};
use crate::support::{ReplicationStream, Server, dataset};

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

#[test]
fn each_mistake_is_named() {
    let server = Server::start();
    let mut redis = server.client();
    for (line, text) in [
        (
            "APP.CACHE.GETORLOAD k LEASE 0",
            "ERR LEASE must be an integer from 1 to 315360000000",
        ),
        (
            "APP.CACHE.GETORLOAD k LEASE 1.5",
            "ERR LEASE must be an integer from 1 to 315360000000",
        ),
        (
            "APP.CACHE.GETORLOAD k LEASE 315360000001",
            "ERR LEASE must be an integer from 1 to 315360000000",
        ),
        (
            "APP.CACHE.GETORLOAD k WAIT 5 EARLY 5",
            "ERR APP.CACHE.GETORLOAD needs LEASE",
        ),
        (
            "APP.CACHE.GETORLOAD k LEASE 5 WAIT -1",
            "ERR WAIT must be an integer from 0 to 315360000000",
        ),
        (
            "APP.CACHE.GETORLOAD k LEASE 5 EARLY 0",
            "ERR EARLY must be an integer from 1 to 315360000000",
        ),
        (
            "APP.CACHE.GETORLOAD k LEASE 5 LEASE 5",
            "ERR LEASE is given twice",
        ),
        (
            "APP.CACHE.GETORLOAD k LEASE 5 EARLY",
            "ERR EARLY needs a value",
        ),
        (
            "APP.CACHE.GETORLOAD k LEASE 5 EX 5",
            "ERR unknown option 'EX'; accepted: LEASE, WAIT, EARLY",
        ),
        (
            "APP.CACHE.GETORSET k v EX 0",
            "ERR EX must be an integer from 1 to 315360000",
        ),
        (
            "APP.CACHE.GETORSET k v PX 315360000001",
            "ERR PX must be an integer from 1 to 315360000000",
        ),
        (
            "APP.CACHE.GETORSET k v EX 1 PX 1",
            "ERR a value takes exactly one EX or PX",
        ),
        (
            "APP.CACHE.GETORSET k v KEEPTTL 1",
            "ERR unknown option 'KEEPTTL'; accepted: EX, PX",
        ),
        (
            "APP.CACHE.FILL k l v EX 1 EX 1",
            "ERR a value takes exactly one EX or PX",
        ),
        (
            "APP.CACHE.FILL k l v EX x",
            "ERR EX must be an integer from 1 to 315360000",
        ),
        (
            "APP.CACHE.FILL k l v NX 1",
            "ERR unknown option 'NX'; accepted: EX, PX",
        ),
        (
            "APP.CACHE.RELEASE k l BACKOFF 0",
            "ERR BACKOFF must be an integer from 1 to 315360000000",
        ),
        ("APP.CACHE.RELEASE k l BACKOFF", "ERR BACKOFF needs a value"),
        (
            "APP.CACHE.RELEASE k l LATER",
            "ERR unknown option 'LATER'; accepted: BACKOFF",
        ),
    ] {
        assert_eq!(redis.run(line).error(), text, "{line}");
    }
    assert_eq!(redis.run("DBSIZE").int(), 0);
}

#[test]
fn too_few_arguments_are_refused_by_the_server() {
    let server = Server::start();
    let mut redis = server.client();
    for line in [
        "APP.CACHE.GETORLOAD k LEASE",
        "APP.CACHE.GETORSET k v EX",
        "APP.CACHE.FILL k l v EX",
        "APP.CACHE.RELEASE k",
        "APP.CACHE.INVALIDATE",
    ] {
        let reply = redis.run(line);
        assert!(
            reply.error().starts_with("ERR wrong number of arguments"),
            "{reply:?}"
        );
    }
}

#[test]
fn a_wrong_call_keeps_a_lease_and_its_key_as_they_were() {
    let server = Server::start();
    let mut redis = server.client();
    let lease = lease(&mut redis, "k");
    for line in [
        format!("APP.CACHE.FILL k {lease} v EX 0"),
        format!("APP.CACHE.RELEASE k {lease} BACKOFF 0"),
        "APP.CACHE.GETORSET k v EX 0".to_owned(),
        "APP.CACHE.GETORLOAD k LEASE 0".to_owned(),
    ] {
        redis.run(&line).error();
    }
    assert!(fill(&mut redis, "k", &lease, "value"));
}

#[test]
fn another_type_is_refused_before_anything_is_changed() {
    let server = Server::start();
    let mut redis = server.client();
    let lease_of_list = lease(&mut redis, "list");
    let lease_of_string = lease(&mut redis, "string");
    redis.run("RPUSH list a").int();
    redis.run("HSET hash f v").int();
    redis.run("SADD set m").int();
    redis.run("ZADD zset 1 m").int();
    redis.run("XADD stream * f v").bytes();
    let before = dataset(&mut redis);
    let mut stream = ReplicationStream::attach(&server);
    for key in ["list", "hash", "set", "zset", "stream"] {
        for line in [
            format!("APP.CACHE.GETORSET {key} v EX 60"),
            format!("APP.CACHE.GETORLOAD {key} {LONG}"),
            format!("APP.CACHE.GETORLOAD {key} {LONG} WAIT 1000 EARLY 5"),
            format!("APP.CACHE.FILL {key} {lease_of_list} v EX 60"),
            format!("APP.CACHE.RELEASE {key} {lease_of_list} BACKOFF 60"),
            format!("APP.CACHE.INVALIDATE string {key}"),
        ] {
            assert_eq!(redis.run(&line).error(), WRONG_TYPE, "{line}");
        }
    }
    assert_eq!(dataset(&mut redis), before);
    assert!(stream.take(&mut redis).is_empty());
    // INVALIDATE did not get as far as to void the lease of its first key.
    assert!(fill(&mut redis, "string", &lease_of_string, "value"));
    redis.run("DEL list").int();
    assert!(load(&mut redis, &format!("list {LONG}")).is("LOAD"));
}
