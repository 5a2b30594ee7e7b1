//! The generic cell rate algorithm in its token bucket form, in exact integers.
//!
//! The algorithm is the one of ITU-T I.371 and the ATM Forum's traffic management specification,
//! which prove its two forms, virtual scheduling and leaky bucket, equal. A bucket of `capacity`
//! tokens refills at `limit` per window. Kept is the `level`: what is missing from the bucket. To
//! stay exact at any rate, without a rounded time per token, the level is scaled by the window: a
//! unit weighs `window` and each millisecond takes `limit` off.
//!
//! ```text
//! record: window 5, as of 6, limit 4, level div window 4, level mod window 5      24 bytes
//! ```
//!
//! `limit` is that of the call which charged. It says when the bucket is whole, a time that the
//! key's own expiry was set to. A later call with another limit drains the level at its own rate,
//! but never takes the bucket for longer than that.
//!
//! In one window up to `capacity + limit` units can pass.

use std::num::{NonZeroU64, NonZeroU128};

use super::ledger::Ledger;
use super::rule::Rule;
use super::state::{Foreign, MAX_TIME_MS, Reader, Record, StateBuffer};

/// A bucket: what was missing from it at one instant.
#[derive(Debug, Clone)]
pub(super) struct Gcra {
    window_ms: u64,
    as_of_ms: u64,
    /// Units per window when the last charge was made.
    limit: u32,
    /// Units missing, times the window: up to 2^71.
    level: u128,
}

/// `units` as a level.
fn scaled(units: u32, window_ms: u64) -> u128 {
    u128::from(units).saturating_mul(u128::from(window_ms))
}

/// Quotient (at most `u64::MAX`) and remainder. The division of 128 bits, many times slower, is
/// kept for the dividends that need it.
fn divide(dividend: u128, divisor: NonZeroU64) -> (u64, u64) {
    if let Ok(dividend) = u64::try_from(dividend) {
        return (dividend / divisor, dividend % divisor);
    }
    let divisor = NonZeroU128::from(divisor);
    let narrow = |number| u64::try_from(number).unwrap_or(u64::MAX);
    (narrow(dividend / divisor), narrow(dividend % divisor))
}

/// `dividend / divisor`, rounded up; at most `u64::MAX`. A divisor of 0 counts as 1.
fn div_ceil(dividend: u128, divisor: u64) -> u64 {
    let (quotient, remainder) = divide(dividend, divisor_of(divisor));
    quotient.saturating_add(u64::from(remainder > 0))
}

/// Windows are never 0, nor are the limits by which a bucket drains.
fn divisor_of(number: u64) -> NonZeroU64 {
    NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN)
}

impl Gcra {
    /// The level at `now_ms`, drained at `limit`. A time before the last charge drains nothing.
    fn level_at(&self, now_ms: u64, limit: u32) -> u128 {
        let elapsed_ms = now_ms.saturating_sub(self.as_of_ms);
        self.level.saturating_sub(scaled(limit, elapsed_ms))
    }

    /// When the level, drained at `limit`, is down to `level`.
    fn drained_to_at_ms(&self, level: u128, limit: u32) -> u64 {
        let excess = self.level.saturating_sub(level);
        let drained_at_ms = self
            .as_of_ms
            .saturating_add(div_ceil(excess, u64::from(limit)));
        drained_at_ms.min(MAX_TIME_MS)
    }
}

impl<'a> Ledger<'a> for Gcra {
    const LETTER: u8 = b'G';

    fn empty(window_ms: u64) -> Self {
        Gcra {
            window_ms,
            as_of_ms: 0,
            limit: 1,
            level: 0,
        }
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, Foreign> {
        let window_ms = reader.window_ms()?;
        let as_of_ms = reader.number::<6>()?;
        let limit = reader.count::<4>()?;
        let whole = reader.count::<4>()?;
        let part = reader.number::<5>()?;
        let level = scaled(whole, window_ms).saturating_add(u128::from(part));
        if limit == 0 || part >= window_ms || level == 0 {
            return Err(Foreign);
        }
        Ok(Gcra {
            window_ms,
            as_of_ms,
            limit,
            level,
        })
    }

    fn write(&self, out: &mut StateBuffer) {
        // The level is at most a whole capacity, so the quotient fits 4 bytes.
        let (whole, part) = divide(self.level, divisor_of(self.window_ms));
        let mut record = Record::<24>::new();
        record.number::<5>(self.window_ms);
        record.number::<6>(self.as_of_ms);
        record.number::<4>(self.limit.into());
        record.number::<4>(whole);
        record.number::<5>(part);
        record.append_to(out);
    }

    fn window_ms(&self) -> u64 {
        self.window_ms
    }

    fn is_empty(&self) -> bool {
        self.level == 0
    }

    fn expires_at_ms(&self) -> u64 {
        self.drained_to_at_ms(0, self.limit)
    }

    fn newest_ms(&self) -> u64 {
        self.as_of_ms
    }

    fn settle(&mut self, now_ms: u64) {
        if now_ms >= self.expires_at_ms() {
            *self = Gcra::empty(self.window_ms);
        }
    }

    fn remaining(&self, rule: &Rule, now_ms: u64) -> u32 {
        let missing = div_ceil(self.level_at(now_ms, rule.limit()), self.window_ms);
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        rule.capacity().saturating_sub(missing)
    }

    fn wait_ms(&self, rule: &Rule, units: u32, now_ms: u64) -> u64 {
        let room = scaled(rule.capacity().saturating_sub(units), self.window_ms);
        if self.level_at(now_ms, rule.limit()) <= room {
            return 0;
        }
        let mut fits_at_ms = self.drained_to_at_ms(room, rule.limit());
        if rule.limit() < self.limit {
            fits_at_ms = fits_at_ms.min(self.expires_at_ms());
        }
        fits_at_ms.saturating_sub(now_ms)
    }

    fn longest_wait_ms(rule: &Rule) -> u64 {
        let whole = scaled(rule.capacity(), rule.window_ms());
        div_ceil(whole, u64::from(rule.limit()))
    }

    fn charge(&mut self, rule: &Rule, units: u32, now_ms: u64) {
        let level = self.level_at(now_ms, rule.limit());
        self.level = level.saturating_add(scaled(units, self.window_ms));
        self.as_of_ms = now_ms;
        self.limit = rule.limit();
    }

    fn refund(&mut self, rule: &Rule, units: u32, now_ms: u64) -> bool {
        if self.level_at(now_ms, rule.limit()) == 0 {
            return false;
        }
        self.level = self.level.saturating_sub(scaled(units, self.window_ms));
        self.settle(now_ms);
        true
    }
}
