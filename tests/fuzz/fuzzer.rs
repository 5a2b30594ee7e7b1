//! The fuzzer itself: one thread that keeps several connections busy at once.

use crate::checks::{self, Observation};
use crate::connection::{Connection, Purpose, Sent};
use crate::generator::Generator;
use crate::support::{Protocol, Reply, Server, info};

/// How many commands there are between two looks at data and memory, at most.
const ROUND: u64 = 50_000;

/// After so many commands each command must have found what it asks for.
const LONG_RUN: u64 = 200_000;

/// What used memory may grow by over a whole run, beyond one byte a command.
const MEMORY_SLACK: i64 = 1 << 20;

/// How often a command was answered, and how.
#[derive(Default)]
struct Tally {
    replies: u64,
    errors: u64,
    nils: u64,
}

pub struct Fuzzer {
    seed: u64,
    generator: Generator,
    connections: Vec<Connection>,
    /// The connection that was used last.
    current: usize,
    /// One for each command.
    tallies: Vec<Tally>,
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
                .module_args("appkit.cl-throttle yes")
                // Every call passes through the slow log, redaction included.
                .config("slowlog-log-slower-than 0")
                .config("repl-backlog-size 64kb")
        };
        let primary = options().start();
        let replica = options().replica_of(&primary).start();
        let generator = Generator::new(seed, &mut primary.client());
        let commands = generator.grammar.commands.iter();
        let tallies = commands.map(|_| Tally::default()).collect();
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
            generator,
            connections,
            current: 0,
            tallies,
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
            self.generator.unblocks = !self.generator.unblocks;
            let first = *at_first.get_or_insert(memory);
            let grown = memory - first;
            let allowed = MEMORY_SLACK + i64::try_from(self.sent).expect("a count");
            assert!(
                grown < allowed,
                "{grown} bytes more after {} commands",
                self.sent
            );
        }
        self.assert_reached();
    }

    /// Fails unless every command was both served and refused: else the rest says nothing.
    fn assert_reached(&self) {
        for (command, tally) in self.generator.grammar.commands.iter().zip(&self.tallies) {
            // "There is none" is soon had; something to find takes a while.
            let nothing = if self.sent < LONG_RUN { 0 } else { tally.nils };
            let reached = tally.errors > 0 && tally.replies > tally.errors + nothing;
            assert!(reached, "{} was not both served and refused", command.name);
        }
        assert!(self.observed > 0, "no call was observed");
    }

    /// A line for each command, and what the module itself has counted.
    pub fn summary(&self) -> String {
        let mut lines = format!("{} commands, {} observed\n", self.sent, self.observed);
        for (command, tally) in self.generator.grammar.commands.iter().zip(&self.tallies) {
            let Tally {
                replies,
                errors,
                nils,
            } = tally;
            let name = &command.name;
            lines += &format!(
                "{name:24} {replies:>8} replies, {errors:>8} of them errors, {nils:>8} nil\n"
            );
        }
        for (name, value) in info(&mut self.primary.client(), "appkit") {
            lines += &format!("{name}:{value} ");
        }
        lines
    }

    fn step(&mut self) {
        let dice = &mut self.generator.dice;
        // Waits take time, so the connections that may wait have their turn less often.
        let patient = dice.one_in(10);
        let suitable = self.connections.iter().enumerate();
        let suitable = suitable.filter(|(_, connection)| connection.patient == patient);
        let suitable: Vec<usize> = suitable.map(|(index, _)| index).collect();
        self.current = *dice.pick(&suitable);
        self.read_replies();
        if self.generator.dice.one_in(60) {
            return self.leave();
        }
        if !patient && self.generator.dice.one_in(4) {
            return self.converse();
        }
        self.send();
        // Else others come in between, and this one's replies are read when its turn comes.
        if self.generator.dice.one_in(2) && !self.connections[self.current].patient {
            self.read_replies();
        }
    }

    /// One call after the other, each with what the one before was told.
    fn converse(&mut self) {
        let index = self.generator.grammar.pick(&mut self.generator.dice, false);
        for _ in 0..self.generator.dice.between(3, 12) {
            let call = self.generator.next_in_conversation(index);
            self.sent += 1;
            self.connections[self.current].send(call);
            self.read_replies();
        }
    }

    fn send(&mut self) {
        let ids: Vec<i64> = self.connections.iter().map(|c| c.id).collect();
        let connection = &mut self.connections[self.current];
        let calls = match connection.patient {
            true => self.generator.waiting_batch(&ids),
            false => self.generator.batch(),
        };
        self.sent += calls.len() as u64;
        connection.send(calls);
    }

    /// The connection breaks off; before that, replies may be on their way and calls waiting.
    fn leave(&mut self) {
        self.send();
        self.connections[self.current].reopen(&self.primary);
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
                self.generator.received(index, &sent.call, reply);
                if let Some(key) = sent.call.get(1) {
                    self.remember_words(key, reply, 3);
                }
            }
            (Purpose::Observed(index), exec) => {
                let Some(observation) = Observation::of(exec) else {
                    return;
                };
                observation.check(self.generator.grammar.commands[index].readonly);
                self.observed += 1;
                self.tally(index, observation.reply());
            }
            (Purpose::Text, Reply::Bulk(state)) => self.generator.seen.strings.push(state.clone()),
            (Purpose::Payload, Reply::Bulk(payload)) => {
                self.generator.seen.dumps.push(payload.clone())
            }
            (Purpose::Fields, Reply::Array(_) | Reply::Map(_)) => self.remember_fields(reply),
            _ => {}
        }
    }

    fn tally(&mut self, index: usize, reply: &Reply) {
        let tally = &mut self.tallies[index];
        tally.replies += 1;
        tally.errors += u64::from(reply.is_error());
        tally.nils += u64::from(reply.is_nil());
    }

    fn remember_words(&mut self, key: &[u8], reply: &Reply, depth: usize) {
        match reply {
            // Names of fields and documents are of no use, and what is deep inside is rarely asked for.
            Reply::Bulk(word)
                if (16..=100).contains(&word.len())
                    && word[0] != b'{'
                    && (depth > 1 || self.generator.dice.one_in(6)) =>
            {
                self.generator.seen.remember(key, word);
            }
            Reply::Array(items) if depth > 0 => {
                for item in items.iter().take(4) {
                    self.remember_words(key, item, depth - 1);
                }
            }
            Reply::Map(pairs) if depth > 0 => {
                for (_, value) in pairs.iter().take(8) {
                    self.remember_words(key, value, depth - 1);
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
                self.generator
                    .seen
                    .fields
                    .push((name.clone(), value.clone()));
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
        for restore in self.generator.neighbours.restore_settings() {
            let mut command = redis::Cmd::new();
            for word in &restore {
                command.arg(&word[..]);
            }
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
