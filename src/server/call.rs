//! One call of one command: its arguments and what it may ask the server.

use std::cell::Cell;
use std::os::raw::c_int;

use redis_module::raw;

use super::api::rm;
use crate::args::Arguments;

/// A command being carried out. Lives as long as the server's callback and not longer.
pub struct Call<'a> {
    pub(super) ctx: *mut raw::RedisModuleCtx,
    argv: &'a [*mut raw::RedisModuleString],
    now_ms: Cell<Option<u64>>,
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
            now_ms: Cell::new(None),
        }
    }

    /// The server's clock in Unix milliseconds, read once per call.
    pub fn now_ms(&self) -> u64 {
        if let Some(now_ms) = self.now_ms.get() {
            return now_ms;
        }
        // SAFETY: takes nothing.
        let now_ms = unsafe { rm!(RedisModule_Milliseconds()) };
        let now_ms = u64::try_from(now_ms).unwrap_or(0);
        self.now_ms.set(Some(now_ms));
        now_ms
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
