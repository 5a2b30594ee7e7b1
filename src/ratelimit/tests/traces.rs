//! Random traces of calls, each answer held against the model: bursts and pauses, costs, changed
//! limits, windows that come and go, refunds, a clock that steps back.

use proptest::prelude::*;

use super::oracle::{Oracle, View};
use super::{ALGORITHMS, Key, NOW};
use crate::ratelimit::limiter;
use crate::ratelimit::rule::{Algorithm, MAX_EXACT_LIMIT, MAX_WINDOW_MS, Request, Rule};

#[derive(Debug, Clone, Copy)]
enum Operation {
    Charge,
    Peek,
    Refund,
}

/// Where the clock goes before a call.
#[derive(Debug, Clone, Copy)]
enum Tick {
    Milliseconds(u64),
    /// 64ths of the first window.
    Fraction(u64),
    /// To the instant that the last refusal named, or one millisecond short of it.
    Retry {
        early: bool,
    },
    BackMilliseconds(u64),
    /// 64ths of the first window, back.
    BackFraction(u64),
}

#[derive(Debug, Clone, Copy)]
enum Cost {
    Units(u32),
    /// 16ths of the first rule's capacity, and one unit more or not.
    Share(u32, bool),
}

#[derive(Debug, Clone)]
struct Step {
    operation: Operation,
    tick: Tick,
    cost: Cost,
    /// Which of the rules the call names; the first one if none.
    named: [bool; 3],
    /// Another limit for the first rule, from now on.
    new_limit: Option<u32>,
}

#[derive(Debug, Clone)]
struct Trace {
    algorithm: Algorithm,
    rules: Vec<Rule>,
    steps: Vec<Step>,
}

fn limit() -> impl Strategy<Value = u32> {
    prop_oneof![
        5 => 1..12u32,
        2 => 12..2000u32,
        1 => Just(1_000_000),
        1 => u32::MAX - 3..=u32::MAX,
        1 => Just(0),
    ]
}

fn window() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => 1..40u64,
        3 => 40..5000u64,
        2 => prop::sample::select(vec![1000, 60_000, 3_600_000]),
        1 => MAX_WINDOW_MS - 2..=MAX_WINDOW_MS,
    ]
}

fn rules(algorithm: Algorithm) -> impl Strategy<Value = Vec<Rule>> {
    let burst = prop::option::weighted(0.3, prop_oneof![1..20u32, Just(u32::MAX)]);
    prop::collection::vec((limit(), window(), burst), 1..4).prop_map(move |rules| {
        let mut rules: Vec<Rule> = (rules.into_iter())
            .map(|(limit, window, burst)| match algorithm {
                Algorithm::Gcra => Rule::new(limit, window, burst),
                Algorithm::Exact => Rule::new(limit.min(MAX_EXACT_LIMIT), window, None),
                _ => Rule::new(limit, window, None),
            })
            .collect();
        rules.sort_by_key(Rule::window_ms);
        rules.dedup_by_key(|rule| rule.window_ms());
        rules.reverse();
        rules
    })
}

fn step(back: bool) -> impl Strategy<Value = Step> {
    let operation = prop_oneof![
        8 => Just(Operation::Charge),
        1 => Just(Operation::Peek),
        2 => Just(Operation::Refund),
    ];
    let weight = u32::from(back);
    let tick = prop_oneof![
        8 => (0..3u64).prop_map(Tick::Milliseconds),
        6 => (0..8u64).prop_map(Tick::Fraction),
        1 => (60..140u64).prop_map(Tick::Fraction),
        4 => any::<bool>().prop_map(|early| Tick::Retry { early }),
        2 * weight => (0..20u64).prop_map(Tick::BackMilliseconds),
        weight => (0..200u64).prop_map(Tick::BackFraction),
    ];
    let cost = prop_oneof![
        6 => (1..4u32).prop_map(Cost::Units),
        3 => (1..17u32, any::<bool>()).prop_map(|(share, more)| Cost::Share(share, more)),
        1 => Just(Cost::Units(u32::MAX)),
    ];
    let named = prop_oneof![3 => Just([true; 3]), 1 => any::<[bool; 3]>()];
    let new_limit = prop::option::weighted(0.08, limit());
    (operation, tick, cost, named, new_limit).prop_map(
        |(operation, tick, cost, named, new_limit)| Step {
            operation,
            tick,
            cost,
            named,
            new_limit,
        },
    )
}

fn trace(back: bool) -> impl Strategy<Value = Trace> {
    prop::sample::select(ALGORITHMS.to_vec()).prop_flat_map(move |algorithm| {
        let steps = prop::collection::vec(step(back), 1..60);
        (rules(algorithm), steps).prop_map(move |(rules, steps)| Trace {
            algorithm,
            rules,
            steps,
        })
    })
}

