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

use super::ledger::Ledger;
use super::rule::Rule;
use super::state::{Foreign, MAX_TIME_MS, Reader, Record, StateBuffer, number};

/// Sub-windows that a window is cut into.
const PARTS: u64 = 32;

/// A window covers parts of one sub-window more than it is cut into.
const MAX_COUNTERS: usize = 33;

const HEAD_LEN: usize = 13;
const COUNTERS_LEN: usize = 4 * MAX_COUNTERS;

/// A counter for each sub-window: those of the state it was read from, then at most one that is
/// new, so that neither a charge nor a refund copies them.
#[derive(Debug, Clone)]
pub(super) struct Sliding<'a> {
    window_ms: u64,
    stored: Counters<'a>,
    /// Later than all that is stored.
    newest: Option<Counter>,
    /// The sum of all counters.
    units: u32,
}

/// The units charged in one sub-window.
#[derive(Debug, Clone, Copy)]
struct Counter {
    sub_window: u64,
    units: u32,
}

/// Counters of consecutive sub-windows, as they stand in a state.
#[derive(Debug, Clone, Copy)]
struct Counters<'a> {
    /// Number of the sub-window that the first counter belongs to.
    first: u64,
    /// Number of the sub-window after the last one that has a counter.
    end: u64,
    /// Bytes that each counter takes: 1, 2 or 4.
    width: usize,
    bytes: &'a [u8],
}

impl<'a> Counters<'a> {
    const NONE: Counters<'a> = Counters {
        first: 0,
        end: 0,
        width: 1,
        bytes: &[],
    };

    /// The oldest counter, and those after it.
    fn split_oldest(self) -> Option<(Counter, Counters<'a>)> {
        let (oldest, bytes) = self.bytes.split_at_checked(self.width)?;
        let counter = Counter {
            sub_window: self.first,
            units: units_of(oldest),
        };
        let first = self.first.saturating_add(1);
        Some((
            counter,
            Counters {
                first,
                bytes,
                ..self
            },
        ))
    }

    /// The newest counter, and those before it.
    fn split_newest(self) -> Option<(Counter, Counters<'a>)> {
        let newest_at = self.bytes.len().checked_sub(self.width)?;
        let (bytes, newest) = self.bytes.split_at_checked(newest_at)?;
        let end = self.end.saturating_sub(1);
        let counter = Counter {
            sub_window: end,
            units: units_of(newest),
        };
        Some((counter, Counters { end, bytes, ..self }))
    }

    /// The sum of all counters, and every bit that is set in one of them.
    fn tally(&self) -> (u64, u64) {
        match self.width {
            1 => tally::<1>(self.bytes),
            2 => tally::<2>(self.bytes),
            _ => tally::<4>(self.bytes),
        }
    }
}

fn tally<const WIDTH: usize>(bytes: &[u8]) -> (u64, u64) {
    let (counters, _) = bytes.as_chunks::<WIDTH>();
    counters
        .iter()
        .map(number)
        .fold((0, 0), |(sum, bits), counter| {
            (counter.saturating_add(sum), counter | bits)
        })
}

/// The value of a counter in 1, 2 or 4 bytes.
fn units_of(counter: &[u8]) -> u32 {
    match *counter {
        [a] => u32::from(a),
        [a, b] => u32::from(u16::from_le_bytes([a, b])),
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
        _ => 0,
    }
}

/// The least number of bytes that fits a counter with these bits.
fn width_of(bits: u64) -> usize {
    match bits {
        0..=0xFF => 1,
        0x100..=0xFFFF => 2,
        _ => 4,
    }
}

/// The length of a sub-window.
fn granule_ms(window_ms: u64) -> u64 {
    window_ms.div_ceil(PARTS)
}

/// The number of the sub-window that a time belongs to.
fn sub_window(time_ms: u64, window_ms: u64) -> u64 {
    time_ms.checked_div(granule_ms(window_ms)).unwrap_or(0)
}

impl Sliding<'_> {
    /// Number of the first sub-window that has a counter.
    fn first(&self) -> u64 {
        match self.newest {
            Some(newest) if self.stored.bytes.is_empty() => newest.sub_window,
            _ => self.stored.first,
        }
    }

    /// Number of the sub-window after the last one that has a counter.
    fn end(&self) -> u64 {
        match self.newest {
            Some(newest) => newest.sub_window.saturating_add(1),
            None => self.stored.end,
        }
    }

    fn begins_at_ms(&self, sub_window: u64) -> u64 {
        sub_window.saturating_mul(granule_ms(self.window_ms))
    }

    /// When the units of the sub-window before `next` stop to count.
    fn forgotten_at_ms(&self, next: u64) -> u64 {
        let last_ms = self.begins_at_ms(next).saturating_sub(1);
        last_ms.saturating_add(self.window_ms)
    }

    /// Takes the newest counter off.
    fn pop(&mut self) -> Option<Counter> {
        self.newest.take().or_else(|| {
            let (newest, older) = self.stored.split_newest()?;
            self.stored = older;
            Some(newest)
        })
    }

    /// Whether the counters that were read are as [`write`](Ledger::write) leaves them.
    #[inline(always)]
    fn is_canonical(&self, bits: u64) -> bool {
        let held =
            |split: Option<(Counter, _)>| split.is_some_and(|(counter, _)| counter.units > 0);
        held(self.stored.split_oldest())
            && held(self.stored.split_newest())
            && width_of(bits) == self.stored.width
            && self.newest_ms() <= MAX_TIME_MS
    }

    /// The least number of bytes that fits every counter.
    fn width(&self) -> usize {
        let newest = self.newest.map_or(0, |counter| u64::from(counter.units));
        let stored = match self.stored.width {
            // Nothing is narrower.
            1 => 0,
            _ => self.stored.tally().1,
        };
        width_of(stored | newest)
    }
}

