//! Fixed window: the first unit opens it, and all units in it are forgotten together.
//!
//! This is the counter with an expiry time (`INCR` and `EXPIRE`) in one step. The windows are not
//! aligned to the clock, so two callers' windows do not all end at the same instant.
//!
//! ```text
//! record: window 5, opened at 6, units 4      15 bytes
//! ```

use super::ledger::Ledger;
use super::rule::Rule;
use super::state::{Foreign, Reader, Record, StateBuffer};

/// The units of one window.
#[derive(Debug, Clone)]
pub(super) struct Fixed {
    window_ms: u64,
    opened_at_ms: u64,
    /// 0 while no window is open.
    units: u32,
}

impl<'a> Ledger<'a> for Fixed {
    const LETTER: u8 = b'F';

    fn empty(window_ms: u64) -> Self {
        Fixed {
            window_ms,
            opened_at_ms: 0,
            units: 0,
        }
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, Foreign> {
        let window_ms = reader.window_ms()?;
        let opened_at_ms = reader.number::<6>()?;
        let units = reader.count::<4>()?;
        if units == 0 {
            return Err(Foreign);
        }
        Ok(Fixed {
            window_ms,
            opened_at_ms,
            units,
        })
    }

    fn write(&self, out: &mut StateBuffer) {
        let mut record = Record::<15>::new();
        record.number::<5>(self.window_ms);
        record.number::<6>(self.opened_at_ms);
        record.number::<4>(self.units.into());
        record.append_to(out);
    }

    fn window_ms(&self) -> u64 {
        self.window_ms
    }

    fn is_empty(&self) -> bool {
        self.units == 0
    }

    fn expires_at_ms(&self) -> u64 {
        self.opened_at_ms.saturating_add(self.window_ms)
    }

    fn newest_ms(&self) -> u64 {
        self.opened_at_ms
    }

    fn settle(&mut self, now_ms: u64) {
        if now_ms >= self.expires_at_ms() {
            *self = Fixed::empty(self.window_ms);
        }
    }

    fn remaining(&self, rule: &Rule, _now_ms: u64) -> u32 {
        rule.capacity().saturating_sub(self.units)
    }

    fn wait_ms(&self, rule: &Rule, units: u32, now_ms: u64) -> u64 {
        if units <= rule.capacity().saturating_sub(self.units) {
            0
        } else {
            self.expires_at_ms().saturating_sub(now_ms)
        }
    }

    fn longest_wait_ms(rule: &Rule) -> u64 {
        rule.window_ms()
    }

    fn charge(&mut self, _rule: &Rule, units: u32, now_ms: u64) {
        if self.is_empty() {
            self.opened_at_ms = now_ms;
        }
        self.opened_at_ms = self.opened_at_ms.min(now_ms);
        self.units = self.units.saturating_add(units);
    }

    fn refund(&mut self, _rule: &Rule, units: u32, _now_ms: u64) -> bool {
        let charged = !self.is_empty();
        self.units = self.units.saturating_sub(units);
        charged
    }
}
