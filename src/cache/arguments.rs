//! The arguments of `APP.CACHE.*` behind the key.

use super::lease::Lease;
use crate::args::{Arguments, Cursor, MAX_DURATION_MS, set_once};
use crate::error::Error;

/// Where `APP.CACHE.GETORSET` has its value.
pub const GET_OR_SET_VALUE: usize = 2;
/// Where `APP.CACHE.FILL` has its value.
pub const FILL_VALUE: usize = 3;

/// `key value EX s|PX ms`: how long the value lives, in ms.
pub fn get_or_set<A: Arguments + ?Sized>(arguments: &A) -> Result<u64, Error> {
    let mut cursor = Cursor::new(arguments, GET_OR_SET_VALUE);
    cursor.value_of("value")?;
    lifetime(&mut cursor)
}

/// `key LEASE ms [WAIT ms] [EARLY ms]`
#[derive(Debug, PartialEq, Eq)]
pub struct GetOrLoad {
    /// How long a loader has, in ms.
    pub lease_ms: u64,
    /// How long to wait for the value, in ms; 0 is not at all.
    pub wait_ms: u64,
    /// How long before the end of the value to refresh it, in ms; 0 is not at all.
    pub early_ms: u64,
}

impl GetOrLoad {
    /// Parses a call.
    pub fn parse<A: Arguments + ?Sized>(arguments: &A) -> Result<Self, Error> {
        let mut cursor = Cursor::new(arguments, 2);
        let (mut lease, mut wait, mut early) = (None, None, None);
        while cursor.peek().is_some() {
            if cursor.take_keyword("LEASE") {
                set_once(&mut lease, "LEASE", span(&mut cursor, "LEASE", 1)?)?;
            } else if cursor.take_keyword("WAIT") {
                set_once(&mut wait, "WAIT", span(&mut cursor, "WAIT", 0)?)?;
            } else if cursor.take_keyword("EARLY") {
                set_once(&mut early, "EARLY", span(&mut cursor, "EARLY", 1)?)?;
            } else {
                return Err(cursor.unknown("LEASE, WAIT, EARLY"));
            }
        }
        let (option, needed) = ("APP.CACHE.GETORLOAD", "LEASE");
        Ok(GetOrLoad {
            lease_ms: lease.ok_or(Error::OptionNeeds { option, needed })?,
            wait_ms: wait.unwrap_or(0),
            early_ms: early.unwrap_or(0),
        })
    }

    /// Whether a value that lives for `ttl_ms` is to be refreshed; `None` is for ever.
    pub fn is_refresh_due(&self, ttl_ms: Option<u64>) -> bool {
        ttl_ms.is_some_and(|ttl_ms| ttl_ms < self.early_ms)
    }
}

/// `key lease value EX s|PX ms`
#[derive(Debug, PartialEq, Eq)]
pub struct Fill {
    /// The lease; `None` for a text that is none.
    pub lease: Option<Lease>,
    /// How long the value lives, in ms.
    pub lifetime_ms: u64,
}

impl Fill {
    /// Parses a call.
    pub fn parse<A: Arguments + ?Sized>(arguments: &A) -> Result<Self, Error> {
        let mut cursor = Cursor::new(arguments, 2);
        let lease = Lease::parse(cursor.value_of("lease")?);
        cursor.value_of("value")?;
        let lifetime_ms = lifetime(&mut cursor)?;
        Ok(Fill { lease, lifetime_ms })
    }
}

/// `key lease [BACKOFF ms]`
#[derive(Debug, PartialEq, Eq)]
pub struct Release {
    /// The lease; `None` for a text that is none.
    pub lease: Option<Lease>,
    /// How long nobody is to load, in ms.
    pub backoff_ms: Option<u64>,
}

impl Release {
    /// Parses a call.
    pub fn parse<A: Arguments + ?Sized>(arguments: &A) -> Result<Self, Error> {
        let mut cursor = Cursor::new(arguments, 2);
        let lease = Lease::parse(cursor.value_of("lease")?);
        let mut backoff_ms = None;
        while cursor.peek().is_some() {
            if cursor.take_keyword("BACKOFF") {
                set_once(&mut backoff_ms, "BACKOFF", span(&mut cursor, "BACKOFF", 1)?)?;
            } else {
                return Err(cursor.unknown("BACKOFF"));
            }
        }
        Ok(Release { lease, backoff_ms })
    }
}

fn span<A: Arguments + ?Sized>(
    cursor: &mut Cursor<'_, A>,
    option: &'static str,
    min: u64,
) -> Result<u64, Error> {
    cursor.integer(option, min, MAX_DURATION_MS)
}

