//! The gate in front of everything that is written outside a client's own command.

use std::os::raw::c_int;

use redis_module::raw;

use super::super::api::rm;

/// Whether lines may move now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// They may.
    Open,
    /// Not now: writes are paused (`CLIENT PAUSE`, `FAILOVER`, a shutdown that waits for replicas),
    /// or data is being loaded.
    Later,
    /// This server is a replica; what is to happen happens on its primary.
    Replica,
}

/// Asks the server.
///
/// # Safety
/// `ctx` is that of a running callback.
pub unsafe fn gate(ctx: *mut raw::RedisModuleCtx) -> Gate {
    // SAFETY: as the caller vouches.
    let flags = unsafe { rm!(RedisModule_GetContextFlags(ctx)) };
    let is = |flag: u32| flags & flag as c_int != 0;
    if !is(raw::REDISMODULE_CTX_FLAGS_MASTER) {
        return Gate::Replica;
    }
    let loading = raw::REDISMODULE_CTX_FLAGS_LOADING | raw::REDISMODULE_CTX_FLAGS_ASYNC_LOADING;
    // SAFETY: takes nothing.
    let paused = unsafe { rm!(RedisModule_AvoidReplicaTraffic()) } != 0;
    if paused || is(loading) {
        return Gate::Later;
    }
    Gate::Open
}

/// Whether the server is a node of a cluster.
///
/// # Safety
/// `ctx` is that of a running callback.
pub unsafe fn in_cluster(ctx: *mut raw::RedisModuleCtx) -> bool {
    // SAFETY: as the caller vouches.
    let flags = unsafe { rm!(RedisModule_GetContextFlags(ctx)) };
    flags & raw::REDISMODULE_CTX_FLAGS_CLUSTER as c_int != 0
}
