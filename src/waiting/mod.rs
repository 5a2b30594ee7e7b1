//! Lines of waiters: who waits for which key, in which order, since when and until when.
//!
//! Pure bookkeeping, used by every family whose commands may wait. What it knows of a waiter is an
//! identity, what was asked for and what was decided; clients, timers and keys are the server's side.
//!
//! - [`line`]: one line, first come, first served
//! - [`agenda`]: what is due when
//! - [`table`]: all lines and all waiters of a family

mod agenda;
mod line;
mod table;

#[cfg(test)]
mod table_test;

use std::num::NonZeroUsize;

pub use line::LineId;
pub use table::Table;

/// Names a waiter as long as it is in the table. Chosen by whoever lets it wait, who may use it again
/// for another waiter once the table has forgotten the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaiterId(pub NonZeroUsize);

/// What a waiter asks for.
pub trait Request {
    /// The name under which it stands in line. A name stands in a line once, however many calls wait
    /// under it; `None` has a place of its own.
    fn name(&self) -> Option<&[u8]>;
}

/// The key that a line is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Number of the database.
    pub db: i32,
    /// Name of the key.
    pub key: Vec<u8>,
}
