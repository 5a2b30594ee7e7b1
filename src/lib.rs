//! redis-appkit: application patterns as native, atomic Redis commands.
//!
//! Data flows one way: bytes from a client → arguments → state read from a key → a pure decision →
//! one commit → a reply.
//!
//! | where | what |
//! |---|---|
//! | [`ratelimit`], [`lock`], [`session`], [`cache`] | a family each: its commands, and the pure code that decides |
//! | [`server`] | the only part that touches the server |
//! | [`waiting`] | lines of waiters, for every family whose commands may wait |
//! | [`args`], [`command`], [`decimal`], [`error`], [`settings`], [`stats`] | what the families share |

mod args;
mod cache;
mod command;
mod decimal;
mod error;
mod lock;
mod ratelimit;
mod server;
mod session;
mod settings;
mod stats;
mod waiting;

use server::{AnyLines, Registration};

/// Every command of the module.
static COMMANDS: &[Registration] = &[
    Registration::of::<ratelimit::RateLimit>(),
    Registration::of::<ratelimit::Peek>(),
    Registration::of::<ratelimit::Refund>(),
    Registration::of::<ratelimit::ClThrottle>().only_with(&settings::CL_THROTTLE),
    Registration::of::<lock::Lock>(),
    Registration::of::<lock::Unlock>(),
    Registration::of::<lock::Extend>(),
    Registration::of::<lock::Info>(),
    Registration::of::<session::CreateSession>(),
    Registration::of::<session::GetSession>(),
    Registration::of::<session::TouchSession>(),
    Registration::of::<session::UpdateSession>(),
    Registration::of::<session::RotateSession>(),
    Registration::of::<session::RevokeSession>(),
    Registration::of::<session::RevokeAllSessions>(),
    Registration::of::<session::ListSessions>(),
    Registration::of::<cache::GetOrSet>(),
    Registration::of::<cache::GetOrLoad>(),
    Registration::of::<cache::Fill>(),
    Registration::of::<cache::Release>(),
    Registration::of::<cache::Invalidate>(),
];

/// The lines of every family whose commands may wait.
static LINES: &[&dyn AnyLines] = &[&lock::LINES, &cache::LINES];

// Unit tests run without a server, so without the server's allocator and without being loaded.
#[cfg(not(test))]
redis_module::redis_module! {
    name: "appkit",
    version: 1,
    allocator: (redis_module::alloc::RedisAlloc, redis_module::alloc::RedisAlloc),
    data_types: [],
    init: init,
    deinit: deinit,
    commands: [],
}

#[cfg_attr(test, allow(dead_code))]
fn init(ctx: &redis_module::Context, args: &[redis_module::RedisString]) -> redis_module::Status {
    // SAFETY: the context and the arguments are those of the load callback.
    match unsafe { server::load(ctx.ctx, args, COMMANDS, LINES) } {
        true => redis_module::Status::Ok,
        false => redis_module::Status::Err,
    }
}

#[cfg_attr(test, allow(dead_code))]
fn deinit(_: &redis_module::Context) -> redis_module::Status {
    server::unload();
    redis_module::Status::Ok
}
