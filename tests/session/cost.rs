//! What sessions cost an owner who has very many of them.

use crate::caller::{View, create, create_named, fields, id, list, view};
use crate::support::{Client, Server, info, words};

const MANY: usize = 10_000;

/// Gives `key` the sessions of its first one, `count` times over, under handles of no known id.
/// (Through CREATE each would read all that are there.)
fn multiply(redis: &mut Client, key: &str, count: usize) {
    let first = create(
        redis,
        &format!("{key} EX 86400 DATA {{\"device\":\"a-phone-with-a-name\"}}"),
    );
    let handle = view(redis, key, &first).handle.into_bytes();
    let record = fields(redis, key)[&handle].clone();
    let mut hset = redis::cmd("HSET");
    hset.arg(key);
    for number in 1..count {
        // 22 characters of base64url, the unused bits of the last one zero.
        hset.arg(format!("{number:021}A")).arg(&record);
    }
    redis.call(&hset).int();
}

/// Microseconds that all calls of `command` have kept the server busy since the last reset.
fn busy_us(redis: &mut Client, command: &str) -> f64 {
    let stats = info(redis, "commandstats");
    let stats = &stats[&format!("cmdstat_{}", command.to_lowercase())];
    let usec = stats.split("usec=").nth(1).expect("usec");
    usec.split(',').next().unwrap().parse().expect("a number")
}

/// Microseconds that one call of `line` keeps the server busy.
fn cost_us(redis: &mut Client, line: &str) -> f64 {
    redis.run("CONFIG RESETSTAT").ok();
    let reply = redis.run(line);
    assert!(!reply.is_error(), "{line}: {reply:?}");
    busy_us(redis, line.split(' ').next().unwrap())
}

/// Measured and printed: `cargo test --test session many_sessions -- --nocapture`. Against a build
/// in release mode (`APPKIT_MODULE`) these are the figures of the guide.
#[test]
fn many_sessions_can_all_be_ended_in_one_step() {
    let server = Server::start();
    let mut redis = server.client();
    for (except, left) in [(false, 0), (true, 1)] {
        multiply(&mut redis, "k", MANY);
        assert_eq!(redis.run("HLEN k").int(), MANY as i64 + 1);
        let made = cost_us(&mut redis, "APP.SESSION.CREATE k EX 60");
        let listed = cost_us(&mut redis, "APP.SESSION.LIST k");
        let kept = create_named(&mut redis, "k", "kept");
        let option = if except {
            format!(" EXCEPT {kept}")
        } else {
            String::new()
        };
        let ended = cost_us(&mut redis, &format!("APP.SESSION.REVOKEALL k{option}"));
        eprintln!(
            "{MANY} sessions: CREATE {made} us, LIST {listed} us, REVOKEALL{} {ended} us",
            if except { " EXCEPT" } else { "" }
        );
        assert_eq!(list(&mut redis, "k").len(), left);
        // Slow machine, debug build: what must not be is a cost that grows with the square.
        assert!(ended < 5_000_000.0, "{ended} us");
        redis.run("DEL k").int();
    }
}

#[test]
fn the_reply_counts_each_of_many_sessions_and_none_stays() {
    let server = Server::start();
    let mut redis = server.client();
    multiply(&mut redis, "k", MANY);
    create_named(&mut redis, "k", "kept");
    let ended = redis.run(&format!("APP.SESSION.REVOKEALL k EXCEPT {}", id("kept")));
    assert_eq!(ended.int(), MANY as i64);
    multiply(&mut redis, "k", MANY);
    assert_eq!(redis.run("APP.SESSION.REVOKEALL k").int(), MANY as i64 + 1);
    assert_eq!(redis.run("EXISTS k").int(), 0);
}

#[test]
fn a_limit_bounds_what_an_owner_has() {
    let server = Server::start();
    let mut redis = server.client();
    multiply(&mut redis, "k", MANY);
    create(&mut redis, "k EX 60 LIMIT 10");
    assert_eq!(redis.run("HLEN k").int(), 11);
}

/// What one call about one session keeps the server busy for, beside `others` sessions of the owner:
/// the least of many, so that what else runs on the machine does not count.
fn least_us(redis: &mut Client, call: &str, others: usize) -> f64 {
    redis.run("DEL k").int();
    let costs = (0..200).map(|round| {
        if round == 0 || others < 100 {
            redis.run("DEL k").int();
            multiply(redis, "k", others);
        }
        let x = id(&format!("{round}"));
        create_by_the_side_door(redis, "k", &x);
        cost_us(redis, &call.replace("{id}", &x))
    });
    costs.fold(f64::INFINITY, f64::min)
}

/// CREATE reads all that are there, and there would be no end to the test.
fn create_by_the_side_door(redis: &mut Client, key: &str, id: &str) {
    create(redis, &format!("template EX 86400 ID {id}"));
    let seen: View = view(redis, "template", id);
    let record = fields(redis, "template")[seen.handle.as_bytes()].clone();
    redis.run("DEL template").int();
    redis
        .call(redis::cmd("HSET").arg(key).arg(&seen.handle).arg(record))
        .int();
}

/// In a list of pairs each call would look for its field from the start.
#[test]
fn the_hash_is_a_table_from_the_first_session_on() {
    let server = Server::start();
    let mut redis = server.client();
    create(&mut redis, "k PX 1000000");
    assert_eq!(redis.run("OBJECT ENCODING k").text(), "hashtable");
}

/// With 10,000 times the sessions, a call that looked at each would cost thousands of times more.
#[test]
fn calls_about_one_session_do_not_cost_more_with_more_sessions() {
    let server = Server::start();
    let mut redis = server.client();
    for call in [
        "APP.SESSION.GET k {id} WITHMETA",
        "APP.SESSION.TOUCH k {id} EX 90000",
        "APP.SESSION.UPDATE k {id} {\"a\":1}",
        "APP.SESSION.ROTATE k {id} GRACE 1",
        "APP.SESSION.REVOKE k {id}",
    ] {
        let few = least_us(&mut redis, call, 2);
        let many = least_us(&mut redis, call, MANY);
        let shown = format!("{call}: {few} us with two, {many} us with {MANY} others");
        eprintln!("{shown}");
        assert!(many <= few.max(5.0) * 10.0, "{shown}");
    }
}

/// A pipeline about one session among many is done in the time of one: no call scans the hash.
#[test]
fn a_busy_owner_does_not_hold_the_server_up() {
    let server = Server::start();
    let mut redis = server.client();
    multiply(&mut redis, "k", MANY);
    let x = create_named(&mut redis, "k", "x");
    redis.run("CONFIG RESETSTAT").ok();
    let touches = vec![words(&format!("APP.SESSION.TOUCH k {x}")); 5000];
    redis.pipeline(&touches);
    let each = busy_us(&mut redis, "APP.SESSION.TOUCH") / 5000.0;
    // A scan of 10,000 records takes milliseconds.
    assert!(each < 500.0, "{each} us");
}
