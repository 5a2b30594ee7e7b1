//! JSON merge patch (RFC 7396) on text.
//!
//! The patch is applied to slices of the text, never to parsed values that are written out again:
//! members that the patch does not name keep their bytes and their order, numbers too large for a
//! double included. A member that gets a new value keeps its place; new members go to the end in
//! the order of the patch.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::document::Document;

/// The text of `target` after `patch`; `None` if the patch leaves every byte as it is.
///
/// No deeper than the deeper of the two: a value of the result comes from one of them, at the depth
/// that it had there. So the recursion is bounded, and only the size has to be checked again. Each
/// level that the patch goes down is scanned once more, so the cost is at most size times depth.
pub fn merge(target: Document, patch: Document) -> Result<Option<String>, serde_json::Error> {
    merge_objects(target.as_str(), patch.as_str())
}

fn merge_objects(target: &str, patch: &str) -> Result<Option<String>, serde_json::Error> {
    let Members(patch) = serde_json::from_str(patch)?;
    if patch.is_empty() {
        return Ok(None);
    }
    let Members(target) = serde_json::from_str(target)?;
    // Taken out one by one: what is left at the end is new.
    let mut named: BTreeMap<&str, &str> = BTreeMap::new();
    for member in &patch {
        named.insert(&member.name, member.value);
    }
    let mut result = ObjectText::new();
    let mut changed = false;
    for member in &target {
        let Some(new) = named.remove(member.name.as_str()) else {
            result.push(member.name_text, member.value);
            continue;
        };
        match merge_values(member.value, new)? {
            Merged::Same => result.push(member.name_text, member.value),
            Merged::Gone => changed = true,
            Merged::Text(value) => {
                changed |= value != member.value;
                result.push(member.name_text, &value);
            }
        }
    }
    for member in &patch {
        if !named.contains_key(member.name.as_str()) {
            continue;
        }
        // A member that is not there is patched as if it were an object without members.
        match merge_values("{}", member.value)? {
            Merged::Same => result.push(member.name_text, "{}"),
            Merged::Gone => continue,
            Merged::Text(value) => result.push(member.name_text, &value),
        }
        changed = true;
    }
    Ok(changed.then(|| result.finish()))
}

/// What becomes of a value.
enum Merged {
    Same,
    Gone,
    Text(String),
}

fn merge_values(target: &str, patch: &str) -> Result<Merged, serde_json::Error> {
    if patch == "null" {
        return Ok(Merged::Gone);
    }
    if !patch.starts_with('{') {
        return Ok(Merged::Text(patch.to_owned()));
    }
    if target.starts_with('{') {
        let merged = merge_objects(target, patch)?;
        return Ok(merged.map_or(Merged::Same, Merged::Text));
    }
    // An object in place of something else: the patch itself, without its nulls.
    let merged = merge_objects("{}", patch)?;
    Ok(Merged::Text(merged.unwrap_or_else(|| "{}".to_owned())))
}

/// The text of an object that is being written.
struct ObjectText(String);

impl ObjectText {
    fn new() -> Self {
        Self("{".to_owned())
    }

    fn push(&mut self, name_text: &str, value: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(name_text);
        self.0.push(':');
        self.0.push_str(value);
    }

    fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// A member of an object: its name as text with quotes and escapes, and read; and its value's text.
struct Member<'a> {
    name_text: &'a str,
    name: String,
    value: &'a str,
}

