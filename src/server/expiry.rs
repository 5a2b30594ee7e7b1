//! Absolute expiries as the text that is replicated.

use std::cell::RefCell;
use std::os::raw::c_longlong;

use redis_module::raw;

use super::string::ServerString;
use super::waiting::MainThread;
use crate::decimal::Decimal;

/// The last expiry and its text. The next one is often the same: holds and sessions with one lifetime
/// that begin in one millisecond, limiters with one window that are charged in one sub-window.
static LAST: MainThread<RefCell<Option<(c_longlong, ServerString)>>> =
    MainThread::new(RefCell::new(None));

/// `expires_at_ms` (Unix time in milliseconds) as the server takes times.
pub(super) fn time(expires_at_ms: u64) -> c_longlong {
    c_longlong::try_from(expires_at_ms).unwrap_or(c_longlong::MAX)
}

/// The text of a time that is not negative, to be handed to the server at once: good until the next
/// call of this function.
pub(super) fn text(at: c_longlong) -> *mut raw::RedisModuleString {
    let mut last = LAST.borrow_mut();
    if let Some((_, text)) = last.as_ref().filter(|(last_at, _)| *last_at == at) {
        return text.as_ptr();
    }
    // The server itself takes three times as long to make a string of a number. To make one of bytes
    // calls nothing back, so the borrow may span it.
    let text = ServerString::new(Decimal::new(at.unsigned_abs()).as_bytes());
    last.insert((at, text)).1.as_ptr()
}

/// Gives the text back to the server.
pub(super) fn free_text() {
    LAST.borrow_mut().take();
}
