//! The JSON that a session carries: what is taken, what is refused, how it is patched.

use crate::caller::{create, get, state};
use crate::support::{Client, Reply, Server, words};

const MAX_BYTES: usize = 65_536;
/// The document itself included.
const MAX_DEPTH: usize = 127;

fn create_with(redis: &mut Client, json: &[u8]) -> Reply {
    let mut call = words("APP.SESSION.CREATE k EX 3600 DATA");
    redis.call(call.arg(json))
}

fn update(redis: &mut Client, id: &str, json: &[u8], options: &[&str]) -> Reply {
    let mut call = words(&format!("APP.SESSION.UPDATE k {id}"));
    redis.call(call.arg(json).arg(options))
}

/// The document `target` after `patch`.
#[track_caller]
fn patched(redis: &mut Client, target: &str, patch: &str) -> String {
    let id = create_with(redis, target.as_bytes()).text();
    let reply = update(redis, &id, patch.as_bytes(), &[]).text();
    assert_eq!(
        get(redis, "k", &id).unwrap(),
        reply,
        "the reply is what is stored"
    );
    reply
}

/// RFC 7396, appendix A: original, patch, result.
const RFC_EXAMPLES: [[&str; 3]; 15] = [
    [r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#],
    [r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#],
    [r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#],
    [r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#],
    [r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#],
    [r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#],
    [
        r#"{"a":{"b":"c"}}"#,
        r#"{"a":{"b":"d","c":null}}"#,
        r#"{"a":{"b":"d"}}"#,
    ],
    [r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#],
    [r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#],
    [r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#],
    [r#"{"a":"foo"}"#, "null", "null"],
    [r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#],
    [r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#],
    ["[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#],
    ["{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#],
];

/// At the top only objects are taken, so each example is held as the value of a member too. As
/// such, `null` is no value but takes the member away.
#[test]
fn the_examples_of_rfc_7396_hold() {
    let server = Server::start();
    let mut redis = server.client();
    for [target, patch, result] in RFC_EXAMPLES {
        if [target, patch, result]
            .iter()
            .all(|text| text.starts_with('{'))
        {
            assert_eq!(patched(&mut redis, target, patch), result);
        } else {
            let text = if target.starts_with('{') {
                patch
            } else {
                target
            };
            let refused = create_with(&mut redis, text.as_bytes());
            assert_eq!(refused.error(), "ERR DATA must be a JSON object", "{text}");
        }
        let inside = |text: &str| format!("{{\"x\":{text}}}");
        let result = if result == "null" {
            "{}".to_owned()
        } else {
            inside(result)
        };
        assert_eq!(patched(&mut redis, &inside(target), &inside(patch)), result);
    }
}

#[test]
fn members_that_the_patch_does_not_name_keep_text_and_order() {
    let server = Server::start();
    let mut redis = server.client();
    let target = r#"{ "z":1.50, "\u0061":[ 1 , 2 ],"n":123456789012345678901234567890, "e":1E+400,"-":-0,"s":"\u00e9\/é" , "o":{ "y" : 1 } }"#;
    assert_eq!(
        patched(&mut redis, target, r#"{"new":{"b":null,"c":1},"z":2}"#),
        r#"{"z":2,"\u0061":[ 1 , 2 ],"n":123456789012345678901234567890,"e":1E+400,"-":-0,"s":"\u00e9\/é","o":{ "y" : 1 },"new":{"c":1}}"#
    );
    // Names are compared as they read, not as they are written.
    assert_eq!(
        patched(&mut redis, r#"{"\u0061":1,"b":2}"#, r#"{"a":null}"#),
        r#"{"b":2}"#
    );
    // A patch that changes nothing leaves every byte.
    assert_eq!(
        patched(&mut redis, target, r#"{"gone":null,"o":{}}"#),
        target
    );
}

#[test]
fn replace_stores_the_text_as_it_is() {
    let server = Server::start();
    let mut redis = server.client();
    let id = create(&mut redis, "k EX 3600 DATA {\"a\":1}");
    let new = r#"{"b" : null, "c":{"d":null}}"#;
    assert_eq!(
        update(&mut redis, &id, new.as_bytes(), &["REPLACE"]).text(),
        new
    );
    assert_eq!(get(&mut redis, "k", &id).unwrap(), new);
}

#[test]
fn numbers_of_any_size_keep_their_digits() {
    let server = Server::start();
    let mut redis = server.client();
    let digits = "9".repeat(10_000);
    for number in [
        "9007199254740993",
        "18446744073709551616",
        "-0",
        "1e999999999",
        "0.1000000000000000055511151231257827",
        &digits,
    ] {
        let json = format!("{{\"n\":{number}}}");
        let id = create_with(&mut redis, json.as_bytes()).text();
        assert_eq!(get(&mut redis, "k", &id).unwrap(), json);
        let both = patched(&mut redis, "{\"a\":1}", &json);
        assert_eq!(both, format!("{{\"a\":1,\"n\":{number}}}"));
    }
}

#[test]
fn what_json_readers_differ_on_is_refused_and_changes_nothing() {
    let server = Server::start();
    let mut redis = server.client();
    let id = create(&mut redis, "k EX 3600");
    let before = state(&mut redis, "k");
    let refused: [&[u8]; 16] = [
        // A member named twice, at any depth, however it is written.
        br#"{"a":1,"a":1}"#,
        br#"{"a":1,"\u0061":2}"#,
        br#"{"x":[{"a":1,"b":2,"a":3}]}"#,
        // Half a surrogate pair.
        br#"{"a":"\ud83d"}"#,
        br#"{"a":"\ude00\ud83d"}"#,
        br#"{"\ud83d":1}"#,
        // No UTF-8: a byte that never occurs, an overlong slash, a surrogate, half a character.
        b"{\"a\":\"\xff\"}",
        b"{\"a\":\"\xc0\xaf\"}",
        b"{\"a\":\"\xed\xa0\x80\"}",
        b"{\"a\":\"\xe2\x82\"}",
        // Not JSON.
        b"",
        b"{\"a\":01}",
        b"{\"a\":NaN}",
        b"{'a':1}",
        b"{\"a\":1,}",
        b"{} {}",
    ];
    for json in refused {
        let shown = json.escape_ascii();
        let reply = create_with(&mut redis, json);
        assert!(
            reply.error().starts_with("ERR DATA must be "),
            "{shown}: {reply:?}"
        );
        for options in [&[][..], &["REPLACE"]] {
            let reply = update(&mut redis, &id, json, options);
            assert!(
                reply.error().starts_with("ERR json must be "),
                "{shown}: {reply:?}"
            );
        }
    }
    assert_eq!(state(&mut redis, "k"), before);
}

#[test]
fn a_nul_and_a_whole_surrogate_pair_are_text_like_any_other() {
    let server = Server::start();
    let mut redis = server.client();
    let json = r#"{"\u0000":"\u0000","smile":"\ud83d\ude00😀"}"#;
    assert_eq!(patched(&mut redis, "{}", json), json);
}

#[test]
fn deep_nesting_is_an_error_and_no_stack_overflow() {
    let server = Server::start();
    let mut redis = server.client();
    // Where a deeper document could be sent at all.
    redis
        .run("CONFIG SET appkit.session-max-bytes 16777216")
        .ok();
    let nested =
        |depth: usize| [b"{\"a\":".repeat(depth), b"1".to_vec(), b"}".repeat(depth)].concat();
    let id = create_with(&mut redis, &nested(MAX_DEPTH)).text();
    let deepest = String::from_utf8(nested(MAX_DEPTH)).unwrap();
    assert_eq!(get(&mut redis, "k", &id).unwrap(), deepest);
    assert_eq!(
        update(&mut redis, &id, &nested(MAX_DEPTH), &[]).text(),
        deepest
    );
    let before = state(&mut redis, "k");
    let bombs = [
        nested(MAX_DEPTH + 1),
        nested(1_000_000),
        b"[".repeat(8 << 20),
        b"{\"a\":".repeat(1 << 20),
        [
            &b"{\"a\":"[..],
            &b"[".repeat(1 << 20),
            &b"]".repeat(1 << 20),
            b"}",
        ]
        .concat(),
    ];
    for bomb in bombs {
        for reply in [
            create_with(&mut redis, &bomb),
            update(&mut redis, &id, &bomb, &[]),
        ] {
            assert!(
                reply.error().contains("recursion limit exceeded"),
                "{reply:?}"
            );
        }
    }
    assert_eq!(state(&mut redis, "k"), before);
}

fn of_length(name: &str, bytes: usize) -> Vec<u8> {
    let frame = format!("{{\"{name}\":\"\"}}").len();
    format!("{{\"{name}\":\"{}\"}}", "x".repeat(bytes - frame)).into_bytes()
}

#[test]
fn documents_have_64_kib_and_not_a_byte_more() {
    let server = Server::start();
    let mut redis = server.client();
    let id = create_with(&mut redis, &of_length("a", MAX_BYTES)).text();
    let before = state(&mut redis, "k");
    let too_long = of_length("a", MAX_BYTES + 1);
    assert_eq!(
        create_with(&mut redis, &too_long).error(),
        "ERR DATA must have at most 65536 bytes"
    );
    for options in [&[][..], &["REPLACE"]] {
        assert_eq!(
            update(&mut redis, &id, &too_long, options).error(),
            "ERR json must have at most 65536 bytes"
        );
    }
    assert_eq!(
        update(&mut redis, &id, b"{\"b\":1}", &[]).error(),
        "ERR the document would have more than 65536 bytes (appkit.session-max-bytes)"
    );
    assert_eq!(state(&mut redis, "k"), before);
    // What makes room is taken, although patch and document together are too long.
    let other = of_length("a", MAX_BYTES - 10);
    assert_eq!(update(&mut redis, &id, &other, &[]).bytes(), other);
}

#[test]
fn the_limit_is_a_setting_and_what_is_there_stays_readable() {
    let server = Server::start();
    let mut redis = server.client();
    let id = create_with(&mut redis, &of_length("a", 100)).text();
    redis.run("CONFIG SET appkit.session-max-bytes 50").ok();
    assert_eq!(get(&mut redis, "k", &id).unwrap().len(), 100);
    assert_eq!(
        create_with(&mut redis, &of_length("a", 51)).error(),
        "ERR DATA must have at most 50 bytes"
    );
    assert_eq!(
        update(&mut redis, &id, b"{\"b\":1}", &[]).error(),
        "ERR the document would have more than 50 bytes (appkit.session-max-bytes)"
    );
    assert_eq!(
        redis
            .run(&format!("APP.SESSION.TOUCH k {id} EX 60"))
            .bytes()
            .len(),
        100
    );
    assert_eq!(
        update(&mut redis, &id, b"{\"a\":1}", &[]).text(),
        "{\"a\":1}"
    );
}
