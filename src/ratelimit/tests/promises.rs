//! What a caller is promised, held against the history of what was let through and nothing else.

use proptest::prelude::*;

use super::{ALGORITHMS, Key, NOW, granule, rule};
use crate::ratelimit::rule::{Algorithm, Request, Rule};

/// (milliseconds since the call before, units)
type Calls = Vec<(u64, u32)>;

/// Uneven traffic: bursts, pauses about as long as the window, and all between.
fn traffic(window_ms: u64) -> impl Strategy<Value = Calls> {
    let pause = prop_oneof![
        6 => 0..=window_ms / 40 + 1,
        2 => 0..=window_ms / 4 + 1,
        1 => window_ms - window_ms / 20..=window_ms + window_ms / 20 + 1,
    ];
    prop::collection::vec((pause, 1..5u32), 1..150)
}

fn windows_and_traffic() -> impl Strategy<Value = (u64, Calls)> {
    prop_oneof![1..70u64, 70..3000u64, Just(60_000)]
        .prop_flat_map(|window_ms| (Just(window_ms), traffic(window_ms)))
}

/// (time, units, limit of the call) of every call that was allowed.
fn admitted(
    algorithm: Algorithm,
    window_ms: u64,
    limits: &[u32],
    calls: &Calls,
) -> Vec<(u64, u64, u64)> {
    let mut key = Key::default();
    let mut now = NOW;
    let mut admitted = Vec::new();
    for (&(pause_ms, cost), &limit) in calls.iter().zip(limits.iter().cycle()) {
        now += pause_ms;
        let request = Request {
            algorithm,
            rules: &[rule(limit, window_ms)],
            cost,
        };
        if key.charge(&request, now).decision.allowed {
            admitted.push((now, u64::from(cost), u64::from(limit)));
        }
    }
    admitted
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn never_more_than_the_limit_in_any_interval_as_long_as_the_window(
        algorithm in prop::sample::select(vec![Algorithm::Sliding, Algorithm::Exact]),
        (window_ms, calls) in windows_and_traffic(),
        limits in prop::collection::vec(1..30u32, 1..4),
    ) {
        let admitted = admitted(algorithm, window_ms, &limits, &calls);
        for (last, &(end, _, limit)) in admitted.iter().enumerate() {
            let units: u64 = (admitted[..=last].iter())
                .filter(|&&(at, ..)| at + window_ms > end)
                .map(|&(_, units, _)| units)
                .sum();
            prop_assert!(units <= limit, "{units} of {limit} units up to {end}");
        }
    }

    #[test]
    fn a_fixed_window_opens_with_its_first_unit_and_lets_the_limit_through(
        (window_ms, calls) in windows_and_traffic(),
        limit in 1..30u32,
    ) {
        let mut opened_at = None;
        let mut units = 0;
        for (at, cost, limit) in admitted(Algorithm::Fixed, window_ms, &[limit], &calls) {
            if opened_at.is_none_or(|opened_at| at >= opened_at + window_ms) {
                (opened_at, units) = (Some(at), 0);
            }
            units += cost;
            prop_assert!(units <= limit);
        }
    }

    #[test]
    fn a_bucket_lets_its_capacity_and_what_it_refills_through_and_no_more(
        (window_ms, calls) in windows_and_traffic(),
        limit in 1..40u32,
        burst in 1..40u32,
    ) {
        let mut key = Key::default();
        let mut now = NOW;
        let mut admitted: Vec<(u64, u64)> = Vec::new();
        for (pause_ms, cost) in calls {
            now += pause_ms;
            let rules = [Rule::new(limit, window_ms, Some(burst))];
            let request = Request { algorithm: Algorithm::Gcra, rules: &rules, cost };
            if key.charge(&request, now).decision.allowed {
                admitted.push((now, u64::from(cost)));
            }
        }
        for (first, &(start, _)) in admitted.iter().enumerate() {
            let mut units = 0;
            for &(end, cost) in &admitted[first..] {
                units += cost;
                let refilled = u64::from(limit) * (end - start) / window_ms;
                prop_assert!(units <= u64::from(burst) + refilled);
            }
        }
    }

    #[test]
    fn a_unit_counts_for_a_window_and_at_most_a_32nd_longer(
        window_ms in prop_oneof![1..5000u64, 1..=315_360_000_000u64],
        now in NOW..NOW + 100_000,
        limit in 1..1000u32,
    ) {
        for (algorithm, late_ms) in [
            (Algorithm::Sliding, granule(window_ms)),
            (Algorithm::Exact, 0),
            (Algorithm::Fixed, 0),
            (Algorithm::Gcra, 0),
        ] {
            let request = Request { algorithm, rules: &[rule(limit, window_ms)], cost: limit };
            let mut key = Key::default();
            prop_assert!(key.charge(&request, now).decision.allowed);
            let wait_ms = u64::try_from(key.peek(&request, now).retry_after_ms).unwrap();
            prop_assert!(wait_ms >= window_ms);
            prop_assert!(wait_ms <= window_ms + late_ms);
        }
    }

    #[test]
    fn after_a_step_back_of_any_size_nobody_waits_longer_than_a_window(
        algorithm in prop::sample::select(ALGORITHMS.to_vec()),
        (window_ms, calls) in windows_and_traffic(),
        limit in 1..30u32,
        back_ms in prop_oneof![0..10u64, 0..10_000u64, 0..NOW],
        cost in 1..30u32,
    ) {
        let rules = [rule(limit, window_ms)];
        let mut key = Key::default();
        let mut now = NOW;
        for (pause_ms, cost) in calls {
            now += pause_ms;
            key.charge(&Request { algorithm, rules: &rules, cost }, now);
        }
        now = now.saturating_sub(back_ms);
        let request = Request { algorithm, rules: &rules, cost: cost.min(limit) };
        let longest_ms = window_ms + match algorithm {
            Algorithm::Sliding => granule(window_ms),
            _ => 0,
        };
        let refused_for_ms = u64::try_from(key.peek(&request, now).retry_after_ms).unwrap();
        prop_assert!(refused_for_ms <= longest_ms);

        // One charge puts everything on the new clock.
        let charged = key.charge(&request, now + refused_for_ms);
        prop_assert!(charged.expires_at_ms.unwrap() <= now + refused_for_ms + longest_ms);
    }

    #[test]
    fn a_refund_gives_back_what_was_charged_and_no_more(
        algorithm in prop::sample::select(ALGORITHMS.to_vec()),
        (window_ms, calls) in windows_and_traffic(),
        limit in 1..60u32,
        cost in 1..90u32,
    ) {
        let rules = [rule(limit, window_ms)];
        let mut key = Key::default();
        let mut now = NOW;
        for (pause_ms, cost) in calls {
            now += pause_ms;
            key.charge(&Request { algorithm, rules: &rules, cost }, now);
        }
        let request = Request { algorithm, rules: &rules, cost };
        let before = key.peek(&request, now).standings[0];
        let after = key.refund(&request, now).decision.standings[0];
        prop_assert_eq!(after.remaining, limit.min(before.remaining + cost));
        prop_assert!(after.reset_ms <= before.reset_ms);
        if before.remaining < limit {
            prop_assert_eq!(key.state.is_none(), after.remaining == limit);
        }
    }
}

