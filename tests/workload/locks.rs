//! Locks: holds that exclude each other, and holds that are kept for as long as was promised.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::ledger::Ledger;
use super::{Caller, Dice, Outcome};

/// The server counts in whole milliseconds, so a lifetime may be that much shorter.
const GRAIN: Duration = Duration::from_millis(2);

/// A reply of `APP.LOCK` that says "held".
#[derive(Clone, Copy)]
struct Hold {
    fence: u64,
    /// The lock is surely held until then: the lifetime begins when the lock is given, which is not
    /// before the call was sent.
    surely_until: Instant,
    /// And not after this instant: the lock was given before the reply came.
    at_most_until: Instant,
}

/// Takes a lock, or stands in line for it.
fn lock(caller: &mut Caller, key: &str, token: &str, life_ms: u64, wait_ms: u64) -> Attempt {
    let sent = Instant::now();
    let call = format!("APP.LOCK {key} {token} PX {life_ms} WAIT {wait_ms}");
    let outcome = caller.run(&call);
    if matches!(outcome, Outcome::Unknown) {
        return Attempt::Unknown;
    }
    let Some(reply) = outcome.reply::<Vec<i64>>() else {
        return Attempt::Refused;
    };
    if reply[0] == 0 {
        return Attempt::Refused;
    }
    caller.did("lock_acquired");
    let ttl = Duration::from_millis(reply[2] as u64);
    Attempt::Held(Hold {
        fence: reply[1] as u64,
        surely_until: sent + ttl - GRAIN,
        at_most_until: Instant::now() + ttl + GRAIN,
    })
}

/// The reply of `APP.LOCK.INFO`.
type LockInfo = BTreeMap<String, i64>;

/// What became of an attempt to take a lock.
enum Attempt {
    Held(Hold),
    Refused,
    Unknown,
}

/// Locks that all workers want.
pub struct Contended {
    locks: Vec<Contest>,
    checked: AtomicU64,
    tokens: AtomicU64,
}

struct Contest {
    key: String,
    state: Mutex<Standing>,
}

#[derive(Default)]
struct Standing {
    /// Who holds it, and until when it surely does.
    holder: Option<(String, Instant)>,
    highest_fence: u64,
    since: Option<Instant>,
}

impl Contended {
    pub fn new(tags: &[&str]) -> Contended {
        let keys = tags
            .iter()
            .flat_map(|tag| (0..3).map(move |n| format!("{tag}lock:{n}")));
        let contest = |key| Contest {
            key,
            state: Mutex::default(),
        };
        Contended {
            locks: keys.map(contest).collect(),
            checked: AtomicU64::new(0),
            tokens: AtomicU64::new(0),
        }
    }

    pub fn checked(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }

    pub fn step(&self, caller: &mut Caller, dice: &mut Dice, ledger: &Ledger) {
        let contest = dice.pick(&self.locks);
        let token = format!("t{}", self.tokens.fetch_add(1, Ordering::Relaxed));
        let (life_ms, wait_ms) = (*dice.pick(&[100, 1000]), *dice.pick(&[0, 20, 100]));
        match lock(caller, &contest.key, &token, life_ms, wait_ms) {
            // Nobody uses it, so nobody else need wait for its end.
            Attempt::Unknown => drop(caller.run(&format!("APP.UNLOCK {} {token}", contest.key))),
            Attempt::Refused => {}
            Attempt::Held(hold) => {
                self.checked.fetch_add(1, Ordering::Relaxed);
                contest.enter(&token, hold, ledger);
                std::thread::sleep(Duration::from_micros(dice.below(1500)));
                contest.go_on(caller, dice, &token, hold, ledger);
            }
        }
    }
}

impl Contest {
    /// Nobody else may be inside.
    fn enter(&self, token: &str, hold: Hold, ledger: &Ledger) {
        let now = Instant::now();
        let mut state = self.state.lock().expect("no failure");
        // Its own lifetime may have ended before this thread came to run.
        if now >= hold.surely_until {
            return;
        }
        if let Some((other, until)) = &state.holder
            && now < *until
        {
            let text = format!("{}: {token} and {other} at the same time", self.key);
            ledger.broken("two holders", state.since.unwrap_or(now), text);
        }
        if hold.fence <= state.highest_fence {
            let text = format!("{}: {} after {}", self.key, hold.fence, state.highest_fence);
            ledger.broken("fence went back", state.since.unwrap_or(now), text);
        }
        state.highest_fence = state.highest_fence.max(hold.fence);
        state.holder = Some((token.to_owned(), hold.surely_until));
        state.since = Some(now);
    }

    fn holds_until(&self, token: &str, until: Instant) {
        let mut state = self.state.lock().expect("no failure");
        if let Some((holder, end)) = &mut state.holder
            && holder == token
        {
            *end = until;
        }
    }

    /// This worker counts itself out, before the server is told.
    fn leave(&self, token: &str) {
        let mut state = self.state.lock().expect("no failure");
        if state
            .holder
            .as_ref()
            .is_some_and(|(holder, _)| holder == token)
        {
            state.holder = None;
        }
    }

