//! Inode numbers, taken and given back.

use std::ops::Range;

use super::Kind;
use crate::{
    Device, Editor,
    error::{CorruptKind, Error, Result},
    group_descriptor::INODE_ZEROED,
    inode::Inode,
};

impl<D: Device> Editor<D> {
    /// Takes an inode number: from a block of the inode table that is free as a whole, or else the first free one.
    pub(crate) fn allocate_inode(&mut self, directory: bool) -> Result<u32> {
        if self.space.inode_run.is_empty() {
            self.space.inode_run = self.free_inode_run()?.ok_or(Error::NoInodes)?;
        }
        let number = self.space.inode_run.start;
        self.space.inode_run.start += 1;
        let (group, index) = self.volume.geometry.place_of_inode(number);
        let was_used = self.change_bitmap(Kind::Inode, group, |bitmap| {
            let was_used = bitmap.is_set(index);
            bitmap.set(index..index + 1);
            was_used
        })?;
        if was_used {
            return Err(CorruptKind::InodeInUse { inode: number }.into());
        }
        self.use_inode_table(group, index)?;
        let descriptor = self.volume.group_mut(group)?;
        descriptor.free_inodes_count -= 1;
        descriptor.used_dirs_count += u32::from(directory);
        Ok(number)
    }

    fn free_inode_run(&mut self) -> Result<Option<Range<u32>>> {
        let per_block = self.volume.geometry.block_size / self.volume.geometry.inode_size;
        let mut first_free = None;
        for group in 0..self.volume.geometry.groups {
            if self.volume.group(group)?.free_inodes_count == 0 {
                continue;
            }
            let base = group * self.volume.geometry.inodes_per_group + 1;
            for run in self.bitmap(Kind::Inode, group)?.free_runs(0) {
                let start = run.start.next_multiple_of(per_block);
                if start + per_block <= run.end {
                    return Ok(Some(base + start..base + run.end));
                }
                first_free.get_or_insert(base + run.start..base + run.end);
            }
        }
        Ok(first_free)
    }

    /// Zeroes the never used slots of an inode table up to `index` and counts them as used.
    fn use_inode_table(&mut self, group: u32, index: u32) -> Result<()> {
        let geometry = &self.volume.geometry;
        let (total, size) = (geometry.inodes_per_group, u64::from(geometry.inode_size));
        let descriptor = self.volume.group(group)?;
        let used = total - descriptor.itable_unused;
        if index < used || !self.volume.superblock.has_uninit() {
            return Ok(());
        }
        if !descriptor.has_flag(INODE_ZEROED) {
            let start = geometry.byte(descriptor.inode_table);
            let slots = u64::from(used)..u64::from(index + 1);
            self.volume.device.zero(start + slots.start * size, (slots.end - slots.start) * size)?;
        }
        self.volume.group_mut(group)?.itable_unused = total - index - 1;
        Ok(())
    }

    /// Gives an inode number back.
    pub(crate) fn free_inode(&mut self, number: u32, directory: bool) -> Result<()> {
        let (group, index) = self.volume.geometry.place_of_inode(number);
        let was_used = self.change_bitmap(Kind::Inode, group, |bitmap| {
            let was_used = bitmap.is_set(index);
            bitmap.clear(index..index + 1);
            was_used
        })?;
        if !was_used {
            return Err(CorruptKind::InodeNotInUse { inode: number }.into());
        }
        let descriptor = self.volume.group_mut(group)?;
        descriptor.free_inodes_count += 1;
        let counted = descriptor.used_dirs_count.checked_sub(u32::from(directory));
        descriptor.used_dirs_count =
            counted.ok_or(CorruptKind::Descriptor { group, field: "bg_used_dirs_count", value: 0 })?;
        self.volume.inodes.insert(number, Inode::vacant(self.volume.geometry.inode_size));
        Ok(())
    }
}
