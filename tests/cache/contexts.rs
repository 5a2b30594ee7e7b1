//! Where a call may come from: transactions, scripts, functions, other databases, a cluster.

use std::time::Instant;

use crate::caller::{LONG, Loaded, fill, lease, load};
use crate::support::{Protocol, Server, cluster_of_one, give_up_slot_of};

#[test]
fn transactions_load_fill_and_hit_in_order() {
    let server = Server::start();
    for protocol in [Protocol::RESP2, Protocol::RESP3] {
        let mut redis = server.client_in(protocol);
        redis.run("FLUSHALL").ok();
        let lease = lease(&mut redis, "k");
        redis.run("MULTI").ok();
        for line in [
            "APP.CACHE.GETORLOAD k LEASE 60 WAIT 600000".to_owned(),
            format!("APP.CACHE.FILL k {lease} value EX 60"),
            "APP.CACHE.GETORLOAD k LEASE 60 WAIT 600000".to_owned(),
            "APP.CACHE.INVALIDATE k".to_owned(),
            format!("APP.CACHE.GETORLOAD k {LONG} WAIT 600000"),
        ] {
            assert_eq!(redis.run(&line).text(), "QUEUED");
        }
        let replies = redis.run("EXEC");
        let replies = replies.items();
        assert!(Loaded::of(&replies[0]).is("BUSY"), "WAIT acts as 0");
        assert_eq!(replies[1].int(), 1);
        assert!(Loaded::of(&replies[2]).is("HIT"));
        assert_eq!(replies[3].int(), 1);
        let next = Loaded::of(&replies[4]);
        assert!(fill(&mut redis, "k", next.lease(), "new"));
    }
}

#[test]
fn scripts_and_functions_load_and_do_not_wait() {
    let server = Server::start();
    let mut redis = server.client();
    let script =
        "return redis.call('APP.CACHE.GETORLOAD', KEYS[1], 'LEASE', 600000, 'WAIT', 600000)";
    let started = Instant::now();
    for (command, status) in [("EVAL", "LOAD"), ("EVAL", "BUSY"), ("EVAL_RO", "BUSY")] {
        let reply = redis.call(redis::cmd(command).arg(script).arg(1).arg("k"));
        // A null of RESP2 is false to Lua and null again on the way out.
        assert_eq!(reply.items()[0].bytes(), status.as_bytes(), "{command}");
    }
    let mut function = redis::cmd("FUNCTION");
    function.arg("LOAD").arg(
        "#!lua name=lib\nredis.register_function{function_name='f', flags={'no-writes'}, \
         callback=function(keys) return redis.call('APP.CACHE.GETORLOAD', keys[1], \
         'LEASE', 5, 'WAIT', 600000) end}",
    );
    redis.call(&function).bytes();
    assert!(Loaded::of(&redis.run("FCALL_RO f 1 k")).is("BUSY"));
    assert!(started.elapsed().as_secs() < 60);
    let store = "return redis.call('APP.CACHE.FILL', KEYS[1], 'none', 'v', 'EX', 5)";
    let mut eval = redis::cmd("EVAL_RO");
    eval.arg(store).arg(1).arg("k");
    assert!(redis.call(&eval).is_error());
}

#[test]
fn a_script_loads_and_fills_in_one_step() {
    let server = Server::start();
    let mut redis = server.client();
    let script = "local loaded = redis.call('APP.CACHE.GETORLOAD', KEYS[1], 'LEASE', 5000) \
                  return redis.call('APP.CACHE.FILL', KEYS[1], loaded[3], 'made', 'EX', 60)";
    let mut eval = redis::cmd("EVAL");
    eval.arg(script).arg(1).arg("k");
    assert_eq!(redis.call(&eval).int(), 1);
    assert_eq!(load(&mut redis, "k LEASE 5").text(), "made");
}

#[test]
fn databases_are_apart() {
    let server = Server::start();
    let mut redis = server.client();
    let lease_of_0 = lease(&mut redis, "k");
    redis.run("SELECT 9").ok();
    let lease_of_9 = lease(&mut redis, "k");
    assert!(!fill(&mut redis, "k", &lease_of_0, "value"));
    assert!(fill(&mut redis, "k", &lease_of_9, "nine"));
    redis.run("SELECT 0").ok();
    assert!(load(&mut redis, &format!("k {LONG}")).is("BUSY"));
    assert!(fill(&mut redis, "k", &lease_of_0, "zero"));
}

#[test]
fn a_cluster_serves_its_slots_and_refuses_keys_of_several_slots() {
    let server = cluster_of_one();
    let mut redis = server.client();
    let lease = lease(&mut redis, "{a}1");
    assert!(fill(&mut redis, "{a}1", &lease, "value"));
    redis.run("SET {a}2 value").ok();
    assert!(load(&mut redis, "{a}2 LEASE 1").is("HIT"));
    let crossing = redis.run("APP.CACHE.INVALIDATE {a}1 {b}1");
    assert!(crossing.error().starts_with("CROSSSLOT"), "{crossing:?}");
    assert_eq!(redis.run("APP.CACHE.INVALIDATE {a}1 {a}2 {a}3").int(), 2);
    give_up_slot_of(&mut redis, "{b}");
    for line in [
        "APP.CACHE.GETORLOAD {b} LEASE 5",
        "APP.CACHE.GETORSET {b} v EX 5",
        "APP.CACHE.FILL {b} lease v EX 5",
        "APP.CACHE.RELEASE {b} lease",
        "APP.CACHE.INVALIDATE {b}",
    ] {
        let reply = redis.run(line);
        assert!(
            reply.error().starts_with("CLUSTERDOWN"),
            "{line}: {reply:?}"
        );
    }
}
