//! Deadlines against the server's own clock. Every instant is known to lie between two readings of
//! that clock, so nothing here is tolerated.

use std::time::Duration;

use crate::caller::{View, create, create_named, expires_at, fields, get, id, list, view};
use crate::support::{Client, Server, eventually, timed, words};

/// Polls `line` until it replies nil, and checks that this happens at `due` (first, last) and not a
/// millisecond sooner or later.
fn assert_ends_at(redis: &mut Client, line: &str, due: (i64, i64)) {
    eventually("the session ends", || {
        let call = timed(redis, line);
        if call.reply.is_nil() {
            assert!(call.not_after >= due.0, "{line}: too soon");
        } else {
            assert!(call.not_before < due.1, "{line}: too late");
        }
        call.reply.is_nil()
    });
}

#[test]
fn times_are_those_of_the_servers_clock() {
    let server = Server::start();
    let mut redis = server.client();
    let x = id("x");
    for (options, span) in [
        ("EX 60", 60_000),
        ("PX 61234", 61_234),
        ("EX 60 MAXAGE 5000", 5000),
        ("EX 315360000 MAXAGE 315360000000", 315_360_000_000),
    ] {
        redis.run("DEL k").int();
        let made = timed(
            &mut redis,
            &format!("APP.SESSION.CREATE k {options} ID {x}"),
        );
        let seen = view(&mut redis, "k", &x);
        assert!(made.plus(0).contains(&seen.created_at), "{options}");
        assert_eq!(seen.seen_at, seen.created_at, "{options}");
        assert_eq!(seen.expires_at, seen.created_at + span, "{options}");
        assert_eq!(expires_at(&mut redis, "k"), seen.expires_at, "{options}");
    }
}

#[test]
fn an_unused_session_ends_at_its_idle_deadline_and_reading_does_not_move_it() {
    let server = Server::start();
    let mut redis = server.client();
    create_named(&mut redis, "k", "other");
    let x = id("x");
    let made = timed(&mut redis, &format!("APP.SESSION.CREATE k PX 150 ID {x}"));
    let due = (made.not_before + 150, made.not_after + 150);
    assert_ends_at(&mut redis, &format!("APP.SESSION.GET k {x}"), due);
    assert_eq!(list(&mut redis, "k").len(), 1, "and the other one goes on");
}

#[test]
fn a_session_in_use_outlives_its_idle_timeout_and_ends_at_its_absolute_one() {
    let server = Server::start();
    let mut redis = server.client();
    let x = id("x");
    for (name, line) in [
        ("touch", format!("APP.SESSION.TOUCH touch {x}")),
        ("update", format!("APP.SESSION.UPDATE update {x} {{}}")),
    ] {
        let create = format!("APP.SESSION.CREATE {name} PX 600 MAXAGE 1000 ID {x}");
        let made = timed(&mut redis, &create);
        let due = (made.not_before + 1000, made.not_after + 1000);
        assert_ends_at(&mut redis, &line, due);
    }
}

#[test]
fn keepttl_keeps_nobody_logged_in() {
    let server = Server::start();
    let mut redis = server.client();
    let x = id("x");
    let made = timed(&mut redis, &format!("APP.SESSION.CREATE k PX 150 ID {x}"));
    let due = (made.not_before + 150, made.not_after + 150);
    assert_ends_at(
        &mut redis,
        &format!("APP.SESSION.UPDATE k {x} {{}} KEEPTTL"),
        due,
    );
}

/// Each write of a touch moves the deadline by a sixteenth of the idle timeout at least.
#[test]
fn a_touch_writes_only_when_it_is_worth_it() {
    const IDLE: i64 = 1600;
    const WORTH: i64 = IDLE / 16;
    let server = Server::start();
    let mut redis = server.client();
    for options in ["", " MAXAGE 1600"] {
        redis.run("DEL k").int();
        let x = create(&mut redis, &format!("k PX {IDLE}{options}"));
        let mut last = view(&mut redis, "k", &x);
        let mut writes = 0;
        while writes < 3 {
            let touched = timed(&mut redis, &format!("APP.SESSION.TOUCH k {x} WITHMETA"));
            let now = View::of(&touched.reply);
            if now == last {
                assert!(
                    touched.not_before < last.seen_at + WORTH,
                    "{options}: a use was missed"
                );
            } else {
                assert!(
                    now.seen_at >= last.seen_at + WORTH,
                    "{options}: {last:?} {now:?}"
                );
                assert!(touched.plus(0).contains(&now.seen_at), "{options}");
                let end = if options.is_empty() {
                    now.seen_at + IDLE
                } else {
                    last.expires_at
                };
                assert_eq!(now.expires_at, end, "{options}");
                assert_eq!(expires_at(&mut redis, "k"), end, "{options}");
                writes += 1;
            }
            last = now;
        }
    }
}

