//! What reaches replicas and the AOF: core commands with absolute values, and nothing of leases.

use crate::caller::{LONG, fill, lease, load};
use crate::support::{ReplicationStream, Server, Stop, dataset, del_of, set_of, transaction};

#[test]
fn a_change_is_core_commands_and_everything_else_nothing() {
    let server = Server::start();
    let mut redis = server.client();
    let mut stream = ReplicationStream::attach(&server);
    redis.run("SELECT 3").ok();
    let lease = lease(&mut redis, "k");
    load(&mut redis, &format!("k {LONG}"));
    redis.run("APP.CACHE.FILL k nothing v EX 5").int();
    redis.run("APP.CACHE.INVALIDATE k none").int();
    let lease_of_next = load(&mut redis, &format!("k {LONG}"));
    redis
        .run(&format!("APP.CACHE.RELEASE k {lease} BACKOFF 5"))
        .int();
    assert!(stream.take(&mut redis).is_empty());

    assert!(fill(&mut redis, "k", lease_of_next.lease(), "va\u{fc}lue"));
    assert_eq!(stream.take(&mut redis), [set_of(&mut redis, b"k")]);
    assert_eq!(stream.db, 3);
    load(&mut redis, &format!("k {LONG} EARLY 999999"));
    redis.run("APP.CACHE.GETORSET k other EX 5").items();
    assert!(stream.take(&mut redis).is_empty());

    let mut set = redis::cmd("APP.CACHE.GETORSET");
    set.arg(b"a\0b").arg(b"\r\n\0\xff").arg("PX").arg(60_000);
    redis.call(&set).items();
    assert_eq!(stream.take(&mut redis), [set_of(&mut redis, b"a\0b")]);

    redis.run("SET k2 v").ok();
    stream.take(&mut redis);
    assert_eq!(redis.run("APP.CACHE.INVALIDATE k none k2").int(), 2);
    let both = vec![del_of(b"k"), del_of(b"k2")];
    assert_eq!(stream.take(&mut redis), transaction(both));
}

#[test]
fn replicas_and_the_aof_have_the_same_values_and_expiries() {
    let mut primary = Server::builder()
        .appendonly()
        .config("appendfsync always")
        .start();
    let replica = Server::builder()
        .without_module()
        .replica_of(&primary)
        .start();
    let mut redis = primary.client();
    for (key, value) in [("a", "1"), ("b", "text"), ("c", &"long".repeat(1000))] {
        let lease = lease(&mut redis, key);
        assert!(fill(&mut redis, key, &lease, value));
        redis
            .run(&format!("APP.CACHE.GETORSET set:{key} {value} EX 600"))
            .items();
    }
    redis.run("APP.CACHE.INVALIDATE b set:c").int();
    replica.catch_up_with(&primary);
    let before = dataset(&mut redis);
    assert_eq!(before.expires_at.len(), 4);
    assert_eq!(dataset(&mut replica.client()), before);
    primary.restart(Stop::Kill);
    assert_eq!(dataset(&mut primary.client()), before);
    primary.restart_with(Stop::Kill, |options| options.without_module());
    assert_eq!(dataset(&mut primary.client()), before);
}
