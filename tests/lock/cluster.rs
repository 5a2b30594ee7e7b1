//! Two nodes, and a slot that moves under a line.

use crate::caller::{fence, lock, nobody_waits, unload, waiter};
use crate::support::{Client, DEADLINE, Server, info, join, server_has, stretched_ms, words};

/// Two nodes that know each other; the first owns the slots of the keys `a…`.
struct Cluster {
    first: Server,
    second: Server,
}

impl Cluster {
    fn start() -> Cluster {
        Cluster::start_with(&[])
    }

    fn start_with(config: &[&str]) -> Cluster {
        let node = || {
            let timeout_ms = stretched_ms(2000);
            let builder = Server::builder()
                .cluster()
                .config(&format!("cluster-node-timeout {timeout_ms}"));
            config
                .iter()
                .fold(builder, |builder, line| builder.config(line))
                .start()
        };
        let cluster = Cluster {
            first: node(),
            second: node(),
        };
        let slots = [(0, 8191), (8192, 16383)];
        join(&[&cluster.first, &cluster.second], &slots);
        cluster
    }

    fn ids(&self) -> [String; 2] {
        [&self.first, &self.second].map(|server| server.client().run("CLUSTER MYID").text())
    }

    /// The key and its slot.
    fn key(&self) -> (&'static str, i64) {
        let key = "foo{b}";
        let slot = self
            .first
            .client()
            .run(&format!("CLUSTER KEYSLOT {key}"))
            .int();
        assert!(slot < 8192, "the first node owns it");
        (key, slot)
    }

    /// Starts to move the slot from the first node to the second.
    fn begin_move(&self, slot: i64) {
        let [first, second] = self.ids();
        let importing = format!("CLUSTER SETSLOT {slot} IMPORTING {first}");
        self.second.client().run(&importing).ok();
        let migrating = format!("CLUSTER SETSLOT {slot} MIGRATING {second}");
        self.first.client().run(&migrating).ok();
    }

    fn migrate(&self, key: &str) {
        let line = format!("MIGRATE 127.0.0.1 {} {key} 0 5000", self.second.port());
        self.first.client().run(&line).ok();
    }

    /// Locks the key on the first node and lets one wait.
    fn held_with_waiter(&self, key: &str) -> Client {
        lock(
            &mut self.first.client(),
            &format!("APP.LOCK {key} holder EX 1000"),
        );
        waiter(
            &self.first,
            &format!("APP.LOCK {key} next EX 1000 WAIT 60000"),
        )
    }
}

/// Valkey 8 cannot be asked by a module who owns a slot.
fn knows_owners(redis: &mut Client) -> bool {
    !info(redis, "server").contains_key("valkey_version")
        || server_has(redis, "cluster|migrateslots")
}

#[test]
fn a_node_of_a_cluster_hands_over_its_own_locks() {
    let cluster = Cluster::start();
    let (key, _) = cluster.key();
    let mut redis = cluster.first.client();
    for end in ["APP.UNLOCK KEY holder", "DEL KEY", "PEXPIRE KEY 30"] {
        let mut next = cluster.held_with_waiter(key);
        redis.run(&end.replace("KEY", key)).int();
        assert!(fence(&mut next) > 0, "{end}");
        redis.run(&format!("APP.UNLOCK {key} next")).int();
    }
}

#[test]
fn a_node_hands_over_where_commands_are_renamed() {
    let cluster = Cluster::start_with(&["rename-command EXISTS \"\"", "rename-command PTTL \"\""]);
    let (key, _) = cluster.key();
    let mut redis = cluster.first.client();
    let mut next = cluster.held_with_waiter(key);
    redis.run(&format!("DEL {key}")).int();
    assert!(fence(&mut next) > 0);
}

#[test]
fn a_key_that_has_left_with_its_slot_sends_waiters_to_ask_again() {
    let cluster = Cluster::start();
    let (key, slot) = cluster.key();
    let mut next = cluster.held_with_waiter(key);
    cluster.begin_move(slot);
    cluster.migrate(key);
    // The slot is still this node's, the key is not: a client that asks again is sent on by ASK.
    assert!(next.reply().error().starts_with("TRYAGAIN"), "asks again");
    let again = next.run(&format!("APP.LOCK {key} next EX 1000 WAIT 1000"));
    assert!(again.error().starts_with("ASK "), "{again:?}");
    assert_eq!(
        cluster.first.client().run("DBSIZE").int(),
        0,
        "nothing is written here"
    );
    // Over there the lock is the same, and so is the line.
    let mut there = cluster.second.client();
    let ask =
        |redis: &mut Client, line: &str| redis.pipeline(&[words("ASKING"), words(line)]).remove(1);
    assert_eq!(
        ask(&mut there, &format!("APP.LOCK {key} other EX 1")).ints()[0],
        0
    );
    assert_eq!(
        ask(&mut there, &format!("APP.UNLOCK {key} holder")).int(),
        1
    );
    nobody_waits(&cluster.first);
    unload(&mut cluster.first.client());
}

