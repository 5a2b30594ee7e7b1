//! What the fuzzer sends in one go: pipelines, transactions, scripts, waits.

use std::collections::{BTreeMap, BTreeSet};

use crate::connection::Purpose;
use crate::grammar::{Grammar, limit_wait};
use crate::neighbours::Neighbours;
use crate::support::Dice;
use crate::support::{Client, Reply};
use crate::values::{self, Call, Ring, Seen, call};

/// The longest wait on a connection for waiting, in milliseconds.
const LONGEST_WAIT_MS: u64 = 8;

const SCRIPTS: [&str; 4] = [
    "return redis.call(unpack(ARGV))",
    "local r = redis.pcall(unpack(ARGV)) redis.pcall(unpack(ARGV)) return r",
    "redis.setresp(3) return {redis.pcall(unpack(ARGV)), redis.call('EXISTS', KEYS[1])}",
    "redis.call('SET', KEYS[1], 'from a script', 'PX', 5) return redis.pcall(unpack(ARGV))",
];

/// Makes up what is sent, from a seed and from what was replied before.
pub struct Generator {
    pub dice: Dice,
    pub seen: Seen,
    pub grammar: Grammar,
    pub neighbours: Neighbours,
    /// For each family the key that most of its calls go to for a while, so that they find what
    /// others have left.
    hot_keys: BTreeMap<String, Vec<u8>>,
    /// For each family the last calls that were served, to be called again in one form or another.
    served: BTreeMap<String, Ring<Call>>,
    /// Whether clients are unblocked or else writes paused. Redis 8.0 does not survive both at once:
    /// it panics at `CLIENT UNBLOCK` of a client that only waits for the end of a pause.
    pub unblocks: bool,
    /// Keys to delete, as commands of the module cannot work on them.
    spoilt: BTreeSet<Vec<u8>>,
}

impl Generator {
    pub fn new(seed: u64, client: &mut Client) -> Generator {
        Generator {
            dice: Dice::new(seed),
            seen: Seen::default(),
            grammar: Grammar::read(client),
            neighbours: Neighbours::read(client),
            hot_keys: BTreeMap::new(),
            served: BTreeMap::new(),
            unblocks: false,
            spoilt: BTreeSet::new(),
        }
    }

    /// Takes note of the reply to `call`, of the module's command `index`.
    pub fn received(&mut self, index: usize, call: &Call, reply: &Reply) {
        match (call.get(1), reply) {
            (Some(key), Reply::Error(text)) if text.starts_with("WRONGTYPE") => {
                self.spoilt.insert(key.clone());
            }
            (_, Reply::Error(_) | Reply::Nil) => {}
            (Some(_), _) if call.iter().map(Vec::len).sum::<usize>() < 1000 => {
                let family = self.grammar.commands[index].family();
                let served = self.served.entry(family.to_owned()).or_default();
                served.push(call.clone());
            }
            _ => {}
        }
    }

    /// What to send next on an ordinary connection.
    pub fn batch(&mut self) -> Vec<(Call, Purpose)> {
        if self.dice.one_in(8) {
            let families = self.hot_keys.keys().cloned().collect::<Vec<_>>();
            if !families.is_empty() {
                let family = self.dice.pick(&families).clone();
                self.hot_keys.remove(&family);
            }
        }
        let spoilt = std::mem::take(&mut self.spoilt).into_iter();
        let mut calls: Vec<_> = spoilt
            .filter(|_| self.dice.one_in(2))
            .map(|key| (vec![b"DEL".to_vec(), key], Purpose::Other))
            .collect();
        calls.extend(self.body());
        calls
    }

    fn body(&mut self) -> Vec<(Call, Purpose)> {
        match self.dice.below(10) {
            0 if !self.unblocks && self.dice.one_in(20) => {
                vec![(call("CLIENT PAUSE 4 WRITE"), Purpose::Other)]
            }
            0 | 1 => self.transaction(),
            2..=4 => self.observation(),
            5 if self.dice.one_in(3) => self.at_full_memory(),
            6 if self.dice.one_in(3) => self.pipeline(100),
            _ => self.pipeline(10),
        }
    }

    fn pipeline(&mut self, longest: usize) -> Vec<(Call, Purpose)> {
        let length = self.dice.between(1, longest);
        (0..length).map(|_| self.any_call()).collect()
    }

