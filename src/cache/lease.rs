//! What a loader holds: the right to fill one key, once.

use std::fmt;

/// Hexadecimal digits of a lease's text.
const TEXT_BYTES: usize = 32;

/// 128 random bits, unique for ever. As text: 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease(u128);

impl Lease {
    /// A lease of random bits.
    pub const fn of_bits(bits: [u8; 16]) -> Lease {
        Lease(u128::from_be_bytes(bits))
    }

    /// Reads the text of a lease; `None` for bytes that are no lease's text.
    pub fn parse(text: &[u8]) -> Option<Lease> {
        if text.len() != TEXT_BYTES {
            return None;
        }
        text.iter()
            .try_fold(0u128, |bits, digit| {
                let nibble = match digit {
                    b'0'..=b'9' => digit.checked_sub(b'0')?,
                    b'a'..=b'f' => digit.checked_sub(b'a')?.checked_add(10)?,
                    _ => return None,
                };
                Some(bits.checked_shl(4)? | u128::from(nibble))
            })
            .map(Lease)
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_a_leases_own_text_is_a_lease() {
        let text = "00112233445566778899aabbccddeeff";
        assert_eq!(
            Lease::parse(text.as_bytes()).map(|l| l.to_string()),
            Some(text.into())
        );
        for bad in [
            "",
            "0",
            "00112233445566778899aabbccddeef",
            "00112233445566778899aabbccddeeff0",
            "00112233445566778899AABBCCDDEEFF",
            "00112233445566778899aabbccddeefg",
            "+0112233445566778899aabbccddeeff",
            "00112233445566778899aabbccddee\0f",
        ] {
            assert_eq!(Lease::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_lease_reads_back_from_short_ascii(bits: [u8; 16]) {
            let text = Lease::of_bits(bits).to_string();
            prop_assert!(text.is_ascii() && text.len() <= 64);
            prop_assert_eq!(Lease::parse(text.as_bytes()), Some(Lease::of_bits(bits)));
        }

        #[test]
        fn any_bytes_are_a_lease_or_not(text in proptest::collection::vec(any::<u8>(), 0..70)) {
            if let Some(lease) = Lease::parse(&text) {
                prop_assert_eq!(lease.to_string().into_bytes(), text);
            }
        }
    }
}
