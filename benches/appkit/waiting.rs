//! How soon those who wait are served: the next in line for a lock, and a crowd that waits for a
//! cached value.

use std::time::{Duration, Instant};

use crate::load::Numbers;
use crate::report::Rows;
use crate::resp::{Client, element};
use crate::server::Server;
use crate::statistics::percentile;

/// Clients that wait for one value.
const CROWD: usize = 500;
/// How often a client without a waiting lock looks again.
const POLL: Duration = Duration::from_millis(100);

/// Milliseconds from when `UNLOCK` is sent until the next in line has its reply, ascending. `None`
/// where the server has no locks.
pub fn hand_over(server: &Server, rounds: usize) -> Option<Vec<f64>> {
    if !server.knows("APP.LOCK") {
        return None;
    }
    let (mut holder, mut waiter) = (server.client(), server.client());
    let mut times = Vec::new();
    for _ in 0..rounds {
        holder.ask("APP.LOCK handed holder EX 30");
        waiter.send(&words("APP.LOCK handed waiter EX 30 WAIT 20000"));
        wait_for(server, "the waiter stands in line", |client| {
            let reply = client.call(&words("APP.LOCK.INFO handed"));
            element(&reply, 5) == Some(b"1")
        });
        let released = Instant::now();
        holder.send(&words("APP.UNLOCK handed holder"));
        let reply = waiter.receive().expect("the lock");
        times.push(released.elapsed().as_secs_f64() * 1e3);
        assert!(reply.starts_with(b"*3\r\n:1\r\n"), "the waiter got no lock");
        holder.receive().expect("a reply to UNLOCK");
        waiter.ask("APP.UNLOCK handed waiter");
    }
    times.sort_by(f64::total_cmp);
    Some(times)
}

/// The same for a client that tries `SET NX PX` every 100 ms.
pub fn polled(server: &Server, rounds: usize) -> Vec<f64> {
    let mut holder = server.client();
    let mut delays = Numbers::random(0..100);
    let mut one = || {
        holder.ask("SET polled holder NX PX 30000");
        let released = std::thread::scope(|scope| {
            let taken = scope.spawn(|| poll(server.client()));
            let delay = 20 + delays.next().unwrap_or(0);
            std::thread::sleep(Duration::from_millis(delay));
            let released = Instant::now();
            holder.ask("DEL polled");
            let taken = taken.join().expect("the poller got the lock");
            taken.saturating_duration_since(released)
        });
        holder.ask("DEL polled");
        released.as_secs_f64() * 1e3
    };
    let mut times: Vec<f64> = (0..rounds).map(|_| one()).collect();
    times.sort_by(f64::total_cmp);
    times
}

/// When the lock was got.
fn poll(mut client: Client) -> Instant {
    while client.call(&words("SET polled waiter NX PX 30000")) != b"+OK\r\n" {
        std::thread::sleep(POLL);
    }
    Instant::now()
}

/// Milliseconds from when `FILL` is sent until the last of 500 waiters has the value, ascending.
/// `None` where the server has no cache.
pub fn stampede(server: &Server, rounds: usize) -> Option<Vec<f64>> {
    if !server.knows("APP.CACHE.GETORLOAD") {
        return None;
    }
    let mut loader = server.client();
    let mut crowd: Vec<Client> = (0..CROWD).map(|_| server.client()).collect();
    let mut times = Vec::new();
    let value = vec![b'v'; 200];
    for round in 0..rounds {
        let key = format!("crowded:{round}").into_bytes();
        let load: [&[u8]; 4] = [b"APP.CACHE.GETORLOAD", &key, b"LEASE", b"30000"];
        let reply = loader.call(&load);
        let lease = element(&reply, 2).expect("a lease").to_vec();
        let wait = [&load[..], &[b"WAIT", b"20000"]].concat();
        crowd.iter_mut().for_each(|client| client.send(&wait));
        wait_for(server, "the crowd waits", |client| {
            client.info("clients", "blocked_clients") == Some(CROWD as f64)
        });
        let filled = Instant::now();
        loader.send(&[b"APP.CACHE.FILL", &key, &lease, &value, b"EX", b"60"]);
        for client in &mut crowd {
            let reply = client.receive().expect("the value");
            assert_eq!(
                element(&reply, 0),
                Some(&b"HIT"[..]),
                "a waiter got no value"
            );
        }
        times.push(filled.elapsed().as_secs_f64() * 1e3);
        loader.receive().expect("a reply to FILL");
    }
    times.sort_by(f64::total_cmp);
    Some(times)
}

/// The table of all three.
pub fn rows(hand_over: Option<&[f64]>, polled: &[f64], stampede: Option<&[f64]>) -> Rows {
    let mut rows = Rows::new(&["ms", "p50", "p99", "longest"]);
    let mut row = |name: &str, times: &[f64]| {
        let shown = |share| format!("{:.3}", percentile(times, share));
        rows.push([name.to_owned(), shown(0.5), shown(0.99), shown(1.0)]);
    };
    if let Some(times) = hand_over {
        row("APP.UNLOCK to the next in line", times);
    }
    row("release to a client that polls every 100 ms", polled);
    if let Some(times) = stampede {
        row("APP.CACHE.FILL to the last of 500 waiters", times);
    }
    rows
}

fn words(line: &str) -> Vec<&[u8]> {
    line.split(' ').map(str::as_bytes).collect()
}

fn wait_for(server: &Server, what: &str, mut condition: impl FnMut(&mut Client) -> bool) {
    let mut client = server.client();
    let started = Instant::now();
    while !condition(&mut client) {
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "in vain: {what}"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}
