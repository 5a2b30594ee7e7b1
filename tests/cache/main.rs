//! `APP.CACHE.*` at real servers, one file a concern. What the table of leases promises is tested
//! without a server, next to it; here it is what callers, and everybody who writes to the same keys,
//! make of it.

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
mod availability;
mod caller;
mod contexts;
mod early;
mod errors;
mod loading;
mod memory;
mod model;
mod replication;
mod side_effects;
mod stampede;
mod values;
mod voiding;
mod waiting;
