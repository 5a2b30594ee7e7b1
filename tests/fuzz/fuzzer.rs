//! The fuzzer itself: one thread that keeps several connections busy at once.

use std::collections::BTreeMap;

use crate::checks::{self, Observation};
use crate::connection::{Connection, Purpose, Sent};
use crate::grammar::{Grammar, limit_wait};
use crate::neighbours::Neighbours;
use crate::random::Random;
use crate::support::{Protocol, Reply, Server, info};
use crate::values::{self, Call, Seen, call};

/// How many commands there are between two looks at data and memory, at most.
const ROUND: u64 = 50_000;

/// What used memory may grow by over a whole run, beyond one byte a command.
const MEMORY_SLACK: i64 = 1 << 20;

/// The longest wait on a connection for waiting, in milliseconds.
const LONGEST_WAIT_MS: u64 = 15;

const SCRIPTS: [&str; 4] = [
    "return redis.call(unpack(ARGV))",
    "local r = redis.pcall(unpack(ARGV)) redis.pcall(unpack(ARGV)) return r",
    "redis.setresp(3) return {redis.pcall(unpack(ARGV)), redis.call('EXISTS', KEYS[1])}",
    "redis.call('SET', KEYS[1], 'from a script', 'PX', 5) return redis.pcall(unpack(ARGV))",
];

/// How often a command was answered, and how.
#[derive(Default)]
struct Tally {
    replies: u64,
    errors: u64,
}

pub struct Fuzzer {
    seed: u64,
    random: Random,
    seen: Seen,
    grammar: Grammar,
    neighbours: Neighbours,
    connections: Vec<Connection>,
    /// The connection that was used last.
    current: usize,
    tallies: BTreeMap<usize, Tally>,
    observed: u64,
    sent: u64,
    /// Connections first, servers last: each is closed in this order.
    primary: Server,
    replica: Server,
}

impl Fuzzer {
    pub fn start(seed: u64) -> Fuzzer {
        let options = || {
            Server::builder()
                // Every call passes through the slow log, redaction included.
                .config("slowlog-log-slower-than 0")
                .config("repl-backlog-size 64kb")
        };
        let primary = options().start();
        let replica = options().replica_of(&primary).start();
        let mut client = primary.client();
        let grammar = Grammar::read(&mut client);
        let neighbours = Neighbours::read(&mut client);
        let open = |name, protocol, tracking, patient| {
            Connection::open(&primary, name, protocol, tracking, patient)
        };
        let connections = vec![
            open("one (RESP2)", Protocol::RESP2, false, false),
            open("two (RESP2)", Protocol::RESP2, false, false),
            open("three (RESP3)", Protocol::RESP3, false, false),
            open("four (RESP3, tracking)", Protocol::RESP3, true, false),
            open("five (RESP2, waits)", Protocol::RESP2, false, true),
            open("six (RESP3, waits)", Protocol::RESP3, false, true),
        ];
        Fuzzer {
            seed,
            random: Random::new(seed),
            seen: Seen::default(),
            grammar,
            neighbours,
            connections,
            current: 0,
            tallies: BTreeMap::new(),
            observed: 0,
            sent: 0,
            primary,
            replica,
        }
    }

    /// Sends `commands` commands, with a look at everything every now and then and at the end.
    pub fn run(&mut self, commands: u64) {
        let round = ROUND.min(commands.div_ceil(2));
        let mut at_first = None;
        while self.sent < commands {
            let end = commands.min(self.sent + round);
            while self.sent < end {
                self.step();
            }
            let memory = self.look_at_everything();
            let first = *at_first.get_or_insert(memory);
            let grown = memory - first;
            let allowed = MEMORY_SLACK + i64::try_from(self.sent).expect("a count");
            assert!(
                grown < allowed,
                "{grown} bytes more after {} commands",
                self.sent
            );
        }
        for (index, command) in self.grammar.commands.iter().enumerate() {
            let tally = self.tallies.get(&index);
            let reached = tally.is_some_and(|t| t.errors > 0 && t.replies > t.errors);
            assert!(reached, "{} was not both served and refused", command.name);
        }
        assert!(self.observed > 0, "no call was observed");
    }

    /// A line for each command.
    pub fn summary(&self) -> String {
        let mut lines = format!("{} commands, {} observed\n", self.sent, self.observed);
        for (index, tally) in &self.tallies {
            let name = &self.grammar.commands[*index].name;
            let Tally { replies, errors } = tally;
            lines += &format!("{name:24} {replies:>8} replies, {errors:>8} of them errors\n");
        }
        lines
    }

