//! A primary and its replica, and clients that look for whichever is the primary.

use std::sync::Arc;
use std::time::Duration;

use redis::RedisResult;

use crate::support::{Builder, Client, Server, dataset, eventually};
use crate::workload::{Connect, Connection, Load};

pub struct Pair {
    pub primary: Server,
    pub replica: Server,
}

impl Pair {
    pub fn start() -> Pair {
        Pair::start_with(|builder| builder)
    }

    pub fn start_with(options: impl Fn(Builder) -> Builder) -> Pair {
        let primary = options(Server::builder()).start();
        let replica = options(Server::builder()).replica_of(&primary).start();
        Pair { primary, replica }
    }

    pub fn ports(&self) -> [u16; 2] {
        [self.primary.port(), self.replica.port()]
    }

    /// Clients of whichever of the two is the primary.
    pub fn connect(&self) -> Connect {
        primary_among(self.ports().to_vec())
    }

    /// Data and expiry times are the same on both. Nothing may be written meanwhile.
    #[track_caller]
    pub fn assert_equal(&self) {
        self.replica.catch_up_with(&self.primary);
        let (mut primary, mut replica) = (self.primary.client(), self.replica.client());
        let mut look = || (dataset(&mut primary), dataset(&mut replica));
        let (mut ours, mut theirs) = look();
        // A key may run out between two looks, but not every time.
        for _ in 0..5 {
            if ours != theirs {
                (ours, theirs) = look();
            }
        }
        assert_eq!(ours, theirs);
        assert!(!ours.expires_at.is_empty(), "there is data");
        let endless = ours.expires_at.iter().find(|(_, at)| **at == -1);
        assert_eq!(endless, None, "every key expires");
    }

    /// The same under a load, which is stopped for a moment.
    #[track_caller]
    pub fn assert_equal_under(&self, load: &Load) {
        let quiet = load.quiet();
        // What runs out between two looks would differ.
        std::thread::sleep(Duration::from_millis(1200));
        self.assert_equal();
        drop(quiet);
    }

    /// The other way round.
    pub fn swap(&mut self) {
        std::mem::swap(&mut self.primary, &mut self.replica);
    }
}

/// Clients of the first of these servers that says it is the primary.
pub fn primary_among(ports: Vec<u16>) -> Connect {
    Arc::new(move || {
        let mut error = None;
        for port in &ports {
            match open_primary(*port) {
                Ok(Some(connection)) => return Ok(connection),
                Ok(None) => {}
                Err(failure) => error = Some(failure),
            }
        }
        Err(error.unwrap_or_else(|| (redis::ErrorKind::Io, "no primary").into()))
    })
}

/// A connection to the server on this port, if that is a primary.
pub fn open_primary(port: u16) -> RedisResult<Option<Connection>> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}/"))?;
    let mut connection = client.get_connection_with_timeout(Duration::from_secs(2))?;
    connection.set_read_timeout(Some(Duration::from_secs(20)))?;
    let role: Vec<redis::Value> = redis::cmd("ROLE").query(&mut connection)?;
    let role: String = redis::from_redis_value(role[0].clone())?;
    Ok((role == "master").then(|| Box::new(connection) as Connection))
}

/// Asks over a new connection: Sentinel kills those that are there when it changes a role.
pub fn is_primary(server: &Server) -> bool {
    matches!(open_primary(server.port()), Ok(Some(_)))
}

pub fn is_replica(server: &Server) -> bool {
    matches!(open_primary(server.port()), Ok(None))
}

/// Calls that stand in line for a lock that somebody holds for long, in order of arrival.
pub fn stand_in_line(server: &Server, key: &str, count: usize) -> Vec<Client> {
    let mut redis = server.client();
    let held = redis.run(&format!("APP.LOCK {key} holder EX 3600")).ints();
    assert_eq!(held[0], 1);
    let waiters = (0..count).map(|number| {
        let mut waiter = server.client();
        waiter.send(&crate::support::words(&format!(
            "APP.LOCK {key} w{number} EX 3600 WAIT 60000"
        )));
        eventually("it stands in line", || {
            let info = redis.run(&format!("APP.LOCK.INFO {key}"));
            info.field("waiters").expect("a field").int() == number as i64 + 1
        });
        waiter
    });
    waiters.collect()
}
