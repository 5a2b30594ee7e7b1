//! The cluster: made, asked, and its slots moved.

use std::sync::Arc;
use std::time::Duration;

use redis::cluster::ClusterClient;

use crate::support::{Client, Server, eventually, info};
use crate::workload::{Connect, Connection};

/// Primaries first, then a replica of each in the same order.
pub struct Cluster {
    pub nodes: Vec<Server>,
}

const PRIMARIES: usize = 3;
const SLOTS: usize = 16384;

impl Cluster {
    pub fn start() -> Cluster {
        // News travel by pings, sent twice within this time; and a replica that has got nothing
        // yet from its primary, not even a ping, is not shown.
        let node = |_| {
            let builder = Server::builder().cluster();
            let builder = builder.config("repl-ping-replica-period 1");
            builder.config("cluster-node-timeout 500").start()
        };
        let cluster = Cluster {
            nodes: (0..2 * PRIMARIES).map(node).collect(),
        };
        cluster.assign();
        cluster.introduce();
        cluster.follow();
        eventually("all nodes see a whole cluster", || cluster.is_whole());
        // A busy test machine must not be taken for a dead node.
        cluster.set_node_timeout(5000);
        cluster
    }

    /// After so many milliseconds without an answer a node counts as dead.
    pub fn set_node_timeout(&self, ms: u64) {
        for node in &self.nodes {
            node.client()
                .run(&format!("CONFIG SET cluster-node-timeout {ms}"))
                .ok();
        }
    }

    fn assign(&self) {
        for (number, node) in self.nodes.iter().enumerate() {
            let mut redis = node.client();
            redis
                .run(&format!("CLUSTER SET-CONFIG-EPOCH {}", number + 1))
                .ok();
            if number < PRIMARIES {
                let (first, end) = (number * SLOTS / 3, (number + 1) * SLOTS / 3);
                redis
                    .run(&format!("CLUSTER ADDSLOTSRANGE {first} {}", end - 1))
                    .ok();
            }
        }
    }

    fn introduce(&self) {
        for node in &self.nodes {
            let bus = node.client().run("CONFIG GET cluster-port").items()[1].text();
            for other in &self.nodes {
                let meet = format!("CLUSTER MEET 127.0.0.1 {} {bus}", node.port());
                other.client().run(&meet).ok();
            }
        }
        eventually("all nodes know each other", || {
            self.nodes.iter().all(|node| {
                let nodes = node.client().run("CLUSTER NODES").text();
                nodes.lines().count() == self.nodes.len() && !nodes.contains("handshake")
            })
        });
    }

    fn follow(&self) {
        for number in PRIMARIES..self.nodes.len() {
            let primary = self.id(number - PRIMARIES);
            self.nodes[number]
                .client()
                .run(&format!("CLUSTER REPLICATE {primary}"))
                .ok();
        }
    }

    fn is_whole(&self) -> bool {
        self.nodes.iter().enumerate().all(|(number, node)| {
            let mut redis = node.client();
            let state = redis.run("CLUSTER INFO").text();
            let replication = info(&mut redis, "replication");
            let linked = replication.get("master_link_status").map(String::as_str);
            let slots = redis.run("CLUSTER SLOTS");
            state.contains("cluster_state:ok")
                && state.contains("cluster_slots_ok:16384")
                && (number < PRIMARIES || linked == Some("up"))
                // Each range: first, last, primary, replica.
                && slots.items().iter().all(|range| range.items().len() == 4)
        })
    }

    pub fn id(&self, node: usize) -> String {
        self.nodes[node].client().run("CLUSTER MYID").text()
    }

    /// A client that follows redirections.
    pub fn connect(&self) -> Connect {
        let nodes: Vec<String> = self.nodes.iter().map(address).collect();
        Arc::new(move || {
            let client = ClusterClient::builder(nodes.clone())
                .connection_timeout(Duration::from_secs(2))
                .response_timeout(Duration::from_secs(20))
                .retries(64)
                .min_retry_wait(5)
                .max_retry_wait(100)
                .build()?;
            Ok(Box::new(client.get_connection()?) as Connection)
        })
    }

