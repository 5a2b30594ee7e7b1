//! What the server knows of the commands (keys, flags, categories), and whom it lets use them.

use crate::caller::{LONG, fill, lease, load};
use crate::support::{
    Reply, Server, assert_denied, command_docs, command_info, key_and_flags, set, takes_categories,
    user,
};

const CALLS: [&str; 5] = [
    "APP.CACHE.GETORSET k v EX 60",
    "APP.CACHE.GETORLOAD k LEASE 60",
    "APP.CACHE.FILL k lease v EX 60",
    "APP.CACHE.RELEASE k lease",
    "APP.CACHE.INVALIDATE k",
];

#[test]
fn keys_and_their_access_are_exact() {
    let server = Server::start();
    let mut redis = server.client();
    let accesses = [
        "RW access insert",
        "RO access",
        "OW update",
        "RO",
        "RM delete",
    ];
    for (call, access) in CALLS.iter().zip(accesses) {
        let expected = ("k".to_owned(), set(access));
        assert_eq!(key_and_flags(&mut redis, call), expected, "{call}");
    }
    let keys = redis.run("COMMAND GETKEYS APP.CACHE.INVALIDATE a b c");
    let keys: Vec<String> = keys.items().iter().map(Reply::text).collect();
    assert_eq!(keys, ["a", "b", "c"]);
}

#[test]
fn arity_flags_and_categories_are_those_of_the_kind_of_command() {
    let server = Server::start();
    let mut redis = server.client();
    let has_categories = takes_categories(&mut redis);
    for (command, arity, last, flags, categories) in [
        ("GETORSET", -5, 1, "write denyoom", "@write @slow"),
        (
            "GETORLOAD",
            -4,
            1,
            "readonly fast blocking",
            "@read @fast @blocking",
        ),
        ("FILL", -6, 1, "write denyoom", "@write @slow"),
        ("RELEASE", -3, 1, "readonly fast", "@read @fast"),
        ("INVALIDATE", -2, -1, "write", "@write @slow"),
    ] {
        let info = command_info(&mut redis, &format!("APP.CACHE.{command}"));
        let mut got = info.flags.clone();
        got.remove("module");
        assert_eq!((info.arity, info.keys), (arity, [1, last, 1]), "{command}");
        assert_eq!(got, set(flags), "{command}");
        if has_categories {
            assert_eq!(info.categories, set(categories), "{command}");
        }
        let docs = command_docs(&mut redis, &format!("APP.CACHE.{command}"));
        assert!(docs.summary.len() > 20, "{command}");
    }
}

#[test]
fn a_reader_of_the_key_may_load_and_release_and_not_store() {
    let server = Server::start();
    server.client().run("SET k value EX 600").ok();
    let mut reader = user(&server, "reader", "+@all %R~k %R~none");
    assert!(load(&mut reader, &format!("k {LONG}")).is("HIT"));
    assert!(load(&mut reader, &format!("k {LONG} EARLY 700000")).is("REFRESH"));
    let loaded = load(&mut reader, &format!("none {LONG}"));
    assert!(loaded.is("LOAD"));
    for line in [
        "APP.CACHE.GETORSET k v EX 60",
        "APP.CACHE.FILL k lease v EX 60",
        "APP.CACHE.INVALIDATE k",
    ] {
        assert_denied(&reader.run(line));
    }
    assert_denied(&reader.run(&format!("APP.CACHE.GETORLOAD other {LONG}")));
    assert_denied(&reader.run("APP.CACHE.RELEASE other lease"));
    let release = format!("APP.CACHE.RELEASE none {}", loaded.lease());
    assert_eq!(reader.run(&release).int(), 1);
}

#[test]
fn a_writer_of_the_key_may_fill_and_invalidate_and_not_read() {
    let server = Server::start();
    let lease = lease(&mut server.client(), "k");
    let mut writer = user(&server, "writer", "+@all %W~k");
    assert!(fill(&mut writer, "k", &lease, "value"));
    for line in [
        "APP.CACHE.GETORSET k v EX 60",
        "APP.CACHE.GETORLOAD k LEASE 60",
    ] {
        assert_denied(&writer.run(line));
    }
    assert_denied(&writer.run("APP.CACHE.INVALIDATE k other"));
    assert_eq!(writer.run("APP.CACHE.INVALIDATE k").int(), 1);
}

#[test]
fn a_user_who_may_not_call_get_reads_values_all_the_same() {
    let server = Server::start();
    server.client().run("SET k value").ok();
    let mut caller = user(&server, "caller", "-@all +app.cache.getorload ~*");
    assert_eq!(load(&mut caller, "k LEASE 1").text(), "value");
    assert_denied(&caller.run("GET k"));
}
