//! The handle of a session: what stands for its id wherever the id itself must not be seen.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Bytes of a handle's text: 128 bits in base64url without padding.
pub const HANDLE_BYTES: usize = 22;

/// The first 128 bits of SHA-256 of an id, as base64url text without padding.
///
/// Ids are random, so a hash without salt is enough: a handle tells nothing about its id, and two
/// ids that share a handle would take 2^64 tries to find even for the one who chooses both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Handle([u8; HANDLE_BYTES]);

impl Handle {
    /// The handle of `id`, whatever bytes it has.
    pub fn of_id(id: &[u8]) -> Self {
        let digest = Sha256::digest(id);
        let mut text = [b'A'; HANDLE_BYTES];
        if let Some(half) = digest.first_chunk::<16>() {
            // 16 bytes always fill the 22 characters exactly, so this cannot fail.
            let _ = URL_SAFE_NO_PAD.encode_slice(half, &mut text);
        }
        Self(text)
    }

    /// Reads the text of a handle; `None` for bytes that are no handle's text.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text: [u8; HANDLE_BYTES] = text.try_into().ok()?;
        let mut bits = [0; 16];
        // Decoding refuses foreign characters and unused bits that are set.
        URL_SAFE_NO_PAD.decode_slice(text, &mut bits).ok()?;
        Some(Self(text))
    }

    /// The text, in base64url characters alone: the name of the session's field in the hash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(self.as_bytes()).unwrap_or_default())
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn handle_is_the_first_half_of_sha256() {
        // SHA-256 of "abc" starts ba7816bf 8f01cfea 414140de 5dae2223 (FIPS 180-2, appendix B.1).
        assert_eq!(Handle::of_id(b"abc").to_string(), "ungWv48Bz-pBQUDeXa4iIw");
    }

    #[test]
    fn only_a_handles_own_text_is_a_handle() {
        for bad in [
            &b""[..],
            b"_",
            b"ungWv48Bz-pBQUDeXa4iI",
            b"ungWv48Bz-pBQUDeXa4iIw=",
            b"ungWv48Bz+pBQUDeXa4iIw",
            b"ungWv48Bz-pBQUDeXa4iIx",
            b"ungWv48Bz-pBQUDeXa4iI\0",
        ] {
            assert_eq!(Handle::parse(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_handle_reads_back(id in any::<Vec<u8>>()) {
            let handle = Handle::of_id(&id);
            prop_assert_eq!(Handle::parse(handle.as_bytes()), Some(handle));
        }

        #[test]
        fn arbitrary_bytes_never_panic(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = Handle::parse(&text);
        }
    }
}
