//! Calls a second, case beside case: in each round every case of a group gets one slice of time in
//! each setting, on servers that live side by side, so that what disturbs the machine disturbs all.

use std::collections::HashMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::cases::{Case, Group};
use crate::load::{CLIENTS, Fleet, Numbers};
use crate::program::{RoundTrip, compile};
use crate::resp::Client;
use crate::server::{Program, Server, Setup, Variant};
use crate::statistics::median;

/// Keys of a load that is spread out. A multiple of the pipeline's depth.
pub const KEYS: u64 = 100_000;
/// Number of the one hot key, away from the others.
const HOT_KEY: u64 = 900_000_000;
/// Less than this share of calls that went as expected, and something else was measured.
const LEAST_EXPECTED: f64 = 0.97;

/// What a case is measured under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Setting {
    pub pipeline: usize,
    /// One key for all calls.
    pub hot: bool,
}

impl Setting {
    pub const fn spread(pipeline: usize) -> Setting {
        Setting {
            pipeline,
            hot: false,
        }
    }

    pub fn title(self) -> String {
        let keys = if self.hot { "one key" } else { "100,000 keys" };
        format!("-P {}, {keys}", self.pipeline)
    }

    pub fn numbers(self) -> Range<u64> {
        if self.hot {
            HOT_KEY..HOT_KEY + 1
        } else {
            0..KEYS
        }
    }

    /// Units an hour: on the hot key as many as will never be used up.
    pub fn limit(self) -> u64 {
        if self.hot { 4_000_000_000 } else { 1000 }
    }
}

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    pub settings: Vec<Setting>,
    pub rounds: usize,
    pub slice: Duration,
}

/// What the rounds of one case in one setting came to, one element each.
#[derive(Clone, Debug, Default)]
pub struct Figure {
    pub calls_per_second: Vec<f64>,
    /// Share of the time in which the server's thread was running.
    pub busy: Vec<f64>,
}

impl Figure {
    /// Microseconds of the server's processor time for one call.
    pub fn cpu_us(&self) -> f64 {
        let each = self.busy.iter().zip(&self.calls_per_second);
        median(
            &each
                .map(|(busy, rate)| busy / rate * 1e6)
                .collect::<Vec<_>>(),
        )
    }
}

/// A group of cases on one server.
pub struct Table {
    pub program: String,
    pub aof: bool,
    pub group: &'static Group,
    pub settings: Vec<Setting>,
    figures: HashMap<(&'static str, Setting), Figure>,
    /// Cases that are not in the table, and why.
    pub left_out: Vec<String>,
}

impl Table {
    pub fn figure(&self, case: &str, setting: Setting) -> Option<&Figure> {
        let found = self
            .figures
            .iter()
            .find(|((name, at), _)| *name == case && *at == setting);
        found.map(|(_, figure)| figure)
    }

    /// Middle of the rounds' ratios of two cases' rates.
    pub fn ratio(&self, case: &str, against: &str, setting: Setting) -> Option<f64> {
        let (ours, theirs) = (self.figure(case, setting)?, self.figure(against, setting)?);
        let pairs = ours.calls_per_second.iter().zip(&theirs.calls_per_second);
        let ratios: Vec<f64> = pairs.map(|(ours, theirs)| ours / theirs).collect();
        Some(median(&ratios))
    }
}

/// A server with its connections, as long as a group is measured.
struct Bench {
    server: Server,
    client: Client,
    fleet: Fleet,
}

impl Bench {
    fn start(program: &Program, variant: Variant, aof: bool) -> Bench {
        let setup = Setup {
            aof,
            ..Setup::new(program, variant)
        };
        let server = setup.start();
        Bench {
            client: server.client(),
            fleet: Fleet::connect(server.port, CLIENTS),
            server,
        }
    }
}

/// Runs a case's setup for all keys of a range.
pub fn set_up(fleet: &mut Fleet, case: &Case, numbers: &Range<u64>, limit: u64) {
    let pipeline = if numbers.end - numbers.start < 16 {
        1
    } else {
        16
    };
    for lines in case.setup {
        let call = compile(&[lines], limit);
        fleet.run(&call, "", pipeline, Numbers::Each(numbers.clone()), None);
    }
}

/// A case in a setting, ready to run.
struct Run {
    case: &'static Case,
    setting: Setting,
    call: Vec<RoundTrip>,
    set_up_at: Option<Instant>,
}

impl Run {
    fn set_up_if_due(&mut self, fleet: &mut Fleet) {
        let lasts = self.case.setup_lasts.map(Duration::from_secs);
        let due = match (self.set_up_at, lasts) {
            (None, _) => true,
            (Some(at), Some(lasts)) => at.elapsed() > lasts,
            (Some(_), None) => false,
        };
        if due {
            set_up(
                fleet,
                self.case,
                &self.setting.numbers(),
                self.setting.limit(),
            );
            self.set_up_at = Some(Instant::now());
        }
    }

