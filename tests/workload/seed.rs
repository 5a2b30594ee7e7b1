//! The seed of a run's random numbers.

use std::time::{SystemTime, UNIX_EPOCH};

/// `APPKIT_SEED`, or one from the clock. Threads and servers go their own way, so a seed brings back
/// what each worker asks for, not when.
pub fn seed() -> u64 {
    let given = std::env::var("APPKIT_SEED").ok();
    given.map_or_else(from_clock, |text| {
        text.parse().expect("APPKIT_SEED is a number")
    })
}

fn from_clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("a clock after 1970").as_micros() as u64
}
