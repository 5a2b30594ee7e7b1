//! Wrong use: the whole text of every error, and nothing changed.

use crate::caller::{ALGORITHMS, COMMANDS, decide, dump};
use crate::support::{Client, KeyspaceEvents, Protocol, Reply, Server, words};

const LIMIT_RANGE: &str = "ERR limit must be an integer from 0 to 4294967295";
const EX_RANGE: &str = "ERR EX must be an integer from 1 to 315360000";
const PX_RANGE: &str = "ERR PX must be an integer from 1 to 315360000000";
const COST_RANGE: &str = "ERR COST must be an integer from 1 to 4294967295";
const BURST_RANGE: &str = "ERR BURST must be an integer from 1 to 4294967295";
const NO_DURATION: &str = "ERR a rule needs EX seconds or PX milliseconds";
const TWO_DURATIONS: &str = "ERR a rule takes exactly one EX or PX";
const ALGO_WORDS: &str = "ERR ALGO must be one of SLIDING, FIXED, EXACT, GCRA";
const RULES_FIRST: &str = "ERR rules come first, options after the last rule";
const SAME_WINDOW: &str = "ERR two rules have the same window; give each rule its own";
const BURST_FOR_GCRA: &str = "ERR BURST is for ALGO GCRA only";

/// What stands behind the key, and the answer.
const WRONG_USE: &[(&str, &str)] = &[
    // Limits.
    ("ten EX 60", LIMIT_RANGE),
    ("-1 EX 60", LIMIT_RANGE),
    ("+1 EX 60", LIMIT_RANGE),
    ("1.5 EX 60", LIMIT_RANGE),
    ("1e3 EX 60", LIMIT_RANGE),
    ("0x10 EX 60", LIMIT_RANGE),
    ("4294967296 EX 60", LIMIT_RANGE),
    ("18446744073709551616 EX 60", LIMIT_RANGE),
    ("99999999999999999999999999 EX 60", LIMIT_RANGE),
    ("EX 60 10", LIMIT_RANGE),
    ("ALGO GCRA FULL", LIMIT_RANGE),
    // Durations.
    ("10 60 FULL", NO_DURATION),
    ("10 FULL COST 1", NO_DURATION),
    ("10 EX 0", EX_RANGE),
    ("10 EX -1", EX_RANGE),
    ("10 EX 1.5", EX_RANGE),
    ("10 EX 315360001", EX_RANGE),
    ("10 EX 9223372036854775808", EX_RANGE),
    ("10 EX FULL", EX_RANGE),
    ("10 PX 0", PX_RANGE),
    ("10 PX 315360000001", PX_RANGE),
    ("10 PX ms", PX_RANGE),
    ("10 EX 60 PX 60000", TWO_DURATIONS),
    ("10 PX 1 PX 1", TWO_DURATIONS),
    // BURST.
    ("10 EX 60 BURST 0 ALGO GCRA", BURST_RANGE),
    ("10 EX 60 BURST -5 ALGO GCRA", BURST_RANGE),
    ("10 EX 60 BURST 4294967296 ALGO GCRA", BURST_RANGE),
    ("10 EX 60 BURST ALGO GCRA", BURST_RANGE),
    ("10 EX 60 BURST", "ERR BURST needs a value"),
    (
        "10 EX 60 BURST 1 BURST 1 ALGO GCRA",
        "ERR BURST is given twice",
    ),
    ("10 EX 60 BURST 5", BURST_FOR_GCRA),
    ("10 EX 60 BURST 5 ALGO SLIDING", BURST_FOR_GCRA),
    ("10 EX 60 BURST 5 ALGO FIXED", BURST_FOR_GCRA),
    ("10 EX 60 BURST 5 ALGO EXACT", BURST_FOR_GCRA),
    // Options.
    ("10 EX 60 COST", "ERR COST needs a value"),
    ("10 EX 60 COST 0", COST_RANGE),
    ("10 EX 60 COST -1", COST_RANGE),
    ("10 EX 60 COST two", COST_RANGE),
    ("10 EX 60 COST 4294967296", COST_RANGE),
    ("10 EX 60 COST 1 COST 1", "ERR COST is given twice"),
    ("10 EX 60 ALGO", "ERR ALGO needs a value"),
    ("10 EX 60 ALGO LEAKY", ALGO_WORDS),
    ("10 EX 60 ALGO FULL", ALGO_WORDS),
    ("10 EX 60 ALGO FIXED ALGO FIXED", "ERR ALGO is given twice"),
    ("10 EX 60 FULL FULL", "ERR FULL is given twice"),
    (
        "10 EX 60 FULLY",
        "ERR unknown option 'FULLY'; accepted: ALGO, COST, FULL",
    ),
    (
        "10 EX 60 COST 1 NX",
        "ERR unknown option 'NX'; accepted: ALGO, COST, FULL",
    ),
    // Rules together.
    ("10 EX 60 20 PX 60000", SAME_WINDOW),
    ("10 EX 60 20 EX 30 30 EX 60", SAME_WINDOW),
    ("10 EX 60 COST 1 20 EX 30", RULES_FIRST),
    ("10 EX 60 FULL BURST 5", RULES_FIRST),
    (
        "1 EX 1 2 EX 2 3 EX 3 4 EX 4 5 EX 5 6 EX 6 7 EX 7 8 EX 8 9 EX 9",
        "ERR at most 8 rules in one call",
    ),
    (
        "1025 EX 60 ALGO EXACT",
        "ERR limit must be at most 1024 with ALGO EXACT",
    ),
    (
        "10 EX 60 4294967295 EX 30 ALGO EXACT",
        "ERR limit must be at most 1024 with ALGO EXACT",
    ),
];

