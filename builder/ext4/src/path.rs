//! From paths to inodes.

use std::collections::VecDeque;

use crate::{
    Device, FileType,
    directory_block::{MAX_NAME, Target},
    error::{CorruptKind, Error, Result},
    inode::{FAST_SYMLINK, Inode, ROOT_INODE},
    volume::Volume,
};

/// Symbolic links that one path may lead through.
const MAX_LINKS: u32 = 40;

/// Where a path leads.
#[derive(Debug, Clone)]
pub(crate) struct Location {
    /// The directory that holds the last name, or would hold it.
    pub(crate) directory: u32,
    /// The last name; `None` if the path ends in the directory itself (`/`, `a/..`).
    pub(crate) name: Option<Vec<u8>>,
    /// What is there.
    pub(crate) target: Option<Target>,
}

impl<D: Device> Volume<D> {
    /// Follows `path` from the root. Symbolic links are followed on the way but not at the end.
    pub(crate) fn locate(&self, path: &[u8]) -> Result<Location> {
        let invalid = |reason| Error::InvalidPath { path: path.to_vec(), reason };
        if path.is_empty() {
            return Err(invalid("empty path"));
        }
        let mut directory = ROOT_INODE;
        let mut links = 0;
        let mut names: VecDeque<Vec<u8>> = components(path).collect();
        while let Some(name) = names.pop_front() {
            if name == b".." {
                directory = self.with_directory(directory, |directory| directory.parent)?;
                continue;
            }
            if name.len() > MAX_NAME {
                return Err(invalid("a name of more than 255 bytes"));
            }
            if name.contains(&0) {
                return Err(invalid("a NUL byte in a name"));
            }
            let target = self.with_directory(directory, |directory| directory.entries.get(&name).copied())?;
            if names.is_empty() {
                return Ok(Location { directory, name: Some(name), target });
            }
            match target {
                Some(Target { inode, file_type: FileType::Directory }) => directory = inode,
                Some(Target { inode, file_type: FileType::Symlink }) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(invalid("too many symbolic links"));
                    }
                    let link = self.link_target(inode)?;
                    if link.starts_with(b"/") {
                        directory = ROOT_INODE;
                    }
                    for name in components(&link).collect::<Vec<_>>().into_iter().rev() {
                        names.push_front(name);
                    }
                }
                Some(_) => return Err(Error::NotADirectory(path.to_vec())),
                None => return Err(Error::NotFound(path.to_vec())),
            }
        }
        let target = Target { inode: directory, file_type: FileType::Directory };
        Ok(Location { directory, name: None, target: Some(target) })
    }

    /// The inode at `path`, which must be there.
    pub(crate) fn find(&self, path: &[u8]) -> Result<(u32, Inode)> {
        let target = self.locate(path)?.target.ok_or_else(|| Error::NotFound(path.to_vec()))?;
        Ok((target.inode, self.inode(target.inode)?))
    }

    /// The target of the symbolic link `number`.
    pub(crate) fn link_target(&self, number: u32) -> Result<Vec<u8>> {
        let inode = self.inode(number)?;
        if inode.size() > self.geometry.block_size.into() {
            return Err(CorruptKind::Inode { inode: number, field: "i_size", value: inode.size() }.into());
        }
        let length = inode.size() as usize;
        if !inode.has_mapping() && length <= FAST_SYMLINK {
            return Ok(inode.core.i_block[..length].to_vec());
        }
        let mut target = vec![0; length];
        self.read_data(number, &inode, 0, &mut target)?;
        Ok(target)
    }
}

/// The names of a path; empty ones and `.` say nothing.
fn components(path: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".").map(<[u8]>::to_vec)
}
