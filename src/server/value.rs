//! A plain string of anybody's, read without leaving a trace on it.

use std::ops::Deref;
use std::rc::Rc;

use redis_module::raw;

use super::answer::Answer;
use super::api::rm;
use super::call::Call;
use super::key::{Access, Key, Kind};
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
    ///
    /// For clients' own commands, during which the server lets no key run out that was there at
    /// first. Elsewhere `GET` could remove the key while it is open: there it is [`Key::into_copy`].
    pub fn value(&self) -> Result<Option<Value<'_>>, Error> {
        if !self.holds_string()? {
            return Ok(None);
        }
        // SAFETY: the key is open and holds a string.
        let len = unsafe { rm!(RedisModule_ValueLength(self.handle)) };
        if len < NEVER_ENCODED
            && let Some(value) = get(self.call, self.name).filter(|value| value.part().is_string())
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

    /// A copy of the string at the key, or `None` where there is no key. Its encoding stays as it is.
    ///
    /// Good in every callback: in a timer, Redis 7.0 reads its clock anew at each look at a key, so
    /// `GET` may find that the key has run out since it was opened, and free what an open key points
    /// to. So the key is closed first.
    pub fn into_copy(self) -> Result<Option<Rc<[u8]>>, Error> {
        if !self.holds_string()? {
            return Ok(None);
        }
        // SAFETY: the key is open and holds a string.
        if unsafe { rm!(RedisModule_ValueLength(self.handle)) } >= NEVER_ENCODED {
            // SAFETY: the key holds a string.
            return Ok(Some(unsafe { self.bytes_in_place() }.into()));
        }
        let (call, name) = (self.call, self.name);
        drop(self);
        match get(call, name) {
            Some(value) if value.part().is_string() => Ok(Some(value.part().bytes().into())),
            Some(_) => Ok(None),
            None => {
                // SAFETY: the name is that of the key just closed.
                let key = unsafe { Key::open_named(call, name, Access::Read) };
                if !key.holds_string()? {
                    return Ok(None);
                }
                // SAFETY: the key holds a string.
                Ok(Some(unsafe { key.bytes_in_place() }.into()))
            }
        }
    }
}

/// What `GET` answers, if there is such a command: it may have been renamed.
fn get(call: &Call<'_>, name: *mut raw::RedisModuleString) -> Option<Answer> {
    // SAFETY: the context and the name belong to the running callback; the format matches.
    unsafe {
        Answer::new(rm!(RedisModule_Call(
            call.ctx,
            c"GET".as_ptr(),
            c"s".as_ptr(),
            name
        )))
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
