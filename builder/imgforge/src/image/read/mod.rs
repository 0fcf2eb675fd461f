//! Reading an image's file systems with code that never writes them: ext4-view for the root, fatfs for the boot partition.
//!
//! Planning peeks at a base through this room, and read-back judges with it what the editors wrote.

mod boot;
mod package_tree;
mod remembered;
mod root;
mod slice;

use std::fmt;

use imgforge_spec::{Class, Diagnose, ImagePath};

pub use boot::BootTree;
pub use package_tree::PackageTree;
pub use remembered::Remembered;
pub use root::RootTree;
pub use slice::Slice;

use super::DAMAGED;
use crate::image::change::Access;

/// What kind of thing a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, FIFO or socket.
    Special,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::File => "file",
            Kind::Directory => "directory",
            Kind::Symlink => "symlink",
            Kind::Special => "special file",
        })
    }
}

/// What a path names, without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its kind.
    pub kind: Kind,
    /// Mode and owner; `0755 0:0` on FAT, which has none.
    pub access: Access,
    /// Size in bytes; of a link, the length of its target.
    pub size: u64,
}

/// A file system of the image could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not what the profile says, or is damaged.
    #[error("cannot read the {what}: {reason}")]
    Unreadable {
        /// Which file system.
        what: &'static str,
        /// The reader's own words.
        reason: String,
    },
    /// One path in it cannot be read.
    #[error("cannot read {path} in the {what}: {reason}")]
    Path {
        /// Which file system.
        what: &'static str,
        /// The path.
        path: ImagePath,
        /// The reader's own words.
        reason: String,
    },
}

impl Diagnose for Error {
    fn hint(&self) -> Option<String> {
        Some(DAMAGED.into())
    }

    fn class(&self) -> Class {
        Class::Image
    }
}

/// A file system that can be looked at.
pub trait Tree {
    /// What `path` names; a link in last place is not followed. `None` where there is nothing.
    fn entry(&self, path: &ImagePath) -> Result<Option<Entry>, Error>;

    /// The whole content of the file `path`.
    fn read(&self, path: &ImagePath) -> Result<Vec<u8>, Error>;

    /// Hands the content of the file `path` to `sink`, piece by piece.
    fn read_to(&self, path: &ImagePath, sink: &mut dyn FnMut(&[u8])) -> Result<(), Error>;

    /// Where the link `path` points.
    fn target(&self, path: &ImagePath) -> Result<Vec<u8>, Error>;

    /// The names in the directory `path`, sorted, without `.` and `..`.
    fn names(&self, path: &ImagePath) -> Result<Vec<Vec<u8>>, Error>;
}
