//! Which blocks and inodes are free, which are taken next, and which were freed.
//!
//! Every choice is a function of the bitmaps and of the order of calls.

mod bitmaps;
mod blocks;
mod inodes;
mod runs;

use std::{collections::BTreeMap, ops::Range};

use self::{inodes::InodeGroups, runs::FreeRuns};
use crate::{
    Device, Editor,
    bitmap::Bitmap,
    error::{Error, Result},
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
    /// The runs of free blocks, once they were asked for.
    runs: Option<FreeRuns>,
    /// Free blocks that are taken next, from the front.
    run: Range<u64>,
    /// Where the file system ended before it grew: blocks from here on are taken first.
    pub(crate) grown_from: Option<u64>,
    /// Free inodes that are taken next, from the front.
    inode_run: Range<u32>,
    /// Groups before these have no block of free inodes, and no free inode.
    inode_groups: InodeGroups,
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
        self.runs = None;
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
        Ok(self.free_runs()?.in_order().map(bytes).collect())
    }

    /// Refuses if fewer than `needed` blocks are free.
    pub(crate) fn require(&self, needed: u64) -> Result<()> {
        let free = self.free_blocks();
        if needed > free { Err(Error::NoSpace { needed, free }) } else { Ok(()) }
    }
}
