//! Sliding log: every charge is remembered with its millisecond and forgotten one window later.
//!
//! A unit charged at `t` counts while `now < t + window`, so there are never more than `limit`
//! units in any interval as long as the window, and nothing is forgotten late. The price is a state
//! that grows with the number of distinct milliseconds in which units were charged, which is why
//! the limit is bounded by [`MAX_EXACT_LIMIT`].
//!
//! ```text
//! record: window 5, entries 2, entries × (stamp 6, units 2)      7 + 8 × entries bytes
//! ```
//!
//! Stamps ascend and differ.

use super::ledger::Ledger;
use super::rule::{MAX_EXACT_LIMIT, Rule};
use super::state::{Foreign, MAX_TIME_MS, Reader, Record, StateBuffer};

/// A log of charges: entries of the state it was read from, then at most one that is new, so that
/// neither a charge nor a refund copies the log.
#[derive(Debug, Clone)]
pub(super) struct Exact<'a> {
    window_ms: u64,
    stored: &'a [[u8; 8]],
    /// Newer than all that is stored.
    tail: Option<Entry>,
    /// The sum of all entries.
    units: u32,
}

/// The units charged in one millisecond.
#[derive(Debug, Clone, Copy)]
struct Entry {
    stamp_ms: u64,
    units: u32,
}

impl Entry {
    fn decode(bytes: &[u8; 8]) -> Self {
        let [.., low, high] = *bytes;
        Entry {
            stamp_ms: u64::from_le_bytes(*bytes) & MAX_TIME_MS,
            units: u32::from(u16::from_le_bytes([low, high])),
        }
    }
}

impl Exact<'_> {
    /// All entries, the oldest first.
    fn entries(&self) -> impl Iterator<Item = Entry> {
        self.stored.iter().map(Entry::decode).chain(self.tail)
    }

    fn newest(&self) -> Option<Entry> {
        self.tail.or_else(|| self.stored.last().map(Entry::decode))
    }

    fn drop_newest(&mut self) {
        if self.tail.take().is_none()
            && let [older @ .., _] = self.stored
        {
            self.stored = older;
        }
    }

    fn forgotten_at_ms(&self, entry: Entry) -> u64 {
        entry.stamp_ms.saturating_add(self.window_ms)
    }
}

impl<'a> Ledger<'a> for Exact<'a> {
    const LETTER: u8 = b'E';

    fn empty(window_ms: u64) -> Self {
        Exact {
            window_ms,
            stored: &[],
            tail: None,
            units: 0,
        }
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, Foreign> {
        let window_ms = reader.window_ms()?;
        let entries = usize::try_from(reader.count::<2>()?).map_err(|_| Foreign)?;
        let (stored, _) = reader.bytes(entries.saturating_mul(8))?.as_chunks();
        let mut units: u32 = 0;
        let mut earliest_ms = 0;
        for entry in stored.iter().map(Entry::decode) {
            units = units.saturating_add(entry.units);
            if entry.units == 0 || entry.stamp_ms < earliest_ms || units > MAX_EXACT_LIMIT {
                return Err(Foreign);
            }
            earliest_ms = entry.stamp_ms.saturating_add(1);
        }
        if units == 0 {
            return Err(Foreign);
        }
        Ok(Exact {
            window_ms,
            stored,
            tail: None,
            units,
        })
    }

    fn write(&self, out: &mut StateBuffer) {
        let entries = self.stored.len() as u64;
        let mut head = Record::<7>::new();
        head.number::<5>(self.window_ms);
        head.number::<2>(entries.saturating_add(u64::from(self.tail.is_some())));
        head.append_to(out);
        out.extend_from_slice(self.stored.as_flattened());
        if let Some(entry) = self.tail {
            let mut tail = Record::<8>::new();
            tail.number::<6>(entry.stamp_ms);
            tail.number::<2>(entry.units.into());
            tail.append_to(out);
        }
    }

    fn window_ms(&self) -> u64 {
        self.window_ms
    }

    fn is_empty(&self) -> bool {
        self.units == 0
    }

    fn expires_at_ms(&self) -> u64 {
        self.newest().map_or(0, |entry| self.forgotten_at_ms(entry))
    }

    fn newest_ms(&self) -> u64 {
        self.newest().map_or(0, |entry| entry.stamp_ms)
    }

    fn settle(&mut self, now_ms: u64) {
        // Comes before any charge or refund: there is no tail yet.
        while let [oldest, newer @ ..] = self.stored {
            let oldest = Entry::decode(oldest);
            if now_ms < self.forgotten_at_ms(oldest) {
                return;
            }
            self.units = self.units.saturating_sub(oldest.units);
            self.stored = newer;
        }
    }

    fn remaining(&self, rule: &Rule, _now_ms: u64) -> u32 {
        rule.capacity().saturating_sub(self.units)
    }

    fn wait_ms(&self, rule: &Rule, units: u32, now_ms: u64) -> u64 {
        // A limit above the maximum would make a state that cannot be read back.
        let Some(room) = rule.capacity().min(MAX_EXACT_LIMIT).checked_sub(units) else {
            return u64::MAX;
        };
        let mut charged = self.units;
        let mut entries = self.entries();
        let mut fits_at_ms = now_ms;
        while charged > room
            && let Some(oldest) = entries.next()
        {
            charged = charged.saturating_sub(oldest.units);
            fits_at_ms = self.forgotten_at_ms(oldest);
        }
        fits_at_ms.saturating_sub(now_ms)
    }

    fn longest_wait_ms(rule: &Rule) -> u64 {
        rule.window_ms()
    }

    fn charge(&mut self, _rule: &Rule, units: u32, now_ms: u64) {
        let mut in_this_ms = units;
        while let Some(newest) = self.newest()
            && newest.stamp_ms >= now_ms
        {
            in_this_ms = in_this_ms.saturating_add(newest.units);
            self.drop_newest();
        }
        self.tail = Some(Entry {
            stamp_ms: now_ms,
            units: in_this_ms,
        });
        self.units = self.units.saturating_add(units);
    }

    fn refund(&mut self, _rule: &Rule, units: u32, _now_ms: u64) -> bool {
        let charged = !self.is_empty();
        let mut owed = units;
        while owed > 0
            && let Some(newest) = self.newest()
        {
            let taken = newest.units.min(owed);
            owed = owed.saturating_sub(taken);
            self.units = self.units.saturating_sub(taken);
            self.drop_newest();
            if taken < newest.units {
                self.tail = Some(Entry {
                    units: newest.units.saturating_sub(taken),
                    ..newest
                });
            }
        }
        charged
    }
}
