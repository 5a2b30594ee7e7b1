//! Locks: one holder at a time, a fence for each hold, and a line of waiters in the server.
//!
//! - [`arguments`]: what a call asks for
//! - [`state`]: the string that a lock is
//! - [`fence`]: the numbers that grow with every hold
//! - [`commands`]: the commands, and what a line of waiters does when it may move

mod arguments;
mod commands;
mod fence;
mod state;

pub use commands::{Extend, Info, LINES, Lock, Unlock};
