//! Removing names, and inodes that lost their last one.

use crate::{
    Device, Editor, Error, FileType, Result, directory_block::Target, edit::Place, error::CorruptKind,
    inode::Inode,
};

impl<D: Device> Editor<D> {
    /// Removes a name, and what it stands for if that was the last one. A directory must be empty.
    pub fn remove(&mut self, path: &[u8]) -> Result<()> {
        let (place, target) = self.place_to_remove(path)?;
        if target.file_type == FileType::Directory
            && !self.volume.with_directory(target.inode, |directory| directory.entries.is_empty())?
        {
            return Err(Error::NotEmpty(path.to_vec()));
        }
        self.change(|editor| editor.take_out(&place, target))
    }

    /// Removes a name with everything below it.
    pub fn remove_all(&mut self, path: &[u8]) -> Result<()> {
        let (place, target) = self.place_to_remove(path)?;
        self.change(|editor| {
            if target.file_type == FileType::Directory {
                editor.empty(target.inode, place.directory)?;
            }
            editor.take_out(&place, target)
        })
    }

    fn place_to_remove(&self, path: &[u8]) -> Result<(Place, Target)> {
        let place = self.place(path)?;
        let target = place.old.ok_or_else(|| Error::NotFound(path.to_vec()))?;
        Ok((place, target))
    }

    fn take_out(&mut self, place: &Place, target: Target) -> Result<()> {
        self.volume.directory_mut(place.directory)?.remove(&place.name);
        self.touch_directory(place.directory)?;
        self.drop_link(target)
    }

    /// Drops everything below the directory `top`, whose own names are left to the caller.
    fn empty(&mut self, top: u32, above: u32) -> Result<()> {
        let mut stack = vec![(top, above)];
        while let Some((number, above)) = stack.pop() {
            let directory = self.volume.directory_mut(number)?;
            if directory.parent != above {
                // Also keeps a directory that contains itself from being walked for ever.
                let reason = "entry .. does not lead back";
                return Err(CorruptKind::Directory { inode: number, block: 0, offset: 0, reason }.into());
            }
            let entries = std::mem::take(&mut directory.entries);
            for target in entries.into_values() {
                if target.file_type == FileType::Directory {
                    stack.push((target.inode, number));
                } else {
                    self.drop_link(target)?;
                }
            }
            if number != top {
                self.drop_link(Target { inode: number, file_type: FileType::Directory })?;
            }
        }
        Ok(())
    }

    /// Counts one name less; without names the inode is given back. A directory has only one name.
    pub(super) fn drop_link(&mut self, target: Target) -> Result<()> {
        let number = target.inode;
        let mut inode = self.volume.inode(number)?;
        let links = inode.core.i_links_count.get();
        if inode.is_directory() != (target.file_type == FileType::Directory) || links == 0 {
            return Err(
                CorruptKind::Inode { inode: number, field: "i_links_count", value: links.into() }.into()
            );
        }
        if links > 1 && !inode.is_directory() {
            inode.core.i_links_count.set(links - 1);
            inode.set_ctime(self.epoch);
            self.volume.inodes.insert(number, inode);
            return Ok(());
        }
        self.release(number, inode)
    }

    /// Gives back an inode with all its blocks.
    fn release(&mut self, number: u32, mut inode: Inode) -> Result<()> {
        if inode.has_mapping() {
            let mapping = self.volume.mapping(number, &inode)?;
            self.free_mapping(&mapping)?;
        }
        self.release_xattr_block(number, &mut inode)?;
        if inode.is_directory() {
            self.promise(number, 0)?;
            self.volume.directories.get_mut().map.remove(&number);
        }
        self.free_inode(number, inode.is_directory())
    }
}
