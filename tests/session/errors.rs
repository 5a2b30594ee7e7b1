//! Wrong use: the whole text of every error, and nothing changed.

use crate::caller::{COMMANDS, calls, create_named, id, state};
use crate::support::{KeyspaceEvents, Protocol, Reply, Server, words};

const EX_RANGE: &str = "ERR EX must be an integer from 1 to 315360000";
const PX_RANGE: &str = "ERR PX must be an integer from 1 to 315360000000";
const MAXAGE_RANGE: &str = "ERR MAXAGE must be an integer from 1 to 315360000000";
const LIMIT_RANGE: &str = "ERR LIMIT must be an integer from 1 to 4294967295";
const GRACE_RANGE: &str = "ERR GRACE must be an integer from 1 to 315360000000";
const TWO_DURATIONS: &str = "ERR a session takes exactly one EX or PX";
const NO_DURATION: &str = "ERR a session needs EX seconds or PX milliseconds";
const REVOKE_TAKES: &str = "either an id, or HANDLE and a handle";

/// Command, what stands behind the key (`@` for the id of a live session), and the answer.
const WRONG_USE: &[(&str, &str, &str)] = &[
    ("CREATE", "LIMIT 3", NO_DURATION),
    ("CREATE", "ID 0123456789abcdef", NO_DURATION),
    ("CREATE", "EX 1 PX 1", TWO_DURATIONS),
    ("CREATE", "EX 1 EX 1", TWO_DURATIONS),
    ("CREATE", "EX 0", EX_RANGE),
    ("CREATE", "EX -1", EX_RANGE),
    ("CREATE", "EX 1.5", EX_RANGE),
    ("CREATE", "EX 315360001", EX_RANGE),
    ("CREATE", "EX 99999999999999999999", EX_RANGE),
    ("CREATE", "PX 0", PX_RANGE),
    ("CREATE", "PX 315360000001", PX_RANGE),
    ("CREATE", "LIMIT 1 EX", "ERR EX needs a value"),
    ("CREATE", "EX 1 MAXAGE", "ERR MAXAGE needs a value"),
    ("CREATE", "EX 1 MAXAGE 0", MAXAGE_RANGE),
    ("CREATE", "EX 1 MAXAGE 315360000001", MAXAGE_RANGE),
    ("CREATE", "EX 1 MAXAGE LIMIT 3", MAXAGE_RANGE),
    (
        "CREATE",
        "EX 1 MAXAGE 1 MAXAGE 1",
        "ERR MAXAGE is given twice",
    ),
    ("CREATE", "EX 1 LIMIT", "ERR LIMIT needs a value"),
    ("CREATE", "EX 1 LIMIT 0", LIMIT_RANGE),
    ("CREATE", "EX 1 LIMIT 4294967296", LIMIT_RANGE),
    ("CREATE", "EX 1 LIMIT REJECT", LIMIT_RANGE),
    ("CREATE", "EX 1 LIMIT 1 LIMIT 1", "ERR LIMIT is given twice"),
    ("CREATE", "EX 1 REJECT", "ERR REJECT needs LIMIT"),
    (
        "CREATE",
        "EX 1 LIMIT 1 REJECT REJECT",
        "ERR REJECT is given twice",
    ),
    ("CREATE", "EX 1 DATA", "ERR DATA needs a value"),
    ("CREATE", "EX 1 DATA {} DATA {}", "ERR DATA is given twice"),
    ("CREATE", "EX 1 DATA []", "ERR DATA must be a JSON object"),
    ("CREATE", "EX 1 DATA 1", "ERR DATA must be a JSON object"),
    ("CREATE", "EX 1 DATA null", "ERR DATA must be a JSON object"),
    (
        "CREATE",
        "EX 1 DATA {\"a\":}",
        "ERR DATA must be a JSON object: expected value at line 1 column 6",
    ),
    ("CREATE", "EX 1 ID", "ERR ID needs a value"),
    (
        "CREATE",
        "EX 1 ID 0123456789abcde",
        "ERR ID must have 16 to 256 bytes",
    ),
    (
        "CREATE",
        "EX 1 ID 0123456789abcdef ID 0123456789abcdef",
        "ERR ID is given twice",
    ),
    (
        "CREATE",
        "EX 1 KEEPTTL",
        "ERR unknown option 'KEEPTTL'; accepted: EX, PX, MAXAGE, DATA, ID, LIMIT, REJECT",
    ),
    (
        "GET",
        "@ EX 1",
        "ERR unknown option 'EX'; accepted: WITHMETA",
    ),
    ("GET", "@ WITHMETA WITHMETA", "ERR WITHMETA is given twice"),
    ("TOUCH", "@ EX", "ERR EX needs a value"),
    ("TOUCH", "@ EX 0", EX_RANGE),
    ("TOUCH", "@ PX x", PX_RANGE),
    ("TOUCH", "@ EX 1 PX 1", TWO_DURATIONS),
    (
        "TOUCH",
        "@ WITHMETA WITHMETA",
        "ERR WITHMETA is given twice",
    ),
    (
        "TOUCH",
        "@ MAXAGE 1",
        "ERR unknown option 'MAXAGE'; accepted: EX, PX, WITHMETA",
    ),
    ("UPDATE", "@ [1]", "ERR json must be a JSON object"),
    ("UPDATE", "@ \"x\"", "ERR json must be a JSON object"),
    (
        "UPDATE",
        "@ {\"a\":1",
        "ERR json must be a JSON object: EOF while parsing an object at line 1 column 6",
    ),
    (
        "UPDATE",
        "@ {} REPLACE REPLACE",
        "ERR REPLACE is given twice",
    ),
    (
        "UPDATE",
        "@ {} KEEPTTL KEEPTTL",
        "ERR KEEPTTL is given twice",
    ),
    (
        "UPDATE",
        "@ {} EX 1",
        "ERR unknown option 'EX'; accepted: REPLACE, KEEPTTL",
    ),
    ("ROTATE", "@ GRACE", "ERR GRACE needs a value"),
    ("ROTATE", "@ GRACE 0", GRACE_RANGE),
    ("ROTATE", "@ GRACE 315360000001", GRACE_RANGE),
    ("ROTATE", "@ GRACE 1 GRACE 1", "ERR GRACE is given twice"),
    (
        "ROTATE",
        "@ EX 1",
        "ERR unknown option 'EX'; accepted: GRACE",
    ),
    ("REVOKEALL", "EXCEPT", "ERR EXCEPT needs a value"),
    (
        "REVOKEALL",
        "EXCEPT @ EXCEPT @",
        "ERR EXCEPT is given twice",
    ),
    (
        "REVOKEALL",
        "BUT @",
        "ERR unknown option 'BUT'; accepted: EXCEPT",
    ),
    ("LIST", "CURRENT", "ERR CURRENT needs a value"),
    ("LIST", "CURRENT @ CURRENT @", "ERR CURRENT is given twice"),
    (
        "LIST",
        "EXCEPT @",
        "ERR unknown option 'EXCEPT'; accepted: CURRENT",
    ),
];

