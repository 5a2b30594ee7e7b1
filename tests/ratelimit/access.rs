//! Who may call what: ACL key patterns, commands, categories.

use crate::caller::decide;
use crate::support::{Server, assert_denied, takes_categories, user};

#[test]
fn a_reader_of_the_key_may_peek_and_not_charge() {
    let server = Server::start();
    decide(&mut server.client(), "APP.RATELIMIT login:7 5 EX 60");
    let mut reader = user(&server, "reader", "+@all %R~login:*");
    assert_eq!(
        decide(&mut reader, "APP.RATELIMIT.PEEK login:7 5 EX 60").remaining,
        4
    );
    assert_denied(&reader.run("APP.RATELIMIT login:7 5 EX 60"));
    assert_denied(&reader.run("APP.RATELIMIT.REFUND login:7 5 EX 60"));
    assert_denied(&reader.run("APP.RATELIMIT.PEEK other:7 5 EX 60"));
}

#[test]
fn a_writer_without_read_access_may_do_neither() {
    // A reply tells what the key holds, so charging is reading as well.
    let server = Server::start();
    let mut writer = user(&server, "writer", "+@all %W~login:*");
    for command in crate::caller::COMMANDS {
        assert_denied(&writer.run(&format!("{command} login:7 5 EX 60")));
    }
}

#[test]
fn full_access_to_the_key_is_access_to_that_key_alone() {
    let server = Server::start();
    let mut both = user(&server, "both", "+@all %RW~login:*");
    for command in crate::caller::COMMANDS {
        decide(&mut both, &format!("{command} login:7 5 EX 60"));
        assert_denied(&both.run(&format!("{command} logout:7 5 EX 60")));
    }
}

#[test]
fn commands_are_granted_one_by_one() {
    let server = Server::start();
    let mut peeker = user(&server, "peeker", "-@all +app.ratelimit.peek ~*");
    decide(&mut peeker, "APP.RATELIMIT.PEEK k 5 EX 60");
    assert_denied(&peeker.run("APP.RATELIMIT k 5 EX 60"));
    let mut charger = user(&server, "charger", "-@all +app.ratelimit ~*");
    decide(&mut charger, "APP.RATELIMIT k 5 EX 60");
    assert_denied(&charger.run("APP.RATELIMIT.REFUND k 5 EX 60"));
}

#[test]
fn categories_grant_what_they_say() {
    let server = Server::start();
    if !takes_categories(&mut server.client()) {
        return;
    }
    let mut reader = user(&server, "reader", "-@all +@read ~*");
    decide(&mut reader, "APP.RATELIMIT.PEEK k 5 EX 60");
    assert_denied(&reader.run("APP.RATELIMIT k 5 EX 60"));
    let mut writer = user(&server, "writer", "-@all +@write ~*");
    decide(&mut writer, "APP.RATELIMIT k 5 EX 60");
    assert_denied(&writer.run("APP.RATELIMIT.PEEK k 5 EX 60"));
}
