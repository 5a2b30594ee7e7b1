//! What is charged and refused, and how several rules act together.

use crate::caller::{ALGORITHMS, Decision, decide};
use crate::support::{Client, Reply, Server};

#[test]
fn counts_down_then_refuses_and_the_refused_call_costs_nothing() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        let rest = format!("{algorithm} 3 EX 3600 ALGO {algorithm}");
        for remaining in [2, 1, 0] {
            let decision = decide(&mut redis, &format!("APP.RATELIMIT {rest}"));
            assert!(decision.allowed, "{algorithm}");
            assert_eq!(
                (decision.limit, decision.remaining),
                (3, remaining),
                "{algorithm}"
            );
            assert_eq!(
                (decision.retry_after_ms, decision.rule),
                (0, 0),
                "{algorithm}"
            );
            assert!(decision.reset_ms > 0 && decision.next_ms > 0, "{algorithm}");
        }
        let state = redis.run(&format!("GET {algorithm}"));
        for _ in 0..3 {
            let decision = decide(&mut redis, &format!("APP.RATELIMIT {rest}"));
            assert!(!decision.allowed && decision.remaining == 0, "{algorithm}");
            assert!(decision.retry_after_ms > 0, "{algorithm}");
        }
        assert_eq!(redis.run(&format!("GET {algorithm}")), state, "{algorithm}");
    }
}

#[test]
fn sliding_is_the_default() {
    let server = Server::start();
    let mut redis = server.client();
    decide(&mut redis, "APP.RATELIMIT k 10 EX 3600");
    for algorithm in ALGORITHMS {
        let peek = format!("APP.RATELIMIT.PEEK k 10 EX 3600 ALGO {algorithm}");
        let remaining = decide(&mut redis, &peek).remaining;
        // A rule of another algorithm starts empty.
        assert_eq!(
            remaining,
            if algorithm == "SLIDING" { 9 } else { 10 },
            "{algorithm}"
        );
    }
}

#[test]
fn peek_decides_and_charges_nothing() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        let rest = format!("{algorithm} 3 EX 3600 ALGO {algorithm}");
        let whole = Decision {
            allowed: true,
            limit: 3,
            remaining: 3,
            retry_after_ms: 0,
            reset_ms: 0,
            next_ms: 0,
            rule: 0,
        };
        for _ in 0..2 {
            assert_eq!(
                decide(&mut redis, &format!("APP.RATELIMIT.PEEK {rest}")),
                whole
            );
        }
        assert_eq!(redis.run(&format!("EXISTS {algorithm}")).int(), 0);
        decide(&mut redis, &format!("APP.RATELIMIT {rest} COST 2"));
        let for_one = decide(&mut redis, &format!("APP.RATELIMIT.PEEK {rest}"));
        assert!(for_one.allowed && for_one.remaining == 1, "{algorithm}");
        // `allowed` is about COST, `remaining` about now.
        let for_two = decide(&mut redis, &format!("APP.RATELIMIT.PEEK {rest} COST 2"));
        assert!(!for_two.allowed && for_two.remaining == 1, "{algorithm}");
        assert!(for_two.retry_after_ms > 0, "{algorithm}");
    }
}

/// What is left by each rule, from a reply with FULL.
#[track_caller]
fn left(full: &Reply) -> Vec<i64> {
    let rules = full.field("rules").expect("the rules");
    let left = |rule: &Reply| rule.field("remaining").expect("what is left").int();
    rules.items().iter().map(left).collect()
}

#[test]
fn rules_are_charged_all_or_none_and_the_binding_one_is_told() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        let rules = format!("{algorithm} 100 EX 7200 2 EX 3600 ALGO {algorithm}");
        for remaining in [1, 0] {
            let allowed = decide(&mut redis, &format!("APP.RATELIMIT {rules}"));
            assert!(allowed.allowed, "{algorithm}");
            // The smallest share left binds: 1/2 and 0/2 against 99/100 and 98/100.
            assert_eq!(
                (allowed.rule, allowed.limit, allowed.remaining),
                (1, 2, remaining)
            );
        }
        let refused = decide(&mut redis, &format!("APP.RATELIMIT {rules}"));
        assert_eq!((refused.allowed, refused.rule), (false, 1), "{algorithm}");
        let full = redis.run(&format!("APP.RATELIMIT.PEEK {rules} FULL"));
        assert_eq!(left(&full), [98, 0], "{algorithm}");
    }
}

