//! Sliding window counters on the safe side.
//!
//! Time is cut into sub-windows of `ceil(window / 32)` milliseconds, and one counter is kept for
//! each. The units of a sub-window are forgotten together, one window after the last millisecond of
//! that sub-window. So every unit counts for at least one window, which makes the limit hold in any
//! interval as long as the window, wherever it starts; and for less than a sub-window longer, which
//! is the price. The usual estimate from two counters weighs the previous window by its overlap and
//! lets up to twice the limit through when the traffic in it was uneven.
//!
//! ```text
//! record: window 5, first sub-window 6, counters 1, width 1, counters × width      13 + … bytes
//! ```
//!
//! A sub-window's number is its time divided by its length. At most 33 are alive at a time. The
//! first and the last counter are not 0; the width is 1, 2 or 4 bytes, the least that fits all.

use arrayvec::ArrayVec;

use super::ledger::Ledger;
use super::rule::Rule;
use super::state::{Foreign, MAX_TIME_MS, Reader, StateBuffer, put};

/// Sub-windows that a window is cut into.
const PARTS: u64 = 32;

/// A window covers parts of one sub-window more than it is cut into.
const MAX_COUNTERS: usize = 33;

/// A counter for each sub-window.
#[derive(Debug, Clone)]
pub(super) struct Sliding {
    window_ms: u64,
    /// Number of the sub-window that the first counter belongs to.
    first: u64,
    counters: ArrayVec<u32, MAX_COUNTERS>,
    /// The sum of all counters.
    units: u32,
}

/// The length of a sub-window.
fn granule_ms(window_ms: u64) -> u64 {
    window_ms.div_ceil(PARTS)
}

/// The number of the sub-window that a time belongs to.
fn sub_window(time_ms: u64, window_ms: u64) -> u64 {
    time_ms.checked_div(granule_ms(window_ms)).unwrap_or(0)
}

impl Sliding {
    /// The number of the sub-window after the last one that has a counter.
    fn end(&self) -> u64 {
        self.first.saturating_add(self.counters.len() as u64)
    }

    fn begins_at_ms(&self, sub_window: u64) -> u64 {
        sub_window.saturating_mul(granule_ms(self.window_ms))
    }

    /// When the units of the sub-window before `next` stop to count.
    fn forgotten_at_ms(&self, next: u64) -> u64 {
        let last_ms = self.begins_at_ms(next).saturating_sub(1);
        last_ms.saturating_add(self.window_ms)
    }

    fn read_counters<const WIDTH: usize>(
        &mut self,
        counters: usize,
        reader: &mut Reader<'_>,
    ) -> Result<(), Foreign> {
        for _ in 0..counters {
            let counter = reader.count::<WIDTH>()?;
            self.counters.try_push(counter).map_err(|_| Foreign)?;
            self.units = self.units.checked_add(counter).ok_or(Foreign)?;
        }
        Ok(())
    }

    /// The least number of bytes that fits every counter.
    fn width(&self) -> u8 {
        match self.counters.iter().max() {
            None | Some(0..=0xFF) => 1,
            Some(0x100..=0xFFFF) => 2,
            Some(_) => 4,
        }
    }

    /// Whether the counters are as [`write`](Ledger::write) leaves them.
    fn is_canonical(&self, width: u64) -> bool {
        let held = |counter: Option<&u32>| counter.is_some_and(|&units| units > 0);
        let latest = sub_window(MAX_TIME_MS, self.window_ms);
        held(self.counters.first())
            && held(self.counters.last())
            && u64::from(self.width()) == width
            && self.end().saturating_sub(1) <= latest
    }
}

impl<'a> Ledger<'a> for Sliding {
    const LETTER: u8 = b'S';

