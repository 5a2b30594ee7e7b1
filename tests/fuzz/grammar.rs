//! Calls of the module's commands, made from what the server says about them: `COMMAND LIST`,
//! `COMMAND INFO` and the argument trees of `COMMAND DOCS`. A new command is fuzzed without a line
//! of its own here.

use std::collections::BTreeSet;

use crate::support::Dice;
use crate::support::{Argument, Client, command_docs, command_info};
use crate::values::{self, Call, Seen};

/// One command of the module.
pub struct Command {
    pub name: String,
    pub readonly: bool,
    /// Deletes what is at its keys.
    deletes: bool,
    arguments: Vec<Argument>,
}

impl Command {
    /// What commands have in common that work on the same keys: `APP.X.Y` and `APP.UNX` are of the
    /// family `x`.
    pub fn family(&self) -> &str {
        let family = self.name.split('.').nth(1).unwrap_or_default();
        family.trim_start_matches("un")
    }
}

/// All commands of the module.
pub struct Grammar {
    pub commands: Vec<Command>,
    /// Every keyword that any of them knows.
    keywords: Vec<Vec<u8>>,
    /// Indexes of the commands that can wait.
    waiting: Vec<usize>,
}

/// The option with which a command waits.
const WAIT: &str = "WAIT";

impl Grammar {
    pub fn read(client: &mut Client) -> Grammar {
        let names = client.run("COMMAND LIST FILTERBY MODULE appkit");
        let mut names: Vec<String> = names.items().iter().map(|name| name.text()).collect();
        // The server's order is that of a hash table; a seed must mean the same every time.
        names.sort();
        let commands = names.into_iter().map(|name| {
            let info = command_info(client, &name);
            Command {
                readonly: info.flags.contains("readonly"),
                deletes: info
                    .key_specs
                    .iter()
                    .any(|spec| spec.flags.contains("delete")),
                arguments: command_docs(client, &name).arguments,
                name,
            }
        });
        let commands: Vec<Command> = commands.collect();
        let mut keywords = BTreeSet::new();
        let mut waiting = Vec::new();
        for (index, command) in commands.iter().enumerate() {
            let own = tokens(&command.arguments);
            if own.contains(WAIT) {
                waiting.push(index);
            }
            keywords.extend(own);
        }
        assert!(!commands.is_empty(), "the module has no commands");
        Grammar {
            commands,
            keywords: keywords.into_iter().map(String::into_bytes).collect(),
            waiting,
        }
    }

    /// Which command to call; one that can wait, if `waiting` and there is one.
    pub fn pick(&self, dice: &mut Dice, waiting: bool) -> usize {
        if waiting && !self.waiting.is_empty() && !dice.one_in(4) {
            return *dice.pick(&self.waiting);
        }
        let index = dice.index(self.commands.len());
        match self.commands[index].deletes && dice.one_in(2) {
            // Something must be left to work on.
            true => dice.index(self.commands.len()),
            false => index,
        }
    }

    /// The commands of the same family as `index`, itself included.
    pub fn relatives(&self, index: usize) -> Vec<usize> {
        let family = self.commands[index].family();
        let all = 0..self.commands.len();
        all.filter(|other| self.commands[*other].family() == family)
            .collect()
    }

    /// A call of command `index` as its documentation has it, on `key`; its numbers and words may
    /// still be refused.
    pub fn right_call(&self, dice: &mut Dice, seen: &Seen, index: usize, key: &[u8]) -> Call {
        let command = &self.commands[index];
        let mut call = vec![command.name.clone().into_bytes()];
        let mut writer = Writer {
            dice,
            seen,
            key,
            call: &mut call,
            depth: 0,
        };
        writer.arguments(&command.arguments);
        call
    }

