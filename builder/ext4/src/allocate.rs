//! Which blocks and inodes are free, which are taken next, and which were freed.
//!
//! Every choice is a function of the bitmaps and of the order of calls.

use std::{collections::BTreeMap, ops::Range};

use crate::{
    Device, Editor,
    bitmap::Bitmap,
    error::{CorruptKind, Error, Result},
    group_descriptor::{BLOCK_UNINIT, INODE_UNINIT, INODE_ZEROED},
    inode::Inode,
};

/// The two bitmaps of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Block,
    Inode,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Inode => "inode",
        }
    }
}

/// A bitmap that was read.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) bitmap: Bitmap,
    pub(crate) changed: bool,
}

/// What the allocator remembers.
#[derive(Debug, Default)]
pub(crate) struct Space {
    pub(crate) bitmaps: BTreeMap<(Kind, u32), Loaded>,
    /// Free blocks that are taken next, from the front.
    run: Range<u64>,
    /// Where the file system ended before it grew: blocks from here on are taken first.
    pub(crate) grown_from: Option<u64>,
    /// Free inodes that are taken next, from the front.
    inode_run: Range<u32>,
    /// Blocks that were freed; those still free at the end are zeroed.
    pub(crate) freed: Vec<Range<u64>>,
    /// Free blocks set aside for directories that are written at the end.
    pub(crate) promised: u64,
}

impl Space {
    /// Prefers blocks from `end` of the old file system on.
    pub(crate) fn grow(&mut self, end: u64) {
        self.grown_from.get_or_insert(end);
        self.run = 0..0;
    }
}

impl<D: Device> Editor<D> {
    /// Free blocks, those set aside left out.
    pub fn free_blocks(&self) -> u64 {
        let free: u64 = self.volume.groups.iter().map(|group| u64::from(group.free_blocks_count)).sum();
        free.saturating_sub(self.space.promised)
    }

    /// Free inodes.
    pub fn free_inodes(&self) -> u64 {
        self.volume.groups.iter().map(|group| u64::from(group.free_inodes_count)).sum()
    }

    /// The bytes of the device that no file and no structure of the file system uses, in order.
    ///
    /// Of an editor just opened: changes take blocks for directories only when they are committed.
    pub fn free_ranges(&mut self) -> Result<Vec<Range<u64>>> {
        let block_size = u64::from(self.volume.superblock.block_size());
        let bytes = |run: Range<u64>| run.start * block_size..run.end * block_size;
        Ok(self.free_runs()?.into_iter().map(bytes).collect())
    }

    /// Refuses if fewer than `needed` blocks are free.
    pub(crate) fn require(&self, needed: u64) -> Result<()> {
        let free = self.free_blocks();
        if needed > free { Err(Error::NoSpace { needed, free }) } else { Ok(()) }
    }

    /// Bits of `group`'s bitmap that stand for something.
    fn bits(&self, kind: Kind, group: u32) -> u32 {
        let blocks = self.volume.geometry.group_blocks(group);
        match kind {
            Kind::Block => (blocks.end - blocks.start) as u32,
            Kind::Inode => self.volume.geometry.inodes_per_group,
        }
    }

    /// Reads and checks a bitmap unless that is done.
    pub(crate) fn load(&mut self, kind: Kind, group: u32) -> Result<()> {
        if self.space.bitmaps.contains_key(&(kind, group)) {
            return Ok(());
        }
        let bitmap = self.read_bitmap(kind, group)?;
        self.space.bitmaps.insert((kind, group), Loaded { bitmap, changed: false });
        Ok(())
    }

