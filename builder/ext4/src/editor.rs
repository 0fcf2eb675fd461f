//! The editor.
#![allow(unused_variables, missing_docs)]
use std::sync::Arc;

use crate::{Attributes, Content, Device, DirectoryEntry, Error, Metadata, Node, Result, Superblock, Xattrs};

/// An ext4 file system being edited.
#[derive(Debug)]
pub struct Editor<D> { device: D }

fn soon<T>() -> Result<T> { Err(Error::Unsupported("not written yet".into())) }

impl<D: Device> Editor<D> {
    pub fn open(device: D, epoch: i64) -> Result<Self> { soon() }
    pub fn superblock(&self) -> &Superblock { &Superblock {} }
    pub fn device(&self) -> &D { &self.device }
    pub fn free_blocks(&self) -> u64 { 0 }
    pub fn free_inodes(&self) -> u64 { 0 }
    pub fn metadata(&self, path: &[u8]) -> Result<Option<Metadata>> { soon() }
    pub fn read_file(&self, path: &[u8]) -> Result<Vec<u8>> { soon() }
    /// Bytes from `offset` on into `buf`; how many there were.
    pub fn read_file_at(&self, path: &[u8], offset: u64, buf: &mut [u8]) -> Result<usize> { soon() }
    pub fn read_link(&self, path: &[u8]) -> Result<Vec<u8>> { soon() }
    /// Without `.` and `..`, sorted by name.
    pub fn read_directory(&self, path: &[u8]) -> Result<Vec<DirectoryEntry>> { soon() }
    pub fn xattrs(&self, path: &[u8]) -> Result<Xattrs> { soon() }
    pub fn write_file(&mut self, path: &[u8], content: &Arc<dyn Content>, attributes: &Attributes) -> Result<()> { soon() }
    pub fn make_directory(&mut self, path: &[u8], attributes: &Attributes) -> Result<()> { soon() }
    pub fn make_symlink(&mut self, path: &[u8], target: &[u8], attributes: &Attributes) -> Result<()> { soon() }
    pub fn make_hard_link(&mut self, existing: &[u8], path: &[u8]) -> Result<()> { soon() }
    pub fn make_node(&mut self, path: &[u8], node: Node, attributes: &Attributes) -> Result<()> { soon() }
    pub fn remove(&mut self, path: &[u8]) -> Result<()> { soon() }
    pub fn remove_all(&mut self, path: &[u8]) -> Result<()> { soon() }
    pub fn set_attributes(&mut self, path: &[u8], attributes: &Attributes) -> Result<()> { soon() }
    pub fn grow(&mut self, size: u64) -> Result<()> { soon() }
    pub fn commit(self) -> Result<D> { soon() }
}
