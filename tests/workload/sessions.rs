//! Sessions: what was acknowledged is there, what was ended stays ended.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use super::ledger::Ledger;
use super::{Caller, Dice, Outcome};

/// One owner's sessions, as their only user knows them.
pub struct Owner {
    key: String,
    ids: u64,
    live: BTreeMap<String, Live>,
    ended: VecDeque<(String, Instant)>,
    /// Sessions, changes and ends that were acknowledged.
    pub promises: u64,
}

/// A session that is live, with the number in its document.
struct Live {
    number: u64,
    /// A change whose reply was lost may have happened.
    maybe: Option<u64>,
    since: Instant,
}

/// The most sessions of one owner, and the most ended ones that are watched.
const MOST: usize = 6;

impl Owner {
    pub fn new(tag: &str, number: usize) -> Owner {
        Owner {
            key: format!("{tag}sessions:{number}"),
            ids: 0,
            live: BTreeMap::new(),
            ended: VecDeque::new(),
            promises: 0,
        }
    }

    pub fn step(&mut self, caller: &mut Caller, dice: &mut Dice, ledger: &Ledger) {
        let live: Vec<String> = self.live.keys().cloned().collect();
        if live.is_empty() || (live.len() < MOST && dice.one_in(3)) {
            return self.create(caller);
        }
        let id = dice.pick(&live).clone();
        match dice.below(12) {
            0..=3 => self.update(&id, caller, ledger),
            4..=5 => self.revoke(&id, caller, ledger),
            6 => self.rotate(&id, caller, ledger),
            7 if dice.one_in(3) => self.revoke_all(caller, ledger),
            8 if !self.ended.is_empty() => {
                let (id, since) = self.ended[dice.below(self.ended.len() as u64) as usize].clone();
                self.look_at_ended(&id, since, caller, ledger);
            }
            _ => self.look(&id, caller, ledger),
        }
    }

    fn create(&mut self, caller: &mut Caller) {
        self.ids += 1;
        let id = format!("session-{:016}", self.ids);
        let call = format!(
            "APP.SESSION.CREATE {} EX 3600 ID {id} DATA {{\"n\":0}}",
            self.key
        );
        match caller.run(&call) {
            Outcome::Reply(_) => {
                caller.did("session_created");
                self.is_live(&id, 0);
            }
            // It may be there; asking again with the same id is safe.
            Outcome::Unknown => {
                if let Outcome::Reply(_) = caller.run(&call) {
                    self.is_live(&id, 0);
                }
            }
            Outcome::Refused(_) => {}
        }
    }

    fn is_live(&mut self, id: &str, number: u64) {
        self.promises += 1;
        let live = Live {
            number,
            maybe: None,
            since: Instant::now(),
        };
        self.live.insert(id.to_owned(), live);
    }

    fn has_ended(&mut self, id: &str) {
        self.promises += 1;
        self.live.remove(id);
        self.ended.push_back((id.to_owned(), Instant::now()));
        if self.ended.len() > 4 * MOST {
            self.ended.pop_front();
        }
    }

    fn update(&mut self, id: &str, caller: &mut Caller, ledger: &Ledger) {
        let Some(live) = self.live.get(id) else {
            return;
        };
        let next = live.maybe.unwrap_or(live.number) + 1;
        let call = format!("APP.SESSION.UPDATE {} {id} {{\"n\":{next}}}", self.key);
        match caller.run(&call) {
            Outcome::Unknown => {
                if let Some(live) = self.live.get_mut(id) {
                    live.maybe = Some(next);
                }
            }
            outcome => match outcome.reply::<Option<String>>() {
                Some(Some(_)) => {
                    caller.did("session_updated");
                    self.is_live(id, next);
                }
                Some(None) => self.is_missing(id, "UPDATE", ledger),
                None => {}
            },
        }
    }

    fn revoke(&mut self, id: &str, caller: &mut Caller, ledger: &Ledger) {
        match caller.run(&format!("APP.SESSION.REVOKE {} {id}", self.key)) {
            // It may be live or not: nothing is promised about it any more.
            Outcome::Unknown => drop(self.live.remove(id)),
            outcome => match outcome.reply::<i64>() {
                Some(1) => {
                    caller.did("session_revoked");
                    self.has_ended(id);
                }
                Some(_) => self.is_missing(id, "REVOKE", ledger),
                None => {}
            },
        }
    }

