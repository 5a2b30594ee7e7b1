//! The values that calls are made of: few keys and tokens, so that calls meet; numbers at the edges;
//! what the server has replied before; and damaged copies of real states.

use std::collections::BTreeMap;

use crate::support::Dice;

/// A command and its arguments.
pub type Call = Vec<Vec<u8>>;

/// Words as a call; `line` has no binary arguments.
pub fn call(line: &str) -> Call {
    line.split(' ').map(|word| word.into()).collect()
}

const KEYS: [&[u8]; 12] = [
    b"a",
    b"b",
    b"c",
    b"d",
    b"e",
    b"f",
    b"g",
    b"h",
    b"{tag}x",
    b"{tag}y",
    b"\0\r\n\xff",
    b"",
];

/// Tokens and ids; those of at least 16 bytes may name sessions.
const TOKENS: [&[u8]; 4] = [
    b"a-token-of-its-own-1",
    b"a-token-of-its-own-2",
    b"a binary\0token\r\n\xff\xfe",
    b"short",
];

const USUAL_NUMBERS: [&str; 10] = [
    "1", "3", "10", "100", "1000", "5000", "60000", "100000", "3600000", "7200000",
];

const EDGE_NUMBERS: [&str; 34] = [
    "0",
    "-0",
    "-1",
    "+1",
    "007",
    "1.0",
    "1e3",
    " 1",
    "1 ",
    "0x10",
    "",
    "-",
    "nan",
    "inf",
    "1024",
    "1025",
    "65535",
    "65536",
    "65537",
    "315360000",
    "315360001",
    "4294967295",
    "4294967296",
    "281474976710655",
    "281474976710656",
    "9007199254740993",
    "315360000000",
    "315360000001",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999999999999999999",
];

const DOCUMENTS: [&str; 16] = [
    "{}",
    r#"{"a":1}"#,
    r#"{"a":null}"#,
    r#"{"a":{"b":[1,2,{"c":null}]},"d":"text"}"#,
    r#"{"a":{"b":null},"e":1e400,"f":-0.0,"g":12345678901234567890123}"#,
    r#"{"a":1,"a":2}"#,
    r#" { "a" : "\u0000\ud83d\ude00" , "b" : true } "#,
    r#"{"":""}"#,
    r#"{"$serde_json::private::Number":"1"}"#,
    r#"{"$serde_json::private::RawValue":"}{"}"#,
    r#"{"a":"\ud800"}"#,
    r#"{"a":1"#,
    r#"{"a":1}}"#,
    "[]",
    "null",
    "\u{feff}{}",
];

/// What the fuzzer has seen in replies, to be used again.
#[derive(Default)]
pub struct Seen {
    /// Ids, handles, leases: for each key those of replies about it.
    words: BTreeMap<Vec<u8>, Ring<Vec<u8>>>,
    /// Whole string values.
    pub strings: Ring<Vec<u8>>,
    /// Fields of hashes with their values.
    pub fields: Ring<(Vec<u8>, Vec<u8>)>,
    /// Payloads of DUMP.
    pub dumps: Ring<Vec<u8>>,
}

impl Seen {
    /// Keeps a word of a reply about `key`.
    pub fn remember(&mut self, key: &[u8], word: &[u8]) {
        if is_common(key) {
            let words = self.words.entry(key.to_vec()).or_default();
            if !words.items.iter().any(|known| known == word) {
                words.push(word.to_vec());
            }
        }
    }
}

/// The last few of a kind.
pub struct Ring<T> {
    items: Vec<T>,
    next: usize,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Ring {
            items: Vec::new(),
            next: 0,
        }
    }
}

impl<T> Ring<T> {
    const SIZE: usize = 16;

    pub fn push(&mut self, item: T) {
        match self.items.get_mut(self.next) {
            Some(oldest) => *oldest = item,
            None => self.items.push(item),
        }
        self.next = (self.next + 1) % Self::SIZE;
    }

    /// The newest as often as all others together: they may be stale.
    pub fn pick(&self, dice: &mut Dice) -> Option<&T> {
        let newest = self.next.checked_sub(1).unwrap_or(Self::SIZE - 1);
        match self.items.get(newest) {
            Some(newest) if dice.one_in(2) => Some(newest),
            Some(_) => Some(dice.pick(&self.items)),
            None => None,
        }
    }
}

