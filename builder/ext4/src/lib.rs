//! Edits an ext4 file system in place, offline and without privileges.
//!
//! An [`Editor`] stands on a [`Device`], keeps all changes of metadata in memory, and writes them on
//! [`commit`](Editor::commit). The same file system, calls and epoch give the same bytes.
//!
//! ```
//! use std::sync::Arc;
//! use imgforge_ext4::{Attributes, Content, Editor, Error};
//!
//! fn name_host(image: Vec<u8>, epoch: i64) -> Result<Vec<u8>, Error> {
//!     let mut editor = Editor::open(image, epoch)?;
//!     editor.grow(editor.device().len() as u64)?;
//!     editor.make_directory(b"/etc", &Attributes::default())?;
//!     let name: Arc<dyn Content> = Arc::new(b"node-1\n".to_vec());
//!     editor.write_file(b"/etc/hostname", &name, &Attributes { mode: Some(0o644), ..Attributes::default() })?;
//!     editor.commit()
//! }
//!
//! // What is no ext4 file system is refused, and so is what the editor does not know in full.
//! assert!(matches!(name_host(vec![0; 1 << 20], 1_700_000_000), Err(Error::NotExt4 { magic: 0 })));
//! ```
//!
//! The layers, from the bytes up:
//!
//! - one module per structure on disk, pure over bytes: `superblock`, `group_descriptor`, `bitmap`, `inode`, `extent`,
//!   `block_map`, `directory_block`, `htree` with `hash`, `xattr`, `journal`, `checksum`; `features` and `geometry` for what
//!   follows from the superblock;
//! - `volume`, with `directory` and `path`: the file system as it reads under the edits, with every check;
//! - `allocate`: what is free and what is taken next;
//! - `edit`, `grow`, `commit`: what changes.

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
mod journal;
mod mapping;
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
