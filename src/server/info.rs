//! `INFO appkit`.

use std::os::raw::c_int;

use redis_module::raw;

use super::api::rm;
use crate::stats;

/// Registers the section, in place of the SDK's own handler: that one symbolizes a backtrace inside
/// a crash report, which can itself crash.
///
/// # Safety
/// `ctx` is that of the module's load callback, and all required calls are there.
pub(super) unsafe fn register(ctx: *mut raw::RedisModuleCtx) {
    // SAFETY: as the caller vouches.
    unsafe { rm!(RedisModule_RegisterInfoFunc(ctx, Some(add_section))) };
}

/// Allocates nothing and takes no lock: it also runs inside a crash report.
unsafe extern "C" fn add_section(ctx: *mut raw::RedisModuleInfoCtx, _for_crash_report: c_int) {
    // SAFETY: the context is that of this callback; names are static C strings. The section without
    // a name of its own is called like the module.
    unsafe {
        if rm!(RedisModule_InfoAddSection(ctx, c"".as_ptr())) != raw::REDISMODULE_OK as c_int {
            return; // Not asked for.
        }
        for counter in stats::ALL {
            rm!(RedisModule_InfoAddFieldULongLong(
                ctx,
                counter.name.as_ptr(),
                counter.get()
            ));
        }
    }
}
