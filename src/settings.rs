//! The settings of the module: `CONFIG GET|SET appkit.*`, lines of redis.conf, load arguments.

use std::ffi::CStr;
use std::sync::atomic::{AtomicI64, Ordering};

/// An integer setting.
pub struct Setting {
    /// The name without the prefix `appkit.` that the server puts in front.
    pub name: &'static CStr,
    /// Value where nobody sets another.
    pub default: i64,
    /// Smallest accepted value.
    pub min: i64,
    /// Largest accepted value.
    pub max: i64,
    value: AtomicI64,
}

impl Setting {
    const fn new(name: &'static CStr, default: i64, min: i64, max: i64) -> Setting {
        Setting {
            name,
            default,
            min,
            max,
            value: AtomicI64::new(default),
        }
    }

    /// The value in force.
    pub fn get(&self) -> i64 {
        self.value.load(Ordering::Relaxed)
    }

    /// Puts `value` in force. The server has checked the range.
    pub fn set(&self, value: i64) {
        self.value.store(value, Ordering::Relaxed);
    }
}

/// The most bytes of a session's document.
pub static SESSION_MAX_BYTES: Setting = Setting::new(c"session-max-bytes", 65_536, 2, 16_777_216);

/// The most calls that wait in the server at a time.
pub static MAX_WAITERS: Setting = Setting::new(c"max-waiters", 1000, 0, 100_000);

/// All settings.
pub static ALL: &[&Setting] = &[&MAX_WAITERS, &SESSION_MAX_BYTES];
