//! The bytes at the key: how long they get, how they are laid out, and what happens to others.

use proptest::prelude::*;

use super::{ALGORITHMS, Key, NOW, rule};
use crate::ratelimit::exact::Exact;
use crate::ratelimit::fixed::Fixed;
use crate::ratelimit::gcra::Gcra;
use crate::ratelimit::ledger::Ledger;
use crate::ratelimit::limiter::{charge, peek, refund};
use crate::ratelimit::rule::{Algorithm, Request, Rule};
use crate::ratelimit::sliding::Sliding;
use crate::ratelimit::state::{self, Foreign, MIN_STATE_LEN, Records, StateBuffer};

const HEADER: usize = 7;

fn request(algorithm: Algorithm, rules: &[Rule], cost: u32) -> Request<'_> {
    Request {
        algorithm,
        rules,
        cost,
    }
}

/// `appkit`, the letter, and the records as numbers of a given width.
fn encode(letter: u8, fields: &[(usize, u64)]) -> Vec<u8> {
    let mut state = b"appkit".to_vec();
    state.push(letter);
    for &(width, number) in fields {
        state.extend_from_slice(&number.to_le_bytes()[..width]);
    }
    state
}

/// Foreign to every operation under every algorithm.
fn is_foreign(bytes: &[u8]) -> bool {
    let verdicts = ALGORITHMS.map(|algorithm| {
        let rules = [rule(10, 1000)];
        let request = request(algorithm, &rules, 1);
        let mut out = StateBuffer::new();
        let foreign = charge(Some(bytes), &request, NOW, &mut out) == Err(Foreign);
        assert_eq!(peek(Some(bytes), &request, NOW) == Err(Foreign), foreign);
        let refunded = refund(Some(bytes), &request, NOW, &mut out);
        assert_eq!(refunded == Err(Foreign), foreign);
        foreign
    });
    assert!(verdicts.iter().all(|&foreign| foreign == verdicts[0]));
    verdicts[0]
}

/// States with one, two and eight rules of every algorithm, charged over a while.
fn valid_states() -> Vec<Vec<u8>> {
    let mut states = Vec::new();
    for algorithm in ALGORITHMS {
        for count in [1, 2, 8] {
            let rules: Vec<Rule> = (0..count).map(|n| rule(1000, 1000 * (n + 1))).collect();
            let mut key = Key::default();
            for call in 0..9 {
                key.charge(
                    &request(algorithm, &rules, 1 + call),
                    NOW + 70 * u64::from(call),
                );
            }
            states.push(key.state.unwrap());
        }
    }
    states
}

#[test]
fn states_are_laid_out_as_documented() {
    let t = NOW;
    let written = |algorithm, charges: &[(u64, u32)]| {
        let mut key = Key::default();
        for &(at, cost) in charges {
            let rules = [rule(1000, 3200)];
            assert!(
                key.charge(&request(algorithm, &rules, cost), at)
                    .decision
                    .allowed
            );
        }
        key.state.unwrap()
    };
    assert_eq!(
        written(Algorithm::Fixed, &[(t, 2), (t + 9, 3)]),
        encode(b'F', &[(5, 3200), (6, t), (4, 5)])
    );
    assert_eq!(
        written(Algorithm::Exact, &[(t, 2), (t + 9, 3), (t + 9, 1)]),
        encode(
            b'E',
            &[(5, 3200), (2, 2), (6, t), (2, 2), (6, t + 9), (2, 4)]
        )
    );
    assert_eq!(
        written(Algorithm::Sliding, &[(t, 2), (t + 200, 3), (t + 200, 1)]),
        encode(
            b'S',
            &[
                (5, 3200),
                (6, t / 100),
                (1, 3),
                (1, 1),
                (1, 2),
                (1, 0),
                (1, 4)
            ]
        )
    );
    assert_eq!(
        written(Algorithm::Sliding, &[(t, 256)]),
        encode(b'S', &[(5, 3200), (6, t / 100), (1, 1), (1, 2), (2, 256)])
    );
    // After 9 ms at 1000 units in 3200 ms, 9000 of the scaled 6400 + 9600 are refilled.
    assert_eq!(
        written(Algorithm::Gcra, &[(t, 20), (t + 9, 3)]),
        encode(b'G', &[(5, 3200), (6, t + 9), (4, 1000), (4, 20), (5, 600)])
    );
}

