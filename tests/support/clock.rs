//! The clock, and calls between two readings of it.

use std::ops::RangeInclusive;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Client, Reply, words};

/// A reply and two readings of the server's clock around it (Unix milliseconds): the instant that
/// the command read lies between them, so times and spans can be checked without any tolerance.
pub struct Timed {
    pub reply: Reply,
    pub not_before: i64,
    pub not_after: i64,
}

impl Timed {
    /// Where the instant of the call plus `span_ms` lies.
    pub fn plus(&self, span_ms: i64) -> RangeInclusive<i64> {
        self.not_before + span_ms..=self.not_after + span_ms
    }
}

/// Sends the words of `line`.
#[track_caller]
pub fn timed(redis: &mut Client, line: &str) -> Timed {
    let replies = redis.pipeline(&[words("TIME"), words(line), words("TIME")]);
    Timed {
        reply: replies[1].clone(),
        not_before: unix_ms(&replies[0]),
        not_after: unix_ms(&replies[2]),
    }
}

fn unix_ms(time: &Reply) -> i64 {
    let part = |index: usize| time.items()[index].text().parse::<i64>().expect("a number");
    part(0) * 1000 + part(1) / 1000
}

/// The machine's clock, which is the servers' too, in Unix milliseconds.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.expect("after 1970").as_millis()).expect("before the year 292 million")
}
