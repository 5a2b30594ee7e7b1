//! The frames of a reply, in RESP2 and RESP3.

use crate::caller::ALGORITHMS;
use crate::support::{Protocol, Reply, Server};

const RULE_FIELDS: [&str; 6] = [
    "limit",
    "window_ms",
    "remaining",
    "retry_after_ms",
    "reset_ms",
    "next_ms",
];

fn names(map: &Reply) -> Vec<String> {
    map.pairs().into_iter().map(|(name, _)| name).collect()
}

#[test]
fn seven_integers_in_both_protocols() {
    let server = Server::start();
    for protocol in [Protocol::RESP2, Protocol::RESP3] {
        let mut redis = server.client_in(protocol);
        for algorithm in ALGORITHMS {
            let key = format!("k:{protocol:?}:{algorithm}");
            for command in [
                "APP.RATELIMIT",
                "APP.RATELIMIT.PEEK",
                "APP.RATELIMIT.REFUND",
            ] {
                let reply = redis.run(&format!("{command} {key} 5 EX 60 ALGO {algorithm}"));
                assert_eq!(reply.ints().len(), 7, "{command} {algorithm}");
            }
        }
    }
}

#[test]
fn full_is_a_flat_array_in_resp2_and_a_map_in_resp3_with_the_same_order() {
    let server = Server::start();
    for protocol in [Protocol::RESP2, Protocol::RESP3] {
        let mut redis = server.client_in(protocol);
        for command in [
            "APP.RATELIMIT",
            "APP.RATELIMIT.PEEK",
            "APP.RATELIMIT.REFUND",
        ] {
            let reply = redis.run(&format!("{command} k 5 PX 60000 20 EX 3600 FULL"));
            let rules = reply.field("rules").unwrap();
            for map in rules.items().iter().chain([&reply]) {
                let is_map = matches!(map, Reply::Map(_));
                assert_eq!(is_map, protocol == Protocol::RESP3, "{command}: {map:?}");
            }
            assert_eq!(
                names(&reply),
                ["allowed", "retry_after_ms", "rule", "rules"]
            );
            assert!(matches!(rules, Reply::Array(_)));
            assert!(rules.items().iter().all(|rule| names(rule) == RULE_FIELDS));
            let windows: Vec<i64> = rules
                .items()
                .iter()
                .map(|rule| rule.field("window_ms").unwrap().int())
                .collect();
            assert_eq!(windows, [60_000, 3_600_000]);
        }
    }
}

#[test]
fn full_says_of_the_binding_rule_what_the_seven_integers_say() {
    let server = Server::start();
    let mut redis = server.client();
    // A fixed window, checked with no clock in between: both replies come from one transaction.
    redis
        .run("APP.RATELIMIT k 3 EX 3600 100 EX 7200 ALGO FIXED COST 2")
        .ints();
    redis.run("MULTI").ok();
    redis.run("APP.RATELIMIT.PEEK k 3 EX 3600 100 EX 7200 ALGO FIXED");
    redis.run("APP.RATELIMIT.PEEK k 3 EX 3600 100 EX 7200 ALGO FIXED FULL");
    let replies = redis.run("EXEC");
    let (short, full) = (replies.items()[0].ints(), &replies.items()[1]);
    assert_eq!((short[0], short[1], short[2], short[6]), (1, 3, 1, 0));
    assert_eq!(full.field("allowed").unwrap().int(), short[0]);
    assert_eq!(full.field("retry_after_ms").unwrap().int(), short[3]);
    assert_eq!(full.field("rule").unwrap().int(), short[6]);
    let rules = full.field("rules").unwrap();
    let binding = &rules.items()[0];
    assert_eq!(binding.field("limit").unwrap().int(), short[1]);
    assert_eq!(binding.field("remaining").unwrap().int(), short[2]);
    assert_eq!(rules.items()[1].field("remaining").unwrap().int(), 98);
}

#[test]
fn ordinary_clients_decode_it_in_one_line() {
    let server = Server::start();
    for protocol in [Protocol::RESP2, Protocol::RESP3] {
        let mut redis = server.redis(protocol);
        let key = format!("k:{protocol:?}");
        let (allowed, limit, remaining, retry_after_ms, _, _, rule): (
            bool,
            u32,
            u32,
            i64,
            i64,
            i64,
            usize,
        ) = redis::cmd("APP.RATELIMIT")
            .arg(&key)
            .arg(10)
            .arg("EX")
            .arg(60)
            .query(&mut redis)
            .unwrap();
        assert_eq!(
            (allowed, limit, remaining, retry_after_ms, rule),
            (true, 10, 9, 0, 0)
        );
    }
}
