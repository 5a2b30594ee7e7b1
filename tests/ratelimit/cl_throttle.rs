//! `CL.THROTTLE`: what redis-cell's callers rely on, and when the command is there at all.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::caller::{decide, dump};
use crate::support::{
    Client, Protocol, ReplicationStream, Server, command_docs, command_info, info, key_and_flags,
    module_path, modules, server_has, set,
};

const ON: &str = "appkit.cl-throttle yes";

fn server() -> Server {
    Server::builder().module_args(ON).start()
}

/// limited, limit, remaining, retry after (s), reset after (s)
#[track_caller]
fn throttle(redis: &mut Client, arguments: &str) -> [i64; 5] {
    let reply = redis.run(&format!("CL.THROTTLE {arguments}"));
    reply.ints().try_into().expect("five integers")
}

/// A token an hour, so that the time that the test itself takes is rounded away.
#[test]
fn a_bucket_is_emptied_token_by_token_and_then_limits() {
    let server = server();
    for protocol in [Protocol::RESP2, Protocol::RESP3] {
        let mut redis = server.client_in(protocol);
        redis.run("DEL k").int();
        for (arguments, reply) in [
            ("k 2 1 3600", [0, 3, 2, -1, 3600]),
            ("k 2 1 3600 1", [0, 3, 1, -1, 7200]),
            ("k 2 1 3600 2", [1, 3, 1, 3600, 7200]),
            ("k 2 1 3600", [0, 3, 0, -1, 10800]),
            ("k 2 1 3600", [1, 3, 0, 3600, 10800]),
            ("k 2 1 3600 3", [1, 3, 0, 10800, 10800]),
        ] {
            assert_eq!(throttle(&mut redis, arguments), reply, "{arguments}");
        }
    }
}

#[test]
fn more_than_the_bucket_holds_is_limited_for_ever() {
    let server = server();
    let mut redis = server.client();
    assert_eq!(throttle(&mut redis, "k 2 1 3600 4"), [1, 3, 3, -1, 0]);
    assert_eq!(redis.run("EXISTS k").int(), 0);
    throttle(&mut redis, "k 2 1 3600");
    assert_eq!(throttle(&mut redis, "k 2 1 3600 4"), [1, 3, 2, -1, 3600]);
}

#[test]
fn no_burst_is_a_bucket_of_one() {
    let server = server();
    let mut redis = server.client();
    assert_eq!(throttle(&mut redis, "k 0 30 60"), [0, 1, 0, -1, 2]);
    assert_eq!(throttle(&mut redis, "k 0 30 60"), [1, 1, 0, 2, 2]);
}

#[test]
fn a_token_is_back_after_the_seconds_of_retry_after() {
    let server = server();
    let mut redis = server.client();
    assert_eq!(throttle(&mut redis, "k 0 1 1")[0], 0);
    let refused = throttle(&mut redis, "k 0 1 1");
    assert_eq!((refused[0], refused[3]), (1, 1));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(throttle(&mut redis, "k 0 1 1")[0], 0);
}

#[test]
fn quantity_0_looks_and_writes_nothing() {
    let server = server();
    let mut redis = server.client();
    assert_eq!(throttle(&mut redis, "k 2 1 3600 0"), [0, 3, 3, -1, 0]);
    assert_eq!(redis.run("EXISTS k").int(), 0);
    throttle(&mut redis, "k 2 1 3600 3");
    let before = dump(&mut redis, "k");
    assert_eq!(throttle(&mut redis, "k 2 1 3600 0"), [0, 3, 0, -1, 10800]);
    assert_eq!(dump(&mut redis, "k"), before);
}

