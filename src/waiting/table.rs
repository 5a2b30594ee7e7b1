//! All lines and all waiters of a family.
//!
//! A waiter stands in line until something is decided about it; then it is out of the line and has
//! an answer, which its client gets a moment later; and it stays in the table until the server
//! lets go of it. A client may vanish at any of these points. An answer that nobody got comes back
//! from [`Table::forget`], so that what was given can be passed on.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::agenda::Agenda;
use super::line::{Line, LineId, Seat};
use super::{Place, Request, WaiterId};

/// What was decided about a party: one answer for all its waiters.
pub struct Answered<A> {
    /// The key of the line.
    pub place: Rc<Place>,
    /// The answer.
    pub answer: A,
    delivered: Cell<bool>,
}

impl<A> Answered<A> {
    /// Whether the caller knows: the answer was written to one of the party's clients, or the
    /// caller has learned it in another way.
    pub fn is_delivered(&self) -> bool {
        self.delivered.get()
    }
}

enum Stage<A> {
    Waiting { line: LineId, seat: Seat },
    Answered(Rc<Answered<A>>),
    Ended,
}

struct Waiter<R, A> {
    request: R,
    deadline_ms: u64,
    stage: Stage<A>,
    /// The number of what was decided about its party, if it was while the waiter stood in line.
    answer: Option<u64>,
    /// Whether the server was told to let go of the client. It may be told once.
    released: bool,
}

/// Lines by key and waiters by identity.
pub struct Table<R, A> {
    lines: BTreeMap<LineId, Line>,
    by_key: BTreeMap<i32, BTreeMap<Vec<u8>, LineId>>,
    waiters: BTreeMap<WaiterId, Waiter<R, A>>,
    agenda: Agenda,
    noted: BTreeSet<LineId>,
    changed: BTreeSet<LineId>,
    decided: Vec<WaiterId>,
    in_flight: BTreeMap<u64, Rc<Answered<A>>>,
    undelivered: Vec<Rc<Answered<A>>>,
    next_number: u64,
    waiting: usize,
}

impl<R: Request, A> Table<R, A> {
    /// Nobody waits.
    pub const fn new() -> Table<R, A> {
        Table {
            lines: BTreeMap::new(),
            by_key: BTreeMap::new(),
            waiters: BTreeMap::new(),
            agenda: Agenda::new(),
            noted: BTreeSet::new(),
            changed: BTreeSet::new(),
            decided: Vec::new(),
            in_flight: BTreeMap::new(),
            undelivered: Vec::new(),
            next_number: 0,
            waiting: 0,
        }
    }

    /// How many calls stand in line.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many calls the server holds for the table, those with an answer included.
    pub fn len(&self) -> usize {
        self.waiters.len()
    }

    /// The line for a key, if somebody stands in it.
    pub fn line(&self, db: i32, key: &[u8]) -> Option<LineId> {
        self.by_key.get(&db)?.get(key).copied()
    }

    /// The key of a line, while there is the line.
    pub fn place(&self, line: LineId) -> Option<Rc<Place>> {
        self.lines.get(&line).map(|line| Rc::clone(&line.place))
    }

    /// How many parties stand in a line.
    pub fn parties(&self, line: LineId) -> usize {
        self.lines.get(&line).map_or(0, Line::len)
    }

    /// Puts a waiter at the end of the line for a key, or beside those of the same name.
    /// `deadline_ms` ends its wait.
    pub fn join(
        &mut self,
        db: i32,
        key: &[u8],
        id: WaiterId,
        request: R,
        deadline_ms: u64,
    ) -> LineId {
        let line = self.line(db, key).unwrap_or_else(|| self.open(db, key));
        let seat = Seat(self.number());
        let seat = match self.lines.get_mut(&line) {
            Some(line) => line.join(seat, request.name(), id),
            None => seat,
        };
        let waiter = Waiter {
            request,
            deadline_ms,
            stage: Stage::Waiting { line, seat },
            answer: None,
            released: false,
        };
        self.waiters.insert(id, waiter);
        self.agenda.add_wait(deadline_ms, id);
        self.waiting = self.waiting.saturating_add(1);
        line
    }

    fn open(&mut self, db: i32, key: &[u8]) -> LineId {
        let id = LineId(self.number());
        let place = Place {
            db,
            key: key.to_vec(),
        };
        self.lines.insert(id, Line::new(Rc::new(place)));
        self.by_key.entry(db).or_default().insert(key.to_vec(), id);
        id
    }

    fn number(&mut self) -> u64 {
        self.next_number = self.next_number.wrapping_add(1);
        self.next_number
    }

