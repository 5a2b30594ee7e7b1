//! One call of one command: its arguments and what it may ask the server.

use std::cell::{Cell, RefCell};
use std::os::raw::c_int;
use std::time::SystemTime;

use redis_module::raw;
use smallvec::SmallVec;

use super::api::rm;
use crate::args::Arguments;

/// A command being carried out. Lives as long as the server's callback and not longer.
pub struct Call<'a> {
    pub(super) ctx: *mut raw::RedisModuleCtx,
    argv: &'a [*mut raw::RedisModuleString],
    now_us: Cell<Option<u64>>,
    /// Positions of secrets. Two is the most that a well-formed call has.
    secrets: RefCell<SmallVec<[c_int; 2]>>,
}

impl<'a> Call<'a> {
    /// # Safety
    /// `ctx` and `argv` are those of a command callback that is running.
    pub(super) unsafe fn new(
        ctx: *mut raw::RedisModuleCtx,
        argv: &'a [*mut raw::RedisModuleString],
    ) -> Call<'a> {
        Call {
            ctx,
            argv,
            now_us: Cell::new(None),
            secrets: RefCell::new(SmallVec::new()),
        }
    }

    /// The server's clock in Unix milliseconds, read once per call.
    pub fn now_ms(&self) -> u64 {
        self.now_us() / 1000
    }

    /// The server's clock in Unix microseconds, read once per call.
    pub fn now_us(&self) -> u64 {
        if let Some(now_us) = self.now_us.get() {
            return now_us;
        }
        let now_us = clock_us();
        self.now_us.set(Some(now_us));
        now_us
    }

    /// Number of the database that the call works on.
    pub fn db(&self) -> i32 {
        // SAFETY: `ctx` is that of the running callback.
        unsafe { rm!(RedisModule_GetSelectedDb(self.ctx)) }
    }

    /// Whether the client may be kept waiting: not inside MULTI, a script or another module's call,
    /// and not on a replica, where nothing could be handed over.
    pub fn may_wait(&self) -> bool {
        const NO_WAITING: u32 = raw::REDISMODULE_CTX_FLAGS_DENY_BLOCKING
            | raw::REDISMODULE_CTX_FLAGS_MULTI
            | raw::REDISMODULE_CTX_FLAGS_LUA
            | raw::REDISMODULE_CTX_FLAGS_SLAVE;
        // SAFETY: `ctx` is that of the running callback.
        let flags = unsafe { rm!(RedisModule_GetContextFlags(self.ctx)) };
        flags & NO_WAITING as c_int == 0
    }

    /// Whether this server is a replica.
    pub fn is_replica(&self) -> bool {
        // SAFETY: `ctx` is that of the running callback.
        let flags = unsafe { rm!(RedisModule_GetContextFlags(self.ctx)) };
        flags & raw::REDISMODULE_CTX_FLAGS_SLAVE as c_int != 0
    }

    /// 128 bits of the operating system's random source; where it fails, of the server's, which the
    /// operating system's seeded when the server started.
    pub fn random_bits(&self) -> [u8; 16] {
        let mut bits = [0; 16];
        if getrandom::fill(&mut bits).is_err() {
            // SAFETY: the server writes as many bytes as there is room for.
            unsafe { rm!(RedisModule_GetRandomBytes(bits.as_mut_ptr(), bits.len())) };
        }
        bits
    }

    /// Whether `maxmemory` is reached (after the server has evicted what it may).
    pub fn out_of_memory(&self) -> bool {
        // SAFETY: `ctx` is that of the running callback.
        let flags = unsafe { rm!(RedisModule_GetContextFlags(self.ctx)) };
        flags & raw::REDISMODULE_CTX_FLAGS_OOM as c_int != 0
    }

    /// Shows argument `index`, a secret, as `(redacted)` in SLOWLOG and MONITOR.
    pub fn redact(&self, index: usize) {
        if let (true, Ok(position)) = (index < self.argv.len(), c_int::try_from(index)) {
            self.secrets.borrow_mut().push(position);
        }
    }

    /// Does what was asked of [`Call::redact`]. Both logs are written after the callback, and on
    /// Valkey 8.1 this overwrites the very vector that the arguments are read from: so it comes last.
    pub(super) fn redact_secrets(self) {
        for position in self.secrets.into_inner() {
            // SAFETY: `ctx` is that of the running callback, and there is such an argument.
            unsafe { rm!(RedisModule_RedactClientCommandArgument(self.ctx, position)) };
        }
    }

    /// The server's own handle of argument `index`.
    pub(super) fn handle(&self, index: usize) -> Option<*mut raw::RedisModuleString> {
        self.argv.get(index).copied()
    }
}

impl Arguments for Call<'_> {
    fn get(&self, index: usize) -> Option<&[u8]> {
        // SAFETY: the server keeps the argument vector alive and unchanged during the callback.
        self.handle(index)
            .map(|string| unsafe { string_bytes(string) })
    }
}

/// The machine's clock, which is also the server's, in Unix microseconds. (The server's own call for
/// it is missing on Redis 7.0.)
pub(super) fn clock_us() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since_1970.map_or(0, |since| {
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    })
}

/// The bytes of a server string.
///
/// # Safety
/// `string` is valid, and neither freed nor changed while the slice is in use.
pub(super) unsafe fn string_bytes<'a>(string: *const raw::RedisModuleString) -> &'a [u8] {
    let mut len = 0;
    // SAFETY: the caller vouches for `string`.
    let start = unsafe { rm!(RedisModule_StringPtrLen(string, &mut len)) };
    if start.is_null() {
        return &[];
    }
    // SAFETY: the server gave the start and the length of one allocation.
    unsafe { std::slice::from_raw_parts(start.cast(), len) }
}
