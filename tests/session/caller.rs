//! An owner's application: ids and keys as it uses them, replies by name.

use std::collections::BTreeMap;

use crate::support::{Client, Reply};

pub const COMMANDS: [&str; 8] = [
    "APP.SESSION.CREATE",
    "APP.SESSION.GET",
    "APP.SESSION.TOUCH",
    "APP.SESSION.UPDATE",
    "APP.SESSION.ROTATE",
    "APP.SESSION.REVOKE",
    "APP.SESSION.REVOKEALL",
    "APP.SESSION.LIST",
];

/// An id of a test's own: 16 bytes or more, told apart by `name`.
pub fn id(name: &str) -> String {
    format!("id-of-a-session:{name}")
}

/// A good call of each command about `session` of `key`, the changing ones as small as they get.
pub fn calls(key: &str, session: &str) -> [String; 8] {
    [
        format!("APP.SESSION.CREATE {key} EX 3600"),
        format!("APP.SESSION.GET {key} {session}"),
        format!("APP.SESSION.TOUCH {key} {session}"),
        format!("APP.SESSION.UPDATE {key} {session} {{}}"),
        format!("APP.SESSION.ROTATE {key} {session}"),
        format!("APP.SESSION.REVOKE {key} {session}"),
        format!("APP.SESSION.REVOKEALL {key}"),
        format!("APP.SESSION.LIST {key}"),
    ]
}

/// `APP.SESSION.CREATE rest`: the id.
#[track_caller]
pub fn create(redis: &mut Client, rest: &str) -> String {
    redis.run(&format!("APP.SESSION.CREATE {rest}")).text()
}

/// Makes a session of an hour's idle timeout with the id of `name`, and returns that id.
#[track_caller]
pub fn create_named(redis: &mut Client, key: &str, name: &str) -> String {
    let id = id(name);
    assert_eq!(create(redis, &format!("{key} EX 3600 ID {id}")), id);
    id
}

/// The document of a session, if it is live.
#[track_caller]
pub fn get(redis: &mut Client, key: &str, id: &str) -> Option<String> {
    document(&redis.run(&format!("APP.SESSION.GET {key} {id}")))
}

/// A document or nil.
#[track_caller]
pub fn document(reply: &Reply) -> Option<String> {
    (!reply.is_nil()).then(|| reply.text())
}

/// The map that LIST and WITHMETA show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    pub handle: String,
    pub created_at: i64,
    pub seen_at: i64,
    pub expires_at: i64,
    pub current: i64,
    pub data: String,
}

impl View {
    #[track_caller]
    pub fn of(map: &Reply) -> View {
        let field = |name: &str| map.field(name).expect(name);
        View {
            handle: field("handle").text(),
            created_at: field("created_at").int(),
            seen_at: field("seen_at").int(),
            expires_at: field("expires_at").int(),
            current: field("current").int(),
            data: field("data").text(),
        }
    }
}

/// `APP.SESSION.GET … WITHMETA` of a live session.
#[track_caller]
pub fn view(redis: &mut Client, key: &str, id: &str) -> View {
    View::of(&redis.run(&format!("APP.SESSION.GET {key} {id} WITHMETA")))
}

/// `APP.SESSION.LIST rest`
#[track_caller]
pub fn list(redis: &mut Client, rest: &str) -> Vec<View> {
    let reply = redis.run(&format!("APP.SESSION.LIST {rest}"));
    reply.items().iter().map(View::of).collect()
}

/// The fields of the hash at `key`.
#[track_caller]
pub fn fields(redis: &mut Client, key: &str) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let reply = redis.run(&format!("HGETALL {key}"));
    let bytes: Vec<Vec<u8>> = reply.items().iter().map(|b| b.bytes().to_vec()).collect();
    let pairs = bytes.chunks_exact(2);
    pairs
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect()
}

/// Every byte of a hash in an order of its own (that of a hash table changes by itself), its
/// encoding and its expiry.
#[derive(Debug, PartialEq, Eq)]
pub struct State {
    fields: BTreeMap<Vec<u8>, Vec<u8>>,
    encoding: Reply,
    expires_at: i64,
}

#[track_caller]
pub fn state(redis: &mut Client, key: &str) -> State {
    State {
        fields: fields(redis, key),
        encoding: redis.run(&format!("OBJECT ENCODING {key}")),
        expires_at: redis.run(&format!("PEXPIRETIME {key}")).int(),
    }
}

/// `PEXPIRETIME key`
#[track_caller]
pub fn expires_at(redis: &mut Client, key: &str) -> i64 {
    redis.run(&format!("PEXPIRETIME {key}")).int()
}
