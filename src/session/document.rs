//! The JSON document that a session carries.
//!
//! A document is kept as the text that the client sent, so every reader of it must understand the
//! same thing. Text on which JSON readers are known to differ is refused, as I-JSON (RFC 7493)
//! does: a member named twice (at any depth, however its name is escaped) and a surrogate without
//! its other half. Numbers are kept as text, whatever their size.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

/// How deep objects and arrays may be nested, the document itself included.
///
/// It is what serde_json bounds its recursion to, pinned by a test.
#[cfg(test)]
pub const MAX_DEPTH: usize = 127;

/// A JSON object in UTF-8, without white space around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Document<'a>(&'a str);

/// Why bytes are no [`Document`]; reads as the end of "the argument …".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// More bytes than this.
    TooLong(usize),
    NotUtf8,
    /// The array, string, number or word is JSON, but no object.
    NotAnObject,
    /// What the parser says, with line and column; holds nothing of the document.
    NotJson(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(max) => write!(f, "must have at most {max} bytes"),
            Self::NotUtf8 => f.write_str("must be UTF-8"),
            Self::NotAnObject => f.write_str("must be a JSON object"),
            Self::NotJson(why) => write!(f, "must be a JSON object: {why}"),
        }
    }
}

impl<'a> Document<'a> {
    /// The document without members.
    pub const EMPTY: Document<'static> = Document("{}");

    /// Checks what a client sent, of at most `max_bytes` bytes.
    pub fn parse(bytes: &'a [u8], max_bytes: usize) -> Result<Self, Refused> {
        if bytes.len() > max_bytes {
            return Err(Refused::TooLong(max_bytes));
        }
        Self::check(std::str::from_utf8(bytes).map_err(|_| Refused::NotUtf8)?)
    }

    /// Checks a text of any length.
    pub fn check(text: &'a str) -> Result<Self, Refused> {
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        serde_json::from_str::<Checked>(text)
            .map_err(|error| Refused::NotJson(error.to_string()))?;
        if !text.starts_with('{') {
            return Err(Refused::NotAnObject);
        }
        Ok(Self(text))
    }

    pub fn as_str(self) -> &'a str {
        self.0
    }
}

/// Any JSON value, checked and thrown away.
struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Asked for "any", serde_json reads all of a value: the escapes in strings as well.
        deserializer.deserialize_any(CheckedVisitor)
    }
}

struct CheckedVisitor;

impl<'de> Visitor<'de> for CheckedVisitor {
    type Value = Checked;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_str<E>(self, _: &str) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Checked, A::Error> {
        while items.next_element::<Checked>()?.is_some() {}
        Ok(Checked)
    }

    /// Objects, and numbers that only fit as text: those come as a map of one string.
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Checked, A::Error> {
        let mut names = Vec::new();
        while let Some((name, _)) = members.next_entry::<String, Checked>()? {
            names.push(name);
        }
        names.sort_unstable();
        let mut pairs = names.iter().zip(names.iter().skip(1));
        if pairs.any(|(name, next)| name == next) {
            // The name is the client's data and stays out of the error.
            return Err(de::Error::custom("an object names a member twice"));
        }
        Ok(Checked)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]

    use proptest::prelude::*;

    use super::*;

    fn parse(text: &[u8]) -> Result<&str, Refused> {
        Document::parse(text, 65536).map(Document::as_str)
    }

    fn why(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err().to_string()
    }

    fn nested(depth: usize) -> String {
        format!(
            "{{\"a\":{}{}}}",
            "[".repeat(depth - 1),
            "]".repeat(depth - 1)
        )
    }

