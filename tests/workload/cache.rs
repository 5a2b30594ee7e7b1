//! Cached values: one loader at a time, and nothing older than the last invalidation.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::ledger::Ledger;
use super::{Caller, Dice, Outcome};

/// What a worker notices when a lease that should have been good was not the only one. Leases are in
/// the server's memory alone, so each loss of that may bring one of these for each key.
pub const TWO_LOADERS: &str = "two loaders";

const LEASE_MS: u64 = 300;

/// The server counts in whole milliseconds.
const GRAIN: Duration = Duration::from_millis(2);

/// Values that all workers read, load and change.
pub struct Cache {
    entries: Vec<Entry>,
    loads: AtomicU64,
    hits: AtomicU64,
}

struct Entry {
    key: String,
    /// What the database holds: the number of the latest version.
    database: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// No older version may be read: it was written and invalidated.
    floor: u64,
    floor_since: Option<Instant>,
    /// Who loads, and until when the lease is surely good.
    loader: Option<(String, Instant)>,
    /// Changes whenever leases may become void.
    epoch: u64,
    invalidations: u64,
}

/// A reply of `APP.CACHE.GETORLOAD`.
type Reply = (String, Option<u64>, Option<String>, i64);

/// How many cached keys there are for each tag.
pub const KEYS: usize = 3;

impl Cache {
    pub fn new(tags: &[&str]) -> Cache {
        let keys = tags
            .iter()
            .flat_map(|tag| (0..KEYS).map(move |n| format!("{tag}cached:{n}")));
        let entry = |key| Entry {
            key,
            database: AtomicU64::new(1),
            state: Mutex::default(),
        };
        Cache {
            entries: keys.map(entry).collect(),
            loads: AtomicU64::new(0),
            hits: AtomicU64::new(0),
        }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Leases that were held against each other, and values against the last invalidation.
    pub fn checked(&self) -> (u64, u64) {
        (
            self.loads.load(Ordering::Relaxed),
            self.hits.load(Ordering::Relaxed),
        )
    }

    pub fn step(&self, caller: &mut Caller, dice: &mut Dice, ledger: &Ledger) {
        let entry = dice.pick(&self.entries);
        if dice.one_in(25) {
            return entry.change(caller);
        }
        let (floor, since, epoch) = entry.expectations();
        let sent = Instant::now();
        let (wait_ms, early_ms) = (*dice.pick(&[0, 30, 100]), *dice.pick(&[1, 100]));
        let options = format!("LEASE {LEASE_MS} WAIT {wait_ms} EARLY {early_ms}");
        let call = format!("APP.CACHE.GETORLOAD {} {options}", entry.key);
        let Some((status, value, lease, ttl)) = caller.run(&call).reply::<Reply>() else {
            return;
        };
        caller.did(match status.as_str() {
            "HIT" => "cache_hits",
            "LOAD" => "cache_loads",
            "REFRESH" => "cache_refreshes",
            _ => "cache_busy",
        });
        // A value to refresh was found, too.
        if status == "REFRESH" {
            caller.did("cache_hits");
        }
        if let Some(value) = value {
            self.hits.fetch_add(1, Ordering::Relaxed);
            if value < floor {
                let text = format!("{}: {value} after {floor} was invalidated", entry.key);
                ledger.broken("stale value", since, text);
            }
        }
        if let Some(lease) = lease {
            let until = sent + Duration::from_millis(ttl as u64) - GRAIN;
            let registered = entry.enter(&lease, until, epoch, ledger);
            self.loads
                .fetch_add(u64::from(registered), Ordering::Relaxed);
            entry.load(&lease, caller, dice);
        }
    }
}

impl Entry {
    fn expectations(&self) -> (u64, Instant, u64) {
        let state = self.state.lock().expect("no failure");
        (
            state.floor,
            state.floor_since.unwrap_or_else(Instant::now),
            state.epoch,
        )
    }

