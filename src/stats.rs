//! Counters of what the commands did, shown by `INFO appkit`.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU64, Ordering};

/// One counter since the module was loaded.
pub struct Counter {
    /// The name in `INFO`, without the prefix `appkit_` that the server puts in front.
    pub name: &'static CStr,
    value: AtomicU64,
}

impl Counter {
    const fn new(name: &'static CStr) -> Counter {
        Counter {
            name,
            value: AtomicU64::new(0),
        }
    }

    /// Counts one.
    pub fn count(&self) {
        self.add(1);
    }

    /// Counts `n`. Commands run on one thread, so a plain load and store will do; an atomic
    /// addition would lock the bus on the hot path.
    pub fn add(&self, n: u64) {
        let next = self.value.load(Ordering::Relaxed).wrapping_add(n);
        self.value.store(next, Ordering::Relaxed);
    }

    /// Shows `n`: for what goes up and down.
    pub fn set(&self, n: u64) {
        self.value.store(n, Ordering::Relaxed);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

/// `APP.RATELIMIT`: calls allowed.
pub static RATELIMIT_ALLOWED: Counter = Counter::new(c"ratelimit_allowed");
/// `APP.RATELIMIT`: calls refused.
pub static RATELIMIT_REFUSED: Counter = Counter::new(c"ratelimit_refused");
/// `APP.RATELIMIT.PEEK`: calls.
pub static RATELIMIT_PEEKED: Counter = Counter::new(c"ratelimit_peeked");
/// `APP.RATELIMIT.REFUND`: calls that gave something back.
pub static RATELIMIT_REFUNDED: Counter = Counter::new(c"ratelimit_refunded");

/// `APP.SESSION.CREATE`: sessions made.
pub static SESSION_CREATED: Counter = Counter::new(c"session_created");
/// `APP.SESSION.CREATE … REJECT`: refused because of the limit.
pub static SESSION_REJECTED: Counter = Counter::new(c"session_rejected");
/// `APP.SESSION.TOUCH`: deadlines moved.
pub static SESSION_SLID: Counter = Counter::new(c"session_slid");
/// `APP.SESSION.UPDATE`: sessions changed.
pub static SESSION_UPDATED: Counter = Counter::new(c"session_updated");
/// `APP.SESSION.ROTATE`: new ids given.
pub static SESSION_ROTATED: Counter = Counter::new(c"session_rotated");
/// `APP.SESSION.REVOKE` and `REVOKEALL`: sessions ended.
pub static SESSION_REVOKED: Counter = Counter::new(c"session_revoked");

/// `APP.LOCK`: new holds, those handed over included.
pub static LOCK_ACQUIRED: Counter = Counter::new(c"lock_acquired");
/// `APP.LOCK`: refused at once.
pub static LOCK_REFUSED: Counter = Counter::new(c"lock_refused");
/// `APP.LOCK … WAIT`: calls that stand in line now.
pub static LOCK_WAITING: Counter = Counter::new(c"lock_waiting");
/// `APP.LOCK … WAIT`: holds that went to the first in line.
pub static LOCK_HANDED_OVER: Counter = Counter::new(c"lock_handed_over");
/// `APP.LOCK … WAIT`: holds taken back because the client was gone before its reply was written.
pub static LOCK_PASSED_ON: Counter = Counter::new(c"lock_passed_on");
/// `APP.LOCK … WAIT`: waits that ran out.
pub static LOCK_TIMED_OUT: Counter = Counter::new(c"lock_timed_out");
/// `APP.UNLOCK`: locks released.
pub static LOCK_RELEASED: Counter = Counter::new(c"lock_released");
/// `APP.LOCK.EXTEND`: lifetimes set anew.
pub static LOCK_EXTENDED: Counter = Counter::new(c"lock_extended");

/// `APP.CACHE.GETORSET` and `GETORLOAD`: calls that found a value, those that waited included.
pub static CACHE_HITS: Counter = Counter::new(c"cache_hits");
/// `APP.CACHE.GETORSET` and `GETORLOAD`: calls that found none when they came.
pub static CACHE_MISSES: Counter = Counter::new(c"cache_misses");
/// `APP.CACHE.GETORLOAD`: leases given because there was no value.
pub static CACHE_LOADS: Counter = Counter::new(c"cache_loads");
/// `APP.CACHE.GETORLOAD … EARLY`: leases given for a value that was about to end.
pub static CACHE_REFRESHES: Counter = Counter::new(c"cache_refreshes");
/// `APP.CACHE.FILL`: values stored.
pub static CACHE_FILLS: Counter = Counter::new(c"cache_fills");
/// `APP.CACHE.FILL`: values not stored, as the lease was not good any more.
pub static CACHE_LOST_FILLS: Counter = Counter::new(c"cache_lost_fills");
/// `APP.CACHE.GETORLOAD`: calls answered with BUSY.
pub static CACHE_BUSY: Counter = Counter::new(c"cache_busy");
/// `APP.CACHE.GETORLOAD … WAIT`: calls that had to wait.
pub static CACHE_WAITS: Counter = Counter::new(c"cache_waits");
/// `APP.CACHE.GETORLOAD … WAIT`: leases that went to the first in line.
pub static CACHE_PROMOTED: Counter = Counter::new(c"cache_promoted");
/// `APP.CACHE.GETORLOAD … WAIT`: calls that stand in line now.
pub static CACHE_WAITING: Counter = Counter::new(c"cache_waiting");
/// Leases and backoffs in memory now, those included that have run out and were not dropped yet.
pub static CACHE_LEASES: Counter = Counter::new(c"cache_leases");

/// All counters, in the order of `INFO`.
pub static ALL: &[&Counter] = &[
    &RATELIMIT_ALLOWED,
    &RATELIMIT_REFUSED,
    &RATELIMIT_PEEKED,
    &RATELIMIT_REFUNDED,
    &LOCK_ACQUIRED,
    &LOCK_REFUSED,
    &LOCK_WAITING,
    &LOCK_HANDED_OVER,
    &LOCK_PASSED_ON,
    &LOCK_TIMED_OUT,
    &LOCK_RELEASED,
    &LOCK_EXTENDED,
    &SESSION_CREATED,
    &SESSION_REJECTED,
    &SESSION_SLID,
    &SESSION_UPDATED,
    &SESSION_ROTATED,
    &SESSION_REVOKED,
    &CACHE_HITS,
    &CACHE_MISSES,
    &CACHE_LOADS,
    &CACHE_REFRESHES,
    &CACHE_FILLS,
    &CACHE_LOST_FILLS,
    &CACHE_BUSY,
    &CACHE_WAITS,
    &CACHE_PROMOTED,
    &CACHE_WAITING,
    &CACHE_LEASES,
];
