//! Locks over restarts.

use crate::caller::{fence, lock, waiter};
use crate::support::{Server, Stop};

#[test]
fn a_lock_survives_restarts_with_its_fence_and_its_end() {
    for (aof, stop) in [(false, Stop::Save), (true, Stop::NoSave)] {
        let builder = Server::builder();
        let mut server = if aof {
            builder.appendonly().start()
        } else {
            builder.start()
        };
        let mut redis = server.client();
        let held = lock(&mut redis, "APP.LOCK k a EX 1000");
        redis.run("APP.LOCK.EXTEND k a EX 2000").int();
        let end = redis.run("PEXPIRETIME k").int();
        server.restart(stop);
        let mut redis = server.client();
        assert_eq!(redis.run("PEXPIRETIME k").int(), end);
        assert!(!lock(&mut redis, "APP.LOCK k b EX 1").held);
        assert_eq!(lock(&mut redis, "APP.LOCK k a EX 1000").fence, held.fence);
        let mut next = waiter(&server, "APP.LOCK k b EX 1 WAIT 5000");
        assert_eq!(redis.run("APP.UNLOCK k a").int(), 1);
        assert!(fence(&mut next) > held.fence);
    }
}

#[test]
fn a_lock_is_data_like_any_other() {
    let server = Server::start();
    let mut redis = server.client();
    let held = lock(&mut redis, "APP.LOCK k a EX 1000");
    redis.run("COPY k l").int();
    let dump = redis.run("DUMP k");
    redis.run("DEL k").int();
    let restored = redis.call(redis::cmd("RESTORE").arg("k").arg(5000).arg(dump.bytes()));
    restored.ok();
    for key in ["k", "l"] {
        assert!(!lock(&mut redis, &format!("APP.LOCK {key} b EX 1")).held);
        assert_eq!(
            lock(&mut redis, &format!("APP.LOCK {key} a EX 1")).fence,
            held.fence
        );
    }
}
