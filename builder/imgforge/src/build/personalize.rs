//! From a release image to the release that a node's layer is put over: the image is looked at, not built.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use imgforge_disk::{FileContent, bmap::Digests, decode};
use sha2::{Digest, Sha256};

use crate::{
    build::{
        error::Error as AnyError,
        layer::Layered,
        manifest::{ChangeEntry, Manifest, State, hex},
        output,
        prepare::{Asked, Inputs, node_wants},
        release::{Image, Release},
    },
    cli::TargetArgs,
    host::{console::Console, settings::Settings},
    image::{
        change::Volume,
        open::OpenImage,
        partitions::{Partitions, Trees},
        read::Tree,
    },
    image_path::ImagePath,
    plan::{
        self, Additions, Request,
        record::{FORMAT, PATH, Record},
    },
    supply::{
        base::{self, Base},
        lock::Added,
        pin::{Pin, Rules},
        store::{self, DecodedBase, Store},
    },
    target::Target,
};

/// Why an image cannot be personalised.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no release image of imgforge's.
    #[error("{} is no release image: {reason}", path.display())]
    NoRelease {
        /// The image.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// It is a node's already.
    #[error("{} is the image of the node {hostname} already", path.display())]
    Personal {
        /// The image.
        path: PathBuf,
        /// The node.
        hostname: String,
    },
    /// It is not what the node needs.
    #[error("{} does not fit {hostname}:{}", path.display(), misfits.iter().map(line).collect::<String>())]
    Misfit {
        /// The image.
        path: PathBuf,
        /// The node.
        hostname: String,
        /// What, as it is in the image, and as the node needs it.
        misfits: Vec<(&'static str, String, String)>,
    },
    /// The manifest is another image's.
    #[error("{} is not the manifest of {}: {what} differs", manifest.display(), path.display())]
    OtherManifest {
        /// The image.
        path: PathBuf,
        /// The manifest.
        manifest: PathBuf,
        /// What.
        what: &'static str,
    },
}

fn line((what, there, needed): &(&'static str, String, String)) -> String {
    format!("\n  {what}: the image has {there}, the node needs {needed}")
}

impl Error {
    /// What the user can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Error::NoRelease { .. } => "`imgforge build --board BOARD --role ROLE` makes one",
            Error::Personal { .. } => "take the release image that it was made from",
            Error::Misfit { .. } => {
                "take the release image for this board and role, or build the node's image"
            }
            Error::OtherManifest { .. } => "take image and manifest of the same build",
        }
    }
}

/// A release image, opened.
#[derive(Debug)]
pub struct ReleaseImage {
    path: PathBuf,
    image: OpenImage,
    raw: PathBuf,
    partitions: Partitions,
    store: Store,
    /// What it says of itself.
    pub record: Record,
}

impl ReleaseImage {
    /// Opens the image `path`; a compressed one is decoded into the store, once.
    pub fn open(path: &Path, store: Store, console: &Console) -> Result<Self, AnyError> {
        let no_release = |reason: &str| Error::NoRelease { path: path.to_owned(), reason: reason.into() };
        let raw = raw(path, &store, console)?;
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
            return Err(Error::Personal { path: path.to_owned(), hostname }.into());
        }
        Ok(Self { path: path.to_owned(), image, raw, partitions, store, record })
    }

    /// The image of `target`, which is to be made from this one, whose manifest is `manifest`, from the file `manifest_path`.
    pub fn personalize(
        &self,
        target: &Target,
        (manifest_path, manifest): (&Path, &Manifest),
        args: &TargetArgs,
        settings: &Settings,
        console: &Console,
    ) -> Result<Image, AnyError> {
        let Asked { mut request, notes, wants, folders, lock_path, .. } = Asked::new(target, args, settings)?;
        request.base.clone_from(&self.record.base);
        request.epoch = self.record.epoch;
        let Target { node, membership, .. } = target.clone();
        let mut node = Request { node, membership, ..request.clone() };
        let misfits = self.record.misfits(&Record::new(&request)?);
        if !misfits.is_empty() {
            return Err(Error::Misfit { path: self.path.clone(), hostname: node.hostname(), misfits }.into());
        }
        self.check(manifest_path, manifest)?;
        if let Some(membership) = &mut node.membership {
            membership.read_secrets()?;
        }
        let wants_of_node = node_wants(target, &wants)?;
        let inputs = Inputs {
            trees: Trees::open(&self.image.content, &self.partitions)?,
            base: Base {
                decoded: DecodedBase { path: self.raw.clone(), record: store::Record::of(&manifest.base) },
                published: self.path.clone(),
                origin: manifest.base.origin.clone(),
            },
            image: Arc::clone(&self.image.content),
            written: self.record.epoch,
            store: self.store.clone(),
            request,
            notes,
            wants,
            folders,
            lock_path,
        };
        // What the node adds was pinned for the base, which is not here: nothing is pinned anew.
        let rules = Rules { locked: true, ..args.rules() };
        let pin =
            wants_of_node.as_ref().map(|wants| Pin { inputs: &inputs, wants, settings, console, rules });
        let (additions, of_node) = pin.map(|pin| additions(&pin)).transpose()?.unwrap_or_default();
        let Manifest { repositories, packages, artifacts, images, changes, secrets, .. } = manifest.clone();
        let of_release = Added { repositories, packages, artifacts, images };
        let layered = Layered::over(Arc::clone(&inputs.image), &inputs.request.profile.layout)?;
        let layered = Layered { changes, secrets, ..layered };
        let digests = fs::read_to_string(output::beside(&self.path, ".bmap")).ok();
        let digests = digests.and_then(|map| Digests::of_map(&map)).unwrap_or_default();
        let release = Release::of_image(inputs, layered, &of_release, digests)?;
        Ok(Image { release: Arc::new(release), request: node, added: of_node.after(of_release), additions })
    }

    /// Whether `manifest` is of this image, as far as can be told without reading all of it.
    fn check(&self, path: &Path, manifest: &Manifest) -> Result<(), Error> {
        let record = self.record.to_json().unwrap_or_default();
        let digest = hex(Sha256::digest(&record));
        let is_record = |entry: &&ChangeEntry| entry.volume == Volume::Root && entry.path == PATH;
        let told = manifest.changes.iter().find(is_record).map(|entry| &entry.state);
        let is_told = matches!(told, Some(State::File { sha256, .. }) if *sha256 == digest);
        let what = match (manifest.image.size == self.image.content.len(), is_told) {
            (false, _) => "the size",
            (_, false) => "what it was made as",
            (true, true) => return Ok(()),
        };
        Err(Error::OtherManifest { path: self.path.clone(), manifest: path.to_owned(), what })
    }
}

/// What the layer of `pin` adds, pinned by the lock, or by what asks for it where that is artifacts only.
fn additions(pin: &Pin<'_>) -> Result<(Additions, Added), AnyError> {
    let content = &pin.wants.content;
    let lock = match content.packages.is_empty() && content.images.is_empty() {
        true => pin.artifacts()?,
        false => pin.lock()?.unwrap_or_default(),
    };
    Ok((pin.additions(&lock)?, lock.added(&[&pin.wants.set])))
}

/// The raw image in the file `path`.
fn raw(path: &Path, store: &Store, console: &Console) -> Result<PathBuf, AnyError> {
    let failed = |source| AnyError::Open { path: path.to_owned(), source };
    let file = FileContent::open(path).map_err(failed)?;
    if decode::Format::of(&file).map_err(failed)? == decode::Format::Raw {
        return Ok(path.to_owned());
    }
    Ok(base::decoded(path, store, console)?.path)
}
