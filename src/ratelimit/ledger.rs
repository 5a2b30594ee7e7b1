//! What an algorithm has to provide, and what follows from it.
//!
//! A ledger is what is charged to one rule. All that a caller is told comes from two questions:
//! how many units are left, and how long until so many fit. The second one answers three fields:
//! until `cost` fits is `retry_after_ms`, until one more than `remaining` fits is `next_ms`, and
//! until the whole capacity fits is `reset_ms`.

use super::decision::{NEVER, Standing};
use super::rule::Rule;
use super::state::{Foreign, Reader, StateBuffer};

/// The units charged to one rule. After [`settle`](Ledger::settle), `now_ms` must be the same in
/// the calls that follow.
pub(super) trait Ledger<'a>: Sized {
    /// The letter in the state.
    const LETTER: u8;

    /// Nothing charged.
    fn empty(window_ms: u64) -> Self;

    /// Takes one record off the reader.
    fn read(reader: &mut Reader<'a>) -> Result<Self, Foreign>;

    /// Appends the record. Only for a ledger that holds units.
    fn write(&self, out: &mut StateBuffer);

    /// The window that the units are counted in: records are matched to rules by it.
    fn window_ms(&self) -> u64;

    /// Whether no unit is charged.
    fn is_empty(&self) -> bool;

    /// The instant from which the ledger is as good as an empty one.
    fn expires_at_ms(&self) -> u64;

    /// The latest stamp of a unit, 0 when there is none.
    fn newest_ms(&self) -> u64;

    /// Drops what no longer counts at `now_ms`.
    fn settle(&mut self, now_ms: u64);

    /// Whole units that can be charged now, at most the rule's capacity.
    fn remaining(&self, rule: &Rule, now_ms: u64) -> u32;

    /// Milliseconds until `units` (1 to the rule's capacity) can be charged, if nothing else is.
    fn wait_ms(&self, rule: &Rule, units: u32, now_ms: u64) -> u64;

    /// The longest that a call within capacity ever waits while the clock goes forward.
    fn longest_wait_ms(rule: &Rule) -> u64;

    /// Adds `units`, which fit. Units with later stamps are charged as of now: in truth they were
    /// charged before, by a clock that has stepped back since.
    fn charge(&mut self, rule: &Rule, units: u32, now_ms: u64);

    /// Takes back up to `units` of the newest units and says whether there were any.
    fn refund(&mut self, rule: &Rule, units: u32, now_ms: u64) -> bool;
}

/// Settles `ledger`, and empties it if the clock has stepped back so far that a call of `cost`
/// would be refused for longer than ever happens on a clock that goes forward. Smaller steps, like
/// the few milliseconds between two servers at a failover, leave the ledger as it is, so that they
/// do not open a limiter that is in use.
pub(super) fn settle<'a, L: Ledger<'a>>(ledger: &mut L, rule: &Rule, cost: u32, now_ms: u64) {
    ledger.settle(now_ms);
    if ledger.newest_ms() <= now_ms || rule.capacity() == 0 {
        return;
    }
    // A cost above capacity waits for ever whatever is charged, and says nothing about the clock.
    let wait_ms = ledger.wait_ms(rule, cost.min(rule.capacity()), now_ms);
    if wait_ms > L::longest_wait_ms(rule) {
        *ledger = L::empty(rule.window_ms());
    }
}

/// `retry_after_ms` of a call of `cost`, as far as this rule is concerned.
pub(super) fn retry_after_ms<'a, L: Ledger<'a>>(
    ledger: &L,
    rule: &Rule,
    cost: u32,
    now_ms: u64,
) -> i64 {
    if cost > rule.capacity() {
        NEVER
    } else {
        span(ledger.wait_ms(rule, cost, now_ms))
    }
}

/// How the rule stands, with the given `retry_after_ms`.
pub(super) fn standing<'a, L: Ledger<'a>>(
    ledger: &L,
    rule: &Rule,
    retry_after_ms: i64,
    now_ms: u64,
) -> Standing {
    let capacity = rule.capacity();
    let remaining = ledger.remaining(rule, now_ms);
    let (reset_ms, next_ms) = if remaining < capacity {
        (
            ledger.wait_ms(rule, capacity, now_ms),
            ledger.wait_ms(rule, remaining.saturating_add(1), now_ms),
        )
    } else {
        (0, 0)
    };
    Standing {
        capacity,
        window_ms: rule.window_ms(),
        remaining,
        retry_after_ms,
        reset_ms: span(reset_ms),
        next_ms: span(next_ms),
    }
}

/// A span for the reply.
fn span(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