    fn empty(window_ms: u64) -> Self {
        Sliding {
            window_ms,
            first: 0,
            counters: ArrayVec::new(),
            units: 0,
        }
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, Foreign> {
        let mut ledger = Sliding::empty(reader.window_ms()?);
        ledger.first = reader.number::<6>()?;
        let counters = usize::try_from(reader.count::<1>()?).map_err(|_| Foreign)?;
        let width = reader.number::<1>()?;
        match width {
            1 => ledger.read_counters::<1>(counters, reader)?,
            2 => ledger.read_counters::<2>(counters, reader)?,
            4 => ledger.read_counters::<4>(counters, reader)?,
            _ => return Err(Foreign),
        }
        if ledger.is_canonical(width) {
            Ok(ledger)
        } else {
            Err(Foreign)
        }
    }

    fn write(&self, out: &mut StateBuffer) {
        let width = self.width();
        put::<5>(out, self.window_ms);
        put::<6>(out, self.first);
        put::<1>(out, self.counters.len() as u64);
        put::<1>(out, u64::from(width));
        for counter in self.counters.iter().copied().map(u64::from) {
            match width {
                1 => put::<1>(out, counter),
                2 => put::<2>(out, counter),
                _ => put::<4>(out, counter),
            }
        }
    }

    fn window_ms(&self) -> u64 {
        self.window_ms
    }

    fn is_empty(&self) -> bool {
        self.units == 0
    }

    fn expires_at_ms(&self) -> u64 {
        self.forgotten_at_ms(self.end())
    }

    fn newest_ms(&self) -> u64 {
        // Later than now exactly when the sub-window is a later one.
        self.begins_at_ms(self.end().saturating_sub(1))
    }

    fn settle(&mut self, now_ms: u64) {
        let window_start_ms = now_ms.saturating_add(1).saturating_sub(self.window_ms);
        let oldest_alive = sub_window(window_start_ms, self.window_ms);
        let mut dropped = 0_usize;
        let mut next = self.first;
        for &counter in &self.counters {
            if counter > 0 && next >= oldest_alive {
                break;
            }
            self.units = self.units.saturating_sub(counter);
            dropped = dropped.saturating_add(1);
            next = next.saturating_add(1);
        }
        self.first = next;
        self.counters.drain(..dropped);
    }

    fn remaining(&self, rule: &Rule, _now_ms: u64) -> u32 {
        rule.capacity().saturating_sub(self.units)
    }

    fn wait_ms(&self, rule: &Rule, units: u32, now_ms: u64) -> u64 {
        let room = rule.capacity().saturating_sub(units);
        let mut charged = self.units;
        if charged <= room {
            return 0;
        }
        let mut next = self.first;
        for &counter in &self.counters {
            charged = charged.saturating_sub(counter);
            next = next.saturating_add(1);
            if charged <= room {
                break;
            }
        }
        self.forgotten_at_ms(next).saturating_sub(now_ms)
    }

    fn longest_wait_ms(rule: &Rule) -> u64 {
        let window_ms = rule.window_ms();
        window_ms.saturating_add(granule_ms(window_ms))
    }

    fn charge(&mut self, _rule: &Rule, units: u32, now_ms: u64) {
        let current = sub_window(now_ms, self.window_ms);
        let mut in_current = units;
        while self.end() > current
            && let Some(newest) = self.counters.pop()
        {
            in_current = in_current.saturating_add(newest);
        }
        if self.counters.is_empty() {
            self.first = current;
        }
        // Everything settled is at most 32 sub-windows old, so the current one always has a place.
        while self.end() < current && self.counters.try_push(0).is_ok() {}
        if self.counters.try_push(in_current).is_ok() {
            self.units = self.units.saturating_add(units);
        }
    }

    fn refund(&mut self, _rule: &Rule, units: u32, _now_ms: u64) -> bool {
        let charged = !self.is_empty();
        let mut owed = units;
        while let Some(newest) = self.counters.last_mut() {
            let taken = owed.min(*newest);
            *newest = newest.saturating_sub(taken);
            owed = owed.saturating_sub(taken);
            self.units = self.units.saturating_sub(taken);
            if *newest > 0 {
                break;
            }
            self.counters.pop();
        }
        charged
    }
}
