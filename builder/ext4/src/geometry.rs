//! Where things lie: groups, backups, descriptor blocks. Pure arithmetic on validated superblock fields.
//!
//! <https://docs.kernel.org/filesystems/ext4/blockgroup.html>

use std::ops::Range;

use crate::{Superblock, features};

/// The layout of a file system. Blocks are numbered from the start of the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Bytes.
    pub(crate) block_size: u32,
    /// One past the last block.
    pub(crate) blocks_count: u64,
    pub(crate) first_data_block: u64,
    pub(crate) blocks_per_group: u32,
    pub(crate) inodes_per_group: u32,
    /// Bytes.
    pub(crate) inode_size: u32,
    /// Bytes.
    pub(crate) descriptor_size: u32,
    pub(crate) groups: u32,
    pub(crate) reserved_gdt_blocks: u32,
    /// Groups whose bitmaps and inode tables lie together; 1 without `flex_bg`.
    pub(crate) groups_per_flex: u32,
    pub(crate) sparse_super: bool,
}

impl Geometry {
    pub(crate) fn of(superblock: &Superblock) -> Self {
        let flex = superblock.has(features::FLEX_BG);
        Self {
            block_size: superblock.block_size(),
            blocks_count: superblock.blocks_count(),
            first_data_block: superblock.s_first_data_block.get().into(),
            blocks_per_group: superblock.s_blocks_per_group.get(),
            inodes_per_group: superblock.s_inodes_per_group.get(),
            inode_size: superblock.inode_size().into(),
            descriptor_size: superblock.descriptor_size().into(),
            groups: superblock.groups_count(),
            reserved_gdt_blocks: superblock.s_reserved_gdt_blocks.get().into(),
            groups_per_flex: if flex { 1 << superblock.s_log_groups_per_flex } else { 1 },
            sparse_super: superblock.has(features::SPARSE_SUPER),
        }
    }

    /// The byte at which `block` begins.
    pub(crate) fn byte(&self, block: u64) -> u64 {
        block * u64::from(self.block_size)
    }

    /// The blocks of `group`.
    pub(crate) fn group_blocks(&self, group: u32) -> Range<u64> {
        let start = self.first_data_block + u64::from(group) * u64::from(self.blocks_per_group);
        start..(start + u64::from(self.blocks_per_group)).min(self.blocks_count)
    }

    /// The group of `block`, which must be at least `first_data_block`.
    pub(crate) fn group_of_block(&self, block: u64) -> u32 {
        ((block - self.first_data_block) / u64::from(self.blocks_per_group)) as u32
    }

    /// Group and index within the group of an inode number, which must be at least 1.
    pub(crate) fn place_of_inode(&self, inode: u32) -> (u32, u32) {
        ((inode - 1) / self.inodes_per_group, (inode - 1) % self.inodes_per_group)
    }

    /// The blocks one group's inode table takes.
    pub(crate) fn inode_table_blocks(&self) -> u64 {
        (u64::from(self.inodes_per_group) * u64::from(self.inode_size)).div_ceil(self.block_size.into())
    }

    /// The blocks all descriptors take.
    pub(crate) fn descriptor_blocks(&self) -> u64 {
        u64::from(self.groups).div_ceil(u64::from(self.block_size / self.descriptor_size))
    }

    /// Whether `group` begins with a superblock and descriptors: with `sparse_super` only 0, 1 and powers of 3, 5, 7.
    pub(crate) fn has_superblock(&self, group: u32) -> bool {
        let power_of = |base: u32| {
            let mut power = base;
            while power < group {
                power = power.saturating_mul(base);
            }
            power == group
        };
        !self.sparse_super || group <= 1 || [3, 5, 7].into_iter().any(power_of)
    }

    /// The groups after 0 that begin with a backup.
    pub(crate) fn backup_groups(&self) -> impl Iterator<Item = u32> + '_ {
        (1..self.groups).filter(|group| self.has_superblock(*group))
    }

    /// The blocks of superblock, descriptors and reserved descriptor blocks at the head of `group`; empty if it has
    /// none.
    pub(crate) fn superblock_blocks(&self, group: u32) -> Range<u64> {
        let start = self.group_blocks(group).start;
        let length = if self.has_superblock(group) {
            1 + self.descriptor_blocks() + u64::from(self.reserved_gdt_blocks)
        } else {
            0
        };
        start..start + length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(sparse_super: bool) -> Geometry {
        Geometry {
            block_size: 1024,
            blocks_count: 8192 * 130 + 5,
            first_data_block: 1,
            blocks_per_group: 8192,
            inodes_per_group: 2008,
            inode_size: 256,
            descriptor_size: 32,
            groups: 131,
            reserved_gdt_blocks: 7,
            groups_per_flex: 16,
            sparse_super,
        }
    }

    #[test]
    fn backups_lie_in_powers_of_three_five_and_seven() {
        let groups: Vec<_> = geometry(true).backup_groups().collect();
        assert_eq!(groups, [1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
        assert_eq!(geometry(false).backup_groups().count(), 130);
    }

    #[test]
    fn the_last_group_is_short() {
        assert_eq!(geometry(true).group_blocks(130), 1_064_961..1_064_965);
        assert_eq!(geometry(true).group_of_block(1_064_961), 130);
        assert_eq!(geometry(true).place_of_inode(2009), (1, 0));
    }

    #[test]
    fn the_head_of_a_backup_group_holds_superblock_descriptors_and_reserve() {
        assert_eq!(geometry(true).superblock_blocks(3), 24577..24577 + 1 + 5 + 7);
        assert!(geometry(true).superblock_blocks(2).is_empty());
    }
}
