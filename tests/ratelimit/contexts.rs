//! Where a call may come from and what its key may be: transactions, scripts, functions, other
//! databases, any bytes, a copied or renamed key, a cluster.

use crate::caller::{ALGORITHMS, Decision, decide};
use crate::support::{
    Client, Protocol, Server, cluster_of_one, eventually, give_up_slot_of, in_read_only_code, info,
    words,
};

#[test]
fn transactions_charge_each_call_in_order() {
    let server = Server::start();
    for protocol in [Protocol::RESP2, Protocol::RESP3] {
        let mut redis = server.client_in(protocol);
        redis.run("DEL k").int();
        redis.run("MULTI").ok();
        for line in ["APP.RATELIMIT k 2 EX 60", "APP.RATELIMIT.PEEK k 2 EX 60"] {
            assert_eq!(redis.run(line).text(), "QUEUED");
        }
        redis.run("APP.RATELIMIT k 2 EX 60 COST 2");
        redis.run("APP.RATELIMIT.REFUND k 2 EX 60");
        let replies = redis.run("EXEC");
        let decisions: Vec<Decision> = replies.items().iter().map(Decision::of).collect();
        let outcome: Vec<(bool, i64)> =
            decisions.iter().map(|d| (d.allowed, d.remaining)).collect();
        assert_eq!(
            outcome,
            [(true, 1), (true, 1), (false, 1), (true, 2)],
            "{protocol:?}"
        );
    }
}

#[test]
fn wrong_use_in_a_transaction_is_an_error_of_that_call_alone() {
    let server = Server::start();
    let mut redis = server.client();
    redis.run("MULTI").ok();
    redis.run("APP.RATELIMIT k nonsense EX 60");
    redis.run("APP.RATELIMIT k 2 EX 60");
    let replies = redis.run("EXEC");
    assert!(replies.items()[0].is_error());
    assert!(Decision::of(&replies.items()[1]).allowed);
}

#[test]
fn scripts_get_the_seven_integers_and_charge() {
    let server = Server::start();
    let mut redis = server.client();
    let script = "return redis.call('APP.RATELIMIT', KEYS[1], ARGV[1], 'EX', 60, 'ALGO', ARGV[2])";
    for algorithm in ALGORITHMS {
        let mut eval = redis::cmd("EVAL");
        eval.arg(script).arg(1).arg(algorithm).arg(1).arg(algorithm);
        assert!(Decision::of(&redis.call(&eval)).allowed, "{algorithm}");
        assert!(!Decision::of(&redis.call(&eval)).allowed, "{algorithm}");
        let direct = format!("APP.RATELIMIT {algorithm} 1 EX 60 ALGO {algorithm}");
        assert!(!decide(&mut redis, &direct).allowed, "{algorithm}");
    }
}

#[test]
fn scripts_see_errors_as_errors() {
    let server = Server::start();
    let mut redis = server.client();
    let mut eval = redis::cmd("EVAL");
    eval.arg("return redis.pcall('APP.RATELIMIT', KEYS[1], 1, 'EX', 0)['err']")
        .arg(1)
        .arg("k");
    let text = redis.call(&eval).text();
    assert!(text.starts_with("ERR EX must be an integer"), "{text}");
}

#[test]
fn read_only_scripts_and_functions_may_peek_and_not_charge() {
    let server = Server::start();
    let mut redis = server.client();
    for (command, allowed) in [
        ("APP.RATELIMIT.PEEK", true),
        ("APP.RATELIMIT", false),
        ("APP.RATELIMIT.REFUND", false),
    ] {
        for (code, reply) in in_read_only_code(&mut redis, &format!("{command} k 5 EX 60")) {
            assert_eq!(reply.is_error(), !allowed, "{code} {command}: {reply:?}");
        }
    }
    assert_eq!(redis.run("EXISTS k").int(), 0);
}

