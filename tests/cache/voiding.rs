//! The stale fill: whatever changes or removes the key on purpose voids the lease, at once.

use crate::caller::{LONG, fill, lease, load};
use crate::support::{Client, Reply, Server, dataset, eventually, server_has, words};

/// Everything that may stand at a key, comparable.
fn dump(redis: &mut Client) -> Vec<Reply> {
    ["GET k", "PEXPIRETIME k", "EXISTS k"]
        .map(|line| redis.run(line))
        .to_vec()
}

/// Ways to change or remove `k`, each a few commands. `k` may hold a value before or not.
const WITHOUT_A_VALUE: &[&str] = &[
    "SET k new",
    "SET k new ; DEL k",
    "SET k new EX 100",
    "SETEX k 100 new",
    "SETNX k new",
    "MSET k new other 1",
    "MSETNX k new",
    "GETSET k new",
    "APPEND k new",
    "SETRANGE k 3 new",
    "SETBIT k 3 1",
    "INCR k",
    "INCRBYFLOAT k 1.5",
    "BITFIELD k SET u8 0 7",
    "PFADD k a",
    "SET other new ; BITOP NOT k other",
    "SET other new ; RENAME other k",
    "SET other new ; RENAMENX other k",
    "SET other new ; COPY other k",
    "SELECT 1 ; SET k new ; MOVE k 0 ; SELECT 0",
    "SET k new ; GETDEL k",
    "SET k new ; UNLINK k",
    "SET k new ; RENAME k other",
    "SET k new ; MOVE k 1",
    "LPUSH k a ; LPOP k",
    "SADD k a ; DEL k",
    "LPUSH other 1 ; SORT other STORE k ; DEL k",
    "HSET k f v ; HDEL k f",
    "MULTI ; SET k new ; EXEC",
    "MULTI ; SET k new ; DEL k ; EXEC",
    "APP.CACHE.INVALIDATE k",
    "APP.CACHE.INVALIDATE other k",
    "APP.CACHE.GETORSET k new EX 60",
    "APP.RATELIMIT k 5 EX 60 ; DEL k",
    "FLUSHDB",
    "FLUSHALL",
    "FLUSHALL ASYNC",
    "SWAPDB 0 1",
    "SWAPDB 0 1 ; SWAPDB 0 1",
    "SELECT 5 ; FLUSHALL ; SELECT 0",
    "DEBUG RELOAD",
];

const WITH_A_VALUE: &[&str] = &[
    "DEL k",
    "UNLINK k",
    "GETDEL k",
    "RENAME k other",
    "MOVE k 1",
    "SET other new ; RENAME other k",
    "SET other new ; COPY other k REPLACE",
    "SETRANGE k 0 new",
    "SET k old KEEPTTL",
    "SET k old XX",
    "SUNIONSTORE k nothing",
    "FLUSHDB SYNC",
    "SWAPDB 1 0",
];

/// By a connection of its own: on Valkey 8.1 `MOVE` leaves it in the other database, with any module
/// that listens to keys.
#[track_caller]
fn run_all(server: &Server, commands: &str) {
    let mut redis = server.client();
    for command in commands.split(" ; ") {
        let reply = redis.run(command);
        assert!(!reply.is_error(), "{command}: {reply:?}");
    }
}

#[test]
fn a_fill_behind_a_change_leaves_the_key_as_the_change_did() {
    let server = Server::start();
    let mut redis = server.client();
    for commands in WITHOUT_A_VALUE {
        redis.run("FLUSHALL").ok();
        let lease = lease(&mut redis, "k");
        run_all(&server, commands);
        let left = dump(&mut redis);
        assert!(!fill(&mut redis, "k", &lease, "stale"), "{commands}");
        assert_eq!(dump(&mut redis), left, "{commands}");
    }
}

