//! Pulling from registries: the OCI distribution API, version 2.
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pull>

use std::{fs::File, io::BufReader, path::PathBuf};

use imgforge_debian::Target;
use imgforge_spec::Architecture;

use super::{
    Error, LockedImage, Platform, Reference,
    archive::read_small,
    document::{self, ACCEPTED, Descriptor, Digest, Document, MOST_BYTES, Malformed, Manifest},
    locked::Blob,
    programs::Programs,
};
use crate::{
    host::{console::Console, settings::Settings},
    supply::{
        download::{self, Downloader, Pinned, Published, Size},
        store::Store,
    },
};

/// The registries, as they can be reached.
#[derive(Debug)]
pub(crate) struct Registry<'a> {
    /// Keeps the parts of images.
    pub store: &'a Store,
    /// Mirrors.
    pub settings: &'a Settings,
    /// The network; `None` where it may not be used.
    pub(crate) downloader: Option<&'a Downloader>,
    /// Progress.
    pub console: &'a Console,
}

impl Registry<'_> {
    /// Pins the image that `reference` names now, for a board of this architecture. All of it is in the store then, as
    /// only its programs say what it really runs on.
    pub(crate) fn resolve(&self, reference: &Reference, board: Architecture) -> Result<LockedImage, Error> {
        let wanted = Platform::of(board);
        let top = self.published(reference)?;
        let digest = Digest::of(&top);
        let (listed, index_sha256, manifest) = match decode(reference, &top)? {
            Document::Index(images) => {
                let image = chosen(reference, &images, &wanted)?;
                (image.platform.clone(), Some(digest.sha256()), Blob::from(image))
            }
            Document::Manifest(_) => (None, None, Blob { sha256: digest.sha256(), size: top.len() as u64 }),
        };
        let documents = self.manifest(reference, &manifest)?;
        let config = Blob::from(&documents.config);
        let layers = documents.layers.iter().map(Blob::from).collect();
        let platform = listed.unwrap_or_else(|| wanted.clone()).to_string();
        let image = LockedImage {
            reference: reference.to_string(),
            platform,
            index_sha256,
            manifest,
            config,
            layers,
        };
        self.fetch(&image)?;
        self.check(&image, &documents, board)?;
        Ok(image)
    }

    /// Holds what `image` says it is for, and what its programs are for, against the board. The highest layer with
    /// programs decides: what an image is made for lies over what it is made from.
    fn check(&self, image: &LockedImage, manifest: &Manifest, board: Architecture) -> Result<(), Error> {
        let LockedImage { reference, config, .. } = image;
        let malformed = |source| Error::Malformed { reference: reference.clone(), source };
        let wanted = Platform::of(board);
        let own = document::platform_of(&read_small(self.store, config.sha256)?).map_err(malformed)?;
        let is_labelled = wanted.suits(&own).is_some();
        let mut programs = Programs::None;
        for layer in manifest.layers.iter().rev() {
            programs = self.programs(layer, board.into()).map_err(malformed)?;
            if programs != Programs::None {
                break;
            }
        }
        let (reference, wanted) = (reference.clone(), wanted.to_string());
        match programs {
            Programs::Fail { path, reason } => Err(Error::OtherPrograms { reference, wanted, path, reason }),
            Programs::None if !is_labelled => {
                Err(Error::OtherPlatform { reference, wanted, found: own.to_string() })
            }
            Programs::Run if !is_labelled => {
                self.console
                    .note(&format!("{reference} calls itself {own}, but its programs are for {wanted}"));
                Ok(())
            }
            Programs::None | Programs::Run => Ok(()),
        }
    }

    fn programs(&self, layer: &Descriptor, board: Target) -> Result<Programs, Malformed> {
        let failed = |source| Malformed::Layer { digest: layer.digest.clone(), source };
        let compression = layer.compression().ok_or_else(|| Malformed::Kind(layer.media_type.clone()))?;
        let file = File::open(self.store.blob(layer.digest.sha256())).map_err(failed)?;
        Programs::of_layer(BufReader::with_capacity(1 << 18, file), compression, board).map_err(failed)
    }

    /// Puts all parts of `image` into the store.
    pub(crate) fn fetch(&self, image: &LockedImage) -> Result<(), Error> {
        let reference: Reference = image.reference.parse()?;
        self.manifest(&reference, &image.manifest)?;
        [&image.config]
            .into_iter()
            .chain(&image.layers)
            .try_for_each(|blob| self.blob(&reference, blob).map(drop))
    }

    /// What the registry has under `reference`: nothing but its word and the digest's, if there is one, vouches for it.
    fn published(&self, reference: &Reference) -> Result<Vec<u8>, Error> {
        let url = reference.url();
        let downloader = self.downloader.ok_or_else(|| offline(reference, &url))?;
        let candidates = self.settings.candidates(&url);
        // What a tag means now is what gets pinned.
        let candidates = match reference.digest() {
            Some(_) => candidates,
            None => download::protected(&url, &candidates).map_err(refused(reference))?,
        };
        let found = downloader.document(&candidates, ACCEPTED, MOST_BYTES).map_err(refused(reference))?;
        let Published { bytes, digest: said } = found;
        let found = Digest::of(&bytes);
        let claimed = reference.digest().map(ToString::to_string).or(said);
        match claimed.filter(|claimed| claimed.starts_with("sha256:") && *claimed != found.to_string()) {
            None => Ok(bytes),
            Some(claimed) => Err(Error::Digest { reference: reference.to_string(), found, claimed }),
        }
    }

    /// The manifest of an image for one platform, by its digest.
    fn manifest(&self, reference: &Reference, manifest: &Blob) -> Result<Manifest, Error> {
        if manifest.size > MOST_BYTES {
            return Err(malformed(reference)(Malformed::Size(manifest.size)));
        }
        let url = reference.manifest_url(format!("sha256:{}", manifest.sha256));
        self.part(reference, &url, manifest, Some(ACCEPTED))?;
        match decode(reference, &read_small(self.store, manifest.sha256)?)? {
            Document::Manifest(manifest) => Ok(manifest),
            Document::Index(_) => Err(malformed(reference)(Malformed::Neither)),
        }
    }

    fn blob(&self, reference: &Reference, blob: &Blob) -> Result<PathBuf, Error> {
        let url =
            reference.blob_url(&format!("sha256:{}", blob.sha256).parse().map_err(malformed(reference))?);
        self.part(reference, &url, blob, None)
    }

    /// Puts a part of an image into the store, if it is not there.
    fn part(
        &self,
        reference: &Reference,
        url: &str,
        part: &Blob,
        accept: Option<&str>,
    ) -> Result<PathBuf, Error> {
        if let Some(path) = self.store.verified_blob(part.sha256)? {
            return Ok(path);
        }
        let downloader = self.downloader.ok_or_else(|| offline(reference, url))?;
        let bar = self.console.progress(&format!("fetching {reference}"), Some(part.size));
        let candidates = &self.settings.candidates_of(url, part.sha256);
        let file = Pinned { url, candidates, sha256: part.sha256, size: Size::Exactly(part.size), accept };
        downloader.fetch(self.store, file, &|at, all| bar.set(at, all)).map_err(refused(reference))
    }
}

