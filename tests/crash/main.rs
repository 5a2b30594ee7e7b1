//! A server that dies under load: what was acknowledged is there when it comes back, and what was
//! ended stays ended.

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

mod kill;
mod truncated;
