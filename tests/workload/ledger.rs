//! What was noticed, and the verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::cache::TWO_LOADERS;
use super::{Mark, Tally};

/// A broken promise.
#[derive(Clone, Debug)]
pub struct Finding {
    pub kind: &'static str,
    /// When the promise was made.
    pub promised_at: Instant,
    pub text: String,
}

/// Broken promises, as workers notice them.
#[derive(Default)]
pub struct Ledger {
    findings: Mutex<Vec<Finding>>,
    growth_ms: AtomicU64,
}

impl Ledger {
    /// What is done to the servers may make lifetimes longer by that much.
    pub fn lifetimes_may_grow(&self, by: Duration) {
        self.growth_ms
            .store(by.as_millis() as u64, Ordering::Relaxed);
    }

    pub fn growth(&self) -> Duration {
        Duration::from_millis(self.growth_ms.load(Ordering::Relaxed))
    }

    pub fn broken(&self, kind: &'static str, promised_at: Instant, text: String) {
        let finding = Finding {
            kind,
            promised_at,
            text,
        };
        self.findings.lock().expect("no failure").push(finding);
    }

    pub fn kinds(&self) -> BTreeSet<&'static str> {
        let findings = self.findings.lock().expect("no failure");
        findings.iter().map(|finding| finding.kind).collect()
    }

    pub fn take(&self) -> Vec<Finding> {
        std::mem::take(&mut *self.findings.lock().expect("no failure"))
    }
}

/// What a limiter says was charged, and what its clients know.
#[derive(Clone, Debug)]
pub struct Charges {
    pub key: String,
    pub charged: u64,
    /// Acknowledged, less all that may have been given back.
    pub least: u64,
    /// Acknowledged and unanswered, less what was surely given back.
    pub most: u64,
    /// All that may have been given back.
    pub given_back: u64,
}

/// The verdict on a load.
pub struct Report {
    pub findings: Vec<Finding>,
    pub charges: Vec<Charges>,
    /// Allowed calls that were held against their limit, window by window.
    pub windows: u64,
    /// Holds of contended locks that were held against each other.
    pub contended: u64,
    /// Acknowledged holds that were looked for.
    pub holds: u64,
    /// Acknowledged sessions, changes and ends of sessions that were looked for.
    pub sessions: u64,
    /// Leases that were held against each other.
    pub loads: u64,
    /// Cached values that were held against the last invalidation.
    pub hits: u64,
    pub cached_keys: usize,
    pub answered: u64,
    pub unknown: u64,
    pub errors: BTreeMap<String, u64>,
    /// What the replies said was done, under the names that `INFO appkit` has for it.
    pub done: BTreeMap<&'static str, u64>,
}

/// What asynchronous replication lost.
#[derive(Debug, Default)]
pub struct Losses {
    pub charges: u64,
    pub others: BTreeMap<&'static str, u64>,
}

impl Losses {
    /// Fails if anything is missing or wrong that a replica which lags does not explain, with one
    /// primary at a time: its clock goes on from where the other's was, and lifetimes end when they end.
    #[track_caller]
    pub fn assert_explained(&self) {
        for kind in ["fence went back", "held too long", "change invented"] {
            assert!(!self.others.contains_key(kind), "{kind}: {self:?}");
        }
    }
}

impl Report {
    pub(super) fn new(tally: &Tally) -> Report {
        Report {
            findings: Vec::new(),
            charges: Vec::new(),
            windows: 0,
            contended: 0,
            holds: 0,
            sessions: 0,
            loads: 0,
            hits: 0,
            cached_keys: 0,
            answered: tally.calls(),
            unknown: tally.unknown(),
            errors: tally.errors(),
            done: tally.done(),
        }
    }

    /// Acknowledged charges.
    pub fn units(&self) -> u64 {
        self.charges.iter().map(|charges| charges.least).sum()
    }

    /// One line for the record.
    pub fn figures(&self, what: &str) {
        let checked = format!(
            "{} charges, {} allowed calls against their windows, {} contended holds, {} kept holds, \
             {} sessions, {} leases, {} cached values",
            self.units(),
            self.windows,
            self.contended,
            self.holds,
            self.sessions,
            self.loads,
            self.hits,
        );
        let (answered, unknown, errors) = (self.answered, self.unknown, &self.errors);
        println!(
            "figures: {what}: {answered} calls answered, {unknown} without an answer; \
             checked {checked}; errors {errors:?}"
        );
    }

    /// The server's memory was lost so many times, and with it the leases: each time one more loader
    /// for each key is as it should be.
    #[track_caller]
    pub fn leases_were_lost(&mut self, times: usize) {
        let more = self
            .findings
            .extract_if(.., |finding| finding.kind == TWO_LOADERS)
            .count();
        assert!(more <= times * self.cached_keys, "{more} loaders more");
    }

    /// Fails unless every promise was kept, something of each kind was promised, and clients met no
    /// errors but `expected`.
    #[track_caller]
    pub fn assert_nothing_lost(&self, expected: &[&str]) {
        self.assert_errors(expected);
        assert!(self.findings.is_empty(), "{:#?}", self.findings);
        self.assert_counts(|charges| charges.least, |charges| charges.most);
    }

    /// Fails unless charges lie within `least` and `most`, and each family did something.
    #[track_caller]
    fn assert_counts(&self, least: impl Fn(&Charges) -> u64, most: impl Fn(&Charges) -> u64) {
        for charges in &self.charges {
            let range = least(charges)..=most(charges);
            assert!(range.contains(&charges.charged), "{charges:?}: {range:?}");
        }
        let done = [
            self.units(),
            self.windows,
            self.contended,
            self.holds,
            self.sessions,
        ];
        assert!(
            done.iter().all(|count| *count > 0),
            "nothing done: {done:?}"
        );
    }

    #[track_caller]
    fn assert_errors(&self, expected: &[&str]) {
        let mut codes = self.errors.keys();
        let unexpected = codes.find(|code| !expected.contains(&code.as_str()));
        assert_eq!(unexpected, None, "{:?}", self.errors);
    }

    /// For a primary that died: fails if anything is missing that was acknowledged before `mark`
    /// (and known to a replica by then), and counts what is missing of the rest.
    #[track_caller]
    pub fn lost_after(&self, mark: &Mark, expected: &[&str]) -> Losses {
        self.assert_errors(expected);
        let settled = |finding: &&Finding| finding.promised_at <= mark.at;
        let broken: Vec<&Finding> = self.findings.iter().filter(settled).collect();
        assert!(broken.is_empty(), "{broken:#?}");
        let mut losses = Losses::default();
        for (charges, acknowledged) in self.charges.iter().zip(&mark.charges) {
            let least = acknowledged.saturating_sub(charges.given_back);
            assert!(
                charges.charged >= least,
                "{charges:?}, {acknowledged} before"
            );
            losses.charges += charges.least.saturating_sub(charges.charged);
        }
        for finding in &self.findings {
            *losses.others.entry(finding.kind).or_default() += 1;
        }
        losses
    }
}