/// The image of an index that suits `platform` best; of equal ones the first, as container runtimes do.
fn chosen<'a>(
    reference: &Reference,
    images: &'a [Descriptor],
    platform: &Platform,
) -> Result<&'a Descriptor, Error> {
    let ranked = images.iter().filter_map(|image| Some((platform.suits(image.platform.as_ref()?)?, image)));
    if let Some((_, image)) = ranked.min_by_key(|(rank, _)| *rank) {
        return Ok(image);
    }
    let mut found: Vec<String> = images
        .iter()
        .filter_map(|image| image.platform.as_ref().map(ToString::to_string))
        .filter(|platform| platform != "unknown/unknown") // signatures and the like
        .collect();
    if found.is_empty() {
        found.push("no platform at all".into());
    }
    Err(Error::NoPlatform { reference: reference.to_string(), wanted: platform.to_string(), found })
}

fn decode(reference: &Reference, bytes: &[u8]) -> Result<Document, Error> {
    Document::decode(bytes).map_err(malformed(reference))
}

fn malformed(reference: &Reference) -> impl Fn(Malformed) -> Error {
    let reference = reference.to_string();
    move |source| Error::Malformed { reference: reference.clone(), source }
}

fn refused(reference: &Reference) -> impl Fn(download::Error) -> Error {
    let reference = reference.to_string();
    move |source| {
        let reference = reference.clone();
        match source {
            download::Error::Store(error) => error.into(),
            source @ download::Error::Offline { .. } => {
                Error::Registry { reference, source: Box::new(source) }
            }
            source if source.is_absent() => Error::Absent { reference, source: Box::new(source) },
            source => Error::Registry { reference, source: Box::new(source) },
        }
    }
}

fn offline(reference: &Reference, url: &str) -> Error {
    refused(reference)(download::Error::Offline { url: url.to_owned() })
}
