//! The bytes at the key: a tag, a letter for the algorithm, and one record for each rule.
//!
//! ```text
//! "appkit" letter record [record …]        1 to 8 records with different windows
//! ```
//!
//! The letter is also the version of the format: records laid out in another way get another
//! letter. Numbers are little-endian and as wide as their range needs: windows 5 bytes, times 6
//! (Unix milliseconds), counts 4 or less. A record without units is never written, so that "no
//! key" is the only way to say "empty". What is charged has one encoding, so that a record which is
//! read and written again does not change. Bytes that break any of this were not written here and
//! are [`Foreign`].

use arrayvec::ArrayVec;

use smallvec::SmallVec;

use super::ledger::Ledger;
use super::rule::{MAX_RULES, MAX_WINDOW_MS};

/// First bytes of every state.
pub const TAG: &[u8; 6] = b"appkit";

/// No state is shorter than this many bytes. It is longer than any integer in decimal, so a value
/// that the server keeps as an integer is foreign without being turned into a string first.
pub const MIN_STATE_LEN: usize = 21;

/// The latest time that a state can hold: 48 bits of Unix milliseconds, the year 10889.
pub const MAX_TIME_MS: u64 = 0xFFFF_FFFF_FFFF;

/// Where a new state is written. One or two rules fit on the stack.
pub type StateBuffer = SmallVec<[u8; 192]>;

/// The bytes at the key are not a state of a limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign;

/// Takes little-endian numbers off the front of a state.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The next `N` (at most 8) bytes as a number.
    pub(super) fn number<const N: usize>(&mut self) -> Result<u64, Foreign> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or(Foreign)?;
        self.rest = rest;
        Ok(number(bytes))
    }

    /// The next 4 or fewer bytes as a count.
    pub(super) fn count<const N: usize>(&mut self) -> Result<u32, Foreign> {
        u32::try_from(self.number::<N>()?).map_err(|_| Foreign)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Foreign> {
        let (&byte, rest) = self.rest.split_first().ok_or(Foreign)?;
        self.rest = rest;
        Ok(byte)
    }

    pub(super) fn window_ms(&mut self) -> Result<u64, Foreign> {
        match self.number::<5>()? {
            window_ms @ 1..=MAX_WINDOW_MS => Ok(window_ms),
            _ => Err(Foreign),
        }
    }

    /// The next `length` bytes as they are.
    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Foreign> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Foreign)?;
        self.rest = rest;
        Ok(bytes)
    }
}

/// A little-endian number of at most 8 bytes.
pub(super) fn number<const N: usize>(bytes: &[u8; N]) -> u64 {
    let mut number = [0; 8];
    if let Some(low) = number.first_chunk_mut::<N>() {
        *low = *bytes;
    }
    u64::from_le_bytes(number)
}

/// A record of up to `ROOM` bytes, put together before it goes to the state in one piece: a state may
/// grow on the heap, and to see to its room for each number took longer than the decision.
pub(super) struct Record<const ROOM: usize>(ArrayVec<u8, ROOM>);

impl<const ROOM: usize> Record<ROOM> {
    pub(super) fn new() -> Self {
        Record(ArrayVec::new())
    }

    /// Appends the low `N` (at most 8) bytes of `number`, the lowest first.
    pub(super) fn number<const N: usize>(&mut self, number: u64) {
        if let Some(bytes) = number.to_le_bytes().first_chunk::<N>() {
            self.bytes(bytes);
        }
    }

    /// Appends `bytes`. `ROOM` is the length of the longest record, so there is room.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let appended = self.0.try_extend_from_slice(bytes);
        debug_assert!(appended.is_ok(), "a record of more than {ROOM} bytes");
    }

    pub(super) fn append_to(&self, out: &mut StateBuffer) {
        out.extend_from_slice(&self.0);
    }
}

/// Begins a new state in `out`, in place of what it held.
pub(super) fn begin<'a, L: Ledger<'a>>(out: &mut StateBuffer) {
    let mut head = Record::<7>::new();
    head.bytes(TAG);
    head.number::<1>(L::LETTER.into());
    out.clear();
    head.append_to(out);
}

/// The letter of a state's algorithm, and its records.
pub(super) fn open(state: &[u8]) -> Result<(u8, &[u8]), Foreign> {
    if state.len() < MIN_STATE_LEN {
        return Err(Foreign);
    }
    let tagged = state.strip_prefix(TAG).ok_or(Foreign)?;
    let (&letter, records) = tagged.split_first().ok_or(Foreign)?;
    Ok((letter, records))
}

/// Reads records one after another until the state is used up.
pub(super) struct Records<'a> {
    reader: Reader<'a>,
    windows: ArrayVec<u64, MAX_RULES>,
}

impl<'a> Records<'a> {
    pub(super) fn of(records: &'a [u8]) -> Self {
        Records {
            reader: Reader { rest: records },
            windows: ArrayVec::new(),
        }
    }

    /// The next record, `None` at the end of the state.
    // Inlined, as is `Sliding::read`: a ledger that is handed up is copied each time.
    #[inline(always)]
    pub(super) fn next<L: Ledger<'a>>(&mut self) -> Result<Option<L>, Foreign> {
        if self.reader.rest.is_empty() {
            return Ok(None);
        }
        let ledger = L::read(&mut self.reader)?;
        let window_ms = ledger.window_ms();
        if self.windows.contains(&window_ms) || self.windows.try_push(window_ms).is_err() {
            return Err(Foreign);
        }
        Ok(Some(ledger))
    }
}

/// Checks that `records` are well formed.
pub(super) fn check<'a, L: Ledger<'a>>(records: &'a [u8]) -> Result<(), Foreign> {
    let mut records = Records::of(records);
    while records.next::<L>()?.is_some() {}
    Ok(())
}
