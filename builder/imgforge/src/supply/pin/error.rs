//! Why what is wanted cannot be pinned, or is not at hand, and what to do then.

use std::path::PathBuf;

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
    /// The clock of this machine is before 1970.
    #[error("the clock of this machine is wrong")]
    Clock,
}

impl Error {
    /// Whether the network or the build machine, not an input, is at fault.
    pub fn is_host(&self) -> bool {
        match self.cause() {
            Cause::Download(_) => true,
            Cause::Store(error) => error.is_host(),
            Cause::Other => match self {
                Error::Image(error) => error.is_host(),
                _ => matches!(self, Error::Open { .. } | Error::Clock),
            },
        }
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Outdated { .. } => "run `imgforge lock` with the same options, and look at what changes",
            Error::NotLocked { suggestion, .. } => {
                return suggestion.as_ref().map(|name| format!("did you mean `{name}`?"));
            }
            Error::Lock(lock::Error::Write(_)) => "keep the lock elsewhere with --lock FILE",
            Error::Lock(lock::Error::Dangling { .. }) => {
                "the lock was edited: `imgforge lock --update` makes it anew"
            }
            Error::Repositories(error) | Error::Resolve(resolve::Error::Repositories(error)) => {
                return repository_hint(error);
            }
            Error::Resolve(resolve::Error::Unsolvable { .. }) => {
                "nothing of the base is upgraded or removed: ask for other packages or versions, or take a newer base"
            }
            Error::Resolve(resolve::Error::Clash { .. }) => {
                "leave out one of them, or ask for other packages"
            }
            Error::Resolve(resolve::Error::Refused { .. }) => {
                "leave these packages out and let apt install them on the running node, or take a base that has them"
            }
            // Its bytes are the pinned ones.
            Error::Unpack(unpack::Error::Archive { .. } | unpack::Error::OtherPackage { .. })
            | Error::Resolve(resolve::Error::Unpack(
                unpack::Error::Archive { .. } | unpack::Error::OtherPackage { .. },
            )) => "it was published like this: take another version, and tell who publishes it",
            Error::Download(error) => return Some(artifact_hint(error).into()),
            Error::Image(error) => return error.hint().map(Into::into),
            _ => match self.cause() {
                Cause::Download(error) => return Some(download_hint(error).into()),
                _ => return None,
            },
        };
        Some(hint.into())
    }

    /// The store's error, if it is one.
    pub fn of_store(&self) -> Option<&store::Error> {
        match self.cause() {
            Cause::Store(error) => Some(error),
            _ => None,
        }
    }

    fn cause(&self) -> Cause<'_> {
        match self {
            Error::Download(error)
            | Error::Repositories(repositories::Error::Download(error))
            | Error::Resolve(resolve::Error::Download(error))
            | Error::Resolve(resolve::Error::Repositories(repositories::Error::Download(error))) => {
                Cause::Download(error)
            }
            Error::Lock(lock::Error::Write(error))
            | Error::Store(error)
            | Error::Image(oci::Error::Store(error))
            | Error::Unpack(unpack::Error::Store(error))
            | Error::Resolve(resolve::Error::Unpack(unpack::Error::Store(error)))
            | Error::Repositories(repositories::Error::Store(error))
            | Error::Resolve(resolve::Error::Repositories(repositories::Error::Store(error))) => {
                Cause::Store(error)
            }
            _ => Cause::Other,
        }
    }
}

/// What lies under an error, as far as it matters what to do.
enum Cause<'a> {
    Download(&'a download::Error),
    Store(&'a store::Error),
    Other,
}

/// Of files that a release of Kubernetes names: artifacts and keys.
fn artifact_hint(error: &download::Error) -> &'static str {
    match error {
        error if is_other_file(error) => {
            "the file was replaced, or a mirror lies: compare with the sum that the project publishes, and correct the \
             release of Kubernetes if that is another"
        }
        download::Error::Fetch { source: download::Attempt::Status(_), .. } => {
            "name a mirror that has it in config.yaml, or import a store that has the file"
        }
        error => download_hint(error),
    }
}

/// Whether a server has something else under the name of a pinned file.
fn is_other_file(error: &download::Error) -> bool {
    use download::Attempt;
    matches!(
        error,
        download::Error::Mismatch { .. }
            | download::Error::Fetch { source: Attempt::Size { .. } | Attempt::Long { .. }, .. }
    )
}

fn download_hint(error: &download::Error) -> &'static str {
    match error {
        download::Error::Offline { .. } => {
            "`imgforge fetch` with the same options gets it where there is a network"
        }
        error if is_other_file(error) => {
            "the file was replaced, or a mirror lies: `imgforge lock --update` takes what the repository vouches for now"
        }
        download::Error::Fetch { source: download::Attempt::Status(_), .. } => {
            "repositories delete old versions: name a mirror that keeps them in config.yaml, import a store that has the \
             file, or take newer packages with `imgforge lock --update`"
        }
        _ => "a mirror can be named in config.yaml",
    }
}

fn repository_hint(error: &repositories::Error) -> Option<String> {
    let hint = match error {
        repositories::Error::Refused { source: imgforge_debian::Error::Untrusted(_), .. } => {
            "take another mirror; where only the date is the matter, `imgforge lock --allow-expired` takes it all the same"
        }
        repositories::Error::Refused { .. } => {
            "what came is no package repository's: is the mirror in config.yaml right?"
        }
        repositories::Error::NoRepository => {
            "add the fingerprint of its key to keys/archive.yaml beside the profiles"
        }
        repositories::Error::Download(error) => download_hint(error),
        _ => return None,
    };
    Some(hint.into())
}
