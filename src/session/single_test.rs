//! Promises of one session, each on its own.

#![allow(clippy::arithmetic_side_effects)]

use super::handle::Handle;
use super::hash::{Change, Error, FieldChanges};
use super::record::MAX_OLD_IDS;
use super::single::{revoke, touch, update};
use super::testing::{MAX_BYTES, Owner, document, handle};

const HOUR: i64 = 3_600_000;

fn owner_of(id: &str, idle: i64) -> Owner {
    let mut owner = Owner::new();
    owner.create(id, idle);
    owner
}

fn expires_in(owner: &Owner, id: &str) -> i64 {
    owner.get(id).unwrap().unwrap().expires_at - owner.now
}

#[test]
fn a_session_ends_at_its_deadline_and_no_millisecond_later() {
    let mut owner = owner_of("a", 100);
    owner.sleep(99);
    assert!(owner.get("a").unwrap().is_some());
    owner.sleep(1);
    assert_eq!(owner.get("a"), Ok(None));
    assert_eq!(owner.touch("a", Some(100)), Ok(None));
    assert_eq!(owner.patch("a", "{}"), Ok(None));
    assert_eq!(owner.rotate("a", "b", Some(100)), Ok(false));
    assert_eq!(owner.revoke("a"), Ok(false));
}

#[test]
fn a_touch_slides_only_when_it_is_worth_a_write() {
    // A sixteenth of the timeout, rounded up; a minute at most.
    for (idle, worth) in [
        (10, 1),
        (160, 10),
        (161, 11),
        (HOUR, 60_000),
        (960_000, 60_000),
    ] {
        let mut owner = owner_of("a", idle);
        owner.sleep(worth - 1);
        let change = touch(&owner.hash, handle("a"), None, owner.now)
            .unwrap()
            .change;
        assert_eq!(change, Change::Nothing, "idle {idle}");
        owner.sleep(1);
        owner.touch("a", None).unwrap();
        assert_eq!(expires_in(&owner, "a"), idle);
        assert_eq!(owner.get("a").unwrap().unwrap().seen_at, owner.now);
        owner.check();
    }
}

#[test]
fn a_new_timeout_is_always_written_and_remembered() {
    let mut owner = owner_of("a", 1000);
    assert_eq!(
        owner.touch("a", Some(1001)).unwrap().unwrap().expires_at,
        owner.now + 1001
    );
    owner.touch("a", Some(500)).unwrap();
    owner.sleep(400);
    owner.touch("a", None).unwrap();
    assert_eq!(expires_in(&owner, "a"), 500);
    // The timeout that it has already is not a new one.
    let again = touch(&owner.hash, handle("a"), Some(500), owner.now).unwrap();
    assert_eq!(again.change, Change::Nothing);
}

#[test]
fn nothing_slides_past_the_absolute_deadline() {
    let mut owner = Owner::new();
    owner.create_with("a", 100, Some(150), None, "{}").unwrap();
    let end = owner.now + 150;
    owner.sleep(90);
    owner.touch("a", None).unwrap();
    owner.touch("a", Some(HOUR)).unwrap();
    owner.patch("a", "{\"x\":1}").unwrap();
    owner.rotate("a", "b", None).unwrap();
    owner.touch("b", Some(2 * HOUR)).unwrap();
    assert_eq!(owner.get("b").unwrap().unwrap().expires_at, end);
    assert_eq!(owner.hash.expire_at, Some(end));
}

/// Or the longest unused, which go first at the limit, would be those in use.
#[test]
fn a_session_held_by_its_absolute_deadline_is_seen_nevertheless() {
    let mut owner = Owner::new();
    owner
        .create_with("a", HOUR, Some(HOUR), None, "{}")
        .unwrap();
    owner.create("b", HOUR);
    let (end, start) = (owner.now + HOUR, owner.now);
    owner.sleep(59_999);
    owner.touch("a", None).unwrap();
    assert_eq!(owner.get("a").unwrap().unwrap().seen_at, start);
    owner.sleep(1);
    let seen = owner.touch("a", None).unwrap().unwrap();
    assert_eq!((seen.seen_at, seen.expires_at), (owner.now, end));
    owner
        .create_with("c", HOUR, None, Some((2, false)), "{}")
        .unwrap();
    assert_eq!(owner.get("b"), Ok(None), "the longest unused");
}

#[test]
fn the_largest_spans_do_not_overflow() {
    let mut owner = Owner::new();
    owner
        .create_with("a", i64::MAX, Some(i64::MAX), None, "{}")
        .unwrap();
    owner.touch("a", Some(i64::MAX - 1)).unwrap();
    owner.rotate("a", "b", Some(i64::MAX)).unwrap();
    assert_eq!(owner.get("a").unwrap().unwrap().expires_at, i64::MAX);
    owner.check();
}

#[test]
fn a_clock_that_steps_back_moves_the_deadline_back_at_the_next_use() {
    let mut owner = owner_of("a", HOUR);
    owner.now -= 10 * HOUR;
    assert_eq!(expires_in(&owner, "a"), 11 * HOUR);
    owner.touch("a", None).unwrap();
    assert_eq!(expires_in(&owner, "a"), HOUR);
    assert_eq!(owner.list(None).unwrap().sessions.len(), 1);
}

