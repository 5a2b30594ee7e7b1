//! How soon the next in line knows. The figures are printed (`--nocapture`); what is asserted is
//! what the contract promises, at the median: this may run on a busy machine and unoptimized.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::caller::{fence, lock, stand_in_line};
use crate::support::{Client, Server, is_long, now_ms, words};

const PROMISED: Duration = Duration::from_millis(10);

/// Clients that keep the server busy with pipelines until they are dropped.
struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Load {
    fn start(server: &Server, clients: usize) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..clients).map(|n| {
            let (mut redis, stop) = (server.client(), Arc::clone(&stop));
            std::thread::spawn(move || {
                let pipeline: Vec<redis::Cmd> = (0..16)
                    .map(|m| words(&format!("SET busy{n}-{m} value")))
                    .collect();
                while !stop.load(Ordering::Relaxed) {
                    redis.pipeline(&pipeline);
                }
            })
        });
        Load {
            threads: threads.collect(),
            stop,
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn rounds() -> usize {
    if is_long() { 300 } else { 40 }
}

#[track_caller]
fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("{what}: p50 {:?}, p99 {:?}", at(50), at(99));
    assert!(at(50) < PROMISED, "{what}: {times:?}");
}

/// From sending `APP.UNLOCK` to the reply of the next in line.
fn after_unlock(server: &Server) -> Vec<Duration> {
    let (mut redis, mut next) = (server.client(), server.client());
    (0..rounds())
        .map(|_| {
            lock(&mut redis, "APP.LOCK k holder EX 100");
            stand_in_line(server, &mut next, "APP.LOCK k next EX 100 WAIT 60000");
            let started = Instant::now();
            redis.send(&words("APP.UNLOCK k holder"));
            fence(&mut next);
            let took = started.elapsed();
            redis.reply().int();
            redis.run("APP.UNLOCK k next").int();
            took
        })
        .collect()
}

/// From the holder's expiry to the reply of the next in line.
fn after_expiry(server: &Server) -> Vec<Duration> {
    let (mut redis, mut next): (Client, Client) = (server.client(), server.client());
    (0..rounds())
        .map(|_| {
            lock(&mut redis, "APP.LOCK k holder PX 40");
            let end = redis.run("PEXPIRETIME k").int();
            stand_in_line(server, &mut next, "APP.LOCK k next EX 100 WAIT 60000");
            fence(&mut next);
            let late = now_ms() - end;
            redis.run("APP.UNLOCK k next").int();
            Duration::from_millis(u64::try_from(late).expect("not before the expiry"))
        })
        .collect()
}

#[test]
fn the_next_in_line_knows_soon_when_the_server_is_idle() {
    let server = Server::start();
    report("after an unlock, idle", after_unlock(&server));
    report("after an expiry, idle", after_expiry(&server));
}

#[test]
fn the_next_in_line_knows_soon_under_pipelined_load() {
    let server = Server::start();
    let _load = Load::start(&server, 2);
    report("after an unlock, under load", after_unlock(&server));
    report("after an expiry, under load", after_expiry(&server));
}
