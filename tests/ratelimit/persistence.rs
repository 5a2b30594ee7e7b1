//! Limiters over restarts, on servers that have the module and on servers that do not.

use crate::caller::{ALGORITHMS, decide};
use crate::support::{Client, Server, Source, assert_survives, dataset};

/// Limiters of each algorithm with several rules; one of them refunded, one emptied.
fn populate(redis: &mut Client) {
    for algorithm in ALGORITHMS {
        let rest = format!("10 EX 3600 50 EX 7200 ALGO {algorithm}");
        for user in ["a", "b", "c\u{e9}"] {
            for _ in 0..3 {
                decide(
                    redis,
                    &format!("APP.RATELIMIT {algorithm}:{user} {rest} COST 2"),
                );
            }
        }
        decide(redis, &format!("APP.RATELIMIT.REFUND {algorithm}:b {rest}"));
        decide(
            redis,
            &format!("APP.RATELIMIT.REFUND {algorithm}:c\u{e9} {rest} COST 100"),
        );
    }
}

/// A call at the limiter of this algorithm that was charged alone.
fn call(command: &str, algorithm: &str) -> String {
    format!("{command} {algorithm}:a 10 EX 3600 50 EX 7200 ALGO {algorithm}")
}

fn assert_goes_on_counting(redis: &mut Client) {
    for algorithm in ALGORITHMS {
        let charged = decide(redis, &call("APP.RATELIMIT", algorithm));
        assert_eq!(charged.remaining, 3, "{algorithm}");
    }
}

/// The limiters of [`populate`] come back from `source` and go on counting.
fn assert_limiters_survive(source: Source) {
    let server = assert_survives(source, 8, populate, |redis| {
        ALGORITHMS.map(|algorithm| decide(redis, &call("APP.RATELIMIT.PEEK", algorithm)).remaining)
    });
    assert_goes_on_counting(&mut server.client());
}

#[test]
fn limiters_survive_a_restart_from_rdb() {
    assert_limiters_survive(Source::Rdb);
}

#[test]
fn limiters_survive_a_restart_from_aof() {
    assert_limiters_survive(Source::Aof);
}

#[test]
fn limiters_survive_a_crash_with_aof() {
    assert_limiters_survive(Source::AofOfKilled);
}

#[test]
fn limiters_survive_a_rewritten_aof_of_plain_commands() {
    assert_limiters_survive(Source::PlainAof);
}

#[test]
fn debug_reload_keeps_limiters() {
    let server = Server::start();
    let mut redis = server.client();
    populate(&mut redis);
    let before = dataset(&mut redis);
    redis.run("DEBUG RELOAD").ok();
    assert_eq!(dataset(&mut redis), before);
    assert_goes_on_counting(&mut redis);
}
