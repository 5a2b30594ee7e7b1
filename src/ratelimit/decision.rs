//! What a call is answered: how each rule stands, and which one binds.

use super::rule::PerRule;

/// `retry_after_ms` of a call that no amount of waiting lets through.
pub const NEVER: i64 = -1;

/// How one rule stands. Spans are in milliseconds and saturate at `i64::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The most units the rule ever has to give.
    pub capacity: u32,
    pub window_ms: u64,
    /// Whole units left: after the charge when one was made, else now.
    pub remaining: u32,
    /// 0 when this rule lets the call through, [`NEVER`], or the exact wait.
    pub retry_after_ms: i64,
    /// Until nothing counts against the rule any more, if nothing else is charged.
    pub reset_ms: i64,
    /// Until `remaining` grows; 0 when the rule is whole.
    pub next_ms: i64,
}

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether every rule lets the call through.
    pub allowed: bool,
    /// Index of the rule that matters most. Refused: the longest wait; allowed: the smallest
    /// share left; the first on a tie.
    pub binding: usize,
    /// One for each rule of the request, in its order.
    pub standings: PerRule<Standing>,
    /// The longest wait among the rules ([`NEVER`] is the longest of all), 0 when allowed.
    pub retry_after_ms: i64,
}

impl Decision {
    /// What follows from how each rule stands.
    pub(super) fn of(standings: impl Iterator<Item = Standing>) -> Self {
        let mut decision = Decision {
            allowed: true,
            binding: 0,
            standings: PerRule::new(),
            retry_after_ms: 0,
        };
        decision.standings.extend(standings);
        decision.allowed = decision.standings.iter().all(|s| s.retry_after_ms == 0);
        let outranks = if decision.allowed {
            scarcer
        } else {
            waits_longer
        };
        let mut best: Option<&Standing> = None;
        for (index, standing) in decision.standings.iter().enumerate() {
            if best.is_none_or(|best| outranks(standing, best)) {
                decision.binding = index;
                best = Some(standing);
            }
        }
        if let (false, Some(standing)) = (decision.allowed, best) {
            decision.retry_after_ms = standing.retry_after_ms;
        }
        decision
    }

    /// How the binding rule stands; `None` only for a request without rules.
    pub fn binding_standing(&self) -> Option<&Standing> {
        self.standings.get(self.binding)
    }
}

/// Whether `a` has a smaller share of its capacity left than `b`, compared as a fraction.
fn scarcer(a: &Standing, b: &Standing) -> bool {
    let share = |of: &Standing, against: &Standing| {
        u64::from(of.remaining).saturating_mul(u64::from(against.capacity))
    };
    share(a, b) < share(b, a)
}

fn waits_longer(a: &Standing, b: &Standing) -> bool {
    // As an unsigned number, `NEVER` is above every wait.
    a.retry_after_ms.cast_unsigned() > b.retry_after_ms.cast_unsigned()
}
