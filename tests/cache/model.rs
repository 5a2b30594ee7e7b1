//! Random interleavings of everything that callers, writers and the server do, against a model.

use std::collections::BTreeMap;

use crate::caller::{LONG, Loaded, counters, load, send_load};
use crate::support::{Client, Dice, Server, eventually, is_long, stretched_ms};

const KEYS: [&str; 3] = ["a", "b", "c"];

/// What is at a key.
#[derive(Default)]
struct Place {
    value: Option<String>,
    /// Whether the value has an end.
    ends: bool,
    lease: Option<String>,
    backoff: bool,
    line: Vec<Client>,
}

struct Run {
    server: Server,
    redis: Client,
    places: BTreeMap<&'static str, Place>,
    /// Every lease that was ever given, with its key.
    leases: Vec<(&'static str, String)>,
    dice: Dice,
    values: u64,
}

impl Run {
    fn new(seed: u64) -> Run {
        let server = Server::start();
        let redis = server.client();
        let places = KEYS.iter().map(|key| (*key, Place::default()));
        Run {
            server,
            redis,
            places: places.collect(),
            leases: Vec::new(),
            dice: Dice::new(seed),
            values: 0,
        }
    }

    fn place(&mut self, key: &'static str) -> &mut Place {
        self.places.get_mut(key).unwrap()
    }

    fn given(&mut self, key: &'static str, loaded: &Loaded) {
        assert!(self.place(key).lease.is_none(), "a second lease");
        let lease = loaded.lease().to_owned();
        assert!(self.leases.iter().all(|(_, other)| *other != lease));
        self.leases.push((key, lease.clone()));
        self.place(key).lease = Some(lease);
    }

