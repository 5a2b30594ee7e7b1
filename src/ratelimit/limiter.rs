//! The three operations on a limiter.
//!
//! `state` is the string at the key, `None` when there is no key. `now_ms` is the server's clock in
//! Unix milliseconds; times past [`MAX_TIME_MS`] count as that. A state of another algorithm counts
//! as empty. Nothing is allocated for one or two rules but what `out` needs to grow.

use arrayvec::ArrayVec;

use super::decision::Decision;
use super::exact::Exact;
use super::fixed::Fixed;
use super::gcra::Gcra;
use super::ledger::{self, Ledger};
use super::rule::{Algorithm, MAX_RULES, Request, Rule};
use super::sliding::Sliding;
use super::state::{self, Foreign, MAX_TIME_MS, Records, StateBuffer};

/// What [`charge`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charged {
    pub decision: Decision,
    /// When the call is allowed: the instant (Unix milliseconds) from which the new state is as
    /// good as none. `None` when it is refused, and nothing is to be written.
    pub expires_at_ms: Option<u64>,
}

/// What [`refund`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refunded {
    /// What [`peek`] with a cost of 1 says right after.
    pub decision: Decision,
    pub change: Change,
}

/// What a refund asks to be done with the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// There was nothing to give back.
    Unchanged,
    /// Write `out`, which is as good as no state from `expires_at_ms` (Unix milliseconds) on.
    Write { expires_at_ms: u64 },
    /// Nothing is charged any more.
    Delete,
}

/// Calls a generic function with the ledger of an algorithm.
macro_rules! with_ledger {
    ($algorithm:expr, $function:ident ( $($argument:expr),* )) => {
        match $algorithm {
            Algorithm::Sliding => $function::<Sliding>($($argument),*),
            Algorithm::Fixed => $function::<Fixed>($($argument),*),
            Algorithm::Exact => $function::<Exact>($($argument),*),
            Algorithm::Gcra => $function::<Gcra>($($argument),*),
        }
    };
}

/// Charges the cost to all rules of the request, or to none. When the call is allowed, `out` holds
/// the new state: the rules of this request and no others.
///
/// # Errors
/// [`Foreign`] when `state` was not written by a limiter.
pub fn charge(
    state: Option<&[u8]>,
    request: &Request<'_>,
    now_ms: u64,
    out: &mut StateBuffer,
) -> Result<Charged, Foreign> {
    with_ledger!(request.algorithm, charge_as(state, request, now_ms, out))
}

/// Says what [`charge`] would decide, and how the rules stand now.
///
/// # Errors
/// [`Foreign`] when `state` was not written by a limiter.
pub fn peek(state: Option<&[u8]>, request: &Request<'_>, now_ms: u64) -> Result<Decision, Foreign> {
    with_ledger!(request.algorithm, peek_as(state, request, now_ms))
}

/// Gives back up to the cost, the newest units first, to each rule of the request. Rules of the
/// state that the request does not name stay as they are, byte for byte.
///
/// # Errors
/// [`Foreign`] when `state` was not written by a limiter.
pub fn refund(
    state: Option<&[u8]>,
    request: &Request<'_>,
    now_ms: u64,
    out: &mut StateBuffer,
) -> Result<Refunded, Foreign> {
    with_ledger!(request.algorithm, refund_as(state, request, now_ms, out))
}

fn charge_as<'a, L: Ledger<'a>>(
    state: Option<&'a [u8]>,
    request: &Request<'_>,
    now_ms: u64,
    out: &mut StateBuffer,
) -> Result<Charged, Foreign> {
    let now_ms = now_ms.min(MAX_TIME_MS);
    let mut book = Book::<L>::new(request, now_ms);
    book.load(request.rules, state)?;
    let expires_at_ms = book.admits().then(|| book.charge(out));
    Ok(Charged {
        decision: book.decision(),
        expires_at_ms,
    })
}

fn peek_as<'a, L: Ledger<'a>>(
    state: Option<&'a [u8]>,
    request: &Request<'_>,
    now_ms: u64,
) -> Result<Decision, Foreign> {
    let now_ms = now_ms.min(MAX_TIME_MS);
    let mut book = Book::<L>::new(request, now_ms);
    book.load(request.rules, state)?;
    Ok(book.decision())
}

fn refund_as<'a, L: Ledger<'a>>(
    state: Option<&'a [u8]>,
    request: &Request<'_>,
    now_ms: u64,
    out: &mut StateBuffer,
) -> Result<Refunded, Foreign> {
    let now_ms = now_ms.min(MAX_TIME_MS);
    let change = match records_of::<L>(state)? {
        None => Change::Unchanged,
        Some(records) => give_back::<L>(records, request, now_ms, out)?,
    };
    let after = match change {
        Change::Unchanged => state,
        Change::Write { .. } => Some(out.as_slice()),
        Change::Delete => None,
    };
    let probe = Request {
        cost: 1,
        ..*request
    };
    Ok(Refunded {
        decision: peek(after, &probe, now_ms)?,
        change,
    })
}

