//! Calls that stand in line for a key whose slot moves away.

use std::time::Duration;

use crate::nodes::{Cluster, slot_of};
use crate::support::{Client, eventually, words};

/// A holder, and so many raw connections that stand in line behind it.
fn line(cluster: &Cluster, node: usize, key: &str, count: i64) -> Vec<Client> {
    let mut redis = cluster.nodes[node].client();
    assert_eq!(
        redis.run(&format!("APP.LOCK {key} holder PX 60000")).ints()[0],
        1
    );
    let waiters = (0..count).map(|number| {
        let mut waiter = cluster.nodes[node].client();
        waiter.send(&words(&format!(
            "APP.LOCK {key} w{number} PX 60000 WAIT 30000"
        )));
        eventually("it stands in line", || {
            let info = redis.run(&format!("APP.LOCK.INFO {key}"));
            info.field("waiters").expect("a field").int() == number + 1
        });
        waiter
    });
    waiters.collect()
}

#[test]
fn calls_in_line_are_sent_on_when_their_slot_moves() {
    let cluster = Cluster::start();
    let slot = slot_of(&mut cluster.nodes[0].client(), "{moved}");
    let from = cluster.owner(slot);
    let to = (from + 1) % 3;
    let waiters = line(&cluster, from, "{moved}lock", 4);
    let before = cluster.nodes[from]
        .client()
        .run("APP.LOCK.INFO {moved}lock");
    cluster.move_key_by_key(slot, from, to);
    for mut waiter in waiters {
        let reply = waiter.reply();
        let code = reply.error().split(' ').next().expect("a code");
        assert!(["MOVED", "TRYAGAIN", "ASK"].contains(&code), "{reply:?}");
    }
    assert_eq!(
        cluster.nodes[from].client().run("DBSIZE").int(),
        0,
        "nothing is left behind"
    );
    let after = cluster.nodes[to].client().run("APP.LOCK.INFO {moved}lock");
    assert_eq!(
        after.field("fence"),
        before.field("fence"),
        "the holder's lock has moved"
    );
    let mut holder = cluster.nodes[to].client();
    assert_eq!(holder.run("APP.UNLOCK {moved}lock holder").int(), 1);
    cluster.assert_no_foreign_keys();
}

#[test]
fn a_waiting_client_of_the_cluster_gets_the_lock_on_the_other_node() {
    let cluster = Cluster::start();
    let slot = slot_of(&mut cluster.nodes[0].client(), "{moved}");
    let from = cluster.owner(slot);
    let to = (from + 1) % 3;
    assert_eq!(
        cluster.nodes[from]
            .client()
            .run("APP.LOCK {moved}k holder PX 60000")
            .ints()[0],
        1
    );
    let connect = cluster.connect();
    let waiter = std::thread::spawn(move || {
        let mut connection = connect().expect("a connection");
        let call = words("APP.LOCK {moved}k waiter PX 60000 WAIT 20000");
        call.query::<Vec<i64>>(&mut *connection)
    });
    eventually("it stands in line", || {
        let info = cluster.nodes[from].client().run("APP.LOCK.INFO {moved}k");
        info.field("waiters")
            .is_some_and(|waiters| waiters.int() == 1)
    });
    cluster.move_key_by_key(slot, from, to);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(
        cluster.nodes[to]
            .client()
            .run("APP.UNLOCK {moved}k holder")
            .int(),
        1
    );
    let held = waiter
        .join()
        .expect("no failure")
        .expect("no error that a client has to handle");
    assert_eq!(held[0], 1);
}
