//! Many connections at once.

use std::sync::{Arc, Barrier};

use crate::caller::{create, create_named, get, id};
use crate::support::{Client, Reply, Server, words};

const CONNECTIONS: usize = 50;
const UPDATES: usize = 20;

#[test]
fn fifty_connections_updating_different_members_lose_nothing() {
    let server = Server::start();
    let id = create_named(&mut server.client(), "k", "shared");
    let start = Arc::new(Barrier::new(CONNECTIONS));
    let threads = (0..CONNECTIONS).map(|number| {
        let (mut redis, start, id) = (server.client(), Arc::clone(&start), id.clone());
        std::thread::spawn(move || {
            start.wait();
            for count in 1..=UPDATES {
                let patch = format!("{{\"m{number}\":{count},\"deep\":{{\"d{number}\":{count}}}}}");
                let line = format!("APP.SESSION.UPDATE k {id} {patch}");
                let reply = redis.run(&line).text();
                assert!(reply.contains(&format!("\"m{number}\":{count}")), "{reply}");
            }
        })
    });
    let threads: Vec<_> = threads.collect();
    for thread in threads {
        thread.join().expect("the connection's updates");
    }
    let document: serde_json::Value =
        serde_json::from_str(&get(&mut server.client(), "k", &id).unwrap()).unwrap();
    assert_eq!(document.as_object().unwrap().len(), CONNECTIONS + 1);
    for number in 0..CONNECTIONS {
        assert_eq!(document[format!("m{number}")], UPDATES, "member {number}");
        assert_eq!(
            document["deep"][format!("d{number}")],
            UPDATES,
            "member {number}"
        );
    }
}

const ROUNDS: usize = 3000;
const USERS: usize = 3;

/// Calls of one request of a user of `id`, each of which writes if it can.
fn requests(id: &str, round: usize) -> Vec<redis::Cmd> {
    (0..8)
        .map(|i| match i % 3 {
            0 => format!("APP.SESSION.TOUCH k {id} EX {}", 4000 + round + i),
            1 => format!("APP.SESSION.UPDATE k {id} {{\"a\":{i}}}"),
            _ => format!("APP.SESSION.CREATE other EX 60 LIMIT 1 DATA {{\"a\":{i}}}"),
        })
        .map(|line| words(&line))
        .collect()
}

/// The calls about the session alone: a reply, then for ever nil.
#[track_caller]
fn assert_ends_once(replies: &[Reply], what: &str) {
    let about_it = replies.iter().enumerate().filter(|(i, _)| i % 3 != 2);
    let live: Vec<bool> = about_it.map(|(_, reply)| !reply.is_nil()).collect();
    assert!(
        live.is_sorted_by(|a, b| a >= b),
        "{what}: seen again after its end: {replies:?}"
    );
}

fn revocation(id: &str, handle: &str, round: usize) -> String {
    match round % 4 {
        0 => format!("APP.SESSION.REVOKE k {id}"),
        1 => format!("APP.SESSION.REVOKE k HANDLE {handle}"),
        2 => "APP.SESSION.REVOKEALL k".to_owned(),
        _ => format!(
            "APP.SESSION.REVOKEALL k EXCEPT {}",
            crate::caller::id("kept")
        ),
    }
}

