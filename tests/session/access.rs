//! Who may call what: ACL key patterns, commands, categories.

use crate::caller::{calls, create_named, id};
use crate::support::{Client, Reply, Server, server_has};

/// A connection of a new user `name` with these ACL rules.
fn user(server: &Server, name: &str, rules: &str) -> Client {
    let mut admin = server.client();
    admin
        .run(&format!("ACL SETUSER {name} on nopass {rules}"))
        .ok();
    let mut client = server.client();
    client.run(&format!("AUTH {name} any")).ok();
    client
}

fn denied(reply: &Reply) -> bool {
    match reply {
        Reply::Error(text) => {
            assert!(text.starts_with("NOPERM"), "{text}");
            true
        }
        _ => false,
    }
}

/// The commands that a user with `rules` may call, in the order of the tests' list.
fn allowed(server: &Server, name: &str, rules: &str, key: &str) -> Vec<String> {
    let mut client = user(server, name, rules);
    let lines = calls(key, &id("x")).into_iter();
    let allowed = lines.filter(|line| !denied(&client.run(line)));
    let name = |line: String| line.split(' ').next().unwrap().replace("APP.SESSION.", "");
    allowed.map(name).collect()
}

#[test]
fn a_reader_of_the_key_may_get_and_list_alone() {
    let server = Server::start();
    create_named(&mut server.client(), "s:7", "x");
    let rules = "+@all %R~s:*";
    assert_eq!(allowed(&server, "reader", rules, "s:7"), ["GET", "LIST"]);
    assert!(allowed(&server, "reader", rules, "other").is_empty());
    let before = crate::caller::list(&mut server.client(), "s:7");
    assert_eq!(before.len(), 1, "nothing was ended or made");
}

#[test]
fn a_writer_without_read_access_sees_no_document() {
    let server = Server::start();
    let writable = ["CREATE", "ROTATE", "REVOKE", "REVOKEALL"];
    assert_eq!(allowed(&server, "writer", "+@all %W~s:*", "s:7"), writable);
}

#[test]
fn full_access_to_the_key_is_access_to_that_key_alone() {
    let server = Server::start();
    let rules = "+@all %RW~s:*";
    assert_eq!(allowed(&server, "both", rules, "s:7").len(), 8);
    assert!(allowed(&server, "both", rules, "t:7").is_empty());
}

#[test]
fn commands_are_granted_one_by_one() {
    let server = Server::start();
    for command in [
        "CREATE",
        "GET",
        "TOUCH",
        "UPDATE",
        "ROTATE",
        "REVOKE",
        "REVOKEALL",
        "LIST",
    ] {
        let rules = format!("-@all +app.session.{} ~*", command.to_lowercase());
        assert_eq!(
            allowed(&server, &format!("u{command}"), &rules, "k"),
            [command]
        );
    }
}

#[test]
fn categories_grant_what_they_say() {
    let server = Server::start();
    // Servers take categories from modules since they have WAITAOF (7.2).
    if !server_has(&mut server.client(), "WAITAOF") {
        return;
    }
    for (category, commands) in [
        ("read", &["GET", "LIST"][..]),
        (
            "write",
            &["CREATE", "TOUCH", "UPDATE", "ROTATE", "REVOKE", "REVOKEALL"],
        ),
        ("fast", &["GET", "TOUCH", "ROTATE", "REVOKE"]),
        ("slow", &["CREATE", "UPDATE", "REVOKEALL", "LIST"]),
    ] {
        let rules = format!("-@all +@{category} ~*");
        assert_eq!(
            allowed(&server, category, &rules, "k"),
            commands,
            "@{category}"
        );
    }
}
