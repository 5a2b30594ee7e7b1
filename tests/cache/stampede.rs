//! Many callers miss one key at once: exactly one loads, the rest sleep in the server until the value
//! is there, and none is forgotten whatever becomes of the loader.

use std::time::Duration;

use crate::caller::{LONG, Loaded, counters, fill, load, send_load};
use crate::support::{Client, Server, eventually, info, is_long, stretched_ms, words};

const CALLERS: usize = 500;

fn server() -> Server {
    Server::builder().config("maxclients 2000").start()
}

/// Lets all callers ask for `k` at once, with `lease` for whoever has to load. The first is the one
/// that loads.
fn stampede(server: &Server, lease: &str) -> (Loaded, Vec<Client>) {
    let mut callers: Vec<Client> = (0..CALLERS).map(|_| server.client()).collect();
    for caller in &mut callers {
        send_load(caller, &format!("k {lease} WAIT 600000"));
    }
    let mut redis = server.client();
    eventually("all but one wait", || {
        counters(&mut redis)["waiting"] == CALLERS as u64 - 1
    });
    let counters = counters(&mut redis);
    assert_eq!(
        (counters["loads"], counters["busy"]),
        (1, 0),
        "{counters:?}"
    );
    // Which one came first is the server's affair: it is the one that has an answer.
    let first = callers.iter().position(|caller| caller.has_reply());
    let mut loader = callers.remove(first.expect("one has an answer"));
    (Loaded::of(&loader.reply()), callers)
}

#[test]
fn one_loads_and_all_others_get_the_value_for_their_one_call() {
    let server = server();
    let mut redis = server.client();
    let (loader, waiters) = stampede(&server, LONG);
    assert!(loader.is("LOAD"));
    assert!(fill(&mut redis, "k", loader.lease(), "value"));
    for mut waiter in waiters {
        let hit = Loaded::of(&waiter.reply());
        assert_eq!((hit.status.as_str(), hit.text().as_str()), ("HIT", "value"));
        assert!((1..=60_000).contains(&hit.ttl_ms), "{hit:?}");
    }
    let counters = counters(&mut redis);
    assert_eq!(
        (counters["loads"], counters["waiting"]),
        (1, 0),
        "{counters:?}"
    );
    assert_eq!(counters["hits"], CALLERS as u64 - 1);
}

/// Lets the loader be lost by `lose`, again and again: each time exactly one of those in line loads,
/// the last of `turns` fills, and everybody else gets the value.
fn lose_loaders(lease: &str, turns: usize, lose: impl Fn(&mut Client, &Loaded)) {
    let server = server();
    let mut redis = server.client();
    let (mut loader, mut waiters) = stampede(&server, lease);
    for turn in 1..turns {
        lose(&mut redis, &loader);
        eventually("the next one loads", || {
            counters(&mut redis)["promoted"] == turn as u64
        });
        eventually("and knows", || waiters.iter().any(Client::has_reply));
        let next = waiters.iter().position(Client::has_reply).unwrap();
        let next = Loaded::of(&waiters.remove(next).reply());
        assert!(next.is("LOAD"), "{next:?}");
        assert!(
            !fill(&mut redis, "k", loader.lease(), "late"),
            "two leases at a time"
        );
        assert!(
            !waiters.iter().any(Client::has_reply),
            "two loaders at a time"
        );
        loader = next;
    }
    redis.run("SET k value").ok();
    assert!(!fill(&mut redis, "k", loader.lease(), "late"));
    for mut waiter in waiters {
        assert_eq!(Loaded::of(&waiter.reply()).text(), "value");
    }
    assert_eq!(counters(&mut redis)["waiting"], 0);
}

#[test]
fn a_loader_that_gives_up_is_followed_by_exactly_one() {
    lose_loaders(LONG, 6, |redis, loader| {
        assert_eq!(
            redis
                .run(&format!("APP.CACHE.RELEASE k {}", loader.lease()))
                .int(),
            1
        );
    });
}

