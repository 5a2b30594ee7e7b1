//! Each connection is one socket, and a call holds it until it is answered.

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use redis::{Client, Connection, RedisResult, Value, cmd};
use uuid::Uuid;

/// Whether the server's module has the cache, too.
pub fn run(client: &Client) -> RedisResult<bool> {
    let mut redis = client.get_connection()?;
    let prefix = format!("example:{}", Uuid::new_v4());
    rate_limit(&mut redis, &prefix)?;
    sessions(&mut redis, &prefix)?;
    locks(client, &mut redis, &prefix)?;
    let info: Vec<Value> = cmd("COMMAND")
        .arg("INFO")
        .arg("APP.CACHE.GETORLOAD")
        .query(&mut redis)?;
    let has_cache = info != [Value::Nil];
    if has_cache {
        cache(&mut redis, &prefix)?;
    }
    Ok(has_cache)
}

/// Three calls a minute: the fourth is refused and told when to come back.
fn rate_limit(redis: &mut Connection, prefix: &str) -> RedisResult<()> {
    let key = format!("{prefix}:limit:alice");
    let call = |name: &str| cmd(name).arg(&key).arg(3).arg("EX").arg(60).to_owned();
    for left in [2, 1, 0] {
        let (allowed, _limit, remaining, ..): (bool, i64, i64, i64, i64, i64, i64) =
            call("APP.RATELIMIT").query(redis)?;
        assert!(allowed && remaining == left);
    }
    let (allowed, _, _, retry_after_ms, ..): (bool, i64, i64, u64, i64, i64, i64) =
        call("APP.RATELIMIT").query(redis)?;
    let retry_after = retry_after_ms.div_ceil(1000); // the Retry-After header
    assert!(
        !allowed && (55..=62).contains(&retry_after),
        "{retry_after}"
    );

    // The log-in succeeded after all: what it was charged is given back.
    let _: Value = call("APP.RATELIMIT.REFUND").query(redis)?;
    // A map, in RESP2 as in RESP3, as redis-rs makes pairs of a flat array.
    let peek: HashMap<String, Value> = call("APP.RATELIMIT.PEEK").arg("FULL").query(redis)?;
    assert_eq!(peek["allowed"], Value::Int(1));
    let rules: Vec<HashMap<String, i64>> = redis::from_redis_value(peek["rules"].clone())?;
    assert_eq!(rules[0]["remaining"], 1);
    Ok(())
}

