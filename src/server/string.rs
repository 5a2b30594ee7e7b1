//! Strings of the server that the module owns.

use std::ops::Deref;

use redis_module::raw;

use super::api::rm;
use super::call::string_bytes;

/// A string made by or for the module. Freed when dropped.
pub struct ServerString(*mut raw::RedisModuleString);

impl ServerString {
    /// A copy of `bytes`.
    pub(super) fn new(bytes: &[u8]) -> ServerString {
        let (start, len) = (bytes.as_ptr().cast(), bytes.len());
        // SAFETY: the server copies `len` bytes. No context: the string is freed by its owner.
        ServerString(unsafe { rm!(RedisModule_CreateString(std::ptr::null_mut(), start, len)) })
    }

    /// Takes over a string that the server handed out, if it is one.
    ///
    /// # Safety
    /// `string` is null, or valid and the caller's to free.
    pub(super) unsafe fn from_owned(string: *mut raw::RedisModuleString) -> Option<ServerString> {
        // Lazily: a `ServerString` of null must not even be dropped.
        (!string.is_null()).then(|| ServerString(string))
    }

    /// The server's handle, good as long as `self`.
    pub(super) fn as_ptr(&self) -> *mut raw::RedisModuleString {
        self.0
    }
}

impl Deref for ServerString {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the string is ours, and nothing changes it while `self` is borrowed.
        unsafe { string_bytes(self.0) }
    }
}

impl Drop for ServerString {
    fn drop(&mut self) {
        // SAFETY: the string is ours and dropped only here.
        unsafe { rm!(RedisModule_FreeString(std::ptr::null_mut(), self.0)) }
    }
}
