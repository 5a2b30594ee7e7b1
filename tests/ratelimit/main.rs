//! `APP.RATELIMIT`, `APP.RATELIMIT.PEEK` and `APP.RATELIMIT.REFUND` at a real server, one file a
//! concern. What the algorithms compute is tested without a server, next to them; here it is what
//! a client, a replica, an ACL or a restart makes of it.

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
mod capacity;
mod cl_throttle;
mod concurrency;
mod contexts;
mod errors;
mod expiry;
mod foreign_values;
mod memory;
mod persistence;
mod refund;
mod registration;
mod replication;
mod reply_shapes;
mod semantics;
mod side_effects;
mod timing;