fn lines(key: &str, live: &str) -> Vec<(String, String)> {
    let wrong = WRONG_USE.iter().map(|(command, rest, text)| {
        let line = format!("APP.SESSION.{command} {key} {}", rest.replace('@', live));
        (line, (*text).to_owned())
    });
    let more = ["@ more", "HANDLE handle more"].map(|rest| {
        let line = format!("APP.SESSION.REVOKE {key} {}", rest.replace('@', live));
        (
            line,
            format!("ERR unknown option 'more'; accepted: {REVOKE_TAKES}"),
        )
    });
    wrong.chain(more).collect()
}

#[test]
fn each_wrong_use_is_named_in_both_protocols() {
    let server = Server::start();
    for protocol in [Protocol::RESP2, Protocol::RESP3] {
        let mut redis = server.client_in(protocol);
        for (line, text) in lines("k", &id("x")) {
            assert_eq!(redis.run(&line), Reply::Error(text), "{line}");
        }
        assert_eq!(redis.run("EXISTS k").int(), 0);
    }
}

#[test]
fn too_few_arguments_are_the_servers_own_error() {
    let server = Server::start();
    let mut redis = server.client();
    for (command, fewest) in COMMANDS.into_iter().zip([4, 3, 3, 4, 3, 3, 2, 2]) {
        for words in 1..fewest {
            let line = [command, "k", "x"][..words].join(" ");
            let text = format!(
                "ERR wrong number of arguments for '{}' command",
                command.to_lowercase()
            );
            assert_eq!(redis.run(&line), Reply::Error(text), "{line}");
        }
    }
}

