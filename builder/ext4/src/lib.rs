//! Edits an ext4 file system in place, offline and without privileges.

mod device;
pub mod dump;
mod editor;
mod error;
mod metadata;
mod superblock;

pub use device::{Content, Device};
pub use editor::Editor;
pub use error::{Corrupt, Error, Result};
pub use metadata::{Attributes, DirectoryEntry, FileType, Metadata, Node, Xattrs};
pub use superblock::Superblock;