/// Users touch and update a session while somebody ends it: from its end on every call says nil,
/// and nothing of it is left.
#[test]
fn a_session_that_was_ended_is_never_seen_again() {
    let server = Server::start();
    let start = Arc::new(Barrier::new(USERS + 1));
    let end = Arc::new(Barrier::new(USERS + 1));
    let users = (0..USERS).map(|_| {
        let (mut redis, start, end) = (server.client(), Arc::clone(&start), Arc::clone(&end));
        std::thread::spawn(move || {
            for round in 0..ROUNDS {
                let calls = requests(&id(&round.to_string()), round);
                start.wait();
                assert_ends_once(&redis.pipeline(&calls), &format!("round {round}"));
                end.wait();
            }
        })
    });
    let users: Vec<_> = users.collect();
    let mut redis = server.client();
    for round in 0..ROUNDS {
        prepare(&mut redis, round);
        let id = id(&round.to_string());
        let handle = crate::caller::view(&mut redis, "k", &id).handle;
        let calls = [
            revocation(&id, &handle, round),
            format!("APP.SESSION.UPDATE k {id} {{\"late\":1}}"),
            format!("APP.SESSION.TOUCH k {id} EX 9000"),
            format!("APP.SESSION.ROTATE k {id} GRACE 9000"),
        ];
        let calls = calls.map(|line| words(&line));
        start.wait();
        let replies = redis.pipeline(&calls);
        assert!(replies[0].int() >= 1, "round {round}: {replies:?}");
        assert!(
            replies[1..].iter().all(Reply::is_nil),
            "round {round}: {replies:?}"
        );
        end.wait();
        assert_eq!(get(&mut redis, "k", &id), None, "round {round}");
        let left = redis.run("HLEN k").int();
        assert_eq!(left, if round % 4 == 2 { 0 } else { 2 }, "round {round}");
    }
    for user in users {
        user.join().expect("the user's calls");
    }
}

/// The session of the round beside one that stays.
fn prepare(redis: &mut Client, round: usize) {
    create_named(redis, "k", "kept");
    create_named(redis, "k", &round.to_string());
}

/// Whichever call comes first: of the ids that a rotation leaves, none outlives the end.
#[test]
fn rotating_and_ending_at_once_leaves_one_session_or_none() {
    let server = Server::start();
    let start = Arc::new(Barrier::new(2));
    let (mut other, at_start) = (server.client(), Arc::clone(&start));
    const ROUNDS: usize = 1000;
    let rotator = std::thread::spawn(move || {
        let rotate = |round: usize| {
            let line = format!("APP.SESSION.ROTATE k{round} {} GRACE 60000", id("x"));
            at_start.wait();
            let new = other.run(&line);
            (!new.is_nil()).then(|| new.text())
        };
        (0..ROUNDS).map(rotate).collect::<Vec<_>>()
    });
    let mut redis = server.client();
    for round in 0..ROUNDS {
        let key = format!("k{round}");
        let x = id("x");
        create(&mut redis, &format!("{key} EX 3600 ID {x}"));
        start.wait();
        assert_eq!(redis.run(&format!("APP.SESSION.REVOKE {key} {x}")).int(), 1);
        assert_eq!(get(&mut redis, &key, &x), None, "round {round}");
    }
    let rotated = rotator.join().expect("the rotations");
    for (round, new) in rotated.into_iter().enumerate() {
        if let Some(new) = new {
            assert_eq!(
                get(&mut redis, &format!("k{round}"), &new),
                None,
                "round {round}"
            );
        }
    }
    assert_eq!(redis.run("DBSIZE").int(), 0);
}

/// Logins at once: the limit holds, and REJECT lets exactly so many in.
#[test]
fn the_limit_holds_against_logins_at_once() {
    const LIMIT: usize = 7;
    let server = Server::start();
    for options in ["LIMIT 7", "LIMIT 7 REJECT"] {
        server.client().run("FLUSHALL").ok();
        let start = Arc::new(Barrier::new(CONNECTIONS));
        let threads = (0..CONNECTIONS).map(|_| {
            let (mut redis, start) = (server.client(), Arc::clone(&start));
            let line = format!("APP.SESSION.CREATE k EX 60 {options}");
            std::thread::spawn(move || {
                start.wait();
                !redis.run(&line).is_nil()
            })
        });
        let threads: Vec<_> = threads.collect();
        let made = threads.into_iter().map(|t| t.join().unwrap());
        let made = made.filter(|made| *made).count();
        let expected = if options.ends_with("REJECT") {
            LIMIT
        } else {
            CONNECTIONS
        };
        assert_eq!(made, expected, "{options}");
        let left = crate::caller::list(&mut server.client(), "k");
        assert_eq!(left.len(), LIMIT, "{options}");
    }
}
