//! A client that goes on after the server's death, and what became of each of its calls.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redis::{Cmd, ConnectionLike, FromRedisValue, RedisError, RedisResult, Value};

pub type Connection = Box<dyn ConnectionLike + Send>;

/// How a client finds the server that takes writes.
pub type Connect = Arc<dyn Fn() -> RedisResult<Connection> + Send + Sync>;

/// A client of the server on the port that `port` holds at the time.
pub fn direct(port: &Arc<AtomicU16>) -> Connect {
    let port = Arc::clone(port);
    Arc::new(move || {
        let port = port.load(Ordering::Relaxed);
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}/"))?;
        let connection = client.get_connection_with_timeout(Duration::from_secs(2))?;
        connection.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(Box::new(connection) as Connection)
    })
}

/// What became of a call.
pub enum Outcome {
    Reply(Value),
    /// An error reply: the call changed nothing.
    Refused(String),
    /// The connection broke: nobody knows.
    Unknown,
}

impl Outcome {
    /// The reply as `T`; fails the test if the server sent something else.
    #[track_caller]
    pub fn reply<T: FromRedisValue>(self) -> Option<T> {
        match self {
            Outcome::Reply(value) => {
                let shown = format!("{value:?}");
                let value = redis::from_redis_value(value);
                Some(value.unwrap_or_else(|error| panic!("{shown}: {error}")))
            }
            _ => None,
        }
    }
}

/// What all callers together met.
#[derive(Default)]
pub struct Tally {
    answered: AtomicU64,
    unknown: AtomicU64,
    errors: Mutex<BTreeMap<String, u64>>,
    done: Mutex<BTreeMap<&'static str, u64>>,
}

impl Tally {
    pub fn calls(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Calls of which nobody knows whether they happened.
    pub fn unknown(&self) -> u64 {
        self.unknown.load(Ordering::Relaxed)
    }

    /// Error replies by code.
    pub fn errors(&self) -> BTreeMap<String, u64> {
        self.errors.lock().expect("no failure").clone()
    }

    /// What the replies said was done, under the names that `INFO appkit` has for it.
    pub fn done(&self) -> BTreeMap<&'static str, u64> {
        self.done.lock().expect("no failure").clone()
    }

    fn error(&self, error: &RedisError) -> String {
        let text = format!(
            "{} {}",
            error.code().unwrap_or("?"),
            error.detail().unwrap_or("")
        );
        // Addresses and slots differ from call to call: one line for each kind.
        let code = match error.code() {
            Some("ERR") | None => text,
            Some(code) => code.to_owned(),
        };
        let mut errors = self.errors.lock().expect("no failure");
        *errors.entry(code.clone()).or_default() += 1;
        code
    }
}

/// One client.
pub struct Caller {
    connect: Connect,
    connection: Option<Connection>,
    tally: Arc<Tally>,
    stop: Arc<AtomicBool>,
}

/// A server that cannot be reached for so long is not coming back.
const PATIENCE: Duration = Duration::from_secs(30);

impl Caller {
    pub fn new(connect: Connect, tally: Arc<Tally>, stop: Arc<AtomicBool>) -> Caller {
        Caller {
            connect,
            connection: None,
            tally,
            stop,
        }
    }

    /// Sends the words of `line`.
    pub fn run(&mut self, line: &str) -> Outcome {
        self.call(&crate::support::words(line))
    }

    pub fn call(&mut self, command: &Cmd) -> Outcome {
        let Some(connection) = self.connected() else {
            return Outcome::Refused("never sent".to_owned());
        };
        let answer = connection.req_command(command);
        match answer.and_then(Value::extract_error) {
            Ok(value) => {
                self.tally.answered.fetch_add(1, Ordering::Relaxed);
                Outcome::Reply(value)
            }
            Err(error) => self.failed(&error),
        }
    }

    /// A reply said that something was done; see [`Tally::done`].
    pub fn did(&self, name: &'static str) {
        self.did_times(name, 1);
    }

    pub fn did_times(&self, name: &'static str, times: u64) {
        *self
            .tally
            .done
            .lock()
            .expect("no failure")
            .entry(name)
            .or_default() += times;
    }

    /// Sends the words of `line` until they are answered: for an audit.
    #[track_caller]
    pub fn ask<T: FromRedisValue>(&mut self, line: &str) -> T {
        let started = Instant::now();
        loop {
            if let Some(value) = self.run(line).reply() {
                return value;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "no answer to {line}: {:?}",
                self.tally.errors()
            );
        }
    }

    fn connected(&mut self) -> Option<&mut Connection> {
        let started = Instant::now();
        while self.connection.is_none() {
            match (self.connect)() {
                Ok(connection) => self.connection = Some(connection),
                Err(error) if started.elapsed() > PATIENCE => panic!("no server: {error}"),
                Err(_) if self.stop.load(Ordering::Relaxed) => return None,
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        self.connection.as_mut()
    }

    fn failed(&mut self, error: &RedisError) -> Outcome {
        let from_server = error.code().is_some();
        if !from_server {
            self.connection = None;
            self.tally.unknown.fetch_add(1, Ordering::Relaxed);
            return Outcome::Unknown;
        }
        let code = self.tally.error(error);
        // Another server takes the writes now, or this one soon will.
        if matches!(
            code.as_str(),
            "READONLY" | "UNBLOCKED" | "LOADING" | "MASTERDOWN"
        ) {
            self.connection = None;
            std::thread::sleep(Duration::from_millis(5));
        }
        // A wait may be broken off when its answer was already given.
        if code == "UNBLOCKED" {
            return Outcome::Unknown;
        }
        Outcome::Refused(code)
    }
}
