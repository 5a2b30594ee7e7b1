//! What the server tells: keys and whole databases that have changed.
//!
//! What the module keeps in [`Memory`] about keys is told at once: behind a change, in the same
//! pipeline or transaction, nothing may go by what was before. As for lines, the callbacks only note
//! which of them to look at. The look itself comes behind the command that was
//! the cause, whole transactions and scripts included: as a job of the server where it knows such
//! jobs (7.2 and newer), else by a timer that fires before the next command of any client is read.

use std::cell::Cell;
use std::ffi::CStr;
use std::os::raw::{c_char, c_int, c_void};

use redis_module::raw;

use super::super::api::rm;
use super::super::call::{Call, string_bytes};
use super::blocking::shielded;
use super::family::Family;
use super::lines::Lines;
use super::main_thread::MainThread;
use super::{slots, tick};
use crate::waiting::Table;

/// The lines of some family.
pub trait AnyLines: Sync {
    /// Something happened to a key; says whether somebody waits for it.
    fn note(&self, db: c_int, key: &[u8]) -> bool;

    /// Something happened to a database, or to all; says whether somebody waits there.
    fn note_db(&self, db: Option<c_int>) -> bool;

    /// How many clients the server holds for these lines.
    fn waiters(&self) -> usize;

    /// Moves the lines that were noted, and looks at no other key.
    ///
    /// # Safety
    /// `ctx` is that of a job behind an event.
    unsafe fn move_noted(&self, ctx: *mut raw::RedisModuleCtx);

    /// Leaves what was noted to the timer.
    fn postpone(&self);

    /// Gives back all memory. Nobody waits, and no timer is set.
    fn reset(&self);

    /// Sets the timer for what is due next.
    ///
    /// # Safety
    /// `ctx` is that of a running callback.
    unsafe fn wake_up(&self, ctx: *mut raw::RedisModuleCtx);
}

/// What a family keeps in memory about keys and has to forget when others change them.
pub trait Memory: Sync {
    /// Whether there is nothing to forget.
    fn is_empty(&self) -> bool;

    /// The key was taken away on purpose: not by its expiry, not by eviction.
    fn key_removed(&self, db: c_int, key: &[u8]);

    /// The key has a new value.
    fn key_written(&self, db: c_int, key: &[u8]);

    /// The database (or with `None` each of them) has other contents, or somebody else is in charge
    /// of them now.
    fn database_replaced(&self, db: Option<c_int>);
}

impl<F: Family> AnyLines for Lines<F> {
    fn note(&self, db: c_int, key: &[u8]) -> bool {
        let moving = self.moving_line();
        self.with(|table| {
            let is_ours = moving.is_some() && table.line(db, key) == moving;
            !is_ours && table.note(db, key)
        })
    }

    fn note_db(&self, db: Option<c_int>) -> bool {
        self.with(|table| table.note_db(db))
    }

    fn waiters(&self) -> usize {
        self.with(|table| table.len())
    }

    unsafe fn move_noted(&self, ctx: *mut raw::RedisModuleCtx) {
        // SAFETY: as the caller vouches.
        unsafe { tick::move_noted::<F>(ctx) }
    }

    fn postpone(&self) {
        self.with(|table| table.postpone());
    }

    fn reset(&self) {
        self.with(|table| *table = Table::new());
    }

    unsafe fn wake_up(&self, ctx: *mut raw::RedisModuleCtx) {
        // SAFETY: as the caller vouches.
        unsafe { self.arm(ctx) }
    }
}

struct State {
    families: Cell<&'static [&'static dyn AnyLines]>,
    memory: Cell<Option<&'static dyn Memory>>,
    /// The classes of events that are listened to.
    subscribed: Cell<c_int>,
    job_is_due: Cell<bool>,
}

