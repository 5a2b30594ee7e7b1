//! `APP.LOCK`, `APP.UNLOCK`, `APP.LOCK.EXTEND`, `APP.LOCK.INFO`.

use super::arguments::{Asked, TOKEN, token};
use super::fence::Fences;
use super::state::{Hold, MIN_STATE_LEN};
use crate::command::{Arg, Flags, KeyAccess, Keys, Spec};
use crate::error::Error;
use crate::server::{Access, Call, Command, Family, KEY, Key, Line, Lines};
use crate::stats::{self, Counter};
use crate::waiting;

/// Those who wait for locks.
pub static LINES: Lines<LockFamily> = Lines::new();

static FENCES: Fences = Fences::new();

/// `APP.LOCK`: takes a lock, waits for it, or is refused.
pub struct Lock;

impl Command for Lock {
    const SPEC: Spec = Spec {
        name: c"app.lock",
        summary: c"Takes a lock, stands in line for it, or is refused",
        complexity: c"O(1); O(log N) with N being the number of waiting calls, if there are any",
        since: c"0.1.0",
        arity: -5,
        flags: Flags::WRITE_BLOCKING,
        keys: Keys::one(KeyAccess::ReadWrite),
        args: &[
            Arg::key(),
            Arg::string(c"token"),
            Arg::duration(),
            Arg::integer(c"milliseconds").token(c"WAIT").optional(),
        ],
    };

    fn run(call: &Call<'_>) -> Result<(), Error> {
        call.redact(TOKEN);
        let asked = Asked::of_lock(call)?;
        // First come, first served: nobody gets in before the line, not even where the server has
        // not yet told that the lock is free.
        LINES.advance(call);
        let key = Key::open(call, KEY, Access::Write)?;
        match Standing::of(&key, asked.token)? {
            Standing::Mine { fence } => take_again(call, key, fence, &asked),
            Standing::Free if LINES.line(call).is_none() => take(call, key, &asked)?,
            _ => stand_in_line(call, key, &asked)?,
        }
        Ok(())
    }
}

/// The holder asks again, because its reply was lost: same fence, lifetime anew.
fn take_again(call: &Call<'_>, key: Key<'_>, fence: u64, asked: &Asked<'_>) {
    key.commit_expiry(call.now_ms().saturating_add(asked.lifetime_ms));
    LINES.confirm(call, |answer| answer.fence == fence);
    Answer::held(fence, asked.lifetime_ms).reply(call);
}

fn take(call: &Call<'_>, key: Key<'_>, asked: &Asked<'_>) -> Result<(), Error> {
    if call.out_of_memory() {
        return Err(Error::OutOfMemory);
    }
    let fence = FENCES.next(call.now_us());
    hold(call, key, fence, asked.token, asked.lifetime_ms);
    Answer::held(fence, asked.lifetime_ms).reply(call);
    Ok(())
}

/// Writes a new hold. Returns when it runs out.
fn hold(call: &Call<'_>, key: Key<'_>, fence: u64, token: &[u8], lifetime_ms: u64) -> u64 {
    let expires_at_ms = call.now_ms().saturating_add(lifetime_ms);
    key.commit_string(&Hold { fence, token }.encode(), expires_at_ms);
    stats::LOCK_ACQUIRED.count();
    expires_at_ms
}

fn stand_in_line(call: &Call<'_>, key: Key<'_>, asked: &Asked<'_>) -> Result<(), Error> {
    let until_ms = key.expires_at_ms();
    drop(key);
    if asked.wait_ms > 0 {
        // What it gets later is admitted now, so this is where full memory counts.
        if call.out_of_memory() {
            return Err(Error::OutOfMemory);
        }
        let request = Request {
            token: asked.token.to_vec(),
            lifetime_ms: asked.lifetime_ms,
        };
        if LINES.wait(call, request, asked.wait_ms, until_ms) {
            return Ok(());
        }
    }
    stats::LOCK_REFUSED.count();
    Answer::refused(until_ms, call.now_ms()).reply(call);
    Ok(())
}

/// `APP.UNLOCK`: releases, and hands over to the first in line in the same step.
pub struct Unlock;

