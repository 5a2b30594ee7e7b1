//! Strings of the server that the module owns.

use std::ops::Deref;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use redis_module::raw;

use super::api::rm;
use super::call::string_bytes;

/// A string made by or for the module. Freed when dropped.
#[repr(transparent)]
pub struct ServerString(*mut raw::RedisModuleString);

impl ServerString {
    /// A copy of `bytes`.
    pub(super) fn new(bytes: &[u8]) -> ServerString {
        let (start, len) = (bytes.as_ptr().cast(), bytes.len());
        // SAFETY: the server copies `len` bytes. No context: the string is freed by its owner.
        ServerString(unsafe { rm!(RedisModule_CreateString(null_mut(), start, len)) })
    }

    /// Takes over a string that the server handed out, if it is one.
    ///
    /// # Safety
    /// `string` is null, or valid and the caller's to free.
    pub(super) unsafe fn from_owned(string: *mut raw::RedisModuleString) -> Option<ServerString> {
        // Lazily: a `ServerString` of null must not even be dropped.
        (!string.is_null()).then(|| ServerString(string))
    }

    /// The server's handles of several strings in a row, good as long as they are.
    pub(super) fn handles(strings: &[ServerString]) -> *const *mut raw::RedisModuleString {
        // A string is nothing but its handle.
        strings.as_ptr().cast()
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
        unsafe { rm!(RedisModule_FreeString(null_mut(), self.0)) }
    }
}

/// A string that is handed to the server again and again: made at its first use, so that no later
/// one allocates, and kept until the module is unloaded.
pub struct Constant {
    bytes: &'static [u8],
    string: AtomicPtr<raw::RedisModuleString>,
    /// The one that was made before.
    before: AtomicPtr<Constant>,
}

/// The constant that was made last.
static LAST_MADE: AtomicPtr<Constant> = AtomicPtr::new(null_mut());

impl Constant {
    /// A constant that holds `bytes`.
    pub const fn new(bytes: &'static [u8]) -> Constant {
        Constant {
            bytes,
            string: AtomicPtr::new(null_mut()),
            before: AtomicPtr::new(null_mut()),
        }
    }

    /// The server's handle, good until [`free_constants`]. For the main thread alone.
    pub(super) fn as_ptr(&'static self) -> *mut raw::RedisModuleString {
        let made = self.string.load(Ordering::Relaxed);
        if made.is_null() { self.make() } else { made }
    }

    #[cold]
    fn make(&'static self) -> *mut raw::RedisModuleString {
        let string = std::mem::ManuallyDrop::new(ServerString::new(self.bytes)).as_ptr();
        self.string.store(string, Ordering::Relaxed);
        let itself = std::ptr::from_ref(self).cast_mut();
        let before = LAST_MADE.swap(itself, Ordering::Relaxed);
        self.before.store(before, Ordering::Relaxed);
        string
    }
}

/// Gives the strings of all constants back to the server.
pub(super) fn free_constants() {
    let mut next = LAST_MADE.swap(null_mut(), Ordering::Relaxed);
    // SAFETY: null or a static, put there by `make`.
    while let Some(constant) = unsafe { next.as_ref() } {
        let string = constant.string.swap(null_mut(), Ordering::Relaxed);
        // SAFETY: made by `make`, which makes another one next time.
        drop(unsafe { ServerString::from_owned(string) });
        next = constant.before.swap(null_mut(), Ordering::Relaxed);
    }
}
