//! The container images of a lock: pinned, fetched, and made into archives.

use std::collections::BTreeSet;

use imgforge_kube::images::of_manifest;

use super::{Error, Pin, Supply};
use crate::{
    catalogue::artifact::Artifact,
    image::change::Bytes,
    supply::{
        download::Downloader,
        lock::Lock,
        oci::{self, LockedImage, Reference, Registry, archive::archive},
        resolve::Update,
    },
};

impl Pin<'_> {
    /// Pins the images that are wanted, keeping the pins of `lock` but for those of `update`.
    pub(super) fn pin_images(
        &self,
        lock: &mut Lock,
        downloader: Option<&Downloader>,
        update: &Update,
    ) -> Result<(), Error> {
        let wanted = &self.wants.content.images;
        let mut references = BTreeSet::new();
        for reference in &wanted.references {
            references.insert(reference.parse::<Reference>().map_err(oci::Error::from)?);
        }
        for manifest in &wanted.manifests {
            references.extend(self.images_of(manifest, downloader)?);
        }
        let registry = self.registry(downloader);
        let architecture = self.architecture;
        for reference in &references {
            let name = reference.to_string();
            if update.reaches(&name) || lock.image(&name).is_none() {
                let image = registry.resolve(reference, architecture)?;
                lock.images.retain(|known| known.reference != name);
                lock.images.push(image);
            }
        }
        if let Some(set) = lock.sets.get_mut(&self.wants.set) {
            set.images_wanted = wanted.names();
            set.images = references.iter().map(ToString::to_string).collect();
        }
        Ok(())
    }

    /// The images that the manifest of an add-on names.
    fn images_of(
        &self,
        manifest: &Artifact,
        downloader: Option<&Downloader>,
    ) -> Result<Vec<Reference>, Error> {
        self.supply.fetch_artifact(manifest, downloader)?;
        let text = oci::read_small(self.supply.store, manifest.sha256)?;
        let invalid = |source| oci::Error::Manifest { url: manifest.url.clone(), source };
        let names = of_manifest(&String::from_utf8_lossy(&text)).map_err(invalid)?;
        let references: Result<_, _> = names.iter().map(|name| name.parse()).collect();
        Ok(references.map_err(oci::Error::from)?)
    }

    /// Puts the images that the set names into the store.
    pub(super) fn fetch_images(&self, lock: &Lock, downloader: Option<&Downloader>) -> Result<(), Error> {
        let registry = self.registry(downloader);
        lock.images_of(&self.wants.set).into_iter().try_for_each(|image| Ok(registry.fetch(image)?))
    }

    /// The images that the set names, which are in the store, as archives.
    pub(super) fn archives(&self, lock: &Lock) -> Result<Vec<(LockedImage, Bytes)>, Error> {
        let archived = |image: &LockedImage| {
            let content = archive(self.supply.store, image)?;
            Ok((image.clone(), Bytes::from(content)))
        };
        lock.images_of(&self.wants.set).into_iter().map(archived).collect()
    }

    fn registry<'b>(&'b self, downloader: Option<&'b Downloader>) -> Registry<'b> {
        let Supply { store, settings, console, .. } = self.supply;
        Registry { store, settings, downloader, console }
    }
}
