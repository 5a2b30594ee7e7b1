//! Promises of making, listing and ending all sessions, and of damaged hashes.

#![allow(clippy::arithmetic_side_effects)]

use proptest::prelude::*;

use super::create::Created;
use super::hash::Error;
use super::record::INDEX_FIELD;
use super::testing::{Owner, handle};

const HOUR: i64 = 3_600_000;

fn owner_of(ids: &[&str]) -> Owner {
    let mut owner = Owner::new();
    for id in ids {
        owner.create(id, HOUR);
        owner.sleep(1);
    }
    owner
}

fn live(owner: &Owner) -> Vec<String> {
    let listing = owner.list(None).unwrap();
    let id = |data: &str| data.replace("{\"id\":\"", "").replace("\"}", "");
    listing.sessions.iter().map(|view| id(&view.data)).collect()
}

#[test]
fn a_session_that_is_live_already_is_left_as_it_is() {
    let mut owner = owner_of(&["a"]);
    owner.rotate("a", "b", Some(100)).unwrap();
    let before = owner.hash.clone();
    for id in ["a", "b"] {
        let created = owner.create_with(id, 5, Some(5), Some((1, false)), "{\"x\":1}");
        assert_eq!(created, Ok(Created::AlreadyLive));
        assert_eq!(owner.hash, before);
    }
}

#[test]
fn the_longest_unused_make_room() {
    let mut owner = owner_of(&["a", "b", "c", "d"]);
    owner.touch("a", Some(HOUR + 1)).unwrap();
    owner.rotate("b", "b2", Some(HOUR)).unwrap();
    owner.sleep(1);
    let created = owner.create_with("e", HOUR, None, Some((3, false)), "{\"id\":\"e\"}");
    assert_eq!(created, Ok(Created::New));
    assert_eq!(live(&owner), ["e", "d", "a"]);
    assert_eq!(owner.get("b"), Ok(None), "old ids go with their session");
    assert_eq!(owner.hash.fields.len(), 4);
    owner.check();
}

#[test]
fn a_rejected_session_changes_nothing() {
    let mut owner = owner_of(&["a", "b"]);
    owner.create("ended", 1);
    owner.sleep(1);
    let before = owner.hash.clone();
    let created = owner.create_with("c", HOUR, None, Some((2, true)), "{}");
    assert_eq!(created, Ok(Created::LimitReached));
    assert_eq!(owner.hash, before);
    let created = owner.create_with("c", HOUR, None, Some((3, true)), "{}");
    assert_eq!(created, Ok(Created::New), "ended ones do not count");
}

#[test]
fn a_login_drops_what_has_ended() {
    let mut owner = owner_of(&["stays"]);
    let mut id = "stays".to_owned();
    for i in 0..50 {
        owner.create(&format!("short {i}"), 10);
        let next = format!("stays {i}");
        owner.rotate(&id, &next, Some(5)).unwrap();
        id = next;
        owner.sleep(20);
        // The index, three records of what lasts or has just ended.
        assert!(owner.hash.fields.len() <= 4);
    }
    owner.create("last", HOUR);
    assert_eq!(owner.hash.fields.len(), 3);
}

#[test]
fn a_key_shrinks_to_the_longest_that_is_left() {
    let mut owner = owner_of(&["a"]);
    owner.create("long", 10 * HOUR);
    let end = owner.get("a").unwrap().unwrap().expires_at;
    owner.revoke_all(Some("a")).unwrap();
    assert_eq!(owner.hash.expire_at, Some(end));
    owner.check();
    owner.create("long", 10 * HOUR);
    owner.revoke("long").unwrap();
    assert_eq!(owner.hash.expire_at, Some(owner.now + 10 * HOUR));
    owner.create("b", 10);
    assert_eq!(owner.hash.expire_at, Some(end), "a login reads them all");
    owner.check();
}