#[test]
fn the_key_never_expires_before_a_session() {
    let mut owner = owner_of("long", 1000);
    owner.create("short", 100);
    let end = owner.now + 1000;
    owner.sleep(50);
    owner.touch("short", None).unwrap();
    assert_eq!(owner.hash.expire_at, Some(end));
    owner.touch("short", Some(2000)).unwrap();
    assert_eq!(owner.hash.expire_at, Some(owner.now + 2000));
    owner.check();
}

#[test]
fn an_update_counts_as_use_unless_it_keeps_the_ttl() {
    let mut owner = owner_of("a", 1000);
    let before = owner.get("a").unwrap().unwrap();
    owner.sleep(500);
    owner.update_with("a", "{\"x\":1}", false, true).unwrap();
    let kept = owner.get("a").unwrap().unwrap();
    assert_eq!(
        (kept.seen_at, kept.expires_at),
        (before.seen_at, before.expires_at)
    );
    // Used even if the document stays as it is.
    owner.patch("a", "{\"x\":1}").unwrap();
    assert_eq!(expires_in(&owner, "a"), 1000);
    // A change too soon for a slide is seen nevertheless.
    owner.sleep(10);
    owner.patch("a", "{\"x\":2}").unwrap();
    assert_eq!(expires_in(&owner, "a"), 990);
    assert_eq!(owner.get("a").unwrap().unwrap().seen_at, owner.now);
}

#[test]
fn an_update_that_changes_nothing_writes_nothing() {
    let mut owner = Owner::new();
    owner
        .create_with("a", HOUR, None, None, "{ \"x\" : 1 }")
        .unwrap();
    owner.sleep(500);
    let before = owner.hash.clone();
    assert_eq!(
        owner.patch("a", "{\"y\":null}"),
        Ok(Some("{ \"x\" : 1 }".into()))
    );
    owner
        .update_with("a", "{ \"x\" : 1 }", true, false)
        .unwrap();
    assert_eq!(owner.hash, before);
    assert_eq!(owner.patch("nobody", "{\"x\":1}"), Ok(None));
    assert_eq!(owner.hash, before);
}

#[test]
fn a_replacement_is_stored_as_it_is() {
    let mut owner = owner_of("a", HOUR);
    let new = "{\"x\":null, \"y\":{\"z\":null}}";
    assert_eq!(
        owner.update_with("a", new, true, false),
        Ok(Some(new.into()))
    );
    assert_eq!(owner.data("a").as_deref(), Some(new));
}

#[test]
fn a_result_that_is_too_long_is_refused() {
    let mut owner = Owner::new();
    let filled = |name: &str, bytes: usize| format!("{{\"{name}\":\"{}\"}}", "x".repeat(bytes));
    owner
        .create_with("a", HOUR, None, None, &filled("a", 500))
        .unwrap();
    let before = owner.hash.clone();
    // {"a":"…","b":"…"} has 15 bytes besides what fills it.
    assert_eq!(
        owner.patch("a", &filled("b", 486)),
        Err(Error::ResultTooLong(MAX_BYTES))
    );
    assert_eq!(owner.hash, before);
    let new = owner.patch("a", &filled("b", 485)).unwrap().unwrap();
    assert_eq!(new.len(), MAX_BYTES);
}

#[test]
fn a_rotation_keeps_everything_but_the_id() {
    let mut owner = Owner::new();
    owner
        .create_with("a", 1000, Some(5000), None, "{\"x\":1}")
        .unwrap();
    owner.sleep(300);
    let before = owner.get("a").unwrap().unwrap();
    assert_eq!(owner.rotate("a", "b", None), Ok(true));
    let mut after = owner.get("b").unwrap().unwrap();
    assert_eq!(after.handle, handle("b"));
    after.handle = before.handle;
    assert_eq!(after, before);
    assert_eq!(owner.get("a"), Ok(None));
    owner.check();
}

#[test]
fn in_its_grace_an_old_id_is_as_good_as_the_new_one() {
    let mut owner = owner_of("a", 1000);
    owner.rotate("a", "b", Some(100)).unwrap();
    owner.patch("a", "{\"x\":1}").unwrap();
    assert_eq!(owner.get("a"), owner.get("b"));
    owner.sleep(99);
    owner.touch("a", None).unwrap();
    assert_eq!(expires_in(&owner, "b"), 1000);
    assert_eq!(owner.list(Some("a")).unwrap().sessions.len(), 1);
    owner.sleep(1);
    assert_eq!(owner.get("a"), Ok(None));
    assert!(owner.get("b").unwrap().is_some());
}

