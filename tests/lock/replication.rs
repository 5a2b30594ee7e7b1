//! What replicas and the AOF get: core commands with absolute values, in the order of their causes.

use crate::caller::{eventually_free, fence, known_waiter, lock, waiter};
use crate::support::{Client, ReplicationStream, Server, Stop, dataset, words};

/// What was propagated, without the brackets of transactions, each command in one line. UNLINK is
/// how some servers propagate an expiry.
fn taken(stream: &mut ReplicationStream, client: &mut Client) -> Vec<String> {
    let commands = stream.take(client).into_iter();
    let lines = commands.map(|command| {
        let words: Vec<String> = command
            .iter()
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        words.join(" ")
    });
    lines
        .filter(|line| !matches!(line.as_str(), "MULTI" | "EXEC"))
        .map(|line| line.replace("UNLINK ", "DEL "))
        .collect()
}

/// `SET k <a hold of token> PXAT <its end>`, as the server has it now.
fn set(client: &mut Client, fence: i64, token: &str) -> String {
    let end = client.run("PEXPIRETIME k").int();
    format!("SET k appkit:lock:1 {fence} {token} PXAT {end}")
}

#[test]
fn each_command_is_one_core_command() {
    let server = Server::start();
    let mut stream = ReplicationStream::attach(&server);
    let mut redis = server.client();
    let fence = lock(&mut redis, "APP.LOCK k a EX 100").fence;
    let expected = set(&mut redis, fence, "a");
    assert_eq!(taken(&mut stream, &mut redis), [expected]);
    for line in ["APP.LOCK k a EX 200", "APP.LOCK.EXTEND k a EX 300"] {
        redis.run(line);
        let end = redis.run("PEXPIRETIME k").int();
        assert_eq!(
            taken(&mut stream, &mut redis),
            [format!("PEXPIREAT k {end}")]
        );
    }
    for line in [
        "APP.LOCK k b EX 1",
        "APP.LOCK k b EX 1 WAIT 5",
        "APP.LOCK.EXTEND k b EX 1",
        "APP.UNLOCK k b",
        "APP.LOCK.INFO k",
    ] {
        redis.run(line);
        assert!(taken(&mut stream, &mut redis).is_empty(), "{line}");
    }
    redis.run("APP.UNLOCK k a").int();
    assert_eq!(taken(&mut stream, &mut redis), ["DEL k"]);
    for line in ["APP.UNLOCK k a", "APP.LOCK.EXTEND k a EX 1"] {
        assert!(redis.run(line).is_nil());
        assert!(taken(&mut stream, &mut redis).is_empty(), "{line}");
    }
}

#[test]
fn a_hand_over_stands_behind_its_cause() {
    let server = Server::start();
    let mut stream = ReplicationStream::attach(&server);
    let mut redis = server.client();
    let causes: [(&[&str], &[&str]); 9] = [
        (&["APP.UNLOCK k holder"], &[]),
        (&["DEL k"], &["DEL k"]),
        (&["UNLINK k"], &["DEL k"]),
        (&["RENAME k l"], &["RENAME k l"]),
        (&["FLUSHALL"], &["flushall"]),
        (&["SWAPDB 0 5"], &["SWAPDB 0 5"]),
        (&["PEXPIRE k 30"], &["PEXPIREAT", "DEL k"]),
        (
            &["MULTI", "DEL k", "SET other x", "EXEC"],
            &["DEL k", "SET other x"],
        ),
        (
            &["EVAL redis.call('DEL',KEYS[1])redis.call('INCR','n') 1 k"],
            &["DEL k", "INCR n"],
        ),
    ];
    for (cause, expected) in causes {
        lock(&mut redis, "APP.LOCK k holder EX 1000");
        let mut next = waiter(&server, "APP.LOCK k next EX 1000 WAIT 10000");
        taken(&mut stream, &mut redis);
        redis.pipeline(&cause.iter().map(|line| words(line)).collect::<Vec<_>>());
        let fence = fence(&mut next);
        let last = set(&mut redis, fence, "next");
        let got = taken(&mut stream, &mut redis);
        assert_eq!(got.len(), expected.len() + 1, "{cause:?}: {got:?}");
        for (got, expected) in got.iter().zip(expected) {
            let same = got.to_lowercase().starts_with(&expected.to_lowercase());
            assert!(same, "{cause:?}: {got:?}");
        }
        assert_eq!(got.last(), Some(&last), "{cause:?}");
        redis.run("FLUSHALL").ok();
    }
}

