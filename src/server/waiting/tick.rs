//! What happens to lines outside any client's command.

use std::os::raw::c_void;

use redis_module::raw;

use super::super::api::rm;
use super::super::call::{Call, clock_us};
use super::super::string::ServerString;
use super::super::trampoline::guarded;
use super::blocking::{end_in_vain, release, shielded};
use super::family::Family;
use super::gate::{Gate, gate};
use super::lines::{Answer, Line, RETRY_MS};
use super::slots;
use crate::error::Error;
use crate::waiting::{LineId, Place};

/// The timer of a family's lines.
///
/// # Safety
/// Called by the server.
pub unsafe extern "C" fn on_timer<F: Family>(ctx: *mut raw::RedisModuleCtx, _data: *mut c_void) {
    F::lines().disarmed();
    // Each behind a shield of its own: a panic in one must not keep the others waiting for ever.
    // SAFETY: the context is that of this callback.
    shielded(|| unsafe { move_all::<F>(ctx) });
    // SAFETY: as above.
    shielded(|| unsafe { end_waits::<F>(ctx) });
    // SAFETY: as above.
    shielded(|| unsafe { let_go::<F>() });
    // SAFETY: as above.
    shielded(|| unsafe { F::lines().arm(ctx) });
}

/// Lets the clients go that have an answer. Between a timer and the server's look at the clients let
/// go no command runs (but with TLS or threads that read, for which Redis 7.0 runs some), so nothing
/// comes between an answer and its client here.
///
/// # Safety
/// On the main thread, in a timer.
unsafe fn let_go<F: Family>() {
    for id in F::lines().with(|table| table.take_decided()) {
        // SAFETY: as the caller vouches.
        unsafe { release::<F>(id) };
    }
}

/// Moves all lines that may move.
///
/// # Safety
/// `ctx` is that of a timer.
unsafe fn move_all<F: Family>(ctx: *mut raw::RedisModuleCtx) {
    let lines = F::lines();
    let now_ms = clock_us() / 1000;
    // SAFETY: as the caller vouches.
    unsafe {
        match gate(ctx) {
            Gate::Open => {
                take_back::<F>(ctx);
                for line in lines.with(|table| table.take_lines(now_ms)) {
                    advance::<F>(ctx, line);
                }
            }
            Gate::Later => lines.with(|table| table.hold_off(now_ms.saturating_add(RETRY_MS))),
            Gate::Replica => lines.with(|table| {
                // What was given stays with those who are gone until it runs out: a replica does
                // not write. Nobody stands in line any more.
                table.take_undelivered();
                table.take_lines(now_ms);
                table.hold_off(now_ms.saturating_add(RETRY_MS));
            }),
        }
    }
}

/// Moves the lines that were noted, and looks at no other key.
///
/// # Safety
/// `ctx` is that of a job behind an event.
pub unsafe fn move_noted<F: Family>(ctx: *mut raw::RedisModuleCtx) {
    let lines = F::lines();
    // SAFETY: as the caller vouches.
    unsafe {
        if gate(ctx) == Gate::Open {
            for line in lines.with(|table| table.take_noted()) {
                advance::<F>(ctx, line);
            }
        } else {
            lines.with(|table| table.postpone());
        }
    }
}

/// # Safety
/// `ctx` is that of a timer or of a job behind an event, and the gate is open.
unsafe fn advance<F: Family>(ctx: *mut raw::RedisModuleCtx, id: LineId) {
    let (lines, line) = (F::lines(), Line::<F>::new(id));
    // Gone with its last waiter, meanwhile.
    let Some(place) = lines.with(|table| table.place(id)) else {
        return;
    };
    let _quiet = lines.quiet(id);
    let step = |call: &Call<'_>| lines.moving(call, line, |line| F::advance(call, line));
    // A line in which the module itself fails is ended like one of another node: it would fail again,
    // at once and for ever.
    // SAFETY: as the caller vouches.
    let reached = guarded(|| unsafe { at_key(ctx, &place, step) });
    if let Err(error) = reached {
        lines.with(|table| {
            while table.head(id).is_some() {
                table.answer_head(id, Answer::Failed(error.clone()));
            }
        });
    }
}

/// Takes back what was given to clients that are gone.
///
/// # Safety
/// `ctx` is that of a timer or of a job behind an event, and the gate is open.
unsafe fn take_back<F: Family>(ctx: *mut raw::RedisModuleCtx) {
    let lines = F::lines();
    for answered in lines.with(|table| table.take_undelivered()) {
        let Answer::Decided(answer) = &answered.answer else {
            continue;
        };
        if answered.is_delivered() {
            continue;
        }
        let place = &answered.place;
        let line = lines.with(|table| table.line(place.db, &place.key));
        let _quiet = line.map(|line| lines.quiet(line));
        let step = |call: &Call<'_>| F::take_back(call, answer);
        // Where the slot has gone, so has the key, and what it held is no longer ours to take.
        // SAFETY: as the caller vouches.
        let _ = guarded(|| unsafe { at_key(ctx, place, step) });
    }
}

/// Runs `step` at a key, as a call that has the key where commands have it; an error if another node
/// serves the key.
///
/// # Safety
/// `ctx` is that of a timer or of a job behind an event, and the gate is open.
unsafe fn at_key(
    ctx: *mut raw::RedisModuleCtx,
    place: &Place,
    step: impl FnOnce(&Call<'_>),
) -> Result<(), Error> {
    let key = ServerString::new(&place.key);
    // SAFETY: as the caller vouches; the key outlives the call.
    unsafe {
        rm!(RedisModule_SelectDb(ctx, place.db));
        slots::check(ctx, &key)?;
        step(&Call::new(ctx, &[key.as_ptr(), key.as_ptr()]));
    }
    Ok(())
}

/// Ends the waits whose time is up. Writes nothing, so it needs no gate.
///
/// # Safety
/// `ctx` is that of a timer.
unsafe fn end_waits<F: Family>(ctx: *mut raw::RedisModuleCtx) {
    // SAFETY: as the caller vouches.
    let call = unsafe { Call::new(ctx, &[]) };
    for id in F::lines().with(|table| table.due_waits(call.now_ms())) {
        end_in_vain::<F>(&call, id);
    }
}
