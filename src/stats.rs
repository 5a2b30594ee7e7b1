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

    /// Counts one. Commands run on one thread, so a plain load and store will do; an atomic
    /// addition would lock the bus on the hot path.
    pub fn count(&self) {
        let next = self.value.load(Ordering::Relaxed).wrapping_add(1);
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

/// All counters, in the order of `INFO`.
pub static ALL: &[&Counter] = &[
    &RATELIMIT_ALLOWED,
    &RATELIMIT_REFUSED,
    &RATELIMIT_PEEKED,
    &RATELIMIT_REFUNDED,
];
