//! What the server knows of the commands: arity, flags, keys, arguments, and who may call them.

use crate::support::{
    Argument, Server, assert_denied, command_docs, command_info, set, takes_categories, user,
};

const COMMANDS: [&str; 4] = ["app.lock", "app.unlock", "app.lock.extend", "app.lock.info"];

#[test]
fn command_info_is_exact() {
    let server = Server::start();
    let mut redis = server.client();
    let expected = [
        (-5, "write blocking module", "RW access update"),
        (3, "write fast module", "RW access delete"),
        (5, "write fast module", "RW access update"),
        (2, "readonly fast module", "RO access"),
    ];
    for (name, (arity, command_flags, key_flags)) in COMMANDS.into_iter().zip(expected) {
        let info = command_info(&mut redis, name);
        assert_eq!(info.arity, arity, "{name}");
        assert_eq!(info.flags, set(command_flags), "{name}");
        assert_eq!(info.keys, [1, 1, 1], "{name}");
        assert_eq!(info.key_specs.len(), 1, "{name}");
        assert_eq!(info.key_specs[0].flags, set(key_flags), "{name}");
    }
}

#[test]
fn acl_categories_are_set_where_the_server_takes_them() {
    let server = Server::start();
    let mut redis = server.client();
    if !takes_categories(&mut redis) {
        return;
    }
    let expected = [
        "@write @slow @blocking",
        "@write @fast",
        "@write @fast",
        "@read @fast",
    ];
    for (name, categories) in COMMANDS.into_iter().zip(expected) {
        let info = command_info(&mut redis, name);
        assert_eq!(info.categories, set(categories), "{name}");
    }
}

#[test]
fn command_docs_are_complete() {
    let server = Server::start();
    let mut redis = server.client();
    for name in COMMANDS {
        let docs = command_docs(&mut redis, name);
        assert!(
            !docs.summary.is_empty() && !docs.complexity.is_empty(),
            "{name}"
        );
        assert_eq!(
            (docs.since.as_str(), docs.group.as_str()),
            ("0.1.0", "module")
        );
        let names: Vec<&str> = docs.arguments.iter().map(|a| a.name.as_str()).collect();
        let expected: &[&str] = match name {
            "app.lock" => &["key", "token", "duration", "milliseconds"],
            "app.unlock" => &["key", "token"],
            "app.lock.extend" => &["key", "token", "duration"],
            _ => &["key"],
        };
        assert_eq!(names, expected, "{name}");
        if let Some(wait) = docs.arguments.get(3) {
            let Argument {
                kind, token, flags, ..
            } = wait;
            assert_eq!((kind.as_str(), token.as_str()), ("integer", "WAIT"));
            assert!(flags.contains("optional"));
        }
    }
}

#[test]
fn a_reader_of_the_key_may_ask_and_not_lock() {
    let server = Server::start();
    server.client().run("APP.LOCK job:1 a EX 60").ints();
    let mut reader = user(&server, "reader", "+@all %R~job:*");
    assert_eq!(reader.run("APP.LOCK.INFO job:1").pairs().len(), 3);
    assert_denied(&reader.run("APP.LOCK job:1 a EX 60"));
    assert_denied(&reader.run("APP.UNLOCK job:1 a"));
    assert_denied(&reader.run("APP.LOCK.EXTEND job:1 a EX 60"));
    assert_denied(&reader.run("APP.LOCK.INFO other"));
    let mut both = user(&server, "both", "+@all %RW~job:*");
    assert_eq!(both.run("APP.UNLOCK job:1 a").int(), 1);
    assert_denied(&both.run("APP.LOCK other a EX 60"));
}
