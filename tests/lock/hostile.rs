//! Everything at once, and what must hold all the same: no client without a reply, no fence twice,
//! an empty table in the end, a replica with the same data, a module that unloads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::caller::{counter, id, lock, nobody_waits, unload};
use crate::support::{
    Builder, Client, Dice, Reply, Server, assert_same_data, eventually, info, is_long, words,
};

const CLIENTS: usize = 16;
const KEYS: u64 = 3;

fn key(dice: &mut Dice) -> String {
    format!("k{}", dice.below(KEYS))
}

/// What all clients share.
#[derive(Default)]
struct Shared {
    fences: Mutex<Vec<i64>>,
    ids: Mutex<Vec<i64>>,
    stop: AtomicBool,
}

/// One client: takes locks with lives of milliseconds, now and then leaves in the middle.
fn client(port: u16, seed: u64, shared: &Shared) {
    let mut dice = Dice::new(seed);
    let mut calls = 0;
    'connection: while !shared.stop.load(Ordering::Relaxed) {
        let Ok(mut redis) = Client::open(port) else {
            continue;
        };
        redis.send(&words("CLIENT ID"));
        let Ok(Reply::Int(id)) = redis.try_frame() else {
            continue;
        };
        shared.ids.lock().unwrap().push(id);
        for _ in 0..dice.below(40) {
            calls += 1;
            let (key, token) = (key(&mut dice), format!("t{seed}-{calls}"));
            let (life, wait) = (dice.below(38) + 3, dice.below(60));
            let line = format!("APP.LOCK {key} {token} PX {life} WAIT {wait}");
            redis.send(&words(&line));
            if dice.below(12) == 0 {
                continue 'connection;
            }
            match redis.try_frame() {
                Ok(Reply::Array(reply)) if reply[0] == Reply::Int(1) => {
                    shared.fences.lock().unwrap().push(reply[1].int());
                }
                Ok(_) => continue,
                // Killed is no news, silence is.
                Err(error) => {
                    assert_ne!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock,
                        "no reply: {line}"
                    );
                    continue 'connection;
                }
            }
            if dice.below(3) > 0 {
                let ends = *dice.pick(&["APP.UNLOCK", "APP.UNLOCK", "APP.LOCK.EXTEND"]);
                let rest = if ends == "APP.UNLOCK" { "" } else { " PX 10" };
                redis.send(&words(&format!("{ends} {key} {token}{rest}")));
                if redis.try_frame().is_err() {
                    continue 'connection;
                }
            }
        }
    }
}

/// A troublemaker: pipelines of two of its kinds of trouble, again and again.
fn trouble(redis: &mut Client, dice: &mut Dice, shared: &Shared, kinds: &[&str]) {
    let victim = {
        let mut ids = shared.ids.lock().unwrap();
        let len = ids.len();
        if len > 64 {
            ids.drain(..len - 64);
        }
        let at = dice.index(ids.len().max(1));
        ids.get(at).copied().unwrap_or(0)
    };
    let pipeline: Vec<redis::Cmd> = (0..2)
        .map(|_| {
            let line = dice.pick(kinds).replace("ID", &victim.to_string());
            words(&line.replace("KEY", &key(dice)))
        })
        .collect();
    redis.pipeline(&pipeline);
}

/// Runs clients and trouble for a while, then checks that nothing is left.
fn mix(server: &mut Server, replica: Option<&Server>, kinds: &[&str], pause: Duration) {
    let shared = Arc::new(Shared::default());
    let port = server.port();
    let threads: Vec<_> = (0..CLIENTS)
        .map(|n| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || client(port, n as u64 + 1, &shared))
        })
        .collect();
    let (mut redis, mut dice) = (server.client(), Dice::new(0xfeed));
    let started = Instant::now();
    let length = Duration::from_secs(if is_long() { 20 } else { 2 });
    while started.elapsed() < length {
        trouble(&mut redis, &mut dice, &shared, kinds);
        std::thread::sleep(pause);
    }
    shared.stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().expect("no client is stuck");
    }
    server.assert_healthy();
    nobody_waits(server);
    redis.run("CONFIG SET maxmemory 0").ok();
    redis.run("REPLICAOF NO ONE").ok();
    let mut fences = shared.fences.lock().unwrap().clone();
    let passed_on = counter(&mut redis, "lock_passed_on");
    println!(
        "{} holds known to their clients, {passed_on} passed on",
        fences.len()
    );
    assert!(fences.len() > 20, "there was a mix: {}", fences.len());
    fences.sort_unstable();
    assert!(
        fences.windows(2).all(|pair| pair[0] < pair[1]),
        "no fence twice"
    );
    for key in 0..KEYS {
        redis.run(&format!("DEL k{key}")).int();
        assert!(lock(&mut redis, &format!("APP.LOCK k{key} last EX 1000")).held);
    }
    if let Some(replica) = replica {
        assert_same_data(replica, server, "after all that");
    }
    unload(&mut redis);
}

