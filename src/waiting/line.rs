//! One line: first come, first served.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::{Place, WaiterId};

/// Names a line. Never used twice, so an old one names nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineId(pub(super) u64);

/// A place in a line, in order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seat(pub(super) u64);

/// Those who wait for one key. A party is one caller: the calls that wait under one name.
pub struct Line {
    /// The key.
    pub place: Rc<Place>,
    /// When what the line waits for ends by itself (Unix time in milliseconds), as far as known.
    pub until_ms: Option<u64>,
    /// When to look at the key again.
    pub alarm_ms: Option<u64>,
    parties: BTreeMap<Seat, Party>,
    names: BTreeMap<Vec<u8>, Seat>,
}

struct Party {
    name: Option<Vec<u8>>,
    waiters: Vec<WaiterId>,
}

impl Line {
    /// An empty line.
    pub fn new(place: Rc<Place>) -> Line {
        Line {
            place,
            until_ms: None,
            alarm_ms: None,
            parties: BTreeMap::new(),
            names: BTreeMap::new(),
        }
    }

    /// How many parties stand in it.
    pub fn len(&self) -> usize {
        self.parties.len()
    }

    /// Adds a waiter: at the end, on `seat`, or beside those who wait under the same name.
    pub fn join(&mut self, seat: Seat, name: Option<&[u8]>, id: WaiterId) -> Seat {
        if let Some(seat) = name.and_then(|name| self.seat_of(name))
            && let Some(party) = self.parties.get_mut(&seat)
        {
            party.waiters.push(id);
            return seat;
        }
        let name = name.map(<[u8]>::to_vec);
        if let Some(name) = &name {
            self.names.insert(name.clone(), seat);
        }
        let waiters = vec![id];
        self.parties.insert(seat, Party { name, waiters });
        seat
    }

    /// Removes one waiter. Its party keeps its place as long as somebody waits under its name.
    pub fn leave(&mut self, seat: Seat, id: WaiterId) {
        let Some(party) = self.parties.get_mut(&seat) else {
            return;
        };
        party.waiters.retain(|other| *other != id);
        if party.waiters.is_empty() {
            self.take(seat);
        }
    }

    /// The first in line.
    pub fn head(&self) -> Option<Seat> {
        self.parties.keys().next().copied()
    }

    /// Where `name` stands.
    pub fn seat_of(&self, name: &[u8]) -> Option<Seat> {
        self.names.get(name).copied()
    }

    /// The one in a party who has waited longest.
    pub fn first_of(&self, seat: Seat) -> Option<WaiterId> {
        self.parties.get(&seat)?.waiters.first().copied()
    }

    /// Takes a party out of the line.
    pub fn take(&mut self, seat: Seat) -> Vec<WaiterId> {
        let Some(party) = self.parties.remove(&seat) else {
            return Vec::new();
        };
        if let Some(name) = &party.name {
            self.names.remove(name);
        }
        party.waiters
    }
}
