//! Worked examples: what the commands' users will see.

use proptest::prelude::*;

use super::{ALGORITHMS, Key, NOW, rule};
use crate::ratelimit::decision::{Decision, NEVER, Standing};
use crate::ratelimit::limiter::Change;
use crate::ratelimit::rule::{Algorithm, MAX_WINDOW_MS, Request, Rule};

fn request(algorithm: Algorithm, rules: &[Rule], cost: u32) -> Request<'_> {
    Request {
        algorithm,
        rules,
        cost,
    }
}

/// `[allowed, remaining, retry_after_ms, reset_ms, next_ms, rule]`, as in the reply.
fn reply(decision: &Decision) -> [i64; 6] {
    let standing = decision.binding_standing().unwrap();
    [
        i64::from(decision.allowed),
        i64::from(standing.remaining),
        decision.retry_after_ms,
        standing.reset_ms,
        standing.next_ms,
        i64::try_from(decision.binding).unwrap(),
    ]
}

/// Three per minute, one call every ten seconds, from the start of a sub-window (1875 ms).
#[test]
fn three_a_minute() {
    let start = NOW / 1875 * 1875;
    let replies = |algorithm| {
        let mut key = Key::default();
        [0, 10, 20, 30].map(|second| {
            let rules = [rule(3, 60_000)];
            let now = start + second * 1000;
            reply(&key.charge(&request(algorithm, &rules, 1), now).decision)
        })
    };
    assert_eq!(
        replies(Algorithm::Exact),
        [
            [1, 2, 0, 60_000, 60_000, 0],
            [1, 1, 0, 60_000, 50_000, 0],
            [1, 0, 0, 60_000, 40_000, 0],
            [0, 0, 30_000, 50_000, 30_000, 0],
        ]
    );
    assert_eq!(
        replies(Algorithm::Fixed),
        [
            [1, 2, 0, 60_000, 60_000, 0],
            [1, 1, 0, 50_000, 50_000, 0],
            [1, 0, 0, 40_000, 40_000, 0],
            [0, 0, 30_000, 30_000, 30_000, 0],
        ]
    );
    // Forgotten one window after the last millisecond of the sub-window.
    assert_eq!(
        replies(Algorithm::Sliding),
        [
            [1, 2, 0, 61_874, 61_874, 0],
            [1, 1, 0, 61_249, 51_874, 0],
            [1, 0, 0, 60_624, 41_874, 0],
            [0, 0, 31_874, 50_624, 31_874, 0],
        ]
    );
    // A token every twenty seconds.
    assert_eq!(
        replies(Algorithm::Gcra),
        [
            [1, 2, 0, 20_000, 20_000, 0],
            [1, 1, 0, 30_000, 10_000, 0],
            [1, 1, 0, 40_000, 20_000, 0],
            [1, 0, 0, 50_000, 10_000, 0],
        ]
    );
}

#[test]
fn burst_is_the_capacity_of_a_bucket() {
    let rules = [Rule::new(60, 60_000, Some(5))];
    let mut key = Key::default();
    let all = key.charge(&request(Algorithm::Gcra, &rules, 5), NOW);
    assert_eq!(reply(&all.decision), [1, 0, 0, 5000, 1000, 0]);
    assert_eq!(all.decision.standings[0].capacity, 5);
    let more = key.charge(&request(Algorithm::Gcra, &rules, 2), NOW + 300);
    assert_eq!(reply(&more.decision), [0, 0, 1700, 4700, 700, 0]);
}

#[test]
fn rules_are_charged_all_or_none() {
    for algorithm in ALGORITHMS {
        let rules = [rule(2, 1000), rule(100, 60_000)];
        let mut key = Key::default();
        for _ in 0..2 {
            assert!(
                key.charge(&request(algorithm, &rules, 1), NOW)
                    .decision
                    .allowed
            );
        }
        let before = key.clone();
        let refused = key.charge(&request(algorithm, &rules, 1), NOW).decision;
        assert!(!refused.allowed);
        assert_eq!(refused.binding, 0);
        assert_eq!(refused.standings[1].retry_after_ms, 0);
        assert_eq!(refused.standings[1].remaining, 98);
        assert_eq!(key.state, before.state);
    }
}

#[test]
fn limit_0_refuses_always() {
    for algorithm in ALGORITHMS {
        let mut key = Key::default();
        assert!(
            key.charge(&request(algorithm, &[rule(5, 1000)], 5), NOW)
                .decision
                .allowed
        );
        for key in [key, Key::default()] {
            let decision = key.peek(&request(algorithm, &[rule(0, 1000)], 1), NOW);
            assert_eq!(reply(&decision), [0, 0, NEVER, 0, 0, 0]);
            let with_burst = [Rule::new(0, 1000, Some(9))];
            assert_eq!(key.peek(&request(algorithm, &with_burst, 1), NOW), decision);
        }
    }
}