    fn step(&mut self) {
        self.current = self.random.below(self.connections.len());
        self.read_replies();
        if self.random.one_in(60) {
            return self.leave();
        }
        let calls = self.batch();
        self.sent += calls.len() as u64;
        self.connections[self.current].send(calls);
        // Else others come in between, and this one's replies are read when its turn comes.
        if self.random.one_in(2) && !self.connections[self.current].patient {
            self.read_replies();
        }
    }

    /// The connection breaks off; before that, replies may be on their way and calls waiting.
    fn leave(&mut self) {
        let calls = self.batch();
        self.sent += calls.len() as u64;
        self.connections[self.current].send(calls);
        self.connections[self.current].reopen(&self.primary);
    }

    fn batch(&mut self) -> Vec<(Call, Purpose)> {
        if self.connections[self.current].patient {
            return self.waiting_batch();
        }
        match self.random.below(10) {
            0 | 1 => self.transaction(),
            2..=4 => self.observation(),
            5 if self.random.one_in(3) => self.at_full_memory(),
            6 => self.pipeline(100),
            _ => self.pipeline(12),
        }
    }

    fn pipeline(&mut self, longest: usize) -> Vec<(Call, Purpose)> {
        let length = self.random.from_to(1, longest);
        (0..length).map(|_| self.any_call()).collect()
    }

    /// A few calls, some of which wait, on a connection that can.
    fn waiting_batch(&mut self) -> Vec<(Call, Purpose)> {
        let length = self.random.from_to(1, 4);
        let mut calls: Vec<_> = (0..length)
            .map(|_| {
                let (mut call, index) = self.our_call(true);
                limit_wait(&mut call, LONGEST_WAIT_MS);
                (call, Purpose::Ours(index))
            })
            .collect();
        if self.random.one_in(8) {
            let id = self.connections[self.random.below(self.connections.len())].id;
            let how = *self.random.pick(&["TIMEOUT", "ERROR"]);
            calls.push((call(&format!("CLIENT UNBLOCK {id} {how}")), Purpose::Other));
        }
        calls
    }

    fn transaction(&mut self) -> Vec<(Call, Purpose)> {
        let mut calls = Vec::new();
        if self.random.one_in(3) {
            let key = values::key(&mut self.random);
            calls.push((vec![b"WATCH".to_vec(), key], Purpose::Other));
        }
        calls.push((call("MULTI"), Purpose::Other));
        for _ in 0..self.random.from_to(1, 8) {
            let inside = match self.random.one_in(3) {
                true => self.neighbour().0,
                false => self.our_call(false).0,
            };
            calls.push((inside, Purpose::Wrapped));
        }
        let end = if self.random.one_in(8) {
            "DISCARD"
        } else {
            "EXEC"
        };
        calls.push((call(end), Purpose::Wrapped));
        calls
    }

    /// A call with a look at its key before and behind it.
    fn observation(&mut self) -> Vec<(Call, Purpose)> {
        let (ours, index) = self.our_call(false);
        let Some(key) = ours.get(1).cloned() else {
            return vec![(ours, Purpose::Ours(index))];
        };
        let look = |words: &str| {
            let words = words.split(' ').map(|word| word.as_bytes().to_vec());
            (words.chain([key.clone()]).collect(), Purpose::Wrapped)
        };
        let (digest, expiry) = ("DEBUG DIGEST-VALUE", "PEXPIRETIME");
        vec![
            (call("MULTI"), Purpose::Other),
            look(digest),
            look(expiry),
            (ours, Purpose::Wrapped),
            look(digest),
            look(expiry),
            (call("EXEC"), Purpose::Observed(index)),
        ]
    }

    fn at_full_memory(&mut self) -> Vec<(Call, Purpose)> {
        let mut calls = vec![(call("CONFIG SET maxmemory 1"), Purpose::Other)];
        calls.extend(self.pipeline(10));
        calls.push((call("CONFIG SET maxmemory 0"), Purpose::Other));
        calls
    }

    fn any_call(&mut self) -> (Call, Purpose) {
        match self.random.below(20) {
            0..=6 => self.neighbour(),
            7 => {
                let script = *self.random.pick(&SCRIPTS);
                let name = if self.random.one_in(10) {
                    "EVAL_RO"
                } else {
                    "EVAL"
                };
                let (ours, _) = self.our_call(false);
                let key = ours.get(1).cloned().unwrap_or_default();
                let mut eval: Call = vec![name.into(), script.into(), b"1".to_vec(), key];
                eval.extend(ours);
                (eval, Purpose::Wrapped)
            }
            8 => {
                let mut keys = call("COMMAND GETKEYSANDFLAGS");
                keys.extend(self.our_call(false).0);
                (keys, Purpose::Wrapped)
            }
            _ => {
                let (mut call, index) = self.our_call(false);
                limit_wait(&mut call, 0);
                (call, Purpose::Ours(index))
            }
        }
    }

