//! Artifacts: pinned files and tarballs that go into an image as they are published, and nothing dpkg knows of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use imgforge_spec::{ImagePath, Sha256};

/// A file or tarball by its URL and hash, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Artifact {
    /// Where it is published.
    pub url: String,
    /// Its size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// SHA-256 of the file as published.
    pub sha256: Sha256,
    /// Where the file goes; of a tarball, the directory its members go to.
    pub path: ImagePath,
    /// Permission bits of the file in octal [default: 0755]. The members of a tarball keep their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Whether it is a tarball (plain, gzip, xz, zstd) to be unpacked. What comes out belongs to root.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unpack: bool,
}

impl Artifact {
    /// The permission bits of a plain file; `None` where the text is no octal mode.
    pub fn mode(&self) -> Option<u16> {
        let mode = self.mode.as_deref().unwrap_or("0755");
        u16::from_str_radix(mode, 8).ok().filter(|mode| *mode <= 0o7777)
    }
}

/// A file whose hash its publisher says in a checksum file beside it, and nobody here knows: the lock pins it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Unpinned {
    /// Where it is published.
    pub url: String,
    /// Where the publisher's checksums are: lines `<hash>  <name>`, as sha256sum writes them.
    pub checksum_file: String,
    /// Where the file goes.
    pub path: ImagePath,
    /// Permission bits of the file in octal [default: 0755].
    #[serde(default)]
    pub mode: Option<String>,
}

impl Unpinned {
    /// The name by which the checksum file knows it.
    pub fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
    }

    /// The file with its hash.
    pub fn pinned(&self, sha256: Sha256) -> Artifact {
        let Self { url, path, mode, .. } = self.clone();
        Artifact { url, size: None, sha256, path, mode, unpack: false }
    }

    /// Whether `artifact` is this one, pinned.
    pub fn is(&self, artifact: &Artifact) -> bool {
        *artifact == Artifact { size: artifact.size, ..self.pinned(artifact.sha256) }
    }
}

/// The container images that a node is to carry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Images {
    /// By their references.
    pub(crate) references: Vec<String>,
    /// Those that manifests of add-ons name.
    pub(crate) manifests: Vec<Artifact>,
}

impl Images {
    /// References and the manifests' URLs: what a lock records as asked for.
    pub fn names(&self) -> Vec<String> {
        self.references.iter().chain(self.manifests.iter().map(|manifest| &manifest.url)).cloned().collect()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.references.is_empty() && self.manifests.is_empty()
    }
}
