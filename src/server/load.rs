//! What happens when the server loads the module.

use std::ffi::{CStr, CString};
use std::fmt::Display;
use std::os::raw::c_int;
use std::sync::atomic::{AtomicPtr, Ordering};

use redis_module::{RedisString, raw};

use super::api::{missing_call, rm};
use super::trampoline::Registration;
use super::waiting::{self, AnyLines};
use super::{config, expiry, info, register, string};
use crate::settings::Setting;

/// The server may migrate slots one by one while the module is loaded (Valkey 9). The SDK's header
/// does not know the flag; servers that do list it in `RedisModule_GetModuleOptionsAll`.
pub(super) const HANDLE_ATOMIC_SLOT_MIGRATION: c_int = 1 << 5;

/// Sets the module up; `false` refuses to load, with the reason in the server's log.
///
/// # Safety
/// `ctx` and `args` are those of the module's load callback.
pub unsafe fn load(
    ctx: *mut raw::RedisModuleCtx,
    args: &[RedisString],
    commands: &[Registration],
    lines: &'static [&'static dyn AnyLines],
) -> bool {
    // SAFETY: as the caller vouches.
    match unsafe { set_up(ctx, args, commands, lines) } {
        Ok(()) => true,
        Err(reason) => {
            // SAFETY: as the caller vouches.
            unsafe { log(ctx, c"warning", format_args!("{reason}. Not loaded")) };
            free_context();
            false
        }
    }
}

/// Gives back what the module holds of the server's, when the server unloads it.
pub fn unload() {
    expiry::free_text();
    string::free_constants();
    waiting::unload();
    free_context();
}

/// Frees the context that the SDK makes at each load and keeps to itself: it has a client of its own,
/// of 17 KB. Nothing in the module uses it.
fn free_context() {
    type Pointer = AtomicPtr<raw::RedisModuleCtx>;
    const {
        assert!(size_of::<redis_module::DetachedContext>() == size_of::<Pointer>());
        assert!(align_of::<redis_module::DetachedContext>() == align_of::<Pointer>());
    }
    let kept = std::ptr::from_ref(&redis_module::MODULE_CONTEXT).cast::<Pointer>();
    // SAFETY: a `DetachedContext` has one field, an `AtomicPtr` to a context, and is as large as it.
    let context = unsafe { &*kept }.swap(std::ptr::null_mut(), Ordering::Relaxed);
    // SAFETY: the pointers are the server's. The SDK got the context from it and gives it to nobody.
    unsafe {
        if let (false, Some(free)) = (context.is_null(), raw::RedisModule_FreeThreadSafeContext) {
            free(context);
        }
    }
}

/// # Safety
/// `ctx` and `args` are those of the module's load callback.
unsafe fn set_up(
    ctx: *mut raw::RedisModuleCtx,
    args: &[RedisString],
    commands: &[Registration],
    lines: &'static [&'static dyn AnyLines],
) -> Result<(), String> {
    if let Some(call) = missing_call() {
        return Err(format!(
            "this server lacks {call}; redis-appkit needs Redis 7.0 or newer, or Valkey"
        ));
    }
    let args: Vec<_> = args.iter().map(|arg| arg.inner).collect();
    // SAFETY: as the caller vouches, and every required call is there.
    unsafe {
        set_options(ctx);
        info::register(ctx);
        for command in commands.iter().filter(|command| command.switch.is_none()) {
            if !register(ctx, command)? {
                let name = command.spec.name.to_string_lossy();
                return Err(format!("another module has the command {name}"));
            }
        }
        config::register(ctx, &args)?;
        for command in commands.iter().filter(|command| is_switched_on(command)) {
            if !register(ctx, command)? {
                let name = command.spec.name.to_string_lossy();
                let message = format_args!("{name} stays with the module that has it already");
                log(ctx, c"notice", message);
            }
        }
        // Last: a module whose load fails after this goes on being told on Redis 7.0, when its code is
        // no longer there.
        waiting::set_up(ctx, lines)?;
    }
    Ok(())
}

fn is_switched_on(command: &Registration) -> bool {
    command.switch.is_some_and(Setting::is_on)
}

/// Makes the command known to the server; `false` if its name is taken.
///
/// # Safety
/// `ctx` is that of the module's load callback, and all required calls are there.
unsafe fn register(ctx: *mut raw::RedisModuleCtx, command: &Registration) -> Result<bool, String> {
    // SAFETY: as the caller vouches.
    unsafe {
        let created = register::create(ctx, command);
        if created {
            register::describe(ctx, command.spec)?;
        }
        Ok(created)
    }
}

/// # Safety
/// `ctx` is that of the module's load callback, and all required calls are there.
unsafe fn set_options(ctx: *mut raw::RedisModuleCtx) {
    // Only a commit signals a change. And no state outside the keyspace has to follow a full
    // synchronization, so a replica may go on reading its old data meanwhile.
    let mut options = raw::REDISMODULE_OPTION_NO_IMPLICIT_SIGNAL_MODIFIED
        | raw::REDISMODULE_OPTIONS_HANDLE_REPL_ASYNC_LOAD;
    // SAFETY: as the caller vouches. All options go in one call: the server overwrites them.
    unsafe {
        if let Some(known_options) = raw::RedisModule_GetModuleOptionsAll {
            options |= (known_options() & HANDLE_ATOMIC_SLOT_MIGRATION) as u32;
        }
        rm!(RedisModule_SetModuleOptions(ctx, options as c_int));
    }
}

/// # Safety
/// `ctx` is that of the module's load callback.
unsafe fn log(ctx: *mut raw::RedisModuleCtx, level: &CStr, message: impl Display) {
    let Ok(message) = CString::new(message.to_string()) else {
        return;
    };
    // SAFETY: the strings end with NUL and the server copies them. Not through `rm!`: this call may
    // be the one that is missing.
    unsafe {
        if let Some(log) = raw::RedisModule_Log {
            log(ctx, level.as_ptr(), c"%s".as_ptr(), message.as_ptr());
        }
    }
}
