//! placeholder
use crate::{Device, Editor, Error, Result, Superblock};

/// The superblock.
pub fn superblock(_superblock: &Superblock) -> String { String::new() }
/// One line per group.
pub fn groups<D: Device>(_editor: &Editor<D>) -> String { String::new() }
/// The inode behind a path: attributes, extents, extended attributes.
pub fn inode<D: Device>(_editor: &Editor<D>, _path: &[u8]) -> Result<String> { Err(Error::Unsupported("not written yet".into())) }
/// The entries of a directory and its index.
pub fn directory<D: Device>(_editor: &Editor<D>, _path: &[u8]) -> Result<String> { Err(Error::Unsupported("not written yet".into())) }