impl Command for Unlock {
    const SPEC: Spec = Spec {
        name: c"app.unlock",
        summary: c"Releases a lock, and hands it to the first in line",
        complexity: c"O(1); O(log N) with N being the number of waiting calls, if there are any",
        since: c"0.1.0",
        arity: 3,
        flags: Flags::WRITE_FAST,
        keys: Keys::one(KeyAccess::ReadDelete),
        args: &[Arg::key(), Arg::string(c"token")],
    };

    fn run(call: &Call<'_>) -> Result<(), Error> {
        call.redact(TOKEN);
        let token = token(call)?;
        let key = Key::open(call, KEY, Access::Write)?;
        let standing = Standing::of(&key, token)?;
        // A caller that gave up leaves the line, too.
        LINES.answer_named(call, token, || {
            Answer::refused(key.expires_at_ms(), call.now_ms())
        });
        match standing {
            Standing::Mine { .. } => {
                release(call, key);
                stats::LOCK_RELEASED.count();
                call.reply_integer(1);
            }
            Standing::Others => call.reply_integer(0),
            Standing::Free => {
                drop(key);
                LINES.advance(call);
                call.reply_null();
            }
        }
        Ok(())
    }
}

/// The lock goes to the first in line, or is no more.
fn release(call: &Call<'_>, key: Key<'_>) {
    let line = LINES.line(call);
    match line.and_then(|line| Some((line, line.head()?))) {
        Some((line, next)) => LINES.moving(call, line, |line| hand_over(call, key, line, next)),
        None => key.commit_delete(),
    }
}

/// Gives the lock to the first in line. Returns when it runs out.
fn hand_over(call: &Call<'_>, key: Key<'_>, line: Line<LockFamily>, next: Request) -> Option<u64> {
    let fence = FENCES.next(call.now_us());
    // Before the write: what hears of it may end the client's wait, and then the first in line would
    // be another.
    line.answer_head(Answer::held(fence, next.lifetime_ms));
    let expires_at_ms = hold(call, key, fence, &next.token, next.lifetime_ms);
    stats::LOCK_HANDED_OVER.count();
    Some(expires_at_ms)
}

/// `APP.LOCK.EXTEND`: sets the lifetime of a hold anew.
pub struct Extend;

impl Command for Extend {
    const SPEC: Spec = Spec {
        name: c"app.lock.extend",
        summary: c"Sets the lifetime of a lock anew, for its holder",
        complexity: c"O(1)",
        since: c"0.1.0",
        arity: 5,
        flags: Flags::WRITE_FAST,
        keys: Keys::one(KeyAccess::ReadWrite),
        args: &[Arg::key(), Arg::string(c"token"), Arg::duration()],
    };

    fn run(call: &Call<'_>) -> Result<(), Error> {
        call.redact(TOKEN);
        let asked = Asked::of_extend(call)?;
        let key = Key::open(call, KEY, Access::Write)?;
        match Standing::of(&key, asked.token)? {
            Standing::Mine { .. } => {
                key.commit_expiry(call.now_ms().saturating_add(asked.lifetime_ms));
                stats::LOCK_EXTENDED.count();
                call.reply_integer(1);
            }
            Standing::Others => call.reply_integer(0),
            Standing::Free => call.reply_null(),
        }
        Ok(())
    }
}

/// `APP.LOCK.INFO`: who could get it when, but not who holds it.
pub struct Info;

impl Command for Info {
    const SPEC: Spec = Spec {
        name: c"app.lock.info",
        summary: c"Describes a lock: its fence, its remaining lifetime and its line",
        complexity: c"O(1)",
        since: c"0.1.0",
        arity: 2,
        flags: Flags::READ_FAST,
        keys: Keys::one(KeyAccess::Read),
        args: &[Arg::key()],
    };

    fn run(call: &Call<'_>) -> Result<(), Error> {
        let key = Key::open(call, KEY, Access::Read)?;
        let Some(state) = key.string(MIN_STATE_LEN)? else {
            call.reply_null();
            return Ok(());
        };
        let fence = Hold::parse(state).map_or(0, |hold| hold.fence);
        let waiters = LINES.line(call).map_or(0, Line::len);
        call.reply_map(3);
        call.reply_field("fence", integer(fence));
        call.reply_field("ttl_ms", ttl_ms(key.expires_at_ms(), call.now_ms()));
        call.reply_field("waiters", i64::try_from(waiters).unwrap_or(i64::MAX));
        Ok(())
    }
}

