//! Symbolic links, hard links, device nodes, fifos and sockets.

use std::{iter, sync::Arc};

use crate::{
    Attributes, Content, Device, Editor, Error, FileType, Node, Result,
    directory_block::Target,
    edit::MAX_LINKS,
    inode::{FAST_SYMLINK, Inode},
};

/// Device numbers have 12 bits of major and 20 of minor.
const MAX_MAJOR: u32 = 0xfff;
const MAX_MINOR: u32 = 0xf_ffff;

impl<D: Device> Editor<D> {
    /// Makes a symbolic link to `target`, in place of anything but a directory.
    pub fn make_symlink(&mut self, path: &[u8], target: &[u8], attributes: &Attributes) -> Result<()> {
        if target.is_empty()
            || target.len() >= self.volume.geometry.block_size as usize
            || target.contains(&0)
        {
            let reason = "target of the symbolic link is empty, too long, or has a NUL byte";
            return Err(Error::InvalidPath { path: path.to_vec(), reason });
        }
        let blocks = u64::from(target.len() > FAST_SYMLINK);
        self.make_inode(path, FileType::Symlink, 0o777, blocks, attributes, |editor, number, inode| {
            if target.len() <= FAST_SYMLINK {
                inode.core.i_block[..target.len()].copy_from_slice(target);
                inode.set_size(target.len() as u64);
                return Ok(());
            }
            let content: Arc<dyn Content> = Arc::new(target.to_vec());
            let blocks: Vec<_> = iter::once(0..1).collect();
            editor.store_content(number, inode, &content, &blocks)
        })
    }

    /// Makes a fifo, socket or device node, in place of anything but a directory.
    pub fn make_node(&mut self, path: &[u8], node: Node, attributes: &Attributes) -> Result<()> {
        let (file_type, device) = match node {
            Node::Fifo => (FileType::Fifo, None),
            Node::Socket => (FileType::Socket, None),
            Node::CharDevice { major, minor } => (FileType::CharDevice, Some((major, minor))),
            Node::BlockDevice { major, minor } => (FileType::BlockDevice, Some((major, minor))),
        };
        if device.is_some_and(|(major, minor)| major > MAX_MAJOR || minor > MAX_MINOR) {
            return Err(Error::Unsupported(format!("device number {device:?}")));
        }
        self.make_inode(path, file_type, 0o644, 0, attributes, |_, _, inode| {
            if let Some((major, minor)) = device {
                inode.set_device(major, minor);
            }
            Ok(())
        })
    }

    /// Puts a new inode at `path` that `fill` completes and that may take `blocks` blocks.
    fn make_inode(
        &mut self,
        path: &[u8],
        file_type: FileType,
        mode: u16,
        blocks: u64,
        attributes: &Attributes,
        fill: impl FnOnce(&mut Self, u32, &mut Inode) -> Result<()>,
    ) -> Result<()> {
        let place = self.place_for_file(path)?;
        let xattr_blocks = self.check_new(file_type, attributes)?;
        self.require_at(&place, blocks + xattr_blocks)?;
        self.change(|editor| {
            let (number, mut inode) = editor.new_inode(file_type)?;
            inode.set_permissions(mode);
            fill(editor, number, &mut inode)?;
            editor.apply(number, &mut inode, attributes)?;
            editor.volume.inodes.insert(number, inode);
            editor.put(&place, Target { inode: number, file_type })
        })
    }

    /// Gives what is at `existing`, which is no directory, a second name, in place of anything but a directory.
    pub fn make_hard_link(&mut self, existing: &[u8], path: &[u8]) -> Result<()> {
        let target =
            self.volume.locate(existing)?.target.ok_or_else(|| Error::NotFound(existing.to_vec()))?;
        if target.file_type == FileType::Directory {
            return Err(Error::IsADirectory(existing.to_vec()));
        }
        let place = self.place_for_file(path)?;
        if place.old == Some(target) {
            return Ok(());
        }
        let mut inode = self.volume.inode(target.inode)?;
        let links = inode.core.i_links_count.get();
        if u32::from(links) >= MAX_LINKS {
            return Err(Error::TooManyLinks(existing.to_vec()));
        }
        self.require_at(&place, 0)?;
        self.change(|editor| {
            inode.core.i_links_count.set(links + 1);
            inode.set_ctime(editor.epoch);
            editor.volume.inodes.insert(target.inode, inode);
            editor.put(&place, target)
        })
    }
}
