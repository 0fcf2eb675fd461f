//! Reading an image's file systems with code that never writes them: ext4-view and fatfs.
//!
//! Planning peeks at a base through this room, and read-back judges with it what the editors wrote.

mod ext4;
mod fat;
mod inodes;
mod package_tree;
mod remembered;
mod slice;

use std::{collections::BTreeMap, fmt};

use imgforge_disk::{
    Content,
    probe::{Contents, probe_in},
};
use imgforge_spec::{Class, Diagnose, ImagePath};

pub(crate) use inodes::Inodes;
pub(crate) use package_tree::PackageTree;
pub(crate) use remembered::Remembered;
pub(crate) use slice::Slice;

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
    /// Time of modification, in seconds since 1970; `None` on FAT, which keeps the time of some place.
    pub mtime: Option<i64>,
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
    /// It holds what imgforge does not read.
    #[error("the {what} is unsupported: it holds {}", found.unwrap_or("nothing that is known"))]
    Unsupported {
        /// Which file system.
        what: &'static str,
        /// What it holds, if that is known.
        found: Option<&'static str>,
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
        Some(match self {
            Error::Unsupported { .. } => {
                "take an image whose root is ext4, and its boot partition, if it has one, FAT".into()
            }
            Error::Unreadable { .. } | Error::Path { .. } => DAMAGED.into(),
        })
    }

    fn class(&self) -> Class {
        match self {
            Error::Unsupported { .. } => Class::Input,
            Error::Unreadable { .. } | Error::Path { .. } => Class::Image,
        }
    }
}

/// A file system that can be looked at.
pub trait Tree: fmt::Debug {
    /// What `path` names; a link in last place is not followed. `None` where there is nothing.
    fn entry(&self, path: &ImagePath) -> Result<Option<Entry>, Error>;

    /// What the names in the directory `path` name, found with one look at it; links to it are followed, those in it are not. `None`
    /// where there is no directory, and of trees whose names have several spellings.
    fn entries(&self, _: &ImagePath) -> Result<Option<BTreeMap<Vec<u8>, Entry>>, Error> {
        Ok(None)
    }

    /// The whole content of the file `path`.
    fn read(&self, path: &ImagePath) -> Result<Vec<u8>, Error>;

    /// Hands the content of the file `path` to `sink`, piece by piece.
    fn read_to(&self, path: &ImagePath, sink: &mut dyn FnMut(&[u8])) -> Result<(), Error>;

    /// Where the link `path` points.
    fn target(&self, path: &ImagePath) -> Result<Vec<u8>, Error>;

    /// The names in the directory `path`, sorted, without `.` and `..`.
    fn names(&self, path: &ImagePath) -> Result<Vec<Vec<u8>>, Error>;
}

/// Opens one kind of file system, that fills the slice and is called so in errors.
type Open = fn(Slice, &'static str) -> Result<Box<dyn Tree>, Error>;

/// All that can be read. One more file system is one more file in this room, and one more row.
const READERS: [(Contents, Open); 2] = [
    (Contents::Ext, |partition, what| Ok(Box::new(ext4::Ext4Tree::open(partition, what)?))),
    (Contents::Fat, |partition, what| Ok(Box::new(fat::FatTree::open(partition, what)?))),
];

/// Opens the file system that fills `partition`, whatever it is; `what` it is to the image, errors say.
pub fn open(partition: Slice, what: &'static str) -> Result<Box<dyn Tree>, Error> {
    let reader = reader_of(&partition, what)?;
    reader(partition, what)
}

/// Whether the file system that fills `partition` is one that can be read.
pub fn check(partition: &Slice, what: &'static str) -> Result<(), Error> {
    reader_of(partition, what).map(drop)
}

fn reader_of(partition: &Slice, what: &'static str) -> Result<Open, Error> {
    let found = probe_in(partition, 0..partition.len());
    let found = found.map_err(|error| Error::Unreadable { what, reason: error.to_string() })?;
    let reader = READERS.iter().find(|(contents, _)| Some(*contents) == found);
    let unsupported = || Error::Unsupported { what, found: found.map(Contents::name) };
    reader.map(|(_, open)| *open).ok_or_else(unsupported)
}