impl Tick {
    fn apply(self, now: u64, window: u64, retry_at: u64) -> u64 {
        match self {
            Tick::Milliseconds(ms) => now + ms,
            Tick::Fraction(parts) => now + window / 64 * parts,
            Tick::Retry { early } => now.max(retry_at.saturating_sub(u64::from(early))),
            Tick::BackMilliseconds(ms) => now - ms,
            Tick::BackFraction(parts) => now.saturating_sub(window / 64 * parts),
        }
        // Ten-year windows soon add up; keep away from both ends of time.
        .clamp(NOW / 2, NOW * 20)
    }
}

impl Cost {
    fn units(self, capacity: u32) -> u32 {
        match self {
            Cost::Units(units) => units,
            Cost::Share(share, more) => {
                let units = u64::from(capacity) * u64::from(share) / 16 + u64::from(more);
                u32::try_from(units).unwrap_or(u32::MAX).max(1)
            }
        }
    }
}

/// The limiter and the model, side by side.
struct Run {
    key: Key,
    oracle: Oracle,
    rules: Vec<Rule>,
    now: u64,
    retry_at: u64,
}

impl Run {
    fn of(trace: &Trace) {
        let mut run = Run {
            key: Key::default(),
            oracle: Oracle::new(trace.algorithm),
            rules: trace.rules.clone(),
            now: NOW,
            retry_at: 0,
        };
        for step in &trace.steps {
            run.step(step);
        }
    }

    fn step(&mut self, step: &Step) {
        let window = self.rules[0].window_ms();
        if let Some(limit) = step.new_limit {
            let limit = match self.oracle.algorithm {
                Algorithm::Exact => limit.min(MAX_EXACT_LIMIT),
                _ => limit,
            };
            self.rules[0] = Rule::new(limit, window, None);
        }
        self.now = step.tick.apply(self.now, window, self.retry_at);
        let mut rules: Vec<Rule> = (self.rules.iter().zip(step.named))
            .filter_map(|(rule, named)| named.then_some(*rule))
            .collect();
        if rules.is_empty() {
            rules.push(self.rules[0]);
        }
        let request = Request {
            algorithm: self.oracle.algorithm,
            rules: &rules,
            cost: step.cost.units(rules[0].capacity()),
        };
        let views = self.peek(&request);
        match step.operation {
            Operation::Charge => self.charge(&request, views),
            Operation::Peek => {}
            Operation::Refund => self.refund(&request),
        }
    }

    fn peek(&mut self, request: &Request<'_>) -> Vec<View> {
        let views = self.oracle.views(request, self.now);
        let decision = self.key.peek(request, self.now);
        let cost = Some(request.cost);
        self.oracle.verify(&views, &decision, cost, self.now);
        if decision.retry_after_ms > 0 {
            self.retry_at = self.now + u64::try_from(decision.retry_after_ms).unwrap();
            // With several rules, one that a step back has emptied for now may count again later.
            if request.rules.len() == 1 || !self.oracle.is_ahead_of(self.now) {
                assert!(self.key.peek(request, self.retry_at).allowed);
                assert!(!self.key.peek(request, self.retry_at - 1).allowed);
            }
        }
        views
    }

    fn charge(&mut self, request: &Request<'_>, mut views: Vec<View>) {
        let seen = self.key.peek(request, self.now);
        let charged = self.key.charge(request, self.now);
        assert_eq!(charged.decision.allowed, seen.allowed);
        let Some(expires_at) = charged.expires_at_ms else {
            assert_eq!(charged.decision, seen);
            return;
        };
        assert_eq!(
            self.oracle.charge(&mut views, request.cost, self.now),
            expires_at
        );
        assert!(expires_at > self.now);
        self.oracle
            .verify(&views, &charged.decision, None, self.now);
        self.verify_expiry(request, expires_at);
    }

    /// From `expires_at` on the state is as good as none, and until then it is not.
    fn verify_expiry(&self, request: &Request<'_>, expires_at: u64) {
        let none = Key::default();
        let requests = [request.cost, 1, u32::MAX].map(|cost| Request { cost, ..*request });
        for request in requests {
            assert_eq!(
                self.key.peek(&request, expires_at),
                none.peek(&request, expires_at)
            );
        }
        assert_ne!(
            self.key.peek(request, expires_at - 1).standings,
            none.peek(request, expires_at - 1).standings
        );
    }

    fn refund(&mut self, request: &Request<'_>) {
        let refunded = self.key.refund(request, self.now);
        assert_eq!(refunded.change, self.oracle.refund(request, self.now));
        let probe = Request {
            cost: 1,
            ..*request
        };
        assert_eq!(refunded.decision, self.key.peek(&probe, self.now));
        let views = self.oracle.views(&probe, self.now);
        self.oracle
            .verify(&views, &refunded.decision, Some(1), self.now);
        if let limiter::Change::Write { expires_at_ms } = refunded.change {
            let every_rule = Request {
                rules: &self.rules,
                ..probe
            };
            assert_eq!(
                self.key.peek(&every_rule, expires_at_ms),
                Key::default().peek(&every_rule, expires_at_ms)
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_answer_is_that_of_a_plain_log(trace in trace(false)) {
        Run::of(&trace);
    }

    #[test]
    fn every_answer_is_that_of_a_plain_log_when_the_clock_steps_back(trace in trace(true)) {
        Run::of(&trace);
    }
}
