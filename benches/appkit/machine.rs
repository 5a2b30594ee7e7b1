//! The facts that figures depend on: machine, versions, date, what else the machine was doing.

use std::process::Command;

use crate::server::{Program, redis_cell};

/// A list of facts, without names of hosts or folders.
pub fn facts(programs: &[Program]) -> Vec<String> {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let (cpu, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let names: Vec<&str> = programs
        .iter()
        .map(|program| program.name.as_str())
        .collect();
    let load = read("/proc/loadavg");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let gigabytes = kilobytes(&memory, "MemTotal").unwrap_or(0) as f64 / 1048576.0;
    let model = field(&cpu, "model name").unwrap_or("unknown");
    vec![
        format!("Processor: {model}, {cores} cores; memory: {gigabytes:.0} GB"),
        format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
        format!("Servers: {}", names.join(", ")),
        format!(
            "redis-cell: {}",
            if redis_cell().is_some() {
                "yes"
            } else {
                "not there"
            }
        ),
        format!(
            "Module: commit {}, {}",
            output("git", &["rev-parse", "--short", "HEAD"]),
            compiler()
        ),
        format!("Date: {}", output("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        format!(
            "Load average when it began: {}",
            load.split(' ').next().unwrap_or("unknown")
        ),
    ]
}

/// Kilobytes that programs can still have.
pub fn available_kilobytes() -> u64 {
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    kilobytes(&memory, "MemAvailable").unwrap_or(0)
}

/// Warns if something else keeps the machine busy.
pub fn warn_if_busy() {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load
        .split(' ')
        .next()
        .and_then(|load| load.parse::<f64>().ok());
    if let Some(load) = load.filter(|&load| load > 0.5) {
        eprintln!("WARNING: the load average is {load}: only the ratios mean anything, if they do");
    }
}

fn compiler() -> String {
    let version = output("rustc", &["--version"]);
    version.split(" (").next().unwrap_or_default().to_owned()
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim())
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    field(text, name)?.split(' ').next()?.parse().ok()
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_else(|_| "unknown".to_owned())
}
