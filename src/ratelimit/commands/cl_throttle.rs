//! `CL.THROTTLE`: the arguments and the reply of redis-cell's command, for callers who move over.
//!
//! redis-cell counts the bucket without its first token, so `max_burst` is one less than what can be
//! charged at once, and answers in whole seconds. Everything else is `APP.RATELIMIT … ALGO GCRA`,
//! which shares its limiters: same key, same window.

use super::super::decision::{Decision, NEVER};
use super::super::rule::{Algorithm, MAX_WINDOW_MS, Request, Rule};
use super::{charge, peek};
use crate::args::{Arguments, Cursor};
use crate::command::{Arg, Flags, KeyAccess, Keys, Spec};
use crate::error::Error;
use crate::server::{Call, Command};

const MAX_UNITS: u64 = u32::MAX as u64;
const MAX_PERIOD_S: u64 = MAX_WINDOW_MS / 1000;

/// `CL.THROTTLE`: charges, or refuses and writes nothing; with quantity 0 only looks.
pub struct ClThrottle;

impl Command for ClThrottle {
    const SPEC: Spec = Spec {
        name: c"cl.throttle",
        summary: c"Charges a GCRA rate limiter with the arguments and the reply of redis-cell",
        complexity: c"O(1)",
        since: c"0.1.0",
        arity: -5,
        flags: Flags::WRITE_FAST,
        keys: Keys::one(KeyAccess::ReadWrite),
        args: &[
            Arg::key(),
            Arg::integer(c"max_burst"),
            Arg::integer(c"count_per_period"),
            Arg::integer(c"period"),
            Arg::integer(c"quantity").optional(),
        ],
    };

    fn run(call: &Call<'_>) -> Result<(), Error> {
        let throttle = Throttle::parse(call)?;
        let request = Request {
            algorithm: Algorithm::Gcra,
            rules: &[throttle.rule],
            cost: throttle.quantity.max(1),
        };
        let looks_only = throttle.quantity == 0;
        let decision = if looks_only {
            peek(call, &request)?
        } else {
            charge(call, &request)?
        };
        reply(call, &decision, looks_only)
    }
}

/// A parsed call.
#[derive(Debug, PartialEq, Eq)]
struct Throttle {
    rule: Rule,
    quantity: u32,
}

impl Throttle {
    fn parse<A: Arguments + ?Sized>(arguments: &A) -> Result<Throttle, Error> {
        let mut cursor = Cursor::new(arguments, 2);
        let max_burst = cursor.integer("max_burst", 0, MAX_UNITS.saturating_sub(1))?;
        let count = cursor.integer("count_per_period", 1, MAX_UNITS)?;
        let period = cursor.integer("period", 1, MAX_PERIOD_S)?;
        let quantity = match cursor.peek() {
            Some(_) => cursor.integer("quantity", 0, MAX_UNITS)?,
            None => 1,
        };
        if cursor.peek().is_some() {
            return Err(cursor.unknown("nothing behind quantity"));
        }
        let window_ms = period.saturating_mul(1000);
        let capacity = units(max_burst.saturating_add(1));
        Ok(Throttle {
            rule: Rule::new(units(count), window_ms, Some(capacity)),
            quantity: units(quantity),
        })
    }
}

/// The caller has checked the range.
fn units(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn reply(call: &Call<'_>, decision: &Decision, looks_only: bool) -> Result<(), Error> {
    let standing = decision.binding_standing().ok_or(Error::Internal)?;
    let allowed = decision.allowed || looks_only;
    call.reply_array(5);
    call.reply_integer(i64::from(!allowed));
    call.reply_integer(i64::from(standing.capacity));
    call.reply_integer(i64::from(standing.remaining));
    call.reply_integer(match decision.retry_after_ms {
        _ if allowed => -1,
        NEVER => -1,
        wait_ms => whole_seconds(wait_ms),
    });
    call.reply_integer(whole_seconds(standing.reset_ms));
    Ok(())
}

/// Rounded up, so that nobody comes back too early.
fn whole_seconds(span_ms: i64) -> i64 {
    let seconds = span_ms.div_euclid(1000);
    seconds.saturating_add(i64::from(span_ms.rem_euclid(1000) > 0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]

    use super::*;
    use proptest::prelude::*;

    fn parse(line: &str) -> Result<Throttle, String> {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        Throttle::parse(words.as_slice()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_bucket_holds_one_more_than_max_burst() {
        let throttle = parse("x k 15 30 60").unwrap();
        assert_eq!(throttle.rule, Rule::new(30, 60_000, Some(16)));
        assert_eq!(throttle.quantity, 1);
        assert_eq!(parse("x k 0 1 1 0").unwrap().quantity, 0);
        let most = parse("x k 4294967294 4294967295 315360000 4294967295").unwrap();
        assert_eq!(most.rule.capacity(), u32::MAX);
    }

    #[test]
    fn each_mistake_is_named() {
        for (line, text) in [
            (
                "x k -1 30 60",
                "ERR max_burst must be an integer from 0 to 4294967294",
            ),
            (
                "x k 4294967295 30 60",
                "ERR max_burst must be an integer from 0 to 4294967294",
            ),
            (
                "x k 15 0 60",
                "ERR count_per_period must be an integer from 1 to 4294967295",
            ),
            (
                "x k 15 30 0",
                "ERR period must be an integer from 1 to 315360000",
            ),
            (
                "x k 15 30 60 -1",
                "ERR quantity must be an integer from 0 to 4294967295",
            ),
            (
                "x k 15 30 60 1 FULL",
                "ERR unknown option 'FULL'; accepted: nothing behind quantity",
            ),
        ] {
            assert_eq!(parse(line), Err(text.to_owned()), "{line}");
        }
    }

    #[test]
    fn seconds_are_rounded_up() {
        for (span_ms, seconds) in [
            (0, 0),
            (1, 1),
            (1000, 1),
            (1001, 2),
            (i64::MAX - 807, i64::MAX / 1000),
        ] {
            assert_eq!(whole_seconds(span_ms), seconds, "{span_ms}");
        }
        assert!(whole_seconds(i64::MAX) > i64::MAX / 1000);
    }

    proptest! {
        #[test]
        fn any_arguments_are_parsed_or_refused(arguments: Vec<Vec<u8>>, numbers: [i64; 4]) {
            let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
            let _ = Throttle::parse(arguments.as_slice());
            let [burst, count, period, quantity] = numbers;
            let _ = parse(&format!("x k {burst} {count} {period} {quantity}"));
        }
    }
}
