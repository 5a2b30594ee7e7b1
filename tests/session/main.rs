//! `APP.SESSION.*` at a real server, one file a concern. The rules are tested without a server,
//! next to them; here it is what a client, a replica, an ACL or a restart makes of them.

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
mod cost;
mod documents;
mod errors;
mod foreign_hashes;
mod memory;
mod model;
mod persistence;
mod races;
mod registration;
mod replicas;
mod replication;
mod reply_shapes;
mod rotation;
mod secrecy;
mod semantics;
mod side_effects;
mod timing;
