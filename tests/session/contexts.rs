//! Where a call may come from and what its key may be: transactions, scripts, functions, other
//! databases, any bytes, a copied or renamed key.

use crate::caller::{calls, create, create_named, document, get, id, list};
use crate::support::{Protocol, Server, eventually, in_read_only_code, info, words};

#[test]
fn a_transaction_is_one_step_and_sees_itself() {
    let server = Server::start();
    for protocol in [Protocol::RESP2, Protocol::RESP3] {
        let mut redis = server.client_in(protocol);
        redis.run("DEL k").int();
        redis.run("MULTI").ok();
        let id = id("x");
        for line in [
            format!("APP.SESSION.CREATE k EX 60 ID {id}"),
            format!("APP.SESSION.UPDATE k {id} {{\"a\":1}}"),
            format!("APP.SESSION.TOUCH k {id}"),
            "APP.SESSION.GET k nobody".to_owned(),
            "APP.SESSION.GET k".to_owned() + " x NONSENSE",
            format!("APP.SESSION.REVOKE k {id}"),
            format!("APP.SESSION.UPDATE k {id} {{\"a\":2}}"),
            "EXISTS k".to_owned(),
        ] {
            assert_eq!(redis.run(&line).text(), "QUEUED");
        }
        let replies = redis.run("EXEC");
        let [made, updated, touched, none, wrong, revoked, after, exists] = replies.items() else {
            panic!("{replies:?}");
        };
        assert_eq!(made.text(), id);
        assert_eq!(updated.text(), "{\"a\":1}");
        assert_eq!(touched.text(), "{\"a\":1}");
        assert!(none.is_nil() && after.is_nil() && wrong.is_error());
        assert_eq!((revoked.int(), exists.int()), (1, 0));
    }
}

#[test]
fn scripts_get_the_same_replies() {
    let server = Server::start();
    let mut redis = server.client();
    let script = "local id = redis.call('APP.SESSION.CREATE', KEYS[1], 'EX', 60)
        redis.call('APP.SESSION.UPDATE', KEYS[1], id, ARGV[1])
        local list = redis.call('APP.SESSION.LIST', KEYS[1], 'CURRENT', id)
        return {id, redis.call('APP.SESSION.TOUCH', KEYS[1], id), #list, list[1][10],
                redis.call('APP.SESSION.GET', KEYS[1], 'nobody'),
                redis.call('APP.SESSION.REVOKEALL', KEYS[1]),
                redis.pcall('APP.SESSION.GET', KEYS[1], id, 'X')['err']}";
    let mut eval = redis::cmd("EVAL");
    eval.arg(script).arg(1).arg("k").arg("{\"a\":1}");
    let reply = redis.call(&eval);
    let items = reply.items();
    assert_eq!(items[0].bytes().len(), 36);
    assert_eq!(items[1].text(), "{\"a\":1}");
    assert_eq!((items[2].int(), items[3].int()), (1, 1));
    assert_eq!(document(&items[4]), None);
    assert_eq!(items[5].int(), 1);
    assert!(items[6].text().starts_with("ERR unknown option 'X'"));
}

#[test]
fn read_only_scripts_and_functions_may_get_and_list_alone() {
    let server = Server::start();
    let mut redis = server.client();
    let id = create_named(&mut redis, "k", "x");
    let before = crate::caller::state(&mut redis, "k");
    for call in calls("k", &id) {
        let allowed = call.contains("GET") || call.contains("LIST");
        for (code, reply) in in_read_only_code(&mut redis, &call) {
            assert_eq!(reply.is_error(), !allowed, "{code} {call}: {reply:?}");
        }
    }
    assert_eq!(crate::caller::state(&mut redis, "k"), before);
}

