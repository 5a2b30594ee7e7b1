//! Latency at half load: calls are sent at random times, on average half as many a second as the
//! server can do, whether or not earlier ones have been answered. Each is timed from when it should
//! have been sent, so a server that stalls pays for all who had to wait.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::cases::{Case, named};
use crate::load::{CLIENTS, Fleet, Numbers};
use crate::program::{RoundTrip, compile};
use crate::report::Rows;
use crate::server::{Program, Setup, Variant};
use crate::statistics::percentile;
use crate::throughput::{Setting, set_up};

/// What is timed, each with what people run instead before it.
const TIMED: &[&str] = &[
    "SET PX",
    "GET",
    "RATELIMIT SLIDING",
    "RATELIMIT GCRA",
    "RATELIMIT FIXED",
    "RATELIMIT EXACT",
    "RATELIMIT refused",
    "RATELIMIT.PEEK",
    "redis-cell CL.THROTTLE",
    "Lua INCR + PEXPIRE",
    "Lua GCRA",
    "Lua sliding log",
    "SET NX PX, Lua release",
    "LOCK, UNLOCK",
    "LOCK.EXTEND",
    "HGET",
    "SESSION.GET",
    "GET + EXPIRE",
    "SESSION.TOUCH throttled",
    "Lua create + index",
    "SESSION.CREATE",
    "Lua update",
    "SESSION.UPDATE",
    "GET of a value",
    "GETORLOAD hit",
    "GETORSET hit",
];

const SETTING: Setting = Setting::spread(1);

/// The table: each case on a server of its own, for `time`.
pub fn rows(program: &Program, time: Duration) -> Rows {
    let mut rows = Rows::new(&["µs", "round trips/s", "p50", "p99", "p99.9"]);
    for case in TIMED.iter().map(|name| named(name)) {
        let server = Setup::new(program, Variant::Module).start();
        if case.missing_command(&server).is_some() {
            continue;
        }
        let mut fleet = Fleet::connect(server.port, CLIENTS);
        let (rate, mut micros) = timed(&mut fleet, case, time);
        micros.sort_by(f64::total_cmp);
        let shown = |share| format!("{:.0}", percentile(&micros, share));
        let rate = format!("{rate:.0}");
        rows.push([
            case.name.to_owned(),
            rate,
            shown(0.5),
            shown(0.99),
            shown(0.999),
        ]);
    }
    rows
}

/// Half the rate that the case reaches, and the latencies at it in microseconds.
fn timed(fleet: &mut Fleet, case: &Case, time: Duration) -> (f64, Vec<f64>) {
    let call = compile(case.call, SETTING.limit());
    set_up(fleet, case, &SETTING.numbers(), SETTING.limit());
    let numbers = || Numbers::random(SETTING.numbers());
    let full = fleet.run(&call, case.expected, 1, numbers(), Some(time));
    let round_trips = full.calls as f64 * call.len() as f64;
    let rate = round_trips / full.elapsed.as_secs_f64() / 2.0;
    (rate, at_rate(fleet, &call, numbers(), rate, time))
}

/// Sends round trips at random times, `rate` a second on average; returns their latencies in
/// microseconds.
fn at_rate(
    fleet: &mut Fleet,
    call: &[RoundTrip],
    mut numbers: Numbers,
    rate: f64,
    time: Duration,
) -> Vec<f64> {
    let mut gaps = Numbers::random(1..1 << 53);
    let mut gap = || {
        let share = gaps.next().unwrap_or(1) as f64 / (1u64 << 53) as f64;
        Duration::from_secs_f64(-share.ln() / rate)
    };
    let mut idle: VecDeque<usize> = (0..CLIENTS).collect();
    let mut under_way = VecDeque::new();
    let mut micros = Vec::new();
    fleet.set_blocking(false);
    let started = Instant::now();
    let mut due = gap();
    while due < time || !under_way.is_empty() {
        // The server answers in the order of arrival, or nearly so.
        if let Some(&(index, due)) = under_way.front()
            && fleet.has_input(index)
        {
            let latency = started.elapsed().saturating_sub(due);
            micros.push(latency.as_secs_f64() * 1e6);
            fleet.receive(index, call, "");
            under_way.pop_front();
            idle.push_back(index);
        }
        if due < time && started.elapsed() >= due {
            let Some(index) = idle.pop_front() else {
                continue;
            };
            if fleet.is_done(index) {
                fleet.begin(index, 1, &mut numbers);
            }
            fleet.send(index, call);
            under_way.push_back((index, due));
            due += gap();
        }
    }
    fleet.set_blocking(true);
    micros
}