#[test]
fn a_refresh_behind_a_change_leaves_the_key_as_the_change_did() {
    let server = Server::start();
    let mut redis = server.client();
    for commands in WITH_A_VALUE.iter().chain(WITHOUT_A_VALUE) {
        // These need the key not to be there, or to hold another type.
        let needs_no_value = [
            "NX k",
            "NX other k",
            "COPY other k",
            "MOVE k 0",
            "PUSH k",
            "SADD",
            "HSET",
        ];
        let takes_numbers = ["INCR", "RATELIMIT", "BITFIELD", "PFADD"];
        let skipped = needs_no_value.iter().chain(&takes_numbers);
        if skipped.into_iter().any(|word| commands.contains(word)) && !commands.contains("REPLACE")
        {
            continue;
        }
        redis.run("FLUSHALL").ok();
        redis.run("SET k old EX 60").ok();
        let refresh = load(&mut redis, &format!("k {LONG} EARLY 600000"));
        assert!(refresh.is("REFRESH"));
        let changes = !commands.starts_with("APP.CACHE.GETORSET");
        run_all(&server, commands);
        let left = dump(&mut redis);
        let stored = fill(&mut redis, "k", refresh.lease(), "stale");
        assert_eq!(stored, !changes, "{commands}");
        assert!(stored || dump(&mut redis) == left, "{commands}");
    }
}

#[test]
fn a_lease_is_void_at_once_in_the_same_pipeline_and_transaction() {
    let server = Server::start();
    let mut redis = server.client();
    let fill_with = |lease: &str| words(&format!("APP.CACHE.FILL k {lease} stale EX 60"));
    for change in [
        "SET k new",
        "APP.CACHE.INVALIDATE k",
        "FLUSHALL",
        "SWAPDB 0 3",
    ] {
        redis.run("FLUSHALL").ok();
        let lease_of_pipeline = lease(&mut redis, "k");
        let replies = redis.pipeline(&[words(change), fill_with(&lease_of_pipeline)]);
        assert_eq!(replies[1].int(), 0, "{change} in a pipeline");

        redis.run("FLUSHALL").ok();
        let lease_of_transaction = lease(&mut redis, "k");
        redis.run("MULTI").ok();
        redis.run(change);
        redis.call(&fill_with(&lease_of_transaction));
        assert_eq!(
            redis.run("EXEC").items()[1].int(),
            0,
            "{change} in a transaction"
        );
    }
    redis.run("FLUSHALL").ok();
    let lease = lease(&mut redis, "k");
    let script = "redis.call('SET', KEYS[1], 'new') redis.call('DEL', KEYS[1]) \
                  return redis.call('APP.CACHE.FILL', KEYS[1], ARGV[1], 'stale', 'EX', 60)";
    let mut eval = redis::cmd("EVAL");
    eval.arg(script).arg(1).arg("k").arg(lease);
    assert_eq!(redis.call(&eval).int(), 0);
    assert_eq!(redis.run("EXISTS k").int(), 0);
}

#[test]
fn restore_voids_a_lease() {
    let server = Server::start();
    let mut redis = server.client();
    redis.run("SET k new").ok();
    let dump = redis.run("DUMP k");
    redis.run("DEL k").int();
    let lease = lease(&mut redis, "k");
    let mut restore = redis::cmd("RESTORE");
    restore.arg("k").arg(0).arg(dump.bytes());
    redis.call(&restore).ok();
    assert!(!fill(&mut redis, "k", &lease, "stale"));
    assert_eq!(redis.run("GET k").text(), "new");
}

