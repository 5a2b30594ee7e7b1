//! The module's rate limiting algorithms, from its own source files: the library is one that only a
//! server can load.

// The benchmark charges and does nothing else.
#![allow(dead_code)]

#[path = "../../src/ratelimit/decision.rs"]
pub mod decision;
#[path = "../../src/ratelimit/exact.rs"]
mod exact;
#[path = "../../src/ratelimit/fixed.rs"]
mod fixed;
#[path = "../../src/ratelimit/gcra.rs"]
mod gcra;
#[path = "../../src/ratelimit/ledger.rs"]
mod ledger;
#[path = "../../src/ratelimit/limiter.rs"]
pub mod limiter;
#[path = "../../src/ratelimit/rule.rs"]
pub mod rule;
#[path = "../../src/ratelimit/sliding.rs"]
mod sliding;
#[path = "../../src/ratelimit/state.rs"]
pub mod state;
