//! How far limiters are from the truth, which is the sliding log: never more than the limit in any
//! interval as long as the window, and as much as that allows. Simulated with the module's own
//! pure code, without a server, so that hours of traffic take a second.

use std::collections::VecDeque;

use crate::load::Numbers;
use crate::ratelimit::limiter;
use crate::ratelimit::rule::{Algorithm, Request, Rule};
use crate::ratelimit::state::StateBuffer;
use crate::report::{Report, Rows};
use crate::svg::{self, Bar};

const LIMIT: u32 = 100;
const WINDOW_MS: u64 = 60_000;
/// A multiple of the window, as a clock window begins there.
const START_MS: u64 = WINDOW_MS * 30_000_000;
const WINDOWS: u64 = 300;

/// Something that decides, one unit at a time.
enum Limiter {
    Ours(Algorithm, Option<StateBuffer>),
    /// The usual estimate: the count of the clock's window, and that of the one before it weighed by
    /// its overlap.
    TwoCounters {
        window: u64,
        before: u32,
        current: u32,
    },
}

impl Limiter {
    fn ours(algorithm: Algorithm) -> Limiter {
        Limiter::Ours(algorithm, None)
    }

    fn two_counters() -> Limiter {
        Limiter::TwoCounters {
            window: 0,
            before: 0,
            current: 0,
        }
    }

    fn admits(&mut self, now_ms: u64) -> bool {
        match self {
            Limiter::Ours(algorithm, state) => admits(*algorithm, state, now_ms),
            Limiter::TwoCounters {
                window,
                before,
                current,
            } => {
                let number = now_ms / WINDOW_MS;
                if number != *window {
                    *before = if number == *window + 1 { *current } else { 0 };
                    (*window, *current) = (number, 0);
                }
                let overlap = 1.0 - (now_ms % WINDOW_MS) as f64 / WINDOW_MS as f64;
                let estimate = f64::from(*before) * overlap + f64::from(*current);
                let admitted = estimate + 1.0 <= f64::from(LIMIT);
                *current += u32::from(admitted);
                admitted
            }
        }
    }
}

fn admits(algorithm: Algorithm, state: &mut Option<StateBuffer>, now_ms: u64) -> bool {
    let rules = [Rule::new(LIMIT, WINDOW_MS, None)];
    let request = Request {
        algorithm,
        rules: &rules,
        cost: 1,
    };
    let mut new = StateBuffer::new();
    let charged = limiter::charge(state.as_deref(), &request, now_ms, &mut new);
    let charged = charged.expect("a state that was written here");
    if charged.decision.allowed {
        *state = Some(new);
    }
    charged.decision.allowed
}

/// Makes an empty limiter.
type Make = fn() -> Limiter;

/// What a limiter let through.
struct Outcome {
    admitted: u64,
    /// The most units in any interval as long as the window.
    most: usize,
}

impl Outcome {
    /// In percent of the limit.
    fn over_admitted(&self) -> f64 {
        let limit = LIMIT as usize;
        self.most.saturating_sub(limit) as f64 * 100.0 / limit as f64
    }

    /// How many units fewer than the sliding log, in percent of those.
    fn refused_too_many(&self, log: &Outcome) -> f64 {
        log.admitted.saturating_sub(self.admitted) as f64 * 100.0 / log.admitted as f64
    }
}

fn let_through(mut limiter: Limiter, arrivals: &[u64]) -> Outcome {
    let mut window: VecDeque<u64> = VecDeque::new();
    let (mut admitted, mut most) = (0, 0);
    for &now_ms in arrivals {
        while window.front().is_some_and(|&at| at + WINDOW_MS <= now_ms) {
            window.pop_front();
        }
        if limiter.admits(now_ms) {
            window.push_back(now_ms);
            admitted += 1;
            most = most.max(window.len());
        }
    }
    Outcome { admitted, most }
}

/// Calls a fixed time apart, `share` of the limit a window.
fn even(share: f64) -> Vec<u64> {
    let calls = f64::from(LIMIT) * share * WINDOWS as f64;
    let gap = WINDOW_MS as f64 / (f64::from(LIMIT) * share);
    (0..calls as u64)
        .map(|call| START_MS + (call as f64 * gap) as u64)
        .collect()
}

/// Bursts of up to 60 calls, 5 ms apart, with pauses of up to 40 seconds: about 1.5 of the limit.
fn bursty() -> Vec<u64> {
    let (mut pauses, mut sizes) = (Numbers::random(1..40_000), Numbers::random(1..61));
    let mut arrivals = Vec::new();
    let mut now_ms = START_MS;
    while now_ms < START_MS + WINDOWS * WINDOW_MS {
        now_ms += pauses.next().unwrap_or(1);
        for _ in 0..sizes.next().unwrap_or(1) {
            now_ms += 5;
            arrivals.push(now_ms);
        }
    }
    arrivals
}

/// Silence, then twice the limit in the last two tenths of a second of a clock window, then a call
/// every 50 ms for as long as a window lasts.
fn adversarial() -> Vec<u64> {
    let cycle = |number: u64| {
        let boundary = START_MS + (4 * number + 2) * WINDOW_MS;
        let burst = (0..u64::from(2 * LIMIT)).map(move |call| boundary - 200 + call);
        let hammer = (0..WINDOW_MS / 50).map(move |call| boundary + call * 50);
        burst.chain(hammer)
    };
    (0..WINDOWS / 4).flat_map(cycle).collect()
}

/// The table and the chart.
pub fn report(report: &Report) {
    let traffics = [
        ("even, 95 % of the limit", even(0.95)),
        ("even, 150 % of the limit", even(1.5)),
        ("bursty", bursty()),
        ("adversarial", adversarial()),
    ];
    let limiters: [(&str, Make); 5] = [
        ("SLIDING", || Limiter::ours(Algorithm::Sliding)),
        ("EXACT (sliding log)", || Limiter::ours(Algorithm::Exact)),
        ("two-counter estimate", Limiter::two_counters),
        ("FIXED", || Limiter::ours(Algorithm::Fixed)),
        ("GCRA", || Limiter::ours(Algorithm::Gcra)),
    ];
    let mut rows = Rows::new(&["traffic", "limiter", "over-admitted", "refused too many"]);
    let mut bars = Vec::new();
    for (traffic, arrivals) in &traffics {
        let log = let_through(Limiter::ours(Algorithm::Exact), arrivals);
        for (index, (name, limiter)) in limiters.iter().enumerate() {
            let outcome = let_through(limiter(), arrivals);
            let too_many = outcome.refused_too_many(&log);
            let over = format!("{:.0} %", outcome.over_admitted());
            let refused = format!("{too_many:.2} %");
            let row = [
                (*traffic).to_owned(),
                (*name).to_owned(),
                over.clone(),
                refused.clone(),
            ];
            rows.push(row);
            // The chart holds the sliding ones against each other.
            if index < 3 {
                let label = format!("{name}, {traffic}").replace(" of the limit", "");
                let value = outcome.over_admitted();
                bars.push(bar(format!("{label}: over"), value, over, 3));
                bars.push(bar(format!("{label}: refused"), too_many, refused, 1));
            }
        }
    }
    let series = ["", "refused too many", "", "over-admitted"];
    let chart = svg::bars("Sliding window limiters against the truth", &series, &bars);
    let image = report.image("accuracy", "Over-admitted and refused too many", &chart);
    report.put("accuracy", &format!("{image}{}", rows.markdown()));
}

fn bar(label: String, value: f64, shown: String, series: usize) -> Bar {
    Bar {
        label,
        value,
        shown,
        series,
    }
}