/// The share of 50 windows' limit that a client gets which asks evenly at exactly that rate and
/// comes back when it is told to.
fn paced_share(algorithm: Algorithm, limit: u32, start: u64) -> f64 {
    let window_ms = 60_000;
    let rules = [rule(limit, window_ms)];
    let request = Request {
        algorithm,
        rules: &rules,
        cost: 1,
    };
    let mut key = Key::default();
    let (mut now, mut units) = (start, 0);
    while now < start + 50 * window_ms {
        let decision = key.charge(&request, now).decision;
        if decision.allowed {
            units += 1;
            now += window_ms / u64::from(limit);
        } else {
            now += u64::try_from(decision.retry_after_ms).unwrap();
        }
    }
    f64::from(units) / f64::from(50 * limit)
}

/// What `SLIDING` forgets late costs such a client at most one part in 33. (One that drops a
/// refused call instead of sending it again after the wait loses that call's turn as well: at one
/// call a minute, every other one.)
#[test]
fn a_client_that_paces_itself_gets_97_percent() {
    for limit in [1, 3, 10, 100, 300] {
        for start in [NOW, NOW + 100, NOW + 937, NOW + 1874] {
            assert!(paced_share(Algorithm::Sliding, limit, start) >= 32.0 / 33.0);
            assert!(paced_share(Algorithm::Exact, limit, start) >= 1.0);
            assert!(paced_share(Algorithm::Gcra, limit, start) >= 1.0);
        }
    }
}

#[test]
fn a_bucket_is_exact_at_a_million_a_second() {
    let rules = [rule(1_000_000, 1000)];
    let request = |cost| Request {
        algorithm: Algorithm::Gcra,
        rules: &rules,
        cost,
    };
    let mut key = Key::default();
    assert!(key.charge(&request(1_000_000), NOW).decision.allowed);
    // A thousand a millisecond, for ten seconds: no more, no less, and no drift.
    for ms in 1..=10_000 {
        assert!(!key.charge(&request(1001), NOW + ms).decision.allowed);
        assert!(key.charge(&request(1000), NOW + ms).decision.allowed);
        assert_eq!(key.charge(&request(1), NOW + ms).decision.retry_after_ms, 1);
    }
}

/// A rate whose time per unit is no whole number of anything: 7 units in 1000 ms.
#[test]
fn a_bucket_does_not_drift_at_an_uneven_rate() {
    let rules = [rule(7, 1000)];
    let request = Request {
        algorithm: Algorithm::Gcra,
        rules: &rules,
        cost: 1,
    };
    let mut key = Key::default();
    let through = (0..1_000_000)
        .step_by(13)
        .filter(|&ms| key.charge(&request, NOW + ms).decision.allowed)
        .count();
    let last_ms: usize = 999_999 / 13 * 13;
    assert_eq!(through, 7 + last_ms * 7 / 1000);
}
