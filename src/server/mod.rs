//! Everything that touches the server: the only folder with `unsafe` and the SDK's types.
//!
//! A command comes in through the [`trampoline`], reads through [`Call`] and [`Key`], changes data
//! only through the `commit_*` functions of [`Key`], and replies through [`Call`]. The rest of the
//! crate sees bytes, times and errors.

mod answer;
mod api;
mod call;
mod commit;
mod config;
mod expiry;
mod hash;
mod info;
mod key;
mod load;
mod register;
mod reply;
mod string;
mod trampoline;
mod value;
mod waiting;

pub use call::Call;
pub use hash::Hash;
pub use key::{Access, Key};
pub use load::{load, unload};
pub use string::{Constant, ServerString};
pub use trampoline::{Command, Registration};
pub use waiting::{AnyLines, Family, KEY, Line, Lines, MainThread, Memory};
