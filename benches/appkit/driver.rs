//! Shows that the load is not the bottleneck: the same commands from here and from the server's own
//! redis-benchmark, and how busy each of them keeps the server.

use std::process::Command;
use std::time::Duration;

use crate::cases::{Case, named};
use crate::load::{CLIENTS, Fleet, Numbers};
use crate::program::compile;
use crate::report::Rows;
use crate::server::{Program, Server, Setup, Variant};
use crate::throughput::{KEYS, Setting, set_up};

/// The same calls as redis-benchmark takes them.
const COMPARED: [(&str, &[&str]); 2] = [
    (
        "SET PX",
        &[
            "SET",
            "set:__rand_int__",
            "ssssssssssssssssssssssss",
            "PX",
            "3600000",
        ],
    ),
    ("GET", &["GET", "set:__rand_int__"]),
];

/// The table.
pub fn rows(program: &Program, time: Duration) -> Rows {
    let mut rows = Rows::new(&[
        "",
        "pipeline",
        "this load, calls/s",
        "server busy",
        "redis-benchmark, calls/s",
        "server busy",
    ]);
    let server = Setup::new(program, Variant::Plain).start();
    let mut fleet = Fleet::connect(server.port, CLIENTS);
    for (name, words) in COMPARED {
        let case = named(name);
        set_up(&mut fleet, case, &(0..KEYS), 1000);
        for pipeline in [16, 1] {
            let (ours, busy) = ours(&server, &mut fleet, case, pipeline, time);
            let calls = (ours * time.as_secs_f64()) as u64;
            let (theirs, their_busy) = theirs(program, &server, words, pipeline, calls);
            rows.push([
                name.to_owned(),
                format!("-P {pipeline}"),
                format!("{ours:.0}"),
                format!("{:.0} %", busy * 100.0),
                format!("{theirs:.0}"),
                format!("{:.0} %", their_busy * 100.0),
            ]);
        }
    }
    rows
}

fn ours(
    server: &Server,
    fleet: &mut Fleet,
    case: &Case,
    pipeline: usize,
    time: Duration,
) -> (f64, f64) {
    let mut client = server.client();
    let call = compile(case.call, Setting::spread(pipeline).limit());
    let before = server.cpu_seconds(&mut client);
    let tally = fleet.run(
        &call,
        case.expected,
        pipeline,
        Numbers::random(0..KEYS),
        Some(time),
    );
    let seconds = tally.elapsed.as_secs_f64();
    let busy = server.cpu_seconds(&mut client) - before;
    (tally.calls as f64 / seconds, busy / seconds)
}

fn theirs(
    program: &Program,
    server: &Server,
    words: &[&str],
    pipeline: usize,
    calls: u64,
) -> (f64, f64) {
    let mut client = server.client();
    let before = server.cpu_seconds(&mut client);
    let output = Command::new(program.own_benchmark())
        .args(["-p", &server.port.to_string(), "-c", &CLIENTS.to_string()])
        .args(["-n", &calls.to_string(), "-r", &KEYS.to_string()])
        .args(["-P", &pipeline.to_string(), "--csv"])
        .args(words)
        .output()
        .expect("redis-benchmark runs");
    let busy = server.cpu_seconds(&mut client) - before;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rate = text
        .lines()
        .last()
        .and_then(|line| line.split("\",\"").nth(1)?.parse().ok());
    let rate: f64 = rate.unwrap_or_else(|| panic!("redis-benchmark says: {text}"));
    (rate, busy * rate / calls as f64)
}
