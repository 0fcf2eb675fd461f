//! The lock: what profile and settings leave open, pinned. One file a board, beside its profile.
//!
//! A build takes only bytes that a lock or a profile names by their SHA-256. The file is written by `imgforge lock`, or by
//! a build that finds none; it is made to be reviewed and kept under version control, so its order is stable.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use imgforge_spec::{Diagnose, InvalidKey, Sha256, check_authorized_key};
use serde::{Deserialize, Serialize};

pub(crate) use super::set_name::SetName;
use crate::{
    catalogue::{artifact::Artifact, profile::BaseImage},
    supply::{oci::LockedImage, store},
    yaml,
};

/// Version of this format.
const FORMAT: u32 = 1;

/// What the file begins with.
const HEADER: &str = "# Written by `imgforge lock`; `imgforge lock --update` takes newer packages.\n";

/// A lock file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lock {
    /// Version of this format.
    #[serde(default)]
    pub format: u32,
    /// The base image: the packages were chosen for what it holds.
    pub base: BaseImage,
    /// Seconds since 1970 that stand for the time of a build: of the base or the newest repository, whichever is later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,
    /// What each role adds, by its name; of a cluster, also what single nodes add: `node HOSTNAME`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sets: BTreeMap<SetName, Set>,
    /// Where the packages come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) repositories: Vec<LockedRepository>,
    /// The packages of all sets, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<LockedPackage>,
    /// The plain files and tarballs of all sets, by URL.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// The container images of all sets, by reference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<LockedImage>,
    /// The public keys of all sets, by where they are published.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) keys: Vec<LockedKeys>,
}

/// What one role, or one node, adds to the base.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Set {
    /// What was asked for: relations as in a `Depends` field.
    pub wanted: Vec<String>,
    /// The set it is laid over, whose packages it does not repeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<SetName>,
    /// The packages that brings, in the order in which they are unpacked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// The URLs of its artifacts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// The container images that were asked for: references, and URLs of manifests that name more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) images_wanted: Vec<String>,
    /// The references of the container images that brings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// Whose public keys were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) keys: Vec<String>,
}

/// What was added to a base, and where it is from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Added {
    /// Where the packages come from.
    pub(crate) repositories: Vec<LockedRepository>,
    /// The packages, in the order in which they are unpacked.
    pub packages: Vec<LockedPackage>,
    /// The plain files and tarballs.
    pub artifacts: Vec<Artifact>,
    /// The container images.
    pub images: Vec<LockedImage>,
}

impl Added {
    /// All that is added where this comes after `below`.
    pub(crate) fn after(mut self, below: Self) -> Self {
        let Self { mut repositories, mut packages, mut artifacts, mut images } = below;
        self.repositories.retain(|repository| !repositories.contains(repository));
        repositories.append(&mut self.repositories);
        repositories.sort();
        packages.append(&mut self.packages);
        artifacts.append(&mut self.artifacts);
        images.append(&mut self.images);
        Self { repositories, packages, artifacts, images }
    }
}

/// A repository as it was when the lock was made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LockedRepository {
    /// Address and suite.
    pub name: String,
    /// SHA-256 of its `InRelease` (or `Release`) file.
    pub(crate) release_sha256: Sha256,
    /// When that was made, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) date: Option<u64>,
    /// Fingerprint of the key that signed it.
    pub(crate) signer: String,
}

/// Somebody's public keys, as they were published when the lock was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct LockedKeys {
    /// Whose, as the settings say it.
    pub(crate) from: String,
    /// Lines for `authorized_keys`.
    pub(crate) lines: Vec<String>,
}

/// A package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LockedPackage {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Debian architecture.
    pub architecture: String,
    /// Where the `.deb` is.
    pub url: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: Sha256,
    /// The repository it is from, by name.
    pub repository: String,
    /// What becomes of its `preinst`, which cannot run offline.
    pub(crate) preinst: Preinst,
    /// What its `preinst` does that the build does in its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) imitated: Vec<String>,
    /// Whether the first boot rebuilds the initramfs because of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) rebuilds_initramfs: bool,
}

/// What becomes of a package's `preinst`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Preinst {
    /// There is none.
    None,
    /// On a first installation it changes nothing.
    Idle,
    /// What it would do, the build does.
    Imitated,
}

