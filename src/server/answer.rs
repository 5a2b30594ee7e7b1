//! What the server answers to a command that the module itself has sent.

use redis_module::raw;

use super::api::rm;

/// An answer of the server, freed when dropped.
pub struct Answer(*mut raw::RedisModuleCallReply);

impl Answer {
    /// Takes over an answer, if there is one.
    ///
    /// # Safety
    /// `reply` is null, or valid and the caller's to free.
    pub unsafe fn new(reply: *mut raw::RedisModuleCallReply) -> Option<Answer> {
        // Lazily: an `Answer` of null must not even be dropped.
        (!reply.is_null()).then(|| Answer(reply))
    }

    /// The whole of it.
    pub fn part(&self) -> Part<'_> {
        Part(self.0, std::marker::PhantomData)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: the reply is ours and dropped only here.
        unsafe { rm!(RedisModule_FreeCallReply(self.0)) }
    }
}

/// An answer or a part of one, which the answer owns.
pub struct Part<'a>(
    *mut raw::RedisModuleCallReply,
    std::marker::PhantomData<&'a Answer>,
);

// SAFETY, for every call below: the part is valid while the answer is. The server checks its type and
// answers 0 or null for another.
impl<'a> Part<'a> {
    /// How many elements an array has, or bytes a string.
    pub fn len(&self) -> usize {
        // SAFETY: see above.
        unsafe { rm!(RedisModule_CallReplyLength(self.0)) }
    }

    /// One element of an array.
    pub fn element(&self, index: usize) -> Option<Self> {
        // SAFETY: see above.
        let element = unsafe { rm!(RedisModule_CallReplyArrayElement(self.0, index)) };
        (!element.is_null()).then_some(Part(element, std::marker::PhantomData))
    }

    /// The value of an integer.
    pub fn integer(&self) -> i64 {
        // SAFETY: see above.
        unsafe { rm!(RedisModule_CallReplyInteger(self.0)) }
    }

    /// Whether it is a string.
    pub fn is_string(&self) -> bool {
        // SAFETY: see above.
        let kind = unsafe { rm!(RedisModule_CallReplyType(self.0)) };
        kind as isize == raw::REDISMODULE_REPLY_STRING
    }

    /// The bytes of a string; empty for anything else.
    pub fn bytes(&self) -> &'a [u8] {
        let mut len = 0;
        // SAFETY: see above.
        let start = unsafe { rm!(RedisModule_CallReplyStringPtr(self.0, &mut len)) };
        if start.is_null() {
            return &[];
        }
        // SAFETY: the server gave start and length; the bytes live as long as the answer.
        unsafe { std::slice::from_raw_parts(start.cast(), len) }
    }
}
