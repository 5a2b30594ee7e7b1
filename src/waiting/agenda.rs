//! What is due when. Times are Unix times in milliseconds.

use std::collections::BTreeSet;

use super::{LineId, WaiterId};

/// Alarms of lines and of waiters, and what waits for nothing but an occasion.
pub struct Agenda {
    lines: BTreeSet<(u64, LineId)>,
    waits: BTreeSet<(u64, WaiterId)>,
    hold_off_ms: u64,
}

impl Agenda {
    /// Nothing to do.
    pub const fn new() -> Agenda {
        Agenda {
            lines: BTreeSet::new(),
            waits: BTreeSet::new(),
            hold_off_ms: 0,
        }
    }

    /// Moves the alarm of a line.
    pub fn set_line(&mut self, line: LineId, old: Option<u64>, new: Option<u64>) {
        if let Some(old) = old {
            self.lines.remove(&(old, line));
        }
        if let Some(new) = new {
            self.lines.insert((new, line));
        }
    }

    /// Adds the end of a wait.
    pub fn add_wait(&mut self, at_ms: u64, id: WaiterId) {
        self.waits.insert((at_ms, id));
    }

    /// Forgets the end of a wait.
    pub fn drop_wait(&mut self, at_ms: u64, id: WaiterId) {
        self.waits.remove(&(at_ms, id));
    }

    /// Lines may not move before `at_ms`; 0 lets them. Waits end all the same.
    pub fn hold_off(&mut self, at_ms: u64) {
        self.hold_off_ms = at_ms;
    }

    /// Lines whose alarm has come.
    pub fn due_lines(&self, now_ms: u64) -> impl Iterator<Item = LineId> {
        self.lines
            .iter()
            .take_while(move |(at_ms, _)| *at_ms <= now_ms)
            .map(|(_, line)| *line)
    }

    /// Waiters whose time is up.
    pub fn due_waits(&self, now_ms: u64) -> impl Iterator<Item = WaiterId> {
        self.waits
            .iter()
            .take_while(move |(at_ms, _)| *at_ms <= now_ms)
            .map(|(_, id)| *id)
    }

    /// When to come back; `None` is never. `work_waits`: there is work for lines besides alarms.
    pub fn next_ms(&self, work_waits: bool) -> Option<u64> {
        let line = if work_waits {
            Some(0)
        } else {
            self.lines.first().map(|(at_ms, _)| *at_ms)
        };
        let line = line.map(|at_ms| at_ms.max(self.hold_off_ms));
        let wait = self.waits.first().map(|(at_ms, _)| *at_ms);
        [line, wait].into_iter().flatten().min()
    }
}
