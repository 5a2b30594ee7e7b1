//! A log whose end is missing: what is left is some moment of the past, whole.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use crate::support::{Client, Dataset, Server, Stop, dataset};
use crate::workload::{Dice, is_long, seed};

/// Calls of all families; several of them write more than one command.
const HISTORY: [&str; 19] = [
    "APP.RATELIMIT limit 10 EX 3600 100 EX 86400",
    "APP.SESSION.CREATE user EX 3600 ID aaaaaaaaaaaaaaaa",
    "APP.LOCK lock token EX 3600",
    "APP.SESSION.CREATE user EX 7200 ID bbbbbbbbbbbbbbbb LIMIT 5",
    "APP.SESSION.CREATE user EX 7200 ID cccccccccccccccc LIMIT 2",
    "APP.RATELIMIT limit 10 EX 3600 100 EX 86400 COST 3",
    "APP.LOCK.EXTEND lock token EX 7200",
    "APP.SESSION.ROTATE user bbbbbbbbbbbbbbbb",
    "APP.RATELIMIT.REFUND limit 10 EX 3600 100 EX 86400",
    "APP.SESSION.UPDATE user cccccccccccccccc {\"n\":1}",
    "APP.UNLOCK lock token",
    "APP.SESSION.REVOKE user cccccccccccccccc",
    "APP.LOCK lock other EX 3600",
    "APP.SESSION.TOUCH user cccccccccccccccc EX 99999",
    "APP.RATELIMIT limit 10 EX 3600 100 EX 86400",
    "APP.CACHE.GETORSET value v EX 3600",
    "APP.CACHE.GETORSET other v EX 3600",
    "APP.CACHE.INVALIDATE value other",
    "APP.SESSION.REVOKEALL user",
];

/// The log in which the server keeps what came since its last snapshot.
fn log_file(dir: &Path) -> PathBuf {
    let files = std::fs::read_dir(dir.join("appendonlydir")).expect("the log's folder");
    let mut files = files.map(|entry| entry.expect("an entry").path());
    let incremental = files.find(|path| path.to_string_lossy().ends_with(".incr.aof"));
    incremental.expect("a log")
}

fn dir(redis: &mut Client) -> PathBuf {
    PathBuf::from(redis.run("CONFIG GET dir").items()[1].text())
}

#[test]
fn a_log_cut_off_anywhere_brings_back_a_moment_of_the_past() {
    let builder = Server::builder().appendonly().config("appendfsync always");
    let mut server = builder.config("aof-load-truncated yes").start();
    let mut redis = server.client();
    let mut past: Vec<Dataset> = vec![dataset(&mut redis)];
    for call in HISTORY {
        let reply = redis.run(call);
        assert!(!reply.is_error(), "{call}: {reply:?}");
        past.push(dataset(&mut redis));
    }
    let dir = dir(&mut redis);
    let log = std::fs::read(log_file(&dir)).expect("the log");
    let (mut dice, mut moments) = (Dice::new(seed()), std::collections::BTreeSet::new());
    for _ in 0..if is_long() { 400 } else { 25 } {
        let length = dice.below(log.len() as u64 + 1);
        server.restart_with(Stop::Kill, |options| {
            let path = log_file(&dir);
            std::fs::write(&path, &log).expect("the log is written");
            let file = OpenOptions::new()
                .write(true)
                .open(&path)
                .expect("the log opens");
            file.set_len(length).expect("the log is cut");
            options
        });
        let mut redis = server.client();
        let now = dataset(&mut redis);
        let moment = past.iter().position(|then| *then == now);
        let moment = moment.unwrap_or_else(|| panic!("{length} bytes of the log: {now:?}"));
        moments.insert(moment);
        // And it goes on from there.
        for call in [
            "APP.RATELIMIT limit 10 EX 3600 100 EX 86400",
            "APP.SESSION.LIST user",
        ] {
            let reply = redis.run(call);
            assert!(!reply.is_error(), "{call}: {reply:?}");
        }
    }
    assert!(moments.len() > 5, "cut in few places: {moments:?}");
}