    #[test]
    fn a_document_keeps_its_text() {
        for text in [
            "{}",
            "{ \"b\" : 1,\n\"a\":\t[1 , 2] }",
            r#"{"n":123456789012345678901234567890.10,"e":1e999,"m":-0,"t":-1E-99999999999999999999}"#,
            r#"{"s":"\u00e9 \ud83d\ude00 \u0000 \/","":null}"#,
            r#"{"a":{"a":1},"A":[{"a":2},{"a":3}]}"#,
            r#"{"$serde_json::private::Number":"x","n":1}"#,
            r#"{"$serde_json::private::RawValue":[{}]}"#,
        ] {
            assert_eq!(parse(text.as_bytes()), Ok(text));
        }
        assert_eq!(parse(b" \r\n{ }\t"), Ok("{ }"));
    }

    #[test]
    fn arrays_and_scalars_are_refused_at_the_top() {
        for text in ["[]", "[{}]", "\"{}\"", "1", "1e999", "true", "null"] {
            assert_eq!(why(text), "must be a JSON object", "{text}");
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "{}{}",
            "{},",
            "{a:1}",
            "{'a':1}",
            "{\"a\"}",
            "{\"a\":}",
            "{1:2}",
            "{\"a\":1,}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":+1}",
            "{\"a\":NaN}",
            "{\"a\":nul}",
            "{\"a\":\"\t\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":[1,]}",
            "{/**/}",
            "\u{feff}{}",
            "\u{a0}{}",
            "{}\0",
        ] {
            let refused = parse(text.as_bytes());
            assert!(
                matches!(refused, Err(Refused::NotJson(_))),
                "{text:?}: {refused:?}"
            );
        }
        assert_eq!(
            why("{\"secret\":tru}"),
            "must be a JSON object: expected ident at line 1 column 14"
        );
    }

    #[test]
    fn a_member_named_twice_is_refused_at_any_depth() {
        for text in [
            r#"{"a":1,"b":2,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":[0,{"a":1,"a":2}]}"#,
            r#"{"$serde_json::private::Number":"1","$serde_json::private::Number":"1"}"#,
        ] {
            let why = why(text);
            let told = "must be a JSON object: an object names a member twice at line 1 column ";
            assert!(why.starts_with(told), "{text}: {why}");
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_refused() {
        for text in [
            r#"{"a":"\ud83d"}"#,
            r#"{"a":"\ude00"}"#,
            r#"{"a":"\ud83d\u0041"}"#,
            r#"{"a":["\ude00\ud83d"]}"#,
            r#"{"\ud83d":1}"#,
        ] {
            assert!(
                matches!(parse(text.as_bytes()), Err(Refused::NotJson(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused() {
        // A byte that never occurs, an overlong slash, a surrogate, an unfinished character.
        for bytes in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xe2\x82"] {
            let text = [b"{\"a\":\"", bytes, b"\"}"].concat();
            assert_eq!(parse(&text), Err(Refused::NotUtf8));
        }
        assert_eq!(Refused::NotUtf8.to_string(), "must be UTF-8");
    }

    #[test]
    fn a_byte_too_many_is_refused() {
        assert!(Document::parse(b"{\"a\":1}", 7).is_ok());
        assert_eq!(
            Document::parse(b"{\"a\":1}", 6).unwrap_err().to_string(),
            "must have at most 6 bytes"
        );
    }

    #[test]
    fn nesting_is_bounded() {
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        let why = why(&nested(MAX_DEPTH + 1));
        assert!(why.contains("recursion limit exceeded"), "{why}");
    }

    #[test]
    fn a_depth_bomb_is_an_error_and_no_stack_overflow() {
        let megabyte = 1 << 20;
        for bomb in [
            "[".repeat(megabyte),
            "{\"a\":".repeat(megabyte / 5),
            "{\"$serde_json::private::Number\":".repeat(megabyte / 32),
            nested(megabyte / 2),
        ] {
            let refused = Document::parse(bomb.as_bytes(), 2 * megabyte);
            assert!(matches!(refused, Err(Refused::NotJson(_))));
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in any::<Vec<u8>>()) {
            let _ = parse(&bytes);
        }

        #[test]
        fn arbitrary_json_like_text_never_panics(text in r#"\{[\[\]{}:,"\\ud8c0-9a\.eE+-]{0,60}\}"#) {
            let _ = parse(text.as_bytes());
        }
    }
}
