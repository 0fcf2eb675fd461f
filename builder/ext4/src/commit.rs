//! Writing everything that edits left in memory.
//!
//! Until then the device has got data of files, in blocks that nothing points at, and everything that points at them is
//! in memory. So an edit that fails, or an editor that is dropped, leaves the file system as it was. An example: the
//! file `/a` of five bytes put into 64 blocks of 1 KiB, with 16 inodes of 128 bytes.
//!
//! ```text
//! block                                                     written by
//!  6   the slot of inode 12 is zeroed: it was never used    write_file
//! 20   "hello", and zeros to the end of the block           write_file
//!  3   block bitmap: 20 is in use                           commit, and so on in this order
//!  4   inode bitmap: 12 is in use
//!  5   inodes 1 to 8: the root, 2, has a new time
//!  6   inodes 9 to 16: the file is 12, its data in 20
//!  7   the root directory: . .. a lost+found
//!  1   superblock: 43 blocks and 4 inodes are free
//!  2   descriptor: the same counts, checksums of 3 and 4
//! ```
//!
//! Each step needs the one before. Directories are laid out first, in memory, since that may take blocks or give some
//! back; only then do the bitmaps say the last word, and their checksums go into the descriptors. Blocks that are still
//! free after having been in use are zeroed. Then each block is written once, in ascending order, however many edits
//! met in it (a block of the table holds many inodes), and last the totals, with a copy in every group that has one.
//!
//! The journal has no part in this. It is there for a file system whose power may fail while it is mounted; an image
//! that was half written is thrown away instead. It only has to be empty, which is checked on opening, or the next
//! mount would play old blocks over the new ones.

use std::collections::BTreeMap;

use crate::{
    Device, Editor, Error, Result,
    allocate::Kind,
    edit::spread,
    extent::{self, Extent},
    inode::{FLAG_EXTENTS, FLAG_INDEX},
    mapping::Mapping,
    superblock::SUPERBLOCK_OFFSET,
};

impl<D: Device> Editor<D> {
    /// Writes all edits and gives the device back. Without edits not a byte is written.
    ///
    /// Directories are laid out now; that may still fail for want of space for their index, and nothing is written
    /// then. An error of the device may leave the file system on it half written.
    pub fn commit(mut self) -> Result<D> {
        if self.broken {
            return Err(Error::Broken);
        }
        if self.volume.inodes.is_empty() && self.volume.blocks.is_empty() && self.space.grown_from.is_none() {
            return Ok(self.volume.device);
        }
        self.write_directories()?;
        self.write_bitmaps()?;
        self.zero_freed_blocks()?;
        self.write_inodes()?;
        self.write_blocks()?;
        self.write_descriptors_and_superblocks()?;
        Ok(self.volume.device)
    }

    fn write_directories(&mut self) -> Result<()> {
        let directories = self.volume.directories.get_mut();
        let changed: Vec<u32> = directories
            .map
            .iter()
            .filter(|(_, directory)| directory.changed)
            .map(|(number, _)| *number)
            .collect();
        changed.into_iter().try_for_each(|number| self.write_directory(number))
    }

    fn write_directory(&mut self, number: u32) -> Result<()> {
        let mut inode = self.volume.inode(number)?;
        let format = self.volume.directory_format(number, &inode);
        let layout = self.volume.with_directory(number, |directory| {
            let entries: Vec<_> =
                directory.entries.iter().map(|(name, target)| (name.as_slice(), *target)).collect();
            format.lay_out(number, directory.parent, &entries)
        })?;
        let layout =
            layout.ok_or_else(|| Error::Unsupported(format!("so many names in directory {number}")))?;
        self.promise(number, 0)?;

        let mapping = self.volume.mapping(number, &inode)?;
        let count = layout.blocks.len() as u64;
        let kept: u64 = mapping.extents.iter().map(|extent| u64::from(extent.length)).sum();
        let extents = if kept == count && inode.has_flag(FLAG_EXTENTS) {
            mapping.extents
        } else {
            let extents = self.resize_mapping(mapping, count)?;
            self.set_mapping(number, &mut inode, &extents)?;
            extents
        };
        let physical =
            extents.iter().flat_map(|extent| (0..extent.length).map(|i| extent.physical + u64::from(i)));
        for (block, bytes) in physical.zip(layout.blocks) {
            self.volume.write_block(block, bytes);
        }
        inode.set_size(self.volume.geometry.byte(count));
        inode.set_flag(FLAG_INDEX, layout.indexed);
        self.volume.inodes.insert(number, inode);
        Ok(())
    }

    /// Gives back the nodes of a mapping and the blocks beyond `count`, or takes more.
    fn resize_mapping(&mut self, mapping: Mapping, count: u64) -> Result<Vec<Extent>> {
        let mut kept = Vec::new();
        let mut logical = 0;
        for extent in &mapping.extents {
            let length = u64::from(extent.length).min(count - logical);
            let end = extent.physical + u64::from(extent.length);
            if length > 0 {
                kept.push(extent.physical..extent.physical + length);
            }
            if extent.physical + length < end {
                self.free_blocks_of(extent.physical + length..end)?;
            }
            logical += length;
        }
        for node in mapping.nodes {
            self.free_blocks_of(node..node + 1)?;
        }
        kept.extend(self.allocate_blocks(count - logical)?);
        let whole = 0..count as u32;
        Ok(extent::normalize(spread(std::slice::from_ref(&whole), &kept)?))
    }

