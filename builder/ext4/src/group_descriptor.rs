//! A group descriptor: 32 bytes, or 64 with the `64bit` feature.
//!
//! <https://docs.kernel.org/filesystems/ext4/group_descr.html>

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32},
};

use crate::{
    checksum::{crc16, crc32c},
    superblock::DescriptorSeal,
};

/// `bg_flags`: the inode bitmap and table are not initialised.
pub(crate) const INODE_UNINIT: u16 = 1;
/// `bg_flags`: the block bitmap is not initialised.
pub(crate) const BLOCK_UNINIT: u16 = 2;
/// `bg_flags`: the whole inode table is zeroed or in use.
pub(crate) const INODE_ZEROED: u16 = 4;

#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Raw {
    bg_block_bitmap_lo: U32,
    bg_inode_bitmap_lo: U32,
    bg_inode_table_lo: U32,
    bg_free_blocks_count_lo: U16,
    bg_free_inodes_count_lo: U16,
    bg_used_dirs_count_lo: U16,
    bg_flags: U16,
    bg_exclude_bitmap_lo: U32,
    bg_block_bitmap_csum_lo: U16,
    bg_inode_bitmap_csum_lo: U16,
    bg_itable_unused_lo: U16,
    bg_checksum: U16,
    bg_block_bitmap_hi: U32,
    bg_inode_bitmap_hi: U32,
    bg_inode_table_hi: U32,
    bg_free_blocks_count_hi: U16,
    bg_free_inodes_count_hi: U16,
    bg_used_dirs_count_hi: U16,
    bg_itable_unused_hi: U16,
    bg_exclude_bitmap_hi: U32,
    bg_block_bitmap_csum_hi: U16,
    bg_inode_bitmap_csum_hi: U16,
    bg_reserved: U32,
}

const RAW_SIZE: usize = size_of::<Raw>();
const _: () = assert!(RAW_SIZE == 64);
const CHECKSUM_OFFSET: usize = 0x1e;

/// A group: where its bitmaps and inode table lie, and what is free.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct GroupDescriptor {
    /// Block of the block bitmap.
    pub(crate) block_bitmap: u64,
    /// Block of the inode bitmap.
    pub(crate) inode_bitmap: u64,
    /// First block of the inode table.
    pub(crate) inode_table: u64,
    pub(crate) free_blocks_count: u32,
    pub(crate) free_inodes_count: u32,
    pub(crate) used_dirs_count: u32,
    pub(crate) flags: u16,
    /// CRC-32C of the block bitmap; only its low half with 32-byte descriptors.
    pub(crate) block_bitmap_csum: u32,
    /// CRC-32C of the inode bitmap; only its low half with 32-byte descriptors.
    pub(crate) inode_bitmap_csum: u32,
    /// Inodes at the end of the table that were never used.
    pub(crate) itable_unused: u32,
}

fn wide16(low: U16, high: U16) -> u32 {
    u32::from(low.get()) | u32::from(high.get()) << 16
}

fn wide32(low: U32, high: U32) -> u64 {
    u64::from(low.get()) | u64::from(high.get()) << 32
}

fn halves16(value: u32) -> (U16, U16) {
    (U16::new(value as u16), U16::new((value >> 16) as u16))
}

fn halves32(value: u64) -> (U32, U32) {
    (U32::new(value as u32), U32::new((value >> 32) as u32))
}

impl GroupDescriptor {
    /// Reads the 32 or 64 bytes of `group`; `None` if the checksum does not match.
    pub(crate) fn decode(bytes: &[u8], group: u32, seal: DescriptorSeal) -> Option<Self> {
        let mut padded = [0; RAW_SIZE];
        padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let raw: Raw = zerocopy::transmute!(padded);
        if raw.bg_checksum != checksum(bytes, group, seal).unwrap_or(raw.bg_checksum.get()) {
            return None;
        }
        Some(Self {
            block_bitmap: wide32(raw.bg_block_bitmap_lo, raw.bg_block_bitmap_hi),
            inode_bitmap: wide32(raw.bg_inode_bitmap_lo, raw.bg_inode_bitmap_hi),
            inode_table: wide32(raw.bg_inode_table_lo, raw.bg_inode_table_hi),
            free_blocks_count: wide16(raw.bg_free_blocks_count_lo, raw.bg_free_blocks_count_hi),
            free_inodes_count: wide16(raw.bg_free_inodes_count_lo, raw.bg_free_inodes_count_hi),
            used_dirs_count: wide16(raw.bg_used_dirs_count_lo, raw.bg_used_dirs_count_hi),
            flags: raw.bg_flags.get(),
            block_bitmap_csum: wide16(raw.bg_block_bitmap_csum_lo, raw.bg_block_bitmap_csum_hi),
            inode_bitmap_csum: wide16(raw.bg_inode_bitmap_csum_lo, raw.bg_inode_bitmap_csum_hi),
            itable_unused: wide16(raw.bg_itable_unused_lo, raw.bg_itable_unused_hi),
        })
    }

