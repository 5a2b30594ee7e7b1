//! Rate limiting: one key holds one limiter.
