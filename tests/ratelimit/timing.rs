//! `retry_after_ms`, `reset_ms` and `next_ms` against the server's own clock. Every instant is
//! known to lie between two readings of that clock, so nothing here is tolerated.

use crate::caller::{ALGORITHMS, Decision};
use crate::support::{Client, Server, Timed, eventually, timed};

/// An instant known to lie in `first..=last` (Unix milliseconds).
#[derive(Clone, Copy, Debug)]
struct Instant {
    first: i64,
    last: i64,
}

impl Instant {
    fn after(call: &Timed, span_ms: i64) -> Instant {
        Instant {
            first: call.not_before + span_ms,
            last: call.not_after + span_ms,
        }
    }

    fn overlaps(self, other: Instant) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// Polls `peek` until it is allowed and checks that this happens at `due` and not a millisecond
/// sooner or later, and that every refusal on the way tells the same instant.
fn assert_allowed_exactly_at(redis: &mut Client, peek: &str, due: Instant) {
    eventually("the limiter lets the call through", || {
        let call = timed(redis, peek);
        let decision = Decision::of(&call.reply);
        if decision.allowed {
            assert!(
                call.not_after >= due.first,
                "{peek}: too soon, due {due:?}, got {decision:?}"
            );
        } else {
            assert!(
                call.not_before < due.last,
                "{peek}: too late, due {due:?}, got {decision:?}"
            );
            let told = Instant::after(&call, decision.retry_after_ms);
            assert!(told.overlaps(due), "{peek}: told {told:?}, due {due:?}");
        }
        decision.allowed
    });
}

#[test]
fn retry_after_is_exact_to_the_millisecond() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        for (rules, cost) in [("5 PX 200", 1), ("7 PX 170", 3), ("4 PX 150 9 PX 400", 4)] {
            let key = format!("{algorithm}:{cost}");
            let charge = format!("APP.RATELIMIT {key} {rules} ALGO {algorithm}");
            let refused = loop {
                let call = timed(&mut redis, &charge);
                if !Decision::of(&call.reply).allowed {
                    break timed(&mut redis, &format!("{charge} COST {cost}"));
                }
            };
            let retry_after_ms = Decision::of(&refused.reply).retry_after_ms;
            assert!(retry_after_ms > 0, "{charge} COST {cost}");
            let due = Instant::after(&refused, retry_after_ms);
            let peek = format!("APP.RATELIMIT.PEEK {key} {rules} ALGO {algorithm} COST {cost}");
            assert_allowed_exactly_at(&mut redis, &peek, due);
        }
    }
}

#[test]
fn a_call_that_comes_when_told_is_allowed() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        let charge = format!("APP.RATELIMIT {algorithm} 2 PX 60 ALGO {algorithm}");
        let mut waits = 0;
        while waits < 3 {
            let decision = Decision::of(&redis.run(&charge));
            if !decision.allowed {
                waits += 1;
                let wait = u64::try_from(decision.retry_after_ms).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(wait));
                assert!(
                    Decision::of(&redis.run(&charge)).allowed,
                    "{algorithm}: came when told"
                );
            }
        }
    }
}

#[test]
fn reset_and_next_come_true_at_the_millisecond_told() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        let rest = format!("{algorithm} 4 PX 120 ALGO {algorithm}");
        let charged = timed(&mut redis, &format!("APP.RATELIMIT {rest} COST 3"));
        let told = Decision::of(&charged.reply);
        assert!(told.allowed && told.remaining == 1, "{algorithm}");
        let next = Instant::after(&charged, told.next_ms);
        let reset = Instant::after(&charged, told.reset_ms);
        assert!(
            told.next_ms > 0 && told.next_ms <= told.reset_ms,
            "{algorithm}: {told:?}"
        );
        eventually("the limiter is whole again", || {
            let call = timed(&mut redis, &format!("APP.RATELIMIT.PEEK {rest}"));
            let now = Decision::of(&call.reply);
            if now.remaining > 1 {
                assert!(
                    call.not_after >= next.first,
                    "{algorithm}: grew too soon: {now:?}"
                );
            } else {
                assert!(
                    call.not_before < next.last,
                    "{algorithm}: grew too late: {now:?}"
                );
            }
            let whole = now.remaining == 4 && now.reset_ms == 0 && now.next_ms == 0;
            if whole {
                assert!(
                    call.not_after >= reset.first,
                    "{algorithm}: whole too soon: {now:?}"
                );
            } else {
                assert!(
                    call.not_before < reset.last,
                    "{algorithm}: whole too late: {now:?}"
                );
            }
            whole
        });
    }
}
