//! Clients that stand in line and go away, and one that must get its turn nevertheless.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::support::{Client, words};
use crate::workload::{Dice, KEYS, seed};

pub struct Vanishing {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<u64>>,
}

impl Vanishing {
    /// So many threads, each a new connection after the other.
    pub fn start(port: u16, threads: usize) -> Vanishing {
        let stop = Arc::new(AtomicBool::new(false));
        let seed = seed();
        let vanish = (0..threads).map(|number| {
            let stop = Arc::clone(&stop);
            let mut dice = Dice::new(seed.wrapping_add(1_000_000 + number as u64));
            std::thread::spawn(move || {
                let mut calls = 0;
                while !stop.load(Ordering::Relaxed) {
                    vanish(port, calls, &mut dice);
                    calls += 1;
                }
                calls
            })
        });
        let mut threads: Vec<JoinHandle<u64>> = vanish.collect();
        let until = Arc::clone(&stop);
        threads.push(std::thread::spawn(move || patient(port, &until)));
        Vanishing { stop, threads }
    }

    /// How many calls there were.
    pub fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let threads = self.threads.into_iter();
        threads
            .map(|thread| thread.join().expect("no failure"))
            .sum()
    }
}

/// Asks and goes, before or after the answer.
fn vanish(port: u16, number: u64, dice: &mut Dice) {
    let (line, token) = (dice.below(KEYS as u64), format!("{number}-{}", dice.next()));
    let call = if dice.one_in(2) {
        format!("APP.LOCK gone:{line} {token} PX 30 WAIT 300")
    } else {
        format!("APP.CACHE.GETORLOAD lost:{line} LEASE 30 WAIT 300")
    };
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server accepts");
    stream
        .write_all(&words(&call).get_packed_command())
        .expect("the server takes the call");
    std::thread::sleep(Duration::from_micros(dice.below(60_000)));
}

/// Stands in the same lines, and is served: nobody who is gone is in its way for long.
fn patient(port: u16, stop: &AtomicBool) -> u64 {
    let mut redis = Client::open(port).expect("the server accepts");
    let mut calls = 0;
    while !stop.load(Ordering::Relaxed) {
        let line = calls % KEYS as u64;
        let held = redis.run(&format!(
            "APP.LOCK gone:{line} patient{calls} PX 30 WAIT 10000"
        ));
        assert_eq!(held.ints()[0], 1, "behind clients that are gone: {held:?}");
        let reply = redis.run(&format!(
            "APP.CACHE.GETORLOAD lost:{line} LEASE 30 WAIT 10000"
        ));
        assert_eq!(
            reply.items()[0].text(),
            "LOAD",
            "behind loaders that are gone: {reply:?}"
        );
        std::thread::sleep(Duration::from_millis(40));
        calls += 1;
    }
    2 * calls
}
