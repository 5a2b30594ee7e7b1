//! All four families with redis-rs: its blocking connection, its asynchronous one and its cluster
//! client. Runs against `REDIS_URL` and, where it is set, the cluster at `CLUSTER_URL`.

mod asynchronous;
mod blocking;
mod cluster;

use redis::{IntoConnectionInfo, ProtocolVersion, RedisResult};

/// The version of the redis crate, out of Cargo.lock.
fn version() -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let package = lock
        .split("[[package]]")
        .find(|p| p.contains("name = \"redis\"\n"));
    package
        .and_then(|p| p.split("version = \"").nth(1)?.split('"').next())
        .unwrap_or("unknown")
}

fn main() -> RedisResult<()> {
    let url = std::env::var("REDIS_URL").unwrap_or("redis://localhost:6379".into());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for protocol in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
        let info = url.as_str().into_connection_info()?;
        let settings = info.redis_settings().clone().set_protocol(protocol);
        let client = redis::Client::open(info.set_redis_settings(settings))?;
        let name = format!("{protocol:?}");

        let cache = blocking::run(&client)?;
        println!("PASSED redis-rs blocking {name} [{}]", version());
        runtime.block_on(asynchronous::run(&client, cache))?;
        println!("PASSED redis-rs async {name} [{}]", version());
        if !cache {
            println!(
                "SKIPPED redis-rs {name}: the cache, which this server's module does not have"
            );
        }
    }
    match std::env::var("CLUSTER_URL") {
        Ok(seed) => {
            runtime.block_on(cluster::run(&seed))?;
            println!("PASSED redis-rs cluster [{}]", version());
        }
        Err(_) => println!("SKIPPED redis-rs cluster: CLUSTER_URL is not set"),
    }
    Ok(())
}
