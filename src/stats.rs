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

/// All counters, in the order of `INFO`.
pub static ALL: &[&Counter] = &[
    &RATELIMIT_ALLOWED,
    &RATELIMIT_REFUSED,
    &RATELIMIT_PEEKED,
    &RATELIMIT_REFUNDED,
    &SESSION_CREATED,
    &SESSION_REJECTED,
    &SESSION_SLID,
    &SESSION_UPDATED,
    &SESSION_ROTATED,
    &SESSION_REVOKED,
];
