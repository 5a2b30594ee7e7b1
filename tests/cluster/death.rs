//! A primary dies: its replica goes on with the same limiters, sessions and locks.

use crate::nodes::{Cluster, slot_of};
use crate::support::{eventually, info};
use crate::workload::Load;

#[test]
fn a_replica_goes_on_with_what_it_had_got() {
    let mut cluster = Cluster::start();
    let slot = slot_of(&mut cluster.nodes[0].client(), "{dies}");
    let owner = cluster.owner(slot);
    let load = Load::start(cluster.connect(), &["{dies}", "{dies}", "{lives}"], 12);
    load.run_for_calls(1500);
    let mark = load.mark();
    let mut redis = cluster.nodes[owner].client();
    redis.run("SET {dies}mark here PX 60000").ok();
    assert_eq!(redis.run("WAIT 1 10000").int(), 1);
    load.run_for_calls(20);
    cluster.set_node_timeout(1500);
    let replica = cluster.nodes[owner + 3].port();
    cluster.nodes.remove(owner).kill();
    let replica = cluster
        .nodes
        .iter()
        .find(|node| node.port() == replica)
        .expect("it lives");
    eventually("the replica is promoted", || {
        info(&mut replica.client(), "replication")["role"] == "master"
    });
    load.run_for_calls(1000);
    let report = load.audit();
    report.figures("primary of a cluster killed");
    let losses = report.lost_after(&mark, &["CLUSTERDOWN", "MOVED"]);
    losses.assert_explained();
    println!(
        "figures: lost to asynchronous replication at the death of a primary of a cluster: {losses:?}"
    );
}
