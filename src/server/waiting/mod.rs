//! Waiting in the server, for every family whose commands may wait.
//!
//! A [`Family`] says what happens when a line may move. This module does the rest: it blocks the
//! client, notices whatever may move a line (a deletion, an expiry, a new expiry, a flushed
//! database), wakes up when time alone moves it, and answers.
//!
//! Rules that servers taught, each at the price of a crash, a lost reply or a replica that differs:
//!
//! - Callbacks of events only note which line to look at. What they would write would be replicated
//!   *before* its cause. The work is done behind the cause, by [`events`].
//! - Everything outside a client's own command passes one [`gate`] first: a write while writes are
//!   paused ends the server.
//! - Waits end by timers of our own, and a client is let go by a timer, never in the middle of a
//!   pipeline: Redis 7.0 loses the reply where `CLIENT UNBLOCK` comes right after.
//! - The server may call back in the middle of a call of ours. So no borrow of the [`lines`] spans a
//!   call of the server.
//! - A client may vanish at any time. Its waiter stays in the table until the server frees it, once.

mod blocking;
mod events;
mod family;
mod gate;
mod lines;
mod main_thread;
mod slots;
mod tick;

pub use family::{Family, KEY};
pub use lines::{Line, Lines};
pub use main_thread::MainThread;

pub use events::{AnyLines, Memory};
pub(super) use events::{set_up, unload};