    /// What the first in line asks for.
    pub fn head(&self, line: LineId) -> Option<&R> {
        let line = self.lines.get(&line)?;
        self.request_at(line, line.head()?)
    }

    /// What the one who stands in line as `name` asks for.
    pub fn named(&self, line: LineId, name: &[u8]) -> Option<&R> {
        let line = self.lines.get(&line)?;
        self.request_at(line, line.seat_of(name)?)
    }

    fn request_at(&self, line: &Line, seat: Seat) -> Option<&R> {
        Some(&self.waiters.get(&line.first_of(seat)?)?.request)
    }

    /// Answers the first in line.
    pub fn answer_head(&mut self, line: LineId, answer: A) {
        if let Some(seat) = self.lines.get(&line).and_then(Line::head) {
            self.answer(line, seat, answer);
        }
    }

    /// Answers the one who stands in line as `name`; says whether somebody does.
    pub fn answer_named(&mut self, line: LineId, name: &[u8], answer: A) -> bool {
        let seat = self.lines.get(&line).and_then(|line| line.seat_of(name));
        if let Some(seat) = seat {
            self.answer(line, seat, answer);
        }
        seat.is_some()
    }

    fn answer(&mut self, line_id: LineId, seat: Seat, answer: A) {
        let Some(line) = self.lines.get_mut(&line_id) else {
            return;
        };
        let party = line.take(seat);
        let answered = Rc::new(Answered {
            place: Rc::clone(&line.place),
            answer,
            delivered: Cell::new(false),
        });
        let number = self.number();
        for id in party {
            self.decide(id, Stage::Answered(Rc::clone(&answered)));
            self.waiters
                .entry(id)
                .and_modify(|w| w.answer = Some(number));
            self.decided.push(id);
        }
        self.in_flight.insert(number, answered);
        self.close_if_empty(line_id);
    }

    /// Ends the wait of one waiter alone, without result. `answer` is made from when what the line
    /// waits for ends by itself, as far as known.
    pub fn give_up(&mut self, id: WaiterId, answer: impl FnOnce(Option<u64>) -> A) {
        let Some((line, _)) = self.position(id) else {
            return;
        };
        let until_ms = self.lines.get(&line).and_then(|line| line.until_ms);
        let Some(place) = self.leave(id) else { return };
        let answered = Rc::new(Answered {
            place,
            answer: answer(until_ms),
            delivered: Cell::new(false),
        });
        if let Some(waiter) = self.waiters.get_mut(&id) {
            waiter.stage = Stage::Answered(answered);
            self.decided.push(id);
        }
    }

    /// Takes a waiter out of its line without an answer. Returns the key of the line, or `None` if
    /// it did not stand in line any more.
    pub fn leave(&mut self, id: WaiterId) -> Option<Rc<Place>> {
        let (line_id, seat) = self.position(id)?;
        let line = self.lines.get_mut(&line_id)?;
        let place = Rc::clone(&line.place);
        line.leave(seat, id);
        self.decide(id, Stage::Ended);
        self.close_if_empty(line_id);
        Some(place)
    }

    fn position(&self, id: WaiterId) -> Option<(LineId, Seat)> {
        match self.waiters.get(&id)?.stage {
            Stage::Waiting { line, seat } => Some((line, seat)),
            _ => None,
        }
    }

    fn decide(&mut self, id: WaiterId, stage: Stage<A>) {
        if let Some(waiter) = self.waiters.get_mut(&id) {
            waiter.stage = stage;
            self.agenda.drop_wait(waiter.deadline_ms, id);
            self.waiting = self.waiting.saturating_sub(1);
        }
    }

    fn close_if_empty(&mut self, id: LineId) {
        let Some(line) = self.lines.get(&id).filter(|line| line.len() == 0) else {
            return;
        };
        self.agenda.set_line(id, line.alarm_ms, None);
        self.noted.remove(&id);
        self.changed.remove(&id);
        if let Some(keys) = self.by_key.get_mut(&line.place.db) {
            keys.remove(&line.place.key);
            if keys.is_empty() {
                self.by_key.remove(&line.place.db);
            }
        }
        self.lines.remove(&id);
    }

    /// The line was looked at: it waits for something that ends at `until_ms` by itself. Look again
    /// at `alarm_ms`.
    pub fn set_until(&mut self, id: LineId, until_ms: Option<u64>, alarm_ms: Option<u64>) {
        if let Some(line) = self.lines.get_mut(&id) {
            self.agenda.set_line(id, line.alarm_ms, alarm_ms);
            line.until_ms = until_ms;
            line.alarm_ms = alarm_ms;
        }
    }