    /// Writes the descriptor of `group` over the 32 or 64 bytes of `slot`; reserved fields of the slot stay.
    pub(crate) fn encode(&self, slot: &mut [u8], group: u32, seal: DescriptorSeal) {
        let mut padded = [0; RAW_SIZE];
        padded[..slot.len()].copy_from_slice(slot);
        let mut raw: Raw = zerocopy::transmute!(padded);
        (raw.bg_block_bitmap_lo, raw.bg_block_bitmap_hi) = halves32(self.block_bitmap);
        (raw.bg_inode_bitmap_lo, raw.bg_inode_bitmap_hi) = halves32(self.inode_bitmap);
        (raw.bg_inode_table_lo, raw.bg_inode_table_hi) = halves32(self.inode_table);
        (raw.bg_free_blocks_count_lo, raw.bg_free_blocks_count_hi) = halves16(self.free_blocks_count);
        (raw.bg_free_inodes_count_lo, raw.bg_free_inodes_count_hi) = halves16(self.free_inodes_count);
        (raw.bg_used_dirs_count_lo, raw.bg_used_dirs_count_hi) = halves16(self.used_dirs_count);
        (raw.bg_block_bitmap_csum_lo, raw.bg_block_bitmap_csum_hi) = halves16(self.block_bitmap_csum);
        (raw.bg_inode_bitmap_csum_lo, raw.bg_inode_bitmap_csum_hi) = halves16(self.inode_bitmap_csum);
        (raw.bg_itable_unused_lo, raw.bg_itable_unused_hi) = halves16(self.itable_unused);
        raw.bg_flags.set(self.flags);
        slot.copy_from_slice(&raw.as_bytes()[..slot.len()]);
        if let Some(checksum) = checksum(slot, group, seal) {
            slot[CHECKSUM_OFFSET..CHECKSUM_OFFSET + 2].copy_from_slice(&checksum.to_le_bytes());
        }
    }

    pub(crate) fn has_flag(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

/// `bg_checksum` over the group's number and its descriptor; the field itself counts as zero (CRC-32C) or is left out
/// (CRC-16).
fn checksum(bytes: &[u8], group: u32, seal: DescriptorSeal) -> Option<u16> {
    let (before, after) = (&bytes[..CHECKSUM_OFFSET], &bytes[CHECKSUM_OFFSET + 2..]);
    let number = group.to_le_bytes();
    match seal {
        DescriptorSeal::None => None,
        DescriptorSeal::Crc16(uuid) => Some([&uuid[..], &number, before, after].into_iter().fold(!0, crc16)),
        DescriptorSeal::Crc32c(seed) => {
            Some([&number[..], before, &[0, 0], after].into_iter().fold(seed, crc32c) as u16)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> GroupDescriptor {
        GroupDescriptor {
            block_bitmap: 0x1_0000_0002,
            inode_bitmap: 3,
            inode_table: 0x2_0000_0004,
            free_blocks_count: 0x1_0005,
            free_inodes_count: 6,
            used_dirs_count: 7,
            flags: INODE_ZEROED,
            block_bitmap_csum: 0x1234_5678,
            inode_bitmap_csum: 0x9abc_def0,
            itable_unused: 8,
        }
    }

    #[test]
    fn sixty_four_bytes_round_trip_under_every_seal() {
        for seal in [DescriptorSeal::None, DescriptorSeal::Crc16([9; 16]), DescriptorSeal::Crc32c(10)] {
            let mut bytes = [0xee; 64];
            sample().encode(&mut bytes, 11, seal);
            assert_eq!(GroupDescriptor::decode(&bytes, 11, seal), Some(sample()));
            assert_eq!(bytes[0x3c..], [0xee; 4], "reserved bytes stay");
        }
    }

    #[test]
    fn thirty_two_bytes_hold_the_low_halves() {
        let mut bytes = [0; 32];
        sample().encode(&mut bytes, 0, DescriptorSeal::None);
        let decoded = GroupDescriptor::decode(&bytes, 0, DescriptorSeal::None).unwrap();
        assert_eq!((decoded.block_bitmap, decoded.block_bitmap_csum), (2, 0x5678));
    }

    #[test]
    fn a_flipped_bit_or_another_group_is_noticed() {
        for seal in [DescriptorSeal::Crc16([9; 16]), DescriptorSeal::Crc32c(10)] {
            let mut bytes = [0; 64];
            sample().encode(&mut bytes, 1, seal);
            assert_eq!(GroupDescriptor::decode(&bytes, 2, seal), None);
            bytes[40] ^= 1;
            assert_eq!(GroupDescriptor::decode(&bytes, 1, seal), None);
        }
    }
}