    /// One slice. Returns calls a second, the share of time the server was busy, and the share of
    /// calls that went as expected.
    fn slice(&mut self, bench: &mut Bench, time: Duration) -> (f64, f64, f64) {
        self.set_up_if_due(&mut bench.fleet);
        let before = bench.server.cpu_seconds(&mut bench.client);
        let tally = bench.fleet.run(
            &self.call,
            self.case.expected,
            self.setting.pipeline,
            Numbers::random(self.setting.numbers()),
            Some(time),
        );
        let busy = bench.server.cpu_seconds(&mut bench.client) - before;
        let seconds = tally.elapsed.as_secs_f64();
        let expected = tally.as_expected as f64 / tally.calls as f64;
        (tally.calls as f64 / seconds, busy / seconds, expected)
    }
}

/// Measures a group on one server, with the AOF flushed every second or without one.
pub fn measure(program: &Program, aof: bool, group: &'static Group, plan: &Plan) -> Table {
    let mut benches: HashMap<Variant, Bench> = HashMap::new();
    let mut left_out = Vec::new();
    let mut runs = Vec::new();
    let probe = Bench::start(program, Variant::Module, aof);
    let cases = group.cases.iter().filter(|case| !case.once);
    for case in cases {
        if let Some(command) = case.missing_command(&probe.server) {
            left_out.push(format!("{}: the server has no {command}", case.name));
            continue;
        }
        (benches.entry(case.on)).or_insert_with(|| Bench::start(program, case.on, aof));
        let settings = plan
            .settings
            .iter()
            .filter(|at| !(at.hot && case.spread_only));
        runs.extend(settings.map(|&setting| Run {
            case,
            setting,
            call: compile(case.call, setting.limit()),
            set_up_at: None,
        }));
    }
    drop(probe);
    let mut figures = HashMap::new();
    // The first round makes the keys and is thrown away.
    for round in 0..=plan.rounds {
        let mut least_expected = HashMap::new();
        for run in &mut runs {
            let bench = benches
                .get_mut(&run.case.on)
                .expect("a server for each case");
            let (rate, busy, expected) = run.slice(bench, plan.slice);
            if round > 0 {
                let figure: &mut Figure = figures.entry((run.case.name, run.setting)).or_default();
                figure.calls_per_second.push(rate);
                figure.busy.push(busy);
                least_expected.insert((run.case.name, run.setting), expected);
            }
        }
        for ((name, setting), expected) in least_expected {
            if expected < LEAST_EXPECTED && figures.remove(&(name, setting)).is_some() {
                let percent = expected * 100.0;
                let why = format!("{percent:.0} % of the replies were as expected");
                left_out.push(format!("{name} at {}: {why}", setting.title()));
                runs.retain(|run| (run.case.name, run.setting) != (name, setting));
            }
        }
    }
    Table {
        program: program.name.clone(),
        aof,
        group,
        settings: plan.settings.clone(),
        figures,
        left_out,
    }
}