#[test]
fn an_id_used_again_belongs_to_the_new_session_alone() {
    let mut owner = owner_of(&["a"]);
    owner.rotate("a", "b", Some(10)).unwrap();
    owner.sleep(10);
    owner.create("a", HOUR);
    owner.check();
    // Neither the end of its first session nor a clock that steps back changes whose it is.
    owner.now -= 10;
    owner.rotate("b", "c", Some(10)).unwrap();
    owner.revoke("c").unwrap();
    assert_eq!(owner.get("a").unwrap().unwrap().handle, handle("a"));
}

#[test]
fn the_list_is_newest_first_and_knows_the_current_one() {
    let mut owner = owner_of(&["a", "b", "c"]);
    owner.rotate("b", "b2", Some(HOUR)).unwrap();
    owner.touch("a", Some(2 * HOUR)).unwrap();
    assert_eq!(live(&owner), ["c", "b", "a"]);
    for current in ["b", "b2"] {
        let listing = owner.list(Some(current)).unwrap();
        assert_eq!(listing.current, Some(handle("b2")));
        assert_eq!(listing.sessions[1].handle, handle("b2"));
    }
    assert_eq!(owner.list(Some("nobody")).unwrap().current, None);
    assert_eq!(Owner::new().list(None).unwrap().sessions, []);
}

#[test]
fn all_but_one_end() {
    let mut owner = owner_of(&["a", "b", "c"]);
    owner.create("ended", 1);
    owner.sleep(1);
    owner.rotate("b", "b2", Some(HOUR)).unwrap();
    assert_eq!(owner.revoke_all(Some("b")), Ok(2));
    assert_eq!(live(&owner), ["b"]);
    assert_eq!(owner.get("b"), owner.get("b2"));
    assert_eq!(owner.hash.fields.len(), 3);
    let before = owner.hash.clone();
    assert_eq!(owner.revoke_all(Some("b2")), Ok(0));
    assert_eq!(owner.hash, before);
    assert_eq!(
        owner.revoke_all(Some("c")),
        Ok(1),
        "one that is not live keeps nothing"
    );
    assert!(owner.hash.fields.is_empty());
    assert_eq!(owner.revoke_all(None), Ok(0));
}

#[test]
fn somebody_elses_hash_is_refused_by_all_and_left_alone() {
    let foreign_index: [Option<&[u8]>; 4] = [
        None,
        Some(b""),
        Some(b"appkit:session:2 5"),
        Some(b"\xff\x00"),
    ];
    for index in foreign_index {
        let mut owner = owner_of(&["a"]);
        owner.hash.fields.remove(INDEX_FIELD);
        if let Some(index) = index {
            owner.hash.fields.insert(INDEX_FIELD.into(), index.into());
        }
        let before = owner.hash.clone();
        assert_eq!(owner.get("a"), Err(Error::NotSessions));
        assert_eq!(owner.touch("a", None), Err(Error::NotSessions));
        assert_eq!(owner.patch("a", "{}"), Err(Error::NotSessions));
        assert_eq!(owner.rotate("a", "b", None), Err(Error::NotSessions));
        assert_eq!(owner.revoke("a"), Err(Error::NotSessions));
        assert_eq!(owner.revoke_all(None), Err(Error::NotSessions));
        assert_eq!(owner.list(None), Err(Error::NotSessions));
        let created = owner.create_with("b", 1, None, None, "{}");
        assert_eq!(created, Err(Error::NotSessions));
        assert_eq!(owner.hash, before);
    }
}

#[test]
fn an_unreadable_latest_deadline_keeps_nobody_from_ending_everything() {
    let mut owner = owner_of(&["a", "b"]);
    owner
        .hash
        .fields
        .insert(INDEX_FIELD.into(), b"appkit:session:1 ?".to_vec());
    assert_eq!(owner.get("a"), Err(Error::NotSessions));
    assert_eq!(owner.revoke_all(Some("a")), Ok(1));
    owner.check();
    assert!(owner.get("a").unwrap().is_some());
}

