//! Bytes per key, as `MEMORY USAGE` counts them.

use std::time::{Duration, Instant};

use crate::lua;
use crate::report::Rows;
use crate::resp::{Client, payload};
use crate::server::Server;

/// Units of a full limiter.
const LIMIT: u32 = 100;
/// A window in which it is filled evenly. The size of a state does not depend on the window's
/// length, and nobody wants to wait for a minute.
const WINDOW: Duration = Duration::from_millis(3200);

/// Key of the log that the mark is about: its members have to differ, so they hold more than a time.
const USUAL_LOG: &str = "limiter:08";

/// A limiter to fill: name, key (all of the same length) and the call that charges one unit.
struct Limiter {
    name: &'static str,
    key: &'static str,
    charge: String,
    needs: Option<&'static str>,
}

fn limiters() -> Vec<Limiter> {
    let window = WINDOW.as_millis();
    let ours = |name, key, algorithm: &str| Limiter {
        name,
        key,
        charge: format!("APP.RATELIMIT {key} {LIMIT} PX {window} ALGO {algorithm}"),
        needs: Some("APP.RATELIMIT"),
    };
    let script = |name, key, script: &str, argument: &str| Limiter {
        name,
        key,
        charge: format!(
            "EVALSHA {} 1 {key} {LIMIT} {window} {argument}",
            lua::digest(script)
        ),
        needs: None,
    };
    vec![
        ours("SLIDING", "limiter:00", "SLIDING"),
        ours("FIXED", "limiter:01", "FIXED"),
        ours("EXACT", "limiter:02", "EXACT"),
        ours("GCRA", "limiter:03", "GCRA"),
        Limiter {
            name: "redis-cell",
            key: "limiter:04",
            charge: format!("CL.THROTTLE limiter:04 {} {LIMIT} 60", LIMIT - 1),
            needs: Some("CL.THROTTLE"),
        },
        script("Lua INCR + PEXPIRE", "limiter:05", "fixed_window", ""),
        script("Lua GCRA", "limiter:06", "gcra", ""),
        script("Lua two counters", "limiter:07", "two_counters", ""),
        script(
            "zset log, members that never meet",
            USUAL_LOG,
            "sliding_log",
            ":000000",
        ),
        script(
            "zset log, members are times",
            "limiter:09",
            "sliding_log",
            "",
        ),
    ]
}

/// What the limiters take, and the mark: a full `SLIDING` against the zset log.
pub struct Limiters {
    pub rows: Rows,
    pub sliding_to_log: f64,
}

/// Fills every kind of limiter with 100 units spread over its window.
pub fn limiters_of(server: &Server) -> Limiters {
    let mut client = server.client();
    let mut known = limiters();
    known.retain(|limiter| limiter.needs.is_none_or(|command| server.knows(command)));
    let mut rows = Rows::new(&["bytes", "one unit", "full (100 units)"]);
    let mut first = Vec::new();
    let started = Instant::now();
    for unit in 0..LIMIT {
        let due = WINDOW * unit / (LIMIT + 1);
        std::thread::sleep(due.saturating_sub(started.elapsed()));
        for limiter in &known {
            client.ask(&limiter.charge);
            if unit == 0 {
                first.push(usage(&mut client, limiter.key));
            }
        }
    }
    let full: Vec<u64> = known
        .iter()
        .map(|limiter| usage(&mut client, limiter.key))
        .collect();
    for ((limiter, first), full) in known.iter().zip(first).zip(&full) {
        rows.push([limiter.name.to_owned(), first.to_string(), full.to_string()]);
    }
    let log = known.iter().position(|limiter| limiter.key == USUAL_LOG);
    let usual_log = full[log.expect("the log is measured")];
    Limiters {
        rows,
        sliding_to_log: full[0] as f64 / usual_log as f64,
    }
}

/// Locks, and sessions with 200 bytes of JSON, one and five of a user.
pub fn others_of(server: &Server) -> Rows {
    let mut client = server.client();
    let mut rows = Rows::new(&["bytes", "ours", "the usual way"]);
    let document = format!(r#"{{"d":"{}"}}"#, "x".repeat(192));
    if server.knows("APP.LOCK") {
        client.ask(&format!("APP.LOCK lock:0 {} EX 3600", uuid(0)));
        client.ask(&format!("SET lock:1 {} NX PX 3600000", uuid(0)));
        let (ours, usual) = (usage(&mut client, "lock:0"), usage(&mut client, "lock:1"));
        rows.push([
            "a lock (SET NX PX)".to_owned(),
            ours.to_string(),
            usual.to_string(),
        ]);
    }
    for sessions in [1, 5] {
        let (user, index) = (format!("user:{sessions}"), format!("sessions:{sessions}"));
        let mut usual = 0;
        for number in 0..sessions {
            client.ask(&format!(
                "APP.SESSION.CREATE {user} EX 3600 DATA {document}"
            ));
            let key = format!("session:{}", uuid(number));
            client.ask(&format!(
                "EVALSHA {} 2 {key} {index} {} {document} 3600000",
                lua::digest("session_create"),
                uuid(number)
            ));
            usual += usage(&mut client, &key);
        }
        usual += usage(&mut client, &index);
        let name = format!("{sessions} session(s) of a user (session:<id> + set)");
        rows.push([
            name,
            usage(&mut client, &user).to_string(),
            usual.to_string(),
        ]);
    }
    rows
}

fn uuid(number: u32) -> String {
    format!("7d0f1a52-93b4-4c0e-8a61-{number:012}")
}

fn usage(client: &mut Client, key: &str) -> u64 {
    let reply = client.call(&[b"MEMORY", b"USAGE", key.as_bytes(), b"SAMPLES", b"0"]);
    let text = String::from_utf8_lossy(payload(&reply)).into_owned();
    text.parse()
        .unwrap_or_else(|_| panic!("{key} is gone: {text}"))
}
