//! Clusters: nodes that own slots and know each other.

use super::{Client, Server, eventually};

/// A cluster of one node, which owns every slot.
#[track_caller]
pub fn cluster_of_one() -> Server {
    let server = Server::builder().cluster().start();
    join(&[&server], &[(0, 16383)]);
    server
}

/// Gives each of `nodes` its slots, from the first to the last, and makes them know each other.
#[track_caller]
pub fn join(nodes: &[&Server], slots: &[(u16, u16)]) {
    for (number, (node, (first, last))) in nodes.iter().zip(slots).enumerate() {
        let mut redis = node.client();
        let epoch = number + 1;
        redis.run(&format!("CLUSTER SET-CONFIG-EPOCH {epoch}")).ok();
        redis
            .run(&format!("CLUSTER ADDSLOTSRANGE {first} {last}"))
            .ok();
    }
    let mut first = nodes[0].client();
    for node in &nodes[1..] {
        let bus = node.client().run("CONFIG GET cluster-port").items()[1].text();
        first
            .run(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", node.port()))
            .ok();
    }
    let known = format!("cluster_known_nodes:{}", nodes.len());
    for node in nodes {
        let mut redis = node.client();
        eventually("the nodes know each other and all slots", || {
            let info = redis.run("CLUSTER INFO").text();
            info.contains("cluster_state:ok") && info.contains(&known)
        });
    }
}

/// Lets a cluster of one node own the slot of `key` no longer, and serve the others all the same.
#[track_caller]
pub fn give_up_slot_of(redis: &mut Client, key: &str) {
    let slot = redis.run(&format!("CLUSTER KEYSLOT {key}")).int();
    redis
        .run("CONFIG SET cluster-require-full-coverage no")
        .ok();
    redis.run(&format!("CLUSTER DELSLOTS {slot}")).ok();
    eventually("the other slots are served", || {
        redis.run("CLUSTER INFO").text().contains("state:ok")
    });
}
