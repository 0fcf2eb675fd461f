//! Which blocks hold a file: its extent tree or block map, walked and checked, and its data read through them.

use std::ops::Range;

use crate::{
    Device,
    block_map::BlockMap,
    error::{CorruptKind, Result},
    extent::{self, Extent, Node},
    inode::{FLAG_EXTENTS, Inode},
    volume::Volume,
};

/// Which blocks belong to an inode, its block of extended attributes left out.
#[derive(Debug, Default)]
pub(crate) struct Mapping {
    /// Ascending in the file.
    pub(crate) extents: Vec<Extent>,
    /// Blocks of the extent tree or block map.
    pub(crate) nodes: Vec<u64>,
}

impl Mapping {
    /// All blocks.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        let data =
            self.extents.iter().map(|extent| extent.physical..extent.physical + u64::from(extent.length));
        data.chain(self.nodes.iter().map(|block| *block..block + 1))
    }

    /// How many blocks.
    pub(crate) fn count(&self) -> u64 {
        self.blocks().map(|range| range.end - range.start).sum()
    }
}

impl<D: Device> Volume<D> {
    /// Which blocks hold the data of a file, directory or slow symbolic link.
    pub(crate) fn mapping(&self, number: u32, inode: &Inode) -> Result<Mapping> {
        let mapping = if inode.has_flag(FLAG_EXTENTS) {
            let mut mapping = Mapping::default();
            let mut next = 0;
            self.read_extents(number, inode, &inode.core.i_block, 0, None, &mut mapping, &mut next)?;
            mapping
        } else {
            self.read_block_map(number, inode)?
        };
        if let Some(range) = mapping.blocks().find(|range| !self.may_hold_data(range)) {
            let (block, reason) = (range.start, "data where no file may have any");
            return Err(match inode.has_flag(FLAG_EXTENTS) {
                true => CorruptKind::Extent { inode: number, block, reason },
                false => CorruptKind::BlockMap { inode: number, block, reason },
            }
            .into());
        }
        Ok(mapping)
    }

    /// Whether blocks lie within the file system and are not its own.
    pub(crate) fn may_hold_data(&self, range: &Range<u64>) -> bool {
        range.start >= self.geometry.first_data_block
            && range.end <= self.geometry.blocks_count
            && self.system_within(range).next().is_none()
    }

    /// Takes in the node in `bytes`, which lies in `block` and must have `depth` levels below it, if that is known.
    /// `next` is the first block of the file that may follow.
    #[allow(clippy::too_many_arguments)]
    fn read_extents(
        &self,
        number: u32,
        inode: &Inode,
        bytes: &[u8],
        block: u64,
        depth: Option<u16>,
        mapping: &mut Mapping,
        next: &mut u64,
    ) -> Result<()> {
        let corrupt = |reason| CorruptKind::Extent { inode: number, block, reason };
        let node = extent::decode(bytes).map_err(corrupt)?;
        let found = if let Node::Index { depth, .. } = &node { *depth } else { 0 };
        if depth.is_some_and(|depth| depth != found) {
            return Err(corrupt("wrong depth").into());
        }
        match node {
            Node::Leaf(extents) => {
                for extent in extents {
                    if u64::from(extent.logical) < *next || extent.length == 0 || extent.end() > 1 << 32 {
                        return Err(corrupt("extents out of order").into());
                    }
                    *next = extent.end();
                    mapping.extents.push(extent);
                }
            }
            Node::Index { children, .. } => {
                for (logical, child) in children {
                    if u64::from(logical) < *next || mapping.nodes.len() as u64 >= self.geometry.blocks_count
                    {
                        return Err(corrupt("index out of order").into());
                    }
                    *next = logical.into();
                    if !self.may_hold_data(&(child..child + 1)) {
                        return Err(corrupt("child where no file may have any").into());
                    }
                    let bytes = self.read_block(child)?;
                    if self.inode_seed(number, inode).is_some_and(|seed| !extent::verify(&bytes, seed)) {
                        let reason = "checksum does not match";
                        return Err(CorruptKind::Extent { inode: number, block: child, reason }.into());
                    }
                    mapping.nodes.push(child);
                    self.read_extents(number, inode, &bytes, child, Some(found - 1), mapping, next)?;
                }
            }
        }
        Ok(())
    }

    fn read_block_map(&self, number: u32, inode: &Inode) -> Result<Mapping> {
        let mut left = self.geometry.blocks_count;
        let map = BlockMap::read(&inode.core.i_block, self.geometry.block_size, |block| {
            let reason = "more map blocks than the file system has";
            left = left.checked_sub(1).ok_or(CorruptKind::BlockMap { inode: number, block, reason })?;
            self.read_block(block)
        })?;
        Ok(Mapping { extents: extent::normalize(map.extents), nodes: map.nodes })
    }

    /// Fills `buf` with the data from byte `offset` on; holes read as zero. Gives the bytes that were within the size.
    pub(crate) fn read_data(&self, number: u32, inode: &Inode, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let length = inode.size().saturating_sub(offset).min(buf.len() as u64);
        let buf = &mut buf[..length as usize];
        buf.fill(0);
        let end = offset + length;
        for extent in self.mapping(number, inode)?.extents.iter().filter(|extent| extent.written) {
            let start = self.geometry.byte(extent.logical.into());
            let (from, to) = (offset.max(start), end.min(self.geometry.byte(extent.end())));
            if from < to {
                let part = &mut buf[(from - offset) as usize..(to - offset) as usize];
                self.device.read_at(self.geometry.byte(extent.physical) + (from - start), part)?;
            }
        }
        Ok(buf.len())
    }
}
