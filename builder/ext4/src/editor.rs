//! The editor's state, its door, and reading through it.

use crate::{
    Device, DirectoryEntry, Error, FileType, Metadata, Result, Superblock, Xattrs, allocate::Space,
    error::CorruptKind, volume::Volume,
};

/// An ext4 file system being edited.
///
/// Paths are bytes, from the root of the file system (`/etc/x` and `etc/x` are the same). Symbolic links on the way are
/// followed within the file system: an absolute target begins at its root, `..` of the root is the root, at most 40
/// links. The last name is never followed.
///
/// Until [`commit`](Self::commit) the device gets file data and zeros only, in blocks and inode slots that the file
/// system on it does not use, or in blocks that an edit freed. Dropping the editor instead leaves such bytes behind,
/// so drop the device with it.
#[derive(Debug)]
pub struct Editor<D> {
    pub(crate) volume: Volume<D>,
    pub(crate) space: Space,
    /// The time of every change, seconds since 1970.
    pub(crate) epoch: i64,
    /// Whether an edit failed half-way.
    pub(crate) broken: bool,
}

impl<D: Device> Editor<D> {
    /// Opens the file system on `device`. All times that edits leave behind are `epoch`, seconds since 1970.
    ///
    /// Superblock, descriptors, features, state and journal are checked. [`Error::NotExt4`] says that this is another
    /// file system or none, [`Error::Unsupported`] names what the editor does not edit, [`Error::Corrupt`] what is
    /// damaged.
    pub fn open(device: D, epoch: i64) -> Result<Self> {
        Ok(Self { volume: Volume::open(device)?, space: Space::default(), epoch, broken: false })
    }

    /// The superblock as it was read; [`grow`](Self::grow) changes it.
    pub fn superblock(&self) -> &Superblock {
        &self.volume.superblock
    }

    /// The device below.
    pub fn device(&self) -> &D {
        &self.volume.device
    }

    /// What is at `path`; `None` if nothing is, or a directory on the way is missing.
    ///
    /// The size of a directory that was made or changed is what it was before, until the commit lays it out.
    pub fn metadata(&self, path: &[u8]) -> Result<Option<Metadata>> {
        let target = match self.volume.locate(path) {
            Ok(location) => location.target,
            Err(Error::NotFound(_) | Error::NotADirectory(_)) => None,
            Err(error) => return Err(error),
        };
        let Some(target) = target else { return Ok(None) };
        let number = target.inode;
        let inode = self.volume.inode(number)?;
        let value = inode.core.i_mode.get().into();
        let file_type =
            inode.file_type().ok_or(CorruptKind::Inode { inode: number, field: "i_mode", value })?;
        let (mtime, mtime_nanoseconds) = inode.mtime();
        Ok(Some(Metadata {
            inode: number,
            file_type,
            mode: inode.permissions(),
            uid: inode.uid(),
            gid: inode.gid(),
            size: inode.size(),
            sectors: inode.sectors(self.volume.geometry.block_size),
            links: inode.core.i_links_count.get(),
            mtime,
            mtime_nanoseconds,
            device: matches!(file_type, FileType::CharDevice | FileType::BlockDevice).then(|| inode.device()),
            flags: inode.core.i_flags.get(),
        }))
    }

    /// All bytes of the regular file at `path`. Memory is taken for its whole length, holes included; more than the
    /// file system's own size is refused.
    pub fn read_file(&self, path: &[u8]) -> Result<Vec<u8>> {
        let (number, inode) = self.volume.find(path)?;
        let limit = self.volume.geometry.byte(self.volume.geometry.blocks_count);
        if inode.size() > limit {
            return Err(Error::Unsupported(format!("reading a file of {} bytes at once", inode.size())));
        }
        let mut bytes = vec![0; inode.size() as usize];
        self.read_regular(path, number, 0, &mut bytes)?;
        Ok(bytes)
    }

    /// Fills `buf` with the bytes of the regular file at `path` from `offset` on; gives how many there were.
    pub fn read_file_at(&self, path: &[u8], offset: u64, buf: &mut [u8]) -> Result<usize> {
        let (number, _) = self.volume.find(path)?;
        self.read_regular(path, number, offset, buf)
    }

    fn read_regular(&self, path: &[u8], number: u32, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let inode = self.volume.inode(number)?;
        match inode.file_type() {
            Some(FileType::Regular) => self.volume.read_data(number, &inode, offset, buf),
            Some(FileType::Directory) => Err(Error::IsADirectory(path.to_vec())),
            _ => Err(Error::InvalidPath { path: path.to_vec(), reason: "not a regular file" }),
        }
    }

    /// The target of the symbolic link at `path`.
    pub fn read_link(&self, path: &[u8]) -> Result<Vec<u8>> {
        let (number, inode) = self.volume.find(path)?;
        if inode.file_type() != Some(FileType::Symlink) {
            return Err(Error::InvalidPath { path: path.to_vec(), reason: "not a symbolic link" });
        }
        self.volume.link_target(number)
    }

    /// The entries of the directory at `path` but `.` and `..`, sorted by name.
    pub fn read_directory(&self, path: &[u8]) -> Result<Vec<DirectoryEntry>> {
        let (number, inode) = self.volume.find(path)?;
        if !inode.is_directory() {
            return Err(Error::NotADirectory(path.to_vec()));
        }
        self.volume.with_directory(number, |directory| {
            let entries = directory.entries.iter();
            entries
                .map(|(name, target)| DirectoryEntry {
                    name: name.clone(),
                    file_type: target.file_type,
                    inode: target.inode,
                })
                .collect()
        })
    }

    /// The extended attributes of what is at `path`.
    pub fn xattrs(&self, path: &[u8]) -> Result<Xattrs> {
        let (number, inode) = self.volume.find(path)?;
        self.volume.xattrs(number, &inode)
    }
}