    fn revoke_all(&mut self, caller: &mut Caller, ledger: &Ledger) {
        let ids: Vec<String> = self.live.keys().cloned().collect();
        match caller.run(&format!("APP.SESSION.REVOKEALL {}", self.key)) {
            Outcome::Unknown => self.live.clear(),
            outcome => {
                let Some(count) = outcome.reply::<usize>() else {
                    return;
                };
                caller.did_times("session_revoked", count as u64);
                if count < ids.len() {
                    let text = format!("{}: {count} of {} revoked", self.key, ids.len());
                    let latest = self.live.values().map(|live| live.since).max();
                    ledger.broken("session lost", latest.unwrap_or_else(Instant::now), text);
                }
                for id in ids {
                    self.has_ended(&id);
                }
            }
        }
    }

    fn rotate(&mut self, id: &str, caller: &mut Caller, ledger: &Ledger) {
        let number = self.live.get(id).map_or(0, |live| live.number);
        let maybe = self.live.get(id).and_then(|live| live.maybe);
        match caller.run(&format!("APP.SESSION.ROTATE {} {id}", self.key)) {
            // The new id is lost with the reply.
            Outcome::Unknown => drop(self.live.remove(id)),
            outcome => match outcome.reply::<Option<String>>() {
                Some(Some(new)) => {
                    caller.did("session_rotated");
                    self.has_ended(id);
                    self.is_live(&new, number);
                    if let Some(live) = self.live.get_mut(&new) {
                        live.maybe = maybe;
                    }
                }
                Some(None) => self.is_missing(id, "ROTATE", ledger),
                None => {}
            },
        }
    }

    fn look(&mut self, id: &str, caller: &mut Caller, ledger: &Ledger) {
        let document = caller.run(&format!("APP.SESSION.GET {} {id}", self.key));
        if let Some(document) = document.reply::<Option<String>>() {
            self.judge(id, document.as_deref(), ledger);
        }
    }

    fn judge(&mut self, id: &str, document: Option<&str>, ledger: &Ledger) {
        let Some(document) = document else {
            return self.is_missing(id, "GET", ledger);
        };
        let Some(live) = self.live.get_mut(id) else {
            return;
        };
        let number = document
            .strip_prefix("{\"n\":")
            .and_then(|rest| rest.strip_suffix('}'));
        let number = number.and_then(|number| number.parse::<u64>().ok());
        let number = number.unwrap_or_else(|| panic!("{id} holds {document}"));
        let known = live.maybe.unwrap_or(live.number);
        if number < live.number {
            let text = format!("{} {id}: {number} after {}", self.key, live.number);
            ledger.broken("change lost", live.since, text);
        } else if number > known {
            let text = format!(
                "{} {id}: {number}, and only {known} was asked for",
                self.key
            );
            ledger.broken("change invented", live.since, text);
        }
        // Seen now, so it is there.
        live.number = number;
    }

    fn is_missing(&mut self, id: &str, call: &str, ledger: &Ledger) {
        if let Some(live) = self.live.remove(id) {
            ledger.broken(
                "session lost",
                live.since,
                format!("{} {id} at {call}", self.key),
            );
        }
    }

    fn look_at_ended(&mut self, id: &str, since: Instant, caller: &mut Caller, ledger: &Ledger) {
        let document = caller.run(&format!("APP.SESSION.GET {} {id}", self.key));
        if let Some(Some(_)) = document.reply::<Option<String>>() {
            let text = format!("{} {id} is live again", self.key);
            ledger.broken("session came back", since, text);
            self.ended.retain(|(ended, _)| ended != id);
        }
    }

    /// Goes through all of it.
    pub fn audit(&mut self, caller: &mut Caller, ledger: &Ledger) {
        let ids: Vec<String> = self.live.keys().cloned().collect();
        for id in ids {
            let document: Option<String> =
                caller.ask(&format!("APP.SESSION.GET {} {id}", self.key));
            self.judge(&id, document.as_deref(), ledger);
        }
        for (id, since) in self.ended.clone() {
            self.look_at_ended(&id, since, caller, ledger);
        }
    }
}
