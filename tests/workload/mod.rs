//! Traffic of all families at once, from many clients, that knows what it was promised.
//!
//! Every worker remembers what the server has acknowledged: charges, holds, sessions and their ends.
//! It holds the server to that while it runs, and an audit at the end goes through all of it again.
//! A call whose reply never came may have happened or not, and is counted as such.
//!
//! | file | subject |
//! |---|---|
//! | `caller.rs` | a connection that survives the server's death, and what became of each call |
//! | `ledger.rs` | counted promises, and the verdict on them |
//! | `limiters.rs` | charges counted, and limits that hold in every window |
//! | `cache.rs` | one loader at a time, nothing older than the last invalidation |
//! | `locks.rs` | holds that exclude each other, and holds that are kept |
//! | `sessions.rs` | documents, revocations |
//! | `seed.rs` | the seed of a run's random numbers |

// Each suite is a crate of its own and uses its own part of this module.
#![allow(dead_code, unused_imports)]

mod cache;
mod caller;
mod ledger;
mod limiters;
mod locks;
mod seed;
mod sessions;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use crate::support::{Dice, is_long};
pub use cache::KEYS;
use cache::{Cache, Once};
pub use caller::{Caller, Connect, Connection, Outcome, Tally, direct};
pub use ledger::{Charges, Losses, Report};
use limiters::Limiters;
use locks::{Contended, Keeper};
pub use seed::seed;
use sessions::Owner;

/// How long a suite's load may run: `APPKIT_LONG=1` means the long form.
pub fn long_or(short: Duration, long: Duration) -> Duration {
    if is_long() { long } else { short }
}

/// What all workers share.
struct Shared {
    connect: Connect,
    limiters: Limiters,
    contended: Contended,
    cache: Cache,
    ledger: ledger::Ledger,
    tally: Arc<Tally>,
    /// Held for reading during each step, so that whoever holds it for writing has it quiet.
    steps: RwLock<()>,
    stop: Arc<AtomicBool>,
}

/// What one worker owns.
struct Worker {
    keeper: Keeper,
    owner: Owner,
    once: Once,
}

/// Running traffic.
pub struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Worker>>,
}

/// A moment of a load, for [`Report::lost_after`]: what was acknowledged before it is known.
pub struct Mark {
    at: Instant,
    charges: Vec<u64>,
}

impl Load {
    /// Starts so many workers. Their own keys begin with one of `tags` (a hash tag each, in a cluster;
    /// one that is there twice has twice as many workers).
    pub fn start(connect: Connect, tags: &[&str], workers: usize) -> Load {
        Load::start_paced(connect, tags, workers, Duration::from_micros(800))
    }

    /// The same, each worker resting for at most `pause` between two steps.
    pub fn start_paced(connect: Connect, tags: &[&str], workers: usize, pause: Duration) -> Load {
        let seed = seed();
        println!("load of {workers} workers, seed {seed}");
        let stop = Arc::new(AtomicBool::new(false));
        let different: BTreeSet<&str> = tags.iter().copied().collect();
        let different: Vec<&str> = different.into_iter().collect();
        let shared = Arc::new(Shared {
            connect,
            limiters: Limiters::new(&different),
            contended: Contended::new(&different),
            cache: Cache::new(&different),
            ledger: ledger::Ledger::default(),
            tally: Arc::default(),
            steps: RwLock::new(()),
            stop,
        });
        let threads = (0..workers).map(|number| {
            let shared = Arc::clone(&shared);
            let tag = tags[number % tags.len()].to_owned();
            let dice = Dice::new(seed.wrapping_add(number as u64));
            std::thread::spawn(move || work(&shared, &tag, number, dice, pause))
        });
        let threads = threads.collect();
        Load { shared, threads }
    }

    /// What is done to the servers may make lifetimes longer by that much.
    pub fn lifetimes_may_grow(&self, by: Duration) {
        self.shared.ledger.lifetimes_may_grow(by);
    }

    /// Waits until nothing is under way and keeps it so as long as the guard lives.
    pub fn quiet(&self) -> RwLockWriteGuard<'_, ()> {
        self.shared.steps.write().expect("no worker has failed")
    }

    pub fn mark(&self) -> Mark {
        let at = Instant::now();
        let charges = self.shared.limiters.acknowledged();
        Mark { at, charges }
    }

    /// How many calls have been answered.
    pub fn calls(&self) -> u64 {
        self.shared.tally.calls()
    }

    /// Waits until so many more calls have been answered.
    #[track_caller]
    pub fn run_for_calls(&self, calls: u64) {
        let goal = self.calls() + calls;
        crate::support::eventually("the load goes on", || self.calls() >= goal);
    }

    pub fn tally(&self) -> &Tally {
        &self.shared.tally
    }

    /// What kinds of broken promises have been noticed so far.
    pub fn noticed(&self) -> BTreeSet<&'static str> {
        self.shared.ledger.kinds()
    }

    /// Ends the traffic and goes through everything that was promised, over a new connection.
    #[track_caller]
    pub fn audit(self) -> Report {
        self.shared.stop.store(true, Ordering::Relaxed);
        let workers = self.threads.into_iter().map(JoinHandle::join);
        let workers: Vec<Worker> = workers.map(|worker| worker.expect("no failure")).collect();
        let shared = &self.shared;
        let stop = Arc::default();
        let mut caller = Caller::new(Arc::clone(&shared.connect), Arc::default(), stop);
        let mut report = Report::new(&shared.tally);
        for mut worker in workers {
            worker.keeper.audit(&mut caller, &shared.ledger);
            worker.owner.audit(&mut caller, &shared.ledger);
            report.holds += worker.keeper.promises;
            report.sessions += worker.owner.promises;
        }
        report.charges = shared.limiters.audit(&mut caller);
        report.windows = shared.limiters.windows_checked();
        report.contended = shared.contended.checked();
        (report.loads, report.hits) = shared.cache.checked();
        report.cached_keys = shared.cache.len();
        report.findings = shared.ledger.take();
        report
    }
}

fn work(shared: &Shared, tag: &str, number: usize, mut dice: Dice, pause: Duration) -> Worker {
    let connect = Arc::clone(&shared.connect);
    let mut caller = Caller::new(connect, Arc::clone(&shared.tally), Arc::clone(&shared.stop));
    let mut worker = Worker {
        keeper: Keeper::new(tag, number),
        owner: Owner::new(tag, number),
        once: Once::new(tag, number),
    };
    while !shared.stop.load(Ordering::Relaxed) {
        let step = shared.steps.read().expect("nobody has failed");
        match dice.below(13) {
            0..=2 => shared.limiters.step(&mut caller, &mut dice, &shared.ledger),
            3..=4 => shared
                .contended
                .step(&mut caller, &mut dice, &shared.ledger),
            5..=6 => worker.keeper.step(&mut caller, &mut dice, &shared.ledger),
            7..=9 => worker.owner.step(&mut caller, &mut dice, &shared.ledger),
            10 => worker.once.step(&mut caller, &shared.ledger),
            _ => shared.cache.step(&mut caller, &mut dice, &shared.ledger),
        }
        drop(step);
        std::thread::sleep(Duration::from_micros(dice.below(pause.as_micros() as u64)));
    }
    worker
}
