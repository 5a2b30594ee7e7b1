//! Memory: what is in use, what calls leave behind, and a server that has none left.

use super::{Client, info};

pub const OOM: &str = "OOM command not allowed when used memory > 'maxmemory'.";

/// Lets the server have no memory left for writes, until `CONFIG SET maxmemory 0`.
#[track_caller]
pub fn fill_memory(redis: &mut Client) {
    redis
        .run("CONFIG SET maxmemory 1 maxmemory-policy noeviction")
        .ok();
    assert_eq!(redis.run("SET probe 1").error(), OOM);
}

/// Bytes in use, as the server's allocator counts them.
#[track_caller]
pub fn used_memory(redis: &mut Client) -> i64 {
    info(redis, "memory")["used_memory"]
        .parse()
        .expect("a number of bytes")
}

/// The bytes that about `calls` calls leave behind: `round`, again and again, after some rounds that
/// fill the server's own pools. The data set must be the same at the end of each round.
#[track_caller]
pub fn left_behind(redis: &mut Client, round: &[redis::Cmd], calls: usize) -> i64 {
    let mut used_after = |rounds: usize| {
        for _ in 0..rounds {
            redis.pipeline(round);
        }
        used_memory(redis)
    };
    let before = used_after(100);
    used_after(calls / round.len()) - before
}
