//! A cursor over the arguments of a call.
//!
//! It knows nothing of the server: whatever can hand out the i-th argument as bytes will do.

use crate::error::{Error, Printable};

/// Longest duration anywhere: ten years of 365 days, in milliseconds.
pub const MAX_DURATION_MS: u64 = 315_360_000_000;

/// The arguments of one call, the command's name at index 0.
pub trait Arguments {
    /// The bytes of argument `index`, or `None` past the end.
    fn get(&self, index: usize) -> Option<&[u8]>;
}

impl Arguments for [&[u8]] {
    fn get(&self, index: usize) -> Option<&[u8]> {
        self.get(index).copied()
    }
}

/// Reads arguments from left to right.
///
/// Keeps the argument it stands in front of: fetching one is a call into the server.
pub struct Cursor<'a, A: Arguments + ?Sized> {
    arguments: &'a A,
    position: usize,
    argument: Option<&'a [u8]>,
}

impl<'a, A: Arguments + ?Sized> Cursor<'a, A> {
    /// A cursor in front of argument `first`.
    pub fn new(arguments: &'a A, first: usize) -> Self {
        Cursor {
            arguments,
            position: first,
            argument: arguments.get(first),
        }
    }

    /// The next argument, left where it is.
    pub fn peek(&self) -> Option<&'a [u8]> {
        self.argument
    }

    /// Steps over one argument.
    pub fn skip(&mut self) {
        self.position = self.position.saturating_add(1);
        self.argument = self.arguments.get(self.position);
    }

    /// The next argument, taken.
    pub fn next(&mut self) -> Option<&'a [u8]> {
        let argument = self.peek()?;
        self.skip();
        Some(argument)
    }

    /// Takes the next argument if it is `keyword`, in any case.
    pub fn take_keyword(&mut self, keyword: &str) -> bool {
        let found = self
            .peek()
            .is_some_and(|argument| is_keyword(argument, keyword));
        if found {
            self.skip();
        }
        found
    }

    /// The error for the next argument being none of the accepted ones.
    pub fn unknown(&self, accepted: &'static str) -> Error {
        Error::UnknownOption {
            given: Printable::new(self.peek().unwrap_or_default()),
            accepted,
        }
    }

    /// The value of `option`.
    pub fn value_of(&mut self, option: &'static str) -> Result<&'a [u8], Error> {
        self.next().ok_or(Error::MissingValue { option })
    }

    /// The value of `option`, an integer from `min` to `max`.
    pub fn integer(&mut self, option: &'static str, min: u64, max: u64) -> Result<u64, Error> {
        let value = self.value_of(option)?;
        parse_integer(value)
            .filter(|n| (min..=max).contains(n))
            .ok_or(Error::NotAnInteger { option, min, max })
    }

    /// `EX seconds` or `PX milliseconds`, in milliseconds. `owner` names what the duration is for.
    pub fn duration_ms(&mut self, owner: &'static str) -> Result<u64, Error> {
        let duration = self.optional_duration_ms()?;
        duration.ok_or(Error::MissingDuration { owner })
    }

    /// `EX seconds` or `PX milliseconds`, in milliseconds, or `None` if neither comes next.
    pub fn optional_duration_ms(&mut self) -> Result<Option<u64>, Error> {
        const MAX_SECONDS: u64 = MAX_DURATION_MS / 1000;
        if self.take_keyword("EX") {
            let seconds = self.integer("EX", 1, MAX_SECONDS)?;
            Ok(Some(seconds.saturating_mul(1000)))
        } else if self.take_keyword("PX") {
            self.integer("PX", 1, MAX_DURATION_MS).map(Some)
        } else {
            Ok(None)
        }
    }
}

/// Whether `argument` is `keyword`, in any case.
pub fn is_keyword(argument: &[u8], keyword: &str) -> bool {
    argument.eq_ignore_ascii_case(keyword.as_bytes())
}

/// A decimal integer as the server itself writes one: digits alone, no sign, no leading zero.
pub fn parse_integer(bytes: &[u8]) -> Option<u64> {
    match bytes {
        [] => None,
        [b'0'] => Some(0),
        [b'0', ..] => None,
        // As many digits as always fit.
        digits if digits.len() < 20 => digits.iter().try_fold(0u64, |value, digit| {
            let digit = digit_of(*digit)?;
            Some(value.wrapping_mul(10).wrapping_add(digit))
        }),
        digits => digits.iter().try_fold(0u64, |value, digit| {
            value.checked_mul(10)?.checked_add(digit_of(*digit)?)
        }),
    }
}

fn digit_of(byte: u8) -> Option<u64> {
    let digit = byte.wrapping_sub(b'0');
    (digit <= 9).then_some(u64::from(digit))
}

/// Sets an option that may be given once.
pub fn set_once<T>(slot: &mut Option<T>, option: &'static str, value: T) -> Result<(), Error> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::GivenTwice { option }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cursor<'a>(arguments: &'a [&'a [u8]]) -> Cursor<'a, [&'a [u8]]> {
        Cursor::new(arguments, 0)
    }

    #[test]
    fn durations_are_milliseconds() {
        assert_eq!(cursor(&[b"ex", b"60"]).duration_ms("a rule"), Ok(60_000));
        assert_eq!(cursor(&[b"Px", b"1"]).duration_ms("a rule"), Ok(1));
        assert_eq!(
            cursor(&[b"EX", b"315360000"]).duration_ms("a rule"),
            Ok(MAX_DURATION_MS)
        );
    }

    #[test]
    fn durations_out_of_range_name_their_unit() {
        let too_long = cursor(&[b"EX", b"315360001"]).duration_ms("a rule");
        assert_eq!(
            too_long.map_err(|e| e.to_string()),
            Err("ERR EX must be an integer from 1 to 315360000".into())
        );
        let none = cursor(&[b"PX", b"0"]).duration_ms("a rule");
        assert_eq!(
            none.map_err(|e| e.to_string()),
            Err("ERR PX must be an integer from 1 to 315360000000".into())
        );
        let missing = cursor(&[b"KEEPTTL"]).duration_ms("a rule");
        assert_eq!(
            missing.map_err(|e| e.to_string()),
            Err("ERR a rule needs EX seconds or PX milliseconds".into())
        );
    }

    #[test]
    fn an_option_without_value_is_named() {
        let missing = cursor(&[]).integer("COST", 1, 9);
        assert_eq!(
            missing.map_err(|e| e.to_string()),
            Err("ERR COST needs a value".into())
        );
    }

    #[test]
    fn integers_are_plain_digits() {
        for text in [
            "",
            "-1",
            "+1",
            "01",
            "1.0",
            " 1",
            "1 ",
            "0x1",
            "18446744073709551616",
        ] {
            assert_eq!(parse_integer(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse_integer(b"0"), Some(0));
        assert_eq!(
            parse_integer(b"9999999999999999999"),
            Some(9_999_999_999_999_999_999)
        );
        assert_eq!(parse_integer(b"18446744073709551615"), Some(u64::MAX));
    }

    proptest! {
        #[test]
        fn integers_round_trip(n: u64) {
            prop_assert_eq!(parse_integer(n.to_string().as_bytes()), Some(n));
        }

        #[test]
        fn any_bytes_are_an_integer_or_not(bytes: Vec<u8>) {
            if let Some(n) = parse_integer(&bytes) {
                prop_assert_eq!(n.to_string().into_bytes(), bytes);
            }
        }
    }
}
