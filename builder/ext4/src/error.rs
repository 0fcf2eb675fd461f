//! What can go wrong, in two tiers: [`Error`] by what the caller can do, [`Corrupt`] with the exact place.

use std::{io, result};

/// Shorthand of this crate's functions.
pub type Result<T> = result::Result<T, Error>;

/// Why the editor did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A path, or a directory on the way to it, is not there.
    #[error("{}: not found", .0.escape_ascii())]
    NotFound(Vec<u8>),
    /// The path is taken by something that this operation does not replace.
    #[error("{}: already exists", .0.escape_ascii())]
    AlreadyExists(Vec<u8>),
    /// A directory was needed.
    #[error("{}: not a directory", .0.escape_ascii())]
    NotADirectory(Vec<u8>),
    /// Anything but a directory was needed.
    #[error("{}: is a directory", .0.escape_ascii())]
    IsADirectory(Vec<u8>),
    /// The directory still has entries.
    #[error("{}: directory not empty", .0.escape_ascii())]
    NotEmpty(Vec<u8>),
    /// The path or its last name cannot be used: empty, `.`, `..`, over 255 bytes, a NUL byte, or a loop of
    /// symbolic links.
    #[error("{}: {reason}", .path.escape_ascii())]
    InvalidPath {
        /// The path as it was given.
        path: Vec<u8>,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file or directory has as many links as an inode can count.
    #[error("{}: too many links", .0.escape_ascii())]
    TooManyLinks(Vec<u8>),
    /// Not enough free blocks.
    #[error("no space: {needed} blocks needed, {free} free")]
    NoSpace {
        /// Blocks the operation needs.
        needed: u64,
        /// Blocks that are free.
        free: u64,
    },
    /// Every inode is in use.
    #[error("no free inode")]
    NoInodes,
    /// The file system, or the wish, uses something this editor does not do; the text names it.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// An earlier edit failed half-way (its error told why), so this editor changes nothing any more.
    #[error("an earlier edit failed half-way")]
    Broken,
    /// The device holds no ext4 file system: nothing, or something else.
    #[error("no ext4 file system (magic {magic:#06x}, ext4 has 0xef53)")]
    NotExt4 {
        /// What stands in the place of ext4's magic number; 0 on a device too short to have one.
        magic: u16,
    },
    /// The file system contradicts itself; `e2fsck` can say more.
    #[error("corrupt file system: {0}")]
    Corrupt(#[from] Corrupt),
    /// The device or a content failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A contradiction in the file system, with structure and number.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Corrupt(CorruptKind);

#[derive(Debug, thiserror::Error)]
pub(crate) enum CorruptKind {
    #[error("superblock: {field} is {value}")]
    Superblock { field: &'static str, value: u64 },
    #[error("superblock: checksum does not match")]
    SuperblockChecksum,
    #[error("the file system has {blocks} blocks of {block_size} bytes, its device only {device} bytes")]
    DeviceTooSmall { blocks: u64, block_size: u64, device: u64 },
    #[error("group {group}: descriptor checksum does not match")]
    DescriptorChecksum { group: u32 },
    #[error("group {group} does not exist, the file system has {groups}")]
    GroupRange { group: u32, groups: u32 },
    #[error("group {group}: {field} is {value}")]
    Descriptor { group: u32, field: &'static str, value: u64 },
    #[error("group {group}: checksum of the {kind} bitmap does not match")]
    BitmapChecksum { group: u32, kind: &'static str },
    #[error("group {group}: {kind} bitmap has {found} free, its descriptor says {expected}")]
    BitmapCount { group: u32, kind: &'static str, found: u32, expected: u32 },
    #[error("block {block} lies outside the file system")]
    BlockRange { block: u64 },
    #[error("block {block} is freed but not in use")]
    BlockNotInUse { block: u64 },
    #[error("block {block} is taken but in use already")]
    BlockInUse { block: u64 },
    #[error("inode {inode} does not exist")]
    InodeRange { inode: u32 },
    #[error("inode {inode} is named by a directory but not in use")]
    InodeNotInUse { inode: u32 },
    #[error("inode {inode} is taken but in use already")]
    InodeInUse { inode: u32 },
    #[error("inode {inode}: checksum does not match")]
    InodeChecksum { inode: u32 },
    #[error("inode {inode}: {field} is {value:#x}")]
    Inode { inode: u32, field: &'static str, value: u64 },
    #[error("inode {inode}: extent tree: {reason} (block {block})")]
    Extent { inode: u32, block: u64, reason: &'static str },
    #[error("inode {inode}: block map: {reason} (block {block})")]
    BlockMap { inode: u32, block: u64, reason: &'static str },
    #[error("directory inode {inode}, block {block}, offset {offset}: {reason}")]
    Directory { inode: u32, block: u32, offset: usize, reason: &'static str },
    #[error("inode {inode}: extended attributes: {reason}")]
    Xattr { inode: u32, reason: &'static str },
    #[error("journal: {field} is {value:#x}")]
    Journal { field: &'static str, value: u64 },
    #[error("resize inode: {reason}")]
    ResizeInode { reason: &'static str },
}

impl From<CorruptKind> for Error {
    fn from(kind: CorruptKind) -> Self {
        Self::Corrupt(Corrupt(kind))
    }
}
