//! The cache: get or load a value, with one loader at a time.
//!
//! A value is a plain string under its own key. Who loads it is kept in memory alone: a lease says
//! that its holder may fill the key, as long as nobody else has changed it. Everything but the
//! commands is pure: times, random bits and keys come in as arguments. Times are the server's Unix
//! time in milliseconds, spans are milliseconds.
//!
//! - [`commands`], [`arguments`]: the command layer and the syntax
//! - [`lease`]: what a loader holds
//! - [`leases`]: all leases and backoffs, by key

mod arguments;
mod commands;
mod lease;
mod leases;

#[cfg(test)]
mod leases_test;

pub use commands::{Fill, GetOrLoad, GetOrSet, Invalidate, LINES, Release};
