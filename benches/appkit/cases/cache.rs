//! Cached values of 200 bytes.

use super::{CASE, Case, Group};
use crate::server::Variant;

const HIT: &str = "*4\r\n$3\r\nHIT";
const STORED: &str = "*3\r\n$3\r\nHIT";

pub const GROUP: Group = Group {
    name: "cache",
    title: "Cache",
    cases: &[
        Case {
            name: "GET of a value",
            setup: &[&["SET value:{n} {value} EX 3600"]],
            call: &[&["GET value:{n}"]],
            expected: "$200",
            ..CASE
        },
        Case {
            name: "GETORLOAD hit",
            setup: &[&["SET value:{n} {value} EX 3600"]],
            call: &[&["APP.CACHE.GETORLOAD value:{n} LEASE 5000"]],
            expected: HIT,
            ..CASE
        },
        Case {
            name: "Lua load, hit",
            setup: &[&["SET value:{n} {value} EX 3600"]],
            call: &[&["{lua:cache_load} 2 value:{n} loading:{n} token-{c}-{n} 5000"]],
            expected: "*2\r\n$3\r\nHIT",
            ..CASE
        },
        Case {
            name: "GETORSET hit",
            setup: &[&["SET value:{n} {value} EX 3600"]],
            call: &[&["APP.CACHE.GETORSET value:{n} {value} EX 3600"]],
            expected: STORED,
            ..CASE
        },
        Case {
            name: "GETORSET stored",
            call: &[&["APP.CACHE.GETORSET stored:{n} {value} EX 3600"]],
            expected: "*3\r\n$3\r\nSET",
            once: true,
            ..CASE
        },
        Case {
            name: "SET EX",
            call: &[&["SET stored:{n} {value} EX 3600"]],
            expected: "+OK",
            ..CASE
        },
        Case {
            name: "INVALIDATE",
            setup: &[&["SET old:{n} {value} EX 3600"]],
            call: &[&["APP.CACHE.INVALIDATE old:{n}"]],
            expected: ":1",
            once: true,
            ..CASE
        },
        Case {
            name: "GETORLOAD miss, FILL, DEL",
            on: Variant::Lease,
            call: &[
                &["APP.CACHE.GETORLOAD miss:{n} LEASE 5000"],
                &["APP.CACHE.FILL miss:{n} {captured} {value} EX 3600"],
                &["DEL miss:{n}"],
            ],
            expected: ":",
            spread_only: true,
            ..CASE
        },
        Case {
            name: "Lua load, fill, DEL",
            call: &[
                &["{lua:cache_load} 2 luamiss:{n} luamissing:{n} token-{c}-{n} 5000"],
                &["{lua:cache_fill} 2 luamiss:{n} luamissing:{n} token-{c}-{n} {value} 3600000"],
                &["DEL luamiss:{n}"],
            ],
            expected: ":",
            spread_only: true,
            ..CASE
        },
        Case {
            name: "GETORLOAD miss",
            on: Variant::Lease,
            call: &[&["APP.CACHE.GETORLOAD none:{n} LEASE 60000"]],
            expected: "*4\r\n$4\r\nLOAD",
            once: true,
            ..CASE
        },
        Case {
            name: "GETORLOAD miss, FILL",
            on: Variant::Lease,
            call: &[
                &["APP.CACHE.GETORLOAD fill:{n} LEASE 60000"],
                &["APP.CACHE.FILL fill:{n} {captured} {value} EX 3600"],
            ],
            expected: ":1",
            once: true,
            ..CASE
        },
        Case {
            name: "GETORLOAD miss, RELEASE",
            on: Variant::Lease,
            call: &[
                &["APP.CACHE.GETORLOAD drop:{n} LEASE 60000"],
                &["APP.CACHE.RELEASE drop:{n} {captured}"],
            ],
            expected: ":1",
            once: true,
            ..CASE
        },
    ],
};
