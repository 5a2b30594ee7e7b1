//! An id is a credential: it is in no log, no dump, no AOF and no replication stream.

use std::path::Path;

use crate::caller::{create, id};
use crate::support::{Client, ReplicationStream, Server, monitored, rewrite_aof};

/// Whether `needle` is somewhere in `bytes`.
fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// The 16 bytes that a UUID's text stands for.
fn binary(uuid: &str) -> Option<Vec<u8>> {
    let hex: String = uuid.chars().filter(|c| *c != '-').collect();
    let byte = |i: usize| u8::from_str_radix(hex.get(i..i + 2)?, 16).ok();
    (uuid.len() == 36).then(|| (0..32).step_by(2).map(byte).collect())?
}

/// Every use that there is of ids, and all ids used.
fn use_ids(redis: &mut Client) -> Vec<String> {
    let own = id("own-secret");
    let mut ids = vec![own.clone()];
    create(redis, &format!("k EX 3600 ID {own}"));
    for key in ["k", "l"] {
        let mut newest = create(redis, &format!("{key} EX 3600"));
        for grace in ["", " GRACE 3600000", " GRACE 3600000"] {
            ids.push(newest.clone());
            newest = redis
                .run(&format!("APP.SESSION.ROTATE {key} {newest}{grace}"))
                .text();
        }
        ids.push(newest.clone());
        redis
            .run(&format!("APP.SESSION.TOUCH {key} {newest} EX 7200"))
            .text();
        redis
            .run(&format!("APP.SESSION.UPDATE {key} {newest} {{\"a\":1}}"))
            .text();
        redis
            .run(&format!("APP.SESSION.LIST {key} CURRENT {newest}"))
            .items();
        redis
            .run(&format!("APP.SESSION.GET {key} {newest} WITHMETA"))
            .pairs();
        let ended = create(redis, &format!("{key} EX 3600"));
        redis
            .run(&format!("APP.SESSION.REVOKE {key} {ended}"))
            .int();
        ids.push(ended);
        ids.push(create(redis, "m EX 3600"));
        let kept = create(redis, "m EX 3600");
        redis
            .run(&format!("APP.SESSION.REVOKEALL m EXCEPT {kept}"))
            .int();
        ids.push(kept);
    }
    ids
}

#[track_caller]
fn assert_without(what: &str, bytes: &[u8], ids: &[String]) {
    assert!(
        contains(bytes, b"appkit:session:1 "),
        "{what} holds the sessions"
    );
    for id in ids {
        assert!(!contains(bytes, id.as_bytes()), "{what} holds the id {id}");
        if let Some(binary) = binary(id) {
            assert!(
                !contains(bytes, &binary),
                "{what} holds the id {id}, in binary"
            );
        }
    }
}

/// All files below `dir`, one after the other.
fn files(dir: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.extend(std::fs::read(path).unwrap());
        }
    }
    all
}

#[test]
fn ids_are_in_no_replication_stream_and_no_dump() {
    let server = Server::start();
    let mut redis = server.client();
    let mut stream = ReplicationStream::attach(&server);
    let ids = use_ids(&mut redis);
    assert!(ids.len() > 12);
    let sent = stream.take(&mut redis).concat().concat();
    assert_without("the replication stream", &sent, &ids);
    for key in ["k", "l", "m"] {
        // The server may compress what it dumps.
        redis.run("CONFIG SET rdbcompression no").ok();
        let dump = redis.run(&format!("DUMP {key}"));
        assert_without("a dump", dump.bytes(), &ids);
    }
}

#[test]
fn ids_are_in_no_file_of_the_server() {
    for preamble in ["yes", "no"] {
        let server = Server::builder()
            .appendonly()
            .config("rdbcompression no")
            .config(&format!("aof-use-rdb-preamble {preamble}"))
            .config("loglevel debug")
            .start();
        let mut redis = server.client();
        let ids = use_ids(&mut redis);
        redis.run("SAVE").ok();
        let dir = redis.run("CONFIG GET dir").items()[1].text();
        assert_without("the directory", &files(Path::new(&dir)), &ids);
        rewrite_aof(&mut redis);
        assert_without("the rewritten AOF", &files(Path::new(&dir)), &ids);
    }
}