#[test]
fn the_longest_wait_binds_and_never_is_the_longest() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        let rules = format!("{algorithm} 1 EX 60 1 EX 3600 3 EX 7200 ALGO {algorithm}");
        decide(&mut redis, &format!("APP.RATELIMIT {rules}"));
        assert_eq!(
            decide(&mut redis, &format!("APP.RATELIMIT {rules}")).rule,
            1,
            "{algorithm}"
        );
        let never = decide(&mut redis, &format!("APP.RATELIMIT.PEEK {rules} COST 2"));
        assert_eq!((never.rule, never.retry_after_ms), (0, -1), "{algorithm}");
        let tie = decide(
            &mut redis,
            &format!("APP.RATELIMIT.PEEK tie 5 EX 60 5 EX 30 ALGO {algorithm}"),
        );
        assert_eq!(
            (tie.allowed, tie.rule),
            (true, 0),
            "{algorithm}: the first on a tie"
        );
    }
}

#[test]
fn eight_rules_work_and_keep_their_order() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        let rules: String = (1..=8)
            .map(|i| format!(" {} EX {}", 10 * i, 3600 * (9 - i)))
            .collect();
        let reply = redis.run(&format!(
            "APP.RATELIMIT {algorithm}{rules} ALGO {algorithm} FULL"
        ));
        assert_eq!(left(&reply), [9, 19, 29, 39, 49, 59, 69, 79], "{algorithm}");
        assert_eq!(reply.field("rule").unwrap().int(), 0, "{algorithm}");
    }
}

#[test]
fn what_was_charged_counts_under_changed_limits() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        let call =
            |limit: u32| format!("APP.RATELIMIT {algorithm} {limit} EX 3600 ALGO {algorithm}");
        redis.run(&format!("{} COST 5", call(10))).ints();
        let lower = decide(&mut redis, &call(3));
        assert!(
            !lower.allowed && lower.retry_after_ms > 0,
            "{algorithm}: {lower:?}"
        );
        let higher = decide(&mut redis, &call(20));
        assert_eq!(
            (higher.allowed, higher.limit, higher.remaining),
            (true, 20, 14),
            "{algorithm}"
        );
    }
}

#[test]
fn rules_are_matched_by_window_and_not_by_place() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        let call = |rules: &str| format!("APP.RATELIMIT {algorithm} {rules} ALGO {algorithm} FULL");
        redis.run(&call("10 EX 3600 20 EX 7200"));
        let swapped = redis.run(&call("20 EX 7200 10 PX 3600000"));
        assert_eq!(left(&swapped), [18, 8], "{algorithm}");
    }
}

#[test]
fn a_charge_keeps_only_the_rules_it_names() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        let remaining = |redis: &mut Client, window: u32| {
            let line = format!("APP.RATELIMIT.PEEK {algorithm} 10 EX {window} ALGO {algorithm}");
            decide(redis, &line).remaining
        };
        redis.run(&format!(
            "APP.RATELIMIT {algorithm} 10 EX 3600 10 EX 7200 ALGO {algorithm}"
        ));
        assert_eq!(
            (remaining(&mut redis, 3600), remaining(&mut redis, 7200)),
            (9, 9)
        );
        redis.run(&format!(
            "APP.RATELIMIT {algorithm} 10 EX 3600 ALGO {algorithm}"
        ));
        assert_eq!(
            (remaining(&mut redis, 3600), remaining(&mut redis, 7200)),
            (8, 10)
        );
    }
}

#[test]
fn del_resets() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        let call = format!("APP.RATELIMIT {algorithm} 1 EX 3600 ALGO {algorithm}");
        assert!(decide(&mut redis, &call).allowed);
        assert!(!decide(&mut redis, &call).allowed);
        assert_eq!(redis.run(&format!("DEL {algorithm}")).int(), 1);
        assert!(decide(&mut redis, &call).allowed, "{algorithm}");
    }
}

#[test]
fn keywords_take_any_case_and_options_any_order() {
    let server = Server::start();
    let mut redis = server.client();
    let line = "app.RateLimit k 10 px 3600000 burst 6 full cOsT 2 algo gcra";
    let reply = redis.run(line);
    let rule = reply.field("rules").unwrap().items()[0].clone();
    assert_eq!(rule.field("limit").unwrap().int(), 6);
    assert_eq!(rule.field("remaining").unwrap().int(), 4);
}
