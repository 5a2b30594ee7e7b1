//! What is given back.

use crate::caller::{ALGORITHMS, Decision, decide};
use crate::support::{Server, words};

#[test]
fn refund_gives_back_and_leaves_other_rules_as_they_are() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        let rules = "10 EX 3600 20 EX 7200";
        redis.run(&format!(
            "APP.RATELIMIT {algorithm} {rules} ALGO {algorithm} COST 5"
        ));
        let refund = format!("APP.RATELIMIT.REFUND {algorithm} 10 EX 3600 ALGO {algorithm} COST 2");
        let refunded = decide(&mut redis, &refund);
        assert_eq!(
            (refunded.allowed, refunded.remaining),
            (true, 7),
            "{algorithm}"
        );
        let other = format!("APP.RATELIMIT.PEEK {algorithm} 20 EX 7200 ALGO {algorithm}");
        assert_eq!(decide(&mut redis, &other).remaining, 15, "{algorithm}");
    }
}

#[test]
fn refund_replies_what_peek_for_one_unit_would() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ["FIXED", "EXACT"] {
        let rest = format!("{algorithm} 10 EX 3600 ALGO {algorithm}");
        redis.run(&format!("APP.RATELIMIT {rest} COST 10"));
        let replies = redis.pipeline(&[
            words(&format!("APP.RATELIMIT.REFUND {rest} COST 3")),
            words(&format!("APP.RATELIMIT.PEEK {rest}")),
        ]);
        let (refund, peek) = (Decision::of(&replies[0]), Decision::of(&replies[1]));
        // Only the spans may have shrunk by what passed between the two.
        assert!(refund.reset_ms >= peek.reset_ms && refund.next_ms >= peek.next_ms);
        let without_spans = |decision: Decision| Decision {
            reset_ms: 0,
            next_ms: 0,
            ..decision
        };
        assert_eq!(without_spans(refund), without_spans(peek), "{algorithm}");
        assert_eq!((refund.allowed, refund.remaining), (true, 3), "{algorithm}");
    }
}

#[test]
fn refund_never_gives_more_than_was_charged() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        let rest = format!("{algorithm} 10 EX 3600 ALGO {algorithm}");
        let whole = decide(
            &mut redis,
            &format!("APP.RATELIMIT.REFUND {rest} COST 4294967295"),
        );
        assert_eq!(
            (whole.allowed, whole.remaining),
            (true, 10),
            "{algorithm}: nothing to give"
        );
        assert_eq!(redis.run(&format!("EXISTS {algorithm}")).int(), 0);
        redis.run(&format!("APP.RATELIMIT {rest} COST 4"));
        let refunded = decide(
            &mut redis,
            &format!("APP.RATELIMIT.REFUND {rest} COST 4294967295"),
        );
        assert_eq!(
            (refunded.remaining, refunded.reset_ms, refunded.next_ms),
            (10, 0, 0)
        );
        assert_eq!(
            redis.run(&format!("EXISTS {algorithm}")).int(),
            0,
            "{algorithm}: whole again"
        );
    }
}
