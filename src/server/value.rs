//! A plain string of anybody's, read without leaving a trace on it.

use std::ops::Deref;

use super::answer::Answer;
use super::api::rm;
use super::key::{Key, Kind};
use crate::error::Error;

/// From this length on a string lies in memory of its own on every server, unencoded. (Redis encodes
/// up to 44 bytes; Valkey 9.1 keeps a key and its value in one piece of up to 128.)
const NEVER_ENCODED: usize = 128;

/// The value of a key that holds a string.
pub enum Value<'k> {
    /// In the server's memory.
    InPlace(&'k [u8]),
    /// A short one, copied.
    Copied(Answer),
}

impl Key<'_> {
    /// The string at the key, or `None` where there is no key. Its encoding stays as it is.
    ///
    /// Reading in place makes the server unpack integers and short strings for good, which takes
    /// memory in every key that is ever read. So it is for long strings, which have no encoding and
    /// would be copied twice by way of `GET`; a short one is fetched by `GET`.
    pub fn value(&self) -> Result<Option<Value<'_>>, Error> {
        if !self.holds_string()? {
            return Ok(None);
        }
        // SAFETY: the key is open and holds a string.
        let len = unsafe { rm!(RedisModule_ValueLength(self.handle)) };
        if len < NEVER_ENCODED
            && let Some(value) = self.get()
        {
            return Ok(Some(Value::Copied(value)));
        }
        // SAFETY: the key holds a string.
        Ok(Some(Value::InPlace(unsafe { self.bytes_in_place() })))
    }

    /// Whether there is a string at the key; an error where there is something else.
    pub fn holds_string(&self) -> Result<bool, Error> {
        match self.kind() {
            Kind::Empty => Ok(false),
            Kind::String => Ok(true),
            _ => Err(Error::WrongType),
        }
    }

    /// What `GET` answers, if it is a string: the command may have been renamed.
    fn get(&self) -> Option<Answer> {
        // SAFETY: the context and the name belong to the running callback; the format matches.
        let answer = unsafe {
            Answer::new(rm!(RedisModule_Call(
                self.call.ctx,
                c"GET".as_ptr(),
                c"s".as_ptr(),
                self.name
            )))
        };
        answer.filter(|answer| answer.part().is_string())
    }
}

impl Deref for Value<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Value::InPlace(bytes) => bytes,
            Value::Copied(answer) => answer.part().bytes(),
        }
    }
}
