//! An image as the rest of the program sees it: a disk, its partition table, and the partitions a profile names.

use std::{ops::Range, sync::Arc};

use imgforge_disk::{
    Content, Disk,
    fat::Fat,
    partition::{Format, Partition, Table},
};
use imgforge_spec::Diagnose;

use super::DAMAGED;
use crate::{
    catalogue::profile::{Layout, TableKind},
    image::read::{self, Inodes, Slice, Tree},
};

/// The partitions that a build works on.
#[derive(Debug, Clone)]
pub struct Partitions {
    /// The ext4 root file system's.
    pub root: Partition,
    /// The FAT boot partition, where the board has one.
    pub boot: Option<Partition>,
}

/// The image is not laid out as the profile says.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The partition table cannot be read.
    #[error("cannot read the partition table")]
    Table(#[source] imgforge_disk::Error),
    /// It is of another kind than the profile says.
    #[error("the image has a partition table of kind {found:?}, but the profile says {expected:?}")]
    TableKind {
        /// In the image.
        found: Format,
        /// In the profile.
        expected: TableKind,
    },
    /// A partition the profile names is not there.
    #[error("the image has no partition {number}, which the profile says is the {what}; it has {there}")]
    NoPartition {
        /// Its number.
        number: u32,
        /// What it should be.
        what: &'static str,
        /// The numbers there are.
        there: String,
    },
    /// The boot partition is damaged.
    #[error("cannot read the boot partition")]
    Boot(#[source] imgforge_disk::Error),
    /// A file system cannot be read.
    #[error(transparent)]
    Read(#[from] read::Error),
}

impl Diagnose for Error {
    fn below(&self) -> Option<&dyn Diagnose> {
        match self {
            Error::Table(error) | Error::Boot(error) => Some(error),
            Error::Read(error) => Some(error),
            Error::TableKind { .. } | Error::NoPartition { .. } => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::Table(_) => Some("the image is cut off, damaged, or no disk image: get it again".into()),
            Error::Boot(imgforge_disk::Error::Corrupt(_)) => Some(DAMAGED.into()),
            Error::TableKind { .. } | Error::NoPartition { .. } => {
                Some("is this image for that board? `imgforge inspect IMAGE` shows what is in it".into())
            }
            _ => self.below()?.hint(),
        }
    }
}

impl Partitions {
    /// Finds in `table` the partitions that `layout` names.
    pub fn find(table: &Table, layout: &Layout) -> Result<Self, Error> {
        let expected = layout.table;
        let fits = matches!(
            (table.format(), expected),
            (Format::Mbr, TableKind::Mbr) | (Format::Gpt, TableKind::Gpt)
        );
        if !fits {
            return Err(Error::TableKind { found: table.format(), expected });
        }
        Self::by_number(table, layout.root, layout.boot.as_ref().map(|boot| boot.partition))
    }

    /// Finds the partitions with these numbers.
    pub(crate) fn by_number(table: &Table, root: u32, boot: Option<u32>) -> Result<Self, Error> {
        let find = |number: u32, what: &'static str| {
            table.partition(number).cloned().ok_or_else(|| {
                let there: Vec<_> = table.partitions().iter().map(|p| p.number.to_string()).collect();
                Error::NoPartition { number, what, there: there.join(", ") }
            })
        };
        let boot = boot.map(|number| find(number, "boot partition")).transpose()?;
        Ok(Self { root: find(root, "root file system")?, boot })
    }
}

/// The file systems of an image, open for reading.
#[derive(Debug)]
pub struct Trees {
    /// The root file system.
    pub root: Box<dyn Tree>,
    /// The boot partition.
    pub boot: Option<Box<dyn Tree>>,
    image: Arc<dyn Content>,
    root_range: Range<u64>,
}

impl Trees {
    /// Opens the file systems in `partitions` of `image`.
    pub fn open(image: &Arc<dyn Content>, partitions: &Partitions) -> Result<Self, Error> {
        let root_range = partitions.root.range();
        let root = read::open(slice(image, root_range.clone(), ROOT)?, ROOT)?;
        let open_boot = |boot: &Partition| {
            check_boot(image, boot.range())?;
            Ok::<_, Error>(read::open(slice(image, boot.range(), BOOT)?, BOOT)?)
        };
        let boot = partitions.boot.as_ref().map(open_boot).transpose()?;
        Ok(Self { root, boot, image: Arc::clone(image), root_range })
    }

    /// Whether the root file system is of a kind that can be read; whether it is sound, opening it tells.
    pub(crate) fn check_root(image: &Arc<dyn Content>, partitions: &Partitions) -> Result<(), Error> {
        Ok(read::check(&slice(image, partitions.root.range(), ROOT)?, ROOT)?)
    }

    /// The boot partition as a tree.
    pub fn boot(&self) -> Option<&dyn Tree> {
        self.boot.as_deref()
    }

    /// The inodes of the root file system.
    pub(crate) fn inodes(&self) -> Result<Inodes, read::Error> {
        Inodes::open(&self.image, self.root_range.clone())
    }
}

const ROOT: &str = "root file system";
const BOOT: &str = "boot partition";

/// Has the boot partition checked as a whole: fatfs follows a chain of clusters that loops for ever.
fn check_boot(image: &Arc<dyn Content>, range: Range<u64>) -> Result<(), Error> {
    let mut disk = Disk::new(Arc::clone(image));
    let unreadable =
        |error: std::io::Error| read::Error::Unreadable { what: "boot partition", reason: error.to_string() };
    let window = Disk::window(&mut disk, range).map_err(unreadable)?;
    Fat::open(window, 0).map(drop).map_err(Error::Boot)
}

fn slice(image: &Arc<dyn Content>, range: Range<u64>, what: &'static str) -> Result<Slice, read::Error> {
    let unreadable = |error: std::io::Error| read::Error::Unreadable { what, reason: error.to_string() };
    Slice::new(Arc::clone(image), range).map_err(unreadable)
}

/// The bytes of `image` that are free in its root file system, in order: all that a card need not have.
pub(crate) fn free(image: &Arc<dyn Content>, partitions: &Partitions) -> Result<Vec<Range<u64>>, Error> {
    let range = partitions.root.range();
    let mut inodes = Inodes::open(image, range.clone())?;
    let free = inodes.free_ranges()?;
    Ok(free.into_iter().map(|free| free.start + range.start..free.end + range.start).collect())
}

/// Reads the partition table of `image`.
pub(crate) fn table_of(image: &Arc<dyn Content>) -> Result<Table, Error> {
    Table::read(&Disk::new(Arc::clone(image))).map_err(Error::Table)
}
