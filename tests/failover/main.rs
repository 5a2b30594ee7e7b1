//! Another server takes over: by `FAILOVER`, by hand, by Sentinel; and the pauses around it.

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

mod joining;
mod pair;
mod paused;
mod planned;
mod sentinel;
mod shutdown;
