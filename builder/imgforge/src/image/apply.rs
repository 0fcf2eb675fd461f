//! The one place that writes into an image: changes go to the ext4 editor and to the boot partition.

use std::{ops::Range, sync::Arc};

use imgforge_disk::{
    Disk, Window,
    fat::Fat,
    partition::{SECTOR, Table},
};
use imgforge_ext4::{Content, Editor};
use imgforge_spec::{Class, Diagnose, ImagePath};

use super::DAMAGED;
use crate::image::{
    change::{Action, Attributes, Change, Volume},
    partitions::Partitions,
};

/// Cards and partitions are aligned to this many bytes (4 MiB: Armbian's and pi-gen's rounding).
const ALIGNMENT: u64 = 4 << 20;

/// Image files are whole blocks of this many bytes.
const BLOCK: u64 = 4096;

/// Why a change could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A change to the root file system.
    #[error("cannot change {path} in the root file system")]
    Root {
        /// The path.
        path: ImagePath,
        /// Why.
        source: imgforge_ext4::Error,
    },
    /// The root file system as a whole.
    #[error("cannot {what} the root file system")]
    FileSystem {
        /// What was tried.
        what: &'static str,
        /// Why.
        source: imgforge_ext4::Error,
    },
    /// A change to the boot partition.
    #[error("cannot change {path} in the boot partition")]
    Boot {
        /// The path.
        path: ImagePath,
        /// Why.
        source: imgforge_disk::Error,
    },
    /// The boot partition as a whole, or the partition table.
    #[error("cannot {what}")]
    Disk {
        /// What was tried.
        what: &'static str,
        /// Why.
        source: imgforge_disk::Error,
    },
    /// The disk's window of a partition.
    #[error("cannot reach a partition of the image")]
    Window(#[source] std::io::Error),
}

impl Diagnose for Error {
    fn below(&self) -> Option<&dyn Diagnose> {
        match self {
            Error::Boot { source, .. } | Error::Disk { source, .. } => Some(source),
            Error::Root { .. } | Error::FileSystem { .. } | Error::Window(_) => None,
        }
    }

    fn hint(&self) -> Option<String> {
        const ROOM: &str = "take a base whose root has more room, or lower `reserve` in the board's profile";
        let hint = match self {
            Error::FileSystem { what: "grow", source: imgforge_ext4::Error::Unsupported(_) } => ROOM,
            Error::Root { source, .. } | Error::FileSystem { source, .. } => match source {
                imgforge_ext4::Error::Unsupported(_) => {
                    "imgforge refuses what it does not fully understand, so that nothing is damaged"
                }
                imgforge_ext4::Error::Corrupt(_) => DAMAGED,
                imgforge_ext4::Error::NotExt4 { .. } => "take an image whose root is ext4",
                _ => return None,
            },
            Error::Boot { source, .. } | Error::Disk { source, .. } => match source {
                imgforge_disk::Error::Corrupt(_) => DAMAGED,
                imgforge_disk::Error::Layout(_) => ROOM,
                imgforge_disk::Error::VolumeFull { .. } => {
                    "imgforge does not grow the boot partition: put less into it"
                }
                _ => return None,
            },
            Error::Window(_) => return None,
        };
        Some(hint.into())
    }

    fn class(&self) -> Class {
        match self {
            Error::Root { source, .. } | Error::FileSystem { source, .. } => match source {
                imgforge_ext4::Error::Corrupt(_) => Class::Image,
                imgforge_ext4::Error::Io(_) => Class::Machine,
                _ => Class::Input,
            },
            _ => self.below().map_or(Class::Machine, Diagnose::class),
        }
    }
}

/// What applying the changes did to the image as a whole.
#[derive(Debug)]
pub(crate) struct Applied {
    /// The partition table as it is now.
    pub(crate) table: Table,
    /// Bytes the root file system was grown by.
    pub(crate) grown: u64,
    /// The bytes of the disk that are free in the root file system, in order: all that a card need not have.
    pub(crate) free: Vec<Range<u64>>,
}

