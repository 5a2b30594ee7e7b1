//! What the server knows of the commands: keys, flags, documentation.

use crate::caller::COMMANDS;
use crate::support::{
    Reply, Server, command_docs, command_info, key_and_flags, set, syntax, takes_categories,
};

#[test]
fn keys_and_their_access_are_exact() {
    let server = Server::start();
    let mut redis = server.client();
    for (command, flags) in [
        ("APP.RATELIMIT", "RW access update"),
        ("APP.RATELIMIT.PEEK", "RO access"),
        ("APP.RATELIMIT.REFUND", "RW access update"),
    ] {
        let call = format!("{command} the-key 10 EX 60 20 EX 3600 COST 3");
        let expected = ("the-key".to_owned(), set(flags));
        assert_eq!(key_and_flags(&mut redis, &call), expected, "{command}");
        let keys = redis.run(&format!("COMMAND GETKEYS {call}"));
        assert_eq!(keys.items(), [Reply::Bulk(b"the-key".to_vec())]);
    }
}

#[test]
fn command_info_says_one_key_arity_and_flags() {
    let server = Server::start();
    let mut redis = server.client();
    let has_categories = takes_categories(&mut redis);
    for command in COMMANDS {
        let command_info = command_info(&mut redis, command);
        let access = if command.ends_with("PEEK") {
            "readonly"
        } else {
            "write"
        };
        assert_eq!(command_info.arity, -5, "{command}");
        assert_eq!(command_info.keys, [1, 1, 1], "{command}");
        assert_eq!(command_info.key_specs.len(), 1, "{command}");
        let spec = &command_info.key_specs[0];
        assert_eq!((spec.index, spec.last, spec.step), (1, 0, 1), "{command}");
        let mut flags = command_info.flags.clone();
        flags.remove("module");
        assert_eq!(
            flags,
            set(&format!("{access} fast")),
            "{command}: no movablekeys, no denyoom"
        );
        if has_categories {
            let category = if access == "readonly" {
                "@read"
            } else {
                "@write"
            };
            assert_eq!(
                command_info.categories,
                set(&format!("{category} @fast")),
                "{command}"
            );
        }
    }
}

#[test]
fn command_docs_are_complete() {
    let server = Server::start();
    let mut redis = server.client();
    let rule = "limit EX seconds|PX milliseconds [BURST burst]";
    let line =
        format!("key {rule} [{rule} ...] [ALGO SLIDING|FIXED|EXACT|GCRA] [COST cost] [FULL]");
    for command in COMMANDS {
        let docs = command_docs(&mut redis, command);
        assert_eq!(syntax(&docs.arguments), line, "{command}");
        assert_eq!(docs.arguments[0].kind, "key", "{command}");
        assert_eq!(
            (docs.group.as_str(), docs.since.as_str()),
            ("module", "0.1.0"),
            "{command}"
        );
        assert!(docs.summary.len() > 20, "{command}");
        assert!(docs.complexity.starts_with("O("), "{command}");
    }
}
