//! From the limit that refuses always to the largest that there is.

use crate::caller::{ALGORITHMS, decide};
use crate::support::{Server, eventually};

#[test]
fn limit_zero_is_a_kill_switch_and_makes_no_key() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        for command in ["APP.RATELIMIT", "APP.RATELIMIT.PEEK"] {
            let line = format!("{command} {algorithm} 0 EX 60 ALGO {algorithm}");
            let decision = decide(&mut redis, &line);
            assert!(!decision.allowed, "{line}");
            assert_eq!((decision.limit, decision.remaining), (0, 0), "{line}");
            assert_eq!(decision.retry_after_ms, -1, "{line}");
        }
        assert_eq!(redis.run(&format!("EXISTS {algorithm}")).int(), 0);
        // What was charged before is not forgotten when the switch is thrown.
        decide(
            &mut redis,
            &format!("APP.RATELIMIT {algorithm} 5 EX 60 ALGO {algorithm}"),
        );
        let off = decide(
            &mut redis,
            &format!("APP.RATELIMIT {algorithm} 0 EX 60 ALGO {algorithm}"),
        );
        assert_eq!((off.allowed, off.retry_after_ms), (false, -1));
        let on = decide(
            &mut redis,
            &format!("APP.RATELIMIT.PEEK {algorithm} 5 EX 60 ALGO {algorithm}"),
        );
        assert_eq!(on.remaining, 4, "{algorithm}");
    }
}

#[test]
fn cost_above_capacity_is_refused_for_ever_and_is_no_error() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        let line = format!("APP.RATELIMIT {algorithm} 5 EX 60 ALGO {algorithm} COST 6");
        let decision = decide(&mut redis, &line);
        assert!(!decision.allowed && decision.remaining == 5, "{algorithm}");
        assert_eq!(decision.retry_after_ms, -1, "{algorithm}");
        assert_eq!(redis.run(&format!("EXISTS {algorithm}")).int(), 0);
    }
    let burst = decide(
        &mut redis,
        "APP.RATELIMIT b 100 EX 60 BURST 5 ALGO GCRA COST 6",
    );
    assert_eq!(
        (burst.allowed, burst.limit, burst.retry_after_ms),
        (false, 5, -1)
    );
}

#[test]
fn burst_is_the_capacity_of_gcra() {
    let server = Server::start();
    let mut redis = server.client();
    for remaining in [2, 1, 0] {
        let decision = decide(&mut redis, "APP.RATELIMIT k 10 EX 3600 BURST 3 ALGO GCRA");
        assert!(decision.allowed);
        assert_eq!((decision.limit, decision.remaining), (3, remaining));
    }
    let refused = decide(&mut redis, "APP.RATELIMIT k 10 EX 3600 BURST 3 ALGO GCRA");
    assert!(!refused.allowed);
    // One unit refills in 360 s.
    assert!(
        (359_000..=360_000).contains(&refused.retry_after_ms),
        "{refused:?}"
    );
}

#[test]
fn the_largest_numbers_are_counted_exactly() {
    let server = Server::start();
    let mut redis = server.client();
    const MAX: i64 = u32::MAX as i64;
    for algorithm in ["SLIDING", "FIXED", "GCRA"] {
        let rest = format!("{algorithm} {MAX} EX 315360000 ALGO {algorithm}");
        let first = decide(
            &mut redis,
            &format!("APP.RATELIMIT {rest} COST {}", MAX - 1),
        );
        assert_eq!(
            (first.allowed, first.limit, first.remaining),
            (true, MAX, 1),
            "{algorithm}"
        );
        assert!(
            decide(&mut redis, &format!("APP.RATELIMIT {rest}")).allowed,
            "{algorithm}"
        );
        let refused = decide(&mut redis, &format!("APP.RATELIMIT.PEEK {rest} COST {MAX}"));
        assert!(!refused.allowed, "{algorithm}");
        assert!(
            refused.retry_after_ms > 300_000_000_000,
            "{algorithm}: {refused:?}"
        );
    }
    let slow = "slow 1 EX 315360000 BURST 4294967295 ALGO GCRA";
    assert!(decide(&mut redis, &format!("APP.RATELIMIT {slow} COST {MAX}")).allowed);
    assert!(!decide(&mut redis, &format!("APP.RATELIMIT {slow}")).allowed);
}

#[test]
fn a_million_a_second_is_counted() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ["SLIDING", "FIXED", "GCRA"] {
        let call = format!("APP.RATELIMIT {algorithm} 3600000000 EX 3600 ALGO {algorithm}");
        let first = decide(&mut redis, &format!("{call} COST 3600000000"));
        assert_eq!((first.allowed, first.remaining), (true, 0), "{algorithm}");
    }
    // A bucket that refills a million units a second has some again a moment later.
    eventually("the bucket refills", || {
        decide(
            &mut redis,
            "APP.RATELIMIT.PEEK GCRA 3600000000 EX 3600 ALGO GCRA",
        )
        .remaining
            > 5_000
    });
}
