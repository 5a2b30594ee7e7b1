//! Wrong use: the whole text of every error, and nothing changed.

use crate::caller::lock;
use crate::support::{KeyspaceEvents, Protocol, ReplicationStream, Server, monitored, words};

const EX_RANGE: &str = "ERR EX must be an integer from 1 to 315360000";
const PX_RANGE: &str = "ERR PX must be an integer from 1 to 315360000000";
const WAIT_RANGE: &str = "ERR WAIT must be an integer from 0 to 315360000000";
const LOCK_OPTIONS: &str = "accepted: EX, PX, WAIT";

fn wrong_use() -> Vec<(String, String)> {
    let lock = [
        ("WAIT 5", "ERR APP.LOCK needs EX seconds or PX milliseconds"),
        ("EX 1 PX 1000", "ERR APP.LOCK takes exactly one EX or PX"),
        ("EX 1 EX 1", "ERR APP.LOCK takes exactly one EX or PX"),
        ("EX 0", EX_RANGE),
        ("EX -1", EX_RANGE),
        ("EX 1.5", EX_RANGE),
        ("EX 315360001", EX_RANGE),
        ("PX 0", PX_RANGE),
        ("PX 315360000001", PX_RANGE),
        ("EX 1 WAIT -1", WAIT_RANGE),
        ("EX 1 WAIT 315360000001", WAIT_RANGE),
        ("EX 1 WAIT for", WAIT_RANGE),
        ("EX 1 WAIT", "ERR WAIT needs a value"),
        ("WAIT 1 EX", "ERR EX needs a value"),
        ("EX 1 WAIT 1 WAIT 2", "ERR WAIT is given twice"),
    ];
    let mut cases: Vec<(String, String)> = lock
        .iter()
        .map(|(rest, text)| (format!("APP.LOCK k token {rest}"), (*text).to_owned()))
        .collect();
    let mut add = |line: &str, text: String| cases.push((line.to_owned(), text));
    add(
        "APP.LOCK k token NX 1",
        format!("ERR unknown option 'NX'; {LOCK_OPTIONS}"),
    );
    add(
        "APP.LOCK k token EX 1 now",
        format!("ERR unknown option 'now'; {LOCK_OPTIONS}"),
    );
    add(
        "APP.LOCK.EXTEND k token WAIT 1",
        "ERR unknown option 'WAIT'; accepted: EX, PX".into(),
    );
    add("APP.LOCK.EXTEND k token EX 0", EX_RANGE.into());
    let long = "t".repeat(257);
    for line in [
        "APP.LOCK k TOKEN EX 1",
        "APP.UNLOCK k TOKEN",
        "APP.LOCK.EXTEND k TOKEN EX 1",
    ] {
        add(
            &line.replace("TOKEN", &long),
            "ERR token must have 1 to 256 bytes".into(),
        );
    }
    for (name, line) in [
        ("app.lock", "APP.LOCK k token EX"),
        ("app.unlock", "APP.UNLOCK k"),
        ("app.unlock", "APP.UNLOCK k token more"),
        ("app.lock.extend", "APP.LOCK.EXTEND k token EX"),
        ("app.lock.extend", "APP.LOCK.EXTEND k token EX 1 PX"),
        ("app.lock.info", "APP.LOCK.INFO k more"),
    ] {
        add(
            line,
            format!("ERR wrong number of arguments for '{name}' command"),
        );
    }
    // One more or less argument is the server's to refuse.
    cases.retain(|(line, text)| {
        line != "APP.LOCK k token EX" || text.starts_with("ERR wrong number")
    });
    cases
}

#[test]
fn wrong_use_is_named_and_changes_nothing() {
    let server = Server::start();
    let mut stream = ReplicationStream::attach(&server);
    let mut redis = server.client();
    let mut events = KeyspaceEvents::listen(&server);
    for protocol in [Protocol::RESP2, Protocol::RESP3] {
        let mut client = server.client_in(protocol);
        for (line, text) in wrong_use() {
            assert_eq!(client.run(&line).error(), text, "{line}");
        }
    }
    assert_eq!(redis.run("DBSIZE").int(), 0);
    lock(&mut redis, "APP.LOCK k token EX 1000");
    let state = redis.run("DUMP k");
    events.take(&mut redis);
    stream.take(&mut redis);
    for (line, text) in wrong_use() {
        assert_eq!(redis.run(&line).error(), text, "{line}");
    }
    assert_eq!(redis.run("DUMP k"), state);
    assert!(stream.take(&mut redis).is_empty(), "nothing is replicated");
    assert!(events.take(&mut redis).is_empty());
}

#[test]
fn another_type_is_wrongtype_and_stays_as_it_is() {
    let server = Server::start();
    let mut redis = server.client();
    let wrong = "WRONGTYPE Operation against a key holding the wrong kind of value";
    for make in [
        "RPUSH k x",
        "HSET k f v",
        "SADD k x",
        "ZADD k 1 x",
        "XADD k * f v",
    ] {
        redis.run("DEL k").int();
        redis.run(make);
        let state = redis.run("DUMP k");
        for line in [
            "APP.LOCK k t EX 1",
            "APP.LOCK k t EX 1 WAIT 1000",
            "APP.UNLOCK k t",
            "APP.LOCK.EXTEND k t EX 1",
            "APP.LOCK.INFO k",
        ] {
            assert_eq!(redis.run(line).error(), wrong, "{make}, {line}");
        }
        assert_eq!(redis.run("DUMP k"), state, "{make}");
    }
}

#[test]
fn tokens_show_as_redacted_in_slowlog_and_monitor() {
    let server = Server::start();
    let mut redis = server.client();
    redis.run("CONFIG SET slowlog-log-slower-than 0").ok();
    let lines = [
        "APP.LOCK k secret EX 10",
        "APP.LOCK k secret nonsense 10",
        "APP.LOCK.EXTEND k secret EX 10",
        "APP.LOCK.EXTEND k secret EX never",
        "APP.UNLOCK k secret",
    ];
    let shown = monitored(&server, |redis| {
        for line in lines {
            redis.run(line);
        }
    });
    assert_eq!(shown.len(), lines.len(), "{shown:?}");
    for line in shown {
        assert!(
            line.contains("(redacted)") && !line.contains("secret"),
            "{line}"
        );
    }
    let entries = redis.run("SLOWLOG GET 100");
    let of_ours = entries.items().iter().filter(|entry| {
        entry.items()[3].items()[0]
            .text()
            .to_uppercase()
            .starts_with("APP.")
    });
    let mut seen = 0;
    for entry in of_ours {
        let shown: Vec<String> = entry.items()[3]
            .items()
            .iter()
            .map(|word| word.text())
            .collect();
        assert_eq!(shown[2], "(redacted)", "{shown:?}");
        assert!(shown.iter().all(|word| word != "secret"), "{shown:?}");
        seen += 1;
    }
    assert_eq!(seen, lines.len());
}

#[test]
fn redacting_leaves_the_arguments_as_they_were() {
    // One server overwrites the arguments themselves: then any two tokens would be equal.
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k a EX 10");
    assert!(!lock(&mut redis, "APP.LOCK k b EX 10").held);
    redis.run("MULTI").ok();
    redis.call(&words("APP.UNLOCK k b"));
    redis.call(&words("APP.UNLOCK k a"));
    assert_eq!(redis.run("EXEC").ints(), [0, 1]);
}
