//! The lines of a family: what its commands do with them.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;

use redis_module::raw;

use super::super::api::rm;
use super::super::call::{Call, clock_us};
use super::events;
use super::family::{Family, KEY};
use super::gate::{Gate, gate, in_cluster};
use super::main_thread::MainThread;
use super::{blocking, tick};
use crate::args::Arguments;
use crate::error::Error;
use crate::settings;
use crate::waiting::{LineId, Table};

/// Look at a line again that should have moved and could not, after so many milliseconds.
pub const RETRY_MS: u64 = 5;

/// In a cluster, how often to see whether a line's slot is still ours: not every server tells.
const SLOT_CHECK_MS: u64 = 1000;

/// All lines of a family. One static for each.
pub struct Lines<F: Family>(MainThread<State<F>>);

struct State<F: Family> {
    table: RefCell<Table<F::Request, Answer<F>>>,
    /// The timer that wakes the lines, and when it does (Unix time in milliseconds).
    timer: Cell<Option<(raw::RedisModuleTimerID, u64)>>,
    /// The line that is being moved: events at its key are of our own making then.
    moving: Cell<Option<LineId>>,
}

/// What a waiter gets.
pub enum Answer<F: Family> {
    /// What the family has decided.
    Decided(F::Answer),
    /// The line could not go on.
    Failed(Error),
}

/// A line in which somebody stands.
pub struct Line<F: Family> {
    id: LineId,
    family: PhantomData<F>,
}

impl<F: Family> Clone for Line<F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: Family> Copy for Line<F> {}

impl<F: Family> Line<F> {
    pub(super) fn new(id: LineId) -> Line<F> {
        let family = PhantomData;
        Line { id, family }
    }

    /// What the first in line asks for; `None` if nobody is left.
    pub fn head(self) -> Option<F::Request> {
        F::lines().with(|table| table.head(self.id).cloned())
    }

    /// What the one who stands in line as `name` asks for.
    pub fn named(self, name: &[u8]) -> Option<F::Request> {
        F::lines().with(|table| table.named(self.id, name).cloned())
    }

    /// Answers the first in line.
    pub fn answer_head(self, answer: F::Answer) {
        F::lines().with(|table| table.answer_head(self.id, Answer::Decided(answer)));
    }

    /// Answers the one who stands in line as `name`; says whether somebody does.
    pub fn answer_named(self, name: &[u8], answer: F::Answer) -> bool {
        F::lines().with(|table| table.answer_named(self.id, name, Answer::Decided(answer)))
    }

    /// Answers the first in line with an error.
    pub fn fail_head(self, error: Error) {
        F::lines().with(|table| table.answer_head(self.id, Answer::Failed(error)));
    }

    /// How many stand in line.
    pub fn len(self) -> usize {
        F::lines().with(|table| table.parties(self.id))
    }
}

impl<F: Family> Lines<F> {
    /// Nobody waits.
    pub const fn new() -> Lines<F> {
        Lines(MainThread::new(State {
            table: RefCell::new(Table::new()),
            timer: Cell::new(None),
            moving: Cell::new(None),
        }))
    }