#[test]
fn a_limiter_is_shared_with_app_ratelimit() {
    let server = server();
    let mut redis = server.client();
    assert_eq!(throttle(&mut redis, "k 4 2 3600 3"), [0, 5, 2, -1, 5400]);
    let decision = decide(
        &mut redis,
        "APP.RATELIMIT k 2 EX 3600 BURST 5 ALGO GCRA COST 2",
    );
    assert_eq!(
        (decision.allowed, decision.limit, decision.remaining),
        (true, 5, 0)
    );
    assert_eq!(throttle(&mut redis, "k 4 2 3600"), [1, 5, 0, 1800, 9000]);
    decide(
        &mut redis,
        "APP.RATELIMIT.REFUND k 2 EX 3600 BURST 5 ALGO GCRA COST 5",
    );
    assert_eq!(redis.run("EXISTS k").int(), 0);
}

#[test]
fn replicas_get_the_state_and_refusals_leave_no_trace() {
    let server = server();
    let mut redis = server.client();
    let mut stream = ReplicationStream::attach(&server);
    throttle(&mut redis, "k 0 1 3600");
    let commands = stream.take(&mut redis);
    assert_eq!(commands.len(), 1, "{commands:?}");
    assert_eq!(commands[0][0], b"SET");
    assert_eq!(commands[0][3], b"PXAT");
    assert_eq!(throttle(&mut redis, "k 0 1 3600")[0], 1);
    assert_eq!(throttle(&mut redis, "k 0 1 3600 0")[0], 0);
    assert!(stream.take(&mut redis).is_empty());
}

#[test]
fn the_state_that_redis_cell_left_is_refused_and_kept() {
    let server = server();
    let mut redis = server.client();
    redis.run("SET k 1763659423000000000 EX 60").ok();
    let before = dump(&mut redis, "k");
    let error = redis.run("CL.THROTTLE k 2 1 3600");
    assert!(error.error().starts_with("WRONGTYPE"), "{error:?}");
    assert_eq!(dump(&mut redis, "k"), before);
}

#[test]
fn wrong_use_is_an_error_that_names_the_argument() {
    let server = server();
    let mut redis = server.client();
    for (arguments, text) in [
        (
            "k 2 0 60",
            "ERR count_per_period must be an integer from 1 to 4294967295",
        ),
        (
            "k x 1 60",
            "ERR max_burst must be an integer from 0 to 4294967294",
        ),
        (
            "k 2 1 60 1 1",
            "ERR unknown option '1'; accepted: nothing behind quantity",
        ),
    ] {
        let reply = redis.run(&format!("CL.THROTTLE {arguments}"));
        assert_eq!(reply.error(), text, "{arguments}");
    }
    let reply = redis.run("CL.THROTTLE k 2 1");
    assert!(
        reply.error().starts_with("ERR wrong number of arguments"),
        "{reply:?}"
    );
    assert_eq!(redis.run("DBSIZE").int(), 0);
}

#[test]
fn at_full_memory_a_limiter_that_exists_goes_on() {
    let server = server();
    let mut redis = server.client();
    throttle(&mut redis, "k 2 1 3600");
    redis.run("CONFIG SET maxmemory 1").ok();
    assert_eq!(throttle(&mut redis, "k 2 1 3600")[2], 1);
    let reply = redis.run("CL.THROTTLE new 2 1 3600");
    assert!(reply.error().starts_with("OOM"), "{reply:?}");
}

#[test]
fn its_calls_are_counted_with_those_of_app_ratelimit() {
    let server = server();
    let mut redis = server.client();
    for quantity in [1, 1, 0] {
        throttle(&mut redis, &format!("k 0 1 3600 {quantity}"));
    }
    let section = info(&mut redis, "appkit");
    for name in ["allowed", "refused", "peeked"] {
        assert_eq!(section[&format!("appkit_ratelimit_{name}")], "1", "{name}");
    }
}

