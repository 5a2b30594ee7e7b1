//! Sessions of 200 bytes of JSON. The usual way is a key for each session and a set that lists
//! them.

use super::{CASE, Case, Group};

/// A TOUCH is throttled for a minute after the setup.
const FRESH: Option<u64> = Some(40);

pub const GROUP: Group = Group {
    name: "session",
    title: "Sessions",
    cases: &[
        Case {
            name: "HGET",
            setup: &[&["HSET hash:{n} _ tag-and-latest-deadline XXXXXXXXXXXXXXXXXXXXXX {doc}"]],
            call: &[&["HGET hash:{n} XXXXXXXXXXXXXXXXXXXXXX"]],
            expected: "$200",
            ..CASE
        },
        Case {
            name: "SESSION.GET",
            setup: &[&["APP.SESSION.CREATE user:{n} EX 3600 DATA {doc} ID session-id-{n}"]],
            call: &[&["APP.SESSION.GET user:{n} session-id-{n}"]],
            expected: "$200",
            ..CASE
        },
        Case {
            name: "GET + EXPIRE",
            setup: &[&["SET session:{n} {doc} EX 3600"]],
            call: &[&["GET session:{n}", "EXPIRE session:{n} 3600"]],
            expected: ":1",
            ..CASE
        },
        Case {
            name: "SESSION.TOUCH throttled",
            setup: &[
                &["DEL touch:{n}"],
                &["APP.SESSION.CREATE touch:{n} EX 3600 DATA {doc} ID session-id-{n}"],
            ],
            setup_lasts: FRESH,
            call: &[&["APP.SESSION.TOUCH touch:{n} session-id-{n}"]],
            expected: "$200",
            ..CASE
        },
        Case {
            name: "SESSION.TOUCH written",
            setup: &[&["APP.SESSION.CREATE slide:{n} EX 3600 DATA {doc} ID session-id-{n}"]],
            // A new timeout is always written.
            call: &[
                &["APP.SESSION.TOUCH slide:{n} session-id-{n} EX 7200"],
                &["APP.SESSION.TOUCH slide:{n} session-id-{n} EX 3600"],
            ],
            expected: "$200",
            once: true,
            ..CASE
        },
        Case {
            name: "Lua create + index",
            call: &[&["{lua:session_create} 2 made:{n} index:{n} session-id-{n} {doc} 3600000"]],
            expected: "$23",
            ..CASE
        },
        Case {
            name: "SESSION.CREATE",
            call: &[&["APP.SESSION.CREATE new:{n} EX 3600 DATA {doc} LIMIT 1"]],
            expected: "$36",
            ..CASE
        },
        Case {
            name: "Lua update",
            setup: &[&["SET patch:{n} {doc} EX 3600"]],
            call: &[&[r#"{lua:session_update} 1 patch:{n} {"theme":"{c}"} 3600000"#]],
            expected: "$2",
            ..CASE
        },
        Case {
            name: "SESSION.UPDATE",
            setup: &[&["APP.SESSION.CREATE merge:{n} EX 3600 DATA {doc} ID session-id-{n}"]],
            call: &[&[r#"APP.SESSION.UPDATE merge:{n} session-id-{n} {"theme":"{c}"}"#]],
            expected: "$2",
            ..CASE
        },
        Case {
            name: "SESSION.ROTATE",
            setup: &[&["APP.SESSION.CREATE turn:{n} EX 3600 DATA {doc} ID session-id-{n}"]],
            call: &[&["APP.SESSION.ROTATE turn:{n} session-id-{n} GRACE 30000"]],
            expected: "$36",
            once: true,
            ..CASE
        },
        Case {
            name: "SESSION.REVOKE",
            setup: &[&["APP.SESSION.CREATE end:{n} EX 3600 DATA {doc} ID session-id-{n}"]],
            call: &[&["APP.SESSION.REVOKE end:{n} session-id-{n}"]],
            expected: ":1",
            once: true,
            ..CASE
        },
        Case {
            name: "SESSION.REVOKEALL of 3",
            setup: &[
                &["APP.SESSION.CREATE all:{n} EX 3600 DATA {doc}"],
                &["APP.SESSION.CREATE all:{n} EX 3600 DATA {doc}"],
                &["APP.SESSION.CREATE all:{n} EX 3600 DATA {doc}"],
            ],
            call: &[&["APP.SESSION.REVOKEALL all:{n}"]],
            expected: ":3",
            once: true,
            ..CASE
        },
        Case {
            name: "Lua revoke all of 3",
            setup: &[
                &["{lua:session_create} 2 rs:1{n} ri:{n} 1{n} {doc} 3600000"],
                &["{lua:session_create} 2 rs:2{n} ri:{n} 2{n} {doc} 3600000"],
                &["{lua:session_create} 2 rs:3{n} ri:{n} 3{n} {doc} 3600000"],
            ],
            call: &[&["{lua:session_revoke_all} 1 ri:{n} rs:"]],
            expected: ":3",
            once: true,
            ..CASE
        },
        Case {
            name: "SESSION.LIST of 3",
            setup: &[
                &["APP.SESSION.CREATE list:{n} EX 3600 DATA {doc} ID session-id-1{n}"],
                &["APP.SESSION.CREATE list:{n} EX 3600 DATA {doc} ID session-id-2{n}"],
                &["APP.SESSION.CREATE list:{n} EX 3600 DATA {doc} ID session-id-3{n}"],
            ],
            call: &[&["APP.SESSION.LIST list:{n}"]],
            expected: "*3\r\n",
            ..CASE
        },
    ],
};
