//! The text of a field of the hash.
//!
//! ```text
//! _         appkit:session:1 <latest deadline>
//! <handle>  created=<ms> seen=<ms> idle=<ms> expires=<ms>[ max=<ms>][ old=<handle>:<ms>[,…]]\n<JSON>
//! <handle>  now=<handle>
//! ```
//!
//! The first form of a handle's field is a session. The second is an id that has been rotated away
//! and still names its session for a while; it only says where to look, the deadlines of all old ids
//! are in the session's `old`. So an old id counts only if the session agrees: a leftover can
//! neither prolong itself nor attach to a session that came later under the same id.
//!
//! Times are Unix times in milliseconds, `idle` is a span. Reading is strict (this order, one space,
//! no sign, no leading zero): whatever reads is exactly what would be written, and all else is
//! damage.

use super::handle::{HANDLE_BYTES, Handle};
use crate::args::parse_integer;
use crate::decimal::Decimal;

/// The field that makes a hash one of sessions. No handle is one character long.
pub const INDEX_FIELD: &[u8] = b"_";

/// The tag at the start of [`INDEX_FIELD`]; the number is the version of all fields' format.
const INDEX_TAG: &[u8] = b"appkit:session:1";

/// Room for a header without old ids.
const HEADER_BYTES: usize = 128;

/// The most old ids that may name one session at a time.
///
/// Each rotation and the end of a session write to every one of them, so there is an end to it.
pub const MAX_OLD_IDS: usize = 64;

/// An id that has been rotated away, and until when it still names the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldId {
    pub handle: Handle,
    /// First instant (Unix ms) at which it names nothing any more.
    pub until: i64,
}

/// What is known about a session besides its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// When the session was made (Unix ms); a rotation keeps it.
    pub created: i64,
    /// When it was last used (Unix ms), as coarse as the throttle of its slide.
    pub seen: i64,
    /// Idle timeout in ms, at least 1.
    pub idle: i64,
    /// First instant (Unix ms) at which the session has ended, the absolute deadline included.
    pub expires: i64,
    /// Absolute deadline (Unix ms), if there is one.
    pub max: Option<i64>,
    /// At most [`MAX_OLD_IDS`]; some may have run out.
    pub old: Vec<OldId>,
}

impl Header {
    pub fn is_live(&self, now: i64) -> bool {
        now < self.expires
    }

    /// Whether `handle` is an old id that still names this session.
    pub fn answers_to(&self, handle: Handle, now: i64) -> bool {
        self.old
            .iter()
            .any(|old| old.handle == handle && now < old.until)
    }
}

/// A field that was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Record<'a> {
    Session(Header, &'a str),
    /// An old id; the session is in the field named here.
    Old(Handle),
}

/// Bytes that these commands did not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

impl<'a> Record<'a> {
    /// Reads a field other than [`INDEX_FIELD`].
    ///
    /// The document is not parsed again on each read: it must be UTF-8 between braces. What is
    /// inside is checked when a document is taken in and before one is patched.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Damaged> {
        if let Some(handle) = bytes.strip_prefix(b"now=") {
            return read_handle(handle).map(Self::Old);
        }
        let mut reader = Reader { rest: bytes };
        let header = reader.header()?;
        let data = std::str::from_utf8(reader.rest).map_err(|_| Damaged)?;
        if data.len() < 2 || !data.starts_with('{') || !data.ends_with('}') {
            return Err(Damaged);
        }
        Ok(Self::Session(header, data))
    }
}

/// The text of a session's field.
pub fn encode_session(header: &Header, data: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(data.len().saturating_add(HEADER_BYTES));
    put(&mut text, b"created=", header.created);
    put(&mut text, b" seen=", header.seen);
    put(&mut text, b" idle=", header.idle);
    put(&mut text, b" expires=", header.expires);
    if let Some(max) = header.max {
        put(&mut text, b" max=", max);
    }
    for (i, old) in header.old.iter().enumerate() {
        text.extend_from_slice(if i == 0 { b" old=" } else { b"," });
        text.extend_from_slice(old.handle.as_bytes());
        put(&mut text, b":", old.until);
    }
    text.push(b'\n');
    text.extend_from_slice(data);
    text
}

