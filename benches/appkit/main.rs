//! The benchmark of redis-appkit against what people run instead, side by side in one run.
//!
//! | file | subject |
//! |---|---|
//! | `options` | the command line |
//! | `cases` | what is measured, as data |
//! | `marks` | what has to be reached |
//! | `throughput`, `tables` | calls a second: measured in turn, shown |
//! | `latency`, `waiting` | how long a call takes; how long those who wait wait |
//! | `memory`, `growth` | bytes a key; many keys |
//! | `accuracy`, `ratelimit` | what limiters let through |
//! | `instructions`, `callgrind` | where the time goes |
//! | `driver` | that the load is not the bottleneck |
//! | `server`, `resp`, `program`, `load`, `lua` | servers, replies, commands, the load, scripts |
//! | `report`, `svg`, `statistics`, `machine` | the page and its charts |

// A benchmark panics where something is not as it should be: a figure of something else is worse
// than none.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod accuracy;
mod callgrind;
mod cases;
mod driver;
mod growth;
mod instructions;
mod latency;
mod load;
mod lua;
mod machine;
mod marks;
mod memory;
mod options;
mod program;
mod ratelimit;
mod report;
mod resp;
mod server;
mod statistics;
mod svg;
mod tables;
mod throughput;
mod waiting;

use std::time::Duration;

use cases::GROUPS;
use marks::{Bound, Other};
use options::{Options, Task};
use report::{Report, bullets};
use server::{Setup, Variant};
use statistics::percentile;
use throughput::Table;

fn main() {
    let options = Options::read();
    let report = Report::new(options.folder.as_deref());
    if options.task == Task::Instructions {
        if instructions::have_valgrind() {
            let calls = if options.short { 320 } else { 1600 };
            instructions::report(&options.programs[0], calls, &report);
        } else {
            std::process::exit(1);
        }
        return;
    }
    machine::warn_if_busy();
    if options.only.as_deref() == Some("growth") {
        return growth(&options, &report);
    }
    report.put("machine", &bullets(&machine::facts(&options.programs)));
    let tables = throughput(&options, &report);
    if options.only.is_some() {
        return;
    }
    let others = others(&options, &report);
    report.put("marks", &marks::rows(&tables, &others).markdown());
}

/// Calls a second on each server, with and without AOF.
fn throughput(options: &Options, report: &Report) -> Vec<Table> {
    let mut tables = Vec::new();
    let mut text = String::new();
    for (index, program) in options.programs.iter().enumerate() {
        for aof in [false, true] {
            let main = index == 0 && !aof;
            if options.short && !main {
                continue;
            }
            let chosen = |name| options.only.as_deref().is_none_or(|only| only == name);
            for group in GROUPS.iter().filter(|group| chosen(group.name)) {
                let table = throughput::measure(program, aof, group, &options.plan(main));
                let shown = tables::markdown(&table);
                eprintln!("{shown}");
                if main {
                    text += &tables::chart(&table, report);
                }
                text += &(shown + "\n");
                tables.push(table);
            }
        }
    }
    report.put("throughput", &text);
    tables
}

/// Calls among more and more limiters.
fn growth(options: &Options, report: &Report) {
    let (most, slice_ms) = match options.short {
        true => (100_000, 75),
        false => (options.growth, 750),
    };
    let slice = Duration::from_millis(slice_ms);
    growth::report(&options.programs[0], most, slice, report);
}

/// Everything but throughput. Returns what the marks want to know of it.
fn others(options: &Options, report: &Report) -> Vec<Other> {
    let program = &options.programs[0];
    let time = Duration::from_millis(if options.short { 150 } else { 1500 });
    report.put("load", &driver::rows(program, time).markdown());
    report.put("latency", &latency::rows(program, time).markdown());

    let server = Setup::new(program, Variant::Module).start();
    let rounds = if options.short { 20 } else { 100 };
    let handed = waiting::hand_over(&server, rounds);
    let polled = waiting::polled(&server, rounds / 2);
    let stampede = waiting::stampede(&server, rounds / 4);
    let rows = waiting::rows(handed.as_deref(), &polled, stampede.as_deref());
    report.put("waiting", &rows.markdown());

    let limiters = memory::limiters_of(&server);
    let memory = memory::others_of(&server).markdown();
    report.put("memory", &format!("{}\n{memory}", limiters.rows.markdown()));

    accuracy::report(report);
    growth(options, report);
    vec![
        Other {
            what: "lock hand-over p50, times sooner than polling every 100 ms".to_owned(),
            reached: handed.map(|handed| percentile(&polled, 0.5) / percentile(&handed, 0.5)),
            bound: Bound::AtLeast(50.0),
        },
        Other {
            what: "bytes of a full SLIDING limiter of 100 / zset log".to_owned(),
            reached: Some(limiters.sliding_to_log),
            bound: Bound::AtMost(0.055),
        },
    ]
}
