//! A directory in memory, and how it is read.

use std::collections::BTreeMap;

use crate::{
    Device, FileType,
    directory_block::{self, Target, record_size},
    error::{CorruptKind, Error, Result},
    htree,
    inode::{FLAG_INDEX, Inode, ROOT_INODE},
    volume::Volume,
};

/// Names kept of directories that were only read. Beyond that they are forgotten and read again.
const NAMES_KEPT: usize = 200_000;

/// The names of one directory.
#[derive(Debug)]
pub(crate) struct Directory {
    /// Inode of the directory above; the root is its own.
    pub(crate) parent: u32,
    /// Without `.` and `..`.
    pub(crate) entries: BTreeMap<Vec<u8>, Target>,
    /// Entries that are directories.
    pub(crate) subdirectories: u32,
    /// Bytes of all records.
    pub(crate) record_bytes: usize,
    /// Whether it has to be written.
    pub(crate) changed: bool,
    /// Free blocks set aside for writing it.
    pub(crate) promised: u64,
}

impl Directory {
    /// An empty one.
    pub(crate) fn new(parent: u32) -> Self {
        Self {
            parent,
            entries: BTreeMap::new(),
            subdirectories: 0,
            record_bytes: 0,
            changed: false,
            promised: 0,
        }
    }

    /// Puts a name in; gives what it stood for before.
    pub(crate) fn insert(&mut self, name: &[u8], target: Target) -> Option<Target> {
        let old = self.remove(name);
        self.subdirectories += u32::from(target.file_type == FileType::Directory);
        self.record_bytes += record_size(name.len());
        self.entries.insert(name.to_vec(), target);
        old
    }

    /// Takes a name out; gives what it stood for.
    pub(crate) fn remove(&mut self, name: &[u8]) -> Option<Target> {
        let old = self.entries.remove(name)?;
        self.subdirectories -= u32::from(old.file_type == FileType::Directory);
        self.record_bytes -= record_size(name.len());
        Some(old)
    }
}

/// Directories by inode number.
#[derive(Debug, Default)]
pub(crate) struct Directories {
    pub(crate) map: BTreeMap<u32, Directory>,
    /// Names of those that were only read.
    names: usize,
}

impl Directories {
    /// Keeps a directory that was read; forgets others that can be read again, if there are too many names.
    fn keep(&mut self, number: u32, directory: Directory) {
        if self.names + directory.entries.len() > NAMES_KEPT {
            self.map.retain(|_, directory| directory.changed);
            self.names = 0;
        }
        self.names += directory.entries.len();
        self.map.insert(number, directory);
    }
}

impl<D: Device> Volume<D> {
    /// Hands the directory `number` to `read`.
    pub(crate) fn with_directory<T>(&self, number: u32, read: impl FnOnce(&Directory) -> T) -> Result<T> {
        if let Some(directory) = self.directories.borrow().map.get(&number) {
            return Ok(read(directory));
        }
        let directory = self.load_directory(number)?;
        let result = read(&directory);
        self.directories.borrow_mut().keep(number, directory);
        Ok(result)
    }

    /// The directory `number`, to be changed.
    pub(crate) fn directory_mut(&mut self, number: u32) -> Result<&mut Directory> {
        self.with_directory(number, |_| ())?;
        let Directories { map, names } = self.directories.get_mut();
        let directory = map.get_mut(&number).ok_or(CorruptKind::InodeNotInUse { inode: number })?;
        if !directory.changed {
            *names = names.saturating_sub(directory.entries.len());
            directory.changed = true;
        }
        Ok(directory)
    }

    fn load_directory(&self, number: u32) -> Result<Directory> {
        let inode = self.inode(number)?;
        let corrupt = |block, offset, reason| -> Error {
            CorruptKind::Directory { inode: number, block, offset, reason }.into()
        };
        if !inode.is_directory() {
            return Err(corrupt(0, 0, "not a directory"));
        }
        let seed = self.inode_seed(number, &inode);
        let (mut own, mut parent) = (None, None);
        let mut directory = Directory::new(0);
        for block in self.directory_blocks(number, &inode)? {
            let (block, bytes) = block?;
            if let Some(seed) = seed {
                let index =
                    inode.has_flag(FLAG_INDEX).then(|| htree::verify_index(&bytes, block, seed)).flatten();
                if !index.unwrap_or_else(|| directory_block::verify(&bytes, seed)) {
                    return Err(corrupt(block, 0, "checksum does not match"));
                }
            }
            let entries =
                directory_block::decode(&bytes).map_err(|(offset, reason)| corrupt(block, offset, reason))?;
            for entry in entries {
                self.inode_byte(entry.inode)?;
                let file_type = entry.file_type.ok_or_else(|| corrupt(block, 0, "unknown file type"))?;
                let target = Target { inode: entry.inode, file_type };
                let twice = match entry.name {
                    b"." => own.replace(entry.inode).is_some(),
                    b".." => parent.replace(entry.inode).is_some(),
                    name => directory.insert(name, target).is_some(),
                };
                if twice {
                    return Err(corrupt(block, 0, "one name twice"));
                }
            }
        }
        let parent = parent.ok_or_else(|| corrupt(0, 12, "no entry .."))?;
        if own != Some(number) || (number == ROOT_INODE) != (parent == number) {
            return Err(corrupt(0, 0, "wrong entry . or .."));
        }
        directory.parent = parent;
        Ok(directory)
    }

    /// The blocks of a directory with their numbers within it.
    pub(crate) fn directory_blocks(
        &self,
        number: u32,
        inode: &Inode,
    ) -> Result<impl Iterator<Item = Result<(u32, Vec<u8>)>> + '_> {
        let block_size = u64::from(self.geometry.block_size);
        let blocks = inode.size() / block_size;
        let extents = self.mapping(number, inode)?.extents;
        let mapped: u64 = extents.iter().map(|extent| u64::from(extent.length)).sum();
        let last = extents.last().map_or(0, |extent| extent.end());
        if mapped < blocks || last != mapped || !inode.size().is_multiple_of(block_size) {
            let reason = "size and blocks do not agree";
            return Err(CorruptKind::Directory { inode: number, block: 0, offset: 0, reason }.into());
        }
        let all = extents.into_iter().flat_map(|extent| {
            (0..extent.length).map(move |i| (extent.logical + i, extent.physical + u64::from(i)))
        });
        Ok(all.take(blocks as usize).map(|(logical, physical)| Ok((logical, self.read_block(physical)?))))
    }
}
