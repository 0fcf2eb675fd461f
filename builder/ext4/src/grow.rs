//! Growing the file system into a device that became larger.
//!
//! <https://docs.kernel.org/filesystems/ext4/blockgroup.html>
//!
//! A file system is a row of groups of one size, each with its bitmaps and its inode table, so it grows by appending
//! groups; the last one, if it was short, is filled up first. No block of a file moves, because two things were left
//! ready for it. Descriptors of groups lie in one piece behind the superblock, and mke2fs *reserves* blocks behind them
//! (which the resize inode owns, so that no file takes them): more descriptors take the place of reserved blocks. And
//! with `flex_bg` a group's bitmaps and table need not lie in the group: those of all new groups of a flexible group go
//! together at the head of its first new one, which leaves the others whole for data.
//!
//! An example: groups of 64 blocks of 1 KiB with 16 inodes of 128 bytes, flexible groups of two, 129 blocks that shall
//! become 300.
//!
//! ```text
//! group 0     1..65    superblock 1, descriptors 2, reserved 3, and the rest as it was
//! group 1    65..129   backup 65..68 of these three, and the rest as it was
//! group 2   129..193   block bitmaps 129 130, inode bitmaps 131 132, inode tables 133..135 135..137, data 137..193
//! group 3   193..257   backup 193..196, data 196..257
//!           257..300   left off
//! ```
//!
//! Group 3 has a backup because with `sparse_super` the groups 0, 1 and the powers of 3, 5 and 7 do. A group 4 would
//! have 43 blocks, 4 of them for itself; below 50 for data resize2fs does without, and so do we: the file system ends
//! at 257. A descriptor takes 32 bytes here, so block 2 has room for 32 groups. The 33rd makes block 3 a descriptor
//! block, here and in every backup, and then nothing is reserved: a 65th group is refused.
//!
//! With `metadata_csum` or `uninit_bg` the inode bitmap of a new group is not written but marked as never used. The
//! share of blocks that only root may use stays the same.

mod layout;
mod resize_inode;

use std::ops::Range;

use crate::{
    Device, Editor, Error, Result,
    allocate::{Kind, Loaded},
    bitmap::Bitmap,
    error::CorruptKind,
    features,
    geometry::Geometry,
    group_descriptor::{GroupDescriptor, INODE_UNINIT, INODE_ZEROED},
};

/// Blocks of data that a last, short group must have room for to be worth its overhead: the figure of resize2fs.
const LEAST_DATA: u64 = 50;

impl<D: Device> Editor<D> {
    /// Grows the file system to `size` bytes, or a little less: a last group too short for its own overhead is left
    /// off, as resize2fs does. The device must be that large already.
    ///
    /// Refused with [`Error::Unsupported`]: shrinking, and more groups than the reserved descriptor blocks allow.
    pub fn grow(&mut self, size: u64) -> Result<()> {
        let old = self.volume.geometry.clone();
        let device = self.volume.device.size();
        let blocks = size / u64::from(old.block_size);
        if size > device {
            return Err(Error::Unsupported(format!("growing to {size} bytes on a device of {device} bytes")));
        }
        if blocks < old.blocks_count {
            return Err(Error::Unsupported(format!(
                "shrinking from {} to {blocks} blocks",
                old.blocks_count
            )));
        }
        let new = grown(&old, blocks)?;
        if new.blocks_count <= old.blocks_count {
            return Ok(());
        }
        let places = layout::place_groups(&new, old.groups)
            .ok_or_else(|| Error::Unsupported("groups too small for their inode tables".to_owned()))?;
        self.change(|editor| {
            editor.bitmap(Kind::Block, old.groups - 1)?;
            editor.volume.geometry = new;
            editor.lengthen_last_group(&old)?;
            editor.add_groups(old.groups, &places)?;
            editor.claim_reserved_blocks(&old)?;
            editor.update_superblock(&old);
            editor.space.grow(old.blocks_count);
            Ok(())
        })
    }

    /// Frees the blocks that the last group of old gained.
    fn lengthen_last_group(&mut self, old: &Geometry) -> Result<()> {
        let last = old.groups - 1;
        let blocks = self.volume.geometry.group_blocks(last);
        let length = (blocks.end - blocks.start) as u32;
        let gained = length - (old.blocks_count - blocks.start) as u32;
        if gained == 0 {
            return Ok(());
        }
        self.change_bitmap(Kind::Block, last, |bitmap| bitmap.extend(length))?;
        self.volume.group_mut(last)?.free_blocks_count += gained;
        Ok(())
    }

    /// Appends a group for each of `places`, the first of which has the number `first`.
    fn add_groups(&mut self, first: u32, places: &[layout::GroupPlace]) -> Result<()> {
        let has_uninit = self.volume.superblock.has_uninit();
        let inodes = self.volume.geometry.inodes_per_group;
        self.volume.groups.extend(places.iter().map(|place| GroupDescriptor {
            block_bitmap: place.block_bitmap,
            inode_bitmap: place.inode_bitmap,
            inode_table: place.inode_table,
            free_inodes_count: inodes,
            flags: if has_uninit { INODE_UNINIT | INODE_ZEROED } else { 0 },
            itable_unused: if has_uninit { inodes } else { 0 },
            ..GroupDescriptor::default()
        }));
        self.volume.system = self.volume.system_blocks();
        for (group, place) in (first..).zip(places) {
            let bitmap = self.volume.initial_block_bitmap(group);
            self.volume.group_mut(group)?.free_blocks_count = bitmap.free_count();
            self.space.bitmaps.insert((Kind::Block, group), Loaded { bitmap, changed: true });
            if !has_uninit {
                let bitmap = Bitmap::new(self.volume.geometry.block_size, inodes);
                self.space.bitmaps.insert((Kind::Inode, group), Loaded { bitmap, changed: true });
            }
            let table = place.inode_table..place.inode_table + self.volume.geometry.inode_table_blocks();
            self.zero_blocks(table)?;
            self.zero_blocks(self.volume.geometry.superblock_blocks(group))?;
        }
        Ok(())
    }

