//! Calls that another module makes on its client's behalf (RM_Call), where nobody can be kept
//! waiting.

use std::path::PathBuf;
use std::process::Command;

use crate::caller::{Outcome, counter, lock, unload, waiter};
use crate::support::Server;

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

#[test]
fn in_a_call_of_another_module_wait_acts_as_0_and_unlock_hands_over() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let module = caller_module(&folder);
    let server = Server::builder()
        .config(&format!("loadmodule {}", module.display()))
        .start();
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
    let folder = tempfile::tempdir().expect("a temporary directory");
    let module = caller_module(&folder);
    let server = Server::builder()
        .config(&format!("loadmodule {}", module.display()))
        .start();
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