static STATE: MainThread<State> = MainThread::new(State {
    families: Cell::new(&[]),
    memory: Cell::new(None),
    subscribed: Cell::new(0),
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
    for (index, id) in SERVER_EVENTS.iter().enumerate() {
        // SAFETY: as the caller vouches.
        if unsafe { listen(ctx, *id, Some(on_server_event)) } {
            continue;
        }
        // Redis 7.0 would go on telling a module that it does not load.
        for id in SERVER_EVENTS.iter().take(index) {
            // SAFETY: as the caller vouches.
            unsafe { listen(ctx, *id, None) };
        }
        return Err(
            "the server does not tell when a database is flushed or swapped, or its own role"
                .into(),
        );
    }
    Ok(())
}

/// What happens to whole databases.
const SERVER_EVENTS: [u64; 3] = [
    raw::REDISMODULE_EVENT_FLUSHDB,
    raw::REDISMODULE_EVENT_SWAPDB,
    raw::REDISMODULE_EVENT_REPLICATION_ROLE_CHANGED,
];

/// Has `callback` called at events of a kind; `None` ends what was begun before. Says whether the
/// server does.
///
/// # Safety
/// `ctx` is that of the module's load callback, and all required calls are there.
unsafe fn listen(
    ctx: *mut raw::RedisModuleCtx,
    id: u64,
    callback: raw::RedisModuleEventCallback,
) -> bool {
    let event = raw::RedisModuleEvent { id, dataver: 1 };
    // SAFETY: as the caller vouches.
    let status = unsafe { rm!(RedisModule_SubscribeToServerEvent(ctx, event, callback)) };
    status == raw::REDISMODULE_OK as c_int
}

/// Gives back the memory of what was remembered, and is as it was before the load. Where the library
/// stays in memory (somebody else may hold it, and some C libraries never let one go) the next load
/// finds all this again, and a subscription that it believes in is none.
pub fn unload() {
    memory().inspect(|memory| memory.database_replaced(None));
    families().iter().for_each(|lines| lines.reset());
    STATE.families.set(&[]);
    STATE.memory.set(None);
    STATE.subscribed.set(0);
    STATE.job_is_due.set(false);
}

/// The classes of what frees a key or moves its end.
pub const ENDS_OF_KEYS: c_int = raw::REDISMODULE_NOTIFY_GENERIC
    | raw::REDISMODULE_NOTIFY_EXPIRED
    | raw::REDISMODULE_NOTIFY_EVICTED;

/// The classes of what writes a string or removes a key on purpose. Those of other types are left
/// out, as each costs every command of its type: a value of another type is in the way of strings by
/// itself, and it is removed by what these tell about.
const STRINGS: c_int = raw::REDISMODULE_NOTIFY_GENERIC | raw::REDISMODULE_NOTIFY_STRING;

/// Listens to classes of events. From the first waiter or lease on, not from load: once it is done,
/// every such event costs something, whoever waits, and there is no way back.
///
/// # Safety
/// `ctx` is that of a running callback.
pub unsafe fn subscribe(ctx: *mut raw::RedisModuleCtx, classes: c_int) {
    let before = STATE.subscribed.get();
    // No class twice: a second subscription would tell, and cost, everything twice.
    let new = classes & !before;
    if new == 0 {
        return;
    }
    STATE.subscribed.set(before | new);
    // SAFETY: as the caller vouches.
    unsafe {
        rm!(RedisModule_SubscribeToKeyspaceEvents(
            ctx,
            new,
            Some(on_key_event)
        ))
    };
}

impl Call<'_> {
    /// Tells `memory`, from now on, of all changes to keys that may hold strings.
    pub fn remember_changes(&self, memory: &'static dyn Memory) {
        STATE.memory.set(Some(memory));
        // SAFETY: the context is that of the running callback.
        unsafe { subscribe(self.ctx, STRINGS) };
    }
}

fn memory() -> Option<&'static dyn Memory> {
    STATE.memory.get().filter(|memory| !memory.is_empty())
}

unsafe extern "C" fn on_key_event(
    ctx: *mut raw::RedisModuleCtx,
    class: c_int,
    event: *const c_char,
    key: *mut raw::RedisModuleString,
) -> c_int {
    // SAFETY: the context and the key are those of this callback, and events are C strings.
    shielded(|| unsafe {
        let (memory, somebody_waits) = (memory(), waiters() != 0);
        if memory.is_none() && !somebody_waits {
            return;
        }
        let (db, key) = (rm!(RedisModule_GetSelectedDb(ctx)), string_bytes(key));
        if let Some(memory) = memory {
            tell(memory, db, key, class, CStr::from_ptr(event));
        }
        if !somebody_waits {
            return;
        }
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

fn tell(memory: &dyn Memory, db: c_int, key: &[u8], class: c_int, event: &CStr) {
    if class & STRINGS == 0 {
        return; // An expiry or an eviction: nobody has decided on it.
    }
    match event.to_bytes() {
        b"expire" | b"persist" => {}
        b"del" | b"rename_from" | b"move_from" => memory.key_removed(db, key),
        _ => memory.key_written(db, key),
    }
}

unsafe extern "C" fn on_server_event(
    ctx: *mut raw::RedisModuleCtx,
    event: raw::RedisModuleEvent,
    subevent: u64,
    data: *mut c_void,
) {
    // SAFETY: the context is that of this callback, and the event says what `data` is.
    shielded(|| unsafe {
        if event.id == raw::REDISMODULE_EVENT_REPLICATION_ROLE_CHANGED {
            // Those who wait are disconnected by the server.
            memory().inspect(|memory| memory.database_replaced(None));
            return;
        }
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
    memory().inspect(|memory| memory.database_replaced(db));
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
        families().iter().for_each(|lines| lines.postpone());
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

/// Runs behind the cause of an event; behind an expiry that is in the middle of the server's own walk
/// through keys that run out. There the server has the next key already in its hands, so a job must
/// not make another key run out by looking at it: Redis 8 died of that.
unsafe extern "C" fn job(ctx: *mut raw::RedisModuleCtx, _data: *mut c_void) {
    STATE.job_is_due.set(false);
    // SAFETY: the context is that of this callback.
    shielded(|| unsafe {
        for lines in families() {
            lines.move_noted(ctx);
        }
    });
    // SAFETY: as above. The answers go out by the timer: other commands of a pipeline may follow.
    shielded(|| unsafe { wake_up(ctx) });
}
