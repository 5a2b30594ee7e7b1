//! Fences: integers that grow with every new hold of any lock of this server.
//!
//! A fence is the server's clock in microseconds, or one more than the last fence where the clock
//! has not moved on (or was set back). Nothing has to be stored: after a restart or on a promoted
//! replica the clock is ahead of every fence given out before, as far as the clocks agree.

use std::sync::atomic::{AtomicU64, Ordering};

/// The largest fence: the largest integer that a double holds exactly along with all below it, as
/// JSON and Lua keep numbers. The clock gets there in the year 2255.
pub const MAX_FENCE: u64 = (1 << 53) - 1;

/// Where fences come from. One for the whole server.
pub struct Fences {
    last: AtomicU64,
}

impl Fences {
    /// No fence given out yet.
    pub const fn new() -> Fences {
        Fences {
            last: AtomicU64::new(0),
        }
    }

    /// A fence above all before it. `now_us` is the server's clock in Unix microseconds.
    pub fn next(&self, now_us: u64) -> u64 {
        // Commands run on one thread: nobody comes between the load and the store.
        let last = self.last.load(Ordering::Relaxed);
        let fence = last.saturating_add(1).max(now_us).min(MAX_FENCE);
        self.last.store(fence, Ordering::Relaxed);
        fence
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_fence_is_the_clock_in_microseconds() {
        assert_eq!(
            Fences::new().next(1_700_000_000_000_000),
            1_700_000_000_000_000
        );
    }

    proptest! {
        /// Whatever the clock does, standing still and going back included.
        #[test]
        fn fences_grow(clock in proptest::collection::vec(0u64..1 << 52, 1..100)) {
            let fences = Fences::new();
            let mut last = 0;
            for now_us in clock {
                let fence = fences.next(now_us);
                prop_assert!(fence > last && fence >= now_us && fence <= MAX_FENCE);
                last = fence;
            }
        }
    }
}
