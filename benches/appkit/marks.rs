//! The marks: what the module has to reach against what people run instead.

use crate::report::Rows;
use crate::throughput::{Setting, Table};

/// A ratio of two cases' rates, over 100,000 keys on the first server without AOF.
struct Mark {
    ours: &'static str,
    against: &'static str,
    pipeline: usize,
    at_least: f64,
}

const fn mark(ours: &'static str, against: &'static str, pipeline: usize, at_least: f64) -> Mark {
    Mark {
        ours,
        against,
        pipeline,
        at_least,
    }
}

const MARKS: &[Mark] = &[
    mark("RATELIMIT SLIDING", "SET PX", 16, 0.9),
    mark("RATELIMIT GCRA", "SET PX", 16, 0.9),
    mark("RATELIMIT SLIDING", "redis-cell CL.THROTTLE", 16, 1.6),
    mark("RATELIMIT GCRA", "redis-cell CL.THROTTLE", 16, 1.6),
    mark("RATELIMIT SLIDING", "Lua GCRA", 16, 4.0),
    mark("RATELIMIT GCRA", "Lua GCRA", 16, 4.0),
    mark("RATELIMIT SLIDING", "Lua sliding log", 16, 4.0),
    mark("RATELIMIT GCRA", "Lua sliding log", 16, 4.0),
    mark("RATELIMIT refused", "GET", 16, 0.7),
    mark("RATELIMIT GCRA refused", "GET", 16, 0.7),
    mark("RATELIMIT SLIDING", "SET PX", 1, 0.97),
    mark("RATELIMIT GCRA", "SET PX", 1, 0.97),
    mark("LOCK, UNLOCK", "SET NX PX, Lua release", 16, 1.5),
    mark("SESSION.GET", "HGET", 16, 0.6),
    mark("SESSION.TOUCH throttled", "GET + EXPIRE", 16, 1.5),
    mark("GETORLOAD hit", "GET of a value", 16, 0.8),
    mark("SET with module", "SET without module", 16, 0.98),
    mark("GET with module", "GET without module", 16, 0.98),
    mark("SET, DEL with module", "SET, DEL without module", 16, 0.98),
    mark("SET after a lease", "SET without module", 1, 0.98),
    mark("GET after a lease", "GET without module", 1, 0.98),
    mark("SET, DEL after a lease", "SET, DEL without module", 1, 0.98),
    mark("SET after a lease", "SET without module", 16, 0.9),
];

/// A mark about something else than calls a second.
pub struct Other {
    pub what: String,
    pub reached: Option<f64>,
    pub bound: Bound,
}

/// On which side of a figure is good.
#[derive(Clone, Copy)]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// The table of marks: mark, reached, ok or short.
pub fn rows(tables: &[Table], others: &[Other]) -> Rows {
    let mut rows = Rows::new(&[
        "",
        "pipeline",
        "mark",
        "reached",
        "",
        "by the server's CPU time",
    ]);
    for mark in MARKS {
        let setting = Setting::spread(mark.pipeline);
        let find = |table: &&Table| table.ratio(mark.ours, mark.against, setting).is_some();
        let table = tables.iter().find(find);
        let reached = table.and_then(|table| table.ratio(mark.ours, mark.against, setting));
        let cpu = table.and_then(|table| {
            let of = |case| Some(table.figure(case, setting)?.cpu_us());
            Some(of(mark.against)? / of(mark.ours)?)
        });
        rows.push([
            format!("{} / {}", mark.ours, mark.against),
            format!("-P {}", mark.pipeline),
            format!("≥ {}", mark.at_least),
            shown(reached),
            verdict(reached, Bound::AtLeast(mark.at_least)),
            shown(cpu),
        ]);
    }
    for other in others {
        let bound = match other.bound {
            Bound::AtLeast(bound) => format!("≥ {bound}"),
            Bound::AtMost(bound) => format!("≤ {bound}"),
        };
        let reached = other
            .reached
            .map_or("–".to_owned(), |value| format!("{value:.3}"));
        let verdict = verdict(other.reached, other.bound);
        rows.push([
            other.what.clone(),
            String::new(),
            bound,
            reached,
            verdict,
            String::new(),
        ]);
    }
    rows
}

fn shown(ratio: Option<f64>) -> String {
    ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}"))
}

fn verdict(reached: Option<f64>, bound: Bound) -> String {
    let ok = match (reached, bound) {
        (None, _) => return "not measured".to_owned(),
        (Some(value), Bound::AtLeast(bound)) => value >= bound,
        (Some(value), Bound::AtMost(bound)) => value <= bound,
    };
    if ok { "ok" } else { "**short**" }.to_owned()
}
