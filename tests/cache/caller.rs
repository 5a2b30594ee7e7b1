//! A caller of the cache: replies by name.

use std::collections::BTreeMap;

use crate::support::{Client, Reply, info, words};

/// Long enough to be held all through a test.
pub const LONG: &str = "LEASE 600000";

/// What `APP.CACHE.GETORLOAD` replies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    pub status: String,
    pub value: Option<Vec<u8>>,
    pub lease: Option<String>,
    pub ttl_ms: i64,
}

impl Loaded {
    #[track_caller]
    pub fn of(reply: &Reply) -> Loaded {
        let Reply::Array(fields) = reply else {
            panic!("expected an array, got {reply:?}");
        };
        let [status, value, lease, ttl_ms] = &fields[..] else {
            panic!("expected four fields, got {reply:?}");
        };
        let bytes = |field: &Reply| (!field.is_nil()).then(|| field.bytes().to_vec());
        let loaded = Loaded {
            status: String::from_utf8(status.bytes().to_vec()).expect("a status"),
            value: bytes(value),
            lease: bytes(lease).map(|lease| String::from_utf8(lease).expect("ASCII")),
            ttl_ms: ttl_ms.int(),
        };
        let has = (loaded.value.is_some(), loaded.lease.is_some());
        let expected = match loaded.status.as_str() {
            "HIT" => (true, false),
            "REFRESH" => (true, true),
            "LOAD" => (false, true),
            "BUSY" => (false, false),
            status => panic!("no status: {status}"),
        };
        assert_eq!(has, expected, "{loaded:?}");
        loaded
    }

    pub fn is(&self, status: &str) -> bool {
        self.status == status
    }

    #[track_caller]
    pub fn lease(&self) -> &str {
        self.lease
            .as_deref()
            .unwrap_or_else(|| panic!("no lease: {self:?}"))
    }

    #[track_caller]
    pub fn text(&self) -> String {
        let value = self.value.as_deref();
        String::from_utf8_lossy(value.unwrap_or_else(|| panic!("no value: {self:?}"))).into_owned()
    }
}

/// `APP.CACHE.GETORLOAD` with the words of `arguments`.
#[track_caller]
pub fn load(redis: &mut Client, arguments: &str) -> Loaded {
    Loaded::of(&redis.run(&format!("APP.CACHE.GETORLOAD {arguments}")))
}

/// The lease of a caller that has to load `key`.
#[track_caller]
pub fn lease(redis: &mut Client, key: &str) -> String {
    let loaded = load(redis, &format!("{key} {LONG}"));
    assert!(loaded.is("LOAD"), "{loaded:?}");
    loaded.lease().to_owned()
}

/// `APP.CACHE.FILL` with a value that lives for a minute: whether it was stored.
#[track_caller]
pub fn fill(redis: &mut Client, key: &str, lease: &str, value: &str) -> bool {
    let reply = redis.run(&format!("APP.CACHE.FILL {key} {lease} {value} EX 60"));
    reply.int() == 1
}

/// Sends `APP.CACHE.GETORLOAD` and does not read the reply.
#[track_caller]
pub fn send_load(redis: &mut Client, arguments: &str) {
    redis.send(&words(&format!("APP.CACHE.GETORLOAD {arguments}")));
}

/// The counters of the cache, without their prefix.
#[track_caller]
pub fn counters(redis: &mut Client) -> BTreeMap<String, u64> {
    let section = info(redis, "appkit");
    let of_cache = section.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("appkit_cache_")?;
        Some((name.to_owned(), value.parse().expect("a number")))
    });
    of_cache.collect()
}
