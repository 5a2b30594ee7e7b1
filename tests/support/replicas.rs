//! Replicas that have what their primary has.

use super::{Client, Server, dataset};

/// Attaches replicas with and without the module to `primary`, before `populate` writes as many keys
/// as `keys` to it: by the stream of commands alone they must get the same data.
#[track_caller]
pub fn assert_replicas_follow(primary: &Server, keys: usize, populate: fn(&mut Client)) {
    for replica in [Server::builder(), Server::builder().without_module()] {
        primary.client().run("FLUSHALL").ok();
        let replica = replica.replica_of(primary).start();
        populate(&mut primary.client());
        let expected = dataset(&mut primary.client());
        assert_eq!(expected.expires_at.len(), keys);
        assert_same_data(&replica, primary, "by the stream");
    }
}

/// Waits until `replica` has applied everything; then it must have the data of `primary`. `how` is
/// how it got them.
#[track_caller]
pub fn assert_same_data(replica: &Server, primary: &Server, how: &str) {
    replica.catch_up_with(primary);
    let expected = dataset(&mut primary.client());
    assert_eq!(dataset(&mut replica.client()), expected, "{how}");
}
