//! What only the server's callbacks touch.

use std::ops::Deref;

/// A value that lives in a static and is used by the server's callbacks alone, one at a time. (A
/// thread-local would do, but its destructor would pin the library in memory after `MODULE UNLOAD`.)
pub struct MainThread<T>(T);

impl<T> MainThread<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> MainThread<T> {
        MainThread(value)
    }
}

// SAFETY: the module starts no thread, and the server runs one callback at a time: on its main thread,
// or on a thread of another module that holds the server's lock, which the main thread has given up by
// then and which orders all accesses. What runs without it (`INFO` in a crash report) uses atomics alone.
unsafe impl<T> Sync for MainThread<T> {}

impl<T> Deref for MainThread<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
