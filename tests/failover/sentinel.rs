//! Sentinel: the primary dies, or its place is taken without a pause. What a replica had got by then
//! is all there; what it had not is lost, as with any data, and counted here.

use std::fs::File;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::pair::{Pair, is_primary, is_replica, open_primary};
use crate::support::{Client, eventually};
use crate::workload::{Connect, Load, Mark};

/// One watcher, with its directory.
struct Sentinel {
    child: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

const NAME: &str = "appkit";

impl Sentinel {
    fn start(primary: u16) -> Sentinel {
        let dir = tempfile::Builder::new()
            .prefix("appkit-")
            .tempdir()
            .expect("a directory");
        let free = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = free.local_addr().expect("a port").port();
        drop(free);
        let config = dir.path().join("sentinel.conf");
        let lines = [
            format!("port {port}"),
            format!("dir {}", dir.path().display()),
            "bind 127.0.0.1".to_owned(),
            format!("sentinel monitor {NAME} 127.0.0.1 {primary} 2"),
            format!("sentinel down-after-milliseconds {NAME} 700"),
            format!("sentinel failover-timeout {NAME} 4000"),
        ];
        std::fs::write(&config, lines.join("\n") + "\n").expect("the configuration is written");
        let program = std::env::var_os("APPKIT_SERVER").unwrap_or_else(|| "redis-server".into());
        let child = Command::new(program)
            .arg(&config)
            .arg("--sentinel")
            .stdin(Stdio::null())
            .stdout(File::create(dir.path().join("log")).expect("a log"))
            .spawn()
            .expect("a sentinel starts");
        let sentinel = Sentinel {
            child,
            port,
            _dir: dir,
        };
        eventually("the sentinel answers", || Client::open(port).is_ok());
        sentinel
    }

    fn client(&self) -> Client {
        Client::open(self.port).expect("the sentinel accepts connections")
    }

    /// Knows so many others, and a replica.
    fn knows(&self, others: usize) -> bool {
        let primary = self.client().run(&format!("SENTINEL MASTER {NAME}"));
        let field = |name: &str| primary.field(name).map(|value| value.text());
        field("num-other-sentinels") == Some(others.to_string())
            && field("num-slaves") == Some("1".to_owned())
            && field("flags") == Some("master".to_owned())
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        // Fails only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn three(pair: &Pair) -> Vec<Sentinel> {
    let sentinels: Vec<Sentinel> = (0..3)
        .map(|_| Sentinel::start(pair.primary.port()))
        .collect();
    eventually("the sentinels know each other and the replica", || {
        sentinels.iter().all(|sentinel| sentinel.knows(2))
    });
    sentinels
}

/// Clients that ask the sentinels.
fn through(sentinels: &[Sentinel]) -> Connect {
    let ports: Vec<u16> = sentinels.iter().map(|sentinel| sentinel.port).collect();
    Arc::new(move || {
        for port in &ports {
            let client = redis::Client::open(format!("redis://127.0.0.1:{port}/"))?;
            let mut sentinel = client.get_connection_with_timeout(Duration::from_secs(1))?;
            let mut ask = redis::cmd("SENTINEL");
            let address: Vec<String> = ask
                .arg("GET-MASTER-ADDR-BY-NAME")
                .arg(NAME)
                .query(&mut sentinel)?;
            if let Some(primary) = open_primary(address[1].parse().expect("a port"))? {
                return Ok(primary);
            }
        }
        Err((redis::ErrorKind::Io, "no primary").into())
    })
}

/// A moment from which on nothing is known of the replica: all before it has arrived there.
fn mark(load: &Load, pair: &Pair) -> Mark {
    let mark = load.mark();
    let mut redis = pair.primary.client();
    redis.run("SET mark here PX 60000").ok();
    assert_eq!(redis.run("WAIT 1 10000").int(), 1);
    mark
}

fn primary_in(sentinels: &[Sentinel]) -> u16 {
    let address = sentinels[0]
        .client()
        .run(&format!("SENTINEL GET-MASTER-ADDR-BY-NAME {NAME}"));
    address.items()[1].text().parse().expect("a port")
}

#[test]
fn what_the_replica_had_got_survives_the_death_of_its_primary() {
    let pair = Pair::start();
    let sentinels = three(&pair);
    let load = Load::start(through(&sentinels), &[""], 12);
    load.run_for_calls(1000);
    pair.assert_equal_under(&load);
    load.run_for_calls(300);
    let mark = mark(&load, &pair);
    load.run_for_calls(20);
    let Pair { primary, replica } = pair;
    primary.kill();
    eventually("a sentinel promotes the replica", || is_primary(&replica));
    load.run_for_calls(500);
    let report = load.audit();
    report.figures("primary killed, promoted by Sentinel");
    let losses = report.lost_after(&mark, &["READONLY", "MASTERDOWN"]);
    losses.assert_explained();
    println!("figures: lost to asynchronous replication at the death of a primary: {losses:?}");
}

#[test]
fn a_failover_that_sentinel_was_asked_for_loses_nothing_that_came_before() {
    let mut pair = Pair::start();
    let sentinels = three(&pair);
    let load = Load::start(through(&sentinels), &[""], 12);
    load.run_for_calls(500);
    let mark = mark(&load, &pair);
    sentinels[0]
        .client()
        .run(&format!("SENTINEL FAILOVER {NAME}"))
        .ok();
    eventually("the sentinels name the other one", || {
        primary_in(&sentinels) == pair.replica.port()
    });
    eventually("the old primary is a replica", || is_replica(&pair.primary));
    pair.swap();
    load.run_for_calls(500);
    pair.assert_equal_under(&load);
    let report = load.audit();
    report.figures("failover asked of Sentinel");
    let losses = report.lost_after(&mark, &["READONLY", "UNBLOCKED", "MASTERDOWN", "LOADING"]);
    println!("figures: lost between promotion and demotion by Sentinel: {losses:?}");
}