fn put(text: &mut Vec<u8>, name: &[u8], value: i64) {
    text.extend_from_slice(name);
    text.extend_from_slice(number(value).as_bytes());
}

/// The text of the field of an old id, whose session is in the field of `session`.
pub fn encode_old(session: Handle) -> Vec<u8> {
    [b"now=", session.as_bytes()].concat()
}

/// The text of [`INDEX_FIELD`]; `latest` is no earlier than the deadline of any live session.
pub fn encode_index(latest: i64) -> Vec<u8> {
    [INDEX_TAG, b" ", number(latest).as_bytes()].concat()
}

/// Times and spans are never negative.
fn number(number: i64) -> Decimal {
    Decimal::new(number.unsigned_abs())
}

/// Reads the latest deadline (Unix ms) from [`INDEX_FIELD`].
pub fn decode_index(bytes: &[u8]) -> Result<i64, Damaged> {
    let number = parse_integer(strip_tag(bytes).ok_or(Damaged)?).ok_or(Damaged)?;
    i64::try_from(number).map_err(|_| Damaged)
}

/// Whether the hash with this [`INDEX_FIELD`] is one of sessions, even if the rest is unreadable.
pub fn is_index(bytes: &[u8]) -> bool {
    strip_tag(bytes).is_some()
}

fn strip_tag(bytes: &[u8]) -> Option<&[u8]> {
    bytes.strip_prefix(INDEX_TAG)?.strip_prefix(b" ")
}

/// Takes a record apart from left to right.
struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    /// Everything before the document.
    fn header(&mut self) -> Result<Header, Damaged> {
        let created = self.number(b"created=")?;
        let seen = self.number(b" seen=")?;
        let idle = self.number(b" idle=")?;
        let expires = self.number(b" expires=")?;
        let max = self.optional(b" max=").then(|| self.digits()).transpose()?;
        let old = match self.optional(b" old=") {
            true => self.old_ids()?,
            false => Vec::new(),
        };
        self.expect(b"\n")?;
        if idle == 0 || max.is_some_and(|max| max < expires) {
            return Err(Damaged);
        }
        Ok(Header {
            created,
            seen,
            idle,
            expires,
            max,
            old,
        })
    }

    fn old_ids(&mut self) -> Result<Vec<OldId>, Damaged> {
        let mut old = Vec::new();
        loop {
            if old.len() == MAX_OLD_IDS {
                return Err(Damaged);
            }
            let (handle, rest) = self.rest.split_at_checked(HANDLE_BYTES).ok_or(Damaged)?;
            self.rest = rest;
            let handle = read_handle(handle)?;
            let until = self.number(b":")?;
            old.push(OldId { handle, until });
            if !self.optional(b",") {
                return Ok(old);
            }
        }
    }

    /// Takes `text` if it comes next.
    fn optional(&mut self, text: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, text: &[u8]) -> Result<(), Damaged> {
        self.optional(text).then_some(()).ok_or(Damaged)
    }

    /// A number behind `name`.
    fn number(&mut self, name: &[u8]) -> Result<i64, Damaged> {
        self.expect(name)?;
        self.digits()
    }

    /// A number, as far as its digits go. In one pass: four of them are read with every call.
    fn digits(&mut self) -> Result<i64, Damaged> {
        let mut number = 0u64;
        let end = self.rest.iter().position(|byte| {
            let digit = byte.wrapping_sub(b'0');
            if digit <= 9 {
                number = number.wrapping_mul(10).wrapping_add(digit.into());
            }
            digit > 9
        });
        let (digits, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        // Up to 19 digits fit, and no `i64` has more.
        match digits {
            [] | [b'0', _, ..] => Err(Damaged),
            digits if digits.len() > 19 => Err(Damaged),
            _ => i64::try_from(number).map_err(|_| Damaged),
        }
    }
}

fn read_handle(text: &[u8]) -> Result<Handle, Damaged> {
    Handle::parse(text).ok_or(Damaged)
}
