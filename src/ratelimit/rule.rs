//! What a call asks for: an algorithm, one to eight rules and a cost.

use std::num::NonZeroU32;

use smallvec::SmallVec;

/// The most rules that one call, and one state, may hold.
pub const MAX_RULES: usize = 8;

/// One for each rule of a call. Up to two lie on the stack: room there for all of them would be copied
/// with every move, which took longer than the decision.
pub type PerRule<T> = SmallVec<[T; 2]>;

/// The longest window, in milliseconds: ten years.
pub const MAX_WINDOW_MS: u64 = 315_360_000_000;

/// The highest limit of a rule under [`Algorithm::Exact`], whose state grows with it.
pub const MAX_EXACT_LIMIT: u32 = 1024;

/// How charged units are counted and forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Sliding window counters: never above the limit in any interval of a window's length.
    Sliding,
    /// Fixed window, opened by its first unit.
    Fixed,
    /// Sliding log: like `Sliding`, with nothing forgotten late.
    Exact,
    /// Token bucket that refills evenly.
    Gcra,
}

/// `limit` units per window, and how many of them may be charged at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    limit: u32,
    burst: Option<NonZeroU32>,
    window_ms: u64,
}

impl Rule {
    /// A rule of `limit` units (0 refuses always) per `window_ms` (clamped to 1 ..=
    /// [`MAX_WINDOW_MS`]). `burst` is the capacity of a GCRA bucket, `limit` if left out (or 0); the
    /// other algorithms have no burst.
    pub fn new(limit: u32, window_ms: u64, burst: Option<u32>) -> Self {
        Rule {
            limit,
            burst: burst.and_then(NonZeroU32::new),
            window_ms: window_ms.clamp(1, MAX_WINDOW_MS),
        }
    }

    /// Units per window.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Length of the window in milliseconds.
    pub fn window_ms(&self) -> u64 {
        self.window_ms
    }

    /// The most units that can be charged while nothing else is: the burst or the limit, 0 when
    /// the limit is 0.
    pub fn capacity(&self) -> u32 {
        match self.burst {
            Some(burst) if self.limit > 0 => burst.get(),
            _ => self.limit,
        }
    }

    /// Whether the capacity was given apart from the limit.
    pub fn has_burst(&self) -> bool {
        self.burst.is_some()
    }
}

/// One call. The parser has checked what the types do not say: there are 1 to [`MAX_RULES`] rules,
/// their windows differ, `cost` is at least 1 (0 counts as 1), and under [`Algorithm::Exact`] no
/// limit is above [`MAX_EXACT_LIMIT`].
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub algorithm: Algorithm,
    pub rules: &'a [Rule],
    /// Units to charge, to look for or to give back.
    pub cost: u32,
}
