//! Growth: what a call takes, and what a key takes all told, as limiters become many.

use std::time::Duration;

use crate::cases::named;
use crate::load::{CLIENTS, Fleet, Numbers};
use crate::program::compile;
use crate::report::{Report, Rows};
use crate::server::{Program, Setup, Variant};
use crate::statistics::median;
use crate::svg;
use crate::throughput::set_up;

/// Numbers of keys, as far as a run goes.
const STEPS: [u64; 4] = [10_000, 100_000, 1_000_000, 5_000_000];
const GROWN: [&str; 3] = ["SET PX", "RATELIMIT SLIDING", "RATELIMIT GCRA"];
const ROUNDS: usize = 5;

/// What one kind of key came to at one number of keys.
struct Point {
    keys: u64,
    call_us: f64,
    bytes: f64,
}

/// Measures up to `most` keys and reports a table and a chart.
pub fn report(program: &Program, most: u64, slice: Duration, report: &Report) {
    let grown: Vec<(&str, Vec<Point>)> = GROWN
        .iter()
        .map(|&name| (name, grow(program, name, most, slice)))
        .collect();
    let mut rows = Rows::new(&["", "keys", "µs a call at -P 16", "bytes a key"]);
    for (name, points) in &grown {
        for point in points {
            rows.push([
                (*name).to_owned(),
                point.keys.to_string(),
                format!("{:.2}", point.call_us),
                format!("{:.0}", point.bytes),
            ]);
        }
    }
    let lines: Vec<svg::Line> = (grown.iter())
        .map(|(name, points)| {
            (
                *name,
                points.iter().map(|p| (p.keys as f64, p.call_us)).collect(),
            )
        })
        .collect();
    let chart = svg::lines("Time per call as keys become many", "µs", &lines);
    let image = report.image("growth", "Time per call against the number of keys", &chart);
    let note = "Bytes a key: `used_memory` divided by the number of keys, with the key's name (20 \
                to 22 bytes), its expiry and the server's tables.\n\n";
    report.put("growth", &format!("{image}{note}{}", rows.markdown()));
}

fn grow(program: &Program, name: &str, most: u64, slice: Duration) -> Vec<Point> {
    let case = named(name);
    let server = Setup::new(program, Variant::Module).start();
    let mut client = server.client();
    let fleet = || Fleet::connect(server.port, CLIENTS);
    let call = compile(case.call, 1000);
    // Asked without the load's connections, whose buffers would count.
    let mut used = || {
        while client.info("clients", "connected_clients") != Some(1.0) {
            std::thread::sleep(Duration::from_millis(1));
        }
        client.info("memory", "used_memory").expect("used_memory")
    };
    let empty = used();
    let (mut points, mut there) = (Vec::new(), 0);
    for keys in STEPS.into_iter().filter(|&keys| keys <= most) {
        let new = there..keys;
        // A bucket with one unit charged would be whole, and its key gone, before the next call.
        set_up(&mut fleet(), case, &new, 1000);
        fleet().run(&call, case.expected, 16, Numbers::Each(new), None);
        there = keys;
        let bytes = (used() - empty) / keys as f64;
        let mut fleet = fleet();
        let mut round = || {
            let numbers = Numbers::random(0..keys);
            let tally = fleet.run(&call, case.expected, 16, numbers, Some(slice));
            tally.elapsed.as_secs_f64() * 1e6 / tally.calls as f64
        };
        let rounds: Vec<f64> = (0..ROUNDS).map(|_| round()).collect();
        points.push(Point {
            keys,
            call_us: median(&rounds),
            bytes,
        });
    }
    points
}
