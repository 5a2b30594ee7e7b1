//! Two hundred clients on one lock.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::caller::{counter, fence, id, lock, nobody_waits, outcome, unload, waiter};
use crate::support::{Client, Server, now_ms, stretched, stretched_ms, words};

const CLIENTS: usize = 200;

#[test]
fn two_hundred_are_served_in_order_and_once() {
    let server = Server::start();
    let mut redis = server.client();
    let mut last = lock(&mut redis, "APP.LOCK k holder EX 1000").fence;
    let line: Vec<Client> = (0..CLIENTS)
        .map(|n| waiter(&server, &format!("APP.LOCK k t{n} EX 1000 WAIT 60000")))
        .collect();
    let served = Arc::new(Mutex::new(Vec::new()));
    let threads: Vec<_> = line
        .into_iter()
        .enumerate()
        .map(|(n, mut client)| {
            let served = Arc::clone(&served);
            std::thread::spawn(move || {
                let fence = fence(&mut client);
                served.lock().unwrap().push((n, fence));
                assert_eq!(client.run(&format!("APP.UNLOCK k t{n}")).int(), 1);
            })
        })
        .collect();
    redis.run("APP.UNLOCK k holder").int();
    for thread in threads {
        thread.join().expect("served");
    }
    let served = served.lock().unwrap();
    for (n, (client, fence)) in served.iter().enumerate() {
        assert_eq!(*client, n, "in the order of arrival");
        assert!(*fence > last);
        last = *fence;
    }
    assert_eq!(served.len(), CLIENTS);
    assert_eq!(counter(&mut redis, "lock_handed_over"), CLIENTS as i64);
    assert_eq!(redis.run("EXISTS k").int(), 0);
}

/// A third is killed at some moment, a third has little patience, the rest must be served in order.
#[test]
fn a_third_killed_and_a_third_out_of_time_do_not_hold_up_the_rest() {
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder EX 1000");
    let mut ids = Vec::new();
    let line: Vec<Client> = (0..CLIENTS)
        .map(|n| {
            let mut client = server.client();
            ids.push(id(&mut client));
            let wait = if n % 3 == 1 { 40 + n } else { 60_000 };
            client.send(&words(&format!("APP.LOCK k t{n} PX 30 WAIT {wait}")));
            // In line before the next one comes, however short it stays.
            redis.run("PING");
            client
        })
        .collect();
    let served = Arc::new(Mutex::new(Vec::new()));
    let threads: Vec<_> = line
        .into_iter()
        .enumerate()
        .map(|(n, mut client)| {
            let served = Arc::clone(&served);
            std::thread::spawn(move || {
                let Ok(reply) = client.try_frame() else {
                    return;
                };
                let got = crate::caller::Outcome::of(&reply);
                if got.held {
                    served.lock().unwrap().push((n, got.fence));
                    // Some release, some let it run out.
                    if n % 2 == 0 {
                        client.send(&words(&format!("APP.UNLOCK k t{n}")));
                        let _ = client.try_frame();
                    }
                }
            })
        })
        .collect();
    redis.run("APP.UNLOCK k holder").int();
    for (n, id) in ids.iter().enumerate().filter(|(n, _)| n % 3 == 0) {
        redis.run(&format!("CLIENT KILL ID {id}"));
        std::thread::sleep(Duration::from_millis(u64::try_from(n % 5).unwrap()));
    }
    for thread in threads {
        thread.join().expect("served, killed or out of time");
    }
    nobody_waits(&server);
    let mut served = served.lock().unwrap().clone();
    served.sort_by_key(|(_, fence)| *fence);
    let clients: Vec<usize> = served.iter().map(|(n, _)| *n).collect();
    assert!(clients.is_sorted(), "in the order of arrival: {clients:?}");
    let fences: Vec<i64> = served.iter().map(|(_, fence)| *fence).collect();
    assert!(
        fences.windows(2).all(|pair| pair[0] < pair[1]),
        "no fence twice"
    );
    let patient = clients.iter().filter(|n| **n % 3 == 2).count();
    assert_eq!(
        patient,
        (0..CLIENTS).filter(|n| n % 3 == 2).count(),
        "{clients:?}"
    );
    // The last lock runs out or was released; nothing is left behind.
    crate::support::eventually("the lock is free", || redis.run("EXISTS k").int() == 0);
    unload(&mut redis);
}

#[test]
fn two_hundred_waits_run_out_together() {
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder EX 1000");
    let started = Instant::now();
    let ends_at = now_ms() + stretched_ms(1500) as i64;
    let mut line: Vec<Client> = (0..CLIENTS)
        .map(|n| {
            let mut client = server.client();
            client.send(&words(&format!(
                "APP.LOCK k t{n} EX 1 WAIT {}",
                ends_at - now_ms()
            )));
            client
        })
        .collect();
    assert!(
        started.elapsed() < stretched(1400),
        "all are in line in time"
    );
    for client in &mut line {
        assert!(!outcome(client).held);
        assert!(now_ms() >= ends_at - 1, "not before its time");
    }
    assert!(now_ms() < ends_at + stretched_ms(1000) as i64);
    assert_eq!(counter(&mut redis, "lock_timed_out"), CLIENTS as i64);
    assert_eq!(counter(&mut redis, "lock_waiting"), 0);
}
