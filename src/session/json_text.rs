//! Which slice of a document's text is which member's.
//!
//! Found in one pass, however deep objects are nested: whoever took the text of a member and looked
//! into that again would read the innermost ones once for each level. A [`Document`] has been
//! checked to be JSON and not too deep, so all that is looked for here is where each value ends.

use std::borrow::Cow;

use super::document::Document;

/// A value, and its members if it is an object.
#[derive(Debug)]
pub struct Value<'a> {
    pub text: &'a str,
    pub members: Option<Vec<Member<'a>>>,
}

/// A member of an object.
#[derive(Debug)]
pub struct Member<'a> {
    /// The name as it stands there, with quotes and escapes.
    pub name_text: &'a str,
    /// The name as it reads.
    pub name: Cow<'a, str>,
    pub value: Value<'a>,
}

/// The text is no JSON; never so for a [`Document`].
#[derive(Debug)]
pub struct Malformed;

impl<'a> Value<'a> {
    /// The object without members.
    pub const EMPTY: Value<'static> = Value {
        text: "{}",
        members: Some(Vec::new()),
    };

    /// The structure of a document, in the order of its text.
    pub fn of(document: Document<'a>) -> Result<Self, Malformed> {
        let text = document.as_str();
        Scanner { text, at: 0 }.value().ok_or(Malformed)
    }
}

/// Goes over the text from start to end; `None` where it is no JSON.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn since(&self, start: usize) -> Option<&'a str> {
        self.text.get(start..self.at)
    }

    /// The first byte behind white space, left where it is.
    fn token(&mut self) -> Option<u8> {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.step();
        }
        self.peek()
    }

    fn take(&mut self, token: u8) -> Option<()> {
        (self.token()? == token).then(|| self.step())
    }

    fn value(&mut self) -> Option<Value<'a>> {
        let first = self.token()?;
        let start = self.at;
        let mut members = None;
        match first {
            b'{' => members = Some(self.members()?),
            b'[' => self.array()?,
            b'"' => self.string()?,
            _ => self.scalar(),
        }
        let text = self.since(start)?;
        Some(Value { text, members })
    }

    fn members(&mut self) -> Option<Vec<Member<'a>>> {
        let mut members = Vec::new();
        self.take(b'{')?;
        if self.take(b'}').is_some() {
            return Some(members);
        }
        loop {
            members.push(self.member()?);
            if self.take(b',').is_none() {
                self.take(b'}')?;
                return Some(members);
            }
        }
    }

    fn member(&mut self) -> Option<Member<'a>> {
        self.token()?;
        let start = self.at;
        self.string()?;
        let name_text = self.since(start)?;
        self.take(b':')?;
        Some(Member {
            name_text,
            name: read_string(name_text)?,
            value: self.value()?,
        })
    }

    fn string(&mut self) -> Option<()> {
        self.take(b'"')?;
        loop {
            match self.peek()? {
                b'"' => {
                    self.step();
                    return Some(());
                }
                // What follows is of the escape, a quote above all.
                b'\\' => self.step(),
                _ => {}
            }
            self.step();
        }
    }

    /// Brackets in strings aside, an array ends with the bracket that closes its first one.
    fn array(&mut self) -> Option<()> {
        let mut open = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'[' | b'{' => open = open.saturating_add(1),
                b']' | b'}' => open = open.saturating_sub(1),
                _ => {}
            }
            self.step();
            if open == 0 {
                return Some(());
            }
        }
    }

    /// A number, `true`, `false` or `null`.
    fn scalar(&mut self) {
        while let Some(byte) = self.peek() {
            if !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')) {
                return;
            }
            self.step();
        }
    }
}

/// What a string says; most have no escape and need no copy.
fn read_string(quoted: &str) -> Option<Cow<'_, str>> {
    if quoted.contains('\\') {
        return serde_json::from_str(quoted).ok().map(Cow::Owned);
    }
    let inside = quoted.strip_prefix('"')?.strip_suffix('"')?;
    Some(Cow::Borrowed(inside))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The texts of all members, the inner ones behind the outer one.
    fn shown(text: &str) -> Vec<String> {
        fn show(value: &Value, into: &mut Vec<String>) {
            for member in value.members.iter().flatten() {
                into.push(format!("{} {}", member.name_text, member.value.text));
                show(&member.value, into);
            }
        }
        let mut all = Vec::new();
        let document = Document::check(text).unwrap();
        show(&Value::of(document).unwrap(), &mut all);
        all
    }

    #[test]
    fn each_member_has_its_own_text() {
        assert_eq!(
            shown(
                "{ \"a\" : -1.5e+3 ,\n\"b\":[ 1, {\"x\":\"]\\\"}\"}, [] ] , \"\":{ } ,\"c\":\
                 {\"d\" :{\"\\u0065\":null}, \"f\":\"\\\\\"},\"g\":true }"
            ),
            [
                "\"a\" -1.5e+3",
                "\"b\" [ 1, {\"x\":\"]\\\"}\"}, [] ]",
                "\"\" { }",
                "\"c\" {\"d\" :{\"\\u0065\":null}, \"f\":\"\\\\\"}",
                "\"d\" {\"\\u0065\":null}",
                "\"\\u0065\" null",
                "\"f\" \"\\\\\"",
                "\"g\" true",
            ]
        );
        assert!(shown("{}").is_empty());
    }

    #[test]
    fn names_read_without_their_escapes() {
        let document = Document::check(r#"{"\u0061\"\\é":1,"plain":2}"#).unwrap();
        let members = Value::of(document).unwrap().members.unwrap();
        assert_eq!(members[0].name, "a\"\\é");
        assert!(matches!(members[1].name, Cow::Borrowed("plain")));
    }

    proptest! {
        /// All that is taken for JSON is understood as serde_json understands it.
        #[test]
        fn members_are_those_that_serde_json_finds(
            text in r#"\{("[a-e]" ?: ?(1|"[x,:\]\}]"|\[[1,2]\]|\{("[a-c]":(null|\{\}))?\}) ?,? ?){0,5}\}"#
        ) {
            let Ok(document) = Document::check(&text) else { return Ok(()) };
            let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
            let value = Value::of(document).unwrap();
            let members = value.members.unwrap();
            prop_assert_eq!(members.len(), parsed.as_object().unwrap().len());
            for member in members {
                let found: serde_json::Value = serde_json::from_str(member.value.text).unwrap();
                prop_assert_eq!(&found, &parsed[&*member.name]);
            }
        }

        #[test]
        fn no_text_makes_the_scanner_panic(text in r#"[{}\[\]",:\\ éa1-]{0,40}"#) {
            let _ = Scanner { text: &text, at: 0 }.value();
        }
    }
}
