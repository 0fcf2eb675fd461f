//! Repositories: where packages come from, and whose signature on them counts.
//!
//! An image is extended from the repositories its own apt uses, as its source lists and keyrings say, so that what is
//! added fits what is there and apt on the node goes on with the same. A release of Kubernetes may declare more. In both
//! cases only keys that `board-profiles/keys/archive.yaml`, or the declaration, pins by fingerprint count.

mod image;
mod metadata;

use std::path::PathBuf;

use imgforge_debian::{Fingerprint, Keyring, Layout};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    catalogue::profile,
    image::read,
    supply::{download, store},
    yaml,
};

pub use image::of_image;
pub use metadata::{Freshness, Metadata, Offer};

/// A repository to take packages from.
#[derive(Debug, Clone)]
pub struct Repository {
    /// Its address; it ends with a slash.
    pub uri: String,
    /// How it is laid out.
    pub layout: Layout,
    /// Where its keys are found.
    pub keyring: Keyring,
    /// The keys that count.
    pub trusted: Vec<Fingerprint>,
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

/// A repository that the image does not know of.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Declaration {
    /// Its address.
    pub uri: String,
    /// Suite or codename; without one the repository is flat: everything lies in one directory.
    #[serde(default)]
    pub suite: Option<String>,
    /// Components of the suite.
    #[serde(default)]
    pub components: Vec<String>,
    /// Where its keys are published. What is found there counts only if it is pinned.
    pub key: String,
    /// Fingerprints of the keys that count.
    pub signers: Vec<String>,
}

/// A key whose signature on a repository counts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ArchiveKey {
    /// Whose it is.
    pub name: String,
    /// Its fingerprint.
    pub fingerprint: String,
}

/// Why packages cannot be had from repositories.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The list of keys.
    #[error(transparent)]
    Keys(#[from] yaml::Error),
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

/// The pinned keys of all profile `folders`.
pub fn archive_keys(folders: &[PathBuf]) -> Result<Vec<Fingerprint>, Error> {
    let mut pinned = Vec::new();
    for path in folders.iter().map(|folder| folder.join("keys/archive.yaml")).filter(|path| path.is_file()) {
        let keys: Vec<ArchiveKey> = yaml::read(&path)?;
        for key in keys {
            let fail = |source| Error::Pinned { repository: path.display().to_string(), source };
            pinned.push(key.fingerprint.parse().map_err(fail)?);
        }
    }
    Ok(pinned)
}

impl Declaration {
    /// The repository, with the keys found in `key`, the file at the declaration's `key` address.
    pub fn repository(&self, key: &[u8]) -> Result<Repository, Error> {
        let fail = |source| Error::Pinned { repository: self.uri.clone(), source };
        let layout = match &self.suite {
            Some(suite) => Layout::Suite { suite: suite.clone(), components: self.components.clone() },
            None => Layout::Flat { directory: String::new() },
        };
        let trusted =
            self.signers.iter().map(|signer| signer.parse()).collect::<Result<_, _>>().map_err(fail)?;
        let keyring =
            Keyring::parse(key).map_err(|source| Error::Refused { url: self.key.clone(), source })?;
        Ok(Repository { uri: with_slash(&self.uri), layout, keyring, trusted })
    }
}

/// The Debian architecture of a board's programs.
pub fn debian_architecture(architecture: profile::Architecture) -> &'static str {
    match architecture {
        profile::Architecture::Arm64 => "arm64",
        // Raspbian calls its ARMv6 packages armhf, too.
        profile::Architecture::Armv7 | profile::Architecture::Armv6 => "armhf",
    }
}

fn with_slash(uri: &str) -> String {
    if uri.ends_with('/') { uri.to_owned() } else { format!("{uri}/") }
}
