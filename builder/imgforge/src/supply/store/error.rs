//! Why the store cannot keep or give what is asked for.

use std::{
    io,
    path::{Path, PathBuf},
};

use imgforge_spec::{Class, Diagnose, Sha256};

use crate::yaml;

/// The store cannot keep or give what is asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder of the store, or one to be put into it.
    #[error("{action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A published file cannot be decoded.
    #[error("cannot decode {}", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// Why.
        source: imgforge_disk::Error,
    },
    /// Bytes are not what they were said to be.
    #[error("{what} has SHA-256 {found}, but {expected} was expected")]
    Mismatch {
        /// What was hashed.
        what: String,
        /// The hash it has.
        found: Sha256,
        /// The hash it should have.
        expected: Sha256,
    },
    /// A record or a lock cannot be read.
    #[error(transparent)]
    Record(#[from] yaml::Error),
    /// A file that was given as a lock names no file at all.
    #[error("{} names no file by its SHA-256", path.display())]
    NoReferences {
        /// The file.
        path: PathBuf,
    },
    /// Files that a lock names are not there.
    #[error("the store does not have{}", list(missing))]
    Missing {
        /// Hash and name of each.
        missing: Vec<String>,
    },
    /// Another process works with the store.
    #[error("{} is in use by another imgforge", path.display())]
    InUse {
        /// The store's folder.
        path: PathBuf,
    },
    /// A file is not what `imgforge store export` writes.
    #[error("{} is no exported store: {message}", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

impl Diagnose for Error {
    fn below(&self) -> Option<&dyn Diagnose> {
        match self {
            Error::Decode { source, .. } => Some(source),
            Error::Record(error) => Some(error),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Decode { source, .. } => match source {
                imgforge_disk::Error::Corrupt(_) => "get the image again; the file is damaged",
                imgforge_disk::Error::Unsupported(_) => "unpack the image and give it with --base FILE",
                imgforge_disk::Error::HostFull { .. } => {
                    "make room there, or keep the store elsewhere with --store DIR"
                }
                _ => return None,
            },
            Error::Mismatch { .. } => "delete the file and build again",
            Error::NoReferences { .. } => "give a lock file, or a profile with the `sha256` of its base",
            Error::Missing { .. } => "`imgforge fetch` gets what a board's lock names",
            Error::InUse { .. } => "wait until it has ended",
            Error::Archive { .. } => "export the store again, and copy the whole file",
            Error::Io { .. } | Error::Record(_) => return None,
        };
        Some(hint.into())
    }

    fn class(&self) -> Class {
        match self {
            Error::Io { .. } | Error::InUse { .. } => Class::Machine,
            _ => self.below().map_or(Class::Input, Diagnose::class),
        }
    }
}

/// `action path` failed.
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { action, path: path.to_owned(), source }
}

fn list(items: &[String]) -> String {
    items.iter().map(|item| format!("\n  {item}")).collect()
}
