//! Which blocks and inodes are free, which are taken next, and which were freed.
//!
//! Each group has two bitmaps, of its blocks and of its inodes; a set bit is in use. That is all the disk says. Which
//! free ones to take is the editor's choice, and the choice is what keeps files in one piece: a file that lies in one
//! run of blocks is one extent, 12 bytes that fit into the inode; one that lies in crumbs needs blocks of its own to
//! say where. So the longest run is taken from until it is used up, and a file that fits into no run takes the longest
//! ones first.
//!
//! ```text
//! block     0         10        20        30
//!           |         |         |         |
//! in use    xxxx...xx.....xxx..xxxxx                free: 4..7, 9..14, 17..19
//!
//! 4 blocks  xxxx...xxAAAA.xxx..xxxxx                9..13, and 13..14 stays at hand
//! 1 block   xxxx...xxAAAABxxx..xxxxx                13..14, the run at hand
//! 4 blocks  xxxxCCCxxAAAABxxxC.xxxxx                no run of 4: 4..7 and 17..18, two extents
//! grown     xxxxCCCxxAAAABxxxC.xxxxx........        free: 18..19, 24..32
//! 2 blocks  xxxxCCCxxAAAABxxxC.xxxxxDD......        24..26
//! ```
//!
//! Blocks beyond the old end come first, long or not, since what a vendor's image holds is then left as it is, and the
//! blocks that differ from it lie together.
//!
//! Inodes come from a block of the inode table in which none is in use, for the same reason. With 16 inodes a block, of
//! which 1 to 11 and 17 are taken, the next is 33: the blocks of 1..17 and 17..33 would have to be rewritten. Only
//! where no block is free as a whole, the first free inode serves.
//!
//! Every choice is a function of the bitmaps and of the order of calls. What is freed can be taken again at once, and
//! what is still free at the end is zeroed, so that nothing of a deleted file stays in the image.

mod bitmaps;
mod blocks;
mod inodes;
mod runs;
#[cfg(test)]
mod tests;

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
