//! A cluster of three nodes, as an application sees it through a cluster client.

use redis::cluster::{ClusterClient, ClusterConnection};

use crate::caller::{calls, id};
use crate::support::{Client, Server, join, words};

/// Slots of the first, the second and the third node.
const SLOTS: [(u16, u16); 3] = [(0, 5460), (5461, 10922), (10923, 16383)];

struct Cluster {
    nodes: Vec<Server>,
}

impl Cluster {
    fn start() -> Cluster {
        let node = |_| {
            Server::builder()
                .cluster()
                .config("cluster-node-timeout 5000")
                .start()
        };
        let nodes: Vec<Server> = (0..3).map(node).collect();
        join(&nodes.iter().collect::<Vec<_>>(), &SLOTS);
        Cluster { nodes }
    }

    fn connect(&self) -> ClusterConnection {
        let nodes = self
            .nodes
            .iter()
            .map(|node| format!("redis://127.0.0.1:{}", node.port()));
        let client = ClusterClient::new(nodes.collect::<Vec<_>>()).expect("a cluster client");
        client
            .get_connection()
            .expect("the cluster accepts connections")
    }

    /// The node that holds `key`.
    fn node_of(&self, key: &str) -> &Server {
        let slot = slot(&mut self.nodes[0].client(), key);
        let index = SLOTS.iter().position(|(_, last)| slot <= i64::from(*last));
        &self.nodes[index.expect("a node for each slot")]
    }
}

fn slot(client: &mut Client, key: &str) -> i64 {
    client.run(&format!("CLUSTER KEYSLOT {key}")).int()
}

/// Keys of all three nodes.
const KEYS: [&str; 6] = ["s:1", "s:2", "s:3", "s:alice", "s:bob", "{tenant}:s:7"];

/// A session's whole life: all commands, on the one key.
fn live(cluster: &mut ClusterConnection, key: &str) {
    let text = |cluster: &mut ClusterConnection, line: String| {
        words(&line)
            .query::<Option<String>>(cluster)
            .unwrap_or_else(|error| panic!("{line}: {error}"))
    };
    let number = |cluster: &mut ClusterConnection, line: String| {
        words(&line)
            .query::<i64>(cluster)
            .unwrap_or_else(|error| panic!("{line}: {error}"))
    };
    let x = id("x");
    let made = text(
        cluster,
        format!("APP.SESSION.CREATE {key} EX 3600 ID {x} DATA {{\"a\":1}}"),
    );
    assert_eq!(made.as_deref(), Some(&x[..]));
    let other = text(cluster, format!("APP.SESSION.CREATE {key} EX 3600")).unwrap();
    assert_eq!(
        text(cluster, format!("APP.SESSION.GET {key} {x}")).unwrap(),
        "{\"a\":1}"
    );
    assert_eq!(
        text(cluster, format!("APP.SESSION.TOUCH {key} {x} EX 60")).unwrap(),
        "{\"a\":1}"
    );
    let updated = text(cluster, format!("APP.SESSION.UPDATE {key} {x} {{\"b\":2}}"));
    assert_eq!(updated.unwrap(), "{\"a\":1,\"b\":2}");
    let y = text(cluster, format!("APP.SESSION.ROTATE {key} {x}")).unwrap();
    assert_eq!(text(cluster, format!("APP.SESSION.GET {key} {x}")), None);
    let list: Vec<redis::Value> = words(&format!("APP.SESSION.LIST {key} CURRENT {y}"))
        .query(cluster)
        .unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(
        number(cluster, format!("APP.SESSION.REVOKE {key} {other}")),
        1
    );
    assert_eq!(
        number(cluster, format!("APP.SESSION.REVOKEALL {key} EXCEPT {y}")),
        0
    );
    assert_eq!(number(cluster, format!("APP.SESSION.REVOKEALL {key}")), 1);
    assert_eq!(text(cluster, format!("APP.SESSION.TOUCH {key} {y}")), None);
}

#[test]
fn a_cluster_serves_every_command_by_its_one_key() {
    let cluster = Cluster::start();
    let mut connection = cluster.connect();
    let used = KEYS.map(|key| cluster.node_of(key).port());
    for node in &cluster.nodes {
        assert!(used.contains(&node.port()), "the keys are of all nodes");
    }
    for key in KEYS {
        live(&mut connection, key);
    }
    assert_redirected(&cluster);
    assert_moves(&cluster, &mut connection);
}

/// What every cluster client acts on: the node that does not hold the key names the one that does.
fn assert_redirected(cluster: &Cluster) {
    for key in KEYS {
        let owner = cluster.node_of(key).port();
        for node in &cluster.nodes {
            let mut client = node.client();
            let moved = format!("MOVED {} 127.0.0.1:{owner}", slot(&mut client, key));
            for line in calls(key, &id("x")) {
                let reply = client.run(&line);
                if node.port() == owner {
                    assert!(!reply.is_error(), "{line}: {reply:?}");
                } else {
                    assert_eq!(reply.error(), moved, "{line}");
                }
            }
        }
    }
}

/// A slot that moves to another node takes its owners' sessions along.
fn assert_moves(cluster: &Cluster, connection: &mut ClusterConnection) {
    let key = KEYS[0];
    let (from, x) = (cluster.node_of(key), id("x"));
    let to = cluster
        .nodes
        .iter()
        .find(|node| node.port() != from.port())
        .unwrap();
    words(&format!(
        "APP.SESSION.CREATE {key} EX 3600 ID {x} DATA {{\"a\":1}}"
    ))
    .query::<String>(connection)
    .expect("a session");
    let (mut source, mut target) = (from.client(), to.client());
    let before = crate::caller::list(&mut source, key);
    let slot = slot(&mut source, key);
    let name = |client: &mut Client| client.run("CLUSTER MYID").text();
    let (from_id, to_id) = (name(&mut source), name(&mut target));
    target
        .run(&format!("CLUSTER SETSLOT {slot} IMPORTING {from_id}"))
        .ok();
    source
        .run(&format!("CLUSTER SETSLOT {slot} MIGRATING {to_id}"))
        .ok();
    source
        .run(&format!("MIGRATE 127.0.0.1 {} {key} 0 5000", to.port()))
        .ok();
    let get = words(&format!("APP.SESSION.GET {key} {x}"));
    let asked: String = get.query(connection).expect("the client follows ASK");
    assert_eq!(asked, "{\"a\":1}");
    for node in [&mut target, &mut source] {
        node.run(&format!("CLUSTER SETSLOT {slot} NODE {to_id}"))
            .ok();
    }
    let moved: String = get.query(connection).expect("the client follows MOVED");
    assert_eq!(moved, "{\"a\":1}");
    assert_eq!(
        crate::caller::list(&mut target, key),
        before,
        "with its deadlines"
    );
}
