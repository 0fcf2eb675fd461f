//! What a layer adds to the base, its bytes at hand.

use std::{collections::BTreeMap, sync::Arc};

use imgforge_debian::Package;
use imgforge_disk::{Content, FileContent};

use super::{Error, Pin};
use crate::{
    catalogue::artifact::Artifact,
    image::change::Bytes,
    supply::{
        lock::Lock,
        oci::LockedImage,
        unpack::{self, Tarball, Unpacked},
    },
};

/// What is added to the base besides overlays, its bytes at hand.
#[derive(Debug, Clone, Default)]
pub struct Additions {
    /// Packages, in the order in which they are unpacked.
    pub packages: Vec<Unpacked<Package>>,
    /// Plain files.
    pub files: Vec<(Artifact, Bytes)>,
    /// Tarballs.
    pub tarballs: Vec<(Artifact, Unpacked<Tarball>)>,
    /// The release of containerd among files and tarballs.
    pub containerd: Option<String>,
    /// Container images, each as an archive.
    pub images: Vec<(LockedImage, Bytes)>,
    /// Public keys as their owners published them, by where that is.
    pub keys: BTreeMap<String, Vec<String>>,
}

impl Pin<'_> {
    /// The packages and artifacts of the set, fetched where they are missing, and unpacked.
    pub fn additions(&self, lock: &Lock) -> Result<Additions, Error> {
        let (store, set) = (self.supply.store, &self.wants.set);
        let containerd = self.wants.content.containerd.clone();
        let mut additions = Additions { containerd, ..Additions::default() };
        if self.wants.is_empty() {
            return Ok(additions);
        }
        self.fetch(lock)?;
        additions.packages = unpack::packages(store, &lock.packages_of(set))?;
        additions.images = self.archives(lock)?;
        additions.keys = lock.keys_of(set).map(|keys| (keys.from.clone(), keys.lines.clone())).collect();
        for artifact in lock.artifacts_of(set) {
            if artifact.unpack {
                let tarball = unpack::tarball(store, artifact)?;
                additions.tarballs.push((artifact.clone(), tarball));
            } else {
                let path = store.blob(artifact.sha256);
                let content = FileContent::open(&path).map_err(|source| Error::Open { path, source })?;
                let content: Arc<dyn Content> = Arc::new(content);
                let bytes = Bytes { content, sha256: Some(artifact.sha256) };
                additions.files.push((artifact.clone(), bytes));
            }
        }
        Ok(additions)
    }
}