    /// What a call gets; `None` is a place in line.
    fn expected(&mut self, key: &'static str, early: bool, wait: bool) -> Option<&'static str> {
        let place = self.place(key);
        match (&place.value, &place.lease) {
            (Some(_), None) if early && place.ends && !place.backoff => Some("REFRESH"),
            (Some(_), _) => Some("HIT"),
            (None, _) if place.backoff => Some("BUSY"),
            (None, None) => Some("LOAD"),
            (None, Some(_)) if wait => None,
            (None, Some(_)) => Some("BUSY"),
        }
    }

    #[track_caller]
    fn check(&mut self, key: &'static str, loaded: &Loaded, status: &str) {
        assert_eq!(loaded.status, status, "{key}: {loaded:?}");
        let value = loaded.value.as_ref().map(|_| loaded.text());
        if value.is_some() {
            assert_eq!(value, self.place(key).value);
        }
        if matches!(status, "LOAD" | "REFRESH") {
            self.given(key, loaded);
        }
    }

    fn load(&mut self, key: &'static str, early: bool) {
        let expected = self.expected(key, early, false).unwrap();
        let option = if early { "EARLY 315360000000" } else { "" };
        let loaded = load(&mut self.redis, &format!("{key} {LONG} {option}"));
        self.check(key, &loaded, expected);
    }

    fn wait(&mut self, key: &'static str) {
        let mut client = self.server.client();
        send_load(&mut client, &format!("{key} {LONG} WAIT 600000"));
        match self.expected(key, false, true) {
            Some(expected) => {
                let loaded = Loaded::of(&client.reply());
                self.check(key, &loaded, expected);
            }
            None => {
                self.place(key).line.push(client);
                self.expect_waiting();
            }
        }
    }

    fn expect_waiting(&mut self) {
        let waiting = self
            .places
            .values()
            .map(|place| place.line.len() as u64)
            .sum();
        let redis = &mut self.redis;
        eventually("as many wait as should", || {
            counters(redis)["waiting"] == waiting
        });
    }

    fn any_lease(&mut self) -> Option<(&'static str, String)> {
        // Mostly one of the last: those are still good at times.
        let count = self.leases.len();
        let back = self.dice.index(4).min(count.checked_sub(1)?);
        Some(self.leases[count - 1 - back].clone())
    }

    fn fill(&mut self) {
        let Some((key, lease)) = self.any_lease() else {
            return;
        };
        let value = self.new_value();
        let stored = self
            .redis
            .run(&format!("APP.CACHE.FILL {key} {lease} {value} EX 600"))
            .int();
        let good = self.place(key).lease.as_ref() == Some(&lease);
        assert_eq!(stored == 1, good, "{key} {lease}");
        if good {
            self.written(key, value, true);
        }
    }

    fn release(&mut self, backoff: bool) {
        let Some((key, lease)) = self.any_lease() else {
            return;
        };
        let option = if backoff { "BACKOFF 600000" } else { "" };
        let released = self
            .redis
            .run(&format!("APP.CACHE.RELEASE {key} {lease} {option}"))
            .int();
        let place = self.place(key);
        let good = place.lease.as_ref() == Some(&lease);
        assert_eq!(released == 1, good, "{key} {lease}");
        if good {
            place.lease = None;
            place.backoff = backoff;
            self.move_line(key);
        }
    }

    fn new_value(&mut self) -> String {
        self.values += 1;
        // Short ones and long ones are read in different ways.
        let padding = "x".repeat(self.dice.index(2) * 300);
        format!("{}{padding}", self.values)
    }

    fn written(&mut self, key: &'static str, value: String, ends: bool) {
        let place = self.place(key);
        place.value = Some(value);
        place.ends = ends;
        place.lease = None;
        place.backoff = false;
        self.move_line(key);
    }

    fn set(&mut self, key: &'static str) {
        let value = self.new_value();
        self.redis.run(&format!("SET {key} {value}")).ok();
        self.written(key, value, false);
    }

    fn get_or_set(&mut self, key: &'static str) {
        let value = self.new_value();
        let reply = self
            .redis
            .run(&format!("APP.CACHE.GETORSET {key} {value} EX 600"));
        match self.place(key).value.clone() {
            Some(there) => assert_eq!(reply.items()[1].text(), there),
            None => self.written(key, value, true),
        }
    }

    /// A plain `DEL` of a key that is not there is seen by nobody.
    fn delete(&mut self, key: &'static str) {
        let deleted = self.redis.run(&format!("DEL {key}")).int();
        let place = self.place(key);
        assert_eq!(deleted == 1, place.value.is_some());
        if place.value.take().is_some() {
            place.lease = None;
        }
    }

    fn invalidate(&mut self, key: &'static str) {
        let removed = self.redis.run(&format!("APP.CACHE.INVALIDATE {key}")).int();
        let place = self.place(key);
        assert_eq!(removed == 1, place.value.take().is_some());
        place.lease = None;
        place.backoff = false;
        self.move_line(key);
    }

    fn expire(&mut self, key: &'static str) {
        // An expiry that is over by the time that a slow server sets it is a deletion.
        let soon_ms = stretched_ms(1);
        if self.redis.run(&format!("PEXPIRE {key} {soon_ms}")).int() == 1 {
            let redis = &mut self.redis;
            eventually("it has run out", || {
                redis.run(&format!("EXISTS {key}")).int() == 0
            });
            self.place(key).value = None;
        }
    }

    fn flush(&mut self) {
        self.redis.run("FLUSHALL").ok();
        for key in KEYS {
            let line = std::mem::take(&mut self.place(key).line);
            *self.place(key) = Place {
                line,
                ..Place::default()
            };
        }
        KEYS.into_iter().for_each(|key| self.serve(key));
        self.expect_waiting();
    }

    fn disconnect(&mut self, key: &'static str) {
        let count = self.place(key).line.len();
        if count > 0 {
            let gone = self.dice.index(count);
            self.place(key).line.remove(gone);
            self.expect_waiting();
        }
    }

    fn move_line(&mut self, key: &'static str) {
        self.serve(key);
        self.expect_waiting();
    }

    /// Reads what those in line get now.
    fn serve(&mut self, key: &'static str) {
        while !self.place(key).line.is_empty() {
            let Some(expected) = self.expected(key, false, true) else {
                break;
            };
            let mut client = self.place(key).line.remove(0);
            let loaded = Loaded::of(&client.reply());
            self.check(key, &loaded, expected);
        }
    }

    fn step(&mut self) {
        let key = KEYS[self.dice.index(KEYS.len())];
        match self.dice.index(22) {
            0..=2 => self.load(key, false),
            3..=4 => self.load(key, true),
            5..=9 => self.wait(key),
            10..=12 => self.fill(),
            13 => self.release(false),
            14 => self.release(true),
            15 => self.invalidate(key),
            16 => self.set(key),
            17 => self.delete(key),
            18 => self.expire(key),
            19 => self.get_or_set(key),
            20 => self.disconnect(key),
            _ if self.dice.index(4) == 0 => self.flush(),
            _ => self.disconnect(key),
        }
    }
}

#[test]
fn any_interleaving_does_what_the_model_does() {
    let seeds = if is_long() { 200 } else { 8 };
    for seed in 1..=seeds {
        let mut run = Run::new(seed);
        for step in 0..200 {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run.step()));
            if let Err(panic) = outcome {
                eprintln!("seed {seed}, step {step}");
                std::panic::resume_unwind(panic);
            }
        }
        // Nobody is forgotten.
        for key in KEYS {
            run.set(key);
        }
        assert_eq!(counters(&mut run.redis)["waiting"], 0);
        assert_eq!(counters(&mut run.redis)["leases"], 0);
    }
}