#[test]
fn a_damaged_record_takes_no_other_session_down() {
    let mut owner = owner_of(&["bad", "good"]);
    owner.rotate("bad", "bad2", Some(HOUR)).unwrap();
    *owner.field("bad2") = b"\xffsomething else".to_vec();
    for id in ["bad", "bad2"] {
        assert_eq!(owner.get(id), Err(Error::Damaged));
        assert_eq!(owner.touch(id, None), Err(Error::Damaged));
        assert_eq!(owner.patch(id, "{}"), Err(Error::Damaged));
        assert_eq!(owner.rotate(id, "x", None), Err(Error::Damaged));
        let created = owner.create_with(id, 1, None, None, "{}");
        assert_eq!(created, Err(Error::Damaged));
    }
    assert!(owner.get("good").unwrap().is_some());
    assert_eq!(live(&owner), ["good"]);
    let created = owner.create_with("new", HOUR, None, Some((2, true)), "{}");
    assert_eq!(created, Ok(Created::New), "a damaged one is not counted");
    assert_eq!(
        owner.get("bad2"),
        Err(Error::Damaged),
        "nor thrown away unasked"
    );
}

#[test]
fn a_damaged_record_can_be_revoked() {
    let mut owner = owner_of(&["bad"]);
    owner.rotate("bad", "bad2", Some(HOUR)).unwrap();
    owner.field("bad2").clear();
    let damaged = owner.clone();
    assert_eq!(owner.revoke("bad"), Ok(true));
    assert!(owner.hash.fields.is_empty());

    let mut owner = damaged.clone();
    owner.create("good", HOUR);
    assert_eq!(owner.revoke("bad2"), Ok(true));
    assert_eq!(owner.get("bad2"), Ok(None));
    assert!(owner.get("good").unwrap().is_some());

    let mut owner = damaged;
    owner.create("good", HOUR);
    owner
        .hash
        .fields
        .insert(b"\x00foreign".to_vec(), b"x".to_vec());
    assert_eq!(owner.revoke_all(Some("good")), Ok(0));
    assert_eq!(owner.hash.fields.len(), 2);
    assert_eq!(owner.revoke_all(Some("bad2")), Ok(1));
    assert!(owner.hash.fields.is_empty());
}

#[test]
fn a_document_that_these_commands_would_not_take_is_not_patched() {
    let mut owner = owner_of(&["a"]);
    let field = owner.field("a");
    let header_end = field.iter().position(|byte| *byte == b'\n').unwrap();
    field.truncate(header_end + 1);
    field.extend_from_slice(b"{\"a\":1,\"a\":2}");
    assert_eq!(owner.patch("a", "{\"a\":3}"), Err(Error::Damaged));
    let replaced = owner.update_with("a", "{\"a\":3}", true, false);
    assert_eq!(replaced, Ok(Some("{\"a\":3}".into())));
}

proptest! {
    /// Whatever is in the hash: no panic, and all can be ended.
    #[test]
    fn arbitrary_hashes_never_panic(
        fields in proptest::collection::vec((0..6usize, any::<Vec<u8>>()), 0..5),
        foreign in proptest::collection::btree_map(any::<Vec<u8>>(), any::<Vec<u8>>(), 0..3),
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut owner = owner_of(&["0", "1"]);
        owner.rotate("1", "2", Some(HOUR)).unwrap();
        owner.rotate("2", "3", Some(HOUR)).unwrap();
        let length = owner.field("3").len();
        owner.field("3").truncate(cut.index(length + 1));
        for (id, value) in fields {
            let name = handle(&id.to_string()).as_bytes().to_vec();
            owner.hash.fields.insert(name, value);
        }
        owner.hash.fields.extend(foreign.into_iter().filter(|(name, _)| name != b"_"));
        for id in ["0", "1", "2", "3", "4", "5"] {
            let _ = owner.get(id);
            let _ = owner.clone().touch(id, Some(5));
            let _ = owner.clone().patch(id, "{\"a\":1}");
            let _ = owner.clone().rotate(id, "6", Some(5));
            let _ = owner.clone().create_with(id, 5, None, Some((1, false)), "{}");
            let _ = owner.clone().revoke_all(Some(id)).unwrap();
            let mut without = owner.clone();
            without.revoke(id).unwrap();
            prop_assert_eq!(without.get(id), Ok(None));
        }
        owner.list(Some("1")).unwrap();
        owner.revoke_all(None).unwrap();
        prop_assert!(owner.hash.fields.is_empty());
    }
}
