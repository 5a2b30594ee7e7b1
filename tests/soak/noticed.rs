//! The load would notice: somebody takes away under its hands what it was promised.

use std::sync::Arc;
use std::sync::atomic::AtomicU16;
use std::time::{Duration, Instant};

use crate::support::{Reply, Server, eventually};
use crate::workload::{Load, direct};

const KINDS: [&str; 10] = [
    "change lost",
    "held too long",
    "hold lost",
    "limit exceeded",
    "session came back",
    "session lost",
    "stale value",
    "two holders",
    "two loaders",
    "value lost",
];

const WORKERS: usize = 30;

const LONGEST: Duration = Duration::from_secs(14);

#[test]
fn broken_promises_are_noticed() {
    let server = Server::start();
    let connect = direct(&Arc::new(AtomicU16::new(server.port())));
    let load = Load::start(connect, &[""], WORKERS);
    let mut redis = server.client();
    let (started, mut missing) = (Instant::now(), Vec::new());
    let pause = || std::thread::sleep(Duration::from_millis(50));
    // Long enough for some to end a session, and to look for one that has ended.
    let long_pause = || std::thread::sleep(Duration::from_millis(300));
    eventually("every kind of broken promise is noticed", || {
        redis.run("FLUSHALL").ok();
        redis.run("SET cached:0 0 PX 100").ok();
        pause();
        redis.run("FLUSHALL").ok();
        long_pause();
        // Everybody's sessions as they were a moment ago.
        let owners = (0..WORKERS).map(|number| format!("sessions:{number}"));
        let past: Vec<(String, Reply)> = owners
            .map(|owner| {
                let dump = redis.run(&format!("DUMP {owner}"));
                (owner, dump)
            })
            .collect();
        long_pause();
        for (owner, past) in past.iter().filter(|(_, past)| !past.is_nil()) {
            let mut restore = redis::cmd("RESTORE");
            restore
                .arg(owner)
                .arg(3_600_000)
                .arg(past.bytes())
                .arg("REPLACE");
            redis.call(&restore).ok();
        }
        for number in 0..WORKERS {
            redis.run(&format!("PEXPIRE kept:{number}:0 3600000")).int();
        }
        long_pause();
        missing = KINDS
            .iter()
            .filter(|kind| !load.noticed().contains(*kind))
            .collect();
        missing.is_empty() || started.elapsed() > LONGEST
    });
    assert!(missing.is_empty(), "not noticed: {missing:?}");
    assert!(!load.audit().findings.is_empty());
}
