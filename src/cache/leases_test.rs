//! The table of leases: its promises one by one, and the whole of it against a naive list.

#![allow(clippy::arithmetic_side_effects)]

use proptest::prelude::*;

use super::lease::Lease;
use super::leases::{Leases, Standing};

const ROOM: usize = 1 << 20;
/// What an entry costs besides its key.
const ENTRY: usize = 256;

fn lease(number: u8) -> Lease {
    Lease::of_bits([number; 16])
}

#[test]
fn a_lease_is_good_for_its_key_until_its_time_is_over() {
    let mut leases = Leases::new(ROOM);
    leases.lend(0, b"k", lease(1), 1000);
    assert_eq!(
        leases.standing(0, b"k", 0),
        Standing::Loading { ttl_ms: 1000 }
    );
    assert_eq!(
        leases.standing(0, b"k", 999),
        Standing::Loading { ttl_ms: 1 }
    );
    assert!(leases.is_good(0, b"k", lease(1), 999));
    assert!(!leases.is_good(0, b"k", lease(2), 999));
    assert!(!leases.is_good(0, b"l", lease(1), 999));
    assert!(!leases.is_good(1, b"k", lease(1), 999));
    assert_eq!(leases.standing(0, b"k", 1000), Standing::Free);
    assert!(!leases.is_good(0, b"k", lease(1), 1000));
}

#[test]
fn a_second_lease_ends_the_first() {
    let mut leases = Leases::new(ROOM);
    leases.lend(0, b"k", lease(1), 1000);
    leases.lend(0, b"k", lease(2), 500);
    assert!(!leases.is_good(0, b"k", lease(1), 0));
    assert!(leases.is_good(0, b"k", lease(2), 499));
    assert_eq!(leases.len(), 1);
}

#[test]
fn a_backoff_keeps_loaders_away_and_no_lease_is_good_meanwhile() {
    let mut leases = Leases::new(ROOM);
    leases.lend(0, b"k", lease(1), 1000);
    leases.back_off(0, b"k", 300);
    assert_eq!(
        leases.standing(0, b"k", 299),
        Standing::BackingOff { ttl_ms: 1 }
    );
    assert!(!leases.is_good(0, b"k", lease(1), 0));
    assert_eq!(leases.standing(0, b"k", 300), Standing::Free);
}

#[test]
fn a_removal_voids_a_lease_and_leaves_a_backoff() {
    let mut leases = Leases::new(ROOM);
    leases.lend(0, b"lent", lease(1), 1000);
    leases.back_off(0, b"paused", 1000);
    leases.void(0, b"lent");
    leases.void(0, b"paused");
    leases.void(7, b"unknown");
    assert_eq!(leases.standing(0, b"lent", 0), Standing::Free);
    assert!(!leases.is_good(0, b"lent", lease(1), 0));
    assert_eq!(
        leases.standing(0, b"paused", 0),
        Standing::BackingOff { ttl_ms: 1000 }
    );
}

#[test]
fn a_new_value_ends_both() {
    let mut leases = Leases::new(ROOM);
    leases.lend(0, b"lent", lease(1), 1000);
    leases.back_off(0, b"paused", 1000);
    leases.clear(0, b"lent");
    leases.clear(0, b"paused");
    assert!(leases.is_empty());
    assert!(!leases.is_good(0, b"lent", lease(1), 0));
    assert_eq!(leases.standing(0, b"paused", 0), Standing::Free);
}

#[test]
fn databases_are_cleared_one_by_one_or_all() {
    let mut leases = Leases::new(ROOM);
    let fill = |leases: &mut Leases| {
        leases.lend(0, b"k", lease(1), 1000);
        leases.lend(5, b"k", lease(2), 1000);
        leases.back_off(5, b"l", 1000);
    };
    fill(&mut leases);
    leases.clear_database(Some(5));
    assert!(leases.is_good(0, b"k", lease(1), 0));
    assert_eq!(leases.len(), 1);
    fill(&mut leases);
    leases.clear_database(None);
    assert!(leases.is_empty());
    leases.clear_database(Some(3));
}

#[test]
fn what_has_run_out_is_dropped_a_few_at_a_time() {
    let mut leases = Leases::new(ROOM);
    for number in 0..100u32 {
        leases.lend(0, &number.to_be_bytes(), lease(1), 1000);
    }
    leases.lend(0, b"later", lease(1), 2000);
    leases.drop_some(999);
    assert_eq!(leases.len(), 101);
    leases.drop_some(1000);
    assert!((80..101).contains(&leases.len()), "{}", leases.len());
    for _ in 0..100 {
        leases.drop_some(1000);
    }
    assert_eq!(leases.len(), 1);
    assert!(leases.is_good(0, b"later", lease(1), 1000));
}