#[test]
fn what_has_ended_is_not_returned_nor_counted_nor_in_the_way() {
    let server = Server::start();
    let mut redis = server.client();
    let long = create_named(&mut redis, "k", "long");
    let short = create_named(&mut redis, "k", "short");
    let handle = view(&mut redis, "k", &short).handle;
    // In one step, or the second login might find the first session at its end, and drop it.
    redis.pipeline(&[
        words("MULTI"),
        words(&format!("APP.SESSION.TOUCH k {short} PX 50")),
        words("APP.SESSION.CREATE k PX 50"),
        words("EXEC"),
    ]);
    eventually("the short ones have ended", || {
        list(&mut redis, "k").len() == 1
    });
    assert_eq!(
        fields(&mut redis, "k").len(),
        4,
        "their records are still there"
    );
    for line in [
        format!("APP.SESSION.GET k {short} WITHMETA"),
        format!("APP.SESSION.TOUCH k {short} EX 60"),
        format!("APP.SESSION.UPDATE k {short} {{\"a\":1}}"),
        format!("APP.SESSION.ROTATE k {short} GRACE 60000"),
    ] {
        assert!(redis.run(&line).is_nil(), "{line}");
    }
    for revoke in [short.clone(), format!("HANDLE {handle}")] {
        assert_eq!(
            redis.run(&format!("APP.SESSION.REVOKE k {revoke}")).int(),
            0
        );
    }
    assert!(list(&mut redis, &format!("k CURRENT {short}"))[0].current == 0);
    // They neither fill the limit nor are among what is ended.
    let in_limit = create(&mut redis, "k EX 60 LIMIT 2 REJECT");
    assert_eq!(
        fields(&mut redis, "k").len(),
        3,
        "the login has dropped them"
    );
    let ended = redis.run(&format!("APP.SESSION.REVOKEALL k EXCEPT {short}"));
    assert_eq!(ended.int(), 2, "one that has ended keeps nothing");
    for id in [long, in_limit] {
        assert_eq!(get(&mut redis, "k", &id), None);
    }
}

#[test]
fn an_id_that_has_ended_can_be_made_again_and_is_a_new_session() {
    let server = Server::start();
    let mut redis = server.client();
    create_named(&mut redis, "k", "other");
    let x = id("x");
    create(&mut redis, &format!("k PX 20 ID {x} DATA {{\"a\":1}}"));
    eventually("it has ended", || get(&mut redis, "k", &x).is_none());
    assert_eq!(create(&mut redis, &format!("k EX 60 ID {x}")), x);
    assert_eq!(get(&mut redis, "k", &x).unwrap(), "{}");
}

#[test]
fn the_hash_does_not_grow_with_dead_ones_over_logins() {
    let server = Server::start();
    let mut redis = server.client();
    create_named(&mut redis, "k", "long");
    for _ in 0..30 {
        let short = create(&mut redis, "k PX 5");
        redis.run(&format!("APP.SESSION.ROTATE k {short} GRACE 2"));
        eventually("it has ended", || list(&mut redis, "k").len() == 1);
        // The index, what lasts, what has just ended with its old id.
        assert!(fields(&mut redis, "k").len() <= 4);
    }
}

#[test]
fn the_key_lives_as_long_as_its_last_session() {
    let server = Server::start();
    let mut redis = server.client();
    let replies = redis.pipeline(&[
        words("APP.SESSION.CREATE k PX 100"),
        words("APP.SESSION.CREATE k PX 500"),
        words("APP.SESSION.CREATE k PX 200"),
    ]);
    let longest = view(&mut redis, "k", &replies[1].text());
    assert_eq!(expires_at(&mut redis, "k"), longest.expires_at);
    eventually("the key is gone", || redis.run("EXISTS k").int() == 0);
    let now = timed(&mut redis, "PING");
    assert!(now.not_after >= longest.expires_at);
}

#[test]
fn a_ttl_that_others_take_away_or_lengthen_keeps_nobody_logged_in() {
    let server = Server::start();
    let mut redis = server.client();
    for change in ["PERSIST k", "EXPIRE k 3600"] {
        let x = id(change.split(' ').next().unwrap());
        redis.pipeline(&[
            words("MULTI"),
            words(&format!("APP.SESSION.CREATE k PX 40 ID {x}")),
            words(change),
            words("EXEC"),
        ]);
        eventually("it ends nevertheless", || {
            get(&mut redis, "k", &x).is_none()
        });
        assert_eq!(redis.run("EXISTS k").int(), 1, "{change}");
    }
    std::thread::sleep(Duration::from_millis(1));
    assert_eq!(redis.run("APP.SESSION.REVOKEALL k").int(), 0);
    assert_eq!(redis.run("EXISTS k").int(), 0, "what is left of them goes");
}
