//! `APP.SESSION.ROTATE`: a new id for the same session.

use std::time::Duration;

use crate::caller::{View, create, create_named, fields, get, id, list, view};
use crate::support::{Client, Server, eventually, timed};

#[track_caller]
fn rotate(redis: &mut Client, rest: &str) -> String {
    redis.run(&format!("APP.SESSION.ROTATE {rest}")).text()
}

/// A view without what names the session.
fn nameless(mut view: View) -> View {
    view.handle.clear();
    view
}

#[test]
fn a_rotation_keeps_everything_but_the_id() {
    let server = Server::start();
    let mut redis = server.client();
    let old = create(&mut redis, "k EX 60 MAXAGE 90000 DATA {\"a\":1}");
    let before = view(&mut redis, "k", &old);
    std::thread::sleep(Duration::from_millis(5));
    let new = rotate(&mut redis, &format!("k {old}"));
    assert_eq!((new.len(), new == old), (36, false));
    let after = view(&mut redis, "k", &new);
    assert_ne!(after.handle, before.handle);
    assert_eq!(nameless(after), nameless(before));
    assert_eq!(get(&mut redis, "k", &old), None);
    assert_eq!(
        fields(&mut redis, "k").len(),
        2,
        "nothing of the old id stays"
    );
}

#[test]
fn in_its_grace_the_old_id_is_as_good_as_the_new_one() {
    let server = Server::start();
    let mut redis = server.client();
    let old = create_named(&mut redis, "k", "old");
    let new = rotate(&mut redis, &format!("k {old} GRACE 3600000"));
    assert_eq!(view(&mut redis, "k", &old), view(&mut redis, "k", &new));
    redis
        .run(&format!("APP.SESSION.UPDATE k {old} {{\"a\":1}}"))
        .text();
    redis
        .run(&format!("APP.SESSION.UPDATE k {new} {{\"b\":2}}"))
        .text();
    assert_eq!(get(&mut redis, "k", &old).unwrap(), "{\"a\":1,\"b\":2}");
    let shown = list(&mut redis, &format!("k CURRENT {old}"));
    assert_eq!(
        shown,
        [view(&mut redis, "k", &new)],
        "once, and as the current one"
    );
    // A re-sent CREATE finds the session by its old id.
    assert_eq!(create_named(&mut redis, "k", "old"), old);
    assert_eq!(list(&mut redis, "k").len(), 1);
}

#[test]
fn a_grace_ends_by_itself_and_the_session_goes_on() {
    let server = Server::start();
    let mut redis = server.client();
    let old = create_named(&mut redis, "k", "old");
    let call = format!("APP.SESSION.ROTATE k {old} GRACE 100");
    let rotated = timed(&mut redis, &call);
    eventually("the grace ends", || {
        let got = timed(&mut redis, &format!("APP.SESSION.GET k {old}"));
        if got.reply.is_nil() {
            assert!(got.not_after >= rotated.not_before + 100, "too soon");
        } else {
            assert!(got.not_before < rotated.not_after + 100, "too late");
        }
        got.reply.is_nil()
    });
    let new = rotated.reply.text();
    assert_eq!(get(&mut redis, "k", &new).unwrap(), "{}");
    assert_eq!(redis.run(&format!("APP.SESSION.REVOKE k {old}")).int(), 0);
    // The next login sweeps the old id out.
    create_named(&mut redis, "k", "next");
    assert_eq!(fields(&mut redis, "k").len(), 3);
}

#[test]
fn rotating_twice_in_a_grace_leaves_every_old_id_on_the_newest() {
    let server = Server::start();
    let mut redis = server.client();
    let first = create_named(&mut redis, "k", "first");
    let second = rotate(&mut redis, &format!("k {first} GRACE 3600000"));
    let third = rotate(&mut redis, &format!("k {second} GRACE 3600000"));
    // A re-sent call with an id of before.
    let fourth = rotate(&mut redis, &format!("k {first} GRACE 3600000"));
    let newest = view(&mut redis, "k", &fourth);
    for id in [&first, &second, &third] {
        assert_eq!(view(&mut redis, "k", id), newest);
    }
    assert_eq!(list(&mut redis, "k").len(), 1);
    assert_eq!(redis.run("APP.SESSION.REVOKEALL k EXCEPT nobody").int(), 1);
}

#[test]
fn ending_a_session_by_any_of_its_ids_ends_them_all() {
    let server = Server::start();
    let mut redis = server.client();
    for ended in 0..4 {
        create_named(&mut redis, "k", "other");
        let old = create_named(&mut redis, "k", "old");
        let middle = rotate(&mut redis, &format!("k {old} GRACE 3600000"));
        let new = rotate(&mut redis, &format!("k {middle} GRACE 3600000"));
        let ids = [old, middle, new];
        let call = match ids.get(ended) {
            Some(id) => format!("APP.SESSION.REVOKE k {id}"),
            None => format!("APP.SESSION.REVOKEALL k EXCEPT {}", id("other")),
        };
        assert_eq!(redis.run(&call).int(), 1);
        for id in ids {
            assert_eq!(get(&mut redis, "k", &id), None);
        }
        assert_eq!(
            fields(&mut redis, "k").len(),
            2,
            "the index and the other one"
        );
    }
}

#[test]
fn everywhere_else_leaves_a_session_with_its_old_ids() {
    let server = Server::start();
    let mut redis = server.client();
    create_named(&mut redis, "k", "other");
    let old = create_named(&mut redis, "k", "old");
    let new = rotate(&mut redis, &format!("k {old} GRACE 3600000"));
    assert_eq!(
        redis
            .run(&format!("APP.SESSION.REVOKEALL k EXCEPT {old}"))
            .int(),
        1
    );
    assert_eq!(view(&mut redis, "k", &old), view(&mut redis, "k", &new));
}

#[test]
fn without_grace_nothing_leads_back_from_the_ids_of_before() {
    let server = Server::start();
    let mut redis = server.client();
    let old = create_named(&mut redis, "k", "old");
    let middle = rotate(&mut redis, &format!("k {old} GRACE 3600000"));
    let new = rotate(&mut redis, &format!("k {old}"));
    assert_eq!(get(&mut redis, "k", &old), None);
    assert_eq!(get(&mut redis, "k", &middle), None);
    assert!(get(&mut redis, "k", &new).is_some());
}

#[test]
fn old_ids_are_bounded() {
    let server = Server::start();
    let mut redis = server.client();
    let mut newest = create_named(&mut redis, "k", "0");
    for _ in 0..64 {
        newest = rotate(&mut redis, &format!("k {newest} GRACE 3600000"));
    }
    let before = crate::caller::state(&mut redis, "k");
    let refused = redis.run(&format!("APP.SESSION.ROTATE k {newest} GRACE 3600000"));
    assert_eq!(
        refused.error(),
        "ERR too many old ids still name this session; rotate less often or with a shorter GRACE"
    );
    assert_eq!(crate::caller::state(&mut redis, "k"), before);
    assert_eq!(
        view(&mut redis, "k", &id("0")),
        view(&mut redis, "k", &newest)
    );
    // Without a grace it always goes on.
    rotate(&mut redis, &format!("k {newest}"));
}