/// The members of an object, in order.
struct Members<'a>(Vec<Member<'a>>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            members.push(Member {
                name_text: name.get(),
                name: serde_json::from_str(name.get()).map_err(serde::de::Error::custom)?,
                value: value.get(),
            });
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]

    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn patched(target: &str, patch: &str) -> String {
        let merged = merge(
            Document::check(target).unwrap(),
            Document::check(patch).unwrap(),
        );
        merged.unwrap().unwrap_or_else(|| target.to_owned())
    }

    /// RFC 7396, appendix A: original, patch, result.
    const RFC_EXAMPLES: [[&str; 3]; 15] = [
        [r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#],
        [r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#],
        [r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#],
        [r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#],
        [r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#],
        [r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#],
        [
            r#"{"a":{"b":"c"}}"#,
            r#"{"a":{"b":"d","c":null}}"#,
            r#"{"a":{"b":"d"}}"#,
        ],
        [r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#],
        [r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#],
        [r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#],
        [r#"{"a":"foo"}"#, "null", "null"],
        [r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#],
        [r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#],
        ["[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#],
        ["{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#],
    ];

    #[test]
    fn the_examples_of_the_rfc_hold() {
        let is_object = |text: &str| text.starts_with('{');
        let objects = RFC_EXAMPLES
            .iter()
            .filter(|e| e.iter().all(|t| is_object(t)));
        for [target, patch, result] in objects {
            assert_eq!(patched(target, patch), *result, "{target} {patch}");
        }
    }

    /// At the top only objects are taken, so the other examples are held as values of a member. As
    /// such, `null` is no value but takes the member away.
    #[test]
    fn the_examples_of_the_rfc_hold_inside_a_member() {
        for [target, patch, result] in RFC_EXAMPLES {
            let inside = |text: &str| format!("{{\"x\":{text}}}");
            let result = match result {
                "null" => "{}".to_owned(),
                result => inside(result),
            };
            assert_eq!(patched(&inside(target), &inside(patch)), result);
        }
    }

    #[test]
    fn a_patch_that_changes_nothing_leaves_every_byte() {
        let target = r#"{ "a" : 1.0 , "o":{ "b":[ ] } }"#;
        for patch in [
            "{}",
            r#"{"z":null}"#,
            r#"{"a":1.0}"#,
            r#"{"o":{}}"#,
            r#"{"o":{"b":[ ],"c":null}}"#,
        ] {
            let (target, patch) = (Document::check(target), Document::check(patch));
            assert_eq!(merge(target.unwrap(), patch.unwrap()).unwrap(), None);
        }
    }

    #[test]
    fn names_are_compared_unescaped_and_keep_their_text() {
        assert_eq!(
            patched(
                r#"{"\u0061":1,"é":{ "\/":2,"n":1e999 }}"#,
                r#"{"a":3,"\u00e9":{"/":4}}"#
            ),
            r#"{"\u0061":3,"é":{"\/":4,"n":1e999}}"#
        );
    }

    #[test]
    fn new_members_come_last_in_the_order_of_the_patch() {
        assert_eq!(
            patched(
                r#"{"m":1}"#,
                r#"{"z":1,"m":2,"a":{"y":null,"b":[null]},"\u0062":3}"#
            ),
            r#"{"m":2,"z":1,"a":{"b":[null]},"\u0062":3}"#
        );
    }

    #[test]
    fn a_patch_as_deep_as_documents_may_be_is_applied() {
        let depth = super::super::document::MAX_DEPTH;
        let nested =
            |inner: &str| format!("{}{inner}{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        assert_eq!(patched(&nested("1"), &nested("2")), nested("2"));
        assert_eq!(patched("{}", &nested("2")), nested("2"));
    }

    #[test]
    fn many_members_on_both_sides_are_merged_without_comparing_each_with_each() {
        let many = |value: u8| {
            let members: Vec<_> = (0..20_000).map(|i| format!("\"{i}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        };
        let start = std::time::Instant::now();
        assert_eq!(patched(&many(1), &many(2)), many(2));
        // Each with each is 400 million comparisons.
        assert!(start.elapsed() < std::time::Duration::from_secs(2));
    }

    /// Texts of values that a parser might write out differently.
    const VALUES: [&str; 8] = [
        "1.50",
        "123456789012345678901234567890",
        "-0",
        "1E+400",
        r#""\u00e9\/""#,
        "[ 1 ,\n2 ]",
        r#"{ "z" : 1 , "a" : { } }"#,
        "null",
    ];

    proptest! {
        #[test]
        fn members_that_the_patch_does_not_name_keep_text_and_order(
            target in proptest::collection::vec((0..30u8, 0..VALUES.len()), 0..12),
            named in proptest::collection::btree_map(0..30u8, proptest::option::of(100..200u8), 0..6),
        ) {
            let mut seen = BTreeSet::new();
            let target: Vec<_> = target.into_iter().filter(|(name, _)| seen.insert(*name)).collect();
            let text: Vec<_> = target
                .iter()
                .map(|(name, value)| format!(" \"\\u00{name:02x}\" : {}", VALUES[*value]))
                .collect();
            let patch: Vec<_> = named
                .iter()
                .map(|(name, value)| match value {
                    Some(value) => format!("\"\\u00{name:02x}\":{value}"),
                    None => format!("\"\\u00{name:02x}\":null"),
                })
                .collect();
            let result = patched(&format!("{{{}}}", text.join(",")), &format!("{{{}}}", patch.join(",")));
            let Members(result) = serde_json::from_str(&result).unwrap();

            let kept = |name: &u8| !named.contains_key(name);
            let expected: Vec<_> = target
                .iter()
                .filter(|(name, _)| kept(name))
                .map(|(name, value)| (format!("\"\\u00{name:02x}\""), VALUES[*value]))
                .collect();
            let found: Vec<_> = result
                .iter()
                .filter(|member| kept(&member.name.as_bytes()[0]))
                .map(|member| (member.name_text.to_owned(), member.value))
                .collect();
            prop_assert_eq!(found, expected);
            let values: BTreeSet<_> = result.iter().map(|member| member.value).collect();
            for value in named.values().flatten() {
                prop_assert!(values.contains(value.to_string().as_str()));
            }
        }
    }
}
