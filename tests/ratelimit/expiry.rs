//! Every key made here expires, when there is nothing left to remember.

use crate::caller::{ALGORITHMS, Decision, decide};
use crate::support::{Client, Server, eventually, timed, words};

fn expires_at(redis: &mut Client, key: &str) -> i64 {
    redis.run(&format!("PEXPIRETIME {key}")).int()
}

#[test]
fn the_key_expires_when_its_slowest_rule_is_whole() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        let rules = "10 PX 500000 10 PX 900000 10 PX 100000";
        let call = timed(
            &mut redis,
            &format!("APP.RATELIMIT {algorithm} {rules} ALGO {algorithm} FULL"),
        );
        let rules = call.reply.field("rules").unwrap();
        let resets = rules
            .items()
            .iter()
            .map(|rule| rule.field("reset_ms").unwrap().int());
        let slowest = resets.max().unwrap();
        let at = expires_at(&mut redis, algorithm);
        let told = call.not_before + slowest..=call.not_after + slowest;
        assert!(
            told.contains(&at),
            "{algorithm}: PEXPIRETIME {at}, told {told:?}"
        );
    }
}

#[test]
fn each_charge_and_each_refund_sets_the_expiry_anew() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ["SLIDING", "EXACT", "GCRA"] {
        let rest = format!("{algorithm} 10 PX 32000 ALGO {algorithm}");
        redis.run(&format!("APP.RATELIMIT {rest} COST 2")).ints();
        for command in ["APP.RATELIMIT", "APP.RATELIMIT.REFUND"] {
            redis.run(&format!("PERSIST {algorithm}")).int();
            let call = timed(&mut redis, &format!("{command} {rest}"));
            let reset_ms = Decision::of(&call.reply).reset_ms;
            let at = expires_at(&mut redis, algorithm);
            let told = call.not_before + reset_ms..=call.not_after + reset_ms;
            assert!(
                told.contains(&at),
                "{algorithm} {command}: {at}, told {told:?}"
            );
        }
    }
}

#[test]
fn the_shortest_window_leaves_nothing_behind() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        let call = format!("APP.RATELIMIT {algorithm} 1 PX 1 ALGO {algorithm}");
        for _ in 0..20 {
            decide(&mut redis, &call);
        }
        eventually("the key is gone", || {
            redis.run(&format!("EXISTS {algorithm}")).int() == 0
        });
        eventually("one unit is free again", || {
            decide(&mut redis, &call).allowed
        });
    }
    eventually("all keys are gone", || redis.run("DBSIZE").int() == 0);
}

#[test]
fn a_lost_or_longer_ttl_is_never_read_back_as_data() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        let rest = format!("{algorithm} 2 PX 40 ALGO {algorithm}");
        // In one transaction, so that the key cannot run out before the TTL is taken away.
        redis.pipeline(&[
            words("MULTI"),
            words(&format!("APP.RATELIMIT {rest} COST 2")),
            words(&format!("PERSIST {algorithm}")),
            words("EXEC"),
        ]);
        eventually("the units are forgotten without the TTL's help", || {
            decide(&mut redis, &format!("APP.RATELIMIT.PEEK {rest}")).remaining == 2
        });
        assert_eq!(redis.run(&format!("EXISTS {algorithm}")).int(), 1);
        // And the next charge gives the key its TTL again.
        assert!(decide(&mut redis, &format!("APP.RATELIMIT {rest}")).allowed);
        assert_ne!(
            redis.run(&format!("PTTL {algorithm}")).int(),
            -1,
            "{algorithm}"
        );
    }
}
