//! `APP.RATELIMIT`, `APP.RATELIMIT.PEEK`, `APP.RATELIMIT.REFUND`: arguments → decision → commit →
//! reply.

mod cl_throttle;

pub use cl_throttle::ClThrottle;

use super::arguments::Limit;
use super::decision::{Decision, Standing};
use super::limiter::{self, Change};
use super::rule::Request;
use super::state::{Foreign, MIN_STATE_LEN, StateBuffer};
use crate::command::{Arg, Flags, KeyAccess, Keys, Spec};
use crate::error::Error;
use crate::server::{Access, Call, Command, Key};
use crate::stats;

const COMPLEXITY: &std::ffi::CStr =
    c"O(N) with N being the number of rules; with ALGO EXACT also of the units charged inside a window";

const ARGS: &[Arg] = &[
    Arg::key(),
    Arg::block(
        c"rule",
        &[
            Arg::integer(c"limit"),
            Arg::duration(),
            Arg::integer(c"burst").token(c"BURST").optional(),
        ],
    )
    .multiple(),
    Arg::one_of(
        c"algorithm",
        &[
            Arg::keyword(c"sliding", c"SLIDING"),
            Arg::keyword(c"fixed", c"FIXED"),
            Arg::keyword(c"exact", c"EXACT"),
            Arg::keyword(c"gcra", c"GCRA"),
        ],
    )
    .token(c"ALGO")
    .optional(),
    Arg::integer(c"cost").token(c"COST").optional(),
    Arg::keyword(c"full", c"FULL").optional(),
];

/// `APP.RATELIMIT`: charges, or refuses and writes nothing.
pub struct RateLimit;

impl Command for RateLimit {
    const SPEC: Spec = Spec {
        name: c"app.ratelimit",
        summary: c"Charges a rate limiter, or says how long to wait",
        complexity: COMPLEXITY,
        since: c"0.1.0",
        arity: -5,
        flags: Flags::WRITE_FAST,
        keys: Keys::one(KeyAccess::ReadWrite),
        args: ARGS,
    };

    fn run(call: &Call<'_>) -> Result<(), Error> {
        let limit = Limit::parse(call)?;
        let decision = charge(call, &limit.request())?;
        reply(call, &decision, limit.full)
    }
}

/// Charges the limiter at the first argument, or refuses and writes nothing.
fn charge(call: &Call<'_>, request: &Request<'_>) -> Result<Decision, Error> {
    let key = Key::open(call, 1, Access::Write)?;
    let state = key.string(MIN_STATE_LEN)?;
    let is_new = state.is_none();
    let mut new_state = StateBuffer::new();
    let charged = limiter::charge(state, request, call.now_ms(), &mut new_state)?;
    match charged.expires_at_ms {
        Some(_) if is_new && call.out_of_memory() => return Err(Error::OutOfMemory),
        Some(expires_at_ms) => {
            key.commit_string(&new_state, expires_at_ms);
            stats::RATELIMIT_ALLOWED.count();
        }
        None => stats::RATELIMIT_REFUSED.count(),
    }
    Ok(charged.decision)
}

/// `APP.RATELIMIT.PEEK`: decides and never writes.
pub struct Peek;

impl Command for Peek {
    const SPEC: Spec = Spec {
        name: c"app.ratelimit.peek",
        summary: c"Says what APP.RATELIMIT would decide, and charges nothing",
        flags: Flags::READ_FAST,
        keys: Keys::one(KeyAccess::Read),
        ..RateLimit::SPEC
    };

    fn run(call: &Call<'_>) -> Result<(), Error> {
        let limit = Limit::parse(call)?;
        let decision = peek(call, &limit.request())?;
        reply(call, &decision, limit.full)
    }
}

/// Decides for the limiter at the first argument.
fn peek(call: &Call<'_>, request: &Request<'_>) -> Result<Decision, Error> {
    let key = Key::open(call, 1, Access::Read)?;
    let state = key.string(MIN_STATE_LEN)?;
    let decision = limiter::peek(state, request, call.now_ms())?;
    drop(key);
    stats::RATELIMIT_PEEKED.count();
    Ok(decision)
}

/// `APP.RATELIMIT.REFUND`: gives back the newest units charged.
pub struct Refund;

impl Command for Refund {
    const SPEC: Spec = Spec {
        name: c"app.ratelimit.refund",
        summary: c"Gives back units that were charged to a rate limiter and not used",
        ..RateLimit::SPEC
    };

    fn run(call: &Call<'_>) -> Result<(), Error> {
        let limit = Limit::parse(call)?;
        let key = Key::open(call, 1, Access::Write)?;
        let state = key.string(MIN_STATE_LEN)?;
        let mut new_state = StateBuffer::new();
        let refunded = limiter::refund(state, &limit.request(), call.now_ms(), &mut new_state)?;
        match refunded.change {
            Change::Unchanged => drop(key),
            Change::Write { expires_at_ms } => key.commit_string(&new_state, expires_at_ms),
            Change::Delete => key.commit_delete(),
        }
        if refunded.change != Change::Unchanged {
            stats::RATELIMIT_REFUNDED.count();
        }
        reply(call, &refunded.decision, limit.full)
    }
}

impl From<Foreign> for Error {
    fn from(_: Foreign) -> Error {
        Error::ForeignValue {
            holds: "string",
            expected: "a rate limiter",
        }
    }
}

fn reply(call: &Call<'_>, decision: &Decision, full: bool) -> Result<(), Error> {
    let binding = decision.binding_standing().ok_or(Error::Internal)?;
    if full {
        reply_full(call, decision);
    } else {
        reply_short(call, decision, binding);
    }
    Ok(())
}

fn reply_short(call: &Call<'_>, decision: &Decision, binding: &Standing) {
    call.reply_array(7);
    call.reply_integer(i64::from(decision.allowed));
    call.reply_integer(i64::from(binding.capacity));
    call.reply_integer(i64::from(binding.remaining));
    call.reply_integer(decision.retry_after_ms);
    call.reply_integer(binding.reset_ms);
    call.reply_integer(binding.next_ms);
    call.reply_integer(index(decision));
}

fn reply_full(call: &Call<'_>, decision: &Decision) {
    call.reply_map(4);
    call.reply_field("allowed", i64::from(decision.allowed));
    call.reply_field("retry_after_ms", decision.retry_after_ms);
    call.reply_field("rule", index(decision));
    call.reply_bytes(b"rules");
    call.reply_array(decision.standings.len());
    for standing in &decision.standings {
        reply_standing(call, standing);
    }
}

fn reply_standing(call: &Call<'_>, standing: &Standing) {
    call.reply_map(6);
    call.reply_field("limit", i64::from(standing.capacity));
    call.reply_field(
        "window_ms",
        i64::try_from(standing.window_ms).unwrap_or(i64::MAX),
    );
    call.reply_field("remaining", i64::from(standing.remaining));
    call.reply_field("retry_after_ms", standing.retry_after_ms);
    call.reply_field("reset_ms", standing.reset_ms);
    call.reply_field("next_ms", standing.next_ms);
}

fn index(decision: &Decision) -> i64 {
    i64::try_from(decision.binding).unwrap_or(0)
}
