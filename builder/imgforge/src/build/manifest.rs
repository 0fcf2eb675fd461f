//! The manifest: what an image is made of, in a file beside it. The same inputs give the same manifest.

use imgforge_spec::{BoardName, Hostname, Role, Sha256};
use serde::{Deserialize, Serialize};

use crate::{
    catalogue::artifact::Artifact,
    image::entry::ChangeEntry,
    supply::{
        lock::{Added, LockedPackage, LockedRepository},
        oci::LockedImage,
        store::Record,
    },
};

/// Version of this format. A reader refuses a newer one.
pub(crate) const FORMAT: u32 = 3;

/// Everything about an image that can be checked later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// Version of this format.
    pub format: u32,
    /// The imgforge that built it.
    pub imgforge: String,
    /// The board.
    pub board: BoardName,
    /// The node's role.
    pub role: Role,
    /// The node's host name.
    pub hostname: Hostname,
    /// Seconds since 1970 that stand for the time of the build.
    pub epoch: i64,
    /// Whether the image holds secrets and must not be published.
    pub secrets: bool,
    /// What it was made from.
    pub base: BaseEntry,
    /// What came out.
    pub image: ImageEntry,
    /// Where the packages come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) repositories: Vec<LockedRepository>,
    /// The packages that were added, in the order in which they were unpacked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<LockedPackage>,
    /// The files and tarballs that were added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// The container images that it carries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<LockedImage>,
    /// Every path that differs from the base, in order.
    pub changes: Vec<ChangeEntry>,
}

/// The base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BaseEntry {
    /// The vendor's URL, or the name of the file.
    pub(crate) origin: String,
    /// SHA-256 of the file as published.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of the disk image in it.
    pub image_sha256: Sha256,
    /// Its size in bytes.
    pub(crate) image_size: u64,
}

impl BaseEntry {
    /// The entry of the base that came from `origin`.
    pub fn new(origin: &str, record: &Record) -> Self {
        Self {
            origin: origin.to_owned(),
            sha256: record.sha256,
            size: record.size,
            image_sha256: record.image_sha256,
            image_size: record.image_size,
        }
    }
}

/// The image, decompressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ImageEntry {
    /// SHA-256 of its block map, which has a digest of every range that a card must have; not told before format 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map_sha256: Option<Sha256>,
    /// SHA-256 of the whole disk image, where it was taken: of compressed images, and of others on request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
    /// Its size in bytes.
    pub size: u64,
    /// Number of the partition with the root file system.
    pub(crate) root_partition: u32,
    /// Number of the boot partition, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) boot_partition: Option<u32>,
}

impl ImageEntry {
    /// What the image is known by: of equal inputs, the same.
    pub(crate) fn identity(&self) -> Option<Sha256> {
        self.sha256.or(self.map_sha256)
    }

    /// The same in words.
    pub(crate) fn named(&self) -> String {
        match (self.sha256, self.map_sha256) {
            (Some(sha256), _) => format!("SHA-256 {sha256}"),
            (None, Some(sha256)) => format!("block map SHA-256 {sha256}"),
            (None, None) => "no digest".into(),
        }
    }
}

impl Manifest {
    /// What was added to the base.
    pub(crate) fn added(&self) -> Added {
        let Self { repositories, packages, artifacts, images, .. } = self.clone();
        Added { repositories, packages, artifacts, images }
    }

    /// The manifest as its file has it.
    pub(crate) fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}
