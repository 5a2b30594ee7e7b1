//! The cluster client takes the first argument of a command that it does not know for its key, which
//! it is here, so each call goes to the right node at once.

use std::time::Duration;

use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo};
use redis::{FromRedisValue, RedisResult, Value, cmd};
use uuid::Uuid;

pub async fn run(seed: &str) -> RedisResult<()> {
    let client = ClusterClientBuilder::new([seed]).build()?;
    let mut redis = client.get_async_connection().await?;
    // One connection a node for the calls that wait, which may take long and hold up each other:
    // where many wait at once, take a client for each.
    let mut waiter = ClusterClientBuilder::new([seed])
        .response_timeout(Duration::from_secs(15))
        .build()?
        .get_async_connection()
        .await?;

    let before = moved(&mut redis).await?;
    let prefix = format!("example:{}", Uuid::new_v4());
    for n in 0..30 {
        let limit = format!("{prefix}:limit:{n}");
        let (allowed, ..): (bool, i64, i64, i64, i64, i64, i64) = cmd("APP.RATELIMIT")
            .arg(limit)
            .arg(&["5", "EX", "60"])
            .query_async(&mut redis)
            .await?;
        assert!(allowed);
        let sessions = format!("{prefix}:sessions:{n}");
        let id: String = cmd("APP.SESSION.CREATE")
            .arg(&sessions)
            .arg(&["EX", "60"])
            .query_async(&mut redis)
            .await?;
        let document: Option<String> = cmd("APP.SESSION.GET")
            .arg(&sessions)
            .arg(&id)
            .query_async(&mut redis)
            .await?;
        assert_eq!(document.as_deref(), Some("{}"));
        let (held, ..): (bool, u64, i64) = cmd("APP.LOCK")
            .arg(format!("{prefix}:lock:{n}"))
            .arg(&[&id, "EX", "5", "WAIT", "10000"])
            .query_async(&mut waiter)
            .await?;
        assert!(held);
    }
    assert_eq!(moved(&mut redis).await?, before);
    Ok(())
}

/// How many calls the nodes have turned away to another node so far.
async fn moved(redis: &mut ClusterConnection) -> RedisResult<u64> {
    let mut info = cmd("INFO");
    info.arg("errorstats");
    let all = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
    let nodes = match redis.route_command(info, all).await? {
        Value::Map(nodes) => nodes.into_iter().map(|(_, text)| text).collect(),
        other => vec![other],
    };
    let mut sum = 0;
    for text in nodes {
        let text = String::from_redis_value(text)?;
        let count = text
            .split("errorstat_MOVED:count=")
            .nth(1)
            .and_then(|rest| rest.lines().next());
        sum += count
            .and_then(|count| count.parse::<u64>().ok())
            .unwrap_or(0);
    }
    Ok(sum)
}
