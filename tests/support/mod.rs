//! What every integration suite stands on: real servers, raw and ordinary connections, and
//! observers of everything a command may leave behind (replication stream, keyspace events,
//! data set).
//!
//! | file | subject |
//! |---|---|
//! | `module.rs` | builds the `.so` once a process |
//! | `process.rs` | the process of a server: started, ready, killed |
//! | `server.rs` | a server of one's own: start, restart, crash detection |
//! | `resp.rs` | a raw connection: exact frames of RESP2 and RESP3 |
//! | `replication.rs` | what a primary propagates, command by command |
//! | `replicas.rs` | replicas that have what their primary has |
//! | `cluster.rs` | nodes that own slots and know each other |
//! | `scripts.rs` | calls that come from scripts and functions |
//! | `keyspace.rs` | keyspace events |
//! | `noticed.rs` | what WATCH, client-side caches, the RDB change counter and MONITOR notice of a call |
//! | `restarts.rs` | data over restarts with the module, without it, and with it again |
//! | `memory.rs` | memory in use, left behind, used up |
//! | `clock.rs` | the clock, and calls between two readings of it |
//! | `dice.rs` | random choices that a seed brings back |
//! | `introspection.rs` | INFO, COMMAND INFO, COMMAND DOCS, the data set |
//! | `acl.rs` | users with ACL rules, and what they are denied |
//!
//! Environment: `APPKIT_SERVER` is the executable to test (default `redis-server`; a wrapper
//! script must `exec` the server, so that the child's process id is the server's own),
//! `APPKIT_MODULE` a ready-made module (default: built from this source tree). For a server that runs
//! under a tool, `APPKIT_DEADLINE_FACTOR=20` stretches the deadlines and some lifetimes, and `APPKIT_SHUTDOWN=1` lets each
//! server end by itself instead of killing it, so that the tool comes to its conclusions.

// Each suite is a crate of its own and uses its own part of this module.
#![allow(dead_code, unused_imports)]
// A test panics where something is not as it should be: that is its way to say so.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod acl;
mod clock;
mod cluster;
mod dice;
mod introspection;
mod keyspace;
mod memory;
mod module;
mod noticed;
mod process;
mod replicas;
mod replication;
mod resp;
mod restarts;
mod scripts;
mod server;

use std::time::{Duration, Instant};

pub use acl::{assert_denied, is_denied, takes_categories, user};
pub use clock::{Timed, now_ms, timed};
pub use cluster::{cluster_of_one, give_up_slot_of, join};
pub use dice::Dice;
pub use introspection::{
    Argument, CommandDocs, CommandInfo, Dataset, KeySpec, command_docs, command_info, dataset,
    info, key_and_flags, modules, server_has, set, syntax,
};
pub use keyspace::KeyspaceEvents;
pub use memory::{OOM, fill_memory, left_behind, used_memory};
pub use module::module_path;
pub use noticed::{invalidated, monitored, rdb_changes, watch_survives};
pub use redis::ProtocolVersion as Protocol;
pub use replicas::{assert_replicas_follow, assert_same_data};
pub use replication::{Command, ReplicationStream, command, del_of, set_of, transaction};
pub use resp::{Client, Reply, words};
pub use restarts::{Source, assert_survives, rewrite_aof};
pub use scripts::in_read_only_code;
pub use server::{Builder, Server, Stop};

/// How long anything may take before a test calls it broken. Generous: it is only ever waited out
/// by a test that fails.
pub const DEADLINE: Duration = Duration::from_secs(15);

/// [`DEADLINE`], stretched for a slow server.
pub fn deadline() -> Duration {
    DEADLINE * deadline_factor()
}

/// A span of `ms` milliseconds that has to be long enough for some calls, stretched for a slow server.
pub fn stretched_ms(ms: u64) -> u64 {
    ms * u64::from(deadline_factor())
}

/// The same.
pub fn stretched(ms: u64) -> Duration {
    Duration::from_millis(stretched_ms(ms))
}

fn deadline_factor() -> u32 {
    let factor = std::env::var("APPKIT_DEADLINE_FACTOR").ok();
    factor.map_or(1, |factor| factor.parse().expect("a whole number"))
}

/// Whether the long forms of tests were asked for, with `APPKIT_LONG=1`.
pub fn is_long() -> bool {
    std::env::var_os("APPKIT_LONG").is_some_and(|value| !value.is_empty() && value != "0")
}

/// Polls `condition` until it holds; fails the test, naming `what`, after [`deadline`].
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        let waited = started.elapsed();
        assert!(waited < deadline(), "waited {waited:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