#[test]
fn a_cost_above_capacity_is_never_allowed_and_binds() {
    for algorithm in ALGORITHMS {
        let rules = [rule(100, 60_000), rule(4, 1000), rule(3, 500)];
        let mut key = Key::default();
        key.charge(&request(algorithm, &rules, 1), NOW);
        let decision = key.peek(&request(algorithm, &rules, 5), NOW);
        assert_eq!((decision.allowed, decision.binding), (false, 1));
        assert_eq!(decision.retry_after_ms, NEVER);
        assert_eq!(decision.standings[0].retry_after_ms, 0);
    }
}

#[test]
fn the_smallest_share_binds_and_the_first_on_a_tie() {
    let rules = [rule(10, 1000), rule(4, 2000), rule(8, 3000)];
    let mut key = Key::default();
    let decision = key
        .charge(&request(Algorithm::Fixed, &rules, 2), NOW)
        .decision;
    assert_eq!(decision.binding, 1, "4/5, 1/2 and 3/4 left");
    let whole = Key::default().peek(&request(Algorithm::Fixed, &rules, 2), NOW);
    assert_eq!(whole.binding, 0);
    let refused = key
        .charge(&request(Algorithm::Fixed, &rules, 4), NOW + 9)
        .decision;
    assert_eq!((refused.binding, refused.retry_after_ms), (1, 1991));
}

#[test]
fn rules_are_matched_by_window_and_not_by_place() {
    for algorithm in ALGORITHMS {
        let [a, b] = [rule(10, 1000), rule(10, 60_000)];
        let mut key = Key::default();
        key.charge(&request(algorithm, &[a], 3), NOW);
        let then = key.peek(&request(algorithm, &[b, a], 1), NOW).standings;
        assert_eq!([then[0].remaining, then[1].remaining], [10, 7]);
    }
}

#[test]
fn a_charge_keeps_only_the_rules_that_it_names() {
    for algorithm in ALGORITHMS {
        let [a, b, c] = [rule(10, 1000), rule(10, 2000), rule(10, 3000)];
        let mut key = Key::default();
        key.charge(&request(algorithm, &[a, b], 3), NOW);
        key.charge(&request(algorithm, &[c, b], 1), NOW);
        let standings = key.peek(&request(algorithm, &[a, b, c], 1), NOW).standings;
        let remaining: Vec<u32> = standings.iter().map(|s| s.remaining).collect();
        assert_eq!(remaining, [10, 6, 9]);
    }
}

#[test]
fn a_state_of_another_algorithm_counts_as_empty() {
    for one in ALGORITHMS {
        for other in ALGORITHMS.into_iter().filter(|&other| other != one) {
            let rules = [rule(2, 1000)];
            let mut key = Key::default();
            key.charge(&request(one, &rules, 2), NOW);
            let before = key.state.clone();
            let peeked = key.peek(&request(other, &rules, 1), NOW);
            assert_eq!(peeked, Key::default().peek(&request(other, &rules, 1), NOW));
            let refunded = key.refund(&request(other, &rules, 1), NOW);
            assert_eq!(
                (refunded.decision, refunded.change),
                (peeked, Change::Unchanged)
            );
            assert_eq!(key.state, before);
            assert!(key.charge(&request(other, &rules, 2), NOW).decision.allowed);
            assert!(!key.peek(&request(other, &rules, 1), NOW).allowed);
        }
    }
}

#[test]
fn a_refund_leaves_other_rules_byte_for_byte() {
    for algorithm in ALGORITHMS {
        let [a, b] = [rule(10, 1000), rule(10, 60_000)];
        let charged = |rules: &[Rule]| {
            let mut key = Key::default();
            key.charge(&request(algorithm, rules, 3), NOW);
            key
        };
        let mut key = charged(&[a, b]);
        let change = key.refund(&request(algorithm, &[a], 3), NOW + 10).change;
        assert!(matches!(change, Change::Write { .. }));
        assert_eq!(key.state, charged(&[b]).state);

        // The last units of the live rule go; what is left has run out, and so goes the key.
        let mut key = charged(&[a, b]);
        let change = key
            .refund(&request(algorithm, &[b], 3), NOW + 10_000)
            .change;
        assert_eq!(change, Change::Delete);
        let mut nothing = Key::default();
        let change = nothing.refund(&request(algorithm, &[b], 3), NOW).change;
        assert_eq!(change, Change::Unchanged);
    }
}

#[test]
fn a_refund_takes_the_newest_units_first() {
    for algorithm in [Algorithm::Exact, Algorithm::Sliding] {
        let rules = [rule(10, 3200)];
        let mut first_only = Key::default();
        first_only.charge(&request(algorithm, &rules, 4), NOW);
        let mut key = first_only.clone();
        key.charge(&request(algorithm, &rules, 5), NOW + 500);
        key.refund(&request(algorithm, &rules, 5), NOW + 600);
        assert_eq!(key.state, first_only.state);
    }
}