#[test]
fn the_shortest_states_are_longer_than_any_integer() {
    for algorithm in ALGORITHMS {
        let mut key = Key::default();
        key.charge(&request(algorithm, &[rule(1, 1)], 1), NOW);
        assert!(key.state.unwrap().len() >= MIN_STATE_LEN);
    }
    assert!(i64::MIN.to_string().len() < MIN_STATE_LEN);
    assert!(is_foreign(i64::MIN.to_string().as_bytes()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_state_stays_within_its_bound(
        window_ms in prop_oneof![1..100u64, 1000..100_000u64],
        limit in prop_oneof![1..500u32, Just(65_535), Just(u32::MAX)],
        calls in prop::collection::vec((0..64u64, 0..3u32), 1..200),
    ) {
        for algorithm in ALGORITHMS {
            let limit = if algorithm == Algorithm::Exact { limit.min(1024) } else { limit };
            let rules = [rule(limit, window_ms)];
            let mut key = Key::default();
            let mut now = NOW;
            let mut charged_at = Vec::new();
            for &(part, size) in &calls {
                now += window_ms * part / 1000;
                let cost = (limit / 40).saturating_mul(size).max(1);
                if key.charge(&request(algorithm, &rules, cost), now).decision.allowed {
                    charged_at.push(now);
                    charged_at.dedup();
                }
                let length = key.state.as_ref().unwrap().len();
                let in_window = charged_at.iter().filter(|&&at| at + window_ms > now).count();
                prop_assert!(length >= MIN_STATE_LEN);
                let within = match algorithm {
                    Algorithm::Sliding if limit <= 65_535 => length <= 96,
                    Algorithm::Sliding => length <= 160,
                    // A refused call writes nothing, so what has run out since may still be there.
                    Algorithm::Exact => {
                        charged_at.last() != Some(&now) || length - HEADER <= 16 * in_window
                    }
                    Algorithm::Fixed | Algorithm::Gcra => length - HEADER <= 24,
                };
                prop_assert!(within, "{length} bytes");
            }
        }
    }

    #[test]
    fn bytes_of_any_kind_are_read_or_foreign(
        letter in prop::sample::select(b"SFEGX".to_vec()),
        tagged in any::<bool>(),
        tail in prop::collection::vec(prop_oneof![any::<u8>(), 0..4u8], 0..80),
    ) {
        let bytes = if tagged { [&encode(letter, &[]), &tail[..]].concat() } else { tail };
        if !tagged || letter == b'X' {
            prop_assert!(is_foreign(&bytes));
        }
        survives(&bytes);
    }

    #[test]
    fn a_damaged_state_is_read_or_foreign(
        which in 0..12usize,
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let whole = valid_states().swap_remove(which);
        let mut damaged = whole.clone();
        damaged[at.index(whole.len())] = byte;
        survives(&damaged);
        damaged.truncate(cut.index(whole.len()));
        survives(&damaged);
    }
}

/// The state, read and written again.
fn rewritten<'a, L: Ledger<'a>>(records: &'a [u8]) -> StateBuffer {
    let mut out = StateBuffer::new();
    state::begin::<L>(&mut out);
    let mut records = Records::of(records);
    while let Some(ledger) = records.next::<L>().unwrap() {
        ledger.write(&mut out);
    }
    out
}

/// Reads and writes the bytes if they are a state, and runs every operation at several times; what
/// they write can be read again.
fn survives(bytes: &[u8]) {
    if !is_foreign(bytes) {
        let (letter, records) = state::open(bytes).unwrap();
        let rewritten = match letter {
            b'S' => rewritten::<Sliding>(records),
            b'F' => rewritten::<Fixed>(records),
            b'E' => rewritten::<Exact>(records),
            _ => rewritten::<Gcra>(records),
        };
        assert_eq!(rewritten.as_slice(), bytes);
    }
    let rules = [
        rule(10, 1000),
        rule(u32::MAX, 2000),
        rule(0, 0x0101_0101),
        rule(1000, 257),
    ];
    for algorithm in ALGORITHMS {
        for rules in [&rules[..2], &rules[2..], &rules[3..]] {
            for (now, cost) in [(0, 1), (NOW, u32::MAX), (NOW, 3), (u64::MAX, 1)] {
                let request = request(algorithm, rules, cost);
                let mut out = StateBuffer::new();
                let charged = charge(Some(bytes), &request, now, &mut out);
                if charged.is_ok_and(|charged| charged.expires_at_ms.is_some()) {
                    peek(Some(&out), &request, now).unwrap();
                }
                // A refund reads its own state back for the decision.
                let _ = refund(Some(bytes), &request, now, &mut out);
            }
        }
    }
}

#[test]
fn a_state_that_is_cut_short_or_too_long_is_foreign() {
    for state in valid_states() {
        assert!(!is_foreign(&state));
        assert!(is_foreign(&[&state[..], b"\0"].concat()));
        assert!(is_foreign(&state[..state.len() - 1]));
    }
    // With one rule there is no place to cut that leaves a state.
    for algorithm in ALGORITHMS {
        let mut key = Key::default();
        key.charge(&request(algorithm, &[rule(300, 3200)], 300), NOW);
        let state = key.state.unwrap();
        assert!((0..state.len()).all(|length| is_foreign(&state[..length])));
    }
}

#[test]
fn each_broken_invariant_is_foreign() {
    let fixed = [(5, 3200), (6, NOW), (4, 5)];
    assert!(!is_foreign(&encode(b'F', &fixed)));
    assert!(is_foreign(&encode(b'f', &fixed)), "letter");
    assert!(
        is_foreign(&encode(b'F', &[(5, 0), (6, NOW), (4, 5)])),
        "no window"
    );
    let over = 315_360_000_001;
    assert!(
        is_foreign(&encode(b'F', &[(5, over), (6, NOW), (4, 5)])),
        "window too long"
    );
    assert!(
        is_foreign(&encode(b'F', &[(5, 3200), (6, NOW), (4, 0)])),
        "no units"
    );
    assert!(
        is_foreign(&encode(b'F', &[fixed, fixed].concat())),
        "a window twice"
    );
    let records = |count| -> Vec<(usize, u64)> {
        (1..=count)
            .flat_map(|window| [(5, window), (6, NOW), (4, 5)])
            .collect()
    };
    assert!(!is_foreign(&encode(b'F', &records(8))));
    assert!(is_foreign(&encode(b'F', &records(9))), "nine rules");

    let exact = |entries: &[(u64, u64)]| {
        let mut fields = vec![(5, 3200), (2, entries.len() as u64)];
        fields.extend(
            entries
                .iter()
                .flat_map(|&(at, units)| [(6, at), (2, units)]),
        );
        is_foreign(&encode(b'E', &fields))
    };
    assert!(!exact(&[(7, 1024)]));
    assert!(!exact(&[(7, 1), (8, 1)]));
    assert!(exact(&[(7, 1025)]), "more units than any limit");
    assert!(exact(&[(7, 1), (7, 1)]), "a stamp twice");
    assert!(exact(&[(8, 1), (7, 1)]), "stamps out of order");
    assert!(exact(&[(7, 1), (8, 0)]), "an entry without units");
    assert!(
        is_foreign(&encode(b'E', &[(5, 3200), (2, 0), (8, 0)])),
        "no entries"
    );

    let sliding = |first: u64, width: usize, counters: &[u64]| {
        let mut fields = vec![(5, 3200), (6, first), (1, counters.len() as u64)];
        fields.push((1, width as u64));
        fields.extend(counters.iter().map(|&units| (width, units)));
        is_foreign(&encode(b'S', &fields))
    };
    let latest = 0xFFFF_FFFF_FFFF / 100;
    assert!(!sliding(9, 1, &[1; 33]));
    assert!(!sliding(9, 1, &[255]));
    assert!(!sliding(9, 2, &[256, 65_535]));
    assert!(!sliding(latest - 1, 4, &[1 << 16, 1]));
    assert!(sliding(9, 1, &[1; 34]), "too many counters");
    assert!(sliding(9, 1, &[]), "no counters");
    assert!(sliding(9, 1, &[0, 1]), "first counter is 0");
    assert!(sliding(9, 1, &[1, 0]), "last counter is 0");
    assert!(sliding(9, 2, &[255]), "wider than needed");
    assert!(sliding(9, 4, &[65_535]), "wider than needed");
    assert!(sliding(9, 3, &[1 << 16]), "no such width");
    assert!(sliding(latest, 1, &[1, 1]), "past the end of time");
    assert!(
        sliding(9, 4, &[u64::from(u32::MAX), 1]),
        "more units than any limit"
    );

    let gcra = |limit, whole, part| {
        is_foreign(&encode(
            b'G',
            &[(5, 3200), (6, NOW), (4, limit), (4, whole), (5, part)],
        ))
    };
    assert!(!gcra(1, 0, 3199));
    assert!(!gcra(1, 1, 0));
    assert!(gcra(0, 1, 0), "no limit");
    assert!(gcra(1, 0, 0), "no level");
    assert!(gcra(1, 1, 3200), "part of a unit that is a whole one");
}
