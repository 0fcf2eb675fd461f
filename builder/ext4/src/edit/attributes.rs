//! Mode, owner, times, extended attributes.

use crate::{
    Attributes, Device, Editor, Error, FileType, Result, Xattrs,
    error::CorruptKind,
    features,
    inode::Inode,
    xattr::{self, Misfit, Placement},
};

impl<D: Device> Editor<D> {
    /// Sets the attributes that are given, and the time of change, of what is at `path`.
    pub fn set_attributes(&mut self, path: &[u8], attributes: &Attributes) -> Result<()> {
        let (number, mut inode) = self.volume.find(path)?;
        let blocks = self.check_attributes(&inode, attributes)?;
        self.require(blocks)?;
        self.change(|editor| {
            inode.set_ctime(editor.epoch);
            editor.apply(number, &mut inode, attributes)?;
            editor.volume.inodes.insert(number, inode);
            Ok(())
        })
    }

    /// Refuses attributes that the inode cannot hold; gives the blocks that setting them takes.
    pub(super) fn check_attributes(&self, inode: &Inode, attributes: &Attributes) -> Result<u64> {
        if let Some(mtime) = attributes.mtime.filter(|mtime| !inode.times().contains(mtime)) {
            return Err(Error::Unsupported(format!("the time {mtime}")));
        }
        let placement =
            attributes.xattrs.as_ref().map(|xattrs| self.place_xattrs(inode, xattrs)).transpose()?;
        Ok(u64::from(placement.is_some_and(|placement| placement.block.is_some())))
    }

    /// Refuses attributes that a new inode cannot hold, or any if there is no free inode; gives the blocks that
    /// setting them takes.
    pub(super) fn check_new(&self, file_type: FileType, attributes: &Attributes) -> Result<u64> {
        if self.free_inodes() == 0 {
            return Err(Error::NoInodes);
        }
        let blank = Inode::new(self.volume.geometry.inode_size, file_type, self.epoch);
        self.check_attributes(&blank, attributes)
    }

    fn place_xattrs(&self, inode: &Inode, xattrs: &Xattrs) -> Result<Placement> {
        let (room, block_size) = (inode.xattr_area().len(), self.volume.geometry.block_size);
        xattr::place(xattrs, room, block_size as usize).map_err(|misfit| {
            Error::Unsupported(match misfit {
                Misfit::Name(name) => format!("extended attribute {}", name.escape_ascii()),
                Misfit::Size => format!("extended attributes of more than {block_size} bytes"),
            })
        })
    }

    /// Sets the attributes that are given.
    pub(super) fn apply(&mut self, number: u32, inode: &mut Inode, attributes: &Attributes) -> Result<()> {
        if let Some(mode) = attributes.mode {
            inode.set_permissions(mode);
        }
        if let Some(uid) = attributes.uid {
            inode.set_uid(uid);
        }
        if let Some(gid) = attributes.gid {
            inode.set_gid(gid);
        }
        if let Some(mtime) = attributes.mtime {
            inode.set_mtime(mtime);
        }
        match &attributes.xattrs {
            Some(xattrs) => self.set_xattrs(number, inode, xattrs),
            None => Ok(()),
        }
    }

    fn set_xattrs(&mut self, number: u32, inode: &mut Inode, xattrs: &Xattrs) -> Result<()> {
        let placement = self.place_xattrs(inode, xattrs)?;
        if !xattrs.is_empty() {
            self.volume.superblock.s_feature_compat |= features::EXT_ATTR.mask;
        }
        inode.xattr_area_mut().copy_from_slice(&placement.inode);
        self.release_xattr_block(number, inode)?;
        let Some(mut bytes) = placement.block else { return Ok(()) };
        let block = self.allocate_block()?;
        xattr::seal(&mut bytes, block, self.volume.seed);
        self.volume.write_block(block, bytes);
        inode.set_file_acl(block);
        self.add_blocks(inode, 1);
        Ok(())
    }

    /// Lets go of the inode's block of extended attributes, which others may share.
    pub(super) fn release_xattr_block(&mut self, number: u32, inode: &mut Inode) -> Result<()> {
        let block = inode.file_acl();
        if block == 0 {
            return Ok(());
        }
        let mut bytes = self.volume.xattr_block(number, block)?;
        let corrupt = |reason| CorruptKind::Xattr { inode: number, reason };
        match xattr::reference_count(&bytes).map_err(corrupt)? {
            1 => self.free_blocks_of(block..block + 1)?,
            count => {
                xattr::set_reference_count(&mut bytes, count - 1);
                xattr::seal(&mut bytes, block, self.volume.seed);
                self.volume.write_block(block, bytes);
            }
        }
        inode.set_file_acl(0);
        self.add_blocks(inode, -1);
        Ok(())
    }

    /// Changes the count of blocks in use.
    fn add_blocks(&self, inode: &mut Inode, blocks: i64) {
        let block_size = self.volume.geometry.block_size;
        let before = inode.sectors(block_size) / u64::from(block_size / 512);
        inode.set_blocks(before.saturating_add_signed(blocks), block_size);
    }
}
