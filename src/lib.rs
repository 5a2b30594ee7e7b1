//! redis-appkit: application patterns as native, atomic Redis commands.

mod ratelimit;
mod server;
mod session;

#[cfg(not(test))]
redis_module::redis_module! {
    name: "appkit",
    version: 1,
    allocator: (redis_module::alloc::RedisAlloc, redis_module::alloc::RedisAlloc),
    data_types: [],
    init: init,
    commands: [],
}

#[cfg(not(test))]
fn init(_ctx: &redis_module::Context, _args: &[redis_module::RedisString]) -> redis_module::Status {
    redis_module::Status::Ok
}
