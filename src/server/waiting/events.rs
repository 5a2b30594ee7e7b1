//! What the server tells: keys and whole databases that have changed.
//!
//! The callbacks only note which lines to look at. The look itself comes behind the command that was
//! the cause, whole transactions and scripts included: as a job of the server where it knows such
//! jobs (7.2 and newer), else by a timer that fires before the next command of any client is read.

use std::cell::Cell;
use std::os::raw::{c_char, c_int, c_void};

use redis_module::raw;

use super::super::api::rm;
use super::super::call::string_bytes;
use super::blocking::shielded;
use super::family::Family;
use super::lines::Lines;
use super::main_thread::MainThread;
use super::{slots, tick};

/// The lines of some family.
pub trait AnyLines: Sync {
    /// Something happened to a key; says whether somebody waits for it.
    fn note(&self, db: c_int, key: &[u8]) -> bool;

    /// Something happened to a database, or to all; says whether somebody waits there.
    fn note_db(&self, db: Option<c_int>) -> bool;

    /// How many clients the server holds for these lines.
    fn waiters(&self) -> usize;

    /// Moves the lines that may move.
    ///
    /// # Safety
    /// `ctx` is that of a job behind an event.
    unsafe fn work(&self, ctx: *mut raw::RedisModuleCtx);

    /// Sets the timer for what is due next.
    ///
    /// # Safety
    /// `ctx` is that of a running callback.
    unsafe fn wake_up(&self, ctx: *mut raw::RedisModuleCtx);
}

impl<F: Family> AnyLines for Lines<F> {
    fn note(&self, db: c_int, key: &[u8]) -> bool {
        !self.is_quiet() && self.with(|table| table.note(db, key))
    }

    fn note_db(&self, db: Option<c_int>) -> bool {
        self.with(|table| table.note_db(db))
    }

    fn waiters(&self) -> usize {
        self.with(|table| table.len())
    }

    unsafe fn work(&self, ctx: *mut raw::RedisModuleCtx) {
        // SAFETY: as the caller vouches.
        unsafe { tick::work::<F>(ctx) }
    }

    unsafe fn wake_up(&self, ctx: *mut raw::RedisModuleCtx) {
        // SAFETY: as the caller vouches.
        unsafe { self.arm(ctx) }
    }
}

struct State {
    families: Cell<&'static [&'static dyn AnyLines]>,
    subscribed: Cell<bool>,
    job_is_due: Cell<bool>,
}

static STATE: MainThread<State> = MainThread::new(State {
    families: Cell::new(&[]),
    subscribed: Cell::new(false),
    job_is_due: Cell::new(false),
});

fn families() -> &'static [&'static dyn AnyLines] {
    STATE.families.get()
}

/// How many clients the server holds for all lines.
pub fn waiters() -> usize {
    families().iter().map(|lines| lines.waiters()).sum()
}

/// Makes the lines known, and listens to what happens to whole databases, which is rare.
///
/// # Safety
/// `ctx` is that of the module's load callback, and all required calls are there.
pub unsafe fn set_up(
    ctx: *mut raw::RedisModuleCtx,
    families: &'static [&'static dyn AnyLines],
) -> Result<(), String> {
    STATE.families.set(families);
    // SAFETY: as the caller vouches.
    unsafe { slots::set_up() };
    for id in [
        raw::REDISMODULE_EVENT_FLUSHDB,
        raw::REDISMODULE_EVENT_SWAPDB,
    ] {
        let event = raw::RedisModuleEvent { id, dataver: 1 };
        // SAFETY: as the caller vouches.
        let status = unsafe {
            rm!(RedisModule_SubscribeToServerEvent(
                ctx,
                event,
                Some(on_server_event)
            ))
        };
        if status != raw::REDISMODULE_OK as c_int {
            return Err("the server does not tell when a database is flushed or swapped".into());
        }
    }
    Ok(())
}

