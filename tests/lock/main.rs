//! `APP.LOCK`, `APP.UNLOCK`, `APP.LOCK.EXTEND` and `APP.LOCK.INFO` at real servers, one file a
//! concern. What a line of waiters does by itself is tested without a server, next to it.
//!
//! `APPKIT_LONG=1` runs the long forms of the tests that repeat.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod caller;
mod cluster;
mod contexts;
mod crowd;
mod demotion;
mod errors;
mod fences;
mod hostile;
mod leaving;
mod memory;
mod model;
mod moving;
mod other_module;
mod pause;
mod persistence;
mod replication;
mod semantics;
mod side_effects;
mod speed;
mod standing;
