//! The one place that changes data.
//!
//! A change is written, gets its absolute expiry, is replicated as core commands with the same
//! absolute values, and is announced like a change by the core: WATCH and client-side caching
//! first, keyspace events after. Replication comes before the events, so that whatever another
//! module does about an event stands behind its cause in the AOF and on the replicas.

use std::ffi::CStr;
use std::os::raw::c_int;

use arrayvec::ArrayVec;
use redis_module::raw;
use smallvec::SmallVec;

use super::api::rm;
use super::expiry;
use super::key::Key;
use super::string::{Constant, ServerString};
use crate::error::Error;

static PXAT: Constant = Constant::new(b"PXAT");

/// A keyspace event: its class and its name.
type Event = (c_int, &'static CStr);

/// Fields and values of a change to a hash. Most often two of each at most.
type Strings = SmallVec<[ServerString; 4]>;

/// What the core announces for `SET key value PXAT time`.
const STORED: &[Event] = &[
    (raw::REDISMODULE_NOTIFY_STRING, c"set"),
    (raw::REDISMODULE_NOTIFY_GENERIC, c"expire"),
];

impl Key<'_> {
    /// Stores `value` as a string that expires at `expires_at_ms` (Unix time in milliseconds).
    ///
    /// Replicated as `SET key value PXAT expires_at_ms`. The key must be open for writing.
    pub fn commit_string(self, value: &[u8], expires_at_ms: u64) {
        // The string that is stored can be replicated too. What is written over an old one cannot:
        // the next call may write over it before it has left.
        let string = ServerString::new(value);
        if !self.write_over(value) {
            // SAFETY: the key is open for writing; no slice of its value is alive, as `self` is owned.
            // The server takes its own reference.
            unsafe { rm!(RedisModule_StringSet(self.handle, string.as_ptr())) };
        }
        // SAFETY: the string holds what the key does.
        unsafe { self.commit_stored(string.as_ptr(), expires_at_ms) };
    }

    /// Stores argument `index` of the call as a string that expires at `expires_at_ms` (Unix time in
    /// milliseconds). However long it is, its bytes are shared and not copied.
    ///
    /// Replicated as `SET key value PXAT expires_at_ms`. The key must be open for writing.
    pub fn commit_argument(self, index: usize, expires_at_ms: u64) -> Result<(), Error> {
        let value = self.call.handle(index).ok_or(Error::Internal)?;
        // SAFETY: the key is open for writing; no slice of its value is alive, as `self` is owned.
        // The server takes its own references to the value.
        unsafe {
            rm!(RedisModule_StringSet(self.handle, value));
            self.commit_stored(value, expires_at_ms);
        }
        Ok(())
    }

    /// The rest of a commit that has written `value` to the key.
    ///
    /// # Safety
    /// The key is open for writing, and `value` is valid and equal to what it holds.
    unsafe fn commit_stored(self, value: *mut raw::RedisModuleString, expires_at_ms: u64) {
        let at = expiry::time(expires_at_ms);
        // SAFETY: as the caller vouches. The server takes its own references to the strings.
        unsafe {
            rm!(RedisModule_SetAbsExpire(self.handle, at));
            rm!(RedisModule_Replicate(
                self.call.ctx,
                c"SET".as_ptr(),
                c"ssss".as_ptr(),
                self.name,
                value,
                PXAT.as_ptr(),
                expiry::text(at),
            ));
        }
        self.announce(STORED);
    }

    /// Gives the key another expiry (Unix time in milliseconds) and leaves its value.
    ///
    /// Replicated as `PEXPIREAT key expires_at_ms`. The key must be there and open for writing.
    pub fn commit_expiry(self, expires_at_ms: u64) {
        self.expire_at(expires_at_ms);
        self.announce(&[(raw::REDISMODULE_NOTIFY_GENERIC, c"expire")]);
    }

    /// Sets and deletes fields of a hash, and gives the key another expiry (Unix time in
    /// milliseconds) if one is given. Fields to delete need not be there.
    ///
    /// Replicated as `HSET`, `HDEL` and `PEXPIREAT`, as far as there is something to do. The key
    /// must be open for writing, and a field must be left.
    pub fn commit_hash<'a>(
        self,
        set: impl Iterator<Item = (&'a [u8], &'a [u8])>,
        delete: impl Iterator<Item = &'a [u8]>,
        expires_at_ms: Option<u64>,
    ) {
        let mut events = ArrayVec::<Event, 3>::new();
        if self.set_fields(set) {
            events.push((raw::REDISMODULE_NOTIFY_HASH, c"hset"));
        }
        if self.delete_fields(delete) {
            events.push((raw::REDISMODULE_NOTIFY_HASH, c"hdel"));
        }
        if let Some(expires_at_ms) = expires_at_ms {
            self.expire_at(expires_at_ms);
            events.push((raw::REDISMODULE_NOTIFY_GENERIC, c"expire"));
        }
        self.announce(&events);
    }

    /// Says whether there was one to set.
    fn set_fields<'a>(&self, fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> bool {
        let mut strings = Strings::new();
        for (field, value) in fields {
            let (field, value) = (ServerString::new(field), ServerString::new(value));
            // SAFETY: the server takes its own reference.
            unsafe { self.set_field(&field, value.as_ptr()) };
            strings.extend([field, value]);
        }
        self.replicate_with(c"HSET", &strings)
    }

    /// Says whether one of the fields was there.
    fn delete_fields<'a>(&self, fields: impl Iterator<Item = &'a [u8]>) -> bool {
        // The server's mark for "delete this field", which it compares and never follows.
        let delete = std::ptr::without_provenance_mut(1);
        let strings = fields.map(ServerString::new);
        // SAFETY: as the server demands.
        let deleted: Strings = strings
            .filter(|field| unsafe { self.set_field(field, delete) } > 0)
            .collect();
        self.replicate_with(c"HDEL", &deleted)
    }

    /// Gives a field another value; returns how many there were before.
    ///
    /// # Safety
    /// The key is open for writing; `value` is a string, or the mark for deletion.
    unsafe fn set_field(&self, field: &ServerString, value: *mut raw::RedisModuleString) -> c_int {
        let end: *mut raw::RedisModuleString = std::ptr::null_mut();
        // SAFETY: as the caller vouches.
        unsafe {
            rm!(RedisModule_HashSet(
                self.handle,
                raw::REDISMODULE_HASH_NONE as c_int,
                field.as_ptr(),
                value,
                end,
            ))
        }
    }

    fn expire_at(&self, expires_at_ms: u64) {
        let at = expiry::time(expires_at_ms);
        // SAFETY: the key is open for writing.
        unsafe {
            rm!(RedisModule_SetAbsExpire(self.handle, at));
            rm!(RedisModule_Replicate(
                self.call.ctx,
                c"PEXPIREAT".as_ptr(),
                c"ss".as_ptr(),
                self.name,
                expiry::text(at),
            ));
        }
    }

    /// Replicates `command key arguments…`, if there are any; says whether there are.
    fn replicate_with(&self, command: &CStr, arguments: &[ServerString]) -> bool {
        if arguments.is_empty() {
            return false;
        }
        // SAFETY: the strings are valid; the server takes its own references.
        unsafe {
            rm!(RedisModule_Replicate(
                self.call.ctx,
                command.as_ptr(),
                c"sv".as_ptr(),
                self.name,
                ServerString::handles(arguments),
                arguments.len(),
            ));
        }
        true
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

    /// Writes over a string of the same length where it was read, which allocates nothing; says
    /// whether it did. (Growing in place would make the server reserve up to twice the length.)
    fn write_over(&self, value: &[u8]) -> bool {
        let old = self.in_place.take().filter(|old| old.len() == value.len());
        if let Some(old) = old {
            // SAFETY: found by a read for writing, and good since the key has not been written after
            // it. Slices of it borrow the key, which the callers own.
            unsafe { &mut *old }.copy_from_slice(value);
        }
        old.is_some()
    }

    /// Closes the key and tells who watches, caches or listens.
    fn announce(self, events: &[Event]) {
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
