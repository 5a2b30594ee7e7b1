//! A client kept waiting, and the four ways in which the server comes back about it.
//!
//! The server writes a reply through `on_reply` (after we let the client go) or `on_timeout` (after
//! `CLIENT UNBLOCK`; its own time-outs are not used). `on_disconnect` says that the client is gone,
//! or that the server answers it itself. For each client exactly one of the three comes, and then
//! `on_free`, but after the latter two only if we let the client go then.

use std::num::NonZeroUsize;
use std::os::raw::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use redis_module::raw;

use super::super::api::rm;
use super::super::call::Call;
use super::family::Family;
use super::lines::Answer;
use crate::error::Error;
use crate::waiting::WaiterId;

/// Blocks the client of a running command. `None` if the server does not let it wait.
///
/// # Safety
/// `ctx` is that of a running command in which blocking is allowed.
pub unsafe fn block<F: Family>(ctx: *mut raw::RedisModuleCtx) -> Option<WaiterId> {
    // SAFETY: as the caller vouches. No time-out of the server's: with one, Redis 7.0 may answer a
    // client twice or never.
    unsafe {
        let client = rm!(RedisModule_BlockClient(
            ctx,
            Some(on_reply::<F>),
            Some(on_timeout::<F>),
            Some(on_free::<F>),
            0
        ));
        let id = waiter(client)?;
        rm!(RedisModule_SetDisconnectCallback(
            client,
            Some(on_disconnect::<F>)
        ));
        Some(id)
    }
}

/// The waiter is known by the server's handle of its blocked client.
fn waiter<T>(client: *mut T) -> Option<WaiterId> {
    NonZeroUsize::new(client.expose_provenance()).map(WaiterId)
}

/// Lets the client of a waiter go, once.
///
/// # Safety
/// On the main thread; the waiter is one of this family.
pub unsafe fn release<F: Family>(id: WaiterId) {
    if F::lines().with(|table| table.release(id)) {
        let client = std::ptr::with_exposed_provenance_mut::<c_void>(id.0.get());
        // SAFETY: the server frees the handle only after this call, which is made once. The handle
        // itself is what `on_reply` and `on_free` get, and it may not be null.
        unsafe { rm!(RedisModule_UnblockClient(client.cast(), client)) };
    }
}

/// Lets no panic through: unwinding into the server would abort it.
pub fn shielded(callback: impl FnOnce()) {
    // What was begun is given up; the state is behind a `RefCell` and never half changed.
    let _ = catch_unwind(AssertUnwindSafe(callback));
}

/// # Safety
/// `ctx` is that of a callback that replies to the client of a waiter.
unsafe fn write_answer<F: Family>(ctx: *mut raw::RedisModuleCtx, id: Option<WaiterId>) {
    // SAFETY: as the caller vouches; there are no arguments any more.
    let call = unsafe { Call::new(ctx, &[]) };
    let answered = id.and_then(|id| F::lines().with(|table| table.deliver(id)));
    match answered.as_ref().map(|answered| &answered.answer) {
        Some(Answer::Decided(answer)) => F::reply(&call, answer),
        Some(Answer::Failed(error)) => call.reply_error(error),
        None => call.reply_error(&Error::Internal),
    }
}

unsafe extern "C" fn on_reply<F: Family>(
    ctx: *mut raw::RedisModuleCtx,
    _argv: *mut *mut raw::RedisModuleString,
    _argc: c_int,
) -> c_int {
    // SAFETY: the context is that of this callback.
    shielded(|| unsafe {
        let id = waiter(rm!(RedisModule_GetBlockedClientPrivateData(ctx)));
        write_answer::<F>(ctx, id);
    });
    raw::REDISMODULE_OK as c_int
}

/// `CLIENT UNBLOCK`: ends the wait, or delivers an answer that is about to go out anyway.
unsafe extern "C" fn on_timeout<F: Family>(
    ctx: *mut raw::RedisModuleCtx,
    _argv: *mut *mut raw::RedisModuleString,
    _argc: c_int,
) -> c_int {
    // SAFETY: the context is that of this callback.
    shielded(|| unsafe {
        let id = waiter(rm!(RedisModule_GetBlockedClientHandle(ctx)));
        if let Some(id) = id {
            end_in_vain::<F>(&Call::new(ctx, &[]), id);
        }
        write_answer::<F>(ctx, id);
        if let Some(id) = id {
            release::<F>(id);
        }
        F::lines().arm(ctx);
    });
    raw::REDISMODULE_OK as c_int
}

/// Ends a wait without result, if it has not ended before.
pub fn end_in_vain<F: Family>(call: &Call<'_>, id: WaiterId) {
    let now_ms = call.now_ms();
    F::lines().with(|table| {
        table.give_up(id, |until_ms| Answer::Decided(F::in_vain(until_ms, now_ms)));
    });
}

/// Writes nothing: it may come in the middle of EXEC, of a script, of REPLICAOF.
unsafe extern "C" fn on_disconnect<F: Family>(
    ctx: *mut raw::RedisModuleCtx,
    client: *mut raw::RedisModuleBlockedClient,
) {
    // SAFETY: the context is that of this callback.
    shielded(|| unsafe {
        if let Some(id) = waiter(client) {
            F::lines().with(|table| table.leave(id));
            release::<F>(id);
        }
        F::lines().arm(ctx);
    });
}

unsafe extern "C" fn on_free<F: Family>(ctx: *mut raw::RedisModuleCtx, client: *mut c_void) {
    // SAFETY: the context is that of this callback.
    shielded(|| unsafe {
        if let Some(id) = waiter(client) {
            F::lines().with(|table| table.forget(id));
        }
        F::lines().arm(ctx);
    });
}
