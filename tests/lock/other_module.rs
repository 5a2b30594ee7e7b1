//! Calls that another module makes on its client's behalf (RM_Call), where nobody can be kept
//! waiting, and what it does in the middle of ours.

use std::path::PathBuf;
use std::process::Command;

use crate::caller::{Outcome, counter, fence, known_waiter, lock, unload, waiter};
use crate::support::{Server, module_path};

/// Builds the module that passes calls on, with the C compiler that Rust itself links with.
fn caller_module(folder: &tempfile::TempDir) -> PathBuf {
    let library = folder.path().join("caller.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lock/caller_module.c");
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(source)
        .status()
        .expect("a C compiler");
    assert!(status.success());
    library
}

/// A server that has that module as well, started with `args`; and the folder where it is.
fn start(args: &str) -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let module = caller_module(&folder);
    let line = format!("loadmodule {} {args}", module.display());
    (folder, Server::builder().config(&line).start())
}

#[test]
fn in_a_call_of_another_module_wait_acts_as_0_and_unlock_hands_over() {
    let (_folder, server) = start("");
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder EX 100");
    let refused = lock(&mut redis, "TEST.CALL APP.LOCK k other EX 1 WAIT 10000");
    assert!(!refused.held);
    assert_eq!(counter(&mut redis, "lock_waiting"), 0);
    let mut next = waiter(&server, "APP.LOCK k next EX 100 WAIT 10000");
    assert_eq!(redis.run("TEST.CALL APP.UNLOCK k holder").int(), 1);
    assert!(Outcome::of(&next.reply()).held);
    unload(&mut redis);
}

#[test]
fn errors_reach_the_other_module_as_errors() {
    let (_folder, server) = start("");
    let mut redis = server.client();
    let reply = redis.run("TEST.CALL APP.LOCK k t EX 0");
    assert_eq!(
        reply.error(),
        "ERR EX must be an integer from 1 to 315360000"
    );
    redis.run("LPUSH l x").int();
    assert!(
        redis
            .run("TEST.CALL APP.LOCK l t EX 1")
            .error()
            .starts_with("WRONGTYPE ")
    );
}

#[test]
fn a_waiter_that_is_killed_by_the_event_of_its_hold_does_not_give_it_to_the_wrong_one() {
    let (_folder, server) = start("");
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder EX 100");
    let (mut chosen, chosen_id) = known_waiter(&server, "APP.LOCK k chosen EX 100 WAIT 10000");
    let mut next = waiter(&server, "APP.LOCK k next EX 100 WAIT 10000");
    let mut last = waiter(&server, "APP.LOCK k last EX 100 WAIT 10000");
    redis.run(&format!("TEST.AT k CLIENT KILL ID {chosen_id}"));
    assert_eq!(redis.run("APP.UNLOCK k holder").int(), 1);
    assert!(chosen.try_frame().is_err());
    // Whoever is told that it holds the lock is the one that does.
    let second = fence(&mut next);
    assert_eq!(counter(&mut redis, "lock_passed_on"), 1);
    assert_eq!(redis.run("APP.UNLOCK k next").int(), 1);
    assert!(fence(&mut last) > second);
    assert_eq!(redis.run("APP.UNLOCK k last").int(), 1);
    unload(&mut redis);
}

#[test]
fn a_lock_that_is_deleted_by_the_event_of_another_goes_to_its_line() {
    let (_folder, server) = start("");
    let mut redis = server.client();
    for key in ["k", "other"] {
        lock(&mut redis, &format!("APP.LOCK {key} holder EX 100"));
    }
    let mut of_k = waiter(&server, "APP.LOCK k next EX 100 WAIT 100000");
    let mut of_other = waiter(&server, "APP.LOCK other next EX 100 WAIT 100000");
    redis.run("TEST.AT k DEL other");
    assert_eq!(redis.run("APP.UNLOCK k holder").int(), 1);
    fence(&mut of_k);
    fence(&mut of_other);
}

/// As with the C library musl, which never takes a library out of memory.
#[test]
fn a_library_that_stays_in_memory_can_be_loaded_again() {
    let library = module_path().display();
    let (_folder, server) = start(&library.to_string());
    let mut redis = server.client();
    for _ in 0..3 {
        lock(&mut redis, "APP.LOCK k holder EX 100");
        let mut next = waiter(&server, "APP.LOCK k next EX 100 WAIT 100000");
        assert_eq!(redis.run("DEL k").int(), 1);
        fence(&mut next);
        assert_eq!(redis.run("DEL k").int(), 1);
        unload(&mut redis);
        redis.run(&format!("MODULE LOAD {library}")).ok();
    }
}