/// The lock does not say what it is there for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error(transparent)]
    Yaml(#[from] yaml::Error),
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] store::Error),
    /// It was written by a newer imgforge.
    #[error("{} has format {found}, this imgforge knows {FORMAT}", path.display())]
    Newer {
        /// The lock.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// A set names what the lock does not have.
    #[error("{}: the set `{set}` names `{missing}`, which is not in the lock", path.display())]
    Dangling {
        /// The lock.
        path: PathBuf,
        /// The set.
        set: SetName,
        /// The package, artifact, container image or keys.
        missing: String,
    },
    /// A key that was edited into something else.
    #[error("{}: the keys from `{from}`: {source}", path.display())]
    Key {
        /// The lock.
        path: PathBuf,
        /// Whose.
        from: String,
        /// What is wrong with the line.
        source: InvalidKey,
    },
}

impl Diagnose for Error {
    fn below(&self) -> Option<&dyn Diagnose> {
        match self {
            Error::Yaml(error) => Some(error),
            Error::Write(error) => Some(error),
            Error::Newer { .. } | Error::Dangling { .. } | Error::Key { .. } => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::Write(_) => Some("keep the lock elsewhere with --lock FILE".into()),
            Error::Dangling { .. } | Error::Key { .. } => {
                Some("the lock was edited: `imgforge lock --update` makes it anew".into())
            }
            _ => self.below()?.hint(),
        }
    }
}

impl Lock {
    /// The lock at `path`; `None` where there is none.
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        if !path.is_file() {
            return Ok(None);
        }
        let lock: Self = yaml::read(path)?;
        if lock.format > FORMAT {
            return Err(Error::Newer { path: path.to_owned(), found: lock.format });
        }
        for (name, set) in &lock.sets {
            let missing = set.packages.iter().find(|package| lock.package(package).is_none());
            let missing =
                missing.or_else(|| set.artifacts.iter().find(|artifact| lock.artifact(artifact).is_none()));
            let missing = missing.or_else(|| set.images.iter().find(|image| lock.image(image).is_none()));
            let missing = missing.or_else(|| set.keys.iter().find(|from| lock.keys_from(from).is_none()));
            if let Some(missing) = missing {
                let (set, missing) = (name.clone(), missing.clone());
                return Err(Error::Dangling { path: path.to_owned(), set, missing });
            }
        }
        for LockedKeys { from, lines } in &lock.keys {
            let checked = lines.iter().try_for_each(|line| check_authorized_key(line));
            checked.map_err(|source| Error::Key { path: path.to_owned(), from: from.clone(), source })?;
        }
        Ok(Some(lock))
    }

    /// Writes it to `path`, whole or not at all; its folder is made where it is missing.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        folder.map_or(Ok(()), store::make_folder)?;
        let lock = Self { format: FORMAT, ..self.clone() };
        Ok(store::write_whole(path, format!("{HEADER}{}", yaml::to_string(&lock)).as_bytes())?)
    }

    /// The package called `name`.
    pub(crate) fn package(&self, name: &str) -> Option<&LockedPackage> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// The artifact from `url`.
    pub(crate) fn artifact(&self, url: &str) -> Option<&Artifact> {
        self.artifacts.iter().find(|artifact| artifact.url == url)
    }

    /// The container image with this reference.
    pub fn image(&self, reference: &str) -> Option<&LockedImage> {
        self.images.iter().find(|image| image.reference == reference)
    }

    /// The public keys from `from`.
    pub(crate) fn keys_from(&self, from: &str) -> Option<&LockedKeys> {
        self.keys.iter().find(|keys| keys.from == from)
    }

    /// The public keys of a set.
    pub(crate) fn keys_of(&self, set: &SetName) -> impl Iterator<Item = &LockedKeys> {
        let names = self.sets.get(set).map(|set| set.keys.as_slice()).unwrap_or_default();
        names.iter().filter_map(|from| self.keys_from(from))
    }

    /// The packages of a set, in the order in which they are unpacked.
    pub(crate) fn packages_of(&self, set: &SetName) -> Vec<&LockedPackage> {
        let names = self.sets.get(set).map(|set| set.packages.as_slice()).unwrap_or_default();
        names.iter().filter_map(|name| self.package(name)).collect()
    }

    /// The artifacts of a set.
    pub(crate) fn artifacts_of(&self, set: &SetName) -> Vec<&Artifact> {
        let urls = self.sets.get(set).map(|set| set.artifacts.as_slice()).unwrap_or_default();
        urls.iter().filter_map(|url| self.artifact(url)).collect()
    }

    /// What `sets` add, one after the other.
    pub(crate) fn added(&self, sets: &[&SetName]) -> Added {
        let packages: Vec<_> = sets.iter().flat_map(|set| self.packages_of(set)).cloned().collect();
        let is_source =
            |repository: &&LockedRepository| packages.iter().any(|p| p.repository == repository.name);
        Added {
            repositories: self.repositories.iter().filter(is_source).cloned().collect(),
            artifacts: sets.iter().flat_map(|set| self.artifacts_of(set)).cloned().collect(),
            images: sets.iter().flat_map(|set| self.images_of(set)).cloned().collect(),
            packages,
        }
    }

    /// The container images of a set.
    pub(crate) fn images_of(&self, set: &SetName) -> Vec<&LockedImage> {
        let references = self.sets.get(set).map(|set| set.images.as_slice()).unwrap_or_default();
        references.iter().filter_map(|reference| self.image(reference)).collect()
    }

    /// Puts everything in its order, and drops what no set names.
    pub(crate) fn tidy(&mut self) {
        let named: BTreeSet<&String> = self.sets.values().flat_map(|set| &set.packages).collect();
        self.packages.retain(|package| named.contains(&package.name));
        self.packages.sort_by(|a, b| a.name.cmp(&b.name));
        let named: BTreeSet<&String> = self.sets.values().flat_map(|set| &set.artifacts).collect();
        self.artifacts.retain(|artifact| named.contains(&artifact.url));
        self.artifacts.sort_by(|a, b| a.url.cmp(&b.url));
        let named: BTreeSet<&String> = self.sets.values().flat_map(|set| &set.images).collect();
        self.images.retain(|image| named.contains(&image.reference));
        self.images.sort_by(|a, b| a.reference.cmp(&b.reference));
        let named: BTreeSet<&String> = self.sets.values().flat_map(|set| &set.keys).collect();
        self.keys.retain(|keys| named.contains(&keys.from));
        self.keys.sort_by(|a, b| a.from.cmp(&b.from));
        let sources: BTreeSet<&String> = self.packages.iter().map(|package| &package.repository).collect();
        self.repositories.retain(|repository| sources.contains(&repository.name));
        self.repositories.sort();
    }
}

