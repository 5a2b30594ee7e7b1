//! The one place that changes data.
//!
//! A change is written, gets its absolute expiry, is replicated as core commands with the same
//! absolute values, and is announced like a change by the core: WATCH and client-side caching
//! first, keyspace events after. Replication comes before the events, so that whatever another
//! module does about an event stands behind its cause in the AOF and on the replicas.

use std::ffi::CStr;
use std::os::raw::{c_int, c_longlong};

use redis_module::raw;

use super::api::rm;
use super::key::{Access, Key, Kind};

impl Key<'_> {
    /// Stores `value` as a string that expires at `expires_at_ms` (Unix time in milliseconds).
    ///
    /// Replicated as `SET key value PXAT expires_at_ms`. The key must be open for writing.
    pub fn commit_string(self, value: &[u8], expires_at_ms: u64) {
        let expires_at = c_longlong::try_from(expires_at_ms).unwrap_or(c_longlong::MAX);
        // SAFETY: the key is open for writing; no slice of its value is alive, as `self` is owned.
        unsafe {
            self.write_string(value);
            rm!(RedisModule_SetAbsExpire(self.handle, expires_at));
            rm!(RedisModule_Replicate(
                self.call.ctx,
                c"SET".as_ptr(),
                c"sbcl".as_ptr(),
                self.name,
                value.as_ptr(),
                value.len(),
                c"PXAT".as_ptr(),
                expires_at,
            ));
        }
        self.announce(&[
            (raw::REDISMODULE_NOTIFY_STRING, c"set"),
            (raw::REDISMODULE_NOTIFY_GENERIC, c"expire"),
        ]);
    }

    /// Deletes the key. Replicated as `DEL key`. The key must be open for writing.
    pub fn commit_delete(self) {
        // SAFETY: the key is open for writing; no slice of its value is alive, as `self` is owned.
        unsafe {
            rm!(RedisModule_DeleteKey(self.handle));
            rm!(RedisModule_Replicate(
                self.call.ctx,
                c"DEL".as_ptr(),
                c"s".as_ptr(),
                self.name,
            ));
        }
        self.announce(&[(raw::REDISMODULE_NOTIFY_GENERIC, c"del")]);
    }

    /// Writes over a string of the same length in place, which allocates nothing; else stores a
    /// new one. (Growing in place would make the server reserve up to twice the length.)
    ///
    /// # Safety
    /// The key is open for writing and no slice of its value is alive.
    unsafe fn write_string(&self, value: &[u8]) {
        // SAFETY: as the caller vouches; the pointer is used before anything else touches the key.
        unsafe {
            let same_length = self.kind() == Kind::String
                && rm!(RedisModule_ValueLength(self.handle)) == value.len();
            if same_length {
                let old = &mut *self.string_in_place(Access::Write);
                old.copy_from_slice(value);
                return;
            }
            let string = rm!(RedisModule_CreateString(
                std::ptr::null_mut(),
                value.as_ptr().cast(),
                value.len(),
            ));
            rm!(RedisModule_StringSet(self.handle, string));
            rm!(RedisModule_FreeString(std::ptr::null_mut(), string));
        }
    }

    /// Closes the key and tells who watches, caches or listens.
    fn announce(self, events: &[(c_int, &'static CStr)]) {
        let (ctx, name) = (self.call.ctx, self.name);
        drop(self);
        // SAFETY: the context and the name belong to the running callback; no key is open.
        unsafe {
            rm!(RedisModule_SignalModifiedKey(ctx, name));
            for (class, event) in events {
                rm!(RedisModule_NotifyKeyspaceEvent(
                    ctx,
                    *class,
                    event.as_ptr(),
                    name
                ));
            }
        }
    }
}
