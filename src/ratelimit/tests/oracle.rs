//! The model: a plain log of what was charged, and one question, whether so many units fit at a
//! given time. It computes no wait; a wait is right if the units fit then and not a millisecond
//! before.

use std::collections::BTreeMap;

use super::granule;
use crate::ratelimit::decision::Decision;
use crate::ratelimit::limiter::Change;
use crate::ratelimit::rule::{Algorithm, Request, Rule};
use crate::ratelimit::state::MAX_TIME_MS;

/// What is charged to one rule.
#[derive(Debug, Clone, PartialEq)]
pub enum Book {
    /// (stamp, units), the stamps in order. In a fixed window every stamp is when it opened.
    Log(Vec<(u64, u64)>),
    /// Missing tokens times the window, and the limit that the last charge named.
    Bucket {
        as_of: u64,
        limit: i128,
        level: i128,
    },
}

#[derive(Debug, Clone)]
pub struct Oracle {
    pub algorithm: Algorithm,
    pub books: BTreeMap<u64, Book>,
}

/// A rule, and what a call sees charged to it.
pub type View = (Rule, Book);

impl Oracle {
    pub fn new(algorithm: Algorithm) -> Self {
        Oracle {
            algorithm,
            books: BTreeMap::new(),
        }
    }

    fn empty(&self) -> Book {
        match self.algorithm {
            Algorithm::Gcra => Book::Bucket {
                as_of: 0,
                limit: 1,
                level: 0,
            },
            _ => Book::Log(Vec::new()),
        }
    }

    /// When a unit charged at `stamp` stops to count.
    fn forgotten_at(&self, stamp: u64, window: u64) -> u64 {
        match self.algorithm {
            Algorithm::Sliding => {
                let granule = granule(window);
                (stamp / granule + 1) * granule - 1 + window
            }
            _ => stamp + window,
        }
    }

    fn expires_at(&self, book: &Book, window: u64) -> u64 {
        match *book {
            Book::Log(ref log) => (log
                .iter()
                .map(|&(stamp, _)| self.forgotten_at(stamp, window)))
            .max(),
            Book::Bucket { level: 0, .. } => None,
            Book::Bucket {
                as_of,
                limit,
                level,
            } => {
                let whole_at = i128::from(as_of) + (level + limit - 1) / limit;
                Some(whole_at.min(i128::from(MAX_TIME_MS)) as u64)
            }
        }
        .unwrap_or(0)
    }

    /// What counts at `now`.
    fn settled(&self, book: &Book, window: u64, now: u64) -> Book {
        match book {
            Book::Log(log) => {
                let alive = |&&(stamp, _): &&(u64, u64)| now < self.forgotten_at(stamp, window);
                Book::Log(log.iter().filter(alive).copied().collect())
            }
            Book::Bucket { .. } if now >= self.expires_at(book, window) => self.empty(),
            bucket => bucket.clone(),
        }
    }

    fn level(rule: &Rule, as_of: u64, level: i128, now: u64) -> i128 {
        let drained = i128::from(now.saturating_sub(as_of)) * i128::from(rule.limit());
        (level - drained).max(0)
    }

    /// Whether `units` more fit at `now`.
    pub fn fits(&self, view: &View, units: u64, now: u64) -> bool {
        let (rule, book) = view;
        let window = rule.window_ms();
        match self.settled(book, window, now) {
            Book::Log(log) => {
                let charged: u64 = log.iter().map(|&(_, units)| units).sum();
                charged + units <= u64::from(rule.capacity())
            }
            Book::Bucket { as_of, level, .. } => {
                let added = i128::from(units) * i128::from(window);
                let whole = i128::from(rule.capacity()) * i128::from(window);
                Self::level(rule, as_of, level, now) + added <= whole
            }
        }
    }

    /// The longest wait that a call within capacity can meet on a clock that goes forward.
    pub fn longest_wait(&self, rule: &Rule) -> u64 {
        let window = rule.window_ms();
        match self.algorithm {
            Algorithm::Sliding => window + granule(window),
            Algorithm::Fixed | Algorithm::Exact => window,
            Algorithm::Gcra => {
                let whole = u128::from(rule.capacity()) * u128::from(window);
                u64::try_from(whole.div_ceil(u128::from(rule.limit().max(1)))).unwrap_or(u64::MAX)
            }
        }
    }

    fn newest(book: &Book) -> u64 {
        match *book {
            Book::Log(ref log) => log.last().map_or(0, |&(stamp, _)| stamp),
            Book::Bucket { level: 0, .. } => 0,
            Book::Bucket { as_of, .. } => as_of,
        }
    }

    /// Whether anything is stamped later than `now`.
    pub fn is_ahead_of(&self, now: u64) -> bool {
        self.books.values().any(|book| Self::newest(book) > now)
    }

    /// The rules of a call as it sees them.
    pub fn views(&self, request: &Request<'_>, now: u64) -> Vec<View> {
        let view = |rule: &Rule| {
            let stored = self.books.get(&rule.window_ms());
            let book = stored.map_or(self.empty(), |b| self.settled(b, rule.window_ms(), now));
            let stepped_back = Self::newest(&book) > now;
            let view = (*rule, book);
            let cost = request.cost.min(rule.capacity());
            let latest = now.saturating_add(self.longest_wait(rule));
            if rule.capacity() > 0 && stepped_back && !self.fits(&view, u64::from(cost), latest) {
                (*rule, self.empty())
            } else {
                view
            }
        };
        request.rules.iter().map(view).collect()
    }

