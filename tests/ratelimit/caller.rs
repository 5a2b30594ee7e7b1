//! A limiter's caller: commands by algorithm, replies by name.

use crate::support::{Client, Reply};

pub const ALGORITHMS: [&str; 4] = ["SLIDING", "FIXED", "EXACT", "GCRA"];

pub const COMMANDS: [&str; 3] = [
    "APP.RATELIMIT",
    "APP.RATELIMIT.PEEK",
    "APP.RATELIMIT.REFUND",
];

/// The seven integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    pub allowed: bool,
    pub limit: i64,
    pub remaining: i64,
    pub retry_after_ms: i64,
    pub reset_ms: i64,
    pub next_ms: i64,
    pub rule: i64,
}

impl Decision {
    #[track_caller]
    pub fn of(reply: &Reply) -> Decision {
        let [
            allowed,
            limit,
            remaining,
            retry_after_ms,
            reset_ms,
            next_ms,
            rule,
        ] = reply.ints()[..]
        else {
            panic!("expected seven integers, got {reply:?}");
        };
        assert!(matches!(allowed, 0 | 1), "{reply:?}");
        Decision {
            allowed: allowed == 1,
            limit,
            remaining,
            retry_after_ms,
            reset_ms,
            next_ms,
            rule,
        }
    }
}

/// Sends the words of `line` and reads a decision.
#[track_caller]
pub fn decide(redis: &mut Client, line: &str) -> Decision {
    Decision::of(&redis.run(line))
}

/// The serialized value at `key`, which names type, encoding and every byte (nil for no key).
#[track_caller]
pub fn dump(redis: &mut Client, key: impl redis::ToRedisArgs) -> Reply {
    redis.call(redis::cmd("DUMP").arg(key))
}