pub fn key(dice: &mut Dice) -> Vec<u8> {
    dice.pick(&KEYS).to_vec()
}

/// Whether `key` is one of the few that calls meet on.
pub fn is_common(key: &[u8]) -> bool {
    KEYS.contains(&key)
}

/// A number that most commands take.
pub fn usual_number(dice: &mut Dice) -> Vec<u8> {
    dice.pick(&USUAL_NUMBERS).as_bytes().to_vec()
}

/// A number, or what looks like one, at the edge of what is accepted or beyond.
pub fn edge_number(dice: &mut Dice) -> Vec<u8> {
    dice.pick(&EDGE_NUMBERS).as_bytes().to_vec()
}

/// A word that stands for something at `key`: a token, an id, a handle, a lease.
pub fn word(dice: &mut Dice, seen: &Seen, key: &[u8]) -> Vec<u8> {
    let words = seen.words.get(key);
    let known = words.and_then(|words| words.pick(dice)).cloned();
    match known {
        Some(known) if !dice.one_in(3) => known,
        _ => dice.pick(&TOKENS).to_vec(),
    }
}

/// JSON, mostly.
pub fn document(dice: &mut Dice) -> Vec<u8> {
    match dice.below(40) {
        0 => nested(*dice.pick(&[126, 127, 128, 129, 20_000])),
        1 => long_document(*dice.pick(&[65_535, 65_536, 65_537, 100_000])),
        2 => damaged(dice, DOCUMENTS[3].as_bytes()),
        3..=28 => {
            let (name, value) = (dice.below(5), dice.below(1000));
            format!("{{\"m{name}\":{value},\"list\":[{value}]}}").into()
        }
        _ => dice.pick(&DOCUMENTS).as_bytes().to_vec(),
    }
}

fn nested(depth: usize) -> Vec<u8> {
    let (open, close) = ("{\"a\":".repeat(depth), "}".repeat(depth));
    format!("{open}1{close}").into()
}

fn long_document(length: usize) -> Vec<u8> {
    const AROUND: usize = r#"{"a":""}"#.len();
    format!("{{\"a\":\"{}\"}}", "x".repeat(length - AROUND)).into()
}

/// About 100 KB of something.
pub fn huge(dice: &mut Dice) -> Vec<u8> {
    let byte = *dice.pick(b"x0{[\"\0\xff ");
    vec![byte; dice.between(99_000, 101_000)]
}

/// A copy with some bytes changed, lost or added.
pub fn damaged(dice: &mut Dice, bytes: &[u8]) -> Vec<u8> {
    let mut copy = bytes.to_vec();
    for _ in 0..dice.between(1, 3) {
        let length = copy.len();
        let place = dice.index(length + 1);
        match dice.below(8) {
            0 => copy.truncate(place),
            1 => copy.extend(dice.bytes(24)),
            2 => drop(copy.splice(place..place, dice.bytes(8))),
            3 => drop(copy.splice(place..place, edge_number(dice))),
            4 => drop(copy.drain(place..length.min(place + 8))),
            5 => copy.extend_from_within(place..),
            _ if place < length && dice.one_in(2) => copy[place] ^= 1 << dice.below(8),
            _ if place < length => copy[place] = dice.next() as u8,
            _ => {}
        }
        // `extend_from_within` would otherwise double a value again and again.
        copy.truncate(200_000);
    }
    replace_a_number(dice, copy)
}

/// Writes over one run of digits, now and then: states in text keep their form that way.
fn replace_a_number(dice: &mut Dice, bytes: Vec<u8>) -> Vec<u8> {
    if !dice.one_in(3) {
        return bytes;
    }
    let from = dice.index(bytes.len() + 1);
    let Some(start) = bytes[from..].iter().position(u8::is_ascii_digit) else {
        return bytes;
    };
    let start = from + start;
    let digits = bytes[start..].iter().take_while(|b| b.is_ascii_digit());
    let end = start + digits.count();
    let mut copy = bytes;
    copy.splice(start..end, edge_number(dice));
    copy
}