#[test]
fn keys_are_any_bytes() {
    let server = Server::start();
    let mut redis = server.client();
    let long = vec![b'k'; 8 << 20];
    let keys: [&[u8]; 7] = [b"", b"\0", b"a\0b", b"\r\n", b"\xff\xfe", b" EX ", &long];
    for key in keys {
        let name = key[..key.len().min(20)].escape_ascii();
        let mut create = redis::cmd("APP.SESSION.CREATE");
        let id = redis.call(create.arg(key).arg("EX").arg(60)).text();
        let mut update = redis::cmd("APP.SESSION.UPDATE");
        update.arg(key).arg(&id).arg("{\"a\":1}");
        assert_eq!(redis.call(&update).text(), "{\"a\":1}", "{name}");
        let mut rotate = redis::cmd("APP.SESSION.ROTATE");
        let id = redis.call(rotate.arg(key).arg(&id)).text();
        let mut list = redis::cmd("APP.SESSION.LIST");
        assert_eq!(redis.call(list.arg(key)).items().len(), 1, "{name}");
        let mut revoke = redis::cmd("APP.SESSION.REVOKE");
        assert_eq!(redis.call(revoke.arg(key).arg(&id)).int(), 1, "{name}");
        assert_eq!(redis.call(redis::cmd("EXISTS").arg(key)).int(), 0, "{name}");
    }
    assert_eq!(redis.run("DBSIZE").int(), 0);
}

#[test]
fn databases_are_apart() {
    let server = Server::start();
    let mut redis = server.client();
    let id = create_named(&mut redis, "k", "x");
    redis.run("SELECT 9").ok();
    assert_eq!(get(&mut redis, "k", &id), None);
    assert_eq!(redis.run("APP.SESSION.REVOKEALL k").int(), 0);
    assert_eq!(redis.run("DBSIZE").int(), 0);
}

#[test]
fn a_copied_moved_or_restored_key_keeps_its_sessions() {
    let server = Server::start();
    let mut redis = server.client();
    let id = create_named(&mut redis, "a", "x");
    let before = list(&mut redis, "a");
    assert_eq!(redis.run("COPY a b").int(), 1);
    assert_eq!(redis.run(&format!("APP.SESSION.REVOKE a {id}")).int(), 1);
    assert_eq!(list(&mut redis, "b"), before, "COPY is on its own");
    redis.run("RENAME b c").ok();
    assert_eq!(list(&mut redis, "c"), before, "RENAME");
    let dump = redis.run("DUMP c");
    let mut restore = redis::cmd("RESTORE");
    restore.arg("d").arg(0).arg(dump.bytes());
    redis.call(&restore).ok();
    assert_eq!(list(&mut redis, "d"), before, "RESTORE");
    // The deadlines are in the records: a TTL that got lost brings nobody back.
    assert_eq!(redis.run("PTTL d").int(), -1);
    assert_eq!(redis.run("MOVE d 1").int(), 1);
    redis.run("SELECT 1").ok();
    assert_eq!(list(&mut redis, "d"), before, "MOVE");
    assert_eq!(get(&mut redis, "d", &id).unwrap(), "{}");
    create(&mut redis, "d EX 60");
    assert!(
        redis.run("PTTL d").int() > 0,
        "a login gives the key its TTL again"
    );
}

#[test]
fn calls_queue_in_a_pipeline_without_a_round_trip_between() {
    let server = Server::start();
    let mut redis = server.client();
    let id = id("x");
    let mut commands = vec![words(&format!("APP.SESSION.CREATE k EX 60 ID {id}"))];
    let update = |i| words(&format!("APP.SESSION.UPDATE k {id} {{\"n\":{i}}}"));
    commands.extend((0..500).map(update));
    commands.push(words(&format!("APP.SESSION.REVOKE k {id}")));
    commands.extend((0..10).map(update));
    let replies = redis.pipeline(&commands);
    for (i, reply) in replies[1..501].iter().enumerate() {
        assert_eq!(reply.text(), format!("{{\"n\":{i}}}"));
    }
    assert_eq!(replies[501].int(), 1);
    assert!(replies[502..].iter().all(|reply| reply.is_nil()));
}

#[test]
fn paused_writes_hold_changes_back_and_let_reads_through() {
    let server = Server::start();
    let mut admin = server.client();
    let mut redis = server.client();
    let id = create_named(&mut redis, "k", "x");
    admin.run("CLIENT PAUSE 60000 WRITE").ok();
    assert!(get(&mut admin, "k", &id).is_some());
    assert_eq!(list(&mut admin, "k").len(), 1);
    redis.send(&words("APP.SESSION.REVOKEALL k"));
    eventually("the call is held back", || {
        info(&mut admin, "clients")["blocked_clients"] == "1"
    });
    assert!(get(&mut admin, "k", &id).is_some());
    admin.run("CLIENT UNPAUSE").ok();
    assert_eq!(redis.reply().int(), 1);
    assert!(get(&mut admin, "k", &id).is_none());
}
