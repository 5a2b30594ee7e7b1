//! What only the server's main thread touches.

use std::ops::Deref;

/// A value that lives in a static and is used by the server's callbacks alone, all of which run on
/// the main thread. (A thread-local would do, but its destructor would pin the library in memory
/// after `MODULE UNLOAD`.)
pub struct MainThread<T>(T);

impl<T> MainThread<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> MainThread<T> {
        MainThread(value)
    }
}

// SAFETY: the module starts no thread, and the server runs all callbacks on its main thread.
unsafe impl<T> Sync for MainThread<T> {}

impl<T> Deref for MainThread<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
