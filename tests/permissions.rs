//! The table in docs/security.md is what the server enforces: command by command, key by key.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod support;

use std::collections::BTreeSet;

use support::{
    Client, Reply, Server, assert_denied, command_info, is_denied, takes_categories, user,
};

/// A row of the table.
struct Row {
    command: String,
    /// `%R~`, `%W~`, `%RW~`; or `any` of them.
    access: String,
    categories: BTreeSet<String>,
}

/// Rows like ``| `APP.LOCK` | `%RW~` | `@write` `@slow` | … |``.
fn table() -> Vec<Row> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/security.md");
    let page = std::fs::read_to_string(page).expect("docs/security.md");
    let rows = page.lines().filter(|line| line.starts_with("| `APP."));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let words = |cell: &str| {
            cell.replace('`', "")
                .split_whitespace()
                .map(str::to_owned)
                .collect()
        };
        Row {
            command: cells[1].trim_matches('`').to_lowercase(),
            access: cells[2].replace('`', ""),
            categories: words(cells[3]),
        }
    };
    rows.map(row).collect()
}

/// A working call of each command at `key`.
fn call(command: &str, key: &str) -> String {
    let rest = match command {
        "app.ratelimit" | "app.ratelimit.peek" | "app.ratelimit.refund" => "5 EX 60",
        "app.lock" | "app.lock.extend" => "token EX 60",
        "app.unlock" => "token",
        "app.lock.info" | "app.session.list" | "app.session.revokeall" => "",
        "app.session.create" => "EX 60",
        "app.session.update" => "aaaaaaaaaaaaaaaa {}",
        "app.cache.getorset" => "value EX 60",
        "app.cache.getorload" => "LEASE 1000",
        "app.cache.fill" => "lease value EX 60",
        "app.cache.release" => "lease",
        "app.cache.invalidate" => "",
        _ if command.starts_with("app.session.") => "aaaaaaaaaaaaaaaa",
        _ => panic!("{command} is new here"),
    };
    format!("{command} {key} {rest}")
}

/// Whether a user with these rules may call `command` at `key`. Any error but NOPERM fails the test.
fn may(server: &Server, rules: &str, command: &str, key: &str) -> bool {
    let call = call(command, key);
    let reply = user(server, "somebody", rules).run(&call);
    !is_denied(&reply, &format!("{call} with {rules}"))
}

#[test]
fn the_table_names_every_command() {
    let server = Server::start();
    let list = server.client().run("COMMAND LIST FILTERBY MODULE appkit");
    let commands: BTreeSet<String> = list.items().iter().map(Reply::text).collect();
    let rows: BTreeSet<String> = table().into_iter().map(|row| row.command).collect();
    assert_eq!(rows, commands);
}

#[test]
fn each_command_needs_the_access_that_the_table_says_and_no_more() {
    let server = Server::start();
    for row in table() {
        let command = &row.command;
        for pattern in ["%R~own:*", "%W~own:*", "%RW~own:*", "~own:*"] {
            let rules = format!("-@all +{command} {pattern}");
            let enough = match row.access.as_str() {
                "any" => true,
                "%R~" => !pattern.starts_with("%W"),
                "%W~" => !pattern.starts_with("%R~"),
                "%RW~" => pattern.starts_with("%RW") || pattern.starts_with('~'),
                other => panic!("{other} is no access"),
            };
            let key = format!("own:{command}");
            assert_eq!(
                may(&server, &rules, command, &key),
                enough,
                "{command} with {rules}"
            );
            assert!(
                !may(&server, &rules, command, "others:key"),
                "{command} with {rules}"
            );
        }
        let without = format!("+@all -{command} ~*");
        assert!(
            !may(&server, &without, command, "own:key"),
            "{command} is granted by name"
        );
    }
}

#[test]
fn each_command_has_the_categories_of_the_table_where_the_server_takes_them() {
    let server = Server::start();
    let mut redis = server.client();
    let taken = takes_categories(&mut redis);
    for row in table() {
        let command = &row.command;
        let categories = command_info(&mut redis, command).categories;
        let expected = if taken {
            row.categories
        } else {
            BTreeSet::new()
        };
        assert_eq!(categories, expected, "{command}");
        for category in ["@read", "@write", "@slow", "@fast", "@blocking"] {
            let rules = format!("-@all +{category} ~*");
            let key = format!("category:{command}");
            let granted = may(&server, &rules, command, &key);
            assert_eq!(
                granted,
                expected.contains(category),
                "{command} with {category}"
            );
        }
    }
}

#[test]
fn every_key_of_a_call_must_be_allowed() {
    let server = Server::start();
    let mut redis = user(&server, "somebody", "-@all +app.cache.invalidate ~own:*");
    assert_eq!(redis.run("APP.CACHE.INVALIDATE own:1 own:2").int(), 0);
    assert_denied(&redis.run("APP.CACHE.INVALIDATE own:1 others:1"));
}

#[test]
fn no_argument_but_the_key_names_a_key() {
    // Tokens, ids, leases and documents that look like keys of others.
    let server = Server::start();
    let mut admin = server.client();
    for line in [
        "APP.LOCK others:key others-token EX 60",
        "APP.SESSION.CREATE others:user EX 60 ID others:aaaaaaaaaaaa",
        "SET others:value v",
    ] {
        assert!(!admin.run(line).is_error(), "{line}");
    }
    let before = support::dataset(&mut admin);
    let mut redis = user(&server, "somebody", "-@all +@connection ~own:*");
    admin
        .run("ACL SETUSER somebody allcommands -@admin -@dangerous")
        .ok();
    for line in [
        "APP.LOCK own:k others:key EX 60",
        "APP.UNLOCK own:k others:key",
        "APP.SESSION.CREATE own:s EX 60 ID others:aaaaaaaaaaaa",
        "APP.SESSION.REVOKE own:s others:user",
        "APP.SESSION.REVOKEALL own:s EXCEPT others:user",
        "APP.CACHE.GETORSET own:v others:value EX 60",
        "APP.CACHE.FILL own:w others:value others:value EX 60",
    ] {
        assert!(!redis.run(line).is_error(), "{line}");
    }
    for key in admin.run("KEYS own:*").items() {
        admin.call(redis::cmd("DEL").arg(key.bytes())).int();
    }
    assert_eq!(support::dataset(&mut admin), before);
}

#[test]
fn waiting_takes_one_place_in_the_server_and_beyond_the_last_nobody_waits() {
    let server = Server::start();
    let mut redis = server.client();
    redis.run("CONFIG SET appkit.max-waiters 2").ok();
    redis.run("APP.LOCK k holder EX 60").ints();
    let mut waiters: Vec<Client> = (0..2).map(|_| server.client()).collect();
    for (number, waiter) in waiters.iter_mut().enumerate() {
        waiter.send(&support::words(&format!(
            "APP.LOCK k w{number} EX 60 WAIT 60000"
        )));
    }
    support::eventually("two wait", || {
        support::info(&mut redis, "appkit")["appkit_lock_waiting"] == "2"
    });
    // The places are one pool for all families.
    assert_eq!(redis.run("APP.LOCK k third EX 60 WAIT 60000").ints()[0], 0);
    redis.run("APP.CACHE.GETORLOAD c LEASE 60000").items();
    let reply = redis.run("APP.CACHE.GETORLOAD c LEASE 60000 WAIT 60000");
    assert_eq!(reply.items()[0].text(), "BUSY");
}