#[test]
fn at_the_bound_what_ends_soonest_makes_room() {
    let mut leases = Leases::new(3 * (ENTRY + 1));
    for (key, until_ms) in [(b"a", 3000), (b"b", 1000), (b"c", 2000), (b"d", 4000)] {
        leases.lend(0, key, lease(key[0]), until_ms);
    }
    let good = [b"a", b"b", b"c", b"d"].map(|key| leases.is_good(0, key, lease(key[0]), 0));
    assert_eq!(good, [true, false, true, true]);
    // A key that is longer than everything together takes the place of everything.
    let long = vec![b'k'; 4 * ENTRY];
    leases.lend(0, &long, lease(1), 1);
    assert_eq!(leases.len(), 1);
    assert!(leases.is_good(0, &long, lease(1), 0));
    leases.lend(0, b"a", lease(2), 1);
    assert_eq!(leases.len(), 1);
    assert!(leases.is_good(0, b"a", lease(2), 0));
}

/// One lease or backoff of the model, in the order in which they were given.
#[derive(Debug, Clone)]
struct Given {
    place: (i32, &'static [u8]),
    lease: Option<u8>,
    until_ms: u64,
}

/// A list, searched from end to end. Nothing is ever dropped because it has run out.
#[derive(Default)]
struct Model(Vec<Given>);

impl Model {
    fn find(&self, place: (i32, &[u8]), now_ms: u64) -> Option<&Given> {
        let live = |given: &&Given| given.place == place && given.until_ms > now_ms;
        self.0.iter().find(live)
    }

    fn standing(&self, place: (i32, &[u8]), now_ms: u64) -> Standing {
        match self.find(place, now_ms) {
            None => Standing::Free,
            Some(given) => {
                let ttl_ms = given.until_ms - now_ms;
                match given.lease {
                    Some(_) => Standing::Loading { ttl_ms },
                    None => Standing::BackingOff { ttl_ms },
                }
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Lend(u64),
    BackOff(u64),
    Void,
    Clear,
    ClearDatabase,
    ClearAll,
    Drop,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u64..50).prop_map(Step::Lend),
        3 => (0u64..50).prop_map(Step::BackOff),
        2 => Just(Step::Void),
        2 => Just(Step::Clear),
        1 => Just(Step::ClearDatabase),
        1 => Just(Step::ClearAll),
        2 => Just(Step::Drop),
        4 => (0u64..30).prop_map(Step::Pass),
    ]
}

fn place() -> impl Strategy<Value = (i32, &'static [u8])> {
    let keys: [&[u8]; 3] = [b"", b"k", b"kk"];
    (0..2, proptest::sample::select(keys.to_vec()))
}

proptest! {
    #[test]
    fn the_table_does_what_a_naive_list_does(steps in proptest::collection::vec((step(), place()), 1..100)) {
        let (mut leases, mut model, mut now_ms) = (Leases::new(ROOM), Model::default(), 1000);
        for (number, (step, (db, key))) in (0u8..).zip(steps) {
            let place = (db, key);
            let give = |model: &mut Model, lease, until_ms| {
                model.0.retain(|given| given.place != place);
                model.0.push(Given { place, lease, until_ms });
            };
            match step {
                Step::Lend(ms) => {
                    leases.lend(db, key, lease(number), now_ms + ms);
                    give(&mut model, Some(number), now_ms + ms);
                }
                Step::BackOff(ms) => {
                    leases.back_off(db, key, now_ms + ms);
                    give(&mut model, None, now_ms + ms);
                }
                Step::Void => {
                    leases.void(db, key);
                    model.0.retain(|given| given.place != place || given.lease.is_none());
                }
                Step::Clear => {
                    leases.clear(db, key);
                    model.0.retain(|given| given.place != place);
                }
                Step::ClearDatabase => {
                    leases.clear_database(Some(db));
                    model.0.retain(|given| given.place.0 != db);
                }
                Step::ClearAll => {
                    leases.clear_database(None);
                    model.0.clear();
                }
                Step::Drop => leases.drop_some(now_ms),
                Step::Pass(ms) => now_ms += ms,
            }
            for db in 0..2 {
                for key in [&b""[..], b"k", b"kk"] {
                    prop_assert_eq!(leases.standing(db, key, now_ms), model.standing((db, key), now_ms));
                    let current = model.find((db, key), now_ms).and_then(|given| given.lease);
                    for candidate in 0..=number {
                        let good = leases.is_good(db, key, lease(candidate), now_ms);
                        prop_assert_eq!(good, current == Some(candidate));
                    }
                }
            }
        }
        // Whatever was left is dropped once its time is over.
        for _ in 0..100 {
            leases.drop_some(now_ms + 100);
        }
        prop_assert!(leases.is_empty());
    }

    #[test]
    fn memory_stays_within_its_bound(given in proptest::collection::vec((0usize..2000, 0u64..100), 1..200)) {
        let bound = 10 * ENTRY;
        let mut leases = Leases::new(bound);
        for (number, (length, until_ms)) in (0u32..).zip(&given) {
            let mut key = number.to_be_bytes().to_vec();
            key.resize(4 + length, 0);
            leases.lend(0, &key, lease(1), *until_ms);
            prop_assert!(leases.is_good(0, &key, lease(1), 0) || *until_ms == 0);
            prop_assert!(leases.len() <= 10);
        }
    }
}
