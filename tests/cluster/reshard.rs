//! Slots that move back and forth under load: nothing is lost, and clients of a cluster notice
//! nothing.

use std::time::Duration;

use crate::nodes::{Cluster, slot_of};
use crate::workload::{Load, is_long};

fn rounds() -> usize {
    if is_long() { 40 } else { 6 }
}

/// Most of the load is on the slot that moves.
const TAGS: &[&str] = &["{moved}", "{moved}", "{stays}", "{other}"];

/// MIGRATE sends how long a key has left and not when it ends, so each move may add its own time.
const TRANSIT: Duration = Duration::from_millis(500);

fn reshard_again_and_again(
    what: &str,
    transit: Duration,
    move_slot: impl Fn(&Cluster, u16, usize, usize),
) {
    let cluster = Cluster::start();
    let slot = slot_of(&mut cluster.nodes[0].client(), "{moved}");
    let load = Load::start(cluster.connect(), TAGS, 12);
    load.lifetimes_may_grow(transit * rounds() as u32);
    for _ in 0..rounds() {
        load.run_for_calls(300);
        let from = cluster.owner(slot);
        move_slot(&cluster, slot, from, (from + 1) % 3);
    }
    load.run_for_calls(300);
    let quiet = load.quiet();
    // Holders that never come back have run out.
    std::thread::sleep(Duration::from_millis(1200));
    cluster.assert_no_foreign_keys();
    drop(quiet);
    let mut report = load.audit();
    report.figures(&format!("{what}, {} times", rounds()));
    report.leases_were_lost(rounds());
    report.assert_nothing_lost(&[]);
}

#[test]
fn a_slot_moved_key_by_key_loses_nothing() {
    reshard_again_and_again("slot moved key by key", TRANSIT, Cluster::move_key_by_key);
}

#[test]
fn a_slot_moved_in_one_piece_loses_nothing() {
    // Servers name the subcommand in their help where they have it.
    let server = crate::support::Server::builder().cluster().start();
    let help = server.client().run("CLUSTER HELP");
    let mut help = help.items().iter().map(crate::support::Reply::text);
    if !help.any(|line| line.starts_with("MIGRATESLOTS")) {
        println!("SKIPPED: this server has no CLUSTER MIGRATESLOTS");
        return;
    }
    reshard_again_and_again(
        "slot moved in one piece",
        Duration::ZERO,
        Cluster::move_in_one_piece,
    );
}