    /// The node that serves `slot` now, by what it says itself.
    pub fn owner(&self, slot: u16) -> usize {
        let serves = |node: &Server| {
            let mut redis = node.client();
            let role = info(&mut redis, "replication")["role"].clone();
            let id = redis.run("CLUSTER MYID").text();
            role == "master" && owner_id(&mut redis, slot) == Some(id)
        };
        let owner = self.nodes.iter().position(serves);
        owner.unwrap_or_else(|| panic!("nobody serves slot {slot}"))
    }

    /// Moves a slot as redis-cli does: key by key, clients redirected meanwhile.
    pub fn move_key_by_key(&self, slot: u16, from: usize, to: usize) {
        let (mut source, mut target) = (self.nodes[from].client(), self.nodes[to].client());
        let (source_id, target_id) = (self.id(from), self.id(to));
        target
            .run(&format!("CLUSTER SETSLOT {slot} IMPORTING {source_id}"))
            .ok();
        source
            .run(&format!("CLUSTER SETSLOT {slot} MIGRATING {target_id}"))
            .ok();
        let port = self.nodes[to].port();
        loop {
            let keys = source.run(&format!("CLUSTER GETKEYSINSLOT {slot} 3"));
            if keys.items().is_empty() {
                break;
            }
            let mut migrate = redis::cmd("MIGRATE");
            migrate
                .arg("127.0.0.1")
                .arg(port)
                .arg("")
                .arg(0)
                .arg(10_000)
                .arg("KEYS");
            for key in keys.items() {
                migrate.arg(key.bytes());
            }
            // NOKEY where all of them have run out or were deleted meanwhile.
            let moved = source.call(&migrate).text();
            assert!(matches!(moved.as_str(), "OK" | "NOKEY"), "{moved}");
            // Traffic meets a slot that is half here and half there.
            std::thread::sleep(Duration::from_millis(1));
        }
        for node in [&self.nodes[to], &self.nodes[from]] {
            node.client()
                .run(&format!("CLUSTER SETSLOT {slot} NODE {target_id}"))
                .ok();
        }
        self.await_owner(slot, &target_id);
    }

    /// Moves a slot in one piece, where the server can (Valkey 9).
    pub fn move_in_one_piece(&self, slot: u16, from: usize, to: usize) {
        let target_id = self.id(to);
        let mut source = self.nodes[from].client();
        let call = format!("CLUSTER MIGRATESLOTS SLOTSRANGE {slot} {slot} NODE {target_id}");
        source.run(&call).ok();
        self.await_owner(slot, &target_id);
    }

    /// All primaries agree.
    fn await_owner(&self, slot: u16, id: &str) {
        eventually("the slot has arrived", || {
            let mut views = self.nodes[..PRIMARIES]
                .iter()
                .map(|node| owner_id(&mut node.client(), slot));
            views.all(|owner| owner.as_deref() == Some(id))
        });
    }

    /// No node holds a key in a slot of another.
    pub fn assert_no_foreign_keys(&self) {
        for (number, node) in self.nodes.iter().enumerate() {
            let mut redis = node.client();
            let primary = match info(&mut redis, "replication").get("master_port") {
                Some(port) => self.number_of(port.parse().expect("a port")),
                None => number,
            };
            for key in redis.run("KEYS *").items() {
                let mut ask = redis::cmd("CLUSTER");
                let slot = redis.call(ask.arg("KEYSLOT").arg(key.bytes())).int();
                assert_eq!(self.owner(slot as u16), primary, "{key:?} on node {number}");
            }
        }
    }

    fn number_of(&self, port: u16) -> usize {
        let number = self.nodes.iter().position(|node| node.port() == port);
        number.expect("a node of the cluster")
    }
}

fn address(node: &Server) -> String {
    format!("redis://127.0.0.1:{}/", node.port())
}

/// Whose slot it is, as this node sees it.
fn owner_id(redis: &mut Client, slot: u16) -> Option<String> {
    let slots = redis.run("CLUSTER SLOTS");
    let slot = i64::from(slot);
    let range = slots
        .items()
        .iter()
        .find(|range| (range.items()[0].int()..=range.items()[1].int()).contains(&slot))?;
    Some(range.items()[2].items()[2].text())
}

/// The slot of a key, as a node computes it.
pub fn slot_of(redis: &mut Client, key: &str) -> u16 {
    redis.run(&format!("CLUSTER KEYSLOT {key}")).int() as u16
}
