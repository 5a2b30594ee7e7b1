//! Where writes are refused, hits are still served: that is why reading is a command of its own.

use crate::caller::{LONG, counters, fill, lease, load, send_load};
use crate::support::{
    Client, OOM, Protocol, Server, eventually, fill_memory, info, invalidated, words,
};

/// A server with a value at `k` and, for a while to come, a lease on `lent`.
fn prepared(server: &Server) -> (Client, String) {
    let mut redis = server.client();
    redis.run("SET k value EX 600").ok();
    let lease = lease(&mut redis, "lent");
    (redis, lease)
}

#[track_caller]
fn assert_served(redis: &mut Client) {
    let hit = load(redis, &format!("k {LONG}"));
    assert_eq!((hit.status.as_str(), hit.text().as_str()), ("HIT", "value"));
}

#[test]
fn at_full_memory_hits_are_served_and_nothing_is_stored_or_half_done() {
    let server = Server::start();
    let (mut redis, lease) = prepared(&server);
    fill_memory(&mut redis);
    assert_served(&mut redis);
    assert!(load(&mut redis, &format!("k {LONG} EARLY 700000")).is("REFRESH"));
    let next = load(&mut redis, &format!("new {LONG}"));
    assert!(next.is("LOAD"));
    let fill_lent = format!("APP.CACHE.FILL lent {lease} value EX 60");
    assert_eq!(redis.run(&fill_lent).error(), OOM);
    assert_eq!(redis.run("APP.CACHE.GETORSET other v EX 60").error(), OOM);
    assert_eq!(redis.run("EXISTS lent other").int(), 0);
    assert_eq!(
        redis
            .run(&format!("APP.CACHE.RELEASE new {}", next.lease()))
            .int(),
        1
    );
    assert_eq!(redis.run("APP.CACHE.INVALIDATE k").int(), 1);
    redis.run("CONFIG SET maxmemory 0").ok();
    // The refused FILL did not use the lease up.
    assert_eq!(redis.run(&fill_lent).int(), 1);
}

#[test]
fn a_transaction_at_full_memory_stores_nothing() {
    let server = Server::start();
    let (mut redis, lease) = prepared(&server);
    redis.run("MULTI").ok();
    redis.run(&format!("APP.CACHE.GETORLOAD k {LONG}"));
    redis.run(&format!("APP.CACHE.FILL lent {lease} value EX 60"));
    fill_memory(&mut server.client());
    assert!(redis.run("EXEC").is_error());
    server.client().run("CONFIG SET maxmemory 0").ok();
    assert_eq!(redis.run("EXISTS lent").int(), 0);
    assert!(fill(&mut redis, "lent", &lease, "value"));
}

#[test]
fn with_too_few_replicas_hits_are_served() {
    let server = Server::start();
    let (mut redis, lease) = prepared(&server);
    redis.run("CONFIG SET min-replicas-to-write 1").ok();
    assert_served(&mut redis);
    assert!(load(&mut redis, &format!("new {LONG}")).is("LOAD"));
    for line in [
        format!("APP.CACHE.FILL lent {lease} value EX 60"),
        "APP.CACHE.GETORSET k v EX 60".to_owned(),
        "APP.CACHE.INVALIDATE k".to_owned(),
    ] {
        assert!(redis.run(&line).error().starts_with("NOREPLICAS"), "{line}");
    }
    redis.run("CONFIG SET min-replicas-to-write 0").ok();
    assert!(fill(&mut redis, "lent", &lease, "value"));
}

#[test]
fn after_a_failed_save_hits_are_served() {
    let server = Server::builder().config("save 3600 1000000").start();
    let (mut redis, lease) = prepared(&server);
    // A folder with the name of the file keeps it from being written.
    let folder = redis.run("CONFIG GET dir").items()[1].text();
    std::fs::create_dir(std::path::Path::new(&folder).join("dump.rdb")).unwrap();
    eventually("a save fails", || {
        redis.run("BGSAVE");
        info(&mut redis, "persistence")["rdb_last_bgsave_status"] == "err"
    });
    assert_served(&mut redis);
    assert!(load(&mut redis, &format!("new {LONG}")).is("LOAD"));
    let refused = redis.run(&format!("APP.CACHE.FILL lent {lease} value EX 60"));
    assert!(refused.error().starts_with("MISCONF"), "{refused:?}");
}

