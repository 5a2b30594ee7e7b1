//! The cache: get or load a value, with one loader at a time.
//!
//! A value is a plain string under its own key. Who loads it is kept in memory alone: a lease says
//! that its holder may fill the key, as long as nobody else has changed it. Everything but the
//! commands is pure: times, random bits and keys come in as arguments. Times are the server's Unix
//! time in milliseconds, spans are milliseconds.
//!
//! Whatever changes a key voids its lease, told by the server's keyspace events. The one thing that
//! emits none is a `DEL` of a key that is not there. A command filter on `DEL` was tried and left out:
//! it sees a command when it comes in, so it misses a `DEL` that a transaction queued before the lease
//! was given, and it adds 7 % of instructions to every `GET` of the server while leases are out.
//! `APP.CACHE.INVALIDATE` takes the place of `DEL`.
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
