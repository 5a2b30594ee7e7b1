//! From the server's callback to a command and back.

use std::os::raw::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use redis_module::raw;

use super::call::Call;
use crate::command::Spec;
use crate::error::Error;
use crate::settings::Setting;

/// A command: what it is to the outside, and what it does.
pub trait Command {
    /// Name, arity, keys, flags, documentation.
    const SPEC: Spec;

    /// Parses everything, opens the key, decides, commits if something changes, replies.
    ///
    /// An error is replied by the caller; nothing may have been changed or replied then.
    fn run(call: &Call<'_>) -> Result<(), Error>;
}

/// One row of the table of commands.
pub struct Registration {
    pub(super) spec: &'static Spec,
    /// The switch without which there is no such command.
    pub(super) switch: Option<&'static Setting>,
    pub(super) callback: unsafe extern "C" fn(
        *mut raw::RedisModuleCtx,
        *mut *mut raw::RedisModuleString,
        c_int,
    ) -> c_int,
}

impl Registration {
    /// The row of command `C`.
    pub const fn of<C: Command>() -> Registration {
        Registration {
            spec: &C::SPEC,
            switch: None,
            callback: trampoline::<C>,
        }
    }

    /// The command is there only where `switch` is on, and nobody else has its name.
    pub const fn only_with(mut self, switch: &'static Setting) -> Registration {
        self.switch = Some(switch);
        self
    }
}

/// What the server calls. Borrows the arguments instead of copying or retaining them, and lets no
/// panic through: unwinding into the server would abort it.
unsafe extern "C" fn trampoline<C: Command>(
    ctx: *mut raw::RedisModuleCtx,
    argv: *mut *mut raw::RedisModuleString,
    argc: c_int,
) -> c_int {
    // SAFETY: the server passes `argc` strings that stay valid during the callback.
    let argv = unsafe { std::slice::from_raw_parts(argv, usize::try_from(argc).unwrap_or(0)) };
    // SAFETY: both belong to this callback.
    let call = unsafe { Call::new(ctx, argv) };
    if let Err(error) = guarded(|| C::run(&call)) {
        call.reply_error(&error);
    }
    call.redact_secrets();
    raw::REDISMODULE_OK as c_int
}

/// Runs `command`; a panic becomes [`Error::Internal`].
pub(super) fn guarded(command: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    catch_unwind(AssertUnwindSafe(command)).unwrap_or(Err(Error::Internal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_reply() {
        assert_eq!(guarded(|| panic!("a fault")), Err(Error::Internal));
        assert_eq!(guarded(|| Err(Error::WrongType)), Err(Error::WrongType));
        assert_eq!(guarded(|| Ok(())), Ok(()));
    }
}