/// Appends one counter to a record.
fn put_counter<const ROOM: usize>(record: &mut Record<ROOM>, width: usize, units: u32) {
    match width {
        1 => record.number::<1>(units.into()),
        2 => record.number::<2>(units.into()),
        _ => record.number::<4>(units.into()),
    }
}

impl<'a> Ledger<'a> for Sliding<'a> {
    const LETTER: u8 = b'S';

    fn empty(window_ms: u64) -> Self {
        Sliding {
            window_ms,
            stored: Counters::NONE,
            newest: None,
            units: 0,
        }
    }

    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Result<Self, Foreign> {
        let window_ms = reader.window_ms()?;
        let first = reader.number::<6>()?;
        let count = usize::from(reader.byte()?);
        let width = usize::from(reader.byte()?);
        if count > MAX_COUNTERS || !matches!(width, 1 | 2 | 4) {
            return Err(Foreign);
        }
        let stored = Counters {
            first,
            end: first.saturating_add(count as u64),
            width,
            bytes: reader.bytes(count.saturating_mul(width))?,
        };
        let (units, bits) = stored.tally();
        let ledger = Sliding {
            window_ms,
            stored,
            newest: None,
            units: u32::try_from(units).map_err(|_| Foreign)?,
        };
        if ledger.is_canonical(bits) {
            Ok(ledger)
        } else {
            Err(Foreign)
        }
    }

    fn write(&self, out: &mut StateBuffer) {
        let (first, width) = (self.first(), self.width());
        let mut record = Record::<{ HEAD_LEN + COUNTERS_LEN }>::new();
        record.number::<5>(self.window_ms);
        record.number::<6>(first);
        record.number::<1>(self.end().saturating_sub(first));
        record.number::<1>(width as u64);
        if width == self.stored.width {
            record.bytes(self.stored.bytes);
        } else {
            let mut rest = self.stored;
            while let Some((oldest, newer)) = rest.split_oldest() {
                put_counter(&mut record, width, oldest.units);
                rest = newer;
            }
        }
        if let Some(newest) = self.newest {
            // Everything settled is at most 32 sub-windows old, so there is room for the gap.
            for _ in self.stored.end.max(first)..newest.sub_window {
                put_counter(&mut record, width, 0);
            }
            put_counter(&mut record, width, newest.units);
        }
        record.append_to(out);
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
        // Comes before any charge or refund: there is no new counter yet.
        let window_start_ms = now_ms.saturating_add(1).saturating_sub(self.window_ms);
        let oldest_alive = sub_window(window_start_ms, self.window_ms);
        while let Some((oldest, newer)) = self.stored.split_oldest() {
            if oldest.units > 0 && oldest.sub_window >= oldest_alive {
                break;
            }
            self.units = self.units.saturating_sub(oldest.units);
            self.stored = newer;
        }
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
        let mut rest = self.stored;
        // Without room everything has to be forgotten, and the newest counter holds units.
        while room > 0
            && let Some((oldest, newer)) = rest.split_oldest()
        {
            charged = charged.saturating_sub(oldest.units);
            if charged <= room {
                return self.forgotten_at_ms(newer.first).saturating_sub(now_ms);
            }
            rest = newer;
        }
        self.expires_at_ms().saturating_sub(now_ms)
    }

    fn longest_wait_ms(rule: &Rule) -> u64 {
        let window_ms = rule.window_ms();
        window_ms.saturating_add(granule_ms(window_ms))
    }

    fn charge(&mut self, _rule: &Rule, units: u32, now_ms: u64) {
        let current = sub_window(now_ms, self.window_ms);
        let mut in_current = units;
        while self.end() > current
            && let Some(newest) = self.pop()
        {
            in_current = in_current.saturating_add(newest.units);
        }
        self.newest = Some(Counter {
            sub_window: current,
            units: in_current,
        });
        self.units = self.units.saturating_add(units);
    }

    fn refund(&mut self, _rule: &Rule, units: u32, _now_ms: u64) -> bool {
        let charged = !self.is_empty();
        let mut owed = units;
        while let Some(newest) = self.pop() {
            let taken = owed.min(newest.units);
            let left = newest.units.saturating_sub(taken);
            owed = owed.saturating_sub(taken);
            self.units = self.units.saturating_sub(taken);
            if left > 0 {
                self.newest = Some(Counter {
                    units: left,
                    ..newest
                });
                break;
            }
        }
        charged
    }
}