/// Calls with `id` in each place where one may stand, in good and in wrong use.
fn calls_with(id: &str) -> Vec<String> {
    let lines = [
        "CREATE k EX 60 ID {}",
        "CREATE k ID {} EX 60 ID {}",
        "CREATE k EX nonsense ID {}",
        "CREATE k EX 60 LIMIT 1 REJECT id {}",
        "GET k {}",
        "GET k {} NONSENSE",
        "TOUCH k {} EX 60 WITHMETA",
        "TOUCH k {} EX nonsense",
        "UPDATE k {} {\"a\":1}",
        "UPDATE k {} nonsense",
        "LIST k CURRENT {}",
        "LIST k CURRENT",
        "LIST k {}",
        "LIST k NONSENSE {}",
        "LIST k CURRENT {} CURRENT {}",
        "REVOKEALL k EXCEPT nobody-of-these-here EXCEPT {}",
        "REVOKEALL k {}",
        "REVOKE k {} NONSENSE",
        "REVOKE k HANDLE {}",
        "ROTATE k {} GRACE 60000",
        "ROTATE k {} nonsense",
        "REVOKE k {}",
        "REVOKEALL k EXCEPT {}",
        "GET list {}",
    ];
    lines
        .map(|line| format!("APP.SESSION.{}", line.replace("{}", id)))
        .to_vec()
}

/// Each of `calls` by itself, then all of them in a transaction.
fn run_twice(redis: &mut Client, calls: &[String]) {
    let run_all = |redis: &mut Client| {
        for call in calls {
            redis.run(call);
        }
    };
    run_all(redis);
    redis.run("MULTI").ok();
    run_all(redis);
    redis.run("EXEC").items();
}

/// `shown` are the lines of `calls`, again and again: with the id hidden where there is one.
#[track_caller]
fn assert_redacted<'a>(shown: impl Iterator<Item = &'a String>, calls: &[String], id: &str) {
    for (line, call) in shown.zip(calls.iter().cycle()) {
        assert!(!line.contains("secret"), "{call}: {line}");
        let hidden = line.contains("(redacted)");
        assert_eq!(hidden, call.contains(id), "{call}: {line}");
    }
}

#[test]
fn slowlog_shows_no_id() {
    let server = Server::start();
    let mut redis = server.client();
    redis.run("RPUSH list element").int();
    redis
        .run("CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 1000")
        .ok();
    let id = id("secret");
    let calls = calls_with(&id);
    run_twice(&mut redis, &calls);
    let log = redis.run("SLOWLOG GET -1");
    let shown: Vec<String> = log
        .items()
        .iter()
        .map(|entry| {
            entry.items()[3]
                .items()
                .iter()
                .map(|a| a.text() + " ")
                .collect()
        })
        .filter(|line: &String| line.starts_with("APP.SESSION."))
        .collect();
    assert_eq!(shown.len(), calls.len() * 2, "{shown:?}");
    assert_redacted(shown.iter().rev(), &calls, &id);
}

#[test]
fn monitor_shows_no_id() {
    let server = Server::start();
    server.client().run("RPUSH list element").int();
    let id = id("secret");
    let calls = calls_with(&id);
    let shown = monitored(&server, |redis| run_twice(redis, &calls));
    let shown: Vec<&String> = shown
        .iter()
        .filter(|line| line.contains("\"APP.SESSION."))
        .collect();
    assert_eq!(shown.len(), calls.len() * 2, "{shown:?}");
    assert_redacted(shown.into_iter(), &calls, &id);
}

/// Made ids are in a reply and nowhere else; a handle is no secret.
#[test]
fn what_is_no_id_is_shown() {
    let server = Server::start();
    let shown = monitored(&server, |redis| {
        redis
            .run("APP.SESSION.REVOKE k HANDLE ungWv48Bz-pBQUDeXa4iIw")
            .int();
        redis
            .run("APP.SESSION.CREATE k EX 60 DATA {\"shown\":1} LIMIT 5")
            .text();
        redis.run("APP.SESSION.REVOKEALL k").int();
    });
    let ends = [
        "\"APP.SESSION.REVOKE\" \"k\" \"HANDLE\" \"ungWv48Bz-pBQUDeXa4iIw\"",
        "\"APP.SESSION.CREATE\" \"k\" \"EX\" \"60\" \"DATA\" \"{\"shown\":1}\" \"LIMIT\" \"5\"",
        "\"APP.SESSION.REVOKEALL\" \"k\"",
    ];
    assert_eq!(shown.len(), ends.len());
    for (line, end) in shown.iter().zip(ends) {
        // Some servers escape quotes here, some do not.
        assert!(line.replace('\\', "").ends_with(end), "{line}");
    }
}

/// The documentation says so: the arguments of a script are not the module's to hide.
#[test]
fn arguments_of_a_script_are_shown_as_documented() {
    let server = Server::start();
    let id = id("secret");
    let mut eval = redis::cmd("EVAL");
    eval.arg("return redis.call('APP.SESSION.GET', KEYS[1], ARGV[1])");
    eval.arg(1).arg("k").arg(&id);
    let shown = monitored(&server, |redis| assert!(redis.call(&eval).is_nil()));
    assert!(
        shown[0].contains("\"EVAL\"") && shown[0].contains(&id),
        "{shown:?}"
    );
    assert!(
        shown[1].ends_with("\"APP.SESSION.GET\" \"k\" \"(redacted)\""),
        "the call itself is redacted: {shown:?}"
    );
}
