//! Edits an ext4 file system in place, offline and without privileges.

mod allocate;
mod bitmap;
mod block_map;
mod checksum;
mod commit;
mod device;
mod directory;
mod directory_block;
pub mod dump;
mod edit;
mod editor;
mod error;
mod extent;
mod features;
mod geometry;
mod group_descriptor;
mod grow;
mod hash;
mod htree;
mod inode;
mod metadata;
mod path;
mod superblock;
mod volume;
mod xattr;

pub use device::{Content, Device};
pub use editor::Editor;
pub use error::{Corrupt, Error, Result};
pub use metadata::{Attributes, DirectoryEntry, FileType, Metadata, Node, Xattrs};
pub use superblock::Superblock;

#[cfg(test)]
mod tests;
