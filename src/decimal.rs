//! Numbers as text, without a formatter: several are written with every commit.

/// The longest `u64` has twenty digits.
const MAX_PAIRS: usize = 10;

/// 00 to 99. Two digits at a time halve the divisions.
const PAIRS: &[[u8; 2]] = b"\
    0001020304050607080910111213141516171819\
    2021222324252627282930313233343536373839\
    4041424344454647484950515253545556575859\
    6061626364656667686970717273747576777879\
    8081828384858687888990919293949596979899"
    .as_chunks()
    .0;

/// A number in decimal.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    /// The digits stand at the end.
    digits: [[u8; 2]; MAX_PAIRS],
    /// How many digits of the first places are not part of the number.
    skipped: usize,
}

impl Decimal {
    /// The text of `number`.
    pub fn new(number: u64) -> Decimal {
        let mut digits = [[b'0'; 2]; MAX_PAIRS];
        let mut pairs = digits.iter_mut();
        let mut rest = number;
        while let Some(pair) = pairs.next_back() {
            let digits_of = usize::try_from(rest % 100).unwrap_or(0);
            *pair = PAIRS.get(digits_of).copied().unwrap_or_default();
            if rest < 100 {
                break;
            }
            rest /= 100;
        }
        let one_digit = usize::from(rest < 10);
        let skipped = pairs.len().saturating_mul(2).saturating_add(one_digit);
        Decimal { digits, skipped }
    }

    /// The digits, without leading zeros.
    pub fn as_bytes(&self) -> &[u8] {
        let digits = self.digits.as_flattened();
        digits.get(self.skipped..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_ends_of_the_range_fit() {
        assert_eq!(Decimal::new(0).as_bytes(), b"0");
        assert_eq!(Decimal::new(u64::MAX).as_bytes(), b"18446744073709551615");
    }

    proptest! {
        #[test]
        fn digits_are_those_of_the_standard_library(number: u64, shift in 0u32..64) {
            let number = number >> shift;
            let decimal = Decimal::new(number);
            let expected = number.to_string();
            prop_assert_eq!(decimal.as_bytes(), expected.as_bytes());
        }
    }
}