    fn zero_blocks(&mut self, range: Range<u64>) -> Result<()> {
        let geometry = &self.volume.geometry;
        let (at, length) = (geometry.byte(range.start), geometry.byte(range.end - range.start));
        Ok(self.volume.device.zero(at, length)?)
    }

    /// Turns reserved descriptor blocks into descriptor blocks, and tells the resize inode.
    fn claim_reserved_blocks(&mut self, old: &Geometry) -> Result<()> {
        let geometry = &self.volume.geometry;
        let table = geometry.superblock_blocks(0).start + 1;
        let blank = vec![0; geometry.block_size as usize];
        for block in table + old.descriptor_blocks()..table + geometry.descriptor_blocks() {
            self.volume.write_block(block, blank.clone());
        }
        if self.volume.superblock.has(features::RESIZE_INODE) { self.rebuild_resize_inode() } else { Ok(()) }
    }

    fn update_superblock(&mut self, old: &Geometry) {
        let new = &self.volume.geometry;
        let added = old.groups..new.groups;
        let heads: u64 =
            added.clone().map(|group| new.superblock_blocks(group)).map(|head| head.end - head.start).sum();
        let overhead = heads + u64::from(added.end - added.start) * (2 + new.inode_table_blocks());
        let superblock = &mut self.volume.superblock;
        // The share that is reserved for root stays the same.
        let reserved = u128::from(superblock.r_blocks_count()) * u128::from(new.blocks_count);
        superblock.set_r_blocks_count((reserved / u128::from(old.blocks_count)) as u64);
        superblock.set_blocks_count(new.blocks_count);
        superblock.s_inodes_count.set(new.groups * new.inodes_per_group);
        superblock.s_reserved_gdt_blocks.set(new.reserved_gdt_blocks as u16);
        // Zero says that nobody counted.
        let counted = superblock.s_overhead_blocks.get();
        if counted != 0 {
            superblock.s_overhead_blocks.set(counted.checked_add(overhead as u32).unwrap_or(0));
        }
    }
}

/// The geometry with `blocks` blocks, or fewer if the last group is not worth having.
fn grown(old: &Geometry, blocks: u64) -> Result<Geometry> {
    let mut new = with_blocks(old, blocks)?;
    let last = new.group_blocks(new.groups - 1);
    let head = new.superblock_blocks(new.groups - 1);
    let overhead = (head.end - head.start) + 2 + new.inode_table_blocks();
    if new.groups > old.groups && last.end - last.start < overhead + LEAST_DATA {
        new = with_blocks(old, last.start)?;
    }
    Ok(new)
}

fn with_blocks(old: &Geometry, blocks: u64) -> Result<Geometry> {
    let refuse = |limit: &str| Err(Error::Unsupported(format!("growing to {blocks} blocks: {limit}")));
    let groups = (blocks - old.first_data_block).div_ceil(old.blocks_per_group.into());
    if blocks > u64::from(u32::MAX) {
        return refuse("block numbers would exceed 32 bits");
    }
    if groups * u64::from(old.inodes_per_group) > u64::from(u32::MAX) {
        return refuse("inode numbers would exceed 32 bits");
    }
    let mut new = Geometry { blocks_count: blocks, groups: groups as u32, ..old.clone() };
    let claimed = new.descriptor_blocks() - old.descriptor_blocks();
    match u64::from(old.reserved_gdt_blocks).checked_sub(claimed) {
        Some(left) => new.reserved_gdt_blocks = left as u32,
        None => return refuse("too few reserved group descriptor blocks"),
    }
    Ok(new)
}

/// The resize inode contradicts the geometry.
fn resize_inode_error(reason: &'static str) -> Error {
    CorruptKind::ResizeInode { reason }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the module's documentation.
    #[test]
    fn two_groups_become_four() {
        let old = Geometry {
            block_size: 1024,
            blocks_count: 129,
            first_data_block: 1,
            blocks_per_group: 64,
            inodes_per_group: 16,
            inode_size: 128,
            descriptor_size: 32,
            groups: 2,
            reserved_gdt_blocks: 1,
            groups_per_flex: 2,
            sparse_super: true,
        };
        let new = grown(&old, 300).unwrap();
        assert_eq!((new.blocks_count, new.groups), (257, 4));
        let heads: Vec<_> = (0..4).map(|group| new.superblock_blocks(group)).collect();
        assert_eq!(heads, [1..4, 65..68, 129..129, 193..196]);
        let places = layout::place_groups(&new, 2).unwrap();
        let place = |at: usize| (places[at].block_bitmap, places[at].inode_bitmap, places[at].inode_table);
        assert_eq!((place(0), place(1), places.len()), ((129, 131, 133), (130, 132, 135), 2));
        assert_eq!(new.inode_table_blocks(), 2);

        let groups = |count: u64| grown(&old, 1 + 64 * count);
        let of_33 = groups(33).unwrap();
        assert_eq!((of_33.descriptor_blocks(), of_33.reserved_gdt_blocks), (2, 0));
        assert_eq!((groups(32).unwrap().descriptor_blocks(), groups(64).unwrap().groups), (1, 64));
        assert!(matches!(groups(65), Err(Error::Unsupported(_))));
    }
}
