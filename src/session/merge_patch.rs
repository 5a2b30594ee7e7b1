//! JSON merge patch (RFC 7396) on text.
//!
//! The patch is applied to slices of the text, never to parsed values that are written out again:
//! members that the patch does not name keep their bytes and their order, numbers too large for a
//! double included. A member that gets a new value keeps its place; new members go to the end in
//! the order of the patch.

use std::collections::BTreeMap;

use super::document::Document;
use super::json_text::{Malformed, Member, Value};

/// The text of `target` after `patch`; `None` if the patch leaves every byte as it is.
///
/// No deeper than the deeper of the two: a value of the result comes from one of them, at the depth
/// that it had there. So the recursion is bounded, and only the size has to be checked again. Both
/// texts are read once.
pub fn merge(target: Document, patch: Document) -> Result<Option<String>, Malformed> {
    let (target, patch) = (Value::of(target)?, Value::of(patch)?);
    let mut result = String::with_capacity(target.text.len());
    let changed = write_merged(&mut result, &target, &patch);
    Ok(changed.then_some(result))
}

/// Writes what `patch` (not null) makes of `target`; says whether that is another text.
fn write_merged(out: &mut String, target: &Value, patch: &Value) -> bool {
    match (&target.members, &patch.members) {
        (_, None) => {
            out.push_str(patch.text);
            patch.text != target.text
        }
        // An object in place of something else: the patch itself, without its nulls.
        (None, Some(_)) => {
            write_merged(out, &Value::EMPTY, patch);
            true
        }
        (Some(members), Some(patch)) => {
            let start = out.len();
            let changed = write_object(out, members, patch);
            if !changed {
                // White space between members too.
                out.truncate(start);
                out.push_str(target.text);
            }
            changed
        }
    }
}

fn write_object(out: &mut String, target: &[Member], patch: &[Member]) -> bool {
    // Taken out one by one: what is left at the end is new.
    let named = patch.iter().map(|member| (&*member.name, &member.value));
    let mut named: BTreeMap<&str, &Value> = named.collect();
    let mut object = ObjectText::open(out);
    let mut changed = false;
    for member in target {
        match named.remove(&*member.name) {
            None => object.member(member).push_str(member.value.text),
            Some(new) if is_null(new) => changed = true,
            Some(new) => changed |= write_merged(object.member(member), &member.value, new),
        }
    }
    for member in patch {
        if !is_null(&member.value) && named.contains_key(&*member.name) {
            // A member that is not there is patched as if it were an object without members.
            write_merged(object.member(member), &Value::EMPTY, &member.value);
            changed = true;
        }
    }
    object.close();
    changed
}

fn is_null(value: &Value) -> bool {
    value.text == "null"
}

/// The text of an object that is being written.
struct ObjectText<'o> {
    out: &'o mut String,
    is_empty: bool,
}

impl<'o> ObjectText<'o> {
    fn open(out: &'o mut String) -> Self {
        out.push('{');
        let is_empty = true;
        Self { out, is_empty }
    }

    /// Starts a member with the name of `like`; its value is to be written next.
    fn member(&mut self, like: &Member) -> &mut String {
        if !self.is_empty {
            self.out.push(',');
        }
        self.is_empty = false;
        self.out.push_str(like.name_text);
        self.out.push(':');
        self.out
    }

    fn close(self) {
        self.out.push('}');
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

    /// The innermost text of a deep document must not be read once for each level above it.
    #[test]
    fn depth_does_not_multiply_the_cost() {
        let filled = "x".repeat(60_000);
        let nested = |depth: usize| {
            let (open, close) = ("{\"a\":".repeat(depth), "}".repeat(depth));
            let inner = |last: char| format!("{open}{{\"b\":\"{filled}{last}\"}}{close}");
            (inner('1'), inner('2'))
        };
        let fastest = |(target, patch): (String, String)| {
            let (target, patch) = (Document::check(&target), Document::check(&patch));
            let (target, patch) = (target.unwrap(), patch.unwrap());
            let runs = (0..20).map(|_| {
                let start = std::time::Instant::now();
                assert!(merge(target, patch).unwrap().is_some());
                start.elapsed()
            });
            runs.min().unwrap()
        };
        let (flat, deep) = (fastest(nested(1)), fastest(nested(100)));
        assert!(deep < flat * 10, "flat {flat:?}, deep {deep:?}");
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
            let result = Value::of(Document::check(&result).unwrap()).unwrap();
            let result = result.members.unwrap();

            let kept = |name: &u8| !named.contains_key(name);
            let expected: Vec<_> = target
                .iter()
                .filter(|(name, _)| kept(name))
                .map(|(name, value)| (format!("\"\\u00{name:02x}\""), VALUES[*value]))
                .collect();
            let found: Vec<_> = result
                .iter()
                .filter(|member| kept(&member.name.as_bytes()[0]))
                .map(|member| (member.name_text.to_owned(), member.value.text))
                .collect();
            prop_assert_eq!(found, expected);
            let values: BTreeSet<_> = result.iter().map(|member| member.value.text).collect();
            for value in named.values().flatten() {
                prop_assert!(values.contains(value.to_string().as_str()));
            }
        }
    }
}
