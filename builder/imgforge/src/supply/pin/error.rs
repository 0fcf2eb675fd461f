//! Why what is wanted cannot be pinned, or is not at hand, and what to do then.

use std::path::PathBuf;

use imgforge_spec::{Class, Diagnose};

use crate::supply::{download, lock, oci, repositories, resolve, store, unpack};

/// Why what is wanted cannot be pinned, or is not at hand.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The lock.
    #[error(transparent)]
    Lock(#[from] lock::Error),
    /// The lock does not fit what is wanted, and must not be changed.
    #[error("{} must be changed ({reason}), and --locked forbids it", path.display())]
    Outdated {
        /// The lock.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// A package or container image that is to be updated is not in the lock.
    #[error("the package `{asked}` is not in {}", path.display())]
    NotLocked {
        /// The package or image.
        asked: String,
        /// The lock.
        path: PathBuf,
        /// The name in the lock that was perhaps meant.
        suggestion: Option<String>,
    },
    /// The choice of packages.
    #[error(transparent)]
    Resolve(#[from] resolve::Error),
    /// The repositories.
    #[error(transparent)]
    Repositories(#[from] repositories::Error),
    /// A download.
    #[error(transparent)]
    Download(#[from] download::Error),
    /// An archive.
    #[error(transparent)]
    Unpack(#[from] unpack::Error),
    /// A container image.
    #[error(transparent)]
    Image(#[from] oci::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A file of the store.
    #[error("cannot read {} in the store", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: imgforge_disk::Error,
    },
    /// The publisher's checksum file does not name the file.
    #[error("{url} names no checksum of {name}")]
    NoChecksum {
        /// Where the checksum file is.
        url: String,
        /// The file that it should name.
        name: String,
    },
    /// Somebody's public keys cannot be had.
    #[error("the keys of `{from}` cannot be had")]
    Keys {
        /// Whose, as the settings say it.
        from: String,
        /// Why.
        source: Box<download::Error>,
    },
    /// What is published as somebody's public keys is none.
    #[error("{url} has no keys for authorized_keys: {reason}")]
    NoKeys {
        /// Where it is.
        url: String,
        /// What is wrong with it, with the line.
        reason: String,
    },
    /// The clock of this machine is before 1970.
    #[error("the clock of this machine is wrong")]
    Clock,
}

impl Diagnose for Error {
    fn below(&self) -> Option<&dyn Diagnose> {
        match self {
            Error::Lock(error) => Some(error),
            Error::Resolve(error) => Some(error),
            Error::Repositories(error) => Some(error),
            Error::Download(error) => Some(error),
            Error::Unpack(error) => Some(error),
            Error::Image(error) => Some(error),
            Error::Store(error) => Some(error),
            Error::Keys { source, .. } => Some(&**source),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::Outdated { .. } => {
                Some("run `imgforge lock` with the same options, and look at what changes".into())
            }
            Error::NotLocked { suggestion, .. } => {
                suggestion.as_ref().map(|name| format!("did you mean `{name}`?"))
            }
            Error::Download(error) => of_artifact(error),
            Error::Keys { source, .. } => of_keys(source),
            Error::NoKeys { .. } => {
                Some("give the address of the keys themselves, a line each, or the keys in `ssh-keys`".into())
            }
            Error::NoChecksum { .. } => Some(
                "look at what the project publishes there, and correct the release of Kubernetes (kubernetes/ beside the profiles)"
                    .into(),
            ),
            _ => self.below()?.hint(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Error::Open { .. } | Error::Clock => Class::Machine,
            _ => self.below().map_or(Class::Input, Diagnose::class),
        }
    }
}

fn of_keys(error: &download::Error) -> Option<String> {
    match error {
        download::Error::Fetch { source: download::Attempt::Status(_), .. } => {
            Some("see that there is such an account, or write the keys themselves in `ssh-keys`".into())
        }
        error => error.hint(),
    }
}

/// Of files that a release of Kubernetes names: artifacts and keys.
fn of_artifact(error: &download::Error) -> Option<String> {
    let hint = match error {
        error if error.is_other_file() => {
            "the file was replaced, or a mirror lies: compare with the sum that the project publishes, and correct the \
             release of Kubernetes if that is another"
        }
        download::Error::Fetch { source: download::Attempt::Status(_), .. } => {
            "name a mirror that has it in config.yaml, or import a store that has the file"
        }
        error => return error.hint(),
    };
    Some(hint.into())
}
