//! What the server knows of the commands: keys, flags, documentation.

use crate::caller::{COMMANDS, calls, id};
use crate::support::{
    Reply, Server, command_docs, command_info, key_and_flags, set, syntax, takes_categories,
};

/// Flags of the key, of the command, and whether it is fast; in the order of the commands.
const FLAGS: [(&str, &str); 8] = [
    ("RW update", "write denyoom"),
    ("RO access", "readonly fast"),
    ("RW access update", "write fast"),
    ("RW access update", "write denyoom"),
    ("RW update", "write fast"),
    ("RW delete", "write fast"),
    ("RW delete", "write"),
    ("RO access", "readonly"),
];

/// Arguments behind the key, in the way of redis-cli's hints.
const SYNTAX: [&str; 8] = [
    "EX seconds|PX milliseconds [MAXAGE milliseconds] [DATA json] [ID id] [LIMIT sessions [REJECT]]",
    "id [WITHMETA]",
    "id [EX seconds|PX milliseconds] [WITHMETA]",
    "id json [REPLACE] [KEEPTTL]",
    "id [GRACE milliseconds]",
    "id|HANDLE handle",
    "[EXCEPT id]",
    "[CURRENT id]",
];

#[test]
fn keys_and_their_access_are_exact() {
    let server = Server::start();
    let mut redis = server.client();
    for (call, (key_flags, _)) in calls("the-key", &id("x")).iter().zip(FLAGS) {
        let expected = ("the-key".to_owned(), set(key_flags));
        assert_eq!(key_and_flags(&mut redis, call), expected, "{call}");
        let keys = redis.run(&format!("COMMAND GETKEYS {call}"));
        assert_eq!(keys.items(), [Reply::Bulk(b"the-key".to_vec())]);
    }
}

#[test]
fn command_info_says_one_key_arity_and_flags() {
    let server = Server::start();
    let mut redis = server.client();
    let has_categories = takes_categories(&mut redis);
    let arities = [-4, -3, -3, -4, -3, -3, -2, -2];
    for ((command, arity), (_, flags)) in COMMANDS.into_iter().zip(arities).zip(FLAGS) {
        let command_info = command_info(&mut redis, command);
        assert_eq!(command_info.arity, arity, "{command}");
        assert_eq!(command_info.keys, [1, 1, 1], "{command}");
        assert_eq!(command_info.key_specs.len(), 1, "{command}");
        let spec = &command_info.key_specs[0];
        assert_eq!((spec.index, spec.last, spec.step), (1, 0, 1), "{command}");
        let mut got = command_info.flags.clone();
        got.remove("module");
        assert_eq!(got, set(flags), "{command}: no movablekeys");
        if has_categories {
            let access = if flags.contains("write") {
                "@write"
            } else {
                "@read"
            };
            let speed = if flags.contains("fast") {
                "@fast"
            } else {
                "@slow"
            };
            assert_eq!(
                command_info.categories,
                set(&format!("{access} {speed}")),
                "{command}"
            );
        }
    }
}

#[test]
fn command_docs_are_complete() {
    let server = Server::start();
    let mut redis = server.client();
    for (command, expected) in COMMANDS.into_iter().zip(SYNTAX) {
        let docs = command_docs(&mut redis, command);
        assert_eq!(
            syntax(&docs.arguments),
            format!("key {expected}"),
            "{command}"
        );
        assert_eq!(docs.arguments[0].kind, "key", "{command}");
        let (group, since) = (docs.group.as_str(), docs.since.as_str());
        assert_eq!((group, since), ("module", "0.1.0"), "{command}");
        assert!(docs.summary.len() > 20, "{command}");
        assert!(docs.complexity.starts_with("O("), "{command}");
    }
}
