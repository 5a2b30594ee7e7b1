//! The settings of the module: `CONFIG GET|SET appkit.*`, lines of redis.conf, load arguments.

use std::ffi::CStr;
use std::sync::atomic::{AtomicI64, Ordering};

/// A setting.
pub struct Setting {
    /// The name without the prefix `appkit.` that the server puts in front.
    pub name: &'static CStr,
    /// What it takes.
    pub kind: Kind,
    /// Value where nobody sets another; of a switch 1 or 0.
    pub default: i64,
    value: AtomicI64,
}

/// What a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An integer in this range, changed at any time.
    Integer {
        /// Smallest accepted value.
        min: i64,
        /// Largest accepted value.
        max: i64,
    },
    /// `yes` or `no`, set when the module is loaded and not changed after that.
    Switch,
}

impl Setting {
    const fn new(name: &'static CStr, kind: Kind, default: i64) -> Setting {
        Setting {
            name,
            kind,
            default,
            value: AtomicI64::new(default),
        }
    }

    const fn integer(name: &'static CStr, default: i64, min: i64, max: i64) -> Setting {
        Setting::new(name, Kind::Integer { min, max }, default)
    }

    /// Off unless somebody sets it.
    const fn switch(name: &'static CStr) -> Setting {
        Setting::new(name, Kind::Switch, 0)
    }

    /// The value in force.
    pub fn get(&self) -> i64 {
        self.value.load(Ordering::Relaxed)
    }

    /// Whether a switch is on.
    pub fn is_on(&self) -> bool {
        self.get() != 0
    }

    /// Puts `value` in force. The server has checked the range.
    pub fn set(&self, value: i64) {
        self.value.store(value, Ordering::Relaxed);
    }
}

/// Whether the module has `CL.THROTTLE` too.
pub static CL_THROTTLE: Setting = Setting::switch(c"cl-throttle");

/// The most bytes of a session's document.
pub static SESSION_MAX_BYTES: Setting =
    Setting::integer(c"session-max-bytes", 65_536, 2, 16_777_216);

/// The most calls that wait in the server at a time.
pub static MAX_WAITERS: Setting = Setting::integer(c"max-waiters", 1000, 0, 100_000);

/// All settings.
pub static ALL: &[&Setting] = &[&MAX_WAITERS, &SESSION_MAX_BYTES, &CL_THROTTLE];
