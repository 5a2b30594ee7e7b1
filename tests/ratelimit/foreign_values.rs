//! Keys that hold something else: an error, never a guess, and not a byte changed.

use crate::caller::{ALGORITHMS, COMMANDS, Decision, decide, dump};
use crate::support::{Client, Reply, Server, eventually, words};

const OTHER_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
const OTHER_STRING: &str =
    "WRONGTYPE the key holds a string that is not a rate limiter; nothing was changed";

fn set(redis: &mut Client, value: &[u8]) {
    redis.call(redis::cmd("SET").arg("k").arg(value)).ok();
}

#[test]
fn other_types_are_wrongtype_and_stay_as_they_are() {
    let server = Server::start();
    let mut redis = server.client();
    for make in [
        "RPUSH k a b",
        "HSET k f v",
        "SADD k 1 2",
        "ZADD k 1 a",
        "XADD k 1-1 f v",
        "GEOADD k 1 1 a",
    ] {
        redis.run("DEL k").int();
        assert!(!redis.run(make).is_error());
        redis.run("PEXPIRE k 1000000").int();
        let before = (dump(&mut redis, "k"), redis.run("PEXPIRETIME k"));
        for algorithm in ALGORITHMS {
            for command in COMMANDS {
                let reply = redis.run(&format!("{command} k 10 EX 60 ALGO {algorithm}"));
                assert_eq!(reply, Reply::Error(OTHER_TYPE.into()), "{make}: {command}");
            }
        }
        assert_eq!(
            (dump(&mut redis, "k"), redis.run("PEXPIRETIME k")),
            before,
            "{make}"
        );
    }
}

#[test]
fn other_strings_are_wrongtype_and_keep_their_encoding() {
    let server = Server::start();
    let mut redis = server.client();
    let long = vec![b'a'; 1 << 20];
    let foreign: [&[u8]; 12] = [
        b"",
        b"0",
        b"123",
        b"-9223372036854775808",
        b"9223372036854775807",
        b"3.14",
        b"text",
        b"appkit",
        b"appkit:lock:1 12345 token",
        b"a short string that the server embeds..",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        &long,
    ];
    for value in foreign {
        let shown = value[..value.len().min(40)].escape_ascii();
        set(&mut redis, value);
        let encoding = redis.run("OBJECT ENCODING k");
        let before = dump(&mut redis, "k");
        for algorithm in ALGORITHMS {
            for command in COMMANDS {
                let reply = redis.run(&format!("{command} k 10 EX 60 ALGO {algorithm}"));
                assert_eq!(
                    reply,
                    Reply::Error(OTHER_STRING.into()),
                    "{shown}: {command}"
                );
            }
        }
        assert_eq!(dump(&mut redis, "k"), before, "{shown}");
        assert_eq!(redis.run("PTTL k").int(), -1, "{shown}");
        if encoding.text() == "int" {
            assert_eq!(redis.run("OBJECT ENCODING k"), encoding, "{shown}");
        }
    }
}

#[test]
fn a_foreign_value_that_ran_out_is_no_value() {
    let server = Server::start();
    let mut redis = server.client();
    redis.run("DEBUG SET-ACTIVE-EXPIRE 0").ok();
    for command in COMMANDS {
        redis.run("DEL k").int();
        redis.run("RPUSH k element").int();
        redis.run("PEXPIRE k 1").int();
        eventually("the list has run out", || redis.run("PTTL k").int() == -2);
        assert!(
            decide(&mut redis, &format!("{command} k 10 EX 60")).allowed,
            "{command}"
        );
    }
}

/// A limiter's real state, to be damaged.
fn state_of(redis: &mut Client, algorithm: &str, rules: &str) -> Vec<u8> {
    redis.run("DEL k").int();
    for _ in 0..3 {
        decide(
            redis,
            &format!("APP.RATELIMIT k {rules} ALGO {algorithm} COST 2"),
        );
    }
    redis.run("GET k").bytes().to_vec()
}

#[test]
fn a_truncated_or_extended_state_is_wrongtype() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        let state = state_of(&mut redis, algorithm, "10 EX 3600");
        let extended = [&state[..], b"\0"].concat();
        let damaged = (0..state.len())
            .map(|length| &state[..length])
            .chain([&extended[..]]);
        for value in damaged {
            set(&mut redis, value);
            let before = dump(&mut redis, "k");
            for command in COMMANDS {
                let reply = redis.run(&format!("{command} k 10 EX 3600 ALGO {algorithm}"));
                let length = value.len();
                assert_eq!(
                    reply,
                    Reply::Error(OTHER_STRING.into()),
                    "{algorithm} {length}"
                );
            }
            assert_eq!(dump(&mut redis, "k"), before);
        }
    }
}

/// A flipped byte may still be a state (another count, another time). It is read as one or refused
/// whole; whatever times it claims, units that the algorithm forgets after a window stop nobody for
/// longer than that and the lateness of SLIDING. (In GCRA more units take longer to refill.)
#[test]
fn a_state_with_one_flipped_byte_is_read_or_refused_and_never_a_crash() {
    const WINDOW_MS: i64 = 3_600_000;
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        let rules = "10 EX 3600 20 EX 60";
        let state = state_of(&mut redis, algorithm, rules);
        let flips = (0..state.len()).flat_map(|place| [1, 0x10, 0x80, 0xff].map(|m| (place, m)));
        for (place, mask) in flips {
            let mut value = state.clone();
            value[place] ^= mask;
            set(&mut redis, &value);
            let peek = words(&format!("APP.RATELIMIT.PEEK k {rules} ALGO {algorithm}"));
            let charge = words(&format!("APP.RATELIMIT k {rules} ALGO {algorithm}"));
            let refund = words(&format!("APP.RATELIMIT.REFUND k {rules} ALGO {algorithm}"));
            let get = words("GET k");
            let replies = redis.pipeline(&[peek.clone(), get.clone(), charge, get, refund, peek]);
            let shown = format!("{algorithm}, byte {place} ^ {mask:#x}");
            assert_eq!(replies[1].bytes(), value, "{shown}: PEEK wrote");
            if let Reply::Error(text) = &replies[0] {
                assert_eq!(text, OTHER_STRING, "{shown}");
                assert_eq!(replies[2], replies[0], "{shown}");
                assert_eq!(replies[4], replies[0], "{shown}");
                assert_eq!(
                    replies[3].bytes(),
                    value,
                    "{shown}: a refused state was changed"
                );
                continue;
            }
            for index in [0, 2, 4, 5] {
                let decision = Decision::of(&replies[index]);
                let longest = WINDOW_MS + WINDOW_MS / 32 + 1;
                assert!(
                    algorithm == "GCRA" || decision.retry_after_ms <= longest,
                    "{shown}: {decision:?}"
                );
                assert!(
                    (0..=decision.limit).contains(&decision.remaining),
                    "{shown}"
                );
            }
        }
    }
}

#[test]
fn a_key_that_a_limiter_wrote_can_be_overwritten_by_anything() {
    let server = Server::start();
    let mut redis = server.client();
    decide(&mut redis, "APP.RATELIMIT k 10 EX 60");
    redis.run("SET k text").ok();
    assert_eq!(redis.run("APP.RATELIMIT k 10 EX 60").error(), OTHER_STRING);
    redis.run("DEL k").int();
    assert!(decide(&mut redis, "APP.RATELIMIT k 10 EX 60").allowed);
}
