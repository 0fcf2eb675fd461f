//! Releases of Kubernetes: what a node needs to run one, as data.
//!
//! `board-profiles/kubernetes/<release>.yaml` names the official binaries for each instruction set, and the packages and
//! repositories that bring the same. A board's profile says which release and which of the two ways it takes; a node's
//! settings may say otherwise.

use std::{collections::BTreeMap, path::Path};

use imgforge_kube::{
    cluster::Runtime,
    engine::{Engine, Published},
    version::Version,
};
use imgforge_spec::{Architecture, KeySource, Repository, Sha256};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Error,
    artifact::{Artifact, Images, Unpinned},
    keys::Declaration,
};
use crate::yaml;

/// Which Kubernetes a node gets, and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Choice {
    /// The release; names a file in `kubernetes/`.
    pub release: String,
    /// Where it comes from.
    #[serde(default)]
    pub from: Way,
}

/// The two ways to get Kubernetes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// The official binaries.
    #[default]
    Artifacts,
    /// Debian packages.
    Packages,
}

impl Way {
    /// The name used in files and folders.
    pub fn name(self) -> &'static str {
        match self {
            Way::Artifacts => "artifacts",
            Way::Packages => "packages",
        }
    }
}

/// A release of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Release {
    /// Name used in profiles; the file's name without `.yaml`.
    pub release: String,
    /// What makes a cluster of its nodes.
    #[serde(default)]
    pub engine: Engine,
    /// Number of the Kubernetes that runs on its nodes; none where it brings no kubelet.
    #[serde(default)]
    pub version: Option<Version>,
    /// What it is, for those who choose.
    pub description: String,
    /// What whoever takes it should know.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The official binaries, by instruction set.
    #[serde(default)]
    pub artifacts: BTreeMap<Architecture, Bundle>,
    /// The packages that bring the same.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Repositories they are in, besides those of the image.
    #[serde(default)]
    pub(crate) repositories: Vec<Declaration>,
    /// What brings another container runtime, by instruction set: added to the nodes of a cluster that ask for it.
    #[serde(default)]
    pub(crate) runtimes: BTreeMap<Runtime, BTreeMap<Architecture, Bundle>>,
}

/// What is added for one instruction set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Bundle {
    /// Official binaries: files and tarballs.
    #[serde(default)]
    pub files: Vec<Artifact>,
    /// Official binaries whose hashes the lock finds in their publisher's checksum files.
    #[serde(default)]
    pub(crate) unpinned: Vec<Unpinned>,
    /// Archives of the container images that the release starts, for nodes that carry theirs.
    #[serde(default)]
    pub(crate) image_archives: Archives,
    /// Packages for what is not published as a binary.
    #[serde(default)]
    pub packages: Vec<String>,
    /// The release of containerd among the files, if it is there: its first number decides which configuration it reads.
    #[serde(default)]
    pub containerd: Option<String>,
}

impl Bundle {
    /// All files whose hashes are known.
    pub(super) fn pinned(&self) -> impl Iterator<Item = &Artifact> {
        self.files.iter().chain(&self.image_archives.files)
    }

    /// All files whose hashes the lock finds.
    pub(super) fn unpinned(&self) -> impl Iterator<Item = &Unpinned> {
        self.unpinned.iter().chain(&self.image_archives.unpinned)
    }

    /// The addresses of all files.
    pub(super) fn urls(&self) -> impl Iterator<Item = &str> {
        self.pinned().map(|file| file.url.as_str()).chain(self.unpinned().map(|file| file.url.as_str()))
    }

    /// All files, whether their hashes are known or not.
    fn as_if_pinned(&self) -> impl Iterator<Item = Artifact> {
        let unpinned = self.unpinned().map(|file| file.pinned(Sha256::of(b"")));
        self.pinned().cloned().chain(unpinned)
    }
}

/// Archives of container images.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Archives {
    /// By their hashes.
    pub(crate) files: Vec<Artifact>,
    /// Those whose hashes the lock finds.
    pub(crate) unpinned: Vec<Unpinned>,
}

