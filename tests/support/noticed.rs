//! What others notice of a call: who watches its keys, who caches them, who saves them, who monitors
//! the server. (Keyspace events and the replication stream have files of their own.)

use super::{Client, Reply, Server, info};

/// Whether a transaction that watches `keys` (words) still goes through after `call`, which some
/// other client makes.
#[track_caller]
pub fn watch_survives(server: &Server, keys: &str, call: impl FnOnce()) -> bool {
    let mut watcher = server.client();
    watcher.run(&format!("WATCH {keys}")).ok();
    call();
    watcher.run("MULTI").ok();
    watcher.run("PING");
    !watcher.run("EXEC").is_nil()
}

/// The keys whose invalidation `cache`, a client with CLIENT TRACKING, got until now. A change of a
/// key of its own, `fence`, marks the end, so "none" is known and not waited for.
#[track_caller]
pub fn invalidated(cache: &mut Client, redis: &mut Client) -> Vec<Vec<u8>> {
    cache.run("GET fence");
    redis.run("INCR fence").int();
    let mut keys = Vec::new();
    loop {
        let push = cache.next_push();
        assert_eq!(push.items()[0].text(), "invalidate");
        for key in push.items()[1].items() {
            match key.bytes() {
                b"fence" => return keys,
                key => keys.push(key.to_vec()),
            }
        }
    }
}

/// How many changes an RDB file would save by now.
#[track_caller]
pub fn rdb_changes(redis: &mut Client) -> i64 {
    info(redis, "persistence")["rdb_changes_since_last_save"]
        .parse()
        .expect("a number")
}

/// The lines that MONITOR shows of what `work` does with its client.
#[track_caller]
pub fn monitored(server: &Server, work: impl FnOnce(&mut Client)) -> Vec<String> {
    let mut monitor = server.client();
    monitor.run("MONITOR").ok();
    let mut redis = server.client();
    work(&mut redis);
    redis.run("ECHO end");
    let mut shown = Vec::new();
    loop {
        let Reply::Simple(line) = monitor.frame() else {
            panic!("no line of MONITOR");
        };
        if line.ends_with("\"ECHO\" \"end\"") {
            return shown;
        }
        shown.push(line);
    }
}
