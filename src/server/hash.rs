//! The hash at an open key, for reading.

use std::any::Any;
use std::os::raw::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use redis_module::raw;

use super::api::rm;
use super::call::string_bytes;
use super::key::{Key, Kind};
use super::string::{Constant, ServerString};
use crate::error::Error;

/// A hash; one without fields where there is no key.
pub struct Hash<'k> {
    key: &'k Key<'k>,
    count: usize,
}

impl Key<'_> {
    /// The hash at the key.
    pub fn hash(&self) -> Result<Hash<'_>, Error> {
        let count = match self.kind() {
            Kind::Empty => 0,
            // SAFETY: the key is open and holds a hash.
            Kind::Hash => unsafe { rm!(RedisModule_ValueLength(self.handle)) },
            _ => return Err(Error::WrongType),
        };
        Ok(Hash { key: self, count })
    }
}

impl Hash<'_> {
    /// How many fields there are; 0 exactly if there is no key.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The value of one field.
    pub fn get(&self, field: &[u8]) -> Option<ServerString> {
        let field = ServerString::new(field);
        // SAFETY: the string is valid.
        unsafe { self.get_named(field.as_ptr()) }
    }

    /// The value of one field that is asked for often.
    pub fn get_constant(&self, field: &'static Constant) -> Option<ServerString> {
        // SAFETY: constants are good until the module is unloaded.
        unsafe { self.get_named(field.as_ptr()) }
    }

    /// # Safety
    /// `field` is a valid string.
    unsafe fn get_named(&self, field: *mut raw::RedisModuleString) -> Option<ServerString> {
        if self.count == 0 {
            return None;
        }
        let mut value: *mut raw::RedisModuleString = std::ptr::null_mut();
        let end: *mut raw::RedisModuleString = std::ptr::null_mut();
        // SAFETY: the key is open and holds a hash; the server stores an owned string or null.
        unsafe {
            rm!(RedisModule_HashGet(
                self.key.handle,
                raw::REDISMODULE_HASH_NONE as i32,
                field,
                &mut value,
                end
            ));
            ServerString::from_owned(value)
        }
    }

    /// Shows each field's name and value, in any order; one may come more than once, as with SCAN.
    pub fn for_each(&self, visit: &mut dyn FnMut(&[u8], &[u8])) {
        if self.count == 0 {
            return;
        }
        let mut visitor = Visitor { visit, panic: None };
        let data: *mut c_void = (&raw mut visitor).cast();
        // SAFETY: the key is open, holds a hash and is not changed meanwhile; the visitor outlives
        // the scan.
        unsafe {
            let cursor = rm!(RedisModule_ScanCursorCreate());
            while rm!(RedisModule_ScanKey(
                self.key.handle,
                cursor,
                Some(visit_field),
                data
            )) != 0
            {}
            rm!(RedisModule_ScanCursorDestroy(cursor));
        }
        if let Some(panic) = visitor.panic {
            resume_unwind(panic);
        }
    }
}

struct Visitor<'v> {
    visit: &'v mut dyn FnMut(&[u8], &[u8]),
    panic: Option<Box<dyn Any + Send>>,
}

/// Unwinding must not cross the server: a panic is kept and goes on after the scan.
unsafe extern "C" fn visit_field(
    _key: *mut raw::RedisModuleKey,
    field: *mut raw::RedisModuleString,
    value: *mut raw::RedisModuleString,
    visitor: *mut c_void,
) {
    // SAFETY: the visitor that `for_each` passed in; nobody else uses it during the scan.
    let visitor = unsafe { &mut *visitor.cast::<Visitor<'_>>() };
    if visitor.panic.is_some() {
        return;
    }
    // SAFETY: the server keeps both strings alive during the callback.
    let (field, value) = unsafe { (string_bytes(field), string_bytes(value)) };
    visitor.panic = catch_unwind(AssertUnwindSafe(|| (visitor.visit)(field, value))).err();
}