#[test]
fn rotating_twice_in_a_grace_leaves_every_old_id_on_the_newest() {
    let mut owner = owner_of("a", HOUR);
    owner.rotate("a", "b", Some(100)).unwrap();
    owner.rotate("b", "c", Some(100)).unwrap();
    // A re-sent call: its answer was lost.
    owner.rotate("a", "d", Some(1000)).unwrap();
    for id in ["a", "b", "c", "d"] {
        assert_eq!(owner.get(id).unwrap().unwrap().handle, handle("d"), "{id}");
    }
    assert_eq!(owner.list(None).unwrap().sessions.len(), 1);
    owner.sleep(100);
    // The id of a leaked cookie is not kept alive by rotating with it.
    assert_eq!(owner.get("a"), Ok(None));
    assert_eq!(owner.get("b"), Ok(None));
    assert!(owner.get("c").unwrap().is_some());
    owner.check();
}

#[test]
fn without_grace_the_id_asked_with_and_the_newest_end_at_once() {
    let mut owner = owner_of("a", HOUR);
    owner.rotate("a", "b", Some(100)).unwrap();
    owner.rotate("b", "c", Some(100)).unwrap();
    owner.rotate("b", "d", None).unwrap();
    assert_eq!(owner.get("b"), Ok(None));
    assert_eq!(owner.get("c"), Ok(None));
    assert_eq!(owner.get("a"), owner.get("d"));
    assert!(owner.get("d").unwrap().is_some());
    owner.check();
}

#[test]
fn ending_a_session_ends_all_its_ids() {
    for ended in ["a", "b", "c"] {
        let mut owner = owner_of("a", HOUR);
        owner.create("other", HOUR);
        owner.rotate("a", "b", Some(100)).unwrap();
        owner.rotate("b", "c", Some(100)).unwrap();
        assert_eq!(owner.revoke(ended), Ok(true));
        for id in ["a", "b", "c"] {
            assert_eq!(owner.get(id), Ok(None));
        }
        assert_eq!(owner.revoke(ended), Ok(false));
        // The index and the other one.
        assert_eq!(owner.hash.fields.len(), 2);
        owner.check();
    }
}

#[test]
fn old_ids_are_bounded_and_those_that_ran_out_make_room() {
    let mut owner = owner_of("0", HOUR);
    for i in 0..MAX_OLD_IDS {
        owner
            .rotate(&i.to_string(), &(i + 1).to_string(), Some(100))
            .unwrap();
    }
    let newest = MAX_OLD_IDS.to_string();
    let before = owner.hash.clone();
    assert_eq!(
        owner.rotate(&newest, "x", Some(100)),
        Err(Error::TooManyOldIds)
    );
    assert_eq!(owner.hash, before);
    assert_eq!(owner.get("0"), owner.get(&newest));
    owner.sleep(100);
    assert_eq!(owner.rotate(&newest, "x", Some(100)), Ok(true));
    // The index, the session, one old id.
    assert_eq!(owner.hash.fields.len(), 3);
}

#[test]
fn the_last_record_takes_the_key_with_it() {
    let mut owner = owner_of("a", HOUR);
    owner.rotate("a", "b", Some(100)).unwrap();
    let last = revoke(&owner.hash, Some(handle("a")), owner.now).unwrap();
    assert_eq!(last.change, Change::DeleteKey);
    owner.create("c", HOUR);
    let not_last = revoke(&owner.hash, Some(handle("a")), owner.now).unwrap();
    assert!(matches!(not_last.change, Change::Fields(_)));
}

#[test]
fn a_leftover_of_an_ended_session_does_not_lead_to_a_later_one() {
    let mut owner = owner_of("a", HOUR);
    owner.rotate("a", "b", Some(HOUR)).unwrap();
    let leftover = owner.field("a").clone();
    owner.revoke("b").unwrap();
    owner.create("b", HOUR);
    // As if the field had stayed.
    let name = handle("a").as_bytes().to_vec();
    owner.hash.fields.insert(name, leftover);
    assert_eq!(owner.get("a"), Ok(None));
    assert_eq!(owner.revoke("a"), Ok(false));
}

#[test]
fn what_names_no_session_is_nothing_and_no_error() {
    let mut owner = owner_of("a", HOUR);
    for id in ["", "_", "\0\r\n", "b"] {
        assert_eq!(owner.get(id), Ok(None));
        assert_eq!(owner.revoke(id), Ok(false));
    }
    let no_handle = Handle::parse(b"not a handle");
    let decision = revoke(&owner.hash, no_handle, owner.now).unwrap();
    assert_eq!((decision.reply, decision.change), (false, Change::Nothing));
    assert_eq!(Owner::new().get("a"), Ok(None));
    assert_eq!(Owner::new().revoke("a"), Ok(false));
}

#[test]
fn an_update_sets_one_field_and_no_expiry_while_it_slides_nothing() {
    let owner = owner_of("a", HOUR);
    let patch = super::single::Update {
        document: document("{\"x\":1}"),
        replace: false,
        keep_ttl: false,
        max_bytes: MAX_BYTES,
    };
    let change = update(&owner.hash, handle("a"), &patch, owner.now)
        .unwrap()
        .change;
    let Change::Fields(FieldChanges {
        set,
        delete,
        expire_at,
    }) = change
    else {
        panic!("{change:?}");
    };
    assert_eq!((set.len(), delete.len(), expire_at), (1, 0, None));
}