    fn read_bitmap(&self, kind: Kind, group: u32) -> Result<Bitmap> {
        let (geometry, length) = (&self.volume.geometry, self.bits(kind, group));
        let descriptor = self
            .volume
            .groups
            .get(group as usize)
            .ok_or(CorruptKind::Superblock { field: "groups", value: group.into() })?;
        let (uninit, block, sum, expected, per_group) = match kind {
            Kind::Block => (
                BLOCK_UNINIT,
                descriptor.block_bitmap,
                descriptor.block_bitmap_csum,
                descriptor.free_blocks_count,
                geometry.blocks_per_group,
            ),
            Kind::Inode => (
                INODE_UNINIT,
                descriptor.inode_bitmap,
                descriptor.inode_bitmap_csum,
                descriptor.free_inodes_count,
                geometry.inodes_per_group,
            ),
        };
        let bitmap = match (descriptor.has_flag(uninit), kind) {
            (true, Kind::Inode) => Bitmap::new(geometry.block_size, length),
            (true, Kind::Block) => self.initial_block_bitmap(group),
            (false, _) => {
                let bitmap = Bitmap::decode(self.volume.read_block(block)?, length);
                let mask = if geometry.descriptor_size == 64 { u32::MAX } else { 0xffff };
                let differs = |seed| (bitmap.checksum(seed, per_group) ^ sum) & mask != 0;
                if self.volume.seed.is_some_and(differs) {
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
        let blocks = self.volume.geometry.group_blocks(group);
        let mut bitmap = Bitmap::new(self.volume.geometry.block_size, self.bits(Kind::Block, group));
        for range in self.volume.system_within(&blocks) {
            bitmap.set((range.start - blocks.start) as u32..(range.end - blocks.start) as u32);
        }
        bitmap
    }

    /// Gives the bitmap to `change`, to be written at the end.
    pub(crate) fn change_bitmap<T>(
        &mut self,
        kind: Kind,
        group: u32,
        change: impl FnOnce(&mut Bitmap) -> T,
    ) -> Result<T> {
        self.load(kind, group)?;
        let missing = CorruptKind::Superblock { field: "groups", value: group.into() };
        let loaded = self.space.bitmaps.get_mut(&(kind, group)).ok_or(missing)?;
        loaded.changed = true;
        let uninit = if kind == Kind::Block { BLOCK_UNINIT } else { INODE_UNINIT };
        if let Some(descriptor) = self.volume.groups.get_mut(group as usize) {
            descriptor.flags &= !uninit;
        }
        Ok(change(&mut loaded.bitmap))
    }

    /// The pieces of `range` that lie in one group each, in bits of that group.
    fn by_group(&self, range: Range<u64>) -> Vec<(u32, Range<u32>)> {
        let geometry = &self.volume.geometry;
        let mut pieces = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let group = geometry.group_of_block(at);
            let blocks = geometry.group_blocks(group);
            let end = range.end.min(blocks.end);
            pieces.push((group, (at - blocks.start) as u32..(end - blocks.start) as u32));
            at = end;
        }
        pieces
    }

    /// The blocks that would be taken for `count` blocks: one range if there is a free run that long, else the largest
    /// runs; ascending.
    pub(crate) fn plan_blocks(&mut self, count: u64) -> Result<Vec<Range<u64>>> {
        let run = self.space.run.clone();
        if run.end - run.start >= count {
            return Ok(std::iter::once(run.start..run.start + count)
                .filter(|range| !range.is_empty())
                .collect());
        }
        let mut runs = self.free_runs()?;
        let grown_from = self.space.grown_from.unwrap_or(u64::MAX);
        runs.sort_by_key(|run| (run.start < grown_from, run.start.wrapping_sub(run.end), run.start));
        let mut planned = Vec::new();
        let mut left = count;
        for run in runs {
            let length = left.min(run.end - run.start);
            planned.push(run.start..run.start + length);
            left -= length;
            if left == 0 {
                self.space.run = run;
                break;
            }
        }
        if left > 0 {
            return Err(Error::NoSpace { needed: count, free: count - left });
        }
        planned.sort_by_key(|range| range.start);
        Ok(planned)
    }

    /// All maximal runs of free blocks, cut where the grown end begins.
    pub(crate) fn free_runs(&mut self) -> Result<Vec<Range<u64>>> {
        let mut runs: Vec<Range<u64>> = Vec::new();
        let cut = self.space.grown_from.unwrap_or(u64::MAX);
        for group in 0..self.volume.geometry.groups {
            if self.volume.groups.get(group as usize).is_none_or(|group| group.free_blocks_count == 0) {
                continue;
            }
            self.load(Kind::Block, group)?;
            let start = self.volume.geometry.group_blocks(group).start;
            let Some(loaded) = self.space.bitmaps.get(&(Kind::Block, group)) else { continue };
            for bits in loaded.bitmap.free_runs(0) {
                let run = start + u64::from(bits.start)..start + u64::from(bits.end);
                match runs.last_mut() {
                    Some(last) if last.end == run.start && run.start != cut => last.end = run.end,
                    _ => runs.push(run),
                }
                if let Some(last) = runs.last_mut().filter(|last| last.start < cut && cut < last.end) {
                    let rest = cut..last.end;
                    last.end = cut;
                    runs.push(rest);
                }
            }
        }
        Ok(runs)
    }

    /// Takes `count` blocks, as [`plan_blocks`](Self::plan_blocks) chooses them.
    pub(crate) fn allocate_blocks(&mut self, count: u64) -> Result<Vec<Range<u64>>> {
        let planned = self.plan_blocks(count)?;
        for range in &planned {
            self.take_blocks(range.clone())?;
        }
        Ok(planned)
    }

    /// Takes one block.
    pub(crate) fn allocate_block(&mut self) -> Result<u64> {
        let range = self.allocate_blocks(1)?.pop();
        range.map(|range| range.start).ok_or(Error::NoSpace { needed: 1, free: 0 })
    }

    /// Marks free blocks as used.
    pub(crate) fn take_blocks(&mut self, range: Range<u64>) -> Result<()> {
        if self.space.run.contains(&range.start) {
            self.space.run.start = range.end.min(self.space.run.end);
        }
        for (group, bits) in self.by_group(range) {
            let count = bits.end - bits.start;
            self.change_bitmap(Kind::Block, group, |bitmap| bitmap.set(bits))?;
            if let Some(descriptor) = self.volume.groups.get_mut(group as usize) {
                descriptor.free_blocks_count = descriptor.free_blocks_count.saturating_sub(count);
            }
        }
        Ok(())
    }

    /// Gives blocks back; they are zeroed at the end unless they are taken again.
    pub(crate) fn free_blocks_of(&mut self, range: Range<u64>) -> Result<()> {
        for block in range.clone() {
            self.volume.blocks.remove(&block);
        }
        for (group, bits) in self.by_group(range.clone()) {
            let start = self.volume.geometry.group_blocks(group).start;
            let count = bits.end - bits.start;
            let unused = self.change_bitmap(Kind::Block, group, |bitmap| {
                let unused = bits.clone().find(|bit| !bitmap.is_set(*bit));
                bitmap.clear(bits);
                unused
            })?;
            if let Some(bit) = unused {
                return Err(CorruptKind::BlockNotInUse { block: start + u64::from(bit) }.into());
            }
            if let Some(descriptor) = self.volume.groups.get_mut(group as usize) {
                descriptor.free_blocks_count += count;
            }
        }
        self.space.freed.push(range);
        Ok(())
    }

    /// The parts of `range` that are free.
    pub(crate) fn still_free(&mut self, range: Range<u64>) -> Result<Vec<Range<u64>>> {
        let mut free = Vec::new();
        for (group, bits) in self.by_group(range) {
            self.load(Kind::Block, group)?;
            let start = self.volume.geometry.group_blocks(group).start;
            let Some(loaded) = self.space.bitmaps.get(&(Kind::Block, group)) else { continue };
            let runs = loaded.bitmap.free_runs(bits.start).take_while(|run| run.start < bits.end);
            free.extend(
                runs.map(|run| start + u64::from(run.start)..start + u64::from(run.end.min(bits.end))),
            );
        }
        Ok(free)
    }

    /// Takes an inode number: from a block of the inode table that is free as a whole, or else the first free one.
    pub(crate) fn allocate_inode(&mut self, directory: bool) -> Result<u32> {
        if self.space.inode_run.is_empty() {
            self.space.inode_run = self.free_inode_run()?.ok_or(Error::NoInodes)?;
        }
        let number = self.space.inode_run.start;
        self.space.inode_run.start += 1;
        let (group, index) = self.volume.geometry.place_of_inode(number);
        self.change_bitmap(Kind::Inode, group, |bitmap| bitmap.set(index..index + 1))?;
        self.use_inode_table(group, index)?;
        if let Some(descriptor) = self.volume.groups.get_mut(group as usize) {
            descriptor.free_inodes_count = descriptor.free_inodes_count.saturating_sub(1);
            descriptor.used_dirs_count += u32::from(directory);
        }
        Ok(number)
    }

    fn free_inode_run(&mut self) -> Result<Option<Range<u32>>> {
        let per_block = self.volume.geometry.block_size / self.volume.geometry.inode_size;
        let mut first_free = None;
        for group in 0..self.volume.geometry.groups {
            if self.volume.groups.get(group as usize).is_none_or(|group| group.free_inodes_count == 0) {
                continue;
            }
            self.load(Kind::Inode, group)?;
            let base = group * self.volume.geometry.inodes_per_group + 1;
            let Some(loaded) = self.space.bitmaps.get(&(Kind::Inode, group)) else { continue };
            for run in loaded.bitmap.free_runs(0) {
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
        let Some(descriptor) = self.volume.groups.get_mut(group as usize) else { return Ok(()) };
        let used = total - descriptor.itable_unused;
        if index < used || !self.volume.superblock.has_uninit() {
            return Ok(());
        }
        descriptor.itable_unused = total - index - 1;
        if !descriptor.has_flag(INODE_ZEROED) {
            let start = geometry.byte(descriptor.inode_table);
            let slots = u64::from(used)..u64::from(index + 1);
            self.volume.device.zero(start + slots.start * size, (slots.end - slots.start) * size)?;
        }
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
        if let Some(descriptor) = self.volume.groups.get_mut(group as usize) {
            descriptor.free_inodes_count += 1;
            descriptor.used_dirs_count = descriptor.used_dirs_count.saturating_sub(u32::from(directory));
        }
        self.volume.inodes.insert(number, Inode::vacant(self.volume.geometry.inode_size));
        Ok(())
    }
}
