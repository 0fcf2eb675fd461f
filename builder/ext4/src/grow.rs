//! Growing the file system into a device that became larger.
//!
//! <https://docs.kernel.org/filesystems/ext4/blockgroup.html>
//!
//! New groups follow the last one, which is filled up first. With `flex_bg` the bitmaps and inode tables of the new
//! groups of each flexible group lie together at the head of its first new group. More descriptors take the place of
//! reserved descriptor blocks, so no block of a file ever moves.

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
