//! What reaches replicas: core commands with absolute values, and nothing where nothing changed.

use crate::caller::{ALGORITHMS, COMMANDS, decide};
use crate::support::{
    Client, ReplicationStream, Server, assert_replicas_follow, assert_same_data, del_of, set_of,
    transaction,
};

#[test]
fn a_change_is_one_core_command_and_a_refusal_none() {
    let server = Server::start();
    let mut redis = server.client();
    let mut stream = ReplicationStream::attach(&server);
    for algorithm in ALGORITHMS {
        let rules = format!("k 2 EX 3600 ALGO {algorithm}");
        for _ in 0..2 {
            decide(&mut redis, &format!("APP.RATELIMIT {rules}"));
            assert_eq!(
                stream.take(&mut redis),
                [set_of(&mut redis, b"k")],
                "{algorithm}"
            );
        }
        decide(&mut redis, &format!("APP.RATELIMIT {rules}"));
        decide(&mut redis, &format!("APP.RATELIMIT {rules} COST 3"));
        decide(
            &mut redis,
            &format!("APP.RATELIMIT k 0 EX 3600 ALGO {algorithm}"),
        );
        decide(&mut redis, &format!("APP.RATELIMIT.PEEK {rules}"));
        redis.run("APP.RATELIMIT k nonsense EX 60").error();
        assert!(stream.take(&mut redis).is_empty(), "{algorithm}");
        decide(&mut redis, &format!("APP.RATELIMIT.REFUND {rules}"));
        assert_eq!(
            stream.take(&mut redis),
            [set_of(&mut redis, b"k")],
            "{algorithm}"
        );
        decide(&mut redis, &format!("APP.RATELIMIT.REFUND {rules}"));
        assert_eq!(stream.take(&mut redis), [del_of(b"k")], "{algorithm}");
        decide(&mut redis, &format!("APP.RATELIMIT.REFUND {rules}"));
        assert!(stream.take(&mut redis).is_empty(), "{algorithm}");
    }
}

#[test]
fn keys_of_any_bytes_and_other_databases_are_replicated_as_they_are() {
    let server = Server::start();
    let mut redis = server.client();
    let mut stream = ReplicationStream::attach(&server);
    redis.run("SELECT 7").ok();
    for key in [&b"a\0b"[..], b"\r\n", b"\xff%s%n", b""] {
        redis
            .call(
                redis::cmd("APP.RATELIMIT")
                    .arg(key)
                    .arg(5)
                    .arg("EX")
                    .arg(60),
            )
            .ints();
        assert_eq!(stream.take(&mut redis), [set_of(&mut redis, key)]);
        assert_eq!(stream.db, 7);
        redis
            .call(
                redis::cmd("APP.RATELIMIT.REFUND")
                    .arg(key)
                    .arg(5)
                    .arg("EX")
                    .arg(60),
            )
            .ints();
        assert_eq!(stream.take(&mut redis), [del_of(key)]);
    }
}

#[test]
fn a_transaction_is_replicated_as_one() {
    let server = Server::start();
    let mut redis = server.client();
    let mut stream = ReplicationStream::attach(&server);
    redis.run("MULTI").ok();
    redis.run("APP.RATELIMIT a 1 EX 3600");
    redis.run("APP.RATELIMIT a 1 EX 3600");
    redis.run("APP.RATELIMIT b 1 EX 3600");
    redis.run("EXEC").items();
    let expected = vec![set_of(&mut redis, b"a"), set_of(&mut redis, b"b")];
    assert_eq!(stream.take(&mut redis), transaction(expected));
    redis.run("MULTI").ok();
    redis.run("APP.RATELIMIT a 1 EX 3600");
    redis.run("APP.RATELIMIT.PEEK a 1 EX 3600");
    redis.run("EXEC").items();
    assert!(stream.take(&mut redis).is_empty());
}

#[test]
fn a_script_replicates_its_effect() {
    let server = Server::start();
    let mut redis = server.client();
    let mut stream = ReplicationStream::attach(&server);
    let script = "redis.call('APP.RATELIMIT', KEYS[1], 1, 'EX', 3600) \
                  return redis.call('APP.RATELIMIT', KEYS[1], 1, 'EX', 3600)";
    redis
        .call(redis::cmd("EVAL").arg(script).arg(1).arg("k"))
        .ints();
    assert_eq!(stream.take(&mut redis), [set_of(&mut redis, b"k")]);
}

/// Some limiters of each algorithm, charged, refunded and emptied.
fn populate(redis: &mut Client) {
    for algorithm in ALGORITHMS {
        for user in 0..10 {
            let rest = format!("{algorithm}:{user} 10 EX 3600 50 EX 7200 ALGO {algorithm}");
            for _ in 0..user {
                decide(redis, &format!("APP.RATELIMIT {rest} COST 2"));
            }
            decide(redis, &format!("APP.RATELIMIT.REFUND {rest}"));
        }
    }
}

#[test]
fn a_replica_equals_its_primary_with_and_without_the_module() {
    let primary = Server::start();
    assert_replicas_follow(&primary, 36, populate);
    let late = Server::builder()
        .without_module()
        .replica_of(&primary)
        .start();
    assert_same_data(&late, &primary, "by full sync");
}

#[test]
fn a_replica_peeks_and_charges_only_once_promoted() {
    let primary = Server::start();
    let replica = Server::builder().replica_of(&primary).start();
    for algorithm in ALGORITHMS {
        let rest = format!("{algorithm} 5 EX 3600 ALGO {algorithm}");
        decide(
            &mut primary.client(),
            &format!("APP.RATELIMIT {rest} COST 3"),
        );
        replica.catch_up_with(&primary);
        let mut redis = replica.client();
        let peek = decide(&mut redis, &format!("APP.RATELIMIT.PEEK {rest}"));
        assert_eq!(peek.remaining, 2, "{algorithm}");
        for command in ["APP.RATELIMIT", "APP.RATELIMIT.REFUND"] {
            let reply = redis.run(&format!("{command} {rest}"));
            assert!(
                reply.error().starts_with("READONLY "),
                "{algorithm}: {reply:?}"
            );
        }
    }
    let mut promoted = replica.client();
    promoted.run("REPLICAOF NO ONE").ok();
    for algorithm in ALGORITHMS {
        let call = format!("APP.RATELIMIT {algorithm} 5 EX 3600 ALGO {algorithm}");
        assert_eq!(
            decide(&mut promoted, &call).remaining,
            1,
            "{algorithm}: goes on counting"
        );
    }
}

#[test]
fn too_few_replicas_stop_writers_and_not_peek() {
    let server = Server::builder().config("min-replicas-to-write 1").start();
    let mut redis = server.client();
    for command in COMMANDS {
        let reply = redis.run(&format!("{command} k 5 EX 60"));
        if command == "APP.RATELIMIT.PEEK" {
            assert_eq!(reply.ints()[0], 1);
        } else {
            assert!(
                reply.error().starts_with("NOREPLICAS "),
                "{command}: {reply:?}"
            );
        }
    }
    assert_eq!(redis.run("EXISTS k").int(), 0);
}