#[test]
fn an_importing_node_hands_over_what_it_has_got() {
    let cluster = Cluster::start();
    let (key, slot) = cluster.key();
    lock(
        &mut cluster.first.client(),
        &format!("APP.LOCK {key} holder EX 1000"),
    );
    cluster.begin_move(slot);
    cluster.migrate(key);
    let mut next = cluster.second.client();
    next.run("ASKING").ok();
    let line = format!("APP.LOCK {key} next EX 1000 WAIT 60000");
    crate::caller::stand_in_line(&cluster.second, &mut next, &line);
    let mut there = cluster.second.client();
    let unlock = words(&format!("APP.UNLOCK {key} holder"));
    assert_eq!(there.pipeline(&[words("ASKING"), unlock])[1].int(), 1);
    assert!(fence(&mut next) > 0);
}

#[test]
fn a_slot_taken_over_by_another_node_sends_waiters_there() {
    let cluster = Cluster::start();
    let (key, slot) = cluster.key();
    let mut next = cluster.held_with_waiter(key);
    let [_, second] = cluster.ids();
    let mut there = cluster.second.client();
    // The other node claims the slot, and wins it with a higher epoch.
    there
        .run(&format!("CLUSTER SETSLOT {slot} NODE {second}"))
        .ok();
    there.run("CLUSTER BUMPEPOCH");
    let moved = next.reply();
    let expected = format!("MOVED {slot} 127.0.0.1:{}", cluster.second.port());
    let mut redis = cluster.first.client();
    if knows_owners(&mut redis) {
        assert_eq!(moved.error(), expected);
    } else {
        assert!(moved.error().starts_with("TRYAGAIN"), "{moved:?}");
    }
    // Who asks again is sent to the same place by the server itself.
    let again = redis.run(&format!("APP.LOCK {key} next EX 1000 WAIT 1000"));
    assert_eq!(again.error(), expected);
    // A cluster client's next step works.
    let line = format!("APP.LOCK {key} next EX 1000 WAIT 1000");
    assert!(lock(&mut there, &line).held);
    assert_eq!(
        cluster.first.client().run("DBSIZE").int(),
        0,
        "nothing is written here"
    );
    nobody_waits(&cluster.first);
    unload(&mut cluster.first.client());
}

#[test]
fn a_cluster_that_is_down_lets_waiters_go() {
    let cluster = Cluster::start();
    let (key, slot) = cluster.key();
    let mut next = cluster.held_with_waiter(key);
    let other = if slot == 0 { 1 } else { 0 };
    let mut redis = cluster.first.client();
    redis.run(&format!("CLUSTER DELSLOTS {other}")).ok();
    let down = next.reply();
    assert!(down.error().starts_with("CLUSTERDOWN"), "{down:?}");
    nobody_waits(&cluster.first);
}

#[test]
fn slots_are_migrated_under_a_line_where_the_server_can_do_that_by_itself() {
    let cluster = Cluster::start();
    let mut redis = cluster.first.client();
    if !server_has(&mut redis, "cluster|migrateslots") {
        return;
    }
    let (key, slot) = cluster.key();
    let mut next = cluster.held_with_waiter(key);
    let [_, second] = cluster.ids();
    let migrate = format!("CLUSTER MIGRATESLOTS SLOTSRANGE {slot} {slot} NODE {second}");
    redis.run(&migrate).ok();
    next.set_read_timeout(DEADLINE);
    let expected = format!("MOVED {slot} 127.0.0.1:{}", cluster.second.port());
    assert_eq!(next.reply().error(), expected);
    let mut there = cluster.second.client();
    assert!(!lock(&mut there, &format!("APP.LOCK {key} other EX 1")).held);
    assert_eq!(there.run(&format!("APP.UNLOCK {key} holder")).int(), 1);
    assert_eq!(redis.run("DBSIZE").int(), 0, "nothing is written here");
}
