//! The arguments of `APP.SESSION.*` behind the key.

use std::num::NonZeroUsize;

use super::create::Limit;
use super::document::Document;
use super::handle::Handle;
use crate::args::{Arguments, Cursor, MAX_DURATION_MS, set_once};
use crate::error::Error;

const MIN_ID_BYTES: usize = 16;
const MAX_ID_BYTES: usize = 256;
const MAX_LIMIT: u64 = u32::MAX as u64;

/// `key EX s|PX ms [MAXAGE ms] [DATA json] [ID id] [LIMIT n [REJECT]]`
#[derive(Debug)]
pub struct Create<'a> {
    /// Idle timeout in ms.
    pub idle: i64,
    /// Absolute timeout in ms.
    pub max_age: Option<i64>,
    /// The document; `{}` if none is given.
    pub data: Document<'a>,
    /// The caller's own id.
    pub id: Option<&'a [u8]>,
    /// How many sessions the owner may have.
    pub limit: Option<Limit>,
}

impl<'a> Create<'a> {
    /// Parses a call; a document may have `max_bytes` bytes.
    pub fn parse<A: Arguments + ?Sized>(arguments: &'a A, max_bytes: usize) -> Result<Self, Error> {
        let mut cursor = Cursor::new(arguments, 2);
        let (mut idle, mut max_age, mut data, mut id) = (None, None, None, None);
        let (mut limit, mut reject) = (None, None);
        while cursor.peek().is_some() {
            if let Some(ms) = cursor.optional_duration_ms()? {
                set_duration(&mut idle, ms)?;
            } else if cursor.take_keyword("MAXAGE") {
                let ms = cursor.integer("MAXAGE", 1, MAX_DURATION_MS)?;
                set_once(&mut max_age, "MAXAGE", span(ms))?;
            } else if cursor.take_keyword("DATA") {
                let json = cursor.value_of("DATA")?;
                set_once(&mut data, "DATA", document("DATA", json, max_bytes)?)?;
            } else if cursor.take_keyword("ID") {
                set_once(&mut id, "ID", own_id(cursor.value_of("ID")?)?)?;
            } else if cursor.take_keyword("LIMIT") {
                set_once(&mut limit, "LIMIT", cursor.integer("LIMIT", 1, MAX_LIMIT)?)?;
            } else if cursor.take_keyword("REJECT") {
                set_once(&mut reject, "REJECT", ())?;
            } else {
                return Err(cursor.unknown("EX, PX, MAXAGE, DATA, ID, LIMIT, REJECT"));
            }
        }
        if reject.is_some() && limit.is_none() {
            let (option, needed) = ("REJECT", "LIMIT");
            return Err(Error::OptionNeeds { option, needed });
        }
        let owner = "a session";
        Ok(Create {
            idle: idle.ok_or(Error::MissingDuration { owner })?,
            max_age,
            data: data.unwrap_or(Document::EMPTY),
            id,
            limit: limit.and_then(|n| usize::try_from(n).ok()).and_then(|n| {
                Some(Limit {
                    sessions: NonZeroUsize::new(n)?,
                    reject: reject.is_some(),
                })
            }),
        })
    }
}

/// `key id [EX s|PX ms] [WITHMETA]`
#[derive(Debug)]
pub struct Touch {
    /// The session.
    pub handle: Handle,
    /// A new idle timeout in ms.
    pub timeout: Option<i64>,
    /// Whether the reply is a map with times and the handle.
    pub with_meta: bool,
}

impl Touch {
    /// Parses a call.
    pub fn parse<A: Arguments + ?Sized>(arguments: &A) -> Result<Self, Error> {
        let mut cursor = Cursor::new(arguments, 2);
        let handle = id(&mut cursor)?;
        let (mut timeout, mut with_meta) = (None, None);
        while cursor.peek().is_some() {
            if let Some(ms) = cursor.optional_duration_ms()? {
                set_duration(&mut timeout, ms)?;
            } else if cursor.take_keyword("WITHMETA") {
                set_once(&mut with_meta, "WITHMETA", ())?;
            } else {
                return Err(cursor.unknown("EX, PX, WITHMETA"));
            }
        }
        Ok(Touch {
            handle,
            timeout,
            with_meta: with_meta.is_some(),
        })
    }
}

/// `key id [WITHMETA]`
#[derive(Debug)]
pub struct Get {
    /// The session.
    pub handle: Handle,
    /// Whether the reply is a map with times and the handle.
    pub with_meta: bool,
}