/// The duration, and nothing behind it.
fn lifetime<A: Arguments + ?Sized>(cursor: &mut Cursor<'_, A>) -> Result<u64, Error> {
    let owner = "a value";
    let mut lifetime_ms = None;
    while cursor.peek().is_some() {
        match cursor.optional_duration_ms()? {
            None => return Err(cursor.unknown("EX, PX")),
            Some(ms) => {
                set_once(&mut lifetime_ms, "EX", ms).map_err(|_| Error::TwoDurations { owner })?
            }
        }
    }
    lifetime_ms.ok_or(Error::MissingDuration { owner })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEASE: &str = "00112233445566778899aabbccddeeff";

    fn words(line: &str) -> Vec<&[u8]> {
        line.split(' ').map(str::as_bytes).collect()
    }

    fn text<T>(result: Result<T, Error>) -> String {
        result.map_or_else(|error| error.to_string(), |_| "accepted".into())
    }

    #[test]
    fn options_come_in_any_case_and_order() {
        let line = words("x k early 3 Lease 1 WAIT 0");
        let (lease_ms, wait_ms, early_ms) = (1, 0, 3);
        let expected = GetOrLoad {
            lease_ms,
            wait_ms,
            early_ms,
        };
        assert_eq!(GetOrLoad::parse(line.as_slice()), Ok(expected));
        assert_eq!(get_or_set(words("x k v ex 2").as_slice()), Ok(2000));
        let line = format!("x k {LEASE} EX px 7");
        let lease = Lease::parse(LEASE.as_bytes());
        let lifetime_ms = 7;
        assert_eq!(
            Fill::parse(words(&line).as_slice()),
            Ok(Fill { lease, lifetime_ms })
        );
        let release = Release::parse(words("x k nonsense backoff 5").as_slice());
        let (lease, backoff_ms) = (None, Some(5));
        assert_eq!(release, Ok(Release { lease, backoff_ms }));
    }

    #[test]
    fn a_value_is_refreshed_only_shortly_before_its_end() {
        let parse = |line| GetOrLoad::parse(words(line).as_slice()).unwrap();
        let early = parse("x k LEASE 1 EARLY 100");
        assert!(early.is_refresh_due(Some(99)) && !early.is_refresh_due(Some(100)));
        assert!(!early.is_refresh_due(None));
        assert!(!parse("x k LEASE 1").is_refresh_due(Some(0)));
    }

    #[test]
    fn each_mistake_is_named() {
        let load = |line| text(GetOrLoad::parse(words(line).as_slice()));
        assert_eq!(load("x k WAIT 1"), "ERR APP.CACHE.GETORLOAD needs LEASE");
        assert_eq!(load("x k LEASE"), "ERR LEASE needs a value");
        assert_eq!(
            load("x k LEASE 0"),
            "ERR LEASE must be an integer from 1 to 315360000000"
        );
        assert_eq!(
            load("x k LEASE 1 WAIT -1"),
            "ERR WAIT must be an integer from 0 to 315360000000"
        );
        assert_eq!(load("x k LEASE 1 LEASE 1"), "ERR LEASE is given twice");
        assert_eq!(
            load("x k LEASE 1 EX 1"),
            "ERR unknown option 'EX'; accepted: LEASE, WAIT, EARLY"
        );
        let set = |line| text(get_or_set(words(line).as_slice()));
        assert_eq!(
            set("x k v"),
            "ERR a value needs EX seconds or PX milliseconds"
        );
        assert_eq!(
            set("x k v EX 1 PX 1"),
            "ERR a value takes exactly one EX or PX"
        );
        assert_eq!(
            set("x k v EX 1 NX"),
            "ERR unknown option 'NX'; accepted: EX, PX"
        );
        let fill = |line| text(Fill::parse(words(line).as_slice()));
        assert_eq!(
            fill("x k l v EX 0"),
            "ERR EX must be an integer from 1 to 315360000"
        );
        assert_eq!(
            fill("x k l EX 1"),
            "ERR unknown option '1'; accepted: EX, PX"
        );
        let release = |line| text(Release::parse(words(line).as_slice()));
        assert_eq!(
            release("x k l BACKOFF 0"),
            "ERR BACKOFF must be an integer from 1 to 315360000000"
        );
        assert_eq!(
            release("x k l WAIT 1"),
            "ERR unknown option 'WAIT'; accepted: BACKOFF"
        );
    }

    proptest! {
        #[test]
        fn any_arguments_are_parsed_or_refused(arguments: Vec<Vec<u8>>) {
            let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
            let arguments = arguments.as_slice();
            let _ = get_or_set(arguments);
            let _ = GetOrLoad::parse(arguments);
            let _ = Fill::parse(arguments);
            let _ = Release::parse(arguments);
        }
    }
}
