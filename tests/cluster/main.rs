//! A cluster of three primaries and three replicas, real processes: routing, refusals across slots,
//! slots that move under load, a primary that dies.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "../support/mod.rs"]
mod support;
#[path = "../workload/mod.rs"]
mod workload;

mod commands;
mod death;
mod nodes;
mod reshard;
mod waiters;
