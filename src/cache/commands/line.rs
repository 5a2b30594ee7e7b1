//! What becomes of those who wait for a value.

use std::rc::Rc;

use super::memory::LEASES;
use super::{reply, ttl_ms};
use crate::cache::lease::Lease;
use crate::cache::leases::Standing;
use crate::error::Error;
use crate::server::{Access, Call, Family, KEY, Key, Line, Lines};
use crate::stats::{self, Counter};
use crate::waiting;

/// Those who wait for values.
pub static LINES: Lines<CacheFamily> = Lines::new();

/// How many bytes of values are answered in one go. The next ones come a moment later, so that the
/// clients' output buffers can drain: a long value for many must not be in memory many times over.
const BATCH_BYTES: usize = 32 << 20;

/// The cache as a family whose commands may wait.
pub struct CacheFamily;

/// What a waiting `APP.CACHE.GETORLOAD` asks for.
#[derive(Clone)]
pub struct Request {
    /// How long it has if it becomes the loader, in ms.
    pub lease_ms: u64,
}

impl waiting::Request for Request {
    /// Each call has a place of its own.
    fn name(&self) -> Option<&[u8]> {
        None
    }
}

/// What it gets.
pub enum Answer {
    /// The value. One copy for all who get it in one go.
    Hit {
        /// The value.
        value: Rc<[u8]>,
        /// How long it lives, in ms; `None` is for ever.
        ttl_ms: Option<u64>,
    },
    /// The lease: it is the one that loads.
    Load {
        /// The lease.
        lease: Lease,
        /// How long it is good for, in ms.
        lease_ms: u64,
    },
    /// Neither.
    Busy {
        /// How long somebody else may load, or nobody may, in ms.
        ttl_ms: u64,
    },
}

impl Family for CacheFamily {
    type Request = Request;
    type Answer = Answer;

    fn lines() -> &'static Lines<CacheFamily> {
        &LINES
    }

    fn waiting() -> &'static Counter {
        &stats::CACHE_WAITING
    }

    fn advance(call: &Call<'_>, line: Line<CacheFamily>) -> Option<u64> {
        let key = Key::open(call, KEY, Access::Read).ok()?;
        let expires_at_ms = key.expires_at_ms();
        match key.into_copy() {
            Ok(Some(value)) => {
                let ttl_ms = ttl_ms(call, expires_at_ms);
                serve(line, value, ttl_ms);
                // Those who are left come next.
                Some(call.now_ms())
            }
            Ok(None) => wait_or_load(call, line),
            Err(error) => {
                fail(line, &error);
                None
            }
        }
    }

    fn in_vain(until_ms: Option<u64>, now_ms: u64) -> Answer {
        let ttl_ms = until_ms.map_or(0, |until_ms| until_ms.saturating_sub(now_ms));
        Answer::Busy {
            ttl_ms: ttl_ms.max(1),
        }
    }

    fn reply(call: &Call<'_>, answer: &Answer) {
        match answer {
            Answer::Hit { value, ttl_ms } => {
                stats::CACHE_HITS.count();
                reply::hit(call, value, *ttl_ms);
            }
            Answer::Load { lease, lease_ms } => reply::load(call, *lease, *lease_ms),
            Answer::Busy { ttl_ms } => {
                stats::CACHE_BUSY.count();
                reply::busy(call, *ttl_ms);
            }
        }
    }

    fn take_back(call: &Call<'_>, answer: &Answer) {
        if let Answer::Load { lease, .. } = answer
            && LEASES.end(call, Some(*lease))
        {
            LINES.look_again(call, KEY);
        }
    }
}

/// Gives the value to as many as one go allows, the first in line first.
fn serve(line: Line<CacheFamily>, value: Rc<[u8]>, ttl_ms: Option<u64>) {
    let most = BATCH_BYTES.checked_div(value.len()).unwrap_or(usize::MAX);
    for _ in 0..most.max(1) {
        if line.head().is_none() {
            return;
        }
        let value = Rc::clone(&value);
        line.answer_head(Answer::Hit { value, ttl_ms });
    }
}

/// There is no value: the first in line loads it, if nobody does and nothing forbids it.
fn wait_or_load(call: &Call<'_>, line: Line<CacheFamily>) -> Option<u64> {
    match LEASES.standing(call) {
        Standing::Loading { ttl_ms } => Some(call.now_ms().saturating_add(ttl_ms)),
        Standing::BackingOff { ttl_ms } => {
            while line.head().is_some() {
                line.answer_head(Answer::Busy { ttl_ms });
            }
            None
        }
        Standing::Free => {
            let lease_ms = line.head()?.lease_ms;
            let lease = LEASES.lend(call, lease_ms);
            stats::CACHE_LOADS.count();
            stats::CACHE_PROMOTED.count();
            line.answer_head(Answer::Load { lease, lease_ms });
            Some(call.now_ms().saturating_add(lease_ms))
        }
    }
}

fn fail(line: Line<CacheFamily>, error: &Error) {
    while line.head().is_some() {
        line.fail_head(error.clone());
    }
}
