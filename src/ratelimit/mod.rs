//! Rate limiting: one key holds one limiter.
//!
//! Everything here but the command layer is pure: the bytes at the key, the request and the time
//! come in as arguments, a decision and new bytes go out.
//!
//! | file | subject |
//! |---|---|
//! | `commands` | the command layer: arguments → decision → commit → reply |
//! | `arguments` | the syntax |
//! | `rule` | what a call asks for |
//! | `decision` | what it is answered |
//! | `limiter` | the three operations: charge, peek, refund |
//! | `state` | the bytes at the key, common to all algorithms |
//! | `ledger` | what an algorithm has to provide, and what follows from it |
//! | `sliding`, `fixed`, `exact`, `gcra` | the algorithms |

mod arguments;
mod commands;
mod decision;
mod exact;
mod fixed;
mod gcra;
mod ledger;
mod limiter;
mod rule;
mod sliding;
mod state;

#[cfg(test)]
mod tests;

pub use commands::{ClThrottle, Peek, RateLimit, Refund};
