//! The module as a whole: loading, unloading, INFO, configuration, and what every command of it
//! owes to the server.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod support;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{
    Client, DEADLINE, Reply, Server, command_docs, command_info, dataset, info, module_path,
    modules, server_has,
};

fn commands(redis: &mut Client) -> Vec<String> {
    let list = redis.run("COMMAND LIST FILTERBY MODULE appkit");
    list.items().iter().map(Reply::text).collect()
}

fn load() -> String {
    format!("MODULE LOAD {}", module_path().display())
}

#[test]
fn unloading_leaves_the_data_and_loading_again_goes_on_with_it() {
    let server = Server::start();
    let mut redis = server.client();
    redis.run("APP.RATELIMIT k 5 EX 3600 COST 3").ints();
    let before = dataset(&mut redis);
    for remaining in [1, 0] {
        let data = dataset(&mut redis);
        redis.run("MODULE UNLOAD appkit").ok();
        assert!(!modules(&mut redis).contains("appkit"));
        let unknown = redis.run("APP.RATELIMIT k 5 EX 3600");
        assert!(
            unknown.error().starts_with("ERR unknown command"),
            "{unknown:?}"
        );
        assert!(!server_has(&mut redis, "APP.RATELIMIT"));
        assert_eq!(dataset(&mut redis), data);
        redis.run(&load()).ok();
        assert_eq!(dataset(&mut redis), data);
        assert_eq!(redis.run("APP.RATELIMIT k 5 EX 3600").ints()[2], remaining);
    }
    assert_ne!(dataset(&mut redis), before);
}

#[test]
fn it_loads_into_a_running_server() {
    let server = Server::builder().without_module().start();
    let mut redis = server.client();
    redis.run(&load()).ok();
    assert_eq!(redis.run("APP.RATELIMIT k 5 EX 3600").ints()[2], 4);
}

#[test]
fn loading_it_twice_is_refused_and_the_first_goes_on() {
    let server = Server::start();
    let mut redis = server.client();
    redis.run(&load()).error();
    assert_eq!(redis.run("APP.RATELIMIT k 5 EX 3600").ints()[2], 4);
}

#[test]
fn a_wrong_load_argument_is_refused_with_a_clear_line_in_the_log() {
    for argument in ["nonsense", "appkit.nonsense 5", "max-waiters 5"] {
        let Err(log) = Server::builder().module_args(argument).try_start() else {
            panic!("the server started with {argument}");
        };
        let name = argument.split(' ').next().unwrap();
        let line = format!("<appkit> unknown load argument '{name}'; accepted");
        assert!(log.contains(&line), "{log}");
    }
    let server = Server::builder().without_module().start();
    let mut redis = server.client();
    redis.run(&format!("{} nonsense", load())).error();
    assert!(
        commands(&mut redis).is_empty(),
        "nothing half registered is left"
    );
    redis.run(&load()).ok();
}

#[test]
fn loading_and_unloading_leave_no_memory_behind() {
    const TIMES: i64 = 100;
    let server = Server::builder().without_module().start();
    let mut redis = server.client();
    let mut used = Vec::new();
    for _ in 0..3 {
        for _ in 0..TIMES {
            redis.run(&format!("{} nonsense", load())).error();
            redis.run(&load()).ok();
            redis.run("APP.LOCK k token EX 1").ints();
            redis.run("APP.CACHE.GETORLOAD l LEASE 60000").items();
            redis.run("MODULE UNLOAD appkit").ok();
        }
        redis.run("FLUSHALL").ok();
        let memory: i64 = info(&mut redis, "memory")["used_memory"].parse().unwrap();
        used.push(memory);
    }
    // What the server itself keeps of a load is less than this; the first turn warms it up.
    assert!(used[2] - used[1] < TIMES * 2048, "{used:?}");
}

/// Redis 7.0 keeps the listeners of a module that it does not load, and calls them.
#[test]
fn after_a_refused_load_the_server_calls_nothing_of_the_module() {
    let server = Server::builder().without_module().start();
    let mut redis = server.client();
    for argument in ["nonsense", "appkit.max-waiters nonsense"] {
        redis.run(&format!("{} {argument}", load())).error();
        redis.run("FLUSHDB").ok();
        redis.run("FLUSHALL").ok();
        redis.run("SWAPDB 0 1").ok();
        redis.run("REPLICAOF NO ONE").ok();
        redis.run("REPLICAOF 127.0.0.1 1").ok();
        redis.run("REPLICAOF NO ONE").ok();
    }
}