#[cfg(test)]
mod tests {
    use imgforge_spec::Role;

    use super::*;

    fn package(name: &str) -> LockedPackage {
        LockedPackage {
            name: name.into(),
            version: "1:2.0-1".into(),
            architecture: "arm64".into(),
            url: format!("http://mirror/{name}.deb"),
            size: 7,
            sha256: Sha256::of(name),
            repository: "http://mirror/ stable".into(),
            preinst: Preinst::None,
            imitated: Vec::new(),
            rebuilds_initramfs: false,
        }
    }

    fn lock() -> Lock {
        let set = Set { wanted: vec!["b".into()], packages: vec!["b".into(), "a".into()], ..Set::default() };
        Lock {
            format: FORMAT,
            sets: BTreeMap::from([(SetName::of_role(Role::Master), set)]),
            packages: ["c", "b", "a"].map(package).into(),
            ..Lock::default()
        }
    }

    #[test]
    fn it_reads_back_as_written_in_a_stable_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock.yaml");
        let mut lock = lock();
        lock.tidy();
        assert_eq!(lock.packages.iter().map(|package| package.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        lock.write(&path).unwrap();
        assert_eq!(Lock::read(&path).unwrap(), Some(lock.clone()));
        let order: Vec<_> = lock
            .packages_of(&SetName::of_role(Role::Master))
            .iter()
            .map(|package| package.name.clone())
            .collect();
        assert_eq!(order, ["b", "a"], "the order of unpacking is kept");
        assert!(lock.packages_of(&SetName::of_role(Role::Worker)).is_empty());
    }

    #[test]
    fn a_set_that_names_what_is_not_there_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock.yaml");
        let mut lock = lock();
        lock.packages.pop();
        lock.write(&path).unwrap();
        let message = Lock::read(&path).unwrap_err().to_string();
        assert!(message.ends_with("the set `master` names `a`, which is not in the lock"), "{message}");
    }
}
