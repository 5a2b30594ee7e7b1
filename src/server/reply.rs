//! Replies.

use std::ffi::{CStr, CString};
use std::os::raw::{c_char, c_long};

use super::api::rm;
use super::call::Call;
use crate::error::Error;

// SAFETY, for every call below: the context is that of the running callback, and the server copies
// what it is given before it returns.
impl Call<'_> {
    /// An integer.
    pub fn reply_integer(&self, value: i64) {
        // SAFETY: see above.
        unsafe { rm!(RedisModule_ReplyWithLongLong(self.ctx, value)) };
    }

    /// The head of an array: `len` replies follow.
    pub fn reply_array(&self, len: usize) {
        // SAFETY: see above.
        unsafe { rm!(RedisModule_ReplyWithArray(self.ctx, as_long(len))) };
    }

    /// The head of a map: `len` pairs of a key and a reply follow. A flat array in RESP2.
    pub fn reply_map(&self, len: usize) {
        // SAFETY: see above.
        unsafe { rm!(RedisModule_ReplyWithMap(self.ctx, as_long(len))) };
    }

    /// A bulk string.
    pub fn reply_bytes(&self, bytes: &[u8]) {
        let start: *const c_char = bytes.as_ptr().cast();
        // SAFETY: see above.
        unsafe {
            rm!(RedisModule_ReplyWithStringBuffer(
                self.ctx,
                start,
                bytes.len()
            ))
        };
    }

    /// Nothing: null in RESP3, a null bulk string in RESP2.
    pub fn reply_null(&self) {
        // SAFETY: see above.
        unsafe { rm!(RedisModule_ReplyWithNull(self.ctx)) };
    }

    /// One pair of a map whose value is an integer.
    pub fn reply_field(&self, name: &str, value: i64) {
        self.reply_bytes(name.as_bytes());
        self.reply_integer(value);
    }

    /// An error.
    pub(super) fn reply_error(&self, error: &Error) {
        let text = CString::new(error.to_string());
        let text: &CStr = text
            .as_deref()
            .unwrap_or(c"ERR internal error in the appkit module");
        // SAFETY: see above.
        unsafe { rm!(RedisModule_ReplyWithError(self.ctx, text.as_ptr())) };
    }
}

fn as_long(len: usize) -> c_long {
    c_long::try_from(len).unwrap_or(c_long::MAX)
}