    /// Charges the views, which become all that there is; returns when it expires.
    pub fn charge(&mut self, views: &mut [View], cost: u32, now: u64) -> u64 {
        for (rule, book) in views.iter_mut() {
            match book {
                Book::Log(log) => {
                    log.push((now, u64::from(cost)));
                    let opened_at = log[0].0;
                    for (stamp, _) in log.iter_mut() {
                        *stamp = now.min(match self.algorithm {
                            Algorithm::Fixed => opened_at,
                            _ => *stamp,
                        });
                    }
                }
                Book::Bucket {
                    as_of,
                    limit,
                    level,
                } => {
                    let added = i128::from(cost) * i128::from(rule.window_ms());
                    *level = Self::level(rule, *as_of, *level, now) + added;
                    *as_of = now;
                    *limit = i128::from(rule.limit());
                }
            }
        }
        self.books = (views.iter())
            .map(|(rule, book)| (rule.window_ms(), book.clone()))
            .collect();
        self.expiry()
    }

    fn expiry(&self) -> u64 {
        (self.books.iter())
            .map(|(&window, book)| self.expires_at(book, window))
            .max()
            .unwrap_or(0)
    }

    /// Gives back; returns what has to happen to the key.
    pub fn refund(&mut self, request: &Request<'_>, now: u64) -> Change {
        let mut after = self.clone();
        let mut given_back = false;
        for rule in request.rules {
            let window = rule.window_ms();
            let Some(book) = self.books.get(&window) else {
                continue;
            };
            let mut book = self.settled(book, window, now);
            match &mut book {
                Book::Log(log) => {
                    let mut owed = u64::from(request.cost);
                    for (_, units) in log.iter_mut().rev() {
                        let taken = owed.min(*units);
                        *units -= taken;
                        owed -= taken;
                        given_back |= taken > 0;
                    }
                    log.retain(|&(_, units)| units > 0);
                }
                Book::Bucket { as_of, level, .. } => {
                    if Self::level(rule, *as_of, *level, now) > 0 {
                        let given = i128::from(request.cost) * i128::from(window);
                        *level = (*level - given).max(0);
                        given_back = true;
                    }
                }
            }
            let book = self.settled(&book, window, now);
            if book == self.empty() {
                after.books.remove(&window);
            } else {
                after.books.insert(window, book);
            }
        }
        if !given_back {
            return Change::Unchanged;
        }
        *self = after;
        let expires_at_ms = self.expiry();
        if expires_at_ms > now {
            Change::Write { expires_at_ms }
        } else {
            self.books.clear();
            Change::Delete
        }
    }

    /// Holds a decision against the model. `cost` is what `retry_after_ms` was asked for, `None`
    /// when the call has just been charged.
    pub fn verify(&self, views: &[View], decision: &Decision, cost: Option<u32>, now: u64) {
        let exact = |view: &View, units: u64, wait: i64, field: &str| {
            let at = now + u64::try_from(wait).unwrap();
            assert!(self.fits(view, units, at), "{field} {wait} is too short");
            let sooner = wait > 0 && self.fits(view, units, at - 1);
            assert!(!sooner, "{field} {wait} is too long");
        };
        assert_eq!(views.len(), decision.standings.len());
        for (view, standing) in views.iter().zip(&decision.standings) {
            let capacity = view.0.capacity();
            assert_eq!(standing.capacity, capacity);
            assert_eq!(standing.window_ms, view.0.window_ms());
            match cost {
                None => assert_eq!(standing.retry_after_ms, 0),
                Some(cost) if cost > capacity => assert_eq!(standing.retry_after_ms, -1),
                Some(cost) => exact(view, cost.into(), standing.retry_after_ms, "retry_after"),
            }
            let one_more = u64::from(standing.remaining) + 1;
            if standing.remaining > 0 {
                assert!(self.fits(view, one_more - 1, now), "remaining is too high");
            }
            assert!(!self.fits(view, one_more, now), "remaining is too low");
            if standing.remaining == capacity {
                assert_eq!((standing.reset_ms, standing.next_ms), (0, 0));
            } else {
                exact(view, capacity.into(), standing.reset_ms, "reset");
                exact(view, one_more, standing.next_ms, "next");
                assert!(standing.next_ms > 0 && standing.next_ms <= standing.reset_ms);
            }
        }
        verify_binding(decision);
    }
}

/// The binding rule and the call's own wait follow from the standings.
fn verify_binding(decision: &Decision) {
    let standings = &decision.standings;
    let waits: Vec<i64> = standings.iter().map(|s| s.retry_after_ms).collect();
    assert_eq!(decision.allowed, waits.iter().all(|&wait| wait == 0));
    let longest = match waits.iter().max() {
        _ if waits.contains(&-1) => -1,
        Some(&longest) => longest,
        None => 0,
    };
    assert_eq!(decision.retry_after_ms, longest);
    let expected = if decision.allowed {
        let scarcer = |a: usize, b: usize| {
            let (a, b) = (&standings[a], &standings[b]);
            u128::from(a.remaining) * u128::from(b.capacity)
                <= u128::from(b.remaining) * u128::from(a.capacity)
        };
        (0..standings.len()).find(|&a| (0..standings.len()).all(|b| scarcer(a, b)))
    } else {
        waits.iter().position(|&wait| wait == longest)
    };
    assert_eq!(Some(decision.binding), expected);
}
