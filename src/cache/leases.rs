//! All leases and backoffs, by database and key.
//!
//! A key has a lease, or a backoff, or neither. Both end by time; what has run out counts as gone
//! from that millisecond on and is dropped a few at each call, soonest end first. Memory is bounded:
//! where a new lease would exceed the bound, what ends soonest goes. That costs its key one load
//! more and never a wrong value, as a lease that is not here fills nothing.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::lease::Lease;

/// What one lease takes besides the bytes of its key: two tree entries and an allocation, rounded up.
const ENTRY_BYTES: usize = 256;

/// How many of those that have run out each call drops. More than the one that a call can add, so
/// that they grow fewer.
const DROPS_PER_CALL: usize = 8;

/// Whether a key may be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nobody is loading it.
    Free,
    /// Somebody is, and may for this long: at least 1 ms.
    Loading {
        /// Time that is left, in ms.
        ttl_ms: u64,
    },
    /// A loader gave up and asked for a pause, which lasts this long: at least 1 ms.
    BackingOff {
        /// Time that is left, in ms.
        ttl_ms: u64,
    },
}

/// The table.
pub struct Leases {
    by_key: BTreeMap<i32, BTreeMap<Rc<[u8]>, Entry>>,
    by_end: BTreeMap<End, (i32, Rc<[u8]>)>,
    bytes: usize,
    max_bytes: usize,
    next_number: u64,
}

struct Entry {
    /// `None` is a backoff.
    lease: Option<Lease>,
    end: End,
}

/// When an entry ends, and a number that tells entries of the same millisecond apart.
type End = (u64, u64);

impl Leases {
    /// An empty table that takes about `max_bytes` of memory, or one entry if that is more.
    pub const fn new(max_bytes: usize) -> Leases {
        Leases {
            by_key: BTreeMap::new(),
            by_end: BTreeMap::new(),
            bytes: 0,
            max_bytes,
            next_number: 0,
        }
    }

    /// Whether there is nothing in the table, run out or not.
    pub fn is_empty(&self) -> bool {
        self.by_end.is_empty()
    }

    /// How many leases and backoffs there are, those included that have run out and were not dropped
    /// yet.
    pub fn len(&self) -> usize {
        self.by_end.len()
    }

    /// Whether a key may be loaded at `now_ms`.
    pub fn standing(&self, db: i32, key: &[u8], now_ms: u64) -> Standing {
        let Some(entry) = self.entry(db, key) else {
            return Standing::Free;
        };
        match (entry.end.0.saturating_sub(now_ms), entry.lease) {
            (0, _) => Standing::Free,
            (ttl_ms, Some(_)) => Standing::Loading { ttl_ms },
            (ttl_ms, None) => Standing::BackingOff { ttl_ms },
        }
    }

    /// Whether `lease` is good for filling a key at `now_ms`.
    pub fn is_good(&self, db: i32, key: &[u8], lease: Lease, now_ms: u64) -> bool {
        self.entry(db, key)
            .is_some_and(|entry| entry.lease == Some(lease) && entry.end.0 > now_ms)
    }

    /// Gives a key to a loader until `until_ms`, in place of whatever there was.
    pub fn lend(&mut self, db: i32, key: &[u8], lease: Lease, until_ms: u64) {
        self.insert(db, key, Some(lease), until_ms);
    }

    /// Lets nobody load a key until `until_ms`, in place of whatever there was.
    pub fn back_off(&mut self, db: i32, key: &[u8], until_ms: u64) {
        self.insert(db, key, None, until_ms);
    }

    /// The value of a key was taken away on purpose: a lease is void, a backoff goes on.
    pub fn void(&mut self, db: i32, key: &[u8]) {
        if self.entry(db, key).is_some_and(|e| e.lease.is_some()) {
            self.clear(db, key);
        }
    }

    /// A key has a new value, or its value is declared stale: a lease is void, a backoff over.
    pub fn clear(&mut self, db: i32, key: &[u8]) {
        let Some(keys) = self.by_key.get_mut(&db) else {
            return;
        };
        if let Some(entry) = keys.remove(key) {
            self.by_end.remove(&entry.end);
            self.bytes = self.bytes.saturating_sub(cost(key));
        }
        if keys.is_empty() {
            self.by_key.remove(&db);
        }
    }

    /// A database (or with `None` each of them) has other contents: what was for its keys is over.
    pub fn clear_database(&mut self, db: Option<i32>) {
        let Some(db) = db else {
            *self = Leases {
                next_number: self.next_number,
                ..Leases::new(self.max_bytes)
            };
            return;
        };
        for (key, entry) in self.by_key.remove(&db).unwrap_or_default() {
            self.by_end.remove(&entry.end);
            self.bytes = self.bytes.saturating_sub(cost(&key));
        }
    }

    /// Drops a few of those that have run out by `now_ms`.
    pub fn drop_some(&mut self, now_ms: u64) {
        for _ in 0..DROPS_PER_CALL {
            match self.by_end.first_key_value() {
                Some((end, _)) if end.0 <= now_ms => self.drop_first(),
                _ => return,
            }
        }
    }

    fn entry(&self, db: i32, key: &[u8]) -> Option<&Entry> {
        self.by_key.get(&db)?.get(key)
    }

    fn insert(&mut self, db: i32, key: &[u8], lease: Option<Lease>, until_ms: u64) {
        self.clear(db, key);
        let cost = cost(key);
        while !self.is_empty() && self.bytes.saturating_add(cost) > self.max_bytes {
            self.drop_first();
        }
        self.next_number = self.next_number.wrapping_add(1);
        let end = (until_ms, self.next_number);
        let key: Rc<[u8]> = key.into();
        let keys = self.by_key.entry(db).or_default();
        keys.insert(Rc::clone(&key), Entry { lease, end });
        self.by_end.insert(end, (db, key));
        self.bytes = self.bytes.saturating_add(cost);
    }

    fn drop_first(&mut self) {
        if let Some((_, (db, key))) = self.by_end.pop_first() {
            self.clear(db, &key);
        }
    }
}

fn cost(key: &[u8]) -> usize {
    key.len().saturating_add(ENTRY_BYTES)
}