/// One key holds all sessions of a user, so logging out everywhere is one step.
fn sessions(redis: &mut Connection, prefix: &str) -> RedisResult<()> {
    let key = format!("{prefix}:sessions:alice");
    let call = |name: &str| cmd(&format!("APP.SESSION.{name}")).arg(&key).to_owned();
    let phone: String = call("CREATE")
        .arg(&[
            "EX",
            "1800",
            "MAXAGE",
            "86400000",
            "LIMIT",
            "5",
            "DATA",
            r#"{"device":"phone"}"#,
        ])
        .query(redis)?;
    let laptop: String = call("CREATE").arg(&["EX", "1800"]).query(redis)?;
    let touched: Option<String> = call("TOUCH").arg(&phone).query(redis)?;
    assert_eq!(touched.as_deref(), Some(r#"{"device":"phone"}"#));
    let document: Option<String> = call("UPDATE")
        .arg(&phone)
        .arg(r#"{"theme":"dark"}"#)
        .query(redis)?;
    assert_eq!(
        document.as_deref(),
        Some(r#"{"device":"phone","theme":"dark"}"#)
    );

    // At a log-in: a new id, and for a while the old one too, for requests that are under way.
    let rotated: Option<String> = call("ROTATE")
        .arg(&phone)
        .arg(&["GRACE", "10000"])
        .query(redis)?;
    let rotated = rotated.expect("the session is live");

    // The account page: handles name the devices without being credentials.
    let devices: Vec<HashMap<String, Value>> =
        call("LIST").arg("CURRENT").arg(&rotated).query(redis)?;
    assert_eq!(devices.len(), 2);
    for device in devices
        .iter()
        .filter(|device| device["current"] == Value::Int(0))
    {
        let handle: String = redis::from_redis_value(device["handle"].clone())?;
        assert!(
            call("REVOKE")
                .arg("HANDLE")
                .arg(handle)
                .query::<bool>(redis)?
        );
    }
    let ended: Option<String> = call("GET").arg(&laptop).query(redis)?;
    assert_eq!(ended, None);

    assert_eq!(call("REVOKEALL").query::<u64>(redis)?, 1);
    // A slow request cannot bring the session back.
    let revived: Option<String> = call("UPDATE").arg(&rotated).arg("{}").query(redis)?;
    assert_eq!(revived, None);
    Ok(())
}

/// A lock with a fence; whoever waits is handed the lock in the server.
fn locks(client: &Client, redis: &mut Connection, prefix: &str) -> RedisResult<()> {
    let key = format!("{prefix}:lock:report");
    let (mine, theirs) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
    let (held, fence, _ttl_ms): (bool, u64, i64) = cmd("APP.LOCK")
        .arg(&[&key, &mine, "EX", "30"])
        .query(redis)?;
    assert!(held);
    let (held, ..): (bool, u64, i64) = cmd("APP.LOCK")
        .arg(&[&key, &theirs, "EX", "30"])
        .query(redis)?;
    assert!(!held);

    // A connection of its own for the call that waits, with a read time-out (none by default) above
    // WAIT. redis-rs sends nothing again by itself; doing so with the same token is safe.
    let mut waiter = client.get_connection()?;
    waiter.set_read_timeout(Some(Duration::from_secs(15)))?;
    let mut wait = cmd("APP.LOCK");
    wait.arg(&[&key, &theirs, "EX", "30", "WAIT", "10000"]);
    let waiting = thread::spawn(move || wait.query::<(bool, u64, i64)>(&mut waiter));
    in_line(redis, &key)?;

    assert!(cmd("APP.UNLOCK").arg(&[&key, &mine]).query::<bool>(redis)?);
    let (held, next_fence, _) = waiting.join().expect("no panic")?;
    assert!(held && next_fence > fence); // the fence is what the storage compares

    // 1 released, 0 somebody else holds it, nil nobody does.
    let mut unlock = |token: &str| {
        cmd("APP.UNLOCK")
            .arg(&[&key, token])
            .query::<Option<u8>>(redis)
    };
    assert_eq!(unlock(&mine)?, Some(0));
    assert_eq!(unlock(&theirs)?, Some(1));
    assert_eq!(unlock(&theirs)?, None);
    Ok(())
}

fn in_line(redis: &mut Connection, key: &str) -> RedisResult<()> {
    for _ in 0..500 {
        let info: HashMap<String, i64> = cmd("APP.LOCK.INFO").arg(key).query(redis)?;
        if info["waiters"] == 1 {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("nobody came to wait");
}

/// One caller loads; an invalidation beats a slow loader.
fn cache(redis: &mut Connection, prefix: &str) -> RedisResult<()> {
    type Load = (String, Option<String>, Option<String>, i64);
    let key = format!("{prefix}:cache:page");
    let mut load = cmd("APP.CACHE.GETORLOAD");
    load.arg(&[&key, "LEASE", "5000"]);
    let fill = |lease: &Option<String>| {
        cmd("APP.CACHE.FILL")
            .arg(&key)
            .arg(lease)
            .arg(&["page", "EX", "60"])
            .to_owned()
    };

    let (status, _, lease, _): Load = load.query(redis)?;
    assert_eq!(status, "LOAD");
    let (busy, ..): Load = load.query(redis)?;
    assert_eq!(busy, "BUSY");
    assert!(fill(&lease).query::<bool>(redis)?);
    let (status, value, refresh, _): Load = load.clone().arg(&["EARLY", "120000"]).query(redis)?;
    assert_eq!(
        (status.as_str(), value.as_deref()),
        ("REFRESH", Some("page"))
    );

    // The database changed meanwhile: what the slow loader brings is old and is not stored.
    assert_eq!(
        cmd("APP.CACHE.INVALIDATE").arg(&key).query::<u64>(redis)?,
        1
    );
    assert!(!fill(&refresh).query::<bool>(redis)?);

    // The database is down: nobody asks it again for a second.
    let (_, _, lease, _): Load = load.query(redis)?;
    assert!(
        cmd("APP.CACHE.RELEASE")
            .arg(&key)
            .arg(lease)
            .arg(&["BACKOFF", "1000"])
            .query::<bool>(redis)?
    );
    let (status, ..): Load = load.query(redis)?;
    assert_eq!(status, "BUSY");
    Ok(())
}
