//! What can go wrong, by what the caller can do about it.

use std::{
    io,
    path::{Path, PathBuf},
};

use imgforge_spec::{Class, Diagnose};

use crate::{decode, fat, partition, xz};

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The host could not read or write a file: check the path, the rights and the device.
    #[error("{what} `{}`", .path.display())]
    Io {
        /// What was tried, as the beginning of a sentence.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the host said.
        source: io::Error,
    },
    /// The host's disk (or quota) is full: make room or write elsewhere.
    #[error("no space left for `{}`", .path.display())]
    HostFull {
        /// The file that could not be written.
        path: PathBuf,
    },
    /// The input is damaged, or lies about itself: get it again.
    #[error(transparent)]
    Corrupt(Corrupt),
    /// The input is valid, but of a kind this crate does not take.
    #[error(transparent)]
    Unsupported(Unsupported),
    /// The image would be larger than the caller allows.
    #[error("the image is larger than the {limit} bytes expected of it")]
    TooLarge {
        /// The caller's limit in bytes.
        limit: u64,
    },
    /// The FAT volume has not enough free space.
    #[error("the FAT volume is full: {needed} bytes needed, {free} bytes free")]
    VolumeFull {
        /// Bytes needed, in whole clusters.
        needed: u64,
        /// Bytes free, in whole clusters.
        free: u64,
    },
    /// There is no such file or directory on the FAT volume.
    #[error("`{path}` is not on the FAT volume")]
    NotFound {
        /// The path as given.
        path: String,
    },
    /// The disk image could not be read or written. Its offsets were ours, so a base that changed under us is likely.
    #[error("cannot access the disk image")]
    Disk(#[source] io::Error),
    /// The partition cannot be changed as asked.
    #[error(transparent)]
    Layout(Layout),
    /// Another process is writing the same file.
    #[error("`{}` is being written by another process", .path.display())]
    Busy {
        /// The file both want.
        path: PathBuf,
    },
}

impl Diagnose for Error {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::HostFull { .. } => "make room there, or choose another place",
            Error::Corrupt(_) => "the file is damaged or cut off: get it again",
            Error::Busy { .. } => "wait until it has ended",
            _ => return None,
        };
        Some(hint.into())
    }

    fn class(&self) -> Class {
        match self {
            // A name that is not there was mistyped.
            Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => Class::Input,
            Error::Io { .. } | Error::HostFull { .. } | Error::Disk(_) | Error::Busy { .. } => Class::Machine,
            Error::Corrupt(_) => Class::Image,
            _ => Class::Input,
        }
    }
}

/// What exactly is damaged. The message names structure, place and numbers.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Corrupt(pub(crate) CorruptKind);

#[derive(Debug, thiserror::Error)]
pub(crate) enum CorruptKind {
    #[error(transparent)]
    Decode(#[from] decode::Fault),
    #[error(transparent)]
    Xz(#[from] xz::Fault),
    #[error(transparent)]
    Partition(#[from] partition::Fault),
    #[error(transparent)]
    Fat(#[from] fat::Fault),
}

/// What exactly is not supported.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Unsupported(pub(crate) UnsupportedKind);

#[derive(Debug, thiserror::Error)]
pub(crate) enum UnsupportedKind {
    #[error(transparent)]
    Decode(#[from] decode::Foreign),
    #[error(transparent)]
    Partition(#[from] partition::Foreign),
    #[error(transparent)]
    Fat(#[from] fat::Foreign),
}

/// Why a partition cannot be changed as asked.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Layout(#[from] pub(crate) partition::Refusal);

impl Error {
    /// Whether what was read is no disk image at all, or ends before its partitions do. Other faults of a table are those of an
    /// image that may still be good for what is not ours.
    pub fn is_no_whole_image(&self) -> bool {
        use partition::Fault::{BeyondDisk, BootIndicator, NoTable};
        let Error::Corrupt(Corrupt(CorruptKind::Partition(fault))) = self else { return false };
        matches!(fault, NoTable | BootIndicator { .. } | BeyondDisk { .. })
    }

    /// An error of the host at `path`; a full disk gets its own kind.
    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::HostFull { path: path.to_owned() }
            }
            _ => Self::Io { what, path: path.to_owned(), source },
        }
    }
}

impl<K: Into<CorruptKind>> From<K> for Error {
    fn from(kind: K) -> Self {
        Self::Corrupt(Corrupt(kind.into()))
    }
}

impl Error {
    /// An input of a kind this crate does not take.
    pub(crate) fn unsupported(kind: impl Into<UnsupportedKind>) -> Self {
        Self::Unsupported(Unsupported(kind.into()))
    }
}