#[test]
fn keys_are_any_bytes() {
    let server = Server::start();
    let mut redis = server.client();
    let long = vec![b'k'; 8 << 20];
    let keys: [&[u8]; 7] = [b"", b"\0", b"a\0b", b"\r\n", b"\xff\xfe", b" EX ", &long];
    for key in keys {
        let name = key[..key.len().min(20)].escape_ascii();
        for (command, remaining) in [
            ("APP.RATELIMIT", 1),
            ("APP.RATELIMIT", 0),
            ("APP.RATELIMIT.PEEK", 0),
        ] {
            let mut call = redis::cmd(command);
            call.arg(key).arg(2).arg("EX").arg(60);
            assert_eq!(
                Decision::of(&redis.call(&call)).remaining,
                remaining,
                "{name}"
            );
        }
        assert_eq!(redis.call(redis::cmd("EXISTS").arg(key)).int(), 1, "{name}");
        let mut refund = redis::cmd("APP.RATELIMIT.REFUND");
        refund.arg(key).arg(2).arg("EX").arg(60).arg("COST").arg(2);
        assert_eq!(Decision::of(&redis.call(&refund)).remaining, 2, "{name}");
        assert_eq!(redis.call(redis::cmd("EXISTS").arg(key)).int(), 0, "{name}");
    }
    assert_eq!(redis.run("DBSIZE").int(), 0);
}

#[test]
fn databases_are_apart() {
    let server = Server::start();
    let mut redis = server.client();
    decide(&mut redis, "APP.RATELIMIT k 2 EX 60 COST 2");
    redis.run("SELECT 9").ok();
    assert!(decide(&mut redis, "APP.RATELIMIT k 2 EX 60").allowed);
    assert_eq!(redis.run("DBSIZE").int(), 1);
}

#[test]
fn a_copied_moved_or_restored_limiter_goes_on_counting() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        redis.run("FLUSHALL").ok();
        let rules = format!("5 EX 3600 ALGO {algorithm}");
        let remaining = |redis: &mut Client, key: &str| {
            decide(redis, &format!("APP.RATELIMIT {key} {rules}")).remaining
        };
        assert_eq!(remaining(&mut redis, "a"), 4);
        assert_eq!(redis.run("COPY a b").int(), 1);
        assert_eq!(remaining(&mut redis, "b"), 3, "{algorithm}: COPY");
        assert_eq!(
            remaining(&mut redis, "a"),
            3,
            "{algorithm}: the copy is on its own"
        );
        redis.run("RENAME a c").ok();
        assert_eq!(remaining(&mut redis, "c"), 2, "{algorithm}: RENAME");
        let dump = redis.run("DUMP c");
        let ttl = redis.run("PTTL c").int();
        let mut restore = redis::cmd("RESTORE");
        restore.arg("d").arg(ttl).arg(dump.bytes());
        redis.call(&restore).ok();
        assert_eq!(remaining(&mut redis, "d"), 1, "{algorithm}: RESTORE");
        assert_eq!(redis.run("MOVE d 1").int(), 1);
        redis.run("SELECT 1").ok();
        assert_eq!(remaining(&mut redis, "d"), 0, "{algorithm}: MOVE");
        redis.run("SELECT 0").ok();
    }
}

#[test]
fn a_cluster_serves_its_slots_and_no_others() {
    let server = cluster_of_one();
    let mut redis = server.client();
    assert!(decide(&mut redis, "APP.RATELIMIT {user1}:login 5 EX 60").allowed);
    give_up_slot_of(&mut redis, "{user2}");
    for command in crate::caller::COMMANDS {
        let reply = redis.run(&format!("{command} {{user2}}:login 5 EX 60"));
        assert!(reply.error().starts_with("CLUSTERDOWN "), "{reply:?}");
        decide(&mut redis, &format!("{command} {{user1}}:login 5 EX 60"));
    }
}

#[test]
fn calls_queue_in_a_pipeline_without_a_round_trip_between() {
    let server = Server::start();
    let mut redis = server.client();
    let calls = vec![words("APP.RATELIMIT k 600 EX 3600"); 1000];
    let replies = redis.pipeline(&calls);
    let allowed = replies
        .iter()
        .filter(|reply| Decision::of(reply).allowed)
        .count();
    assert_eq!(allowed, 600);
    assert!(
        replies[..600]
            .iter()
            .all(|reply| Decision::of(reply).allowed)
    );
}

#[test]
fn paused_writes_hold_charges_back_and_let_peek_through() {
    let server = Server::start();
    let mut admin = server.client();
    let mut redis = server.client();
    admin.run("CLIENT PAUSE 60000 WRITE").ok();
    assert_eq!(
        decide(&mut admin, "APP.RATELIMIT.PEEK k 5 EX 60").remaining,
        5
    );
    redis.send(&words("APP.RATELIMIT k 5 EX 60"));
    eventually("the charge is held back", || {
        info(&mut admin, "clients")["blocked_clients"] == "1"
    });
    assert_eq!(admin.run("EXISTS k").int(), 0);
    admin.run("CLIENT UNPAUSE").ok();
    assert_eq!(Decision::of(&redis.reply()).remaining, 4);
}
