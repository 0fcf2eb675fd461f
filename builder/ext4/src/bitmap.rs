//! A block or inode bitmap: one block, one bit per block or inode of a group, 1 is in use.
//!
//! <https://docs.kernel.org/filesystems/ext4/bitmaps.html>

use std::ops::Range;

use crate::checksum::crc32c;

/// The bits of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bitmap {
    bytes: Vec<u8>,
    /// Bits that stand for something; those behind are padding and set.
    length: u32,
}

impl Bitmap {
    /// All free. `block_size` in bytes, `length` in bits.
    pub(crate) fn new(block_size: u32, length: u32) -> Self {
        let mut bitmap = Self { bytes: vec![0; block_size as usize], length };
        bitmap.set(length..block_size * 8);
        bitmap
    }

    pub(crate) fn decode(bytes: Vec<u8>, length: u32) -> Self {
        Self { bytes, length }
    }

    pub(crate) fn encode(&self) -> &[u8] {
        &self.bytes
    }

    /// The checksum that the group's descriptor holds: over the bits of a full group, padding included.
    pub(crate) fn checksum(&self, seed: u32, bits_per_group: u32) -> u32 {
        let length = (bits_per_group / 8) as usize;
        crc32c(seed, self.bytes.get(..length).unwrap_or(&self.bytes))
    }

    pub(crate) fn is_set(&self, bit: u32) -> bool {
        self.bytes.get(bit as usize / 8).is_none_or(|byte| byte >> (bit % 8) & 1 == 1)
    }

    pub(crate) fn set(&mut self, bits: Range<u32>) {
        self.each_byte(bits, |byte, mask| *byte |= mask);
    }

    pub(crate) fn clear(&mut self, bits: Range<u32>) {
        self.each_byte(bits, |byte, mask| *byte &= !mask);
    }

    /// Hands every byte that `bits` touch to `change`, with the mask of the touched bits.
    fn each_byte(&mut self, bits: Range<u32>, change: impl Fn(&mut u8, u8)) {
        let mut bit = bits.start;
        while bit < bits.end {
            let next = (bit / 8 * 8 + 8).min(bits.end);
            let mask = ((1u16 << (next - bit)) - 1) << (bit % 8);
            if let Some(byte) = self.bytes.get_mut(bit as usize / 8) {
                change(byte, mask as u8);
            }
            bit = next;
        }
    }

    /// Gives the bitmap another length, as when the last group of a file system grows; new bits are free.
    pub(crate) fn extend(&mut self, length: u32) {
        self.clear(self.length..length);
        self.length = length;
    }

    pub(crate) fn free_count(&self) -> u32 {
        let all: u32 = self.bytes.iter().map(|byte| byte.count_zeros()).sum();
        let padding = (self.length..self.bytes.len() as u32 * 8).filter(|bit| !self.is_set(*bit)).count();
        all - padding as u32
    }

    /// The maximal runs of free bits from `from` on, in order.
    pub(crate) fn free_runs(&self, from: u32) -> impl Iterator<Item = Range<u32>> + '_ {
        let mut at = from;
        std::iter::from_fn(move || {
            let start = self.next(at, false);
            let end = self.next(start, true);
            at = end;
            (start < end).then_some(start..end)
        })
    }

    /// The first bit from `from` on that is set (or not), or the length.
    fn next(&self, from: u32, set: bool) -> u32 {
        let uninteresting = if set { 0x00 } else { 0xff };
        let mut bit = from;
        while bit < self.length {
            if bit.is_multiple_of(8) && self.bytes.get(bit as usize / 8) == Some(&uninteresting) {
                bit += 8;
            } else if self.is_set(bit) == set {
                return bit;
            } else {
                bit += 1;
            }
        }
        self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_set_and_not_counted() {
        let bitmap = Bitmap::new(1024, 20);
        assert_eq!(bitmap.free_count(), 20);
        assert_eq!(&bitmap.encode()[..4], [0, 0, 0xf0, 0xff]);
    }

    #[test]
    fn runs_are_maximal_and_ordered() {
        let mut bitmap = Bitmap::new(1024, 100);
        bitmap.set(0..3);
        bitmap.set(10..41);
        bitmap.set(99..100);
        assert_eq!(bitmap.free_runs(0).collect::<Vec<_>>(), [3..10, 41..99]);
        assert_eq!(bitmap.free_runs(50).next(), Some(50..99));
        bitmap.clear(12..14);
        assert_eq!(bitmap.free_runs(4).next(), Some(4..10));
        assert_eq!(bitmap.free_count(), 7 + 2 + 58);
    }

    #[test]
    fn a_longer_group_has_more_free_bits() {
        let mut bitmap = Bitmap::new(1024, 20);
        bitmap.set(0..20);
        bitmap.extend(44);
        assert_eq!(bitmap.free_runs(0).last(), Some(20..44));
        assert!(bitmap.is_set(44));
    }
}