/// The same with a replica that has no module and must end with the same data.
fn mix_with_replica(server: Builder, kinds: &[&str], pause: Duration) {
    let mut server = server.start();
    let replica = Server::builder().without_module().replica_of(&server);
    mix(&mut server, Some(&replica.start()), kinds, pause);
}

#[test]
fn clients_come_and_go_while_keys_do_what_they_like() {
    let kinds = [
        "DEL KEY",
        "CLIENT KILL ID ID",
        "CLIENT UNBLOCK ID",
        "CLIENT UNBLOCK ID ERROR",
        "RENAME KEY elsewhere",
        "PEXPIRE KEY 5",
        "PERSIST KEY",
        "PEXPIRE KEY 9",
        "SET KEY plain PX 7",
        "FLUSHALL",
        "SWAPDB 0 1",
        "CONFIG SET maxmemory 1",
        "CONFIG SET maxmemory 0",
        "APP.LOCK KEY newcomer PX 5",
    ];
    let server = Server::builder().config("maxmemory-policy allkeys-random");
    mix_with_replica(server, &kinds, Duration::from_millis(3));
}

#[test]
fn a_replica_without_the_module_ends_with_the_same_data() {
    let kinds = [
        "DEL KEY",
        "CLIENT KILL ID ID",
        "RENAME KEY elsewhere",
        "PEXPIRE KEY 5",
        "MOVE KEY 1",
        "COPY KEY other REPLACE",
        "SET KEY plain PX 7",
        "FLUSHDB",
        "SWAPDB 0 1",
    ];
    let server = Server::builder().appendonly();
    mix_with_replica(server, &kinds, Duration::from_millis(3));
}

// Without CLIENT UNBLOCK: some servers die of it during a pause, with no module at all.
#[test]
fn pauses_in_the_mix_kill_nobody() {
    let kinds = [
        "CLIENT PAUSE 30 WRITE",
        "CLIENT PAUSE 20 ALL",
        "CLIENT UNPAUSE",
        "DEL KEY",
        "PEXPIRE KEY 5",
        "CLIENT KILL ID ID",
    ];
    let server = Server::builder().appendonly();
    mix_with_replica(server, &kinds, Duration::from_millis(10));
}

#[test]
fn role_changes_in_the_mix_kill_nobody() {
    let mut server = Server::builder().appendonly().start();
    let other = Server::start();
    let kinds = [
        "DEL KEY".to_owned(),
        format!("REPLICAOF 127.0.0.1 {}", other.port()),
    ];
    let kinds: Vec<&str> = kinds
        .iter()
        .map(String::as_str)
        .chain(["REPLICAOF NO ONE", "REPLICAOF NO ONE"])
        .collect();
    mix(&mut server, None, &kinds, Duration::from_millis(10));
}

#[test]
fn failovers_under_a_line_leave_it_empty_and_both_servers_well() {
    let mut first = Server::builder().appendonly().start();
    let mut second = Server::builder().appendonly().replica_of(&first).start();
    for round in 0..4 {
        let (from, to) = if round % 2 == 0 {
            (&first, &second)
        } else {
            (&second, &first)
        };
        let mut redis = from.client();
        to.catch_up_with(from);
        lock(&mut redis, "APP.LOCK k holder PX 30");
        let mut line: Vec<Client> = (0..10).map(|_| from.client()).collect();
        for (n, client) in line.iter_mut().enumerate() {
            id(client);
            client.send(&words(&format!("APP.LOCK k t{round}-{n} PX 5 WAIT 5000")));
        }
        redis.run("FAILOVER").ok();
        let mut unblocked = 0;
        for client in &mut line {
            match client.try_frame() {
                Ok(Reply::Error(error)) => {
                    assert!(
                        error.starts_with("UNBLOCKED") || error.starts_with("READONLY"),
                        "{error}"
                    );
                    unblocked += 1;
                }
                Ok(reply) => assert_eq!(reply.ints().len(), 3),
                Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock),
            }
        }
        assert!(unblocked <= 10);
        for (server, role) in [(to, "master"), (from, "slave")] {
            let mut redis = server.client();
            eventually("roles are swapped", || {
                info(&mut redis, "replication")["role"] == role
            });
        }
        assert_eq!(counter(&mut redis, "lock_waiting"), 0);
        eventually("the new replica follows", || {
            info(&mut redis, "replication")["master_link_status"] == "up"
        });
    }
    first.assert_healthy();
    second.assert_healthy();
    unload(&mut first.client());
    unload(&mut second.client());
}