    fn go_on(
        &self,
        caller: &mut Caller,
        dice: &mut Dice,
        token: &str,
        hold: Hold,
        ledger: &Ledger,
    ) {
        let since = Instant::now();
        let mut until = hold.surely_until;
        if dice.one_in(6) {
            let extended = Instant::now() + Duration::from_millis(500) - GRAIN;
            // It may shorten the lifetime, and nobody knows if its reply is lost.
            self.holds_until(token, until.min(extended));
            let again = caller.run(&format!("APP.LOCK.EXTEND {} {token} PX 500", self.key));
            let reply = again.reply::<Option<i64>>();
            if reply.is_some_and(|reply| reply != Some(1)) && Instant::now() < until {
                self.vanished(since, token, "EXTEND", ledger);
            }
            until = until.min(extended);
            if reply == Some(Some(1)) {
                caller.did("lock_extended");
                until = extended;
                self.holds_until(token, until);
            }
        }
        // Some holders never come back.
        if dice.one_in(20) {
            return;
        }
        self.leave(token);
        let released = caller.run(&format!("APP.UNLOCK {} {token}", self.key));
        let released = released.reply::<Option<i64>>();
        if released == Some(Some(1)) {
            caller.did("lock_released");
        }
        if released.is_some_and(|reply| reply != Some(1)) && Instant::now() < until {
            self.vanished(since, token, "UNLOCK", ledger);
        }
    }

    fn vanished(&self, since: Instant, token: &str, call: &str, ledger: &Ledger) {
        let text = format!("{}: {token} had lost it at {call}", self.key);
        ledger.broken("hold lost", since, text);
    }
}

/// Locks that one worker holds for long: each hold is looked for until its lifetime is over.
pub struct Keeper {
    prefix: String,
    held: BTreeMap<u64, Kept>,
    tokens: u64,
    /// Holds acknowledged.
    pub promises: u64,
}

struct Kept {
    token: String,
    /// `None` where the reply was lost.
    hold: Option<Hold>,
    since: Instant,
}

/// How many such locks a worker has at the most.
const KEPT: u64 = 6;

/// Longer than a server is away, so a hold outlives its crash.
const LIFE_MS: u64 = 60_000;

impl Keeper {
    pub fn new(tag: &str, number: usize) -> Keeper {
        Keeper {
            prefix: format!("{tag}kept:{number}:"),
            held: BTreeMap::new(),
            tokens: 0,
            promises: 0,
        }
    }

    pub fn step(&mut self, caller: &mut Caller, dice: &mut Dice, ledger: &Ledger) {
        let slot = dice.below(KEPT);
        let kept = self.held.get(&slot);
        let over = kept.and_then(|kept| kept.hold).is_some_and(|hold| {
            // In between nobody can tell.
            Instant::now() > hold.surely_until - Duration::from_secs(5)
        });
        match kept {
            None => self.take(slot, caller),
            Some(kept) if kept.hold.is_none() || over || dice.one_in(4) => {
                self.give_back(slot, caller, ledger);
            }
            Some(_) => self.look(slot, caller, ledger),
        }
    }

    fn take(&mut self, slot: u64, caller: &mut Caller) {
        self.tokens += 1;
        let (key, token) = (
            format!("{}{slot}", self.prefix),
            format!("k{}", self.tokens),
        );
        let hold = match lock(caller, &key, &token, LIFE_MS, 0) {
            Attempt::Refused => return,
            Attempt::Unknown => None,
            Attempt::Held(hold) => Some(hold),
        };
        self.promises += u64::from(hold.is_some());
        let since = Instant::now();
        self.held.insert(slot, Kept { token, hold, since });
    }

    fn give_back(&mut self, slot: u64, caller: &mut Caller, ledger: &Ledger) {
        let Some(kept) = self.held.get(&slot) else {
            return;
        };
        let key = format!("{}{slot}", self.prefix);
        let reply = caller.run(&format!("APP.UNLOCK {key} {}", kept.token));
        let sure = kept
            .hold
            .is_some_and(|hold| Instant::now() < hold.surely_until);
        if matches!(reply, Outcome::Unknown) {
            if let Some(kept) = self.held.get_mut(&slot) {
                kept.hold = None;
            }
            return;
        }
        let Some(released) = reply.reply::<Option<i64>>() else {
            return;
        };
        if released == Some(1) {
            caller.did("lock_released");
        }
        if sure && released != Some(1) {
            ledger.broken("hold lost", kept.since, format!("{key} at UNLOCK"));
        }
        self.held.remove(&slot);
    }

    fn look(&mut self, slot: u64, caller: &mut Caller, ledger: &Ledger) {
        let key = format!("{}{slot}", self.prefix);
        let sent = Instant::now();
        let info = caller.run(&format!("APP.LOCK.INFO {key}"));
        let Some(info) = info.reply::<Option<LockInfo>>() else {
            return;
        };
        if !self.is_kept(slot, sent, info, ledger) {
            self.held.remove(&slot);
        }
    }

    /// Judges what `APP.LOCK.INFO`, asked for at `sent`, says of a hold.
    fn is_kept(&self, slot: u64, sent: Instant, info: Option<LockInfo>, ledger: &Ledger) -> bool {
        let kept = self.held.get(&slot);
        let Some((kept, hold)) = kept.and_then(|kept| Some((kept, kept.hold?))) else {
            return true;
        };
        let key = format!("{}{slot}", self.prefix);
        let fence = info.as_ref().map(|info| info["fence"] as u64);
        if Instant::now() < hold.surely_until && fence != Some(hold.fence) {
            let text = format!("{key}: {info:?} for {}", hold.fence);
            ledger.broken("hold lost", kept.since, text);
            return false;
        }
        let ttl = info.map_or(0, |info| info["ttl_ms"] as u64);
        let end = sent + Duration::from_millis(ttl);
        if fence == Some(hold.fence) && end > hold.at_most_until {
            let text = format!("{key}: {ttl} ms left, more than its lifetime allows");
            ledger.broken("held too long", kept.since, text);
        }
        true
    }

    pub fn audit(&mut self, caller: &mut Caller, ledger: &Ledger) {
        for slot in self.held.keys() {
            let sent = Instant::now();
            let info = caller.ask(&format!("APP.LOCK.INFO {}{slot}", self.prefix));
            self.is_kept(*slot, sent, info, ledger);
        }
    }
}
