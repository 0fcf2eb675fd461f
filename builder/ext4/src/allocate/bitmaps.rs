//! The bitmaps of groups: read once, checked, changed in memory.

use std::collections::btree_map::Entry;

use super::{Kind, Loaded};
use crate::{
    Device, Editor,
    bitmap::Bitmap,
    error::{CorruptKind, Result},
    group_descriptor::{BLOCK_UNINIT, INODE_UNINIT},
    volume::Volume,
};

impl<D: Device> Editor<D> {
    /// The bitmap, read and checked when it is first asked for.
    pub(crate) fn bitmap(&mut self, kind: Kind, group: u32) -> Result<&Bitmap> {
        Ok(&self.load(kind, group)?.bitmap)
    }

    fn load(&mut self, kind: Kind, group: u32) -> Result<&mut Loaded> {
        match self.space.bitmaps.entry((kind, group)) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let bitmap = self.volume.read_bitmap(kind, group)?;
                Ok(entry.insert(Loaded { bitmap, changed: false }))
            }
        }
    }

    /// Gives the bitmap to `change`, to be written at the end.
    pub(crate) fn change_bitmap<T>(
        &mut self,
        kind: Kind,
        group: u32,
        change: impl FnOnce(&mut Bitmap) -> T,
    ) -> Result<T> {
        let loaded = self.load(kind, group)?;
        loaded.changed = true;
        let changed = change(&mut loaded.bitmap);
        self.volume.group_mut(group)?.flags &= !kind.uninit();
        Ok(changed)
    }
}

impl Kind {
    /// The flag of descriptors that leaves this bitmap uninitialised.
    fn uninit(self) -> u16 {
        match self {
            Self::Block => BLOCK_UNINIT,
            Self::Inode => INODE_UNINIT,
        }
    }
}

impl<D: Device> Volume<D> {
    /// Bits of `group`'s bitmap that stand for something.
    fn bits(&self, kind: Kind, group: u32) -> u32 {
        let blocks = self.geometry.group_blocks(group);
        match kind {
            Kind::Block => (blocks.end - blocks.start) as u32,
            Kind::Inode => self.geometry.inodes_per_group,
        }
    }

    fn read_bitmap(&self, kind: Kind, group: u32) -> Result<Bitmap> {
        let descriptor = self.group(group)?;
        let (geometry, length) = (&self.geometry, self.bits(kind, group));
        let (block, sum, expected, per_group) = match kind {
            Kind::Block => (
                descriptor.block_bitmap,
                descriptor.block_bitmap_csum,
                descriptor.free_blocks_count,
                geometry.blocks_per_group,
            ),
            Kind::Inode => (
                descriptor.inode_bitmap,
                descriptor.inode_bitmap_csum,
                descriptor.free_inodes_count,
                geometry.inodes_per_group,
            ),
        };
        let bitmap = match (descriptor.has_flag(kind.uninit()), kind) {
            (true, Kind::Inode) => Bitmap::new(geometry.block_size, length),
            (true, Kind::Block) => self.initial_block_bitmap(group),
            (false, _) => {
                let bitmap = Bitmap::decode(self.read_block(block)?, length);
                let mask = if geometry.descriptor_size == 64 { u32::MAX } else { 0xffff };
                let differs = |seed| (bitmap.checksum(seed, per_group) ^ sum) & mask != 0;
                if self.seed.is_some_and(differs) {
                    return Err(CorruptKind::BitmapChecksum { group, kind: kind.name() }.into());
                }
                bitmap
            }
        };
        let found = bitmap.free_count();
        if found != expected {
            return Err(CorruptKind::BitmapCount { group, kind: kind.name(), found, expected }.into());
        }
        Ok(bitmap)
    }

    /// The block bitmap of a group that holds nothing but the file system's own blocks.
    pub(crate) fn initial_block_bitmap(&self, group: u32) -> Bitmap {
        let blocks = self.geometry.group_blocks(group);
        let mut bitmap = Bitmap::new(self.geometry.block_size, self.bits(Kind::Block, group));
        for range in self.system_within(&blocks) {
            bitmap.set((range.start - blocks.start) as u32..(range.end - blocks.start) as u32);
        }
        bitmap
    }
}
