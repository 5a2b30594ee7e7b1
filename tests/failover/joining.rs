//! A replica that joins under load: what it gets is a snapshot taken meanwhile, and what came since.

use crate::pair::Pair;
use crate::support::Server;
use crate::workload::Load;

#[test]
fn a_replica_that_joins_under_load_ends_with_the_same_data() {
    let mut pair = Pair::start();
    let load = Load::start(pair.connect(), &[""], 12);
    for _ in 0..3 {
        load.run_for_calls(1000);
        // A new one: it has nothing, so it gets all.
        pair.replica = Server::builder().replica_of(&pair.primary).start();
        load.run_for_calls(200);
        pair.assert_equal_under(&load);
    }
    let report = load.audit();
    report.figures("a replica joined, 3 times");
    report.assert_nothing_lost(&[]);
}
