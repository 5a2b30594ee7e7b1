//! Hashes that others have made or damaged: readable records with any numbers in them, old ids that
//! lead anywhere, bytes of any kind. No rule may fail on them but with an error.

use proptest::prelude::*;

use super::hash::{Error, Fields};
use super::record::{INDEX_FIELD, decode_index, encode_index, encode_old};
use super::testing::{FakeHash, Owner, handle};

/// Few, so that records and calls meet.
const IDS: [&str; 3] = ["a", "b", "c"];

fn id() -> impl Strategy<Value = &'static str> {
    prop::sample::select(IDS.to_vec())
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![
        0..10i64,
        Just(i64::MAX),
        i64::MAX - 10..=i64::MAX,
        0..=i64::MAX
    ]
}

/// The text of a session, whether its numbers make sense or not.
fn session() -> impl Strategy<Value = Vec<u8>> {
    let numbers = (number(), number(), number(), number());
    let max = prop::option::of(number());
    let old = prop::option::of((id(), number()));
    let document = prop::sample::select(vec!["{}", "{\"n\":1}", "{", ""]);
    (numbers, max, old, document).prop_map(
        |((created, seen, idle, expires), max, old, document)| {
            let max = max.map_or(String::new(), |max| format!(" max={max}"));
            let old = old.map_or(String::new(), |(id, until)| {
                format!(" old={}:{until}", handle(id))
            });
            format!(
                "created={created} seen={seen} idle={idle} expires={expires}{max}{old}\n{document}"
            )
            .into_bytes()
        },
    )
}

fn record() -> impl Strategy<Value = Vec<u8>> {
    let damaged = (session(), any::<prop::sample::Index>(), any::<u8>());
    prop_oneof![
        4 => session(),
        2 => id().prop_map(|id| encode_old(handle(id))),
        1 => damaged.prop_map(|(mut record, at, byte)| {
            let at = at.index(record.len());
            record[at] = byte;
            record
        }),
        1 => any::<Vec<u8>>(),
    ]
}

fn hash() -> impl Strategy<Value = FakeHash> {
    let index = prop_oneof![
        6 => number().prop_map(|latest| Some(encode_index(latest))),
        1 => any::<Vec<u8>>().prop_map(Some),
        1 => Just(None),
    ];
    let name = prop_oneof![
        4 => id().prop_map(|id| handle(id).as_bytes().to_vec()),
        1 => any::<Vec<u8>>(),
    ];
    let records = prop::collection::btree_map(name, record(), 0..6);
    (index, records).prop_map(|(index, mut fields)| {
        if let Some(index) = index {
            fields.insert(INDEX_FIELD.into(), index);
        }
        FakeHash {
            fields,
            expire_at: Some(i64::MAX),
        }
    })
}

/// A call with an id and a span of time; its error.
type Rule = fn(&mut Owner, &str, i64) -> Option<Error>;

proptest! {
    #[test]
    fn no_rule_fails_on_a_strange_hash(
        hash in hash(),
        now in number(),
        id in id(),
        timeout in 1..=i64::MAX,
    ) {
        let is_ours = hash.fields.is_empty()
            || hash.get(INDEX_FIELD).is_some_and(|index| decode_index(&index).is_ok());
        let owner = Owner { hash, now };
        let each: [Rule; 10] = [
            |owner, id, timeout| {
                owner.create_with(id, timeout, Some(timeout), Some((1, false)), "{}").err()
            },
            |owner, id, timeout| {
                owner.create_with(id, timeout, None, Some((2, true)), "{}").err()
            },
            |owner, id, _| owner.get(id).err(),
            |owner, id, timeout| owner.touch(id, Some(timeout)).err(),
            |owner, id, _| owner.touch(id, None).err(),
            |owner, id, _| owner.patch(id, "{\"n\":2}").err(),
            // A new id is random, so no hash has it already.
            |owner, id, timeout| owner.rotate(id, "new", Some(timeout)).err(),
            |owner, id, _| owner.revoke(id).err(),
            |owner, id, _| owner.revoke_all(Some(id)).err(),
            |owner, id, _| owner.list(Some(id)).err(),
        ];
        for call in each {
            let mut after = owner.clone();
            let error = call(&mut after, id, timeout);
            if is_ours {
                // What is left can be read again.
                let index = after.hash.get(INDEX_FIELD);
                let readable = index.is_some_and(|index| decode_index(&index).is_ok());
                prop_assert!(readable || after.hash.fields.is_empty());
            } else {
                prop_assert_eq!(error, Some(Error::NotSessions));
            }
            if error.is_some() {
                prop_assert_eq!(&after.hash, &owner.hash);
            }
        }
    }
}