/// Makes `changes` in `disk`, growing the root file system so that `reserve` bytes stay free.
///
/// On an error the disk is of no use.
pub(crate) fn apply(
    disk: &mut Disk,
    table: Table,
    partitions: &Partitions,
    changes: &[Change],
    reserve: u64,
    epoch: i64,
) -> Result<Applied, Error> {
    change_boot(disk, partitions, changes, epoch)?;
    let failed = |what| move |source| Error::FileSystem { what, source };
    let (mut table, mut range) = (table, partitions.root.range());
    let unwritten = |source| Error::Disk { what: "write the partition table", source };
    table.restore_backup(disk).map_err(unwritten)?;
    loop {
        let mut editor = open_root(disk, range.clone(), epoch)?;
        if range.end > partitions.root.range().end {
            editor.grow(range.end - range.start).map_err(failed("grow"))?;
        }
        // Growth itself takes room for inode tables and bitmaps, so whether it was enough shows only afterwards.
        let block_size = u64::from(editor.superblock().block_size());
        let wanted = needed(changes, block_size).saturating_add(reserve);
        let missing = wanted.saturating_sub(editor.free_blocks().saturating_mul(block_size));
        if missing == 0 {
            change_root(&mut editor, changes)?;
            editor.commit().map_err(failed("write"))?;
            break;
        }
        (table, range) = grow(disk, table, partitions.root.number, range, missing)?;
    }
    let free = open_root(disk, range.clone(), epoch)?.free_ranges().map_err(failed("read"))?;
    let on_disk = |free: Range<u64>| free.start + range.start..free.end + range.start;
    let grown = range.end - partitions.root.range().end;
    Ok(Applied { table, grown, free: free.into_iter().map(on_disk).collect() })
}

fn open_root(disk: &mut Disk, range: Range<u64>, epoch: i64) -> Result<Editor<Window<&mut Disk>>, Error> {
    let window = Disk::window(disk, range).map_err(Error::Window)?;
    Editor::open(window, epoch).map_err(|source| Error::FileSystem { what: "open", source })
}

/// An upper bound of the bytes `changes` take: whole blocks, and two more for each for the extent tree and the directory.
fn needed(changes: &[Change], block_size: u64) -> u64 {
    let cost = |change: &Change| match &change.action {
        Action::File { bytes, .. } => bytes.content.len().div_ceil(block_size).saturating_add(2),
        Action::Directory { .. } | Action::Symlink { .. } => 2,
        Action::HardLink { .. } => 1,
        Action::Remove => 0,
    };
    let blocks =
        changes.iter().filter(|change| change.volume == Volume::Root).map(cost).fold(0, u64::saturating_add);
    blocks.saturating_mul(block_size)
}

/// Grows the disk, its table and the root partition, which has the bytes `range`, by at least `missing` bytes. Returns the
/// table and the partition's bytes as they are then.
fn grow(
    disk: &mut Disk,
    mut table: Table,
    number: u32,
    range: Range<u64>,
    missing: u64,
) -> Result<(Table, Range<u64>), Error> {
    let failed = |what| move |source| Error::Disk { what, source };
    let end = (range.end.saturating_add(missing)).next_multiple_of(ALIGNMENT);
    // Whole blocks, as the files are written: a backup table has to be in the very last sector.
    let size = (end + table.tail_sectors() * SECTOR).next_multiple_of(BLOCK);
    disk.resize(size.max(disk.size()));
    table.grow(number, (end - range.start) / SECTOR).map_err(failed("grow the root partition"))?;
    table.write(disk).map_err(failed("write the partition table"))?;
    Ok((table, range.start..end))
}