    /// Counts a loader in; nobody else may be loading. Says whether that could be told.
    fn enter(&self, lease: &str, until: Instant, epoch: u64, ledger: &Ledger) -> bool {
        let now = Instant::now();
        let mut state = self.state.lock().expect("no failure");
        if state.epoch != epoch || state.invalidations > 0 || now >= until {
            return false;
        }
        if state.loader.as_ref().is_some_and(|(_, until)| now < *until) {
            ledger.broken(TWO_LOADERS, now, self.key.clone());
        }
        state.loader = Some((lease.to_owned(), until));
        true
    }

    /// Counts a loader out, before the server is told.
    fn leave(&self, lease: &str) {
        let mut state = self.state.lock().expect("no failure");
        if state
            .loader
            .as_ref()
            .is_some_and(|(loader, _)| loader == lease)
        {
            state.loader = None;
        }
    }

    fn load(&self, lease: &str, caller: &mut Caller, dice: &mut Dice) {
        let version = self.database.load(Ordering::SeqCst);
        std::thread::sleep(Duration::from_micros(dice.below(3000)));
        let key = &self.key;
        let call = match dice.below(20) {
            // Never comes back.
            0 => return,
            1 => format!("APP.CACHE.RELEASE {key} {lease}"),
            2 => format!("APP.CACHE.RELEASE {key} {lease} BACKOFF 5"),
            _ => format!(
                "APP.CACHE.FILL {key} {lease} {version} PX {}",
                50 + dice.below(400)
            ),
        };
        self.leave(lease);
        let reply = caller.run(&call).reply::<i64>();
        if call.contains("FILL") {
            match reply {
                Some(1) => caller.did("cache_fills"),
                Some(_) => caller.did("cache_lost_fills"),
                None => {}
            }
        }
    }

    /// A new version in the database, then the invalidation.
    fn change(&self, caller: &mut Caller) {
        let version = self.database.fetch_add(1, Ordering::SeqCst) + 1;
        self.voided(|state| state.invalidations += 1);
        let outcome = caller.run(&format!("APP.CACHE.INVALIDATE {}", self.key));
        let done = matches!(outcome, Outcome::Reply(_));
        self.voided(|state| {
            state.invalidations -= 1;
            if done && state.floor < version {
                state.floor = version;
                state.floor_since = Some(Instant::now());
            }
        });
    }

    fn voided(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().expect("no failure");
        state.epoch += 1;
        state.loader = None;
        change(&mut state);
    }
}

/// A value that one worker puts there with `APP.CACHE.GETORSET`: the first one stays.
pub struct Once {
    key: String,
    offers: u64,
    stored: Option<(u64, Instant, Instant)>,
}

impl Once {
    pub fn new(tag: &str, number: usize) -> Once {
        Once {
            key: format!("{tag}once:{number}"),
            offers: 0,
            stored: None,
        }
    }

    pub fn step(&mut self, caller: &mut Caller, ledger: &Ledger) {
        self.offers += 1;
        let sent = Instant::now();
        let call = format!("APP.CACHE.GETORSET {} {} PX 2000", self.key, self.offers);
        let outcome = caller.run(&call);
        if matches!(outcome, Outcome::Unknown) {
            self.stored = None;
            return;
        }
        let Some((status, value, ttl)) = outcome.reply::<(String, u64, u64)>() else {
            return;
        };
        if status == "HIT" {
            caller.did("cache_hits");
        }
        if let Some((stored, until, since)) = self.stored
            && Instant::now() < until
            && value != stored
        {
            let text = format!("{}: {value} instead of {stored}", self.key);
            ledger.broken("value lost", since, text);
        }
        let until = sent + Duration::from_millis(ttl) - GRAIN;
        let since = self.stored.filter(|(stored, ..)| *stored == value);
        let since = since.map_or_else(Instant::now, |(.., since)| since);
        self.stored = Some((value, until, since));
    }
}
