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
/// that it had there. So the recursion is bounded, and only the size has to be checked again.
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