fn change_boot(
    disk: &mut Disk,
    partitions: &Partitions,
    changes: &[Change],
    epoch: i64,
) -> Result<(), Error> {
    let changes: Vec<_> = changes.iter().filter(|change| change.volume == Volume::Boot).collect();
    let Some(boot) = partitions.boot.as_ref().filter(|_| !changes.is_empty()) else { return Ok(()) };
    let window = Disk::window(&mut *disk, boot.range()).map_err(Error::Window)?;
    let failed = |what| move |source| Error::Disk { what, source };
    let epoch = u64::try_from(epoch).unwrap_or_default();
    let mut fat = Fat::open(window, epoch).map_err(failed("open the boot partition"))?;
    for change in changes {
        let path = change.path.to_string();
        let path = path.trim_start_matches('/');
        let done = match &change.action {
            Action::File { bytes, .. } => {
                let mut plain = vec![0; bytes.content.len() as usize];
                bytes.content.read_at(0, &mut plain).map_err(Error::Window)?;
                fat.write(path, &plain)
            }
            Action::Directory { .. } => fat.make_directory(path),
            Action::Remove => fat.remove(path),
            // A plan never has links on FAT: `Draft` puts them in the root file system only.
            Action::Symlink { .. } | Action::HardLink { .. } => Ok(()),
        };
        done.map_err(|source| Error::Boot { path: change.path.clone(), source })?;
    }
    fat.finish().map_err(failed("write the boot partition"))?;
    Ok(())
}

fn change_root<D: imgforge_ext4::Device>(editor: &mut Editor<D>, changes: &[Change]) -> Result<(), Error> {
    let changes = || changes.iter().filter(|change| change.volume == Volume::Root);
    let failed = |change: &Change| {
        let path = change.path.clone();
        move |source| Error::Root { path, source }
    };
    // Removals first: their blocks are then free for what comes.
    for change in changes().filter(|change| matches!(change.action, Action::Remove)) {
        editor.remove_all(change.path.as_bytes()).map_err(failed(change))?;
    }
    // Links last: their files are then there.
    let is_link = |change: &&Change| matches!(change.action, Action::HardLink { .. });
    for change in changes().filter(|change| !is_link(change)).chain(changes().filter(is_link)) {
        change_path(editor, change).map_err(failed(change))?;
    }
    Ok(())
}

fn change_path<D: imgforge_ext4::Device>(
    editor: &mut Editor<D>,
    change: &Change,
) -> Result<(), imgforge_ext4::Error> {
    let path = change.path.as_bytes();
    match &change.action {
        Action::Remove => Ok(()),
        Action::Directory { attributes } => editor.make_directory(path, &of_inode(attributes)),
        Action::File { bytes, attributes } => {
            let content: Arc<dyn Content> = Arc::clone(&bytes.content);
            make_way(editor, path, imgforge_ext4::FileType::Regular)?;
            editor.write_file(path, &content, &of_inode(attributes))
        }
        Action::Symlink { target, attributes } => {
            if editor.metadata(path)?.is_some() {
                editor.remove(path)?;
            }
            editor.make_symlink(
                path,
                target,
                &imgforge_ext4::Attributes { mode: None, ..of_inode(attributes) },
            )
        }
        Action::HardLink { target } => {
            if editor.metadata(path)?.is_some() {
                editor.remove(path)?;
            }
            editor.make_hard_link(target.as_bytes(), path)
        }
    }
}

/// Takes away what is at `path` unless it is of the wanted type, which is replaced in place.
fn make_way<D: imgforge_ext4::Device>(
    editor: &mut Editor<D>,
    path: &[u8],
    wanted: imgforge_ext4::FileType,
) -> Result<(), imgforge_ext4::Error> {
    match editor.metadata(path)? {
        Some(there) if there.file_type != wanted => editor.remove(path),
        _ => Ok(()),
    }
}

/// Without attributes of its own, what is replaced keeps the vendor's.
fn of_inode(attributes: &Attributes) -> imgforge_ext4::Attributes {
    let Attributes { access, mtime, xattrs } = attributes;
    imgforge_ext4::Attributes {
        mode: Some(access.mode),
        uid: Some(access.uid),
        gid: Some(access.gid),
        mtime: *mtime,
        xattrs: (!xattrs.is_empty())
            .then(|| xattrs.iter().map(|(name, value)| (name.clone().into_bytes(), value.clone())).collect()),
    }
}
