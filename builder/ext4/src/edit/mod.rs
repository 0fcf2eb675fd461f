//! Edits, and the steps they share.

mod attributes;
mod directory;
mod file;
mod link;
mod remove;

use std::ops::Range;

use crate::{
    Device, Editor, Error, FileType, Result,
    directory_block::{Target, record_size},
    extent::{self, Extent, tree_blocks},
    features,
    inode::{FLAG_EXTENTS, Inode},
    mapping::Mapping,
};

/// Links that an inode can count.
const MAX_LINKS: u32 = 65_000;

/// Where an edit puts a name.
#[derive(Debug)]
struct Place {
    directory: u32,
    name: Vec<u8>,
    /// What the name stands for now.
    old: Option<Target>,
}

impl<D: Device> Editor<D> {
    /// Runs the part of an edit that changes things. If it fails, the editor refuses to go on.
    pub(crate) fn change<T>(&mut self, edit: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.broken {
            return Err(Error::Broken);
        }
        self.broken = true;
        let done = edit(self)?;
        self.broken = false;
        Ok(done)
    }

    /// The place that `path` names; its last part must be a name.
    fn place(&self, path: &[u8]) -> Result<Place> {
        let location = self.volume.locate(path)?;
        let reason = "no name at its end";
        let name = location.name.ok_or_else(|| Error::InvalidPath { path: path.to_vec(), reason })?;
        Ok(Place { directory: location.directory, name, old: location.target })
    }

    /// The same, for something that takes the place of anything but a directory.
    fn place_for_file(&self, path: &[u8]) -> Result<Place> {
        let place = self.place(path)?;
        match place.old {
            Some(Target { file_type: FileType::Directory, .. }) => Err(Error::IsADirectory(path.to_vec())),
            _ => Ok(place),
        }
    }

    /// Blocks that a directory may need, beyond those it has, when its records take `bytes`.
    fn directory_growth(&self, number: u32, inode: &Inode, bytes: usize) -> u64 {
        let has = inode.size() / u64::from(self.volume.geometry.block_size);
        let needs = self.volume.directory_format(number, inode).blocks_at_most(bytes);
        if needs <= has {
            return 0;
        }
        needs - has + tree_blocks(needs as usize, self.volume.geometry.block_size) as u64
    }

    /// Refuses if `blocks` and one more name at `place` need more space than there is.
    fn require_at(&self, place: &Place, blocks: u64) -> Result<()> {
        let inode = self.volume.inode(place.directory)?;
        let (bytes, promised) =
            self.volume.with_directory(place.directory, |each| (each.record_bytes, each.promised))?;
        let growth = match place.old {
            Some(_) => 0,
            None => self.directory_growth(place.directory, &inode, bytes + record_size(place.name.len())),
        };
        self.require(blocks + growth.saturating_sub(promised))
    }

    /// Puts a name into a directory, or changes what it stands for.
    fn enter(&mut self, directory: u32, name: &[u8], target: Target) -> Result<()> {
        self.volume.directory_mut(directory)?.insert(name, target);
        self.touch_directory(directory)
    }

    /// After names came or went: times, links and space set aside.
    fn touch_directory(&mut self, number: u32) -> Result<()> {
        let mut inode = self.volume.inode(number)?;
        let directory = self.volume.directory_mut(number)?;
        let (links, bytes) = (2 + directory.subdirectories, directory.record_bytes);
        // More than can be counted: one link says that nobody counts.
        inode.core.i_links_count.set(if links > MAX_LINKS { 1 } else { links as u16 });
        inode.set_mtime(self.epoch);
        inode.set_ctime(self.epoch);
        let promise = self.directory_growth(number, &inode, bytes);
        self.promise(number, promise)?;
        self.volume.inodes.insert(number, inode);
        Ok(())
    }

    /// Sets blocks aside for writing a directory, in place of what was set aside before.
    pub(crate) fn promise(&mut self, number: u32, blocks: u64) -> Result<()> {
        let before = std::mem::replace(&mut self.volume.directory_mut(number)?.promised, blocks);
        self.space.promised = self.space.promised.saturating_sub(before) + blocks;
        Ok(())
    }

    /// Refuses a directory one more subdirectory if its links cannot be counted.
    fn check_links_of_directory(&self, number: u32, path: &[u8]) -> Result<()> {
        let subdirectories = self.volume.with_directory(number, |directory| directory.subdirectories)?;
        if subdirectories + 3 > MAX_LINKS && !self.volume.superblock.has(features::DIR_NLINK) {
            return Err(Error::TooManyLinks(path.to_vec()));
        }
        Ok(())
    }

    /// A new inode of this editor's epoch, under a free number.
    fn new_inode(&mut self, file_type: FileType) -> Result<(u32, Inode)> {
        let number = self.allocate_inode(file_type == FileType::Directory)?;
        let inode = Inode::new(self.volume.geometry.inode_size, file_type, self.epoch);
        Ok((number, inode))
    }

    /// Makes `extents` the mapping of an inode, with a new tree. Blocks of an old mapping are left alone.
    pub(crate) fn set_mapping(&mut self, number: u32, inode: &mut Inode, extents: &[Extent]) -> Result<()> {
        let block_size = self.volume.geometry.block_size;
        let nodes = self.allocate_blocks(tree_blocks(extents.len(), block_size) as u64)?;
        let nodes: Vec<u64> = nodes.into_iter().flatten().collect();
        let seed = self.volume.inode_seed(number, inode);
        let (root, encoded) = extent::encode(extents, block_size, &nodes, seed);
        for (block, bytes) in encoded {
            self.volume.write_block(block, bytes);
        }
        inode.core.i_block = root;
        inode.set_flag(FLAG_EXTENTS, true);
        let data: u64 = extents.iter().map(|extent| u64::from(extent.length)).sum();
        let xattr = u64::from(inode.file_acl() != 0);
        inode.set_blocks(data + nodes.len() as u64 + xattr, block_size);
        Ok(())
    }

    /// Gives back all blocks of a mapping.
    pub(crate) fn free_mapping(&mut self, mapping: &Mapping) -> Result<()> {
        mapping.blocks().try_for_each(|range| self.free_blocks_of(range))
    }
}

/// Spreads the blocks of a file over as many blocks of the device, both in order.
pub(crate) fn spread(file: &[Range<u32>], device: &[Range<u64>]) -> Result<Vec<Extent>> {
    let needed = file.iter().map(|range| u64::from(range.end - range.start)).sum();
    let free = device.iter().map(|range| range.end - range.start).sum();
    let mut extents = Vec::new();
    let mut runs = device.iter().cloned();
    let mut run = 0..0;
    for range in file {
        let mut logical = range.start;
        while logical < range.end {
            if run.is_empty() {
                run = runs.next().ok_or(Error::NoSpace { needed, free })?;
            }
            let length = u64::from(range.end - logical).min(run.end - run.start) as u32;
            extents.push(Extent { logical, physical: run.start, length, written: true });
            logical += length;
            run.start += u64::from(length);
        }
    }
    Ok(extent::normalize(extents))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_spread_over_runs_in_order() {
        let extents = spread(&[0..3, 10..14], &[100..102, 200..205]).unwrap();
        let found: Vec<_> = extents.iter().map(|e| (e.logical, e.physical, e.length)).collect();
        assert_eq!(found, [(0, 100, 2), (2, 200, 1), (10, 201, 4)]);
        assert!(matches!(spread(&[0..2, 3..4], &[7..8, 9..10]), Err(Error::NoSpace { needed: 3, free: 2 })));
    }
}
