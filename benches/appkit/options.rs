//! The command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::server::Program;
use crate::throughput::{Plan, Setting};
use crate::{machine, report};

const USAGE: &str = "usage: cargo bench --bench appkit -- [full|short|instructions] [option …]

  full                 everything, and writes docs/benchmarks.md (the default)
  short                the marks and the main tables on the first server, to the terminal
  instructions         instructions a call, needs valgrind; writes docs/benchmarks.md

  --short              instructions: fewer calls, to the terminal
  --server PATH        a server to measure; several if given several times
                       (default: redis-server, and .servers/valkey-8.1/server if it is there)
  --only GROUP         throughput of this group alone, or `growth` alone, to the terminal
  --write FOLDER       write into a copy of docs/benchmarks.md in this folder
  --growth KEYS        let limiters become this many (default: 5000000 with 4 GB to spare)

environment: APPKIT_MODULE, the module to measure (default: target/release);
             REDIS_CELL_SO, the library of redis-cell";

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    Full,
    Short,
    Instructions,
}

/// The command line, understood.
#[derive(Debug)]
pub struct Options {
    pub task: Task,
    pub short: bool,
    pub programs: Vec<Program>,
    pub only: Option<String>,
    /// Folder of the page to write; none to print only.
    pub folder: Option<PathBuf>,
    pub growth: u64,
}

impl Options {
    /// Reads the command line; on a mistake says what is accepted and ends the process.
    pub fn read() -> Options {
        Options::parse(std::env::args().skip(1)).unwrap_or_else(|mistake| {
            eprintln!("{mistake}\n\n{USAGE}");
            std::process::exit(2);
        })
    }

    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
        let (mut task, mut short, mut only, mut growth) = (Task::Full, false, None, None);
        let mut folder = None;
        let mut servers = Vec::new();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                // What cargo bench itself adds.
                "--bench" => {}
                "full" => task = Task::Full,
                "short" => task = Task::Short,
                "instructions" => task = Task::Instructions,
                "--short" => short = true,
                "--server" => servers.push(PathBuf::from(value()?)),
                "--only" => only = Some(value()?),
                "--write" => folder = Some(PathBuf::from(value()?)),
                "--growth" => growth = Some(value()?.parse().map_err(|_| "--growth: a number")?),
                _ => return Err(format!("unknown argument: {argument}")),
            }
        }
        let short = short || task == Task::Short;
        let docs = (!short && only.is_none()).then(report::docs);
        Ok(Options {
            task,
            short,
            folder: folder.or(docs),
            programs: programs(servers)?,
            only,
            growth: growth.unwrap_or_else(default_growth),
        })
    }

    /// How much throughput is measured on the first server without AOF (the one of the marks), or
    /// elsewhere.
    pub fn plan(&self, main: bool) -> Plan {
        let hot = |pipeline| Setting {
            pipeline,
            hot: true,
        };
        let mut settings = vec![Setting::spread(16), Setting::spread(1)];
        if !self.short {
            settings.extend([hot(16), hot(1)]);
        }
        Plan {
            settings,
            rounds: if main && !self.short { 9 } else { 5 },
            slice: Duration::from_millis(match (self.short, main) {
                (true, _) => 150,
                (false, true) => 300,
                (false, false) => 100,
            }),
        }
    }
}

fn default_growth() -> u64 {
    let enough = machine::available_kilobytes() >= 4 << 20;
    if enough { 5_000_000 } else { 1_000_000 }
}

/// The servers to measure, the one of the marks first.
fn programs(servers: Vec<PathBuf>) -> Result<Vec<Program>, String> {
    if servers.is_empty() {
        let valkey = Path::new(env!("CARGO_MANIFEST_DIR")).join(".servers/valkey-8.1/server");
        let redis = Program::probe(Path::new("redis-server")).ok_or("no redis-server in PATH")?;
        if !valkey.exists() {
            eprintln!("LEFT OUT Valkey: cargo make fetch-servers valkey-8.1 fetches it");
        }
        return Ok(std::iter::once(redis)
            .chain(Program::probe(&valkey))
            .collect());
    }
    let probe = |path: &PathBuf| {
        Program::probe(path).ok_or_else(|| format!("no server: {}", path.display()))
    };
    servers.iter().map(probe).collect()
}