#[test]
fn expiry_eviction_and_a_changed_expiry_void_nothing() {
    let server = Server::start();
    let mut redis = server.client();
    let refresh = |redis: &mut Client, lifetime: &str| {
        redis.run("FLUSHALL").ok();
        redis.run(&format!("SET k old {lifetime}")).ok();
        let refresh = load(redis, &format!("k {LONG} EARLY 600000"));
        assert!(refresh.is("REFRESH"), "{refresh:?}");
        refresh.lease().to_owned()
    };
    for change in [
        "EXPIRE k 90",
        "PEXPIREAT k 99999999999999",
        "PERSIST k",
        "GETEX k EX 70",
        "TOUCH k",
    ] {
        let lease = refresh(&mut redis, "EX 60");
        redis.run(change);
        assert!(fill(&mut redis, "k", &lease, "new"), "{change}");
    }
    let lease = refresh(&mut redis, "PX 20");
    eventually("it has run out", || redis.run("DBSIZE").int() == 0);
    assert!(fill(&mut redis, "k", &lease, "new"));
    let lease = refresh(&mut redis, "EX 60");
    redis.run("CONFIG SET maxmemory-policy volatile-ttl").ok();
    redis.run("CONFIG SET maxmemory 1").ok();
    eventually("it is evicted", || {
        redis.run("SET filler 1").error();
        redis.run("DBSIZE").int() == 0
    });
    redis.run("CONFIG SET maxmemory 0").ok();
    assert!(fill(&mut redis, "k", &lease, "new"));
}

#[test]
fn changes_elsewhere_void_nothing() {
    let server = Server::start();
    let mut redis = server.client();
    redis.run("SET k elsewhere").ok();
    redis.run("MOVE k 2").int();
    let lease = lease(&mut redis, "k");
    redis.run("SELECT 2").ok();
    redis.run("DEL k").int();
    redis.run("SET k new").ok();
    redis.run("FLUSHDB").ok();
    redis.run("SWAPDB 2 3").ok();
    redis.run("SELECT 0").ok();
    redis.run("MSET kk 1 K 1 other 1").ok();
    redis.run("DEL kk K other").int();
    assert!(fill(&mut redis, "k", &lease, "value"));
}

#[test]
fn a_lease_from_before_a_restart_fills_nothing() {
    use crate::support::Stop;
    for stop in [Stop::Save, Stop::Kill] {
        let mut server = Server::start();
        let lease = lease(&mut server.client(), "k");
        server.restart(stop);
        let mut redis = server.client();
        assert!(!fill(&mut redis, "k", &lease, "stale"), "{stop:?}");
        assert_eq!(redis.run("EXISTS k").int(), 0);
        assert!(load(&mut redis, &format!("k {LONG}")).is("LOAD"));
    }
}

#[test]
fn a_demotion_ends_all_leases() {
    let primary = Server::start();
    let server = Server::start();
    let mut redis = server.client();
    let lease = lease(&mut redis, "k");
    redis
        .run(&format!("REPLICAOF 127.0.0.1 {}", primary.port()))
        .ok();
    let mut redis = server.client();
    redis.run("REPLICAOF NO ONE").ok();
    assert!(!fill(&mut redis, "k", &lease, "stale"));
    assert!(load(&mut redis, &format!("k {LONG}")).is("LOAD"));
}

#[test]
fn unloading_the_module_ends_all_leases() {
    let server = Server::start();
    let mut redis = server.client();
    let lease = lease(&mut redis, "k");
    redis.run("MODULE UNLOAD appkit").ok();
    let path = crate::support::module_path().display();
    redis.run(&format!("MODULE LOAD {path}")).ok();
    assert!(!fill(&mut redis, "k", &lease, "stale"));
    // And the events still come.
    let lease = load(&mut redis, &format!("k {LONG}")).lease().to_owned();
    redis.run("SET k new").ok();
    assert!(!fill(&mut redis, "k", &lease, "stale"));
}

#[test]
fn migrate_takes_the_lease_with_the_key() {
    let server = Server::start();
    let target = Server::start();
    let mut redis = server.client();
    if !server_has(&mut redis, "MIGRATE") {
        return;
    }
    redis.run("SET k old EX 60").ok();
    let refresh = load(&mut redis, &format!("k {LONG} EARLY 600000"));
    redis
        .run(&format!("MIGRATE 127.0.0.1 {} k 0 5000", target.port()))
        .ok();
    assert!(!fill(&mut redis, "k", refresh.lease(), "stale"));
    assert!(dataset(&mut redis).expires_at.is_empty());
}
