//! What is measured, as data: one entry for each command of the module and for each thing that
//! people run instead of it. [`crate::program::compile`] explains the text of a call.

mod cache;
mod limiter;
mod lock;
mod plain;
mod session;

use crate::server::{Server, Variant};

/// One thing to measure.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Unique, and short enough for a table.
    pub name: &'static str,
    /// The state of the server that it runs on.
    pub on: Variant,
    /// Run once for each key before anything is measured, one round trip each.
    pub setup: &'static [&'static [&'static str]],
    /// Seconds after which the setup is run again before a measurement.
    pub setup_lasts: Option<u64>,
    /// The round trips of one call, each one or more commands sent together.
    pub call: &'static [&'static [&'static str]],
    /// How the last reply of a call begins, when it went the way that is to be measured.
    pub expected: &'static str,
    /// A call uses up what the setup made, so only instructions can be counted.
    pub once: bool,
    /// Makes no sense, or grows without bound, on one hot key.
    pub spread_only: bool,
}

/// What most cases are.
const CASE: Case = Case {
    name: "",
    on: Variant::Module,
    setup: &[],
    setup_lasts: None,
    call: &[],
    expected: "",
    once: false,
    spread_only: false,
};

/// Cases that are measured in turn. The first one is what the others are compared with in tables.
pub struct Group {
    pub name: &'static str,
    pub title: &'static str,
    pub cases: &'static [Case],
}

pub const GROUPS: &[Group] = &[
    limiter::GROUP,
    lock::GROUP,
    session::GROUP,
    cache::GROUP,
    plain::GROUP,
];

/// The case of a name.
pub fn named(name: &str) -> &'static Case {
    let mut cases = GROUPS.iter().flat_map(|group| group.cases);
    cases
        .find(|case| case.name == name)
        .unwrap_or_else(|| panic!("no case {name}"))
}

impl Case {
    /// Commands of modules that the case needs.
    fn module_commands(&self) -> impl Iterator<Item = &'static str> {
        let lines = self.setup.iter().chain(self.call).copied().flatten();
        let names = lines.filter_map(|line| line.split(' ').next());
        names.filter(|name| name.starts_with("APP.") || name.starts_with("CL."))
    }

    /// A command that the case needs and a server with the module does not know.
    pub fn missing_command(&self, server: &Server) -> Option<&'static str> {
        let first_lease = (self.on == Variant::Lease).then_some("APP.CACHE.GETORLOAD");
        let mut needed = self.module_commands().chain(first_lease);
        needed.find(|command| !server.knows(command))
    }
}
