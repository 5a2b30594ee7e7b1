//! Sessions: all sessions of one owner in one hash.
//!
//! Everything but the commands is pure: the fields of the hash, the time, the ids and the documents
//! come in as arguments; the reply and the changes to the hash go out as values. `now` is always
//! the server's Unix time in milliseconds, never negative.
//!
//! - [`commands`], [`arguments`], [`specs`]: the command layer, its syntax and its documentation
//! - [`handle`]: what stands for an id in the hash and on an account page
//! - [`record`]: the text of a field
//! - [`document`], [`json_text`], [`merge_patch`]: the JSON that a session carries
//! - [`hash`]: how the rules see the hash, and what they want changed in it
//! - [`create`], [`single`], [`all`]: the rules

mod all;
mod arguments;
mod commands;
mod create;
mod document;
mod handle;
mod hash;
mod json_text;
mod merge_patch;
mod record;
mod single;
mod specs;

#[cfg(test)]
mod all_test;
#[cfg(test)]
mod model_test;
#[cfg(test)]
mod record_test;
#[cfg(test)]
mod single_test;
#[cfg(test)]
mod strange_test;
#[cfg(test)]
mod testing;

pub use commands::{
    CreateSession, GetSession, ListSessions, RevokeAllSessions, RevokeSession, RotateSession,
    TouchSession, UpdateSession,
};