impl Get {
    /// Parses a call.
    pub fn parse<A: Arguments + ?Sized>(arguments: &A) -> Result<Self, Error> {
        let mut cursor = Cursor::new(arguments, 2);
        let handle = id(&mut cursor)?;
        let mut with_meta = None;
        while cursor.peek().is_some() {
            if cursor.take_keyword("WITHMETA") {
                set_once(&mut with_meta, "WITHMETA", ())?;
            } else {
                return Err(cursor.unknown("WITHMETA"));
            }
        }
        Ok(Get {
            handle,
            with_meta: with_meta.is_some(),
        })
    }
}

/// `key id json [REPLACE] [KEEPTTL]`
#[derive(Debug)]
pub struct Update<'a> {
    /// The session.
    pub handle: Handle,
    /// The patch, or the new document.
    pub document: Document<'a>,
    /// The document takes the place of the old one.
    pub replace: bool,
    /// The deadline stays.
    pub keep_ttl: bool,
}

impl<'a> Update<'a> {
    /// Parses a call; a document may have `max_bytes` bytes.
    pub fn parse<A: Arguments + ?Sized>(arguments: &'a A, max_bytes: usize) -> Result<Self, Error> {
        let mut cursor = Cursor::new(arguments, 2);
        let handle = id(&mut cursor)?;
        let document = document("json", cursor.value_of("json")?, max_bytes)?;
        let (mut replace, mut keep_ttl) = (None, None);
        while cursor.peek().is_some() {
            if cursor.take_keyword("REPLACE") {
                set_once(&mut replace, "REPLACE", ())?;
            } else if cursor.take_keyword("KEEPTTL") {
                set_once(&mut keep_ttl, "KEEPTTL", ())?;
            } else {
                return Err(cursor.unknown("REPLACE, KEEPTTL"));
            }
        }
        Ok(Update {
            handle,
            document,
            replace: replace.is_some(),
            keep_ttl: keep_ttl.is_some(),
        })
    }
}

/// `key id [GRACE ms]`
#[derive(Debug)]
pub struct Rotate {
    /// The session.
    pub handle: Handle,
    /// How long the old id goes on naming the session, in ms.
    pub grace: Option<i64>,
}

impl Rotate {
    /// Parses a call.
    pub fn parse<A: Arguments + ?Sized>(arguments: &A) -> Result<Self, Error> {
        let mut cursor = Cursor::new(arguments, 2);
        let handle = id(&mut cursor)?;
        let mut grace = None;
        while cursor.peek().is_some() {
            if cursor.take_keyword("GRACE") {
                let ms = cursor.integer("GRACE", 1, MAX_DURATION_MS)?;
                set_once(&mut grace, "GRACE", span(ms))?;
            } else {
                return Err(cursor.unknown("GRACE"));
            }
        }
        Ok(Rotate { handle, grace })
    }
}

/// `key id | key HANDLE handle`: the handle, `None` for a text that is none.
pub fn revoke<A: Arguments + ?Sized>(arguments: &A) -> Result<Option<Handle>, Error> {
    let mut cursor = Cursor::new(arguments, 2);
    let first = cursor.value_of("id")?;
    if cursor.peek().is_none() {
        return Ok(Some(Handle::of_id(first)));
    }
    let mut cursor = Cursor::new(arguments, 2);
    if !cursor.take_keyword("HANDLE") {
        cursor.skip();
        return Err(cursor.unknown("either an id, or HANDLE and a handle"));
    }
    let handle = Handle::parse(cursor.value_of("HANDLE")?);
    match cursor.peek() {
        None => Ok(handle),
        Some(_) => Err(cursor.unknown("either an id, or HANDLE and a handle")),
    }
}

/// `key [option id]`: the handle of the session that the only option names.
pub fn one_option<A: Arguments + ?Sized>(
    arguments: &A,
    option: &'static str,
) -> Result<Option<Handle>, Error> {
    let mut cursor = Cursor::new(arguments, 2);
    let mut handle = None;
    while cursor.peek().is_some() {
        if cursor.take_keyword(option) {
            set_once(&mut handle, option, Handle::of_id(cursor.value_of(option)?))?;
        } else {
            return Err(cursor.unknown(option));
        }
    }
    Ok(handle)
}

fn id<A: Arguments + ?Sized>(cursor: &mut Cursor<'_, A>) -> Result<Handle, Error> {
    cursor.value_of("id").map(Handle::of_id)
}