#[test]
fn a_replica_serves_hits_and_sends_misses_to_its_primary() {
    let primary = Server::start();
    let replica = Server::builder().replica_of(&primary).start();
    let mut redis = primary.client();
    redis.run("SET k value EX 600").ok();
    redis.run("SET list-to-be value").ok();
    let lease = lease(&mut redis, "lent");
    replica.catch_up_with(&primary);
    let mut reader = replica.client();
    assert_served(&mut reader);
    assert!(
        load(&mut reader, &format!("k {LONG} EARLY 700000")).is("HIT"),
        "no lease on a replica"
    );
    for line in [
        format!("APP.CACHE.GETORLOAD none {LONG}"),
        format!("APP.CACHE.GETORLOAD none {LONG} WAIT 1000"),
        "APP.CACHE.GETORSET k v EX 60".to_owned(),
        format!("APP.CACHE.FILL lent {lease} value EX 60"),
        "APP.CACHE.INVALIDATE k".to_owned(),
    ] {
        let text = "READONLY You can't write against a read only replica.";
        assert_eq!(reader.run(&line).error(), text, "{line}");
    }
    assert_eq!(
        reader.run(&format!("APP.CACHE.RELEASE lent {lease}")).int(),
        0
    );
    assert_eq!(counters(&mut reader)["leases"], 0);
    // A replica that takes writes of its own gives no leases either.
    reader.run("CONFIG SET replica-read-only no").ok();
    assert!(
        reader
            .run(&format!("APP.CACHE.GETORLOAD none {LONG}"))
            .error()
            .starts_with("READONLY")
    );
    assert!(fill(&mut redis, "lent", &lease, "value"));
    replica.catch_up_with(&primary);
    assert_eq!(load(&mut reader, "lent LEASE 1").text(), "value");
}

#[test]
fn hits_and_misses_are_tracked_for_client_side_caching() {
    let server = Server::start();
    let mut redis = server.client();
    for value in ["short", &"long".repeat(1000)] {
        redis.run("FLUSHALL").ok();
        let mut cache = server.client_in(Protocol::RESP3);
        cache.run("CLIENT TRACKING ON").ok();
        let lease = load(&mut cache, &format!("k {LONG}")).lease().to_owned();
        assert!(fill(&mut redis, "k", &lease, value));
        assert_eq!(invalidated(&mut cache, &mut redis), [b"k"], "a miss");
        assert!(load(&mut cache, &format!("k {LONG}")).is("HIT"));
        assert!(invalidated(&mut cache, &mut redis).is_empty());
        redis.run("APP.CACHE.INVALIDATE k").int();
        assert_eq!(invalidated(&mut cache, &mut redis), [b"k"], "a hit");
    }
}

#[test]
fn paused_writes_hold_fills_back_and_let_hits_and_leases_through() {
    let server = Server::start();
    let (mut redis, lease) = prepared(&server);
    let mut admin = server.client();
    let mut waiter = server.client();
    send_load(&mut waiter, &format!("lent {LONG} WAIT 600000"));
    eventually("it waits", || counters(&mut admin)["waiting"] == 1);
    admin.run("CLIENT PAUSE 60000 WRITE").ok();
    assert_served(&mut admin);
    redis.send(&words(&format!("APP.CACHE.FILL lent {lease} value EX 60")));
    eventually("the fill is held back", || {
        info(&mut admin, "clients")["blocked_clients"] == "2"
    });
    assert!(load(&mut admin, &format!("lent {LONG}")).is("BUSY"));
    admin.run("CLIENT UNPAUSE").ok();
    assert_eq!(redis.reply().int(), 1);
    assert_eq!(crate::caller::Loaded::of(&waiter.reply()).text(), "value");
}

#[test]
fn while_writes_are_paused_nobody_in_line_is_served_or_passed_by() {
    let server = Server::start();
    let (mut redis, lease) = prepared(&server);
    let mut waiter = server.client();
    send_load(&mut waiter, &format!("lent {LONG} WAIT 600000"));
    eventually("it waits", || counters(&mut redis)["waiting"] == 1);
    redis.run("CLIENT PAUSE 60000 WRITE").ok();
    // RELEASE changes no data, so it is let through.
    assert_eq!(
        redis.run(&format!("APP.CACHE.RELEASE lent {lease}")).int(),
        1
    );
    for _ in 0..20 {
        assert!(load(&mut redis, &format!("lent {LONG}")).is("BUSY"));
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert_eq!(counters(&mut redis)["waiting"], 1);
    redis.run("CLIENT UNPAUSE").ok();
    assert!(crate::caller::Loaded::of(&waiter.reply()).is("LOAD"));
}