    /// A few calls, some of which wait, on a connection that can.
    /// `ids` are those of connections that may be unblocked.
    pub fn waiting_batch(&mut self, ids: &[i64]) -> Vec<(Call, Purpose)> {
        let length = self.dice.between(1, 4);
        let mut calls: Vec<_> = (0..length)
            .map(|_| {
                let (mut call, index) = self.our_call(true);
                limit_wait(&mut call, LONGEST_WAIT_MS);
                (call, Purpose::Ours(index))
            })
            .collect();
        if self.unblocks && self.dice.one_in(8) {
            let id = *self.dice.pick(ids);
            let how = *self.dice.pick(&["TIMEOUT", "ERROR"]);
            calls.push((call(&format!("CLIENT UNBLOCK {id} {how}")), Purpose::Other));
        }
        calls
    }

    fn transaction(&mut self) -> Vec<(Call, Purpose)> {
        let mut calls = Vec::new();
        if self.dice.one_in(3) {
            let key = values::key(&mut self.dice);
            calls.push((vec![b"WATCH".to_vec(), key], Purpose::Other));
        }
        calls.push((call("MULTI"), Purpose::Other));
        for _ in 0..self.dice.between(1, 8) {
            let inside = match self.dice.one_in(3) {
                true => self.neighbour().0,
                false => self.our_call(false).0,
            };
            calls.push((inside, Purpose::Wrapped));
        }
        let end = if self.dice.one_in(8) {
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
            look(expiry),
            look(digest),
            (ours, Purpose::Wrapped),
            look(expiry),
            look(digest),
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
        match self.dice.below(20) {
            0..=4 => self.neighbour(),
            5 => {
                let script = *self.dice.pick(&SCRIPTS);
                let name = if self.dice.one_in(10) {
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
            6 => {
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
        let index = self.grammar.pick(&mut self.dice, waiting);
        let mut call = match self.dice.one_in(3) {
            true => self.call_like_before(index),
            false => self.new_call(index),
        };
        if self.dice.one_in(4) {
            self.grammar.mutate(&mut self.dice, &self.seen, &mut call);
        }
        (call, index)
    }

    /// A call of `index` or a relative of it, for which the last reply may have what it takes.
    pub fn next_in_conversation(&mut self, index: usize) -> Vec<(Call, Purpose)> {
        let relatives = self.grammar.relatives(index);
        let index = *self.dice.pick(&relatives);
        let key = self.hot_key(index);
        let mut call = self.right_call(index, &key);
        limit_wait(&mut call, 0);
        vec![(call, Purpose::Ours(index))]
    }

    fn new_call(&mut self, index: usize) -> Call {
        let key = match self.dice.one_in(4) {
            true => values::key(&mut self.dice),
            false => self.hot_key(index),
        };
        self.right_call(index, &key)
    }

    fn right_call(&mut self, index: usize, key: &[u8]) -> Call {
        let (dice, seen) = (&mut self.dice, &self.seen);
        self.grammar.right_call(dice, seen, index, key)
    }

    /// With the arguments that this command or a relative of it was served with before.
    fn call_like_before(&mut self, index: usize) -> Call {
        let command = &self.grammar.commands[index];
        let served = self.served.get(command.family());
        match served.and_then(|served| served.pick(&mut self.dice)) {
            Some(before) => {
                let mut call = before.clone();
                call[0] = command.name.clone().into_bytes();
                call
            }
            None => self.new_call(index),
        }
    }

    fn hot_key(&mut self, index: usize) -> Vec<u8> {
        let family = self.grammar.commands[index].family().to_owned();
        let dice = &mut self.dice;
        let key = self.hot_keys.entry(family);
        key.or_insert_with(|| values::key(dice)).clone()
    }

    fn neighbour(&mut self) -> (Call, Purpose) {
        let hot_keys: Vec<&Vec<u8>> = self.hot_keys.values().collect();
        let key = match hot_keys.is_empty() || self.dice.one_in(2) {
            true => values::key(&mut self.dice),
            false => self.dice.pick(&hot_keys).to_vec(),
        };
        self.neighbours.pick(&mut self.dice, &self.seen, key)
    }
}
