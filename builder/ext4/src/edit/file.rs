//! Regular files: created, or given new content.

use std::{ops::Range, sync::Arc};

use crate::{
    Attributes, Content, Device, Editor, Error, FileType, Result,
    directory_block::Target,
    edit::{Place, spread},
    extent::{Extent, MAX_LENGTH, tree_blocks},
    features,
    inode::Inode,
};

/// From this size in bytes on a file needs the feature `large_file`.
const LARGE_FILE: u64 = 1 << 31;

impl<D: Device> Editor<D> {
    /// Makes a regular file of `content`, or gives an existing one this content.
    ///
    /// An existing file keeps its attributes where none are given. If it has other names, those keep the old content:
    /// `path` becomes a file of its own. What is no regular file and no directory is replaced by a new file.
    pub fn write_file(
        &mut self,
        path: &[u8],
        content: &Arc<dyn Content>,
        attributes: &Attributes,
    ) -> Result<()> {
        let place = self.place_for_file(path)?;
        let ranges = self.block_ranges(content.as_ref())?;
        match place.old {
            Some(Target { inode: number, file_type: FileType::Regular }) => {
                let inode = self.volume.inode(number)?;
                if inode.core.i_links_count == 1 {
                    self.replace_content(number, inode, content, &ranges, attributes)
                } else {
                    let attributes = self.inherit(number, &inode, attributes)?;
                    self.create_file(&place, content, &ranges, &attributes)
                }
            }
            _ => self.create_file(&place, content, &ranges, attributes),
        }
    }

    /// `attributes`, and those of the inode where none are given.
    fn inherit(&self, number: u32, inode: &Inode, attributes: &Attributes) -> Result<Attributes> {
        let xattrs = match &attributes.xattrs {
            Some(xattrs) => xattrs.clone(),
            None => self.volume.xattrs(number, inode)?,
        };
        Ok(Attributes {
            mode: attributes.mode.or(Some(inode.permissions())),
            uid: attributes.uid.or(Some(inode.uid())),
            gid: attributes.gid.or(Some(inode.gid())),
            mtime: attributes.mtime,
            xattrs: Some(xattrs),
        })
    }

    fn create_file(
        &mut self,
        place: &Place,
        content: &Arc<dyn Content>,
        ranges: &[Range<u32>],
        attributes: &Attributes,
    ) -> Result<()> {
        let xattr_blocks = self.check_new(FileType::Regular, attributes)?;
        let blocks = self.content_blocks(ranges)?;
        self.require_at(place, blocks + xattr_blocks)?;
        self.change(|editor| {
            let (number, mut inode) = editor.new_inode(FileType::Regular)?;
            inode.set_permissions(0o644);
            editor.store_content(number, &mut inode, content, ranges)?;
            editor.apply(number, &mut inode, attributes)?;
            editor.volume.inodes.insert(number, inode);
            editor.put(place, Target { inode: number, file_type: FileType::Regular })
        })
    }

    fn replace_content(
        &mut self,
        number: u32,
        mut inode: Inode,
        content: &Arc<dyn Content>,
        ranges: &[Range<u32>],
        attributes: &Attributes,
    ) -> Result<()> {
        let xattr_blocks = self.check_attributes(&inode, attributes)?;
        let old = self.volume.mapping(number, &inode)?;
        // The old blocks are taken again only if there are not enough others.
        let blocks = self.content_blocks(ranges);
        let roomy = blocks.and_then(|blocks| self.require(blocks + xattr_blocks)).is_ok();
        if !roomy {
            let blocks = self.content_blocks_at_most(ranges, old.extents.len())?;
            self.require((blocks + xattr_blocks).saturating_sub(old.count()))?;
        }
        self.change(|editor| {
            if !roomy {
                editor.free_mapping(&old)?;
            }
            editor.store_content(number, &mut inode, content, ranges)?;
            if roomy {
                editor.free_mapping(&old)?;
            }
            inode.set_ctime(editor.epoch);
            inode.set_mtime(editor.epoch);
            editor.apply(number, &mut inode, attributes)?;
            editor.volume.inodes.insert(number, inode);
            Ok(())
        })
    }

    /// The blocks of the file that hold data: ascending, disjoint.
    fn block_ranges(&self, content: &dyn Content) -> Result<Vec<Range<u32>>> {
        let block_size = u64::from(self.volume.geometry.block_size);
        if content.len().div_ceil(block_size) > u64::from(u32::MAX) {
            return Err(Error::Unsupported(format!("a file of {} bytes", content.len())));
        }
        let mut ranges: Vec<Range<u32>> = Vec::new();
        for data in content.data() {
            let start = (data.start / block_size) as u32;
            let end = data.end.min(content.len()).div_ceil(block_size) as u32;
            match ranges.last_mut() {
                Some(last) if start <= last.end => last.end = last.end.max(end),
                _ if start < end => ranges.push(start..end),
                _ => {}
            }
        }
        Ok(ranges)
    }

    /// Blocks that data and extent tree take if they are taken now.
    fn content_blocks(&mut self, ranges: &[Range<u32>]) -> Result<u64> {
        let data = count(ranges);
        self.require(data)?;
        let extents = spread(ranges, &self.plan_blocks(data)?)?.len();
        Ok(data + tree_blocks(extents, self.volume.geometry.block_size) as u64)
    }

    /// The same when `freed` more runs of blocks are free, however they lie.
    fn content_blocks_at_most(&mut self, ranges: &[Range<u32>], freed: usize) -> Result<u64> {
        let runs = self.free_runs()?.len() + freed;
        let cuts = count(ranges) as usize / usize::from(MAX_LENGTH);
        let extents = ranges.len() + runs + cuts;
        Ok(count(ranges)
            + tree_blocks(extents.min(count(ranges) as usize), self.volume.geometry.block_size) as u64)
    }

    /// Writes the data to newly taken blocks and makes them the inode's.
    pub(super) fn store_content(
        &mut self,
        number: u32,
        inode: &mut Inode,
        content: &Arc<dyn Content>,
        ranges: &[Range<u32>],
    ) -> Result<()> {
        let extents = spread(ranges, &self.allocate_blocks(count(ranges))?)?;
        for extent in &extents {
            self.store_extent(content, extent)?;
        }
        inode.set_size(content.len());
        if content.len() >= LARGE_FILE {
            self.volume.superblock.s_feature_ro_compat |= features::LARGE_FILE.mask;
        }
        self.set_mapping(number, inode, &extents)
    }

    /// Writes one extent's data; zeros behind the end of the file.
    fn store_extent(&mut self, content: &Arc<dyn Content>, extent: &Extent) -> Result<()> {
        let geometry = &self.volume.geometry;
        let (from, to) = (geometry.byte(extent.logical.into()), geometry.byte(extent.end()));
        let at = geometry.byte(extent.physical);
        let length = to.min(content.len()) - from;
        self.volume.device.place(at, content, from, length)?;
        if from + length < to {
            self.volume.device.zero(at + length, to - from - length)?;
        }
        Ok(())
    }

    /// Lets the name at `place` stand for `target`, and drops what it stood for.
    pub(super) fn put(&mut self, place: &Place, target: Target) -> Result<()> {
        self.enter(place.directory, &place.name, target)?;
        match place.old {
            Some(old) => self.drop_link(old),
            None => Ok(()),
        }
    }
}

/// Blocks in all.
fn count(ranges: &[Range<u32>]) -> u64 {
    ranges.iter().map(|range| u64::from(range.end - range.start)).sum()
}