    /// Works on the table. `work` calls nothing of the server: that could call back.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Table<F::Request, Answer<F>>) -> T) -> T {
        let mut table = self.0.table.borrow_mut();
        let result = work(&mut table);
        let waiting = u64::try_from(table.waiting());
        F::waiting().set(waiting.unwrap_or(u64::MAX));
        result
    }

    /// The line for the key of `call`, if somebody stands in it.
    pub fn line(&self, call: &Call<'_>) -> Option<Line<F>> {
        if self.with(|table| table.len()) == 0 {
            return None;
        }
        let (db, key) = (call.db(), call.get(KEY)?);
        self.with(|table| table.line(db, key)).map(Line::new)
    }

    /// Lets the line for the key of `call` move if it can. For commands that a newcomer could use
    /// to get in before the line.
    pub fn advance(&self, call: &Call<'_>) {
        // SAFETY: the context is that of the running callback.
        let may_move = || unsafe { gate(call.ctx) } == Gate::Open;
        if let Some(line) = self.line(call).filter(|_| may_move()) {
            self.moving(call, line, |line| F::advance(call, line));
        }
    }

    /// Moves a line by `step`, which returns what [`Family::advance`] does.
    pub fn moving(
        &self,
        call: &Call<'_>,
        line: Line<F>,
        step: impl FnOnce(Line<F>) -> Option<u64>,
    ) {
        let quiet = self.quiet(line.id);
        let until_ms = step(line);
        drop(quiet);
        self.expect(call, line, until_ms);
        // SAFETY: the context is that of the running callback.
        unsafe { self.arm(call.ctx) };
    }

    /// Sets when to look at the line again.
    fn expect(&self, call: &Call<'_>, line: Line<F>, until_ms: Option<u64>) {
        let now_ms = call.now_ms();
        // In the very millisecond of its expiry a key is still there.
        let end = until_ms.map(|until_ms| match until_ms.saturating_add(1) {
            end if end > now_ms => end,
            _ => now_ms.saturating_add(RETRY_MS),
        });
        // SAFETY: the context is that of the running callback.
        let check = unsafe { in_cluster(call.ctx) }.then(|| now_ms.saturating_add(SLOT_CHECK_MS));
        let alarm_ms = end.into_iter().chain(check).min();
        self.with(|table| table.set_until(line.id, until_ms, alarm_ms));
    }

    /// Puts the client of `call` at the end of the line for its key, for `wait_ms` milliseconds. What
    /// it waits for ends at `until_ms` by itself. `false` if the client cannot be kept waiting.
    pub fn wait(
        &self,
        call: &Call<'_>,
        request: F::Request,
        wait_ms: u64,
        until_ms: Option<u64>,
    ) -> bool {
        let Some(key) = call.get(KEY).filter(|_| call.may_wait() && has_room()) else {
            return false;
        };
        // SAFETY: the context is that of the running command.
        let blocked = unsafe {
            events::subscribe(call.ctx, events::ENDS_OF_KEYS);
            blocking::block::<F>(call.ctx)
        };
        let Some(id) = blocked else { return false };
        let (db, deadline_ms) = (call.db(), call.now_ms().saturating_add(wait_ms));
        let line = self.with(|table| table.join(db, key, id, request, deadline_ms));
        self.expect(call, Line::new(line), until_ms);
        // SAFETY: as above.
        unsafe { self.arm(call.ctx) };
        true
    }

    /// Something happened to the key at argument `index` of `call` of which the server tells nobody:
    /// its line, if there is one, is looked at behind the command.
    pub fn look_again(&self, call: &Call<'_>, index: usize) {
        if self.with(|table| table.len()) == 0 {
            return;
        }
        let (db, key) = (call.db(), call.get(index).unwrap_or_default());
        if self.with(|table| table.note(db, key)) {
            // SAFETY: the context is that of the running callback.
            unsafe { self.arm(call.ctx) };
        }
    }

    /// Answers the one who stands in line for the key of `call` as `name`, if somebody does.
    pub fn answer_named(&self, call: &Call<'_>, name: &[u8], answer: impl FnOnce() -> F::Answer) {
        if self
            .line(call)
            .is_some_and(|line| line.answer_named(name, answer()))
        {
            // SAFETY: the context is that of the running callback.
            unsafe { self.arm(call.ctx) };
        }
    }

    /// The caller learns now what it was given in line, if `is_it` picks out the answer: that need
    /// not be taken back any more if its waiting clients are gone.
    pub fn confirm(&self, call: &Call<'_>, is_it: impl Fn(&F::Answer) -> bool) {
        let Some(key) = call.get(KEY) else { return };
        let db = call.db();
        self.with(|table| {
            table.confirm(
                db,
                key,
                |answer| matches!(answer, Answer::Decided(answer) if is_it(answer)),
            );
        });
    }

    /// Sets the timer for what is due next.
    ///
    /// # Safety
    /// `ctx` is that of a running callback.
    pub(super) unsafe fn arm(&self, ctx: *mut raw::RedisModuleCtx) {
        let next_ms = self.with(|table| table.next_ms());
        let armed = self.0.timer.get();
        // A timer that comes too early sets itself again.
        if let (Some(next_ms), Some((_, armed_ms))) = (next_ms, armed)
            && armed_ms <= next_ms
        {
            return;
        }
        // SAFETY: as the caller vouches; the timer is ours and carries no data.
        unsafe {
            if let Some((timer, _)) = self.0.timer.take() {
                rm!(RedisModule_StopTimer(ctx, timer, std::ptr::null_mut()));
            }
            let Some(next_ms) = next_ms else { return };
            let period_ms = next_ms.saturating_sub(clock_us() / 1000);
            let period_ms = i64::try_from(period_ms).unwrap_or(i64::MAX);
            let nothing = std::ptr::null_mut();
            let timer = rm!(RedisModule_CreateTimer(
                ctx,
                period_ms,
                Some(tick::on_timer::<F>),
                nothing
            ));
            self.0.timer.set(Some((timer, next_ms)));
        }
    }

    /// The timer has fired, so it is no more.
    pub(super) fn disarmed(&self) {
        self.0.timer.set(None);
    }

    /// Ignores events at the key of `line` as long as the guard lives.
    pub(super) fn quiet(&self, line: LineId) -> Quiet<'_> {
        Quiet::begin(&self.0.moving, line)
    }

    /// The line that is being moved.
    pub(super) fn moving_line(&self) -> Option<LineId> {
        self.0.moving.get()
    }
}

fn has_room() -> bool {
    let most = usize::try_from(settings::MAX_WAITERS.get()).unwrap_or(0);
    events::waiters() < most
}

/// Ends with its scope, a panic included.
pub struct Quiet<'a> {
    moving: &'a Cell<Option<LineId>>,
    before: Option<LineId>,
}

impl<'a> Quiet<'a> {
    fn begin(moving: &'a Cell<Option<LineId>>, line: LineId) -> Quiet<'a> {
        let before = moving.replace(Some(line));
        Quiet { moving, before }
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        self.moving.set(self.before);
    }
}
