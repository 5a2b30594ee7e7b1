//! `APP.CACHE.*`: arguments → decision → commit → reply.

mod line;
mod memory;
mod reply;

pub use line::LINES;

use line::Request;
use memory::LEASES;

use super::arguments::{self, FILL_VALUE, GET_OR_SET_VALUE};
use super::leases::Standing;
use crate::args::Arguments;
use crate::command::{Arg, Flags, KeyAccess, Keys, Spec};
use crate::error::Error;
use crate::server::{Access, Call, Command, KEY, Key};
use crate::stats;

const PER_KEY: &std::ffi::CStr =
    c"O(log N) with N being the number of keys that are being loaded or waited for";

const LEASE: Arg = Arg::string(c"lease");

/// Where `FILL` and `RELEASE` have their lease: a secret, as it allows to store a value.
const LEASE_INDEX: usize = 2;

/// `APP.CACHE.GETORSET`: the value that is there, or the caller's own, stored now.
pub struct GetOrSet;

impl Command for GetOrSet {
    const SPEC: Spec = Spec {
        name: c"app.cache.getorset",
        summary: c"Returns the cached value, or stores one where there is none",
        complexity: PER_KEY,
        since: c"0.1.0",
        arity: -5,
        flags: Flags::WRITE_DENY_OOM,
        keys: Keys::one(KeyAccess::ReadInsert),
        args: &[Arg::key(), Arg::string(c"value"), Arg::duration()],
    };

    fn run(call: &Call<'_>) -> Result<(), Error> {
        let lifetime_ms = arguments::get_or_set(call)?;
        let key = Key::open(call, KEY, Access::Write)?;
        LEASES.tidy(call);
        let expires_at_ms = key.expires_at_ms();
        if let Some(value) = key.value()? {
            stats::CACHE_HITS.count();
            call.reply_array(3);
            call.reply_bytes(b"HIT");
            call.reply_bytes(&value);
            call.reply_integer(reply::span_or_none(ttl_ms(call, expires_at_ms)));
            return Ok(());
        }
        let value = call.get(GET_OR_SET_VALUE).ok_or(Error::Internal)?;
        LEASES.clear(call, KEY);
        store(call, key, GET_OR_SET_VALUE, lifetime_ms)?;
        stats::CACHE_MISSES.count();
        call.reply_array(3);
        call.reply_bytes(b"SET");
        call.reply_bytes(value);
        call.reply_integer(reply::span(lifetime_ms));
        Ok(())
    }
}

/// `APP.CACHE.GETORLOAD`: the value, or a lease for one caller, or the value a little later.
pub struct GetOrLoad;

impl Command for GetOrLoad {
    const SPEC: Spec = Spec {
        name: c"app.cache.getorload",
        summary: c"Returns the cached value, or lets one caller load it while the others wait",
        complexity: PER_KEY,
        since: c"0.1.0",
        arity: -4,
        flags: Flags::READ_BLOCKING,
        keys: Keys::one(KeyAccess::Read),
        args: &[
            Arg::key(),
            Arg::integer(c"milliseconds").token(c"LEASE"),
            Arg::integer(c"milliseconds").token(c"WAIT").optional(),
            Arg::integer(c"milliseconds").token(c"EARLY").optional(),
        ],
    };

    fn run(call: &Call<'_>) -> Result<(), Error> {
        let asked = arguments::GetOrLoad::parse(call)?;
        LEASES.tidy(call);
        // First come, first served: nobody loads before those who wait to.
        LINES.advance(call);
        let key = Key::open(call, KEY, Access::Read)?;
        let expires_at_ms = key.expires_at_ms();
        match key.value()? {
            Some(value) => hit(call, &asked, &value, ttl_ms(call, expires_at_ms)),
            None => {
                drop(key);
                miss(call, &asked)?;
            }
        }
        Ok(())
    }
}

fn hit(call: &Call<'_>, asked: &arguments::GetOrLoad, value: &[u8], ttl_ms: Option<u64>) {
    stats::CACHE_HITS.count();
    // A replica could not be filled.
    let refresh = asked.is_refresh_due(ttl_ms)
        && LEASES.standing(call) == Standing::Free
        && !call.is_replica();
    if refresh {
        stats::CACHE_REFRESHES.count();
        let lease = LEASES.lend(call, asked.lease_ms);
        reply::refresh(call, value, lease, asked.lease_ms);
    } else {
        reply::hit(call, value, ttl_ms);
    }
}

fn miss(call: &Call<'_>, asked: &arguments::GetOrLoad) -> Result<(), Error> {
    if call.is_replica() {
        return Err(Error::ReadOnly);
    }
    stats::CACHE_MISSES.count();
    let ttl_ms = match LEASES.standing(call) {
        Standing::Free if LINES.line(call).is_none() => {
            stats::CACHE_LOADS.count();
            let lease = LEASES.lend(call, asked.lease_ms);
            reply::load(call, lease, asked.lease_ms);
            return Ok(());
        }
        Standing::BackingOff { ttl_ms } => {
            stats::CACHE_BUSY.count();
            reply::busy(call, ttl_ms);
            return Ok(());
        }
        Standing::Loading { ttl_ms } => ttl_ms,
        // Those in line come first, and lines do not move at the moment.
        Standing::Free => 1,
    };
    let lease_ms = asked.lease_ms;
    let until_ms = call.now_ms().saturating_add(ttl_ms);
    if asked.wait_ms > 0 && LINES.wait(call, Request { lease_ms }, asked.wait_ms, Some(until_ms)) {
        stats::CACHE_WAITS.count();
    } else {
        stats::CACHE_BUSY.count();
        reply::busy(call, ttl_ms);
    }
    Ok(())
}