#[test]
fn it_is_described_like_every_command() {
    let server = server();
    let mut redis = server.client();
    let command = command_info(&mut redis, "cl.throttle");
    assert_eq!((command.arity, command.keys), (-5, [1, 1, 1]));
    assert!(command.flags.contains("write") && command.flags.contains("fast"));
    assert!(!command.flags.contains("denyoom"));
    let (_, flags) = key_and_flags(&mut redis, "CL.THROTTLE k 2 1 3600");
    assert_eq!(flags, set("RW access update"));
    let docs = command_docs(&mut redis, "cl.throttle");
    let names: Vec<&str> = docs
        .arguments
        .iter()
        .map(|argument| argument.name.as_str())
        .collect();
    assert_eq!(
        names,
        ["key", "max_burst", "count_per_period", "period", "quantity"]
    );
    assert!(docs.arguments[4].flags.contains("optional"));
}

#[test]
fn it_is_there_only_where_it_is_asked_for() {
    for (arguments, there) in [("", false), ("appkit.cl-throttle no", false), (ON, true)] {
        let server = Server::builder().module_args(arguments).start();
        assert_eq!(
            server_has(&mut server.client(), "cl.throttle"),
            there,
            "{arguments:?}"
        );
    }
    let server = Server::builder().config(ON).start();
    assert!(
        server_has(&mut server.client(), "cl.throttle"),
        "a line of redis.conf"
    );

    let server = Server::builder().without_module().start();
    let mut redis = server.client();
    let path = module_path().display();
    redis.run(&format!("MODULE LOADEX {path} CONFIG {ON}")).ok();
    assert!(
        server_has(&mut redis, "cl.throttle"),
        "MODULE LOADEX … CONFIG"
    );
    redis.run("MODULE UNLOAD appkit").ok();
    redis.run(&format!("MODULE LOAD {path}")).ok();
    assert!(
        !server_has(&mut redis, "cl.throttle"),
        "off again by default"
    );
}

#[test]
fn the_setting_is_yes_or_no_and_fixed_once_loaded() {
    let server = server();
    let mut redis = server.client();
    let setting = redis.run("CONFIG GET appkit.cl-throttle");
    assert_eq!(setting.pairs()[0].1.text(), "yes");
    let refused = redis.run("CONFIG SET appkit.cl-throttle no");
    assert!(refused.error().contains("immutable"), "{refused:?}");
    let Err(log) = Server::builder()
        .module_args("appkit.cl-throttle maybe")
        .try_start()
    else {
        panic!("the server started with a wrong value");
    };
    assert!(
        log.contains("<appkit> appkit.cl-throttle must be yes or no"),
        "{log}"
    );
}

/// Builds the other module that has a `CL.THROTTLE`.
fn occupant(dir: &tempfile::TempDir) -> PathBuf {
    let library = dir.path().join("occupant.so");
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let status = Command::new(compiler)
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/ratelimit/occupant.c"
        ))
        .status()
        .expect("the C compiler that linked this test");
    assert!(status.success());
    library
}

#[test]
fn a_name_that_is_taken_stays_with_its_owner_and_the_rest_loads() {
    let dir = tempfile::tempdir().unwrap();
    let occupant = occupant(&dir);
    let server = Server::builder().without_module().start();
    let mut redis = server.client();
    redis
        .run(&format!("MODULE LOAD {}", occupant.display()))
        .ok();
    redis
        .run(&format!("MODULE LOAD {} {ON}", module_path().display()))
        .ok();
    assert_eq!(redis.run("CL.THROTTLE k 2 1 3600").text(), "OCCUPANT");
    assert!(decide(&mut redis, "APP.RATELIMIT k 2 EX 3600").allowed);
    let log = server.log();
    assert!(
        log.contains("cl.throttle stays with the module that has it already"),
        "{log}"
    );
}

#[test]
fn whoever_comes_later_and_wants_the_name_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let occupant = occupant(&dir);
    let server = server();
    let mut redis = server.client();
    redis
        .run(&format!("MODULE LOAD {}", occupant.display()))
        .error();
    assert!(!modules(&mut redis).contains("occupant"));
    assert_eq!(throttle(&mut redis, "k 2 1 3600")[1], 3);
}