    /// Something happened to a key: its line, if there is one, is to be looked at. Says whether
    /// there is one.
    pub fn note(&mut self, db: i32, key: &[u8]) -> bool {
        let line = self.line(db, key);
        self.noted.extend(line);
        line.is_some()
    }

    /// Something happened to a whole database, or to all of them. Says whether there are lines.
    pub fn note_db(&mut self, db: Option<i32>) -> bool {
        let lines: Vec<LineId> = match db {
            None => self.lines.keys().copied().collect(),
            Some(db) => {
                let keys = self.by_key.get(&db).into_iter();
                keys.flat_map(BTreeMap::values).copied().collect()
            }
        };
        self.noted.extend(&lines);
        !lines.is_empty()
    }

    /// The lines noted since the last call, and no others.
    pub fn take_noted(&mut self) -> Vec<LineId> {
        std::mem::take(&mut self.noted).into_iter().collect()
    }

    /// Leaves what was noted to [`Table::take_lines`].
    pub fn postpone(&mut self) {
        self.changed.append(&mut self.noted);
    }

    /// The lines to look at: those noted, those whose alarm has come, those in which somebody's
    /// time is up.
    pub fn take_lines(&mut self, now_ms: u64) -> Vec<LineId> {
        self.agenda.hold_off(0);
        self.postpone();
        let mut lines = std::mem::take(&mut self.changed);
        lines.extend(self.agenda.due_lines(now_ms));
        let waits = self.agenda.due_waits(now_ms);
        lines.extend(waits.filter_map(|id| Some(self.position(id)?.0)));
        lines.into_iter().collect()
    }

    /// Nothing may be done for lines before `until_ms`.
    pub fn hold_off(&mut self, until_ms: u64) {
        self.agenda.hold_off(until_ms);
    }

    /// Waiters in line whose time is up.
    pub fn due_waits(&self, now_ms: u64) -> Vec<WaiterId> {
        self.agenda.due_waits(now_ms).collect()
    }

    /// Waiters that have got an answer since the last call.
    pub fn take_decided(&mut self) -> Vec<WaiterId> {
        std::mem::take(&mut self.decided)
    }

    /// Asks to let go of a waiter's client: true the first time, as the server may be told once.
    pub fn release(&mut self, id: WaiterId) -> bool {
        let waiter = self.waiters.get_mut(&id);
        waiter.is_some_and(|waiter| !std::mem::replace(&mut waiter.released, true))
    }

    /// The answer that is now being written to the waiter's client. It counts as delivered.
    pub fn deliver(&mut self, id: WaiterId) -> Option<Rc<Answered<A>>> {
        let waiter = self.waiters.get_mut(&id)?;
        match std::mem::replace(&mut waiter.stage, Stage::Ended) {
            Stage::Answered(answered) => {
                answered.delivered.set(true);
                Some(answered)
            }
            stage => {
                waiter.stage = stage;
                None
            }
        }
    }

    /// The server has let go of a waiter's client. If that was the last of its party and none has
    /// got the answer, the answer is there for [`Table::take_undelivered`].
    pub fn forget(&mut self, id: WaiterId) {
        self.leave(id);
        let number = self.waiters.remove(&id).and_then(|waiter| waiter.answer);
        // From now on the identity may be another waiter's.
        self.decided.retain(|decided| *decided != id);
        let Some(number) = number else { return };
        // Held by nobody but this list: all clients of the party are gone, or have it.
        let last = |answered: &Rc<Answered<A>>| Rc::strong_count(answered) == 1;
        if self.in_flight.get(&number).is_some_and(last) {
            let answered = self.in_flight.remove(&number);
            self.undelivered
                .extend(answered.filter(|answered| !answered.is_delivered()));
        }
    }

    /// Answers that nobody got.
    pub fn take_undelivered(&mut self) -> Vec<Rc<Answered<A>>> {
        std::mem::take(&mut self.undelivered)
    }

    /// The caller has learned in another way what was decided for it: answers for a key that `is_it`
    /// picks out need not be passed on any more.
    pub fn confirm(&mut self, db: i32, key: &[u8], is_it: impl Fn(&A) -> bool) {
        for answered in self.in_flight.values().chain(&self.undelivered) {
            let place = &answered.place;
            if place.db == db && place.key == key && is_it(&answered.answer) {
                answered.delivered.set(true);
            }
        }
    }

    /// When there is something to do (0 is at once); `None` is never.
    pub fn next_ms(&self) -> Option<u64> {
        if !self.decided.is_empty() {
            return Some(0);
        }
        let lines_wait = !self.noted.is_empty() || !self.changed.is_empty();
        self.agenda
            .next_ms(lines_wait || !self.undelivered.is_empty())
    }
}
