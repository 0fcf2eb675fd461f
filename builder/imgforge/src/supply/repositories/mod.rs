//! Repositories: where packages come from, and whose signature on them counts.
//!
//! An image is extended from the repositories its own apt uses, as its source lists and keyrings say, so that what is
//! added fits what is there and apt on the node goes on with the same. A release of Kubernetes may declare more. In both
//! cases only keys that `board-profiles/keys/archive.yaml`, or the declaration, pins by fingerprint count.

mod image;
mod metadata;

use imgforge_debian::{Database, Fingerprint, Keyring, Layout};
use imgforge_spec::{Architecture, Diagnose};

use crate::{
    catalogue::{self, keys::Declaration},
    image::read,
    supply::{download, store},
};

pub use image::of_image;
pub use metadata::{Freshness, Metadata, Offer};

/// A repository to take packages from.
#[derive(Debug, Clone)]
pub struct Repository {
    /// Its address; it ends with a slash.
    pub(crate) uri: String,
    /// How it is laid out.
    pub layout: Layout,
    /// Where its keys are found.
    pub(crate) keyring: Keyring,
    /// The keys that count.
    pub(crate) trusted: Vec<Fingerprint>,
}

impl Repository {
    /// Address and suite: what tells it from others.
    pub fn name(&self) -> String {
        match &self.layout {
            Layout::Suite { suite, .. } => format!("{} {suite}", self.uri),
            Layout::Flat { directory } => format!("{}{directory}", self.uri),
        }
    }
}

/// Why packages cannot be had from repositories.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The pinned keys.
    #[error(transparent)]
    Keys(#[from] catalogue::Error),
    /// The image's source lists or keyrings.
    #[error("cannot read the package sources of the image")]
    Image(#[from] read::Error),
    /// One of the image's source lists or keyrings.
    #[error("{what}")]
    Source {
        /// The file.
        what: String,
        /// What is wrong.
        source: imgforge_debian::Error,
    },
    /// A fingerprint that is none, in a declaration or among the pinned keys.
    #[error("the keys of {repository}")]
    Pinned {
        /// Whose keys.
        repository: String,
        /// What is wrong.
        source: imgforge_debian::Error,
    },
    /// No repository is left to take packages from.
    #[error("the image has no package source whose keys are pinned")]
    NoRepository,
    /// The network or the mirror.
    #[error(transparent)]
    Download(#[from] download::Error),
    /// What a mirror gave does not hold.
    #[error("{url}")]
    Refused {
        /// What was fetched.
        url: String,
        /// What is wrong.
        source: imgforge_debian::Error,
    },
    /// A repository that has nothing for the architecture.
    #[error("{repository} has no packages for {architecture}")]
    NoIndex {
        /// The repository.
        repository: String,
        /// The Debian architecture.
        architecture: String,
    },
    /// What was fetched cannot be kept or read again.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Diagnose for Error {
    fn below(&self) -> Option<&dyn Diagnose> {
        match self {
            Error::Keys(error) => Some(error),
            Error::Image(error) => Some(error),
            Error::Download(error) => Some(error),
            Error::Store(error) => Some(error),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Refused { source: imgforge_debian::Error::Untrusted(_), .. } => {
                "take another mirror; where only the date is the matter, `imgforge lock --allow-expired` takes it all the same"
            }
            Error::Refused { .. } => {
                "what came is no package repository's: is the mirror in config.yaml right?"
            }
            Error::NoRepository => "add the fingerprint of its key to keys/archive.yaml beside the profiles",
            _ => return self.below()?.hint(),
        };
        Some(hint.into())
    }
}

impl Repository {
    /// The repository of `declaration`, with the keys found in `key`, the file at the declaration's `key` address.
    pub fn declared(declaration: &Declaration, key: &[u8]) -> Result<Self, Error> {
        let fail = |source| Error::Pinned { repository: declaration.uri.clone(), source };
        let layout = match &declaration.suite {
            Some(suite) => Layout::Suite { suite: suite.clone(), components: declaration.components.clone() },
            None => Layout::Flat { directory: String::new() },
        };
        let trusted = declaration
            .signers
            .iter()
            .map(|signer| signer.parse())
            .collect::<Result<_, _>>()
            .map_err(fail)?;
        let keyring =
            Keyring::parse(key).map_err(|source| Error::Refused { url: declaration.key.clone(), source })?;
        Ok(Self { uri: with_slash(&declaration.uri), layout, keyring, trusted })
    }

    /// A repository of the settings: whoever wrote them says whose signature counts, by its key.
    pub fn own(own: &imgforge_spec::Repository) -> Result<Self, Error> {
        let what = || format!("the key of the repository {}", own.name);
        let keyring = Keyring::parse(own.key().unwrap_or_default())
            .map_err(|source| Error::Source { what: what(), source })?;
        let layout = match &own.suite {
            Some(suite) => Layout::Suite { suite: suite.clone(), components: own.components.clone() },
            None => Layout::Flat { directory: String::new() },
        };
        let trusted = keyring.fingerprints();
        Ok(Self { uri: with_slash(&own.uri), layout, keyring, trusted })
    }
}

/// The Debian architecture of the packages that fit a base: that of its own. A base without any has its board's.
pub(crate) fn debian_architecture(base: &Database, board: Architecture) -> &str {
    let of_board = match board {
        Architecture::Arm64 => "arm64",
        // Raspbian calls its ARMv6 packages armhf, too. Debian's own for that processor are armel's.
        Architecture::Armv7 | Architecture::Armv6 => "armhf",
    };
    base.native_architecture().unwrap_or(of_board)
}

fn with_slash(uri: &str) -> String {
    if uri.ends_with('/') { uri.to_owned() } else { format!("{uri}/") }
}
