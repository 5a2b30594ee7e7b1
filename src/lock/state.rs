//! The string that a lock is: `appkit:lock:1 <fence> <token>`. Its lifetime is the key's TTL.

use super::arguments::MAX_TOKEN_LEN;
use super::fence::MAX_FENCE;
use crate::args::parse_integer;
use crate::decimal::Decimal;

const TAG: &[u8] = b"appkit:lock:1 ";

/// Length of the shortest string that is a lock: a fence is the server's clock in microseconds, so
/// it has at least six digits from the first second of 1970 on.
pub const MIN_STATE_LEN: usize = TAG.len() + 6 + 1 + 1;

/// A lock that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold<'a> {
    /// The number of this hold, below 2^53.
    pub fence: u64,
    /// Whose hold it is: 1 … 256 bytes, any.
    pub token: &'a [u8],
}

impl<'a> Hold<'a> {
    /// Reads the string at a key. `None` for any other string: one that older code took its lock
    /// with, say.
    pub fn parse(state: &'a [u8]) -> Option<Hold<'a>> {
        let rest = state.strip_prefix(TAG)?;
        let space = rest.iter().position(|byte| *byte == b' ')?;
        let (fence, token) = rest.split_at_checked(space)?;
        let token = token.get(1..)?;
        let fence = parse_integer(fence).filter(|fence| (1..=MAX_FENCE).contains(fence))?;
        let is_token = (1..=MAX_TOKEN_LEN).contains(&token.len());
        (is_token && state.len() >= MIN_STATE_LEN).then_some(Hold { fence, token })
    }

    /// The string to store.
    pub fn encode(&self) -> Vec<u8> {
        let fence = Decimal::new(self.fence);
        [TAG, fence.as_bytes(), b" ", self.token].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_lock_is_readable() {
        let hold = Hold {
            fence: 1_700_000_000_000_000,
            token: b"a b\0c",
        };
        assert_eq!(hold.encode(), b"appkit:lock:1 1700000000000000 a b\0c");
        assert_eq!(Hold::parse(&hold.encode()), Some(hold));
    }

    #[test]
    fn other_strings_are_somebody_elses() {
        let long = [b"appkit:lock:1 1700000 ".as_slice(), &[b'x'; 257]].concat();
        let others: [&[u8]; 9] = [
            b"",
            b"token",
            b"appkit:lock:1 ",
            b"appkit:lock:1 1700000",
            b"appkit:lock:1 1700000 ",
            b"appkit:lock:1 01700000 token",
            b"appkit:lock:1 9007199254740992 token",
            b"appkit:lock:2 1700000 token",
            &long,
        ];
        for other in others {
            assert_eq!(Hold::parse(other), None, "{}", other.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn holds_round_trip(
            fence in 100_000..=MAX_FENCE,
            token in proptest::collection::vec(any::<u8>(), 1..=256),
        ) {
            let hold = Hold { fence, token: &token };
            let state = hold.encode();
            prop_assert!(state.len() >= MIN_STATE_LEN);
            prop_assert_eq!(Hold::parse(&state), Some(hold));
        }

        #[test]
        fn what_parses_is_what_would_be_written(rest: Vec<u8>) {
            let state = [TAG, rest.as_slice()].concat();
            if let Some(hold) = Hold::parse(&state) {
                prop_assert_eq!(hold.encode(), state);
            }
        }
    }
}