#[test]
fn what_was_charged_still_counts_under_another_limit() {
    for algorithm in ALGORITHMS {
        let mut key = Key::default();
        key.charge(&request(algorithm, &[rule(10, 1000)], 8), NOW);
        let raised = key.peek(&request(algorithm, &[rule(20, 1000)], 1), NOW);
        assert_eq!(raised.standings[0].remaining, 12);
        let lowered = key.peek(&request(algorithm, &[rule(5, 1000)], 1), NOW);
        assert_eq!(
            (lowered.allowed, lowered.standings[0].remaining),
            (false, 0)
        );
        assert_eq!(lowered.retry_after_ms, lowered.standings[0].next_ms);
    }
}

/// The key expires when the bucket is whole at the rate it was charged at, so a lower rate cannot
/// make anybody wait for longer.
#[test]
fn a_bucket_is_whole_when_its_key_expires() {
    let mut key = Key::default();
    let charged = key.charge(&request(Algorithm::Gcra, &[rule(100, 1000)], 100), NOW);
    assert_eq!(charged.expires_at_ms, Some(NOW + 1000));
    let slower = [rule(1, 1000)];
    let decision = key.peek(&request(Algorithm::Gcra, &slower, 1), NOW + 400);
    assert_eq!(reply(&decision), [0, 0, 600, 600, 600, 0]);
}

/// A failover to a server whose clock is 5 ms behind does not open a limiter that is in use.
#[test]
fn a_few_milliseconds_of_skew_keep_the_count() {
    for algorithm in ALGORITHMS {
        let mut key = Key::default();
        key.charge(&request(algorithm, &[rule(10, 60_000)], 6), NOW);
        key.charge(&request(algorithm, &[rule(10, 60_000)], 2), NOW + 20_000);
        let now = NOW + 19_995;
        let decision = key.peek(&request(algorithm, &[rule(10, 60_000)], 5), now);
        assert_eq!(decision.allowed, algorithm == Algorithm::Gcra);
        let left = key
            .peek(&request(algorithm, &[rule(10, 60_000)], 1), now)
            .standings[0];
        assert!(left.remaining < 8);
    }
}

#[test]
fn a_big_step_back_empties_the_rule() {
    for algorithm in ALGORITHMS {
        let rules = [rule(10, 60_000)];
        let mut key = Key::default();
        key.charge(&request(algorithm, &rules, 10), NOW);
        let charged = key.charge(&request(algorithm, &rules, 1), NOW - 86_400_000);
        assert!(charged.decision.allowed);
        assert_eq!(charged.decision.standings[0].remaining, 9);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    /// The ends of every range at once: nothing overflows, every span is a span.
    #[test]
    fn the_ends_of_the_ranges_hold(
        algorithm in prop::sample::select(ALGORITHMS.to_vec()),
        calls in prop::collection::vec((
            prop::sample::select(vec![0, 1, NOW, (1 << 48) - 2, (1 << 48) - 1, u64::MAX]),
            prop::sample::select(vec![0, 1, 2, 1024, u32::MAX - 1, u32::MAX]),
            prop::sample::select(vec![None, Some(1), Some(u32::MAX)]),
            prop::sample::select(vec![1, 2, MAX_WINDOW_MS - 1, MAX_WINDOW_MS]),
            prop::sample::select(vec![1, 2, 1024, u32::MAX - 1, u32::MAX]),
        ), 1..12),
    ) {
        let mut key = Key::default();
        for (now, limit, burst, window_ms, cost) in calls {
            let burst = burst.filter(|_| algorithm == Algorithm::Gcra);
            let rules = [Rule::new(limit, window_ms, burst), rule(1024, 7)];
            let request = request(algorithm, &rules, cost);
            let spans = |s: &Standing| s.reset_ms >= 0 && s.next_ms >= 0 && s.retry_after_ms >= NEVER;
            prop_assert!(key.peek(&request, now).standings.iter().all(spans));
            prop_assert!(key.charge(&request, now).decision.standings.iter().all(spans));
            prop_assert!(key.refund(&request, now).decision.standings.iter().all(spans));
        }
    }
}

#[test]
fn the_slowest_bucket_is_whole_at_the_end_of_time() {
    let rules = [Rule::new(1, MAX_WINDOW_MS, Some(u32::MAX))];
    let mut key = Key::default();
    let charged = key.charge(&request(Algorithm::Gcra, &rules, u32::MAX), NOW);
    let end = (1 << 48) - 1;
    assert_eq!(charged.expires_at_ms, Some(end));
    let standing = charged.decision.standings[0];
    assert_eq!(standing.next_ms, MAX_WINDOW_MS.cast_signed());
    assert_eq!(standing.reset_ms, (end - NOW).cast_signed());
}