#[test]
fn wrong_use_leaves_the_sessions_as_they_were() {
    let server = Server::start();
    let mut redis = server.client();
    let live = create_named(&mut redis, "k", "live");
    let before = state(&mut redis, "k");
    let mut events = KeyspaceEvents::listen(&server);
    for (line, _) in lines("k", &live) {
        redis.run(&line).error();
    }
    assert_eq!(state(&mut redis, "k"), before);
    assert!(events.take(&mut redis).is_empty());
}

#[test]
fn wrong_use_is_told_before_the_key_is_looked_at() {
    let server = Server::start();
    let mut redis = server.client();
    redis.run("RPUSH k element").int();
    for (line, text) in lines("k", &id("x")) {
        assert_eq!(redis.run(&line).error(), text, "{line}");
    }
    for line in calls("k", &id("x")) {
        assert_eq!(
            redis.run(&line).error(),
            "WRONGTYPE Operation against a key holding the wrong kind of value"
        );
    }
}

/// Arguments of 8 MB, with NUL bytes and line breaks, in every place.
#[test]
fn huge_and_binary_arguments_get_short_clean_errors() {
    let server = Server::start();
    let mut redis = server.client();
    let huge = vec![b'x'; 8 << 20];
    let odd: [&[u8]; 5] = [&huge, b"", b"\0", b"1\0", b"a\r\n-ERR b\xff"];
    let good: [&[&[u8]]; 3] = [
        &[
            b"CREATE", b"k", b"EX", b"1", b"MAXAGE", b"1", b"DATA", b"{}", b"ID",
        ],
        &[b"UPDATE", b"k", b"id", b"{}", b"REPLACE", b"KEEPTTL"],
        &[b"ROTATE", b"k", b"id", b"GRACE", b"1"],
    ];
    for words in good {
        let name = format!("APP.SESSION.{}", String::from_utf8_lossy(words[0]));
        for argument in odd {
            // An id may be any bytes.
            let id_place = if words[0] == b"CREATE" { 1 } else { 2 };
            for place in id_place + 1..words.len() {
                let mut call = redis::cmd(&name);
                for (index, word) in words.iter().enumerate().skip(1) {
                    call.arg(if index == place { argument } else { *word });
                }
                let reply = redis.call(&call);
                let text = reply.error();
                let clean = text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
                assert!(clean && text.len() < 200, "{name} {place}: {text:?}");
                assert!(text.starts_with("ERR "), "{name} {place}: {text}");
            }
        }
    }
    assert_eq!(redis.run("PING").text(), "PONG", "each reply was one frame");
    assert_eq!(redis.run("EXISTS k").int(), 0);
}

#[test]
fn an_error_text_tells_nothing_of_the_document() {
    let server = Server::start();
    let mut redis = server.client();
    for json in [
        "{\"secret\":\"secret\"]",
        "{\"secret\":1,\"secret\":2}",
        "\"secret\"",
    ] {
        let mut call = words("APP.SESSION.CREATE k EX 60 DATA");
        let reply = redis.call(call.arg(json));
        assert!(!reply.error().contains("secret"), "{reply:?}");
    }
}
