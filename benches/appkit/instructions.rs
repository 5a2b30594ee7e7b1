//! Instructions a call, counted by callgrind inside the server's `processCommand`. Unlike times they
//! are the same on a busy machine, so a later change can be held against them.
//!
//! The server writes a profile each time `ECHO` runs and starts a new one, so an `ECHO` before the
//! calls and one behind them leave a file for just these calls.

use std::process::{Command, Stdio};

use crate::callgrind::{Owner, Profile};
use crate::cases::{Case, GROUPS};
use crate::load::{Fleet, Numbers};
use crate::program::compile;
use crate::report::{Report, Rows};
use crate::server::{Program, Server, Setup, Variant};
use crate::throughput::set_up;

/// Functions of the module API shown for each command.
const SHOWN_API: usize = 4;

/// A server under callgrind.
struct Profiled {
    server: Server,
    fleet: Fleet,
    files: tempfile::TempDir,
    written: usize,
}

impl Profiled {
    fn start(program: &Program, variant: Variant) -> Profiled {
        let files = tempfile::tempdir().expect("a temporary directory");
        let out = files.path().join("profile");
        let setup = Setup {
            wrapper: vec![
                "valgrind".to_owned(),
                "--tool=callgrind".to_owned(),
                // The program may be a script that executes the server.
                "--trace-children=yes".to_owned(),
                "--toggle-collect=processCommand".to_owned(),
                "--dump-before=echoCommand".to_owned(),
                format!("--callgrind-out-file={}", out.display()),
            ],
            ..Setup::new(program, variant)
        };
        let server = setup.start();
        Profiled {
            fleet: Fleet::connect(server.port, 1),
            server,
            files,
            written: 0,
        }
    }

    /// What the server did since this was called last.
    fn profile(&mut self) -> Profile {
        self.server.client().ask("ECHO done");
        self.written += 1;
        let path = self.files.path().join(format!("profile.{}", self.written));
        let text = std::fs::read_to_string(&path).expect("callgrind has written a profile");
        std::fs::remove_file(&path).expect("the profile is removed");
        Profile::parse(&text)
    }

    /// Lets the server move its keys to the larger table that it has just made: it does a step of
    /// that with each look-up, which would be counted.
    fn finish_rehashing(&mut self, keys: u64) {
        let call = compile(&[&["GET none:{n}"]], 1000);
        let numbers = Numbers::Each(0..4 * keys);
        self.fleet.run(&call, "$-1", 16, numbers, None);
    }

    /// Counts `calls` calls, each with a key of its own.
    fn count(&mut self, case: &Case, calls: u64) -> Profile {
        let call = compile(case.call, 1000);
        let numbers = 0..calls;
        // A table that other cases have filled would take too long to be rehashed.
        self.server.client().ask("FLUSHALL");
        set_up(&mut self.fleet, case, &numbers, 1000);
        let run = |profiled: &mut Profiled| {
            let numbers = Numbers::Each(numbers.clone());
            (profiled.fleet).run(&call, case.expected, 16, numbers, None)
        };
        // Keys that are there already are the common case, where a call can be made twice at all.
        if !case.once {
            run(self);
        }
        self.finish_rehashing(calls);
        self.profile();
        let tally = run(self);
        assert_eq!(tally.as_expected, calls, "{} went another way", case.name);
        self.profile()
    }
}

/// Whether valgrind is there; if not, says how to get it.
pub fn have_valgrind() -> bool {
    let version = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    let there = version.is_ok_and(|status| status.success());
    if !there {
        eprintln!(
            "instructions: valgrind is missing. Install it with the one that fits:\n\
             \x20   sudo apt-get install valgrind\n\
             \x20   sudo dnf install valgrind"
        );
    }
    there
}

/// Counts every case, `calls` times each, and reports a table.
pub fn report(program: &Program, calls: u64, report: &Report) {
    let mut rows = Rows::new(&[
        "instructions a call",
        "all",
        "server",
        "SDK",
        "ours",
        "libraries",
        "in the module API",
    ]);
    for variant in [Variant::Module, Variant::Lease] {
        let mut profiled = Profiled::start(program, variant);
        let cases = GROUPS.iter().flat_map(|group| group.cases);
        for case in cases.filter(|case| case.on == variant) {
            if let Some(command) = case.missing_command(&profiled.server) {
                eprintln!("LEFT OUT {}: the server has no {command}", case.name);
                continue;
            }
            rows.push(row(case, &profiled.count(case, calls), calls));
        }
    }
    report.put("instructions", &rows.markdown());
}

fn row(case: &Case, profile: &Profile, calls: u64) -> Vec<String> {
    let each = |instructions: u64| (instructions / calls).to_string();
    let of = |owner| each(profile.of(owner));
    let mut api: Vec<(&String, &u64)> = profile.api.iter().collect();
    api.sort_by_key(|&(name, &instructions)| (std::cmp::Reverse(instructions), name));
    let api = api.into_iter().take(SHOWN_API);
    let api = api.map(|(name, &instructions)| format!("{name} {}", each(instructions)));
    vec![
        case.name.to_owned(),
        each(profile.total()),
        of(Owner::Server),
        of(Owner::Sdk),
        of(Owner::Ours),
        of(Owner::Libraries),
        api.collect::<Vec<_>>().join(", "),
    ]
}