    /// Puts changed bitmaps into the blocks to be written, and their checksums into the descriptors.
    fn write_bitmaps(&mut self) -> Result<()> {
        let (seed, geometry) = (self.volume.seed, &self.volume.geometry);
        let (blocks, inodes) = (geometry.blocks_per_group, geometry.inodes_per_group);
        for ((kind, group), loaded) in self.space.bitmaps.iter().filter(|(_, loaded)| loaded.changed) {
            let descriptor = self.volume.group_mut(*group)?;
            let (block, per_group, sum) = match kind {
                Kind::Block => (descriptor.block_bitmap, blocks, &mut descriptor.block_bitmap_csum),
                Kind::Inode => (descriptor.inode_bitmap, inodes, &mut descriptor.inode_bitmap_csum),
            };
            if let Some(seed) = seed {
                *sum = loaded.bitmap.checksum(seed, per_group);
            }
            self.volume.write_block(block, loaded.bitmap.encode().to_vec());
        }
        Ok(())
    }

    /// Leaves nothing behind of what was deleted.
    fn zero_freed_blocks(&mut self) -> Result<()> {
        for range in std::mem::take(&mut self.space.freed) {
            for free in self.still_free(range)? {
                let geometry = &self.volume.geometry;
                let (at, length) = (geometry.byte(free.start), geometry.byte(free.end - free.start));
                self.volume.device.zero(at, length)?;
            }
        }
        Ok(())
    }

    /// Writes changed inodes, each block of an inode table once.
    fn write_inodes(&mut self) -> Result<()> {
        let block_size = u64::from(self.volume.geometry.block_size);
        let mut by_block: BTreeMap<u64, Vec<(usize, Vec<u8>)>> = BTreeMap::new();
        for (number, inode) in &self.volume.inodes {
            let at = self.volume.inode_byte(*number)?;
            let bytes = inode.encode(*number, self.volume.seed);
            by_block.entry(at / block_size).or_default().push(((at % block_size) as usize, bytes));
        }
        for (block, slots) in by_block {
            let mut bytes = self.volume.read_block(block)?;
            for (at, slot) in slots {
                bytes[at..at + slot.len()].copy_from_slice(&slot);
            }
            self.volume.write_block(block, bytes);
        }
        Ok(())
    }

    fn write_blocks(&mut self) -> Result<()> {
        for (block, bytes) in std::mem::take(&mut self.volume.blocks) {
            self.volume.device.write_at(self.volume.geometry.byte(block), &bytes)?;
        }
        Ok(())
    }

    /// Writes descriptors and superblock, then their backups.
    fn write_descriptors_and_superblocks(&mut self) -> Result<()> {
        let free_blocks = self.volume.groups.iter().map(|group| u64::from(group.free_blocks_count)).sum();
        let free_inodes = self.free_inodes();
        let superblock = &mut self.volume.superblock;
        superblock.set_free_blocks_count(free_blocks);
        superblock.s_free_inodes_count.set(free_inodes as u32);
        superblock.set_wtime(self.epoch);
        let table = self.encode_descriptors()?;
        let geometry = self.volume.geometry.clone();
        for group in std::iter::once(0).chain(geometry.backup_groups()) {
            let head = geometry.superblock_blocks(group);
            let at = if group == 0 { SUPERBLOCK_OFFSET } else { geometry.byte(head.start) };
            self.volume.device.write_at(at, &self.volume.superblock.encode(group))?;
            self.volume.device.write_at(geometry.byte(head.start + 1), &table)?;
        }
        Ok(())
    }

    /// All descriptors, over what is in their place so that reserved fields stay.
    fn encode_descriptors(&self) -> Result<Vec<u8>> {
        let geometry = &self.volume.geometry;
        let first = geometry.superblock_blocks(0).start + 1;
        let mut table = vec![0; geometry.byte(geometry.descriptor_blocks()) as usize];
        self.volume.device.read_at(geometry.byte(first), &mut table)?;
        let seal = self.volume.superblock.descriptor_seal();
        let slots = table.chunks_exact_mut(geometry.descriptor_size as usize);
        for ((group, descriptor), slot) in (0..).zip(&self.volume.groups).zip(slots) {
            descriptor.encode(slot, group, seal);
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use std::{io, ops::Range, sync::Arc};

    use super::*;
    use crate::{Attributes, Content, tests::image};

    /// Notes the blocks of 1 KiB that are written, in their order.
    #[derive(Debug)]
    struct Witness(Vec<u8>, Vec<Range<u64>>);

    impl Device for Witness {
        fn size(&self) -> u64 {
            Device::size(&self.0)
        }

        fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
            Device::read_at(&self.0, offset, buf)
        }

        fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.1.push(offset / 1024..(offset + data.len() as u64).div_ceil(1024));
            self.0.write_at(offset, data)
        }
    }

    /// The example of the module's documentation.
    #[test]
    fn data_first_then_what_points_at_it_then_what_counts() {
        let mut bytes = image("-b 1024 -I 128 -N 16 -O ^has_journal,^resize_inode,^flex_bg", "64K");
        bytes.resize(64 << 10, 0);
        let mut editor = Editor::open(Witness(bytes, Vec::new()), 1_700_000_000).unwrap();
        let content: Arc<dyn Content> = Arc::new(b"hello".to_vec());
        editor.write_file(b"/a", &content, &Attributes::default()).unwrap();
        let by_edit = [6..7, 20..21, 20..21];
        assert_eq!(editor.device().1, by_edit);
        let device = editor.commit().unwrap();
        assert_eq!(device.1[by_edit.len()..], [3..4, 4..5, 5..6, 6..7, 7..8, 1..2, 2..3]);
        assert_eq!(&device.0[20 * 1024..][..6], b"hello\0");
        let editor = Editor::open(device.0, 0).unwrap();
        assert_eq!((editor.free_blocks(), editor.free_inodes()), (43, 4));
        assert_eq!(editor.metadata(b"/a").unwrap().map(|file| file.inode), Some(12));
    }
}
