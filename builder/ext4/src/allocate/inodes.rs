//! Inode numbers, taken and given back.

use std::ops::Range;

use super::Kind;
use crate::{
    Device, Editor,
    error::{CorruptKind, Error, Result},
    group_descriptor::INODE_ZEROED,
    inode::Inode,
};

/// Where the search for free inodes begins, so that full groups are not searched again for every inode.
#[derive(Debug, Default)]
pub(super) struct InodeGroups {
    /// Groups before this one have no free block of inodes.
    with_block: u32,
    /// Groups before this one have no free inode.
    with_any: u32,
}

impl InodeGroups {
    fn given_back(&mut self, group: u32) {
        self.with_block = self.with_block.min(group);
        self.with_any = self.with_any.min(group);
    }
}

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

    /// From a free block of the table to the end of its run; or, if there is none, the first run.
    fn free_inode_run(&mut self) -> Result<Option<Range<u32>>> {
        let per_block = self.volume.geometry.block_size / self.volume.geometry.inode_size;
        let from = self.space.inode_groups.with_block;
        let blocks = |run: Range<u32>| run.start.next_multiple_of(per_block)..run.end;
        let (group, run) = self.first_inodes(from, |run| blocks(run).len() >= per_block as usize)?;
        self.space.inode_groups.with_block = group;
        if let Some(run) = run {
            return Ok(Some(self.numbers(group, blocks(run))));
        }
        let (group, run) = self.first_inodes(self.space.inode_groups.with_any, |_| true)?;
        self.space.inode_groups.with_any = group;
        Ok(run.map(|run| self.numbers(group, run)))
    }

    /// The first run of free inodes that `serves`, in the groups from `from` on, and its group; the number of groups if
    /// there is none.
    fn first_inodes(
        &mut self,
        from: u32,
        serves: impl Fn(Range<u32>) -> bool,
    ) -> Result<(u32, Option<Range<u32>>)> {
        let groups = self.volume.geometry.groups;
        for group in from..groups {
            if self.volume.group(group)?.free_inodes_count == 0 {
                continue;
            }
            let run = self.bitmap(Kind::Inode, group)?.free_runs(0).find(|run| serves(run.clone()));
            if run.is_some() {
                return Ok((group, run));
            }
        }
        Ok((groups, None))
    }

    fn numbers(&self, group: u32, bits: Range<u32>) -> Range<u32> {
        let base = group * self.volume.geometry.inodes_per_group + 1;
        base + bits.start..base + bits.end
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
        self.space.inode_groups.given_back(group);
        let descriptor = self.volume.group_mut(group)?;
        descriptor.free_inodes_count += 1;
        let counted = descriptor.used_dirs_count.checked_sub(u32::from(directory));
        descriptor.used_dirs_count =
            counted.ok_or(CorruptKind::Descriptor { group, field: "bg_used_dirs_count", value: 0 })?;
        self.volume.inodes.insert(number, Inode::vacant(self.volume.geometry.inode_size));
        Ok(())
    }
}
