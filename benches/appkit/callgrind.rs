//! Reads callgrind's files: which code of which object spent how many instructions.

use std::collections::HashMap;

/// Whose code an instruction belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// The server, the C library, the allocator, Lua.
    Server,
    /// The redis-module crate.
    Sdk,
    /// This project's source files.
    Ours,
    /// Rust's standard library and other crates, mostly inlined into the two above; redis-cell.
    Libraries,
}

/// What a profile says.
#[derive(Debug, Default)]
pub struct Profile {
    /// Instructions by owner.
    pub instructions: HashMap<Owner, u64>,
    /// Instructions inside functions of the module API, callees included, that a module called.
    pub api: HashMap<String, u64>,
}

impl Profile {
    pub fn total(&self) -> u64 {
        self.instructions.values().sum()
    }

    pub fn of(&self, owner: Owner) -> u64 {
        self.instructions.get(&owner).copied().unwrap_or(0)
    }

    /// Parses a file of callgrind's format.
    pub fn parse(text: &str) -> Profile {
        let mut reader = Reader::default();
        text.lines().for_each(|line| reader.line(line));
        reader.profile
    }
}

/// Names are written once, with a number, and by the number alone from then on.
#[derive(Default)]
struct Names(HashMap<String, String>);

impl Names {
    fn resolve(&mut self, text: &str) -> String {
        let Some((number, name)) = text.split_once(')') else {
            return text.to_owned();
        };
        if !name.is_empty() {
            self.0.insert(number.to_owned(), name.trim().to_owned());
        }
        self.0.get(number).cloned().unwrap_or_default()
    }
}

#[derive(Default)]
struct Reader {
    files: Names,
    functions: Names,
    objects: Names,
    object: String,
    file: String,
    callee: String,
    /// The next line of costs is that of a call, already counted where it was spent.
    after_call: bool,
    profile: Profile,
}

impl Reader {
    fn line(&mut self, line: &str) {
        match line.split_once('=') {
            Some(("ob", name)) => self.object = self.objects.resolve(name),
            Some(("fl" | "fi" | "fe", name)) => self.file = self.files.resolve(name),
            Some(("fn", name)) => drop(self.functions.resolve(name)),
            Some(("cob", name)) => drop(self.objects.resolve(name)),
            Some(("cfi" | "cfl", name)) => drop(self.files.resolve(name)),
            Some(("cfn", name)) => self.callee = self.functions.resolve(name),
            Some(("calls", _)) => self.after_call = true,
            Some(_) => {}
            None => self.cost(line),
        }
    }

    /// `line instructions`, where the line may be `*` or begin with a sign.
    fn cost(&mut self, line: &str) {
        if !line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            return;
        }
        let words: Option<(&str, &str)> = line.split_once(' ');
        let Some(cost) = words.and_then(|(_, cost)| cost.trim().parse::<u64>().ok()) else {
            return;
        };
        let owner = owner(&self.object, &self.file);
        if std::mem::take(&mut self.after_call) {
            let is_api = self.callee.starts_with("RM_") || self.callee.starts_with("VM_");
            if owner != Owner::Server && is_api {
                *self.profile.api.entry(self.callee.clone()).or_default() += cost;
            }
        } else {
            *self.profile.instructions.entry(owner).or_default() += cost;
        }
    }
}

/// By the object first; within the module by the source file, which is known for inlined code too.
fn owner(object: &str, file: &str) -> Owner {
    if object.contains("redis_cell") {
        return Owner::Libraries;
    }
    if !object.contains("redis_appkit") {
        return Owner::Server;
    }
    if file.contains("/redis-module-") {
        return Owner::Sdk;
    }
    let foreign = ["/registry/src/", "/vendor/", "/rustc/", "/library/", "???"];
    if foreign.iter().any(|part| file.contains(part)) {
        Owner::Libraries
    } else {
        Owner::Ours
    }
}
