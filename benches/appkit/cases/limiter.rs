//! Rate limiting. Limits are per hour: with a shorter window keys would come and go during a run,
//! and the figure would be that of something else. For the same reason buckets are half empty when it
//! begins: one of 1000 an hour is whole again, and its key gone, 3.6 seconds after one charge.

use super::{CASE, Case, Group};

const ALLOWED: &str = "*7\r\n:1\r\n";
const REFUSED: &str = "*7\r\n:0\r\n";

pub const GROUP: Group = Group {
    name: "limiter",
    title: "Rate limiting",
    cases: &[
        Case {
            name: "SET PX",
            call: &[&["SET set:{n} {state} PX 3600000"]],
            expected: "+OK",
            ..CASE
        },
        Case {
            name: "GET",
            setup: &[&["SET set:{n} {state} PX 3600000"]],
            call: &[&["GET set:{n}"]],
            expected: "$24",
            ..CASE
        },
        Case {
            name: "RATELIMIT SLIDING",
            call: &[&["APP.RATELIMIT sliding:{n} {limit} EX 3600"]],
            expected: ALLOWED,
            ..CASE
        },
        Case {
            name: "RATELIMIT GCRA",
            setup: &[&["APP.RATELIMIT gcra:{n} {limit} EX 3600 ALGO GCRA COST {limit/2}"]],
            call: &[&["APP.RATELIMIT gcra:{n} {limit} EX 3600 ALGO GCRA"]],
            expected: ALLOWED,
            ..CASE
        },
        Case {
            name: "RATELIMIT FIXED",
            call: &[&["APP.RATELIMIT fixed:{n} {limit} EX 3600 ALGO FIXED"]],
            expected: ALLOWED,
            ..CASE
        },
        Case {
            name: "RATELIMIT EXACT",
            call: &[&["APP.RATELIMIT exact:{n} {limit} EX 3600 ALGO EXACT"]],
            expected: ALLOWED,
            spread_only: true,
            ..CASE
        },
        Case {
            name: "RATELIMIT two rules",
            call: &[&["APP.RATELIMIT two:{n} {limit} EX 3600 4000000000 EX 86400"]],
            expected: ALLOWED,
            ..CASE
        },
        Case {
            name: "RATELIMIT refused",
            setup: &[&["APP.RATELIMIT refused:{n} {limit} EX 3600 COST {limit}"]],
            call: &[&["APP.RATELIMIT refused:{n} {limit} EX 3600"]],
            expected: REFUSED,
            ..CASE
        },
        Case {
            name: "RATELIMIT GCRA refused",
            // The capacity is used up, and the next unit is an hour away.
            setup: &[&["APP.RATELIMIT spent:{n} 1 EX 3600 BURST 1000 ALGO GCRA COST 1000"]],
            call: &[&["APP.RATELIMIT spent:{n} 1 EX 3600 BURST 1000 ALGO GCRA"]],
            expected: REFUSED,
            ..CASE
        },
        Case {
            name: "RATELIMIT.PEEK",
            setup: &[&["APP.RATELIMIT peek:{n} {limit} EX 3600"]],
            call: &[&["APP.RATELIMIT.PEEK peek:{n} {limit} EX 3600"]],
            expected: ALLOWED,
            ..CASE
        },
        Case {
            name: "RATELIMIT.REFUND",
            setup: &[&["APP.RATELIMIT refund:{n} {limit} EX 3600 COST 10"]],
            call: &[&["APP.RATELIMIT.REFUND refund:{n} {limit} EX 3600"]],
            expected: ALLOWED,
            once: true,
            ..CASE
        },
        Case {
            name: "redis-cell CL.THROTTLE",
            setup: &[&["CL.THROTTLE cell:{n} {limit-1} {limit} 3600 {limit/2}"]],
            call: &[&["CL.THROTTLE cell:{n} {limit-1} {limit} 3600"]],
            expected: "*5\r\n:0\r\n",
            ..CASE
        },
        Case {
            name: "redis-cell refused",
            setup: &[&["CL.THROTTLE cellfull:{n} 999 1 3600 1000"]],
            call: &[&["CL.THROTTLE cellfull:{n} 999 1 3600"]],
            expected: "*5\r\n:1\r\n",
            ..CASE
        },
        Case {
            name: "Lua INCR + PEXPIRE",
            call: &[&["{lua:fixed_window} 1 luafixed:{n} {limit} 3600000"]],
            expected: "*3\r\n:1\r\n",
            ..CASE
        },
        Case {
            name: "Lua GCRA",
            setup: &[&["{lua:gcra_half} 1 luagcra:{n} {limit} 3600000"]],
            call: &[&["{lua:gcra} 1 luagcra:{n} {limit} 3600000"]],
            expected: "*4\r\n:1\r\n",
            ..CASE
        },
        Case {
            name: "Lua sliding log",
            call: &[&["{lua:sliding_log} 1 lualog:{n} {limit} 3600000 :{c}"]],
            expected: "*3\r\n:1\r\n",
            spread_only: true,
            ..CASE
        },
        Case {
            name: "Lua two counters",
            call: &[&["{lua:two_counters} 1 luatwo:{n} {limit} 3600000"]],
            expected: "*2\r\n:1\r\n",
            ..CASE
        },
    ],
};