    fn our_call(&mut self, waiting: bool) -> (Call, usize) {
        let (random, seen) = (&mut self.random, &self.seen);
        let index = self.grammar.pick(random, waiting);
        let key = values::key(random);
        let mut call = self.grammar.right_call(random, seen, index, &key);
        if random.one_in(3) {
            self.grammar.mutate(random, seen, &mut call);
        }
        (call, index)
    }

    fn neighbour(&mut self) -> (Call, Purpose) {
        let key = values::key(&mut self.random);
        self.neighbours.pick(&mut self.random, &self.seen, key)
    }

    /// Reads and checks what the current connection is still owed.
    fn read_replies(&mut self) {
        while let Some((sent, reply)) = self.connections[self.current].next_reply() {
            checks::errors_have_codes(&reply);
            self.take(&sent, &reply);
        }
    }

    fn take(&mut self, sent: &Sent, reply: &Reply) {
        match (sent.purpose, reply) {
            (Purpose::Ours(index), reply) => {
                self.tally(index, reply);
                self.remember_words(reply, 3);
            }
            (Purpose::Observed(index), exec) => {
                let Some(observation) = Observation::of(exec) else {
                    return;
                };
                observation.check(self.grammar.commands[index].readonly);
                self.observed += 1;
                self.tally(index, observation.reply());
                self.remember_words(observation.reply(), 3);
            }
            (Purpose::Text, Reply::Bulk(state)) => self.seen.strings.push(state.clone()),
            (Purpose::Payload, Reply::Bulk(payload)) => self.seen.dumps.push(payload.clone()),
            (Purpose::Fields, Reply::Array(_) | Reply::Map(_)) => self.remember_fields(reply),
            _ => {}
        }
    }

    fn tally(&mut self, index: usize, reply: &Reply) {
        let tally = self.tallies.entry(index).or_default();
        tally.replies += 1;
        tally.errors += u64::from(reply.is_error());
    }

    fn remember_words(&mut self, reply: &Reply, depth: usize) {
        match reply {
            Reply::Bulk(word) if (1..=300).contains(&word.len()) => {
                self.seen.words.push(word.clone());
            }
            Reply::Array(items) if depth > 0 => {
                for item in items.iter().take(4) {
                    self.remember_words(item, depth - 1);
                }
            }
            Reply::Map(pairs) if depth > 0 => {
                for (_, value) in pairs.iter().take(8) {
                    self.remember_words(value, depth - 1);
                }
            }
            _ => {}
        }
    }

    fn remember_fields(&mut self, hash: &Reply) {
        let flat: Vec<&Reply> = match hash {
            Reply::Array(items) => items.iter().collect(),
            Reply::Map(pairs) => pairs
                .iter()
                .flat_map(|(name, value)| [name, value])
                .collect(),
            _ => return,
        };
        for pair in flat.chunks_exact(2).take(6) {
            if let [Reply::Bulk(name), Reply::Bulk(value)] = pair {
                self.seen.fields.push((name.clone(), value.clone()));
            }
        }
    }

    /// All replies in, both servers alive, the replica equal. Ends with empty databases and returns
    /// the memory that is in use then.
    fn look_at_everything(&mut self) -> i64 {
        for current in 0..self.connections.len() {
            self.current = current;
            self.read_replies();
            assert!(self.connections[current].is_idle());
            self.connections[current].reopen(&self.primary);
        }
        let mut control = self.primary.client();
        control.run("CLIENT UNPAUSE").ok();
        control.run("CONFIG SET maxmemory 0").ok();
        for restore in self.neighbours.restore_settings() {
            let mut command = redis::Cmd::new();
            restore.iter().for_each(|word| drop(command.arg(&word[..])));
            control.call(&command).ok();
        }
        control.run("DEBUG SET-ACTIVE-EXPIRE 0").ok();
        self.primary.assert_healthy();
        self.replica.assert_healthy();
        for server in [&self.primary, &self.replica] {
            assert_eq!(server.client().run("PING").text(), "PONG");
            assert!(
                !server.log().contains("panicked at"),
                "the module has panicked"
            );
        }
        checks::replica_is_equal(&self.primary, &self.replica);
        control.run("DEBUG SET-ACTIVE-EXPIRE 1").ok();
        let full_syncs = &info(&mut control, "stats")["sync_full"];
        assert_eq!(full_syncs, "1", "the replica has lost its link");
        drop(control);
        checks::memory_without_data(&self.primary, self.connections.len() + 2)
    }
}

impl Drop for Fuzzer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let connection = &self.connections[self.current];
            eprintln!(
                "fuzz: APPKIT_FUZZ_SEED={} after {} commands, on connection {}; last calls, `?` not answered yet:\n{}",
                self.seed,
                self.sent,
                connection.name,
                connection.last_calls()
            );
        }
    }
}
