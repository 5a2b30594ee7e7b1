//! The replies of `APP.CACHE.GETORLOAD`.

use crate::cache::lease::Lease;
use crate::server::Call;

/// There is a value. `ttl_ms` is `None` where it lives for ever.
pub fn hit(call: &Call<'_>, value: &[u8], ttl_ms: Option<u64>) {
    parts(call, b"HIT", Some(value), None, span_or_none(ttl_ms));
}

/// There is a value, and the caller is the one that refreshes it, within `lease_ms`.
pub fn refresh(call: &Call<'_>, value: &[u8], lease: Lease, lease_ms: u64) {
    parts(call, b"REFRESH", Some(value), Some(lease), span(lease_ms));
}

/// There is none, and the caller is the one that loads it, within `lease_ms`.
pub fn load(call: &Call<'_>, lease: Lease, lease_ms: u64) {
    parts(call, b"LOAD", None, Some(lease), span(lease_ms));
}

/// There is none, and somebody else loads it or nobody may, for `ttl_ms` at most.
pub fn busy(call: &Call<'_>, ttl_ms: u64) {
    parts(call, b"BUSY", None, None, span(ttl_ms));
}

fn parts(call: &Call<'_>, status: &[u8], value: Option<&[u8]>, lease: Option<Lease>, ttl_ms: i64) {
    call.reply_array(4);
    call.reply_bytes(status);
    match value {
        Some(value) => call.reply_bytes(value),
        None => call.reply_null(),
    }
    match lease {
        Some(lease) => call.reply_bytes(lease.to_string().as_bytes()),
        None => call.reply_null(),
    }
    call.reply_integer(ttl_ms);
}

/// A span of time in a reply; −1 is for ever.
pub fn span_or_none(ms: Option<u64>) -> i64 {
    ms.map_or(-1, span)
}

/// A span of time in a reply.
pub fn span(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