    /// Makes a call wrong in one to three ways, or right in another way.
    pub fn mutate(&self, dice: &mut Dice, seen: &Seen, call: &mut Call) {
        for _ in 0..dice.between(1, 3) {
            let last = call.len();
            let place = dice.between(1, last);
            let inside = place < last;
            match dice.below(16) {
                0 | 1 if inside => drop(call.remove(place)),
                2 if inside => call.insert(place, call[place].clone()),
                3 if inside => call.swap(place, random_place(dice, last)),
                4 => call.truncate(place),
                5 if inside => call[place] = values::edge_number(dice),
                6 => call.insert(place, values::edge_number(dice)),
                7 if inside => call[place] = dice.bytes(40),
                8 => call.insert(place, dice.bytes(5)),
                9 if inside && dice.one_in(12) => call[place] = values::huge(dice),
                10 | 11 => call.insert(place, dice.pick(&self.keywords).clone()),
                12 if inside => call[place] = values::damaged(dice, &call[place]),
                13 if inside => call[place].make_ascii_lowercase(),
                14 => call.extend_from_within(place..),
                15 if dice.one_in(20) => call.extend((0..1500).map(|_| b"1".to_vec())),
                _ if inside => call[place] = values::word(dice, seen, &call[1]),
                _ => call.push(values::usual_number(dice)),
            }
        }
    }
}

fn random_place(dice: &mut Dice, last: usize) -> usize {
    dice.between(1, last - 1)
}

/// Keeps a call from waiting longer than `longest_ms`. (Inside MULTI and scripts none waits.)
pub fn limit_wait(call: &mut Call, longest_ms: u64) {
    for place in 1..call.len() {
        if !call[place - 1].eq_ignore_ascii_case(WAIT.as_bytes()) {
            continue;
        }
        let value = std::str::from_utf8(&call[place]).unwrap_or_default();
        if value.parse::<u64>().is_ok_and(|ms| ms > longest_ms) {
            call[place] = (longest_ms.to_string()).into_bytes();
        }
    }
}

fn tokens(arguments: &[Argument]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for argument in arguments {
        if !argument.token.is_empty() {
            found.insert(argument.token.clone());
        }
        found.extend(tokens(&argument.arguments));
    }
    found
}

/// Writes arguments as their documentation has them.
struct Writer<'a> {
    dice: &'a mut Dice,
    seen: &'a Seen,
    key: &'a [u8],
    call: &'a mut Call,
    /// How many blocks the argument is in.
    depth: usize,
}

impl Writer<'_> {
    /// Positional arguments stay in their order; a run of options comes in any.
    fn arguments(&mut self, arguments: &[Argument]) {
        let first_option = arguments.iter().rposition(|a| !is_option(a));
        let (positional, options) = arguments.split_at(first_option.map_or(0, |last| last + 1));
        for argument in positional {
            self.argument(argument);
        }
        let mut options: Vec<&Argument> = options.iter().collect();
        while !options.is_empty() {
            let next = options.swap_remove(self.dice.index(options.len()));
            self.argument(next);
        }
    }

    fn argument(&mut self, argument: &Argument) {
        // What is optional inside a block tends to go with one of many options only.
        let chances = if self.depth > 0 { 8 } else { 3 };
        if argument.flags.contains("optional") && !self.dice.one_in(chances) {
            return;
        }
        let times = match argument.flags.contains("multiple") {
            true if self.dice.one_in(20) => 9,
            true if self.dice.one_in(2) => self.dice.between(2, 3),
            _ => 1,
        };
        for time in 0..times {
            let again = argument.flags.contains("multiple_token");
            if !argument.token.is_empty() && (time == 0 || again) {
                self.call.push(argument.token.clone().into_bytes());
            }
            self.value(argument);
        }
    }

    fn value(&mut self, argument: &Argument) {
        let value = match argument.kind.as_str() {
            "pure-token" => return,
            "oneof" => {
                let one = self.dice.pick(&argument.arguments);
                return self.argument(one);
            }
            "block" => {
                self.depth += 1;
                self.arguments(&argument.arguments);
                self.depth -= 1;
                return;
            }
            // The first key is the caller's; more of them are any.
            "key" if self.call.len() == 1 => self.key.to_vec(),
            "key" => values::key(self.dice),
            "integer" if self.dice.one_in(30) => values::edge_number(self.dice),
            "integer" => values::usual_number(self.dice),
            _ if argument.name == "json" => values::document(self.dice),
            _ if self.dice.one_in(400) => values::huge(self.dice),
            _ => values::word(self.dice, self.seen, self.key),
        };
        self.call.push(value);
    }
}

fn is_option(argument: &Argument) -> bool {
    argument.flags.contains("optional")
}
