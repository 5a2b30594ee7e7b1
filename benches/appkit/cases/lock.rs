//! Locks: taken and given back in two round trips, as a program does it.

use super::{CASE, Case, Group};

const HELD: &str = "*3\r\n:1\r\n";
const REFUSED: &str = "*3\r\n:0\r\n";

pub const GROUP: Group = Group {
    name: "lock",
    title: "Locks",
    cases: &[
        Case {
            name: "SET NX PX, Lua release",
            call: &[
                &["SET luatake:{n} token-{c}-{n} NX PX 30000"],
                &["{lua:lock_release} 1 luatake:{n} token-{c}-{n}"],
            ],
            expected: ":1",
            spread_only: true,
            ..CASE
        },
        Case {
            name: "LOCK, UNLOCK",
            call: &[
                &["APP.LOCK take:{n} token-{c}-{n} EX 30"],
                &["APP.UNLOCK take:{n} token-{c}-{n}"],
            ],
            expected: ":1",
            spread_only: true,
            ..CASE
        },
        Case {
            name: "LOCK",
            call: &[&["APP.LOCK one:{n} token-{c}-{n} EX 30"]],
            expected: HELD,
            once: true,
            ..CASE
        },
        Case {
            name: "UNLOCK",
            setup: &[&["APP.LOCK free:{n} token-{n} EX 3600"]],
            call: &[&["APP.UNLOCK free:{n} token-{n}"]],
            expected: ":1",
            once: true,
            ..CASE
        },
        Case {
            name: "SET NX PX refused",
            setup: &[&["SET luaheld:{n} token-{n} NX PX 3600000"]],
            call: &[&["SET luaheld:{n} other-{c} NX PX 30000"]],
            expected: "$-1",
            ..CASE
        },
        Case {
            name: "LOCK refused",
            setup: &[&["APP.LOCK held:{n} token-{n} EX 3600"]],
            call: &[&["APP.LOCK held:{n} other-{c} EX 30"]],
            expected: REFUSED,
            ..CASE
        },
        Case {
            name: "Lua extend",
            setup: &[&["SET luaheld:{n} token-{n} PX 3600000"]],
            call: &[&["{lua:lock_extend} 1 luaheld:{n} token-{n} 3600000"]],
            expected: ":1",
            ..CASE
        },
        Case {
            name: "LOCK.EXTEND",
            setup: &[&["APP.LOCK held:{n} token-{n} EX 3600"]],
            call: &[&["APP.LOCK.EXTEND held:{n} token-{n} EX 3600"]],
            expected: ":1",
            ..CASE
        },
        Case {
            name: "LOCK.INFO",
            setup: &[&["APP.LOCK held:{n} token-{n} EX 3600"]],
            call: &[&["APP.LOCK.INFO held:{n}"]],
            expected: "*6\r\n",
            ..CASE
        },
    ],
};