#[test]
fn every_error_names_the_argument_and_what_is_accepted() {
    let server = Server::start();
    for protocol in [Protocol::RESP2, Protocol::RESP3] {
        let mut redis = server.client_in(protocol);
        for (arguments, text) in WRONG_USE {
            for command in COMMANDS {
                let line = format!("{command} k {arguments}");
                assert_eq!(redis.run(&line), Reply::Error((*text).to_owned()), "{line}");
            }
        }
        assert_eq!(redis.run("EXISTS k").int(), 0);
    }
}

#[test]
fn too_few_arguments_are_the_servers_own_error() {
    let server = Server::start();
    let mut redis = server.client();
    for command in COMMANDS {
        let text = format!(
            "ERR wrong number of arguments for '{}' command",
            command.to_lowercase()
        );
        for arguments in ["", " k", " k 10", " k 10 EX"] {
            let line = format!("{command}{arguments}");
            assert_eq!(redis.run(&line), Reply::Error(text.clone()), "{line}");
        }
    }
}

#[test]
fn wrong_use_leaves_an_existing_limiter_as_it_was() {
    let server = Server::start();
    let mut redis = server.client();
    for algorithm in ALGORITHMS {
        redis.run("DEL k").int();
        decide(
            &mut redis,
            &format!("APP.RATELIMIT k 10 EX 3600 ALGO {algorithm}"),
        );
        let mut events = KeyspaceEvents::listen(&server);
        let state = |redis: &mut Client| (dump(redis, "k"), redis.run("PEXPIRETIME k"));
        let before = state(&mut redis);
        for (arguments, _) in WRONG_USE {
            for command in COMMANDS {
                redis.run(&format!("{command} k {arguments}")).error();
            }
        }
        assert_eq!(state(&mut redis), before, "{algorithm}");
        assert!(events.take(&mut redis).is_empty(), "{algorithm}");
    }
}

#[test]
fn wrong_use_is_told_before_the_key_is_looked_at() {
    let server = Server::start();
    let mut redis = server.client();
    redis.run("RPUSH k element").int();
    for command in COMMANDS {
        assert_eq!(
            redis.run(&format!("{command} k ten EX 60")).error(),
            LIMIT_RANGE
        );
    }
}

/// Arguments of 8 MB, with NUL bytes and line breaks, in every place.
#[test]
fn huge_and_binary_arguments_get_short_clean_errors() {
    let server = Server::start();
    let mut redis = server.client();
    let huge_text = vec![b'x'; 8 << 20];
    let huge_number = vec![b'9'; 8 << 20];
    let odd: [&[u8]; 6] = [
        &huge_text,
        &huge_number,
        b"",
        b"\0",
        b"1\0",
        b"a\r\n-ERR b\xff",
    ];
    for argument in odd {
        for place in 0..6 {
            let mut arguments: Vec<&[u8]> = vec![b"10", b"EX", b"60", b"COST", b"1", b"FULL"];
            arguments[place] = argument;
            let mut call = redis::cmd("APP.RATELIMIT");
            call.arg("k");
            for argument in &arguments {
                call.arg(*argument);
            }
            let reply = redis.call(&call);
            let text = reply.error();
            assert!(
                text.starts_with("ERR ") && text.len() < 200,
                "place {place}: {text}"
            );
            let printable = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
            assert!(text.bytes().all(printable), "place {place}: {text:?}");
            assert_eq!(redis.run("PING").text(), "PONG", "the reply was one frame");
        }
    }
    assert_eq!(redis.run("EXISTS k").int(), 0);
}

#[test]
fn a_hundred_thousand_arguments_are_refused_at_once() {
    let server = Server::start();
    let mut redis = server.client();
    let mut call = words("APP.RATELIMIT k");
    for window in 1..33_000 {
        call.arg(10).arg("PX").arg(window);
    }
    assert_eq!(redis.call(&call).error(), "ERR at most 8 rules in one call");
    let mut call = words("APP.RATELIMIT k 10 EX 60");
    for _ in 0..100_000 {
        call.arg("FULL");
    }
    assert_eq!(redis.call(&call).error(), "ERR FULL is given twice");
}