/// Copies the records to `out`, less what is given back.
fn give_back<'a, L: Ledger<'a>>(
    mut records: Records<'a>,
    request: &Request<'_>,
    now_ms: u64,
    out: &mut StateBuffer,
) -> Result<Change, Foreign> {
    let mut given_back = false;
    let mut expires_at_ms = 0;
    state::begin::<L>(out);
    while let Some(mut ledger) = records.next::<L>()? {
        let named = (request.rules.iter()).find(|rule| rule.window_ms() == ledger.window_ms());
        if let Some(rule) = named {
            ledger.settle(now_ms);
            given_back |= ledger.refund(rule, request.cost.max(1), now_ms);
            if ledger.is_empty() {
                continue;
            }
        }
        ledger.write(out);
        expires_at_ms = expires_at_ms.max(ledger.expires_at_ms());
    }
    Ok(if !given_back {
        Change::Unchanged
    } else if expires_at_ms <= now_ms {
        // What is left, if anything, are rules of other calls that have run out.
        Change::Delete
    } else {
        Change::Write { expires_at_ms }
    })
}

/// The records of a state, `None` when there are none of this algorithm.
fn records_of<'a, L: Ledger<'a>>(state: Option<&'a [u8]>) -> Result<Option<Records<'a>>, Foreign> {
    let Some(state) = state else {
        return Ok(None);
    };
    let (letter, records) = state::open(state)?;
    match letter {
        own if own == L::LETTER => return Ok(Some(Records::of(records))),
        Sliding::LETTER => state::check::<Sliding>(records)?,
        Fixed::LETTER => state::check::<Fixed>(records)?,
        Exact::LETTER => state::check::<Exact>(records)?,
        Gcra::LETTER => state::check::<Gcra>(records)?,
        _ => return Err(Foreign),
    }
    Ok(None)
}

/// A rule of the request, what is charged to it, and how long the call has to wait for it.
struct Entry<'r, L> {
    rule: &'r Rule,
    ledger: L,
    retry_after_ms: i64,
}

/// The rules of one call at one instant.
struct Book<'r, L> {
    entries: ArrayVec<Entry<'r, L>, MAX_RULES>,
    cost: u32,
    now_ms: u64,
}

impl<'a, 'r, L: Ledger<'a>> Book<'r, L> {
    /// No rules yet. Apart from [`load`](Book::load), as to hand a filled book on would copy it.
    fn new(request: &Request<'_>, now_ms: u64) -> Self {
        Book {
            entries: ArrayVec::new(),
            cost: request.cost.max(1),
            now_ms,
        }
    }

    /// Takes the rules, what the state says about them, and what follows for the call.
    fn load(&mut self, rules: &'r [Rule], state: Option<&'a [u8]>) -> Result<(), Foreign> {
        let (cost, now_ms) = (self.cost, self.now_ms);
        self.entries
            .extend(rules.iter().take(MAX_RULES).map(|rule| Entry {
                rule,
                ledger: L::empty(rule.window_ms()),
                retry_after_ms: 0,
            }));
        if let Some(mut records) = records_of::<L>(state)? {
            while let Some(ledger) = records.next::<L>()? {
                let window_ms = ledger.window_ms();
                let mut entries = self.entries.iter_mut();
                if let Some(entry) = entries.find(|entry| entry.rule.window_ms() == window_ms) {
                    entry.ledger = ledger;
                    ledger::settle(&mut entry.ledger, entry.rule, cost, now_ms);
                }
            }
        }
        for entry in &mut self.entries {
            entry.retry_after_ms = ledger::retry_after_ms(&entry.ledger, entry.rule, cost, now_ms);
        }
        Ok(())
    }

    /// Whether every rule has room for the cost.
    fn admits(&self) -> bool {
        self.entries.iter().all(|entry| entry.retry_after_ms == 0)
    }

    /// Charges every rule, writes the new state and returns when it expires.
    fn charge(&mut self, out: &mut StateBuffer) -> u64 {
        let mut expires_at_ms = 0;
        state::begin::<L>(out);
        for Entry { rule, ledger, .. } in &mut self.entries {
            ledger.charge(rule, self.cost, self.now_ms);
            ledger.write(out);
            expires_at_ms = expires_at_ms.max(ledger.expires_at_ms());
        }
        expires_at_ms
    }

    fn decision(&self) -> Decision {
        let standing = |entry: &Entry<'r, L>| {
            ledger::standing(&entry.ledger, entry.rule, entry.retry_after_ms, self.now_ms)
        };
        Decision::of(self.entries.iter().map(standing))
    }
}