/// How a token stands to a lock.
enum Standing {
    /// Nobody holds it.
    Free,
    /// The token does.
    Mine { fence: u64 },
    /// Another token does, or older code that took its lock with a plain string.
    Others,
}

impl Standing {
    fn of(key: &Key<'_>, token: &[u8]) -> Result<Standing, Error> {
        let Some(state) = key.string(MIN_STATE_LEN)? else {
            return Ok(Standing::Free);
        };
        Ok(match Hold::parse(state) {
            Some(hold) if hold.token == token => Standing::Mine { fence: hold.fence },
            _ => Standing::Others,
        })
    }
}

/// What a waiting `APP.LOCK` asks for.
#[derive(Clone)]
pub struct Request {
    token: Vec<u8>,
    lifetime_ms: u64,
}

impl waiting::Request for Request {
    fn name(&self) -> Option<&[u8]> {
        Some(&self.token)
    }
}

/// The reply of `APP.LOCK`.
pub struct Answer {
    held: bool,
    fence: u64,
    ttl_ms: i64,
}

impl Answer {
    fn held(fence: u64, lifetime_ms: u64) -> Answer {
        Answer {
            held: true,
            fence,
            ttl_ms: integer(lifetime_ms),
        }
    }

    /// Carries no fence, so that nobody goes on with one by mistake.
    fn refused(until_ms: Option<u64>, now_ms: u64) -> Answer {
        Answer {
            held: false,
            fence: 0,
            ttl_ms: ttl_ms(until_ms, now_ms),
        }
    }

    fn reply(&self, call: &Call<'_>) {
        call.reply_array(3);
        call.reply_integer(i64::from(self.held));
        call.reply_integer(integer(self.fence));
        call.reply_integer(self.ttl_ms);
    }
}

/// −1 for a lock without an end; else at least 1, as one that is still there has not ended.
fn ttl_ms(until_ms: Option<u64>, now_ms: u64) -> i64 {
    until_ms.map_or(-1, |until_ms| {
        integer(until_ms.saturating_sub(now_ms).max(1))
    })
}

fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Locks as a family whose commands may wait.
pub struct LockFamily;

impl Family for LockFamily {
    type Request = Request;
    type Answer = Answer;

    fn lines() -> &'static Lines<LockFamily> {
        &LINES
    }

    fn waiting() -> &'static Counter {
        &stats::LOCK_WAITING
    }

    fn advance(call: &Call<'_>, line: Line<LockFamily>) -> Option<u64> {
        let key = Key::open(call, KEY, Access::Write).ok()?;
        let holder = match key.string(MIN_STATE_LEN) {
            Ok(None) => {
                let next = line.head()?;
                return hand_over(call, key, line, next);
            }
            Ok(Some(state)) => Hold::parse(state),
            // Another type is in the way until it is gone, like any other holder.
            Err(_) => None,
        };
        // The holder may itself stand in line, where keys were renamed or databases swapped.
        let again = holder.and_then(|hold| Some((hold.fence, line.named(hold.token)?)));
        let Some((fence, request)) = again else {
            return key.expires_at_ms();
        };
        let expires_at_ms = call.now_ms().saturating_add(request.lifetime_ms);
        key.commit_expiry(expires_at_ms);
        line.answer_named(&request.token, Answer::held(fence, request.lifetime_ms));
        Some(expires_at_ms)
    }

    fn in_vain(until_ms: Option<u64>, now_ms: u64) -> Answer {
        stats::LOCK_TIMED_OUT.count();
        Answer::refused(until_ms, now_ms)
    }

    fn reply(call: &Call<'_>, answer: &Answer) {
        answer.reply(call);
    }

    fn take_back(call: &Call<'_>, answer: &Answer) {
        let Ok(key) = Key::open(call, KEY, Access::Write) else {
            return;
        };
        let holder = key
            .string(MIN_STATE_LEN)
            .ok()
            .flatten()
            .and_then(Hold::parse);
        if answer.held && holder.is_some_and(|hold| hold.fence == answer.fence) {
            stats::LOCK_PASSED_ON.count();
            release(call, key);
        }
    }
}
