//! Repositories of packages that a release of Kubernetes declares, and whose signature on packages counts.

use imgforge_debian::Fingerprint;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Catalogue, Error};
use crate::yaml;

/// A repository that the image does not know of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Declaration {
    /// Its address.
    pub(crate) uri: String,
    /// Suite or codename; without one the repository is flat: everything lies in one directory.
    #[serde(default)]
    pub(crate) suite: Option<String>,
    /// Components of the suite.
    #[serde(default)]
    pub(crate) components: Vec<String>,
    /// Where its keys are published. What is found there counts only if it is pinned.
    pub key: String,
    /// Fingerprints of the keys that count.
    pub(crate) signers: Vec<String>,
}

/// A key whose signature on a repository counts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ArchiveKey {
    /// Whose it is.
    pub name: String,
    /// Its fingerprint.
    pub(crate) fingerprint: String,
}

impl Catalogue {
    /// The fingerprints of all keys that `keys/archive.yaml` pins.
    pub(crate) fn archive_keys(&self) -> Result<Vec<Fingerprint>, Error> {
        let mut pinned = Vec::new();
        let files = self.folders.iter().map(|folder| folder.join("keys/archive.yaml"));
        for path in files.filter(|path| path.is_file()) {
            let keys: Vec<ArchiveKey> = yaml::read_file(&path)?;
            for key in keys {
                let fail = |source| Error::Pinned { repository: path.display().to_string(), source };
                pinned.push(key.fingerprint.parse().map_err(fail)?);
            }
        }
        Ok(pinned)
    }
}
