//! Many clients at once.

use std::sync::{Arc, Barrier};

use crate::caller::{ALGORITHMS, Decision};
use crate::support::{Client, Server, words};

const CLIENTS: usize = 100;
const UNITS: usize = 20;

/// How many of `calls` were allowed when each client sends all of them at the same moment.
fn race(server: &Server, call: &str, calls: usize) -> usize {
    let start = Arc::new(Barrier::new(CLIENTS));
    let clients = (0..CLIENTS).map(|_| {
        let (mut redis, start) = (server.client(), Arc::clone(&start));
        let commands = vec![words(call); calls];
        std::thread::spawn(move || {
            start.wait();
            allowed(&mut redis, &commands)
        })
    });
    let clients: Vec<_> = clients.collect();
    clients
        .into_iter()
        .map(|client| client.join().expect("the client ends"))
        .sum()
}

fn allowed(redis: &mut Client, commands: &[redis::Cmd]) -> usize {
    let replies = commands.iter().map(|command| redis.call(command));
    replies.filter(|reply| Decision::of(reply).allowed).count()
}

#[test]
fn a_hundred_connections_racing_for_twenty_units_get_exactly_twenty() {
    let server = Server::start();
    for algorithm in ALGORITHMS {
        let call = format!("APP.RATELIMIT {algorithm} {UNITS} EX 3600 ALGO {algorithm}");
        assert_eq!(race(&server, &call, 3), UNITS, "{algorithm}");
    }
}

#[test]
fn racing_calls_of_several_units_never_split_one() {
    let server = Server::start();
    for algorithm in ALGORITHMS {
        let call = format!("APP.RATELIMIT {algorithm} {UNITS} EX 3600 ALGO {algorithm} COST 3");
        assert_eq!(race(&server, &call, 1), UNITS / 3, "{algorithm}");
        let peek = format!("APP.RATELIMIT.PEEK {algorithm} {UNITS} EX 3600 ALGO {algorithm}");
        let left = Decision::of(&server.client().run(&peek)).remaining;
        assert_eq!(left, (UNITS % 3) as i64, "{algorithm}");
    }
}
