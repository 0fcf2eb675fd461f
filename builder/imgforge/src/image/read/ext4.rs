//! ext4, read by ext4-view.

use std::{collections::BTreeMap, io};

use ext4_view::{Ext4, Ext4Error, Metadata, Path as Ext4Path};
use imgforge_disk::Content;
use imgforge_spec::ImagePath;

use super::{Entry, Error, Kind, Slice, Tree};
use crate::image::change::Access;

/// Files are handed on in pieces of this many bytes.
const PIECE: usize = 256 << 10;

/// An ext4 file system.
#[derive(Debug)]
pub(crate) struct Ext4Tree {
    ext4: Ext4,
    /// What it is called in errors.
    what: &'static str,
}

impl Ext4Tree {
    /// Opens the file system that fills `partition`.
    pub fn open(partition: Slice, what: &'static str) -> Result<Self, Error> {
        let unreadable = |error: io::Error| Error::Unreadable { what, reason: error.to_string() };
        let has_small_inodes = has_small_inodes(&partition).map_err(unreadable)?;
        let ext4 = Ext4::load(Box::new(Bytes { partition, has_small_inodes }));
        let ext4 = ext4.map_err(|error| Error::Unreadable { what, reason: error.to_string() })?;
        Ok(Self { ext4, what })
    }

    fn metadata(&self, path: &ImagePath) -> Result<Option<Metadata>, Error> {
        match self.ext4.symlink_metadata(self.at(path)?) {
            Ok(metadata) => Ok(Some(metadata)),
            Err(Ext4Error::NotFound | Ext4Error::NotADirectory) => Ok(None),
            Err(error) => Err(self.failed(path, error)),
        }
    }

    fn at<'a>(&self, path: &'a ImagePath) -> Result<Ext4Path<'a>, Error> {
        Ext4Path::try_from(path.as_bytes()).map_err(|error| self.failed(path, error))
    }

    fn failed(&self, path: &ImagePath, error: impl std::fmt::Display) -> Error {
        Error::Path { what: self.what, path: path.clone(), reason: error.to_string() }
    }
}

/// Where the superblock lies in a file system, and two of its fields
/// (<https://docs.kernel.org/filesystems/ext4/super.html>): `s_inode_size`, le16, and the byte of `s_feature_ro_compat` (le32)
/// that has `metadata_csum`.
const SUPERBLOCK: u64 = 1024;
const S_INODE_SIZE: u64 = SUPERBLOCK + 0x58;
const S_FEATURE_RO_COMPAT_1: u64 = SUPERBLOCK + 0x65;
const METADATA_CSUM: u8 = 0x04;

fn has_small_inodes(partition: &Slice) -> io::Result<bool> {
    let mut size = [0; 2];
    partition.read_at(S_INODE_SIZE, &mut size)?;
    Ok(u16::from_le_bytes(size) == 128)
}

/// The bytes of a file system as ext4-view can read them.
///
/// ext4-view 1.0 looks for the upper half of checksums where inodes of 128 bytes have nothing, and calls them cut off. Of such
/// a file system it is told that there are no checksums; the editor, which knows both sizes, has checked them.
struct Bytes {
    partition: Slice,
    has_small_inodes: bool,
}

impl ext4_view::Ext4Read for Bytes {
    fn read(
        &mut self,
        start: u64,
        bytes: &mut [u8],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync + 'static>> {
        self.partition.read_at(start, bytes)?;
        let at = S_FEATURE_RO_COMPAT_1.checked_sub(start).and_then(|at| usize::try_from(at).ok());
        if let Some(byte) = at.filter(|_| self.has_small_inodes).and_then(|at| bytes.get_mut(at)) {
            *byte &= !METADATA_CSUM;
        }
        Ok(())
    }
}

fn entry_of(metadata: &Metadata) -> Entry {
    let kind = match metadata.file_type() {
        kind if kind.is_regular_file() => Kind::File,
        kind if kind.is_dir() => Kind::Directory,
        kind if kind.is_symlink() => Kind::Symlink,
        _ => Kind::Special,
    };
    let access = Access { mode: metadata.mode() & 0o7777, uid: metadata.uid(), gid: metadata.gid() };
    Entry { kind, access, size: metadata.len(), mtime: Some(metadata.modified().seconds()) }
}

impl Tree for Ext4Tree {
    fn entry(&self, path: &ImagePath) -> Result<Option<Entry>, Error> {
        Ok(self.metadata(path)?.as_ref().map(entry_of))
    }

    fn entries(&self, path: &ImagePath) -> Result<Option<BTreeMap<Vec<u8>, Entry>>, Error> {
        match self.ext4.metadata(self.at(path)?) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) | Err(Ext4Error::NotFound | Ext4Error::NotADirectory) => return Ok(None),
            Err(error) => return Err(self.failed(path, error)),
        }
        let mut entries = BTreeMap::new();
        for entry in self.ext4.read_dir(self.at(path)?).map_err(|error| self.failed(path, error))? {
            let entry = entry.map_err(|error| self.failed(path, error))?;
            let name = entry.file_name().as_ref().to_vec();
            let metadata = entry.metadata().map_err(|error| {
                let damaged = path.join(&name).unwrap_or_else(|_| path.clone());
                self.failed(&damaged, error)
            })?;
            entries.insert(name, entry_of(&metadata));
        }
        Ok(Some(entries))
    }

    fn read(&self, path: &ImagePath) -> Result<Vec<u8>, Error> {
        self.ext4.read(self.at(path)?).map_err(|error| self.failed(path, error))
    }

    fn read_to(&self, path: &ImagePath, sink: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
        let mut file = self.ext4.open(self.at(path)?).map_err(|error| self.failed(path, error))?;
        let mut piece = vec![0; PIECE];
        loop {
            match file.read_bytes(&mut piece).map_err(|error| self.failed(path, error))? {
                0 => return Ok(()),
                length => sink(piece.get(..length).unwrap_or_default()),
            }
        }
    }

    fn target(&self, path: &ImagePath) -> Result<Vec<u8>, Error> {
        let target = self.ext4.read_link(self.at(path)?).map_err(|error| self.failed(path, error))?;
        Ok(target.as_ref().to_vec())
    }

    fn names(&self, path: &ImagePath) -> Result<Vec<Vec<u8>>, Error> {
        let mut names = Vec::new();
        for entry in self.ext4.read_dir(self.at(path)?).map_err(|error| self.failed(path, error))? {
            let entry = entry.map_err(|error| self.failed(path, error))?;
            let name = entry.file_name();
            if name != "." && name != ".." {
                names.push(name.as_ref().to_vec());
            }
        }
        names.sort();
        Ok(names)
    }
}
