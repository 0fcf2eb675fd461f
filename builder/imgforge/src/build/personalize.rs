//! From a release image to the release that a node's layer is put over: the image is looked at, not built.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use imgforge_disk::{FileContent, bmap::Digests, decode};
use imgforge_spec::{ImagePath, Sha256};

use super::{
    Options, Workbench,
    error::Error,
    layer::Layered,
    manifest::Manifest,
    misfit::Misfit,
    output,
    prepare::{self, Prepared},
    release::{Image, Release},
    sbom::Installed,
};
use crate::{
    host::console::Console,
    image::{
        change::Volume,
        entry::{ChangeEntry, State},
        open::OpenImage,
        partitions::{Partitions, Trees},
    },
    plan::{
        self, Pinned,
        record::{FORMAT, PATH, Record},
    },
    supply::{
        Rules, base,
        lock::{Added, Lock},
        pin::{self, Additions, Pin},
        store::Store,
    },
    target::Target,
};

/// A release image, opened.
#[derive(Debug)]
pub(crate) struct ReleaseImage {
    path: PathBuf,
    image: OpenImage,
    raw: PathBuf,
    /// Of the disk image in a compressed one, known since it was decoded.
    sha256: Option<Sha256>,
    partitions: Partitions,
    store: Store,
    /// What it says of itself.
    pub record: Record,
}

impl ReleaseImage {
    /// Opens the image `path`; a compressed one is decoded into the store, once.
    pub fn open(path: &Path, store: Store, console: &Console) -> Result<Self, Error> {
        let no_release = |reason: &str| Misfit::NoRelease { path: path.to_owned(), reason: reason.into() };
        let (raw, sha256) = raw(path, &store, console)?;
        let image = OpenImage::open(&raw, console)?;
        let partitions = image.guess_partitions().ok_or_else(|| no_release("it has no ext4 file system"))?;
        let trees = Trees::open(&image.content, &partitions)?;
        let record = ImagePath::new(PATH).map_err(plan::Error::Path)?;
        let json = match trees.root.entry(&record)? {
            Some(_) => trees.root.read(&record)?,
            None => return Err(no_release(&format!("there is no {PATH} in it")).into()),
        };
        let record: Record = serde_json::from_slice(&json)
            .map_err(|error| no_release(&format!("{PATH} in it cannot be read: {error}")))?;
        if record.format != FORMAT {
            let reason = format!("{PATH} in it has format {}, this imgforge knows {FORMAT}", record.format);
            return Err(no_release(&reason).into());
        }
        if let Some(hostname) = record.node {
            return Err(Misfit::Personal { path: path.to_owned(), hostname }.into());
        }
        Ok(Self { path: path.to_owned(), image, raw, sha256, partitions, store, record })
    }

    /// The image of `target`, which is to be made from this one, whose manifest is `manifest`.
    pub(crate) fn personalize(
        &self,
        target: &Target,
        manifest: &Manifest,
        bench: &Workbench<'_>,
    ) -> Result<Image, Error> {
        let prepared = Prepared::new(target, bench)?;
        let request = prepared.request.clone();
        let release = Pinned { request, base: self.record.base, epoch: self.record.epoch };
        let mut node = release.of_node(target);
        let misfits = self.record.misfits(&Record::new(&release)?);
        if !misfits.is_empty() {
            let hostname = node.request.hostname();
            return Err(Misfit::Other { path: self.path.clone(), hostname, misfits }.into());
        }
        if let Some(membership) = &mut node.request.membership {
            membership.read_secrets()?;
        }
        let (additions, of_node) = self.additions(&prepared, target, bench)?;
        let release = self.release((release, prepared.notes), manifest)?;
        let added = of_node.after(manifest.added());
        Ok(Image { release: Arc::new(release), pinned: node, added, additions })
    }