/// Listens to what frees a key or moves its end. From the first waiter on, not from load: once it is
/// done, every such event costs something, whoever waits.
///
/// # Safety
/// `ctx` is that of a running callback.
pub unsafe fn subscribe(ctx: *mut raw::RedisModuleCtx) {
    if STATE.subscribed.replace(true) {
        return;
    }
    let classes = raw::REDISMODULE_NOTIFY_GENERIC
        | raw::REDISMODULE_NOTIFY_EXPIRED
        | raw::REDISMODULE_NOTIFY_EVICTED;
    // SAFETY: as the caller vouches.
    unsafe {
        rm!(RedisModule_SubscribeToKeyspaceEvents(
            ctx,
            classes,
            Some(on_key_event)
        ))
    };
}

unsafe extern "C" fn on_key_event(
    ctx: *mut raw::RedisModuleCtx,
    _class: c_int,
    _event: *const c_char,
    key: *mut raw::RedisModuleString,
) -> c_int {
    // SAFETY: the context and the key are those of this callback.
    shielded(|| unsafe {
        if waiters() == 0 {
            return;
        }
        let (db, key) = (rm!(RedisModule_GetSelectedDb(ctx)), string_bytes(key));
        let mut noted = false;
        for lines in families() {
            noted |= lines.note(db, key);
        }
        if noted {
            schedule(ctx);
        }
    });
    raw::REDISMODULE_OK as c_int
}

unsafe extern "C" fn on_server_event(
    ctx: *mut raw::RedisModuleCtx,
    event: raw::RedisModuleEvent,
    subevent: u64,
    data: *mut c_void,
) {
    // SAFETY: the context is that of this callback, and the event says what `data` is.
    shielded(|| unsafe {
        let noted = if event.id == raw::REDISMODULE_EVENT_SWAPDB {
            let swapped = &*data.cast::<raw::RedisModuleSwapDbInfo>();
            let noted = note_db(Some(swapped.dbnum_first));
            note_db(Some(swapped.dbnum_second)) || noted
        } else if subevent == raw::REDISMODULE_SUBEVENT_FLUSHDB_END {
            let db = (*data.cast::<raw::RedisModuleFlushInfo>()).dbnum;
            note_db((db >= 0).then_some(db))
        } else {
            false
        };
        if noted {
            schedule(ctx);
        }
    });
}

fn note_db(db: Option<c_int>) -> bool {
    let mut noted = false;
    for lines in families() {
        noted |= lines.note_db(db);
    }
    noted
}

/// # Safety
/// `ctx` is that of the callback of an event.
unsafe fn schedule(ctx: *mut raw::RedisModuleCtx) {
    if STATE.job_is_due.get() {
        return;
    }
    // SAFETY: as the caller vouches. Looked up by `Option`: Redis 7.0 lacks the call. The server
    // refuses jobs while it loads data.
    let added = unsafe { raw::RedisModule_AddPostNotificationJob }.is_some_and(|add| {
        // SAFETY: as above.
        let status = unsafe { add(ctx, Some(job), std::ptr::null_mut(), None) };
        status == raw::REDISMODULE_OK as c_int
    });
    STATE.job_is_due.set(added);
    if !added {
        // SAFETY: as above.
        unsafe { wake_up(ctx) };
    }
}

/// # Safety
/// `ctx` is that of a running callback.
unsafe fn wake_up(ctx: *mut raw::RedisModuleCtx) {
    for lines in families() {
        // SAFETY: as the caller vouches.
        unsafe { lines.wake_up(ctx) };
    }
}

unsafe extern "C" fn job(ctx: *mut raw::RedisModuleCtx, _data: *mut c_void) {
    STATE.job_is_due.set(false);
    // SAFETY: the context is that of this callback.
    shielded(|| unsafe {
        for lines in families() {
            lines.work(ctx);
        }
    });
    // SAFETY: as above. The answers go out by the timer: other commands of a pipeline may follow.
    shielded(|| unsafe { wake_up(ctx) });
}
