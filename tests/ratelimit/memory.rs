//! At full memory, and how much memory a limiter takes.

use crate::caller::{ALGORITHMS, decide};
use crate::support::{OOM, ReplicationStream, Server, eventually, fill_memory, left_behind, words};

#[test]
fn at_full_memory_only_a_new_limiter_is_refused() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        decide(
            &mut redis,
            &format!("APP.RATELIMIT old:{algorithm} 5 EX 3600 ALGO {algorithm}"),
        );
    }
    fill_memory(&mut redis);
    let mut stream = ReplicationStream::attach(&server);
    for algorithm in ALGORITHMS {
        let new = format!("new:{algorithm} 5 EX 3600 ALGO {algorithm}");
        assert_eq!(
            redis.run(&format!("APP.RATELIMIT {new}")).error(),
            OOM,
            "{algorithm}"
        );
        assert_eq!(
            decide(&mut redis, &format!("APP.RATELIMIT.PEEK {new}")).remaining,
            5
        );
        assert_eq!(
            decide(&mut redis, &format!("APP.RATELIMIT.REFUND {new}")).remaining,
            5
        );
        // A refusal makes no limiter, so it is a reply and not an error.
        assert!(!decide(&mut redis, &format!("APP.RATELIMIT {new} COST 6")).allowed);
        assert_eq!(redis.run(&format!("EXISTS new:{algorithm}")).int(), 0);
    }
    assert!(stream.take(&mut redis).is_empty());
    for algorithm in ALGORITHMS {
        let old = format!("old:{algorithm} 5 EX 3600 ALGO {algorithm}");
        for remaining in [3, 2, 1, 0] {
            let charged = decide(&mut redis, &format!("APP.RATELIMIT {old}"));
            assert_eq!(
                (charged.allowed, charged.remaining),
                (true, remaining),
                "{algorithm}"
            );
        }
        assert!(
            !decide(&mut redis, &format!("APP.RATELIMIT {old}")).allowed,
            "{algorithm}"
        );
        assert_eq!(
            decide(&mut redis, &format!("APP.RATELIMIT.PEEK {old}")).remaining,
            0
        );
        assert_eq!(
            decide(&mut redis, &format!("APP.RATELIMIT.REFUND {old} COST 2")).remaining,
            2
        );
        assert_eq!(
            decide(&mut redis, &format!("APP.RATELIMIT.REFUND {old} COST 9")).remaining,
            5
        );
        assert_eq!(
            redis.run(&format!("APP.RATELIMIT {old}")).error(),
            OOM,
            "new once more"
        );
    }
}

#[test]
fn transactions_meet_the_same_rule() {
    let server = Server::start();
    let mut redis = server.client();
    decide(&mut redis, "APP.RATELIMIT old 5 EX 3600");
    redis.run("MULTI").ok();
    redis.run("APP.RATELIMIT old 5 EX 3600");
    redis.run("APP.RATELIMIT new 5 EX 3600");
    // Only now: servers at full memory queue no more commands, whichever they are.
    fill_memory(&mut server.client());
    let replies = redis.run("EXEC");
    assert_eq!(replies.items()[0].ints()[2], 3);
    assert_eq!(replies.items()[1].error(), OOM);
    assert_eq!(redis.run("EXISTS new").int(), 0);
}

#[test]
fn scripts_meet_the_same_rule() {
    let server = Server::start();
    let mut redis = server.client();
    decide(&mut redis, "APP.RATELIMIT old 5 EX 3600");
    fill_memory(&mut redis);
    let script = "return redis.call('APP.RATELIMIT', KEYS[1], 5, 'EX', 3600)";
    let mut eval = |key: &str| redis.call(redis::cmd("EVAL").arg(script).arg(1).arg(key));
    assert_eq!(eval("old").ints()[2], 3);
    assert!(eval("new").error().starts_with("OOM "), "{:?}", eval("new"));
    assert_eq!(redis.run("EXISTS new").int(), 0);
}

#[test]
fn at_full_memory_a_limiter_that_ran_out_is_a_new_one() {
    let server = Server::start();
    let mut redis = server.client();
    redis.run("DEBUG SET-ACTIVE-EXPIRE 0").ok();
    decide(&mut redis, "APP.RATELIMIT k 5 PX 1 ALGO FIXED");
    eventually("the limiter has run out", || {
        redis.run("PTTL k").int() == -2
    });
    fill_memory(&mut redis);
    assert_eq!(redis.run("APP.RATELIMIT k 5 EX 60 ALGO FIXED").error(), OOM);
    assert_eq!(redis.run("EXISTS k").int(), 0);
}

/// The promised bytes of state for each rule, plus what names the format.
#[test]
fn state_stays_within_its_promised_size() {
    const HEADER: usize = 16;
    let server = Server::start();
    let mut redis = server.client();
    for (algorithm, limit, bound) in [
        ("SLIDING", 65_535, 96),
        ("SLIDING", 4_294_967_295_u32, 160),
        ("FIXED", 4_294_967_295, 24),
        ("GCRA", 4_294_967_295, 24),
    ] {
        redis.run("DEL k").int();
        // Uneven traffic over many sub-windows.
        for cost in 1..200 {
            let line = format!("APP.RATELIMIT k {limit} PX 640 ALGO {algorithm} COST {cost}");
            decide(&mut redis, &line);
            let length = redis.run("STRLEN k").int() as usize;
            assert!(
                length <= bound + HEADER,
                "{algorithm} {limit}: {length} bytes"
            );
            if cost % 10 == 0 {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
    }
    // EXACT: so much for each distinct millisecond with units, however many units.
    redis
        .run("APP.RATELIMIT exact 1024 EX 3600 ALGO EXACT COST 1000")
        .ints();
    assert!(redis.run("STRLEN exact").int() as usize <= 16 + HEADER);
}

/// The server's allocator counts every byte that a call leaves behind: 16 each would be 480 KB.
#[test]
fn calls_leave_no_memory_behind() {
    let server = Server::start();
    let mut redis = server.client();
    let mut round = Vec::new();
    for algorithm in ALGORITHMS {
        let rules = format!("{algorithm} 50 EX 3600 60 EX 7200 ALGO {algorithm}");
        for line in [
            format!("APP.RATELIMIT {rules}"),
            format!("APP.RATELIMIT {rules} COST 100 FULL"),
            format!("APP.RATELIMIT.PEEK {rules} FULL"),
            format!("APP.RATELIMIT.REFUND {rules}"),
            format!("APP.RATELIMIT {rules} NONSENSE"),
            format!("APP.RATELIMIT new:{rules}"),
            format!("DEL new:{algorithm}"),
            "APP.RATELIMIT foreign 50 EX 3600".to_owned(),
        ] {
            round.push(words(&line));
        }
    }
    redis.run("SET foreign a-string-that-is-not-a-limiter").ok();
    let left = left_behind(&mut redis, &round, 30_000);
    assert!(left < 128 << 10, "{left} bytes more");
}
