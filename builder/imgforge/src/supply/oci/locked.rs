//! An image as a lock pins it.

use imgforge_spec::Sha256;
use serde::{Deserialize, Serialize};

use super::document::{Descriptor, Manifest};

/// A container image, pinned: every byte that a node gets of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LockedImage {
    /// Its full reference, under which pods ask for it.
    pub(crate) reference: String,
    /// What it runs on: `linux/arm64`.
    pub(crate) platform: String,
    /// SHA-256 of the index of images that the reference named, if it named one. It is not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) index_sha256: Option<Sha256>,
    /// The manifest of the image for this platform.
    pub manifest: Blob,
    /// Its configuration.
    pub config: Blob,
    /// Its layers, the lowest first.
    pub layers: Vec<Blob>,
}

/// A part of an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Blob {
    /// SHA-256 of its bytes.
    pub sha256: Sha256,
    /// Their number.
    pub size: u64,
}

impl From<&Descriptor> for Blob {
    fn from(descriptor: &Descriptor) -> Self {
        Self { sha256: descriptor.digest.sha256(), size: descriptor.size }
    }
}

impl LockedImage {
    /// All parts, each once, ordered by hash.
    pub fn blobs(&self) -> Vec<&Blob> {
        let mut blobs: Vec<_> = [&self.manifest, &self.config].into_iter().chain(&self.layers).collect();
        blobs.sort();
        blobs.dedup();
        blobs
    }

    /// Bytes of all parts.
    pub fn size(&self) -> u64 {
        self.blobs().iter().fold(0, |sum, blob| sum.saturating_add(blob.size))
    }

    /// Whether these are the parts that `manifest` names.
    pub(crate) fn has_parts_of(&self, manifest: &Manifest) -> bool {
        let layers: Vec<Blob> = manifest.layers.iter().map(Blob::from).collect();
        self.config == Blob::from(&manifest.config) && self.layers == layers
    }
}
