//! Random choices that a seed brings back.

/// The generator SplitMix64 (Steele, Lea, Flood 2014): small, fast, and good enough to choose with.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 … `end` − 1.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A place among `length` ones, or a length below it.
    pub fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// A length from `first` to `last`.
    pub fn between(&mut self, first: usize, last: usize) -> usize {
        first + self.index(last - first + 1)
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.index(choices.len())]
    }

    /// Up to `longest` bytes.
    pub fn bytes(&mut self, longest: usize) -> Vec<u8> {
        let length = self.index(longest + 1);
        (0..length).map(|_| self.next() as u8).collect()
    }
}
