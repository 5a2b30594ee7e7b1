//! From a case's text to bytes: the commands of a call, with places for what differs between calls.

use crate::lua;
use crate::resp::encode;

/// Digits that a number is written with, so that keys have the same length whatever their number.
const DIGITS: usize = 12;

/// How a number's place is marked while a command is encoded.
const NUMBER_MARK: &[u8; DIGITS] = b"<<<number>>>";
/// The same for the number of the connection.
const CLIENT_MARK: &[u8; DIGITS] = b"<<<client>>>";
/// The same for what the reply before held as its third element.
const CAPTURED_MARK: &str = "<<captured>>";

/// A JSON document of 200 bytes.
const DOCUMENT: &str = concat!(
    r#"{"user":4711,"name":"Ada","roles":["reader","editor"],"theme":"dark","csrf":""#,
    "5f2b8c1d9e7a4f6035f2b8c1d9e7a4f6",
    r#"","cart":[{"sku":"A-100","n":2},{"sku":"B-205","n":1}],"lang":"en-GB","seen":0,"#,
    r#""x":"01234"}"#
);

const _: () = assert!(DOCUMENT.len() == 200);

#[derive(Clone, Debug)]
enum Part {
    Bytes(Vec<u8>),
    Number,
    Client,
    Captured,
}

/// Commands that are sent together: one round trip.
#[derive(Clone, Debug)]
pub struct RoundTrip {
    parts: Vec<Part>,
    /// How many replies come back.
    pub replies: usize,
    /// Whether the round trip after this one needs what the last reply holds.
    pub captures: bool,
}

impl RoundTrip {
    /// Appends the commands for one call.
    pub fn render(&self, out: &mut Vec<u8>, number: u64, client: u64, captured: &[u8]) {
        for part in &self.parts {
            match part {
                Part::Bytes(bytes) => out.extend_from_slice(bytes),
                Part::Number => push_digits(out, number),
                Part::Client => push_digits(out, client),
                Part::Captured => {
                    out.extend_from_slice(format!("${}\r\n", captured.len()).as_bytes());
                    out.extend_from_slice(captured);
                    out.extend_from_slice(b"\r\n");
                }
            }
        }
    }
}

fn push_digits(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
    out.extend_from_slice(&digits);
}

/// The commands of one call, round trip by round trip.
///
/// Words are separated by spaces. Within them `{n}` is the number of the key and `{c}` that of the
/// connection, twelve digits each; `{limit}` is the limit, `{state}` 24 bytes as a small state has,
/// `{value}` 200 bytes, `{doc}` a JSON object as long. `{captured}`, a word of its own, is the third
/// element of the array that the round trip before was answered with; `{lua:NAME}` runs a script.
pub fn compile(call: &[&[&str]], limit: u64) -> Vec<RoundTrip> {
    let mut round_trips: Vec<RoundTrip> = Vec::new();
    for lines in call {
        let mut bytes = Vec::new();
        for line in *lines {
            let line = substitute(line, limit);
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            encode(&mut bytes, &words);
        }
        let parts = cut(&bytes);
        let needs_capture = parts.iter().any(|part| matches!(part, Part::Captured));
        if let Some(before) = round_trips.last_mut() {
            before.captures = needs_capture;
        }
        round_trips.push(RoundTrip {
            parts,
            replies: lines.len(),
            captures: false,
        });
    }
    round_trips
}

fn substitute(line: &str, limit: u64) -> String {
    let mut line = (line.to_owned())
        .replace("{n}", &String::from_utf8_lossy(NUMBER_MARK))
        .replace("{c}", &String::from_utf8_lossy(CLIENT_MARK))
        .replace("{captured}", CAPTURED_MARK)
        .replace("{limit}", &limit.to_string())
        .replace("{limit-1}", &(limit - 1).to_string())
        .replace("{limit/2}", &(limit / 2).to_string())
        .replace("{state}", &"s".repeat(24))
        .replace("{value}", &"v".repeat(DOCUMENT.len()))
        .replace("{doc}", DOCUMENT);
    while let Some((before, rest)) = line.split_once("{lua:") {
        let (name, after) = rest.split_once('}').expect("a closing brace");
        line = format!("{before}EVALSHA {}{after}", lua::digest(name));
    }
    line
}

/// Cuts encoded commands at their marks.
fn cut(bytes: &[u8]) -> Vec<Part> {
    let captured = format!("${}\r\n{CAPTURED_MARK}\r\n", CAPTURED_MARK.len());
    let marks: [(&[u8], Part); 3] = [
        (NUMBER_MARK, Part::Number),
        (CLIENT_MARK, Part::Client),
        (captured.as_bytes(), Part::Captured),
    ];
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < bytes.len() {
        let found = marks.iter().find(|(mark, _)| bytes[at..].starts_with(mark));
        let Some((mark, part)) = found else {
            at += 1;
            continue;
        };
        parts.push(Part::Bytes(bytes[start..at].to_vec()));
        parts.push(part.clone());
        at += mark.len();
        start = at;
    }
    parts.push(Part::Bytes(bytes[start..].to_vec()));
    parts
}
