//! Replicas: equal to their primary, right about what has ended, and as good once promoted.

use crate::caller::{COMMANDS, calls, create, create_named, fields, get, id, list, view};
use crate::support::{
    Client, Server, assert_replicas_follow, assert_same_data, dataset, eventually,
};

/// Owners whose sessions were made, used, patched, rotated and ended.
pub fn populate(redis: &mut Client) {
    for owner in 0..10 {
        let key = format!("owner:{owner}");
        for session in 0..=owner {
            let id = id(&format!("{owner}.{session}"));
            let rest = format!(
                "{key} EX {} ID {id} DATA {{\"n\":{session}}}",
                3600 + session
            );
            create(redis, &rest);
            redis
                .run(&format!("APP.SESSION.TOUCH {key} {id} EX 7200"))
                .text();
            redis
                .run(&format!("APP.SESSION.UPDATE {key} {id} {{\"é\":[1,2]}}"))
                .text();
            if session % 3 == 1 {
                redis
                    .run(&format!("APP.SESSION.ROTATE {key} {id} GRACE 3600000"))
                    .text();
            }
            if session % 3 == 2 {
                redis.run(&format!("APP.SESSION.REVOKE {key} {id}")).int();
            }
        }
    }
    create(redis, "limited EX 3600 MAXAGE 7200000");
    create(redis, "limited EX 7200 LIMIT 1");
    create(redis, "ended EX 3600");
    redis.run("APP.SESSION.REVOKEALL ended").int();
    create_named(redis, "kept", "kept");
    create(redis, "kept EX 86400");
    redis
        .run(&format!("APP.SESSION.REVOKEALL kept EXCEPT {}", id("kept")))
        .int();
}

/// How many keys [`populate`] leaves.
pub const KEYS: usize = 12;

#[test]
fn a_replica_equals_its_primary_with_and_without_the_module() {
    let primary = Server::start();
    assert_replicas_follow(&primary, KEYS, populate);
    let late = Server::builder().replica_of(&primary).start();
    assert_same_data(&late, &primary, "by full sync");
    for owner in 0..10 {
        let key = format!("owner:{owner}");
        let of = |server: &Server| list(&mut server.client(), &key);
        assert_eq!(of(&late), of(&primary));
    }
}

#[test]
fn a_replica_reads_and_writes_nothing() {
    let primary = Server::start();
    let replica = Server::builder().replica_of(&primary).start();
    let id = create_named(&mut primary.client(), "k", "x");
    replica.catch_up_with(&primary);
    let mut redis = replica.client();
    for (command, line) in COMMANDS.into_iter().zip(calls("k", &id)) {
        let reply = redis.run(&line);
        if command.ends_with(".GET") || command.ends_with(".LIST") {
            assert!(!reply.is_error(), "{line}: {reply:?}");
        } else {
            assert!(reply.error().starts_with("READONLY "), "{line}: {reply:?}");
        }
    }
    assert_eq!(dataset(&mut redis), dataset(&mut primary.client()));
}

#[test]
fn a_replica_shows_no_session_that_has_ended() {
    let primary = Server::start();
    // So that nothing but the replica's own reading of the clock hides what has ended.
    primary.client().run("DEBUG SET-ACTIVE-EXPIRE 0").ok();
    let replica = Server::builder().replica_of(&primary).start();
    let mut writer = primary.client();
    create_named(&mut writer, "mixed", "long");
    let short = id("short");
    create(&mut writer, &format!("mixed PX 100 ID {short}"));
    create(&mut writer, &format!("alone PX 100 ID {short}"));
    let long = id("long");
    let rotated = format!("APP.SESSION.ROTATE mixed {long} GRACE 100");
    let newest = writer.run(&rotated).text();
    replica.catch_up_with(&primary);
    let mut reader = replica.client();
    for key in ["mixed", "alone"] {
        eventually("the session has ended", || {
            get(&mut reader, key, &short).is_none()
        });
    }
    eventually("the grace has ended", || {
        get(&mut reader, "mixed", &long).is_none()
    });
    assert_eq!(list(&mut reader, "mixed"), list(&mut writer, "mixed"));
    assert_eq!(
        list(&mut reader, &format!("mixed CURRENT {newest}")),
        [view(&mut writer, "mixed", &newest)]
    );
    assert!(list(&mut reader, "alone").is_empty());
    assert_eq!(
        fields(&mut reader, "mixed").len(),
        4,
        "the records are still there"
    );
}

#[test]
fn a_promoted_replica_goes_on_with_the_same_sessions() {
    let mut primary = Server::start();
    let replica = Server::builder().replica_of(&primary).start();
    populate(&mut primary.client());
    let (gone, here) = (id("7.2"), id("7.0"));
    replica.catch_up_with(&primary);
    let before = dataset(&mut primary.client());
    let sessions = list(&mut primary.client(), "owner:7");
    primary.assert_healthy();
    drop(primary);
    let mut redis = replica.client();
    redis.run("REPLICAOF NO ONE").ok();
    assert_eq!(dataset(&mut redis), before);
    assert_eq!(list(&mut redis, "owner:7"), sessions);
    assert_eq!(get(&mut redis, "owner:7", &gone), None);
    let patch = format!("APP.SESSION.UPDATE owner:7 {here} {{\"m\":1}}");
    assert_eq!(redis.run(&patch).text(), "{\"n\":0,\"é\":[1,2],\"m\":1}");
    // Both ids of a session that was rotated with a grace.
    assert!(get(&mut redis, "owner:7", &id("7.1")).is_some());
    assert_eq!(
        redis.run("APP.SESSION.REVOKEALL owner:7").int(),
        sessions.len() as i64
    );
}

#[test]
fn too_few_replicas_stop_writers_and_not_readers() {
    let server = Server::builder().config("min-replicas-to-write 1").start();
    let mut redis = server.client();
    for (command, line) in COMMANDS.into_iter().zip(calls("k", &id("x"))) {
        let reply = redis.run(&line);
        if command.ends_with(".GET") || command.ends_with(".LIST") {
            assert!(!reply.is_error(), "{line}: {reply:?}");
        } else {
            assert!(
                reply.error().starts_with("NOREPLICAS "),
                "{line}: {reply:?}"
            );
        }
    }
}
