//! An open key.
//!
//! The module sets the option NO_IMPLICIT_SIGNAL_MODIFIED, so opening a key for writing is no
//! change in itself: WATCH and client-side caching only see what [`commit`](super::commit) signals.
//! That lets a command open its key once, for both reading and writing.

use std::cell::Cell;
use std::os::raw::{c_char, c_int};

use redis_module::raw;

use super::api::rm;
use super::call::Call;
use crate::error::Error;

/// What a command opens its key for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading; a `readonly` command may do no more.
    Read,
    /// Reading, and writing if the decision says so.
    Write,
}

impl Access {
    const fn mode(self) -> c_int {
        match self {
            Access::Read => raw::REDISMODULE_READ as c_int,
            Access::Write => (raw::REDISMODULE_READ | raw::REDISMODULE_WRITE) as c_int,
        }
    }
}

/// What a key holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// There is no such key, or it has run out.
    Empty,
    /// A string.
    String,
    /// A hash.
    Hash,
    /// Anything else.
    Other,
}

/// A key of the running call, open. Closed when dropped.
pub struct Key<'c> {
    pub(super) call: &'c Call<'c>,
    pub(super) name: *mut raw::RedisModuleString,
    /// Null where a key opened for reading does not exist.
    pub(super) handle: *mut raw::RedisModuleKey,
    access: Access,
    /// Where [`bytes_in_place`](Key::bytes_in_place) found the value of a key that is open for writing. Good until
    /// the key is written or closed.
    pub(super) in_place: Cell<Option<*mut [u8]>>,
}

impl<'c> Key<'c> {
    /// Opens the key that argument `index` names.
    pub fn open(call: &'c Call<'c>, index: usize, access: Access) -> Result<Key<'c>, Error> {
        // The arity check of the server runs first, so the argument is there.
        let name = call.handle(index).ok_or(Error::Internal)?;
        // SAFETY: the name is an argument of the call.
        Ok(unsafe { Key::open_named(call, name, access) })
    }

    /// Opens the key of this name.
    ///
    /// # Safety
    /// The name lives as long as the call.
    pub(super) unsafe fn open_named(
        call: &'c Call<'c>,
        name: *mut raw::RedisModuleString,
        access: Access,
    ) -> Key<'c> {
        // SAFETY: the context belongs to the running callback; for the name, the caller vouches.
        let handle = unsafe { rm!(RedisModule_OpenKey(call.ctx, name, access.mode())) };
        Key {
            call,
            name,
            handle: handle.cast(),
            access,
            in_place: Cell::new(None),
        }
    }

    /// What the key holds.
    pub fn kind(&self) -> Kind {
        // SAFETY: the server accepts null and answers "empty".
        let kind = unsafe { rm!(RedisModule_KeyType(self.handle)) };
        match kind as isize {
            raw::REDISMODULE_KEYTYPE_EMPTY => Kind::Empty,
            raw::REDISMODULE_KEYTYPE_STRING => Kind::String,
            raw::REDISMODULE_KEYTYPE_HASH => Kind::Hash,
            _ => Kind::Other,
        }
    }

    /// When the key expires (Unix time in milliseconds); `None` where it does not.
    pub fn expires_at_ms(&self) -> Option<u64> {
        // SAFETY: the key is open, as the server demands.
        let at =
            unsafe { (!self.handle.is_null()).then(|| rm!(RedisModule_GetAbsExpire(self.handle))) };
        at.and_then(|at| u64::try_from(at).ok())
    }

    /// The string at the key, or `None` where there is no key.
    ///
    /// `min_len` is the length of the shortest string that the caller can use: a shorter one comes
    /// back empty. Reading in place makes the server unpack an integer-encoded string (at most 20
    /// digits) for good, which foreign values should not suffer from us.
    pub fn string(&self, min_len: usize) -> Result<Option<&[u8]>, Error> {
        match self.kind() {
            Kind::Empty => return Ok(None),
            Kind::String => {}
            _ => return Err(Error::WrongType),
        }
        // SAFETY: the key is open and holds a string.
        if unsafe { rm!(RedisModule_ValueLength(self.handle)) } < min_len {
            return Ok(Some(&[]));
        }
        // SAFETY: the key holds a string.
        Ok(Some(unsafe { self.bytes_in_place() }))
    }

    /// The bytes of the string at the key, where the server keeps them.
    ///
    /// # Safety
    /// The key holds a string.
    pub(super) unsafe fn bytes_in_place(&self) -> &[u8] {
        let mut len = 0;
        // SAFETY: the key is open, in this mode, and holds a string, as the caller vouches.
        let start: *mut c_char = unsafe {
            rm!(RedisModule_StringDMA(
                self.handle,
                &mut len,
                self.access.mode()
            ))
        };
        let bytes = std::ptr::slice_from_raw_parts_mut(start.cast(), len);
        if self.access == Access::Write {
            self.in_place.set(Some(bytes));
        }
        // SAFETY: the slice borrows `self`, and every write takes the key by value.
        unsafe { &*bytes }
    }
}

impl Drop for Key<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is open and dropped only here; the server accepts null.
        unsafe { rm!(RedisModule_CloseKey(self.handle)) }
    }
}
