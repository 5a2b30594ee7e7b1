//! Who may call what: ACL key patterns, commands, categories.

use crate::caller::{calls, create_named, id};
use crate::support::{Server, is_denied, takes_categories, user};

/// The commands that a user with `rules` may call, in the order of the tests' list.
fn allowed(server: &Server, name: &str, rules: &str, key: &str) -> Vec<String> {
    let mut client = user(server, name, rules);
    let lines = calls(key, &id("x")).into_iter();
    let allowed = lines.filter(|line| !is_denied(&client.run(line), line));
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
    if !takes_categories(&mut server.client()) {
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