#[test]
fn an_expiry_is_replicated_before_the_hand_over() {
    let server = Server::start();
    let mut stream = ReplicationStream::attach(&server);
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder PX 500");
    let mut next = waiter(&server, "APP.LOCK k next EX 1000 WAIT 10000");
    taken(&mut stream, &mut redis);
    let fence = fence(&mut next);
    let last = set(&mut redis, fence, "next");
    assert_eq!(taken(&mut stream, &mut redis), ["DEL k".to_owned(), last]);
}

#[test]
fn a_lock_that_is_passed_on_is_replicated_twice_or_deleted() {
    let server = Server::start();
    let mut stream = ReplicationStream::attach(&server);
    let mut redis = server.client();
    for somebody_else in [true, false] {
        lock(&mut redis, "APP.LOCK k holder EX 1000");
        let (_chosen, chosen_id) = known_waiter(&server, "APP.LOCK k chosen EX 1000 WAIT 10000");
        let mut next = somebody_else.then(|| waiter(&server, "APP.LOCK k next EX 1000 WAIT 10000"));
        taken(&mut stream, &mut redis);
        redis.pipeline(&[
            words("APP.UNLOCK k holder"),
            words(&format!("CLIENT KILL ID {chosen_id}")),
        ]);
        let last = match &mut next {
            Some(next) => {
                let fence = fence(next);
                set(&mut redis, fence, "next")
            }
            None => {
                eventually_free(&mut redis);
                "DEL k".to_owned()
            }
        };
        let got = taken(&mut stream, &mut redis);
        assert!(got[0].starts_with("SET k appkit:lock:1 ") && got[0].contains(" chosen PXAT "));
        assert_eq!(got[1..], [last]);
        redis.run("FLUSHALL").ok();
        taken(&mut stream, &mut redis);
    }
}

#[test]
fn a_replica_and_an_aof_without_the_module_end_with_the_same_data() {
    let mut server = Server::builder()
        .config("appendfsync always")
        .appendonly()
        .start();
    let replica = Server::builder()
        .without_module()
        .replica_of(&server)
        .start();
    let mut redis = server.client();
    for round in 0..20 {
        let key = format!("k{round}");
        lock(&mut redis, &format!("APP.LOCK {key} holder EX 1000"));
        let mut first = waiter(&server, &format!("APP.LOCK {key} first EX 1000 WAIT 10000"));
        let mut second = waiter(
            &server,
            &format!("APP.LOCK {key} second EX 1000 WAIT 10000"),
        );
        let (one, two) = match round % 4 {
            0 => ("APP.UNLOCK KEY holder", "APP.UNLOCK KEY first"),
            1 => ("DEL KEY", "PEXPIRE KEY 5"),
            2 => ("RENAME KEY other", "APP.LOCK.EXTEND KEY first PX 5"),
            _ => ("SET KEY plain PX 5", "UNLINK KEY"),
        };
        redis.run(&one.replace("KEY", &key));
        fence(&mut first);
        redis.run(&two.replace("KEY", &key));
        fence(&mut second);
    }
    replica.catch_up_with(&server);
    let here = dataset(&mut redis);
    assert!(here.expires_at.len() >= 20);
    assert_eq!(dataset(&mut replica.client()), here);
    server.restart_with(Stop::Kill, crate::support::Builder::without_module);
    assert_eq!(dataset(&mut server.client()), here);
}
