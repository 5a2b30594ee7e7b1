//! The leases of this server, as commands and events come to them.

use std::cell::RefCell;

use crate::args::Arguments;
use crate::cache::lease::Lease;
use crate::cache::leases::{Leases, Standing};
use crate::server::{Call, KEY, MainThread, Memory};
use crate::stats;

/// The most memory that leases take, in bytes: some 250,000 of them.
const MAX_BYTES: usize = 64 << 20;

/// All leases.
pub static LEASES: Table = Table(MainThread::new(RefCell::new(Leases::new(MAX_BYTES))));

/// The table of leases, for the key of a call.
pub struct Table(MainThread<RefCell<Leases>>);

impl Table {
    /// Works on the table. `work` calls nothing of the server: that could call back.
    fn with<T>(&self, work: impl FnOnce(&mut Leases) -> T) -> T {
        let mut leases = self.0.borrow_mut();
        let result = work(&mut leases);
        stats::CACHE_LEASES.set(u64::try_from(leases.len()).unwrap_or(u64::MAX));
        result
    }

    /// Takes back the memory of a few leases that have run out. For every command to call.
    pub fn tidy(&self, call: &Call<'_>) {
        if !self.is_empty() {
            let now_ms = call.now_ms();
            self.with(|leases| leases.drop_some(now_ms));
        }
    }

    /// Whether the key may be loaded.
    pub fn standing(&self, call: &Call<'_>) -> Standing {
        let (db, key, now_ms) = place(call);
        self.with(|leases| leases.standing(db, key, now_ms))
    }

    /// Gives the key to a loader for `lease_ms` milliseconds.
    pub fn lend(&'static self, call: &Call<'_>, lease_ms: u64) -> Lease {
        // From the first lease on, whatever changes a key is told.
        call.remember_changes(self);
        let lease = Lease::of_bits(call.random_bits());
        let (db, key, now_ms) = place(call);
        let until_ms = now_ms.saturating_add(lease_ms);
        self.with(|leases| leases.lend(db, key, lease, until_ms));
        lease
    }

    /// Ends a lease; says whether it was good for the key. `None` is a text that is no lease.
    pub fn end(&self, call: &Call<'_>, lease: Option<Lease>) -> bool {
        let (db, key, now_ms) = place(call);
        self.with(|leases| {
            let good = lease.is_some_and(|lease| leases.is_good(db, key, lease, now_ms));
            if good {
                leases.clear(db, key);
            }
            good
        })
    }

    /// Lets nobody load the key for `backoff_ms` milliseconds.
    pub fn back_off(&self, call: &Call<'_>, backoff_ms: u64) {
        let (db, key, now_ms) = place(call);
        let until_ms = now_ms.saturating_add(backoff_ms);
        self.with(|leases| leases.back_off(db, key, until_ms));
    }

    /// What was for the key at argument `index` is over.
    pub fn clear(&self, call: &Call<'_>, index: usize) {
        let (db, key) = (call.db(), call.get(index).unwrap_or_default());
        self.with(|leases| leases.clear(db, key));
    }
}

fn place<'c>(call: &'c Call<'_>) -> (i32, &'c [u8], u64) {
    (call.db(), call.get(KEY).unwrap_or_default(), call.now_ms())
}

impl Memory for Table {
    fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    fn key_removed(&self, db: i32, key: &[u8]) {
        self.with(|leases| leases.void(db, key));
    }

    fn key_written(&self, db: i32, key: &[u8]) {
        self.with(|leases| leases.clear(db, key));
    }

    fn database_replaced(&self, db: Option<i32>) {
        self.with(|leases| leases.clear_database(db));
    }
}
