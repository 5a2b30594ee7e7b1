//! Users with ACL rules, and what they are denied.

use super::{Client, Reply, Server, server_has};

/// A connection of the user `name`, who has these ACL rules and no others.
#[track_caller]
pub fn user(server: &Server, name: &str, rules: &str) -> Client {
    let setuser = format!("ACL SETUSER {name} reset on nopass {rules}");
    server.client().run(&setuser).ok();
    let mut client = server.client();
    client.run(&format!("AUTH {name} any")).ok();
    client
}

#[track_caller]
pub fn assert_denied(reply: &Reply) {
    assert!(reply.error().starts_with("NOPERM"), "{reply:?}");
}

/// Whether the ACL stood in the way of `call`. Any other error fails the test.
#[track_caller]
pub fn is_denied(reply: &Reply, call: &str) -> bool {
    match reply {
        Reply::Error(text) if text.starts_with("NOPERM") => true,
        Reply::Error(text) => panic!("{call}: {text}"),
        _ => false,
    }
}

/// Whether commands of modules may have ACL categories here: servers that take them came with
/// WAITAOF (7.2).
#[track_caller]
pub fn takes_categories(client: &mut Client) -> bool {
    server_has(client, "WAITAOF")
}
