//! Limiters: charges that are counted to the unit, and limits that hold in every window.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::ledger::{Charges, Ledger};
use super::{Caller, Dice, Outcome};

/// Answered and unanswered units.
#[derive(Default)]
struct Count {
    acknowledged: AtomicU64,
    unknown: AtomicU64,
}

impl Count {
    fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// All that may have happened.
    fn most(&self) -> u64 {
        self.acknowledged() + self.unknown.load(Ordering::Relaxed)
    }

    fn add(&self, units: u64) {
        self.acknowledged.fetch_add(units, Ordering::Relaxed);
    }

    fn doubt(&self, units: u64) {
        self.unknown.fetch_add(units, Ordering::Relaxed);
    }
}

/// A limiter whose units stay charged during the test.
struct Counted {
    key: String,
    rule: &'static str,
    capacity: u64,
    charges: Count,
    refunds: Count,
}

/// Windows and refills far longer than any test. The exact log is small, so it fills up, refuses, and
/// is refunded.
const COUNTED: [(&str, &str, u64); 4] = [
    (
        "sliding",
        "4000000000 EX 31536000 ALGO SLIDING",
        4_000_000_000,
    ),
    ("fixed", "4000000000 EX 31536000 ALGO FIXED", 4_000_000_000),
    ("exact", "700 EX 31536000 ALGO EXACT", 700),
    (
        "gcra",
        "1000 EX 315360000 BURST 4000000000 ALGO GCRA",
        4_000_000_000,
    ),
];

/// A limiter with a short window, and the latest calls that it allowed.
struct Windowed {
    key: String,
    rule: &'static str,
    window: Duration,
    /// The most that any window may let through.
    most: usize,
    allowed: Mutex<VecDeque<(Instant, Instant)>>,
    checked: AtomicU64,
}

/// Rule, window in milliseconds, the most that may pass in any window of that length.
const WINDOWED: [(&str, u64, usize); 4] = [
    ("20 PX 250 ALGO SLIDING", 250, 20),
    ("20 PX 250 ALGO EXACT", 250, 20),
    ("20 PX 250 ALGO FIXED", 250, 40),
    ("20 PX 250 ALGO GCRA", 250, 40),
];

pub struct Limiters {
    counted: Vec<Counted>,
    windowed: Vec<Windowed>,
}

impl Limiters {
    pub fn new(tags: &[&str]) -> Limiters {
        let counted = tags.iter().flat_map(|tag| {
            COUNTED.iter().map(move |(name, rule, capacity)| Counted {
                key: format!("{tag}limit:{name}"),
                rule,
                capacity: *capacity,
                charges: Count::default(),
                refunds: Count::default(),
            })
        });
        let windowed = tags.iter().flat_map(|tag| {
            let numbered = WINDOWED.iter().enumerate();
            numbered.map(move |(number, (rule, window_ms, most))| Windowed {
                key: format!("{tag}window:{number}"),
                rule,
                window: Duration::from_millis(*window_ms),
                most: *most,
                allowed: Mutex::default(),
                checked: AtomicU64::new(0),
            })
        });
        Limiters {
            counted: counted.collect(),
            windowed: windowed.collect(),
        }
    }

    pub fn step(&self, caller: &mut Caller, dice: &mut Dice, ledger: &Ledger) {
        if dice.one_in(3) {
            dice.pick(&self.windowed).charge(caller, ledger);
        } else {
            dice.pick(&self.counted).charge(caller, dice.below(3) + 1);
        }
    }

    /// Acknowledged units, limiter by limiter.
    pub fn acknowledged(&self) -> Vec<u64> {
        let counted = self.counted.iter();
        counted
            .map(|limiter| limiter.charges.acknowledged())
            .collect()
    }

    pub fn windows_checked(&self) -> u64 {
        let windowed = self.windowed.iter();
        windowed
            .map(|limiter| limiter.checked.load(Ordering::Relaxed))
            .sum()
    }

    pub fn audit(&self, caller: &mut Caller) -> Vec<Charges> {
        self.counted
            .iter()
            .map(|limiter| limiter.audit(caller))
            .collect()
    }
}

impl Counted {
    fn charge(&self, caller: &mut Caller, cost: u64) {
        let call = format!("APP.RATELIMIT {} {} COST {cost}", self.key, self.rule);
        match caller.run(&call) {
            Outcome::Unknown => self.charges.doubt(cost),
            outcome => match outcome.reply::<Vec<i64>>() {
                Some(decision) if decision[0] == 1 => {
                    self.charges.add(cost);
                    caller.did("ratelimit_allowed");
                }
                Some(_) => {
                    caller.did("ratelimit_refused");
                    self.refund(caller);
                }
                None => {}
            },
        }
    }

    /// Gives one unit back. The limiter is full, and more is charged than there are workers to give
    /// back at the same time, so the unit is there.
    fn refund(&self, caller: &mut Caller) {
        let call = format!("APP.RATELIMIT.REFUND {} {}", self.key, self.rule);
        match caller.run(&call) {
            Outcome::Unknown => self.refunds.doubt(1),
            outcome => {
                if let Some(decision) = outcome.reply::<Vec<i64>>() {
                    assert!(decision[2] > 0, "{call}: {decision:?}");
                    self.refunds.add(1);
                    caller.did("ratelimit_refunded");
                }
            }
        }
    }

    fn audit(&self, caller: &mut Caller) -> Charges {
        let peek = format!("APP.RATELIMIT.PEEK {} {}", self.key, self.rule);
        let decision: Vec<i64> = caller.ask(&peek);
        let remaining = u64::try_from(decision[2]).expect("no negative number");
        Charges {
            key: self.key.clone(),
            charged: self.capacity - remaining,
            least: self
                .charges
                .acknowledged()
                .saturating_sub(self.refunds.most()),
            most: self
                .charges
                .most()
                .saturating_sub(self.refunds.acknowledged()),
            given_back: self.refunds.most(),
        }
    }
}

/// The server counts in whole milliseconds: two calls at the ends of a window may lie that much
/// closer together.
const GRAIN: Duration = Duration::from_millis(2);

impl Windowed {
    fn charge(&self, caller: &mut Caller, ledger: &Ledger) {
        let sent = Instant::now();
        let call = format!("APP.RATELIMIT {} {}", self.key, self.rule);
        match caller.run(&call).reply::<Vec<i64>>() {
            Some(decision) if decision[0] == 1 => {
                self.allowed_between(sent, Instant::now(), ledger);
                caller.did("ratelimit_allowed");
            }
            Some(_) => caller.did("ratelimit_refused"),
            None => {}
        }
    }

    /// Counts the calls that surely happened in the window that ends now.
    fn allowed_between(&self, sent: Instant, answered: Instant, ledger: &Ledger) {
        let mut allowed = self.allowed.lock().expect("no failure");
        allowed.push_back((sent, answered));
        let Some(start) = answered.checked_sub(self.window - GRAIN) else {
            return;
        };
        allowed.retain(|(sent, _)| *sent + Duration::from_secs(1) > start);
        let inside = |(sent, done): &&(Instant, Instant)| *sent >= start && *done <= answered;
        let count = allowed.iter().filter(inside).count();
        self.checked.fetch_add(1, Ordering::Relaxed);
        if count > self.most {
            let text = format!("{count} calls in one window of {} {}", self.key, self.rule);
            ledger.broken("limit exceeded", start, text);
        }
    }
}
