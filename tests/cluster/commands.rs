//! Every command reaches its node, and a call over several slots is refused.

use std::collections::BTreeSet;

use redis::Value;

use crate::nodes::Cluster;
use crate::support::{Reply, command_info, words};
use crate::workload::{Caller, Outcome};

/// A working call of every command, with one key (`K:…`), in an order that makes sense of them.
const CALLS: &[&str] = &[
    "APP.RATELIMIT K:limit 5 EX 60",
    "APP.RATELIMIT.PEEK K:limit 5 EX 60",
    "APP.RATELIMIT.REFUND K:limit 5 EX 60",
    "APP.LOCK K:lock token EX 60",
    "APP.LOCK.EXTEND K:lock token EX 60",
    "APP.LOCK.INFO K:lock",
    "APP.UNLOCK K:lock token",
    "APP.SESSION.CREATE K:user EX 60 ID aaaaaaaaaaaaaaaa",
    "APP.SESSION.GET K:user aaaaaaaaaaaaaaaa",
    "APP.SESSION.TOUCH K:user aaaaaaaaaaaaaaaa",
    "APP.SESSION.UPDATE K:user aaaaaaaaaaaaaaaa {}",
    "APP.SESSION.LIST K:user",
    "APP.SESSION.ROTATE K:user aaaaaaaaaaaaaaaa",
    "APP.SESSION.REVOKE K:user aaaaaaaaaaaaaaaa",
    "APP.SESSION.REVOKEALL K:user",
    "APP.CACHE.GETORSET K:value v EX 60",
    "APP.CACHE.GETORLOAD K:other LEASE 1000",
    "APP.CACHE.FILL K:other lease v EX 60",
    "APP.CACHE.RELEASE K:other lease",
    "APP.CACHE.INVALIDATE K:value",
];

fn name(call: &str) -> String {
    call.split(' ').next().expect("a name").to_lowercase()
}

#[test]
fn every_command_is_routed_and_none_reaches_over_slots() {
    let cluster = Cluster::start();
    let mut redis = cluster.nodes[0].client();
    let list = redis.run("COMMAND LIST FILTERBY MODULE appkit");
    let commands: BTreeSet<String> = list.items().iter().map(Reply::text).collect();
    let known: BTreeSet<String> = CALLS.iter().map(|call| name(call)).collect();
    assert!(
        commands.is_subset(&known),
        "commands without a call here: {commands:?}"
    );
    let mut caller = Caller::new(cluster.connect(), Default::default(), Default::default());
    for call in CALLS.iter().filter(|call| commands.contains(&name(call))) {
        let mut slots = BTreeSet::new();
        for tag in ["{a}", "{b}", "{c}", "{d}", "{e}", "{f}"] {
            let call = call.replace("K:", &format!("{tag}:"));
            let Outcome::Reply(reply) = caller.run(&call) else {
                panic!("{call} got no reply");
            };
            assert!(!matches!(reply, Value::ServerError(_)), "{call}: {reply:?}");
            slots.insert(cluster.owner(crate::nodes::slot_of(&mut redis, tag)));
        }
        assert_eq!(slots.len(), 3, "the keys are on all nodes");
    }
    cluster.assert_no_foreign_keys();
    assert_across_slots_refused(&cluster, &commands);
}

/// Commands of several keys, transactions and scripts.
fn assert_across_slots_refused(cluster: &Cluster, commands: &BTreeSet<String>) {
    let crossed = |reply: &Reply| reply.is_error() && reply.error().contains("slot");
    for node in &cluster.nodes[..3] {
        let mut redis = node.client();
        for command in commands {
            if command_info(&mut redis, command).keys[1] < 0 {
                let reply = redis.run(&format!("{command} {{a}}1 {{b}}2 {{c}}3"));
                assert!(
                    reply.error().starts_with("CROSSSLOT"),
                    "{command}: {reply:?}"
                );
            }
        }
        let script = "return redis.call('APP.LOCK.INFO', KEYS[1])";
        let mut eval = redis::cmd("EVAL");
        let reply = redis.call(eval.arg(script).arg(2).arg("{a}1").arg("{b}2"));
        assert!(crossed(&reply), "{reply:?}");
        redis.run("MULTI").ok();
        for key in ["{a}1", "{b}2", "{c}3"] {
            redis.call(&words(&format!("APP.LOCK {key} token EX 60")));
        }
        let reply = redis.run("EXEC");
        assert!(reply.is_error(), "{reply:?}");
    }
    for node in &cluster.nodes[..3] {
        assert!(
            node.client().run("KEYS *1").items().is_empty(),
            "nothing was locked"
        );
    }
}
