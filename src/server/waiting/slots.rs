//! Whether a key is ours, in a cluster.
//!
//! A low-level write into a slot of another node succeeds silently; a command through the server's
//! own door is refused. So that door is knocked at before anything is written outside a command.
//!
//! Who owns the slot is in `CLUSTER SLOTS`, but Valkey 8 dies of that question from a module: it looks
//! at the connection of whoever asks, and a module has none. There the answer is `TRYAGAIN`, and the
//! server tells the client who asks again.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::io::ErrorKind;

use redis_module::raw;

use super::super::answer::Answer;
use super::super::api::rm;
use super::super::load::HANDLE_ATOMIC_SLOT_MIGRATION;
use super::super::string::ServerString;
use super::gate::in_cluster;
use super::main_thread::MainThread;
use crate::error::Error;

/// `Ok` if this node serves `key` now, else the error that makes cluster clients ask the right one.
///
/// # Safety
/// `ctx` is that of a running callback; the database of the key is selected.
pub unsafe fn check(ctx: *mut raw::RedisModuleCtx, key: &ServerString) -> Result<(), Error> {
    // SAFETY: as the caller vouches; formats match the arguments.
    unsafe {
        if !in_cluster(ctx) {
            return Ok(());
        }
        let answer = rm!(RedisModule_Call(
            ctx,
            c"EXISTS".as_ptr(),
            c"s".as_ptr(),
            key.as_ptr()
        ));
        // The reason is in errno; read before another call changes it.
        let reason = std::io::Error::last_os_error().kind();
        match Answer::new(answer) {
            Some(_) => Ok(()),
            None => match reason {
                ErrorKind::NetworkDown | ErrorKind::ReadOnlyFilesystem => Err(Error::ClusterDown),
                _ => Err(redirection(ctx, key)),
            },
        }
    }
}

/// Whether the server can be asked who owns a slot.
static OWNERS_ARE_KNOWN: MainThread<Cell<bool>> = MainThread::new(Cell::new(false));

/// Finds out what the server can be asked.
///
/// # Safety
/// In the module's load callback.
pub unsafe fn set_up() {
    // A server that moves slots as a whole is Valkey 9 or newer, which was tried.
    // SAFETY: the pointers are the server's; the name ends with NUL, and there is room for a pointer.
    let known = unsafe {
        let options = raw::RedisModule_GetModuleOptionsAll.map_or(0, |options| options());
        let mut call = std::ptr::null_mut::<c_void>();
        let found = raw::RedisModule_GetApi.is_some_and(|get_api| {
            let status = get_api(
                c"ValkeyModule_Call".as_ptr(),
                std::ptr::from_mut(&mut call).cast(),
            );
            status == raw::REDISMODULE_OK as c_int
        });
        !found || options & HANDLE_ATOMIC_SLOT_MIGRATION != 0
    };
    OWNERS_ARE_KNOWN.set(known);
}

/// `MOVED` to the node that owns the slot. `TRYAGAIN` where that is not known, and while this node
/// still owns it and the key has left: the server then answers `ASK` itself.
///
/// # Safety
/// `ctx` is that of a running callback.
unsafe fn redirection(ctx: *mut raw::RedisModuleCtx, key: &ServerString) -> Error {
    if !OWNERS_ARE_KNOWN.get() {
        return Error::TryAgain;
    }
    // SAFETY: as the caller vouches.
    let moved = unsafe { owner(ctx, key) };
    moved.map_or(Error::TryAgain, |(slot, endpoint)| Error::Moved {
        slot,
        endpoint,
    })
}

/// The slot of `key` and the node that owns it, if that is another node.
///
/// # Safety
/// `ctx` is that of a running callback.
unsafe fn owner(ctx: *mut raw::RedisModuleCtx, key: &ServerString) -> Option<(i64, String)> {
    let cluster = c"CLUSTER".as_ptr();
    // SAFETY: as the caller vouches; formats match the arguments.
    let (slot, me, slots) = unsafe {
        // All are owned before one is missed: what is not owned is not freed.
        let slot = Answer::new(rm!(RedisModule_Call(
            ctx,
            cluster,
            c"cs".as_ptr(),
            c"KEYSLOT".as_ptr(),
            key.as_ptr()
        )));
        let me = Answer::new(rm!(RedisModule_Call(
            ctx,
            cluster,
            c"c".as_ptr(),
            c"MYID".as_ptr()
        )));
        let slots = Answer::new(rm!(RedisModule_Call(
            ctx,
            cluster,
            c"c".as_ptr(),
            c"SLOTS".as_ptr()
        )));
        (slot?, me?, slots?)
    };
    let (slot, slots) = (slot.part().integer(), slots.part());
    // Each range: first and last slot, then its nodes, the primary first: host, port, id.
    let mut ranges = (0..slots.len()).filter_map(|index| slots.element(index));
    let range = ranges.find(|range| {
        let bound = |index| range.element(index).map_or(-1, |bound| bound.integer());
        (bound(0)..=bound(1)).contains(&slot)
    })?;
    let node = range.element(2)?;
    if node.element(2)?.bytes() == me.part().bytes() {
        return None;
    }
    let host = String::from_utf8_lossy(node.element(0)?.bytes()).into_owned();
    Some((slot, format!("{host}:{}", node.element(1)?.integer())))
}