#[test]
fn a_loader_that_dies_or_is_too_slow_is_followed_by_exactly_one() {
    // Its lease runs out, whether its connection is still there or not.
    let lease = format!("LEASE {}", stretched_ms(700));
    lose_loaders(&lease, 3, |_, _| {});
}

#[test]
fn an_invalidation_makes_the_first_in_line_load_anew() {
    lose_loaders(LONG, 4, |redis, _| {
        redis.run("APP.CACHE.INVALIDATE k").int();
    });
}

#[test]
fn a_flush_makes_the_first_in_line_load_anew() {
    lose_loaders(LONG, 4, |redis, _| redis.run("FLUSHALL").ok());
}

#[test]
fn a_long_value_for_many_does_not_make_the_server_swell() {
    const BYTES: usize = 10 << 20;
    let many = if is_long() { 500 } else { 60 };
    let server = server();
    let mut redis = server.client();
    let lease = load(&mut redis, &format!("k {LONG}")).lease().to_owned();
    let readers: Vec<_> = (0..many)
        .map(|_| {
            let mut client = server.client();
            // Gigabytes take their time on a machine that does other things besides.
            client.set_read_timeout(Duration::from_secs(120));
            std::thread::spawn(move || {
                send_load(&mut client, &format!("k {LONG} WAIT 600000"));
                Loaded::of(&client.reply()).value.map(|value| value.len())
            })
        })
        .collect();
    eventually("all wait", || {
        counters(&mut redis)["waiting"] == many as u64
    });
    let memory =
        |redis: &mut Client, field: &str| info(redis, "memory")[field].parse::<u64>().unwrap();
    redis.run("CONFIG RESETSTAT").ok();
    let before = memory(&mut redis, "used_memory");
    let mut call = redis::cmd("APP.CACHE.FILL");
    call.arg("k")
        .arg(lease)
        .arg(vec![b'v'; BYTES])
        .arg("EX")
        .arg(60);
    assert_eq!(redis.call(&call).int(), 1);
    for reader in readers {
        assert_eq!(reader.join().unwrap(), Some(BYTES));
    }
    let grown = memory(&mut redis, "used_memory_peak") - before;
    assert!(grown < (many * BYTES / 2) as u64, "{grown}");
}

/// Redis 7.0 looks at the clock each time that a timer looks at a key: it died of a value that was
/// there at the first look and had run out at the second.
#[test]
fn values_that_run_out_while_their_lines_are_served_are_served_or_loaded_anew() {
    const KEYS: usize = 60;
    const ROUNDS: usize = 200;
    let server = server();
    let mut redis = server.client();
    let mut callers: Vec<Client> = (0..KEYS).map(|_| server.client()).collect();
    let (mut hits, mut life_ms) = (0, 1);
    for round in 0..ROUNDS {
        let key = |i| format!("{round}:{i}");
        let leases: Vec<_> = (0..KEYS)
            .map(|i| words(&format!("APP.CACHE.GETORLOAD {} {LONG}", key(i))))
            .collect();
        redis.pipeline(&leases);
        for (i, caller) in callers.iter_mut().enumerate() {
            send_load(caller, &format!("{} {LONG} WAIT 600000", key(i)));
        }
        eventually("all wait", || {
            counters(&mut redis)["waiting"] == KEYS as u64
        });
        let mut values = vec![words("MULTI")];
        values.extend((0..KEYS).map(|i| words(&format!("SET {} v PX {life_ms}", key(i)))));
        values.push(words("EXEC"));
        // So that the lines are looked at just when the values run out, a little later each time.
        values.push(words(&format!("DEBUG SLEEP 0.00{:02}", round % 16)));
        redis.pipeline(&values);
        let mut hits_now = 0;
        for caller in &mut callers {
            match Loaded::of(&caller.reply()).status.as_str() {
                "HIT" => hits_now += 1,
                "LOAD" => {}
                status => panic!("{status}"),
            }
        }
        // As long as it takes on this machine.
        life_ms = match hits_now {
            0 => life_ms + 1,
            KEYS => (life_ms - 1).max(1),
            _ => life_ms,
        };
        hits += hits_now;
    }
    assert!(hits > 0);
}
