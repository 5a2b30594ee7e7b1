//! What each command promises to its caller.

use std::collections::BTreeSet;

use crate::caller::{create, create_named, expires_at, fields, get, id, list, state, view};
use crate::support::{Server, timed, words};

#[test]
fn a_made_id_is_a_random_uuid_in_lower_case() {
    let server = Server::start();
    let mut redis = server.client();
    let calls = vec![words("APP.SESSION.CREATE k EX 3600"); 500];
    let ids: BTreeSet<String> = redis.pipeline(&calls).iter().map(|id| id.text()).collect();
    assert_eq!(ids.len(), 500, "no id comes twice");
    for id in ids {
        let parts: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{id}");
        let lower_hex = |c: char| c == '-' || c.is_ascii_digit() || ('a'..='f').contains(&c);
        assert!(id.chars().all(lower_hex), "{id}");
        assert_eq!(&id[14..15], "4", "{id}: version");
        assert!("89ab".contains(&id[19..20]), "{id}: variant");
    }
}

#[test]
fn an_own_id_is_taken_and_a_re_sent_call_changes_nothing() {
    let server = Server::start();
    let mut redis = server.client();
    for id in [id("x"), "x".repeat(16), "x".repeat(256)] {
        redis.run("DEL k").int();
        assert_eq!(
            create(&mut redis, &format!("k EX 3600 ID {id} DATA {{\"a\":1}}")),
            id
        );
        let before = state(&mut redis, "k");
        let again = format!("k EX 9 MAXAGE 5 ID {id} DATA {{\"b\":2}} LIMIT 1 REJECT");
        assert_eq!(create(&mut redis, &again), id);
        assert_eq!(state(&mut redis, "k"), before);
        assert_eq!(get(&mut redis, "k", &id).unwrap(), "{\"a\":1}");
    }
}

#[test]
fn an_own_id_is_any_bytes() {
    let server = Server::start();
    let mut redis = server.client();
    let own: [&[u8]; 3] = [
        &[0; 16],
        b"\r\n$5\r\n\xff\xfe 16 bytes",
        b"  ID ID ID ID ID  ",
    ];
    for id in own {
        let mut create = redis::cmd("APP.SESSION.CREATE");
        create.arg("k").arg("EX").arg(60).arg("ID").arg(id);
        assert_eq!(redis.call(&create).bytes(), id);
        let get = |redis: &mut crate::support::Client| {
            redis.call(redis::cmd("APP.SESSION.GET").arg("k").arg(id))
        };
        assert_eq!(get(&mut redis).text(), "{}");
        let mut revoke = redis::cmd("APP.SESSION.REVOKE");
        assert_eq!(redis.call(revoke.arg("k").arg(id)).int(), 1);
        assert!(get(&mut redis).is_nil());
    }
}

#[test]
fn a_document_is_an_empty_object_unless_one_is_given() {
    let server = Server::start();
    let mut redis = server.client();
    let without = create(&mut redis, "k EX 3600");
    assert_eq!(get(&mut redis, "k", &without).unwrap(), "{}");
    let with = create(&mut redis, "k DATA {\"a\":[1,2]} EX 3600");
    assert_eq!(get(&mut redis, "k", &with).unwrap(), "{\"a\":[1,2]}");
}

#[test]
fn any_bytes_that_name_no_live_session_are_nil_and_no_error() {
    let server = Server::start();
    let mut redis = server.client();
    create_named(&mut redis, "k", "live");
    let before = state(&mut redis, "k");
    let handle = list(&mut redis, "k")[0].handle.clone();
    let long = vec![b'x'; 1 << 20];
    let ids: [&[u8]; 6] = [b"", b"_", b"\0", b"\xff", &long, handle.as_bytes()];
    for key in ["k", "nothing-here"] {
        for id in ids {
            for command in ["GET", "TOUCH", "ROTATE"] {
                let mut call = redis::cmd(&format!("APP.SESSION.{command}"));
                assert!(redis.call(call.arg(key).arg(id)).is_nil(), "{command}");
            }
            let mut update = redis::cmd("APP.SESSION.UPDATE");
            assert!(
                redis
                    .call(update.arg(key).arg(id).arg("{\"a\":1}"))
                    .is_nil()
            );
            let mut revoke = redis::cmd("APP.SESSION.REVOKE");
            assert_eq!(redis.call(revoke.arg(key).arg(id)).int(), 0);
        }
        for no_handle in ["", "_", "x", "0123456789012345678901"] {
            let mut revoke = redis::cmd("APP.SESSION.REVOKE");
            revoke.arg(key).arg("HANDLE").arg(no_handle);
            assert_eq!(redis.call(&revoke).int(), 0, "{no_handle:?}");
        }
    }
    assert_eq!(redis.run("APP.SESSION.REVOKEALL nothing-here").int(), 0);
    assert!(list(&mut redis, "nothing-here").is_empty());
    assert_eq!(state(&mut redis, "k"), before);
    assert_eq!(redis.run("DBSIZE").int(), 1);
}