/// `APPKIT_OLD_SERVER` names a server that is too old; its own command line is all it gets, as it
/// would not know the configuration that the harness writes.
#[test]
fn a_server_that_lacks_a_required_call_is_told_which() {
    let Some(old_server) = std::env::var_os("APPKIT_OLD_SERVER") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let log = std::fs::File::create(dir.path().join("log")).unwrap();
    let mut child = Command::new(old_server)
        .args(["--port", "0", "--unixsocket", "socket", "--loadmodule"])
        .arg(module_path())
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(log)
        .spawn()
        .unwrap();
    let started = Instant::now();
    let mut status = child.try_wait().unwrap();
    while status.is_none() && started.elapsed() < DEADLINE {
        std::thread::sleep(Duration::from_millis(5));
        status = child.try_wait().unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
    assert!(status.is_some(), "the server runs on:\n{log}");
    assert!(
        log.contains("<appkit> this server lacks RedisModule_"),
        "{log}"
    );
    assert!(log.contains("needs Redis 7.0 or newer"), "{log}");
    assert!(
        !log.contains(" BUG REPORT START"),
        "refused, not crashed:\n{log}"
    );
}

#[test]
fn configuration_is_asked_for_by_the_modules_prefix() {
    let server = Server::start();
    let mut redis = server.client();
    let settings = redis.run("CONFIG GET appkit.*");
    assert!(
        settings
            .pairs()
            .iter()
            .all(|(name, _)| name.starts_with("appkit."))
    );
    redis.run("CONFIG SET appkit.nonsense 1").error();
}

#[test]
fn info_counts_what_the_limiter_did() {
    let server = Server::start();
    let mut redis = server.client();
    let counters = |redis: &mut Client| {
        let section = info(redis, "appkit");
        ["allowed", "refused", "peeked", "refunded"].map(|name| {
            section[&format!("appkit_ratelimit_{name}")]
                .parse::<u64>()
                .unwrap()
        })
    };
    assert_eq!(counters(&mut redis), [0, 0, 0, 0]);
    for line in [
        "APP.RATELIMIT k 2 EX 3600",
        "APP.RATELIMIT k 2 EX 3600",
        "APP.RATELIMIT k 2 EX 3600",
        "APP.RATELIMIT k 0 EX 3600",
        "APP.RATELIMIT.PEEK k 2 EX 3600",
        "APP.RATELIMIT.REFUND k 2 EX 3600",
        // Gives nothing back, so nothing is counted.
        "APP.RATELIMIT.REFUND none 2 EX 3600",
    ] {
        redis.run(line).ints();
    }
    for line in [
        "APP.RATELIMIT k nonsense EX 1",
        "APP.RATELIMIT.PEEK k 1 EX nonsense",
    ] {
        redis.run(line).error();
    }
    assert_eq!(counters(&mut redis), [2, 2, 1, 1]);
    assert!(info(&mut redis, "everything").contains_key("appkit_ratelimit_allowed"));
}

#[test]
fn a_crash_report_comes_to_its_end_and_has_the_counters() {
    let server = Server::start();
    server.client().run("APP.RATELIMIT k 2 EX 3600").ints();
    let log = server.crash();
    assert!(log.contains("appkit_ratelimit_allowed:1"), "{log}");
    assert!(log.contains(" BUG REPORT END"), "{log}");
}

#[test]
fn every_command_is_described_and_its_keys_are_where_they_are_said_to_be() {
    let server = Server::start();
    let mut redis = server.client();
    let names = commands(&mut redis);
    assert!(!names.is_empty());
    for name in names {
        assert!(name.starts_with("app."), "{name}");
        let info = command_info(&mut redis, &name);
        assert!(
            matches!(info.keys, [1, 1 | -1, 1]),
            "{name}: {:?}",
            info.keys
        );
        assert!(!info.flags.contains("movablekeys"), "{name}");
        let writes = info.flags.contains("write");
        assert_ne!(
            writes,
            info.flags.contains("readonly"),
            "{name}: one of the two"
        );
        assert!(!info.key_specs.is_empty(), "{name}");
        for spec in &info.key_specs {
            let access: Vec<_> = ["RO", "RW", "OW", "RM"]
                .into_iter()
                .filter(|f| spec.flags.contains(*f))
                .collect();
            assert_eq!(access.len(), 1, "{name}: {spec:?}");
            assert_eq!(access[0] != "RO", writes, "{name}: {spec:?}");
            for vague in ["incomplete", "variable_flags", "not_key"] {
                assert!(!spec.flags.contains(vague), "{name}: {spec:?}");
            }
        }
        let docs = command_docs(&mut redis, &name);
        assert!(
            !docs.summary.is_empty() && !docs.summary.ends_with('.'),
            "{name}: {docs:?}"
        );
        assert_eq!(docs.since.split('.').count(), 3, "{name}: {docs:?}");
        assert!(docs.complexity.starts_with("O("), "{name}: {docs:?}");
        assert_eq!(docs.group, "module", "{name}");
        assert_eq!(docs.arguments[0].kind, "key", "{name}: {docs:?}");
    }
}