    /// What the layer of `target` adds. It was pinned for the base, which is not here: nothing is pinned anew.
    fn additions(
        &self,
        prepared: &Prepared,
        target: &Target,
        bench: &Workbench<'_>,
    ) -> Result<(Additions, Added), Error> {
        let Some(wants) = prepared.layers(target)?.node else { return Ok(Default::default()) };
        let rules = Rules { locked: true, ..bench.options.rules };
        let options = Options { rules, ..bench.options.clone() };
        let pin = prepared.pin(&wants, self.record.base, &Workbench { options: &options, ..*bench });
        let lock = lock_of(&pin)?;
        Ok((pin.additions(&lock)?, lock.added(&[&wants.set])))
    }

    /// The release that lies in the image.
    fn release(&self, of: (Pinned, Vec<String>), manifest: &Manifest) -> Result<Release, Error> {
        let layout = &of.0.request.board.profile.layout;
        let layered = Layered::over(Arc::clone(&self.image.content), layout)?;
        let Manifest { changes, secrets, packages, .. } = manifest.clone();
        let layered = Layered { changes, secrets, ..layered };
        let trees = Trees::open(&self.image.content, &self.partitions)?;
        let is_added = |package: &Installed| {
            packages.iter().any(|a| a.name == package.name && a.architecture == package.architecture)
        };
        let mut installed = prepare::installed(&trees)?;
        installed.retain(|package| !is_added(package));
        let map = fs::read_to_string(output::beside(&self.path, ".bmap")).ok();
        let digests = map.and_then(|map| Digests::of_map(&map)).unwrap_or_default();
        let files = (self.raw.clone(), self.path.clone());
        let release =
            Release::new(of, (manifest.base.clone(), files), installed, layered, self.store.clone());
        release.is_made(digests);
        Ok(release)
    }

    /// Whether `manifest`, from the file `path`, is of this image: by what it says of itself, and by the digest of all bytes where
    /// the manifest has one. A digest of the block map alone is `verify`'s: what was built here was read back.
    pub(crate) fn check(&self, path: &Path, manifest: &Manifest) -> Result<(), Error> {
        let record = self.record.to_json().unwrap_or_default();
        let digest = Sha256::of(&record);
        let is_record =
            |entry: &&ChangeEntry| entry.volume == Volume::Root && entry.path.as_bytes() == PATH.as_bytes();
        let told = manifest.changes.iter().find(is_record).map(|entry| &entry.state);
        let is_told = matches!(told, Some(State::File { sha256, .. }) if *sha256 == digest);
        let is_whole = || match (manifest.image.sha256, self.sha256) {
            (None, _) => Ok(true),
            (Some(wanted), Some(found)) => Ok(found == wanted),
            (Some(wanted), None) => base::sha256_of_file(&self.raw, &self.store).map(|found| found == wanted),
        };
        let what = if manifest.image.size != self.image.content.len() {
            "the size"
        } else if !is_told {
            "what it was made as"
        } else if !is_whole()? {
            "the SHA-256"
        } else {
            return Ok(());
        };
        Err(Misfit::OtherManifest { path: self.path.clone(), manifest: path.to_owned(), what }.into())
    }
}

/// The lock for `pin`; what wants artifacts only needs none.
fn lock_of(pin: &Pin<'_>) -> Result<Lock, pin::Error> {
    let content = &pin.wants.content;
    let has_packages = !content.packages.is_empty() || !content.unpinned.is_empty();
    if !has_packages && content.images.is_empty() && content.keys.is_empty() {
        return pin.artifacts();
    }
    pin.fitting(Lock::read(pin.lock_path)?)
}

/// The raw image in the file `path`, with its SHA-256 where it was decoded.
fn raw(path: &Path, store: &Store, console: &Console) -> Result<(PathBuf, Option<Sha256>), Error> {
    let failed = |source| Error::Open { path: path.to_owned(), source };
    let file = FileContent::open(path).map_err(failed)?;
    if decode::Format::of(&file).map_err(failed)? == decode::Format::Raw {
        return Ok((path.to_owned(), None));
    }
    let decoded = base::decoded(path, store, console)?;
    Ok((decoded.path, Some(decoded.record.image_sha256)))
}