/// `APP.CACHE.FILL`: stores what a loader has loaded, if its lease is still good.
pub struct Fill;

impl Command for Fill {
    const SPEC: Spec = Spec {
        name: c"app.cache.fill",
        summary: c"Stores a loaded value, if nothing has changed the key since the lease was given",
        complexity: PER_KEY,
        since: c"0.1.0",
        arity: -6,
        flags: Flags::WRITE_DENY_OOM,
        keys: Keys::one(KeyAccess::Overwrite),
        args: &[Arg::key(), LEASE, Arg::string(c"value"), Arg::duration()],
    };

    fn run(call: &Call<'_>) -> Result<(), Error> {
        call.redact(LEASE_INDEX);
        let arguments::Fill { lease, lifetime_ms } = arguments::Fill::parse(call)?;
        let key = Key::open(call, KEY, Access::Write)?;
        key.holds_string()?;
        LEASES.tidy(call);
        let good = LEASES.end(call, lease);
        if good {
            store(call, key, FILL_VALUE, lifetime_ms)?;
            stats::CACHE_FILLS.count();
        } else {
            stats::CACHE_LOST_FILLS.count();
        }
        call.reply_integer(i64::from(good));
        Ok(())
    }
}

/// `APP.CACHE.RELEASE`: a loader gives up.
pub struct Release;

impl Command for Release {
    const SPEC: Spec = Spec {
        name: c"app.cache.release",
        summary: c"Gives up a lease, so that the next caller loads, or for a while nobody",
        complexity: PER_KEY,
        since: c"0.1.0",
        arity: -3,
        flags: Flags::READ_FAST,
        keys: Keys::one(KeyAccess::Look),
        args: &[
            Arg::key(),
            LEASE,
            Arg::integer(c"milliseconds").token(c"BACKOFF").optional(),
        ],
    };

    fn run(call: &Call<'_>) -> Result<(), Error> {
        call.redact(LEASE_INDEX);
        let arguments::Release { lease, backoff_ms } = arguments::Release::parse(call)?;
        Key::open(call, KEY, Access::Read)?.holds_string()?;
        LEASES.tidy(call);
        let good = LEASES.end(call, lease);
        if good {
            if let Some(backoff_ms) = backoff_ms {
                LEASES.back_off(call, backoff_ms);
            }
            LINES.look_again(call, KEY);
        }
        call.reply_integer(i64::from(good));
        Ok(())
    }
}

/// `APP.CACHE.INVALIDATE`: removes values and voids leases, whether there is a value or not.
pub struct Invalidate;

impl Command for Invalidate {
    const SPEC: Spec = Spec {
        name: c"app.cache.invalidate",
        summary: c"Deletes cached values, and keeps values that are being loaded from being stored",
        complexity: c"O(N log M) with N being the number of keys given and M that of keys that are being loaded or waited for",
        since: c"0.1.0",
        arity: -2,
        flags: Flags::WRITE,
        keys: Keys::all(KeyAccess::Remove),
        args: &[Arg::key().multiple()],
    };

    fn run(call: &Call<'_>) -> Result<(), Error> {
        // All keys are looked at before any is touched.
        for index in keys(call) {
            Key::open(call, index, Access::Write)?.holds_string()?;
        }
        LEASES.tidy(call);
        let mut removed = 0i64;
        for index in keys(call) {
            LEASES.clear(call, index);
            let key = Key::open(call, index, Access::Write)?;
            if key.holds_string()? {
                key.commit_delete();
                removed = removed.saturating_add(1);
            }
            LINES.look_again(call, index);
        }
        call.reply_integer(removed);
        Ok(())
    }
}

/// The arguments from the key on, all of them keys.
fn keys(call: &Call<'_>) -> impl Iterator<Item = usize> {
    (KEY..).take_while(|index| call.get(*index).is_some())
}

/// Stores argument `index` for `lifetime_ms`. Those who wait are served behind the command: the
/// server tells of this change as of any other.
fn store(call: &Call<'_>, key: Key<'_>, index: usize, lifetime_ms: u64) -> Result<(), Error> {
    key.commit_argument(index, call.now_ms().saturating_add(lifetime_ms))
}

/// How long a value lives that expires at `expires_at_ms`, in ms; `None` is for ever.
fn ttl_ms(call: &Call<'_>, expires_at_ms: Option<u64>) -> Option<u64> {
    expires_at_ms.map(|at_ms| at_ms.saturating_sub(call.now_ms()))
}
