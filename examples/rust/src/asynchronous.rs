//! One connection carries the calls of all tasks.

use std::collections::HashMap;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult, cmd};
use uuid::Uuid;

/// A connection for calls with WAIT. On one that is shared, everything behind such a call would wait
/// too; and the response time-out is half a second unless it is set.
async fn waiting_connection(client: &Client) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(15)));
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

pub async fn run(client: &Client, has_cache: bool) -> RedisResult<()> {
    let mut redis = client.get_multiplexed_async_connection().await?;
    let prefix = format!("example:{}", Uuid::new_v4());

    let (allowed, _, remaining, ..): (bool, u64, u64, i64, i64, i64, i64) = cmd("APP.RATELIMIT")
        .arg(format!("{prefix}:limit"))
        .arg(&["10", "EX", "1", "100", "EX", "60", "COST", "2"])
        .query_async(&mut redis)
        .await?;
    assert!(allowed && remaining == 8);

    let sessions = format!("{prefix}:sessions:bob");
    let id: String = cmd("APP.SESSION.CREATE")
        .arg(&sessions)
        .arg(&["EX", "1800"])
        .query_async(&mut redis)
        .await?;
    let document: Option<String> = cmd("APP.SESSION.GET")
        .arg(&sessions)
        .arg(&id)
        .query_async(&mut redis)
        .await?;
    assert_eq!(document.as_deref(), Some("{}"));

    lock(client, &mut redis, &prefix).await?;
    if has_cache {
        cache(client, &mut redis, &prefix).await?;
    }
    Ok(())
}

async fn lock(client: &Client, redis: &mut MultiplexedConnection, prefix: &str) -> RedisResult<()> {
    let key = format!("{prefix}:lock");
    let (mine, theirs) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
    let (held, fence, _): (bool, u64, i64) = cmd("APP.LOCK")
        .arg(&[&key, &mine, "EX", "30"])
        .query_async(redis)
        .await?;
    assert!(held);

    let mut waiter = waiting_connection(client).await?;
    let mut wait = cmd("APP.LOCK");
    wait.arg(&[&key, &theirs, "EX", "30", "WAIT", "10000"]);
    let hand_over = async {
        loop {
            let info: HashMap<String, i64> =
                cmd("APP.LOCK.INFO").arg(&key).query_async(redis).await?;
            if info["waiters"] == 1 {
                return cmd("APP.UNLOCK")
                    .arg(&[&key, &mine])
                    .query_async::<bool>(redis)
                    .await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waiting = wait.query_async::<(bool, u64, i64)>(&mut waiter);
    let (waited, released) = tokio::join!(waiting, hand_over);
    let (held, next_fence, _) = waited?;
    assert!(released? && held && next_fence > fence);
    Ok(())
}

async fn cache(
    client: &Client,
    redis: &mut MultiplexedConnection,
    prefix: &str,
) -> RedisResult<()> {
    type Load = (String, Option<String>, Option<String>, i64);
    let key = format!("{prefix}:cache:page");
    let mut load = cmd("APP.CACHE.GETORLOAD");
    load.arg(&[&key, "LEASE", "5000", "WAIT", "10000"]);
    let (status, _, lease, _): Load = load.query_async(redis).await?;
    assert_eq!(status, "LOAD");

    let mut waiter = waiting_connection(client).await?;
    let fill = async {
        tokio::time::sleep(Duration::from_millis(100)).await; // the database
        // Not over the connection of the call that waits for it.
        cmd("APP.CACHE.FILL")
            .arg(&key)
            .arg(lease)
            .arg(&["page", "EX", "60"])
            .query_async(redis)
            .await
    };
    let (hit, stored) = tokio::join!(load.query_async::<Load>(&mut waiter), fill);
    let (status, value, ..) = hit?;
    assert_eq!(
        (status.as_str(), value.as_deref(), stored?),
        ("HIT", Some("page"), true)
    );
    Ok(())
}
