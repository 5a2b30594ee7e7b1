//! The arguments of the lock commands.

use crate::args::{Arguments, Cursor, MAX_DURATION_MS, set_once};
use crate::error::Error;

/// Longest token in bytes.
pub const MAX_TOKEN_LEN: usize = 256;

/// Where the token stands in each command.
pub const TOKEN: usize = 2;

/// `key token EX s|PX ms [WAIT ms]`, or `key token EX s|PX ms`
#[derive(Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The caller's own name for its hold.
    pub token: &'a [u8],
    /// How long the hold lasts from when it begins, or from now on.
    pub lifetime_ms: u64,
    /// How long to stand in line; 0 is not at all.
    pub wait_ms: u64,
}

impl<'a> Asked<'a> {
    /// Parses everything behind the key of `APP.LOCK`.
    pub fn of_lock<A: Arguments + ?Sized>(arguments: &'a A) -> Result<Asked<'a>, Error> {
        Asked::parse(arguments, "APP.LOCK", true)
    }

    /// Parses everything behind the key of `APP.LOCK.EXTEND`.
    pub fn of_extend<A: Arguments + ?Sized>(arguments: &'a A) -> Result<Asked<'a>, Error> {
        Asked::parse(arguments, "APP.LOCK.EXTEND", false)
    }

    fn parse<A: Arguments + ?Sized>(
        arguments: &'a A,
        command: &'static str,
        may_wait: bool,
    ) -> Result<Asked<'a>, Error> {
        let token = token(arguments)?;
        let mut cursor = Cursor::new(arguments, TOKEN.saturating_add(1));
        let (mut lifetime_ms, mut wait_ms) = (None, None);
        while cursor.peek().is_some() {
            if let Some(duration_ms) = cursor.optional_duration_ms()? {
                let twice = Error::TwoDurations { owner: command };
                set_once(&mut lifetime_ms, "EX", duration_ms).map_err(|_| twice)?;
            } else if may_wait && cursor.take_keyword("WAIT") {
                let value = cursor.integer("WAIT", 0, MAX_DURATION_MS)?;
                set_once(&mut wait_ms, "WAIT", value)?;
            } else {
                return Err(cursor.unknown(if may_wait { "EX, PX, WAIT" } else { "EX, PX" }));
            }
        }
        Ok(Asked {
            token,
            lifetime_ms: lifetime_ms.ok_or(Error::MissingDuration { owner: command })?,
            wait_ms: wait_ms.unwrap_or(0),
        })
    }
}

/// The token of a call.
pub fn token<A: Arguments + ?Sized>(arguments: &A) -> Result<&[u8], Error> {
    let token = arguments.get(TOKEN).unwrap_or_default();
    match token.len() {
        1..=MAX_TOKEN_LEN => Ok(token),
        _ => Err(Error::BytesOutOfRange {
            option: "token",
            min: 1,
            max: MAX_TOKEN_LEN,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn acquire(line: &str) -> Result<(u64, u64), String> {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let parsed = Asked::of_lock(words.as_slice());
        parsed
            .map(|a| (a.lifetime_ms, a.wait_ms))
            .map_err(|e| e.to_string())
    }

    fn prolong(line: &str) -> Result<u64, String> {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let parsed = Asked::of_extend(words.as_slice());
        parsed.map(|p| p.lifetime_ms).map_err(|e| e.to_string())
    }

    #[test]
    fn options_come_in_any_order_and_case() {
        assert_eq!(acquire("APP.LOCK k t EX 2"), Ok((2000, 0)));
        assert_eq!(acquire("APP.LOCK k t wait 0 px 5"), Ok((5, 0)));
        assert_eq!(acquire("APP.LOCK k t PX 5 WAIT 70"), Ok((5, 70)));
        assert_eq!(prolong("APP.LOCK.EXTEND k t ex 1"), Ok(1000));
    }

    #[test]
    fn wrong_use_names_the_argument_and_what_is_accepted() {
        let lock = |rest: &str, error: &str| {
            assert_eq!(acquire(&format!("APP.LOCK k {rest}")), Err(error.into()));
        };
        lock("t", "ERR APP.LOCK needs EX seconds or PX milliseconds");
        lock(
            "t WAIT 5",
            "ERR APP.LOCK needs EX seconds or PX milliseconds",
        );
        lock("t EX 1 PX 1000", "ERR APP.LOCK takes exactly one EX or PX");
        lock("t EX", "ERR EX needs a value");
        lock("t EX 0", "ERR EX must be an integer from 1 to 315360000");
        lock("t EX 1 WAIT", "ERR WAIT needs a value");
        lock(
            "t EX 1 WAIT -1",
            "ERR WAIT must be an integer from 0 to 315360000000",
        );
        lock("t EX 1 WAIT 1 WAIT 1", "ERR WAIT is given twice");
        lock(
            "t EX 1 NX",
            "ERR unknown option 'NX'; accepted: EX, PX, WAIT",
        );
        assert_eq!(
            prolong("APP.LOCK.EXTEND k t EX 1 WAIT 1"),
            Err("ERR unknown option 'WAIT'; accepted: EX, PX".into())
        );
        assert_eq!(
            prolong("APP.LOCK.EXTEND k t"),
            Err("ERR APP.LOCK.EXTEND needs EX seconds or PX milliseconds".into())
        );
    }

    #[test]
    fn tokens_have_1_to_256_bytes() {
        let length_error = Err("ERR token must have 1 to 256 bytes".to_string());
        let longest = "t".repeat(256);
        assert_eq!(acquire("APP.LOCK k  EX 1"), length_error);
        assert_eq!(
            acquire(&format!("APP.LOCK k {longest}t EX 1")),
            length_error
        );
        assert_eq!(
            acquire(&format!("APP.LOCK k {longest} EX 1")),
            Ok((1000, 0))
        );
    }

    proptest! {
        #[test]
        fn any_arguments_are_parsed_or_refused(arguments: Vec<Vec<u8>>) {
            let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
            let _ = Asked::of_lock(arguments.as_slice());
            let _ = Asked::of_extend(arguments.as_slice());
            let _ = token(arguments.as_slice());
        }

        #[test]
        fn any_words_are_parsed_or_refused(
            words in prop::collection::vec(
                prop::sample::select(vec!["1", "0", "99999999999999999999", "EX", "PX", "WAIT", "-"]),
                0..8,
            ),
        ) {
            if let Ok((lifetime_ms, wait_ms)) = acquire(&format!("x k t {}", words.join(" "))) {
                prop_assert!((1..=MAX_DURATION_MS).contains(&lifetime_ms));
                prop_assert!(wait_ms <= MAX_DURATION_MS);
            }
        }
    }
}