/// What a release brings to one node.
#[derive(Debug, Clone, Default)]
pub struct Content {
    /// Packages asked for.
    pub packages: Vec<String>,
    /// Repositories besides the image's own.
    pub(crate) repositories: Vec<Declaration>,
    /// Repositories of the settings.
    pub(crate) own_repositories: Vec<Repository>,
    /// Pinned files.
    pub artifacts: Vec<Artifact>,
    /// Files that the lock pins.
    pub(crate) unpinned: Vec<Unpinned>,
    /// The release of containerd among them.
    pub containerd: Option<String>,
    /// Container images.
    pub images: Images,
    /// Public keys that their owners publish.
    pub(crate) keys: Vec<KeySource>,
}

impl Release {
    /// Reads the release called `name` from `path`.
    pub(super) fn read(path: &Path, name: &str) -> Result<Self, Error> {
        let release: Self = yaml::read_file(path)?;
        let inconsistent = |message| Err(Error::Inconsistent { path: path.to_owned(), message });
        if release.release != name {
            return inconsistent(format!(
                "describes the release `{}`; name the file {0}.yaml",
                release.release
            ));
        }
        let bundles =
            [&release.artifacts].into_iter().chain(release.runtimes.values()).flat_map(BTreeMap::values);
        for artifact in bundles.flat_map(Bundle::as_if_pinned) {
            if artifact.mode().is_none() {
                return inconsistent(format!("{}: `mode` is no octal mode such as \"0755\"", artifact.url));
            }
        }
        Ok(release)
    }

    /// The files of Kubernetes (or k3s) itself, among all official binaries, as their addresses tell.
    pub(crate) fn programs(&self) -> impl Iterator<Item = Published<'_>> {
        self.artifacts.values().flat_map(Bundle::urls).filter_map(|url| self.engine.published(url))
    }

    /// How a board of `architecture` gets it: by the official binaries where there are any.
    pub(crate) fn way_for(&self, architecture: Architecture) -> Way {
        if self.artifacts.contains_key(&architecture) { Way::Artifacts } else { Way::Packages }
    }

    /// What `runtime` adds to a board of `architecture`; nothing for containerd, which is part of the release.
    pub fn runtime(&self, runtime: Runtime, architecture: Architecture) -> Result<Bundle, Error> {
        if runtime == Runtime::Containerd {
            return Ok(Bundle::default());
        }
        let bundle = self.runtimes.get(&runtime).and_then(|bundles| bundles.get(&architecture));
        let missing = || Error::NoRuntime { release: self.release.clone(), runtime, architecture };
        bundle.cloned().ok_or_else(missing)
    }

    /// What a node on a board of `architecture` adds to it for `runtime`, and for its container images if it carries them.
    pub(crate) fn of_node(
        &self,
        runtime: Runtime,
        architecture: Architecture,
        carries_images: bool,
    ) -> Result<Bundle, Error> {
        let mut bundle = self.runtime(runtime, architecture)?;
        if let Some(own) = self.artifacts.get(&architecture).filter(|_| carries_images) {
            bundle.files.extend(own.image_archives.files.iter().cloned());
            bundle.unpinned.extend(own.image_archives.unpinned.iter().cloned());
        }
        Ok(bundle)
    }

    /// What it brings to a board of `architecture`, taken this `way`.
    pub fn content(self, architecture: Architecture, way: Way) -> Result<Content, Error> {
        let (release, has_artifacts) = (self.release.clone(), self.artifacts.contains_key(&architecture));
        let content = match way {
            Way::Packages => {
                Content { packages: self.packages, repositories: self.repositories, ..Content::default() }
            }
            Way::Artifacts => {
                let bundle = self.artifacts.into_iter().find(|(of, _)| *of == architecture);
                let Bundle { files, unpinned, packages, containerd, .. } =
                    bundle.map(|(_, bundle)| bundle).unwrap_or_default();
                Content { packages, artifacts: files, unpinned, containerd, ..Content::default() }
            }
        };
        if content.packages.is_empty() && content.artifacts.is_empty() && content.unpinned.is_empty() {
            let other = (way == Way::Packages && has_artifacts).then_some(Way::Artifacts);
            return Err(Error::NotForBoard { release, architecture, way, other });
        }
        Ok(content)
    }
}
