//! The frames of a reply, in RESP2 and RESP3.

use crate::caller::{create, id};
use crate::support::{Protocol, Reply, Server};

const FIELDS: [&str; 6] = [
    "handle",
    "created_at",
    "seen_at",
    "expires_at",
    "current",
    "data",
];

#[track_caller]
fn assert_view(reply: &Reply, protocol: Protocol, current: i64) {
    let is_map = matches!(reply, Reply::Map(_));
    assert_eq!(is_map, protocol == Protocol::RESP3, "{reply:?}");
    let pairs = reply.pairs();
    let names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, FIELDS);
    let [handle, times @ .., data] = &pairs[..] else {
        panic!("{reply:?}");
    };
    assert_eq!(handle.1.bytes().len(), 22);
    assert!(times.iter().all(|(_, time)| time.int() >= 0));
    assert_eq!(times[3].1.int(), current);
    assert_eq!(data.1.text(), "{\"a\":1}");
}

#[test]
fn each_command_replies_its_shape_in_both_protocols() {
    let server = Server::start();
    for protocol in [Protocol::RESP2, Protocol::RESP3] {
        let mut redis = server.client_in(protocol);
        let id = create(&mut redis, "k EX 3600 DATA {\"a\":1}");
        let document = Reply::Bulk(b"{\"a\":1}".to_vec());
        for command in ["GET", "TOUCH"] {
            let plain = redis.run(&format!("APP.SESSION.{command} k {id}"));
            assert_eq!(plain, document);
            let with_meta = redis.run(&format!("APP.SESSION.{command} k {id} WITHMETA"));
            assert_view(&with_meta, protocol, 1);
            for rest in ["", " WITHMETA"] {
                let none = redis.run(&format!("APP.SESSION.{command} k nobody{rest}"));
                assert!(none.is_nil(), "{none:?}");
            }
        }
        assert_eq!(
            redis.run(&format!("APP.SESSION.UPDATE k {id} {{}}")),
            document
        );
        let list = redis.run("APP.SESSION.LIST k");
        assert!(matches!(list, Reply::Array(_)));
        assert_view(&list.items()[0], protocol, 0);
        let list = redis.run(&format!("APP.SESSION.LIST k CURRENT {id}"));
        assert_view(&list.items()[0], protocol, 1);
        assert_eq!(redis.run("APP.SESSION.LIST none"), Reply::Array(Vec::new()));
        let rotated = redis.run(&format!("APP.SESSION.ROTATE k {id}"));
        assert_eq!(rotated.bytes().len(), 36);
        let revoke = format!("APP.SESSION.REVOKE k {}", rotated.text());
        assert_eq!(redis.run(&revoke), Reply::Int(1));
        assert_eq!(redis.run(&revoke), Reply::Int(0));
        assert_eq!(redis.run("APP.SESSION.REVOKEALL k"), Reply::Int(0));
    }
}

#[test]
fn ordinary_clients_decode_it_in_one_line() {
    let server = Server::start();
    for protocol in [Protocol::RESP2, Protocol::RESP3] {
        let mut redis = server.redis(protocol);
        let key = format!("k:{protocol:?}");
        let made: String = redis::cmd("APP.SESSION.CREATE")
            .arg(&[&key, "EX", "60", "ID", &id("x"), "DATA", "{\"a\":1}"])
            .query(&mut redis)
            .unwrap();
        let mut get = redis::cmd("APP.SESSION.GET");
        let found: Option<String> = get.arg(&key).arg(&made).query(&mut redis).unwrap();
        assert_eq!(found.as_deref(), Some("{\"a\":1}"));
        let none: Option<String> = redis::cmd("APP.SESSION.TOUCH")
            .arg(&key)
            .arg("nobody")
            .query(&mut redis)
            .unwrap();
        assert_eq!(none, None);
        let list: Vec<std::collections::HashMap<String, redis::Value>> =
            redis::cmd("APP.SESSION.LIST")
                .arg(&key)
                .query(&mut redis)
                .unwrap();
        assert_eq!(list.len(), 1);
        assert_eq!(list[0].len(), 6);
        let ended: bool = redis::cmd("APP.SESSION.REVOKE")
            .arg(&key)
            .arg(&made)
            .query(&mut redis)
            .unwrap();
        assert!(ended);
    }
}
