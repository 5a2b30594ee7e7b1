//! Rate limiting: one key holds one limiter.
//!
//! Everything here but the command layer is pure: the bytes at the key, the request and the time
//! come in as arguments, a decision and new bytes go out.
//!
//! | file | subject |
//! |---|---|
//! | `rule` | what a call asks for |
//! | `decision` | what it is answered |
//! | `limiter` | the three operations: charge, peek, refund |
//! | `state` | the bytes at the key, common to all algorithms |
//! | `ledger` | what an algorithm has to provide, and what follows from it |
//! | `sliding`, `fixed`, `exact`, `gcra` | the algorithms |

// Nothing calls the limiter until the commands are registered; to be removed then.
#![allow(dead_code)]

pub mod decision;
mod exact;
mod fixed;
mod gcra;
mod ledger;
pub mod limiter;
pub mod rule;
mod sliding;
pub mod state;

#[cfg(test)]
mod tests;
