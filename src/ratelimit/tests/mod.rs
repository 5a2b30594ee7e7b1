//! The promises of the limiter, held against a naive model, against the history of what was let
//! through, and against hostile bytes.

// A test that overflows is a test that fails.
#![allow(clippy::arithmetic_side_effects)]

mod bytes;
mod examples;
mod oracle;
mod promises;
mod traces;

use super::decision::Decision;
use super::limiter::{self, Charged, Refunded};
use super::rule::{Algorithm, Request, Rule};
use super::state::StateBuffer;

const ALGORITHMS: [Algorithm; 4] = [
    Algorithm::Sliding,
    Algorithm::Fixed,
    Algorithm::Exact,
    Algorithm::Gcra,
];

/// A time like those of today: 2026.
const NOW: u64 = 1_790_000_000_000;

fn rule(limit: u32, window_ms: u64) -> Rule {
    Rule::new(limit, window_ms, None)
}

/// The length of a sub-window: the most that `SLIDING` may forget late, rounded up.
fn granule(window_ms: u64) -> u64 {
    window_ms.div_ceil(32)
}

/// One key of a server: the bytes and nothing else.
#[derive(Debug, Clone, Default)]
struct Key {
    state: Option<Vec<u8>>,
}

impl Key {
    fn charge(&mut self, request: &Request<'_>, now_ms: u64) -> Charged {
        let mut out = StateBuffer::from_slice(b"untouched");
        let charged = limiter::charge(self.state.as_deref(), request, now_ms, &mut out).unwrap();
        if charged.expires_at_ms.is_some() {
            self.state = Some(out.to_vec());
        } else {
            assert_eq!(out.as_slice(), b"untouched", "a refused call wrote");
        }
        assert_eq!(charged.decision.allowed, charged.expires_at_ms.is_some());
        charged
    }

    fn peek(&self, request: &Request<'_>, now_ms: u64) -> Decision {
        limiter::peek(self.state.as_deref(), request, now_ms).unwrap()
    }

    fn refund(&mut self, request: &Request<'_>, now_ms: u64) -> Refunded {
        let mut out = StateBuffer::new();
        let refunded = limiter::refund(self.state.as_deref(), request, now_ms, &mut out).unwrap();
        match refunded.change {
            limiter::Change::Unchanged => {}
            limiter::Change::Write { .. } => self.state = Some(out.to_vec()),
            limiter::Change::Delete => self.state = None,
        }
        refunded
    }
}