/// Ids that others make have to be long enough not to be guessed.
fn own_id(id: &[u8]) -> Result<&[u8], Error> {
    let (min, max) = (MIN_ID_BYTES, MAX_ID_BYTES);
    let fits = (min..=max).contains(&id.len());
    let option = "ID";
    fits.then_some(id)
        .ok_or(Error::BytesOutOfRange { option, min, max })
}

fn document<'a>(
    argument: &'static str,
    json: &'a [u8],
    max_bytes: usize,
) -> Result<Document<'a>, Error> {
    Document::parse(json, max_bytes).map_err(|refused| Error::BadDocument {
        argument,
        why: refused.to_string(),
    })
}

fn set_duration(slot: &mut Option<i64>, ms: u64) -> Result<(), Error> {
    let twice = Error::TwoDurations { owner: "a session" };
    set_once(slot, "EX", span(ms)).map_err(|_| twice)
}

/// The parser has checked the range.
fn span(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Vec<&[u8]> {
        line.split(' ').map(str::as_bytes).collect()
    }

    fn create(line: &str) -> Result<String, String> {
        let words = words(line);
        let parsed = Create::parse(words.as_slice(), 100);
        parsed.map(|c| format!("{c:?}")).map_err(|e| e.to_string())
    }

    #[test]
    fn create_takes_its_options_in_any_case_and_order() {
        let words = words(r#"x k reject maxage 9 data {"a":1} id 0123456789abcdef limit 3 px 5"#);
        let parsed = Create::parse(words.as_slice(), 100).unwrap();
        assert_eq!((parsed.idle, parsed.max_age), (5, Some(9)));
        assert_eq!(parsed.data.as_str(), r#"{"a":1}"#);
        assert_eq!(parsed.id, Some(b"0123456789abcdef".as_slice()));
        let limit = parsed.limit.unwrap();
        assert_eq!((limit.sessions.get(), limit.reject), (3, true));
    }

    #[test]
    fn each_mistake_of_create_is_named() {
        for (line, text) in [
            (
                "x k LIMIT 1",
                "ERR a session needs EX seconds or PX milliseconds",
            ),
            ("x k EX 1 PX 1", "ERR a session takes exactly one EX or PX"),
            ("x k EX 0", "ERR EX must be an integer from 1 to 315360000"),
            (
                "x k EX 1 MAXAGE x",
                "ERR MAXAGE must be an integer from 1 to 315360000000",
            ),
            (
                "x k EX 1 LIMIT 0",
                "ERR LIMIT must be an integer from 1 to 4294967295",
            ),
            ("x k EX 1 REJECT", "ERR REJECT needs LIMIT"),
            ("x k EX 1 DATA", "ERR DATA needs a value"),
            ("x k EX 1 DATA []", "ERR DATA must be a JSON object"),
            ("x k EX 1 DATA {} DATA {}", "ERR DATA is given twice"),
            ("x k EX 1 ID short", "ERR ID must have 16 to 256 bytes"),
            (
                "x k EX 1 KEEP",
                "ERR unknown option 'KEEP'; accepted: EX, PX, MAXAGE, DATA, ID, LIMIT, REJECT",
            ),
        ] {
            assert_eq!(create(line), Err(text.to_string()), "{line}");
        }
        let long = format!(r#"x k EX 1 DATA {{"a":"{}"}}"#, "x".repeat(100));
        assert_eq!(
            create(&long),
            Err("ERR DATA must have at most 100 bytes".into())
        );
    }

    #[test]
    fn a_session_is_revoked_by_id_or_by_handle() {
        let by_id = revoke(words("x k an-id").as_slice()).unwrap();
        assert_eq!(by_id, Some(Handle::of_id(b"an-id")));
        let line = format!("x k handle {}", Handle::of_id(b"an-id"));
        assert_eq!(revoke(words(&line).as_slice()).unwrap(), by_id);
        assert_eq!(revoke(words("x k HANDLE what").as_slice()), Ok(None));
        assert_eq!(
            revoke(words("x k HANDLE").as_slice()),
            Ok(Some(Handle::of_id(b"HANDLE")))
        );
        for line in ["x k an-id another", "x k HANDLE h more"] {
            assert!(revoke(words(line).as_slice()).is_err(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_arguments_are_parsed_or_refused(arguments: Vec<Vec<u8>>) {
            let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
            let arguments = arguments.as_slice();
            let _ = Create::parse(arguments, 100);
            let _ = Touch::parse(arguments);
            let _ = Get::parse(arguments);
            let _ = Update::parse(arguments, 100);
            let _ = Rotate::parse(arguments);
            let _ = revoke(arguments);
            let _ = one_option(arguments, "EXCEPT");
        }
    }
}