#[test]
fn owners_are_apart() {
    let server = Server::start();
    let mut redis = server.client();
    let id = create_named(&mut redis, "alice", "same");
    create_named(&mut redis, "bob", "same");
    assert_eq!(
        redis.run(&format!("APP.SESSION.REVOKE alice {id}")).int(),
        1
    );
    assert_eq!(get(&mut redis, "alice", &id), None);
    assert!(get(&mut redis, "bob", &id).is_some());
    assert_eq!(redis.run("APP.SESSION.REVOKEALL alice").int(), 0);
    assert_eq!(redis.run("APP.SESSION.REVOKEALL bob").int(), 1);
}

#[test]
fn a_limit_ends_the_longest_unused_and_reject_makes_none() {
    let server = Server::start();
    let mut redis = server.client();
    for name in ["a", "b", "c"] {
        create_named(&mut redis, "k", name);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    // A new idle timeout is written at once, so `a` is now the one used last.
    redis
        .run(&format!("APP.SESSION.TOUCH k {} EX 7200", id("a")))
        .text();
    let before = state(&mut redis, "k");
    assert!(
        redis
            .run("APP.SESSION.CREATE k EX 60 LIMIT 3 REJECT")
            .is_nil()
    );
    assert_eq!(state(&mut redis, "k"), before);
    create(&mut redis, &format!("k EX 3600 LIMIT 3 ID {}", id("d")));
    assert_eq!(get(&mut redis, "k", &id("b")), None);
    create(&mut redis, &format!("k EX 3600 LIMIT 2 ID {}", id("e")));
    let live = ["a", "b", "c", "d", "e"].map(|name| get(&mut redis, "k", &id(name)).is_some());
    assert_eq!(live, [false, false, false, true, true]);
    assert_eq!(
        fields(&mut redis, "k").len(),
        3,
        "the index and two sessions"
    );
    create(&mut redis, "k EX 3600 LIMIT 4294967295 REJECT");
    assert_eq!(list(&mut redis, "k").len(), 3);
}

#[test]
fn touch_replies_what_get_does_and_a_new_timeout_stays() {
    let server = Server::start();
    let mut redis = server.client();
    let id = create(&mut redis, "k EX 60 DATA {\"a\":1}");
    assert_eq!(
        redis.run(&format!("APP.SESSION.TOUCH k {id}")).text(),
        "{\"a\":1}"
    );
    let touched = timed(
        &mut redis,
        &format!("APP.SESSION.TOUCH k {id} EX 600 WITHMETA"),
    );
    let seen = crate::caller::View::of(&touched.reply);
    assert!(touched.plus(600_000).contains(&seen.expires_at));
    assert!(touched.plus(0).contains(&seen.seen_at));
    assert_eq!(view(&mut redis, "k", &id), seen);
    assert_eq!(expires_at(&mut redis, "k"), seen.expires_at);
    // A shorter one too: the key may live longer than its sessions, and never shorter.
    redis
        .run(&format!("APP.SESSION.TOUCH k {id} PX 500"))
        .text();
    assert!(view(&mut redis, "k", &id).expires_at < seen.expires_at - 500_000);
    assert_eq!(expires_at(&mut redis, "k"), seen.expires_at);
}

#[test]
fn nothing_slides_past_the_absolute_deadline() {
    let server = Server::start();
    let mut redis = server.client();
    let made = timed(
        &mut redis,
        &format!("APP.SESSION.CREATE k EX 60 MAXAGE 90000 ID {}", id("x")),
    );
    let id = made.reply.text();
    redis
        .run(&format!("APP.SESSION.TOUCH k {id} EX 7200"))
        .text();
    redis
        .run(&format!("APP.SESSION.UPDATE k {id} {{\"a\":1}}"))
        .text();
    let id = redis
        .run(&format!("APP.SESSION.ROTATE k {id} GRACE 7200000"))
        .text();
    redis
        .run(&format!("APP.SESSION.TOUCH k {id} EX 3600"))
        .text();
    let end = view(&mut redis, "k", &id).expires_at;
    assert!(made.plus(90_000).contains(&end));
    assert_eq!(expires_at(&mut redis, "k"), end);
}

#[test]
fn keepttl_leaves_the_deadline_and_when_it_was_seen() {
    let server = Server::start();
    let mut redis = server.client();
    let id = create(&mut redis, "k PX 16000");
    let before = view(&mut redis, "k", &id);
    std::thread::sleep(std::time::Duration::from_millis(5));
    redis
        .run(&format!("APP.SESSION.UPDATE k {id} {{\"a\":1}} KEEPTTL"))
        .text();
    let kept = view(&mut redis, "k", &id);
    assert_eq!(
        (kept.seen_at, kept.expires_at),
        (before.seen_at, before.expires_at)
    );
    assert_eq!(kept.data, "{\"a\":1}");
    redis
        .run(&format!("APP.SESSION.UPDATE k {id} {{\"a\":2}}"))
        .text();
    assert!(
        view(&mut redis, "k", &id).seen_at > before.seen_at,
        "an update is a use"
    );
}

#[test]
fn revoking_ends_one_session_by_id_or_by_handle() {
    let server = Server::start();
    let mut redis = server.client();
    for name in ["a", "b", "c"] {
        create_named(&mut redis, "k", name);
    }
    assert_eq!(
        redis
            .run(&format!("APP.SESSION.REVOKE k {}", id("a")))
            .int(),
        1
    );
    assert_eq!(
        redis
            .run(&format!("APP.SESSION.REVOKE k {}", id("a")))
            .int(),
        0
    );
    let handle = view(&mut redis, "k", &id("b")).handle;
    assert_eq!(
        redis
            .run(&format!("APP.SESSION.REVOKE other handle {handle}"))
            .int(),
        0
    );
    assert_eq!(
        redis
            .run(&format!("APP.SESSION.REVOKE k handle {handle}"))
            .int(),
        1
    );
    assert_eq!(
        redis
            .run(&format!("APP.SESSION.REVOKE k HANDLE {handle}"))
            .int(),
        0
    );
    assert!(get(&mut redis, "k", &id("c")).is_some());
    for line in ["TOUCH k {}", "UPDATE k {} {\"a\":1}", "ROTATE k {} GRACE 9"] {
        let line = format!("APP.SESSION.{}", line.replacen("{}", &id("a"), 1));
        assert!(redis.run(&line).is_nil(), "{line}");
    }
    assert_eq!(fields(&mut redis, "k").len(), 2);
    assert_eq!(
        redis
            .run(&format!("APP.SESSION.REVOKE k {}", id("c")))
            .int(),
        1
    );
    assert_eq!(
        redis.run("EXISTS k").int(),
        0,
        "the key goes with its last record"
    );
}

#[test]
fn everywhere_or_everywhere_else() {
    let server = Server::start();
    let mut redis = server.client();
    for name in ["a", "b", "c", "d"] {
        create_named(&mut redis, "k", name);
    }
    assert_eq!(
        redis
            .run(&format!("APP.SESSION.REVOKEALL k EXCEPT {}", id("b")))
            .int(),
        3
    );
    assert_eq!(
        list(&mut redis, "k"),
        [view(&mut redis, "k", &id("b"))].map(|mut v| {
            v.current = 0;
            v
        })
    );
    assert_eq!(
        redis
            .run(&format!("APP.SESSION.REVOKEALL k EXCEPT {}", id("b")))
            .int(),
        0
    );
    assert!(get(&mut redis, "k", &id("b")).is_some());
    assert_eq!(
        redis
            .run(&format!("APP.SESSION.REVOKEALL k EXCEPT {}", id("a")))
            .int(),
        1
    );
    assert_eq!(redis.run("EXISTS k").int(), 0);
    assert_eq!(redis.run("APP.SESSION.REVOKEALL k").int(), 0);
}

#[test]
fn the_key_shrinks_to_the_session_that_is_kept() {
    let server = Server::start();
    let mut redis = server.client();
    let id = create_named(&mut redis, "k", "short");
    create(&mut redis, "k EX 7200");
    assert_eq!(
        redis
            .run(&format!("APP.SESSION.REVOKEALL k EXCEPT {id}"))
            .int(),
        1
    );
    assert_eq!(
        expires_at(&mut redis, "k"),
        view(&mut redis, "k", &id).expires_at
    );
}

#[test]
fn the_list_is_newest_first_and_marks_the_current_one() {
    let server = Server::start();
    let mut redis = server.client();
    for name in ["a", "b", "c"] {
        let made = format!("k EX 3600 ID {} DATA {{\"name\":\"{name}\"}}", id(name));
        create(&mut redis, &made);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let names =
        |list: &[crate::caller::View]| list.iter().map(|v| v.data.clone()).collect::<Vec<_>>();
    let all = list(&mut redis, "k");
    assert_eq!(
        names(&all),
        ["{\"name\":\"c\"}", "{\"name\":\"b\"}", "{\"name\":\"a\"}"]
    );
    assert!(all.iter().all(|view| view.current == 0));
    let marked = list(&mut redis, &format!("k CURRENT {}", id("b")));
    assert_eq!(
        marked.iter().map(|v| v.current).collect::<Vec<_>>(),
        [0, 1, 0]
    );
    let unknown = list(&mut redis, "k current nobody");
    assert_eq!(unknown, all);
}
