//! The stage that makes a build repeatable: everything it adds to the base is pinned in the lock, and at hand in the store.

mod additions;
mod error;
mod images;
mod keys;

use std::{collections::BTreeMap, path::Path};

use imgforge_debian::Database;
use imgforge_disk::{Content, FileContent};
use imgforge_spec::{Architecture, Sha256};

use super::{
    Supply,
    base::Base,
    checksum_file,
    download::{self, Downloader, MOST_ARTIFACT, Pinned, Size},
    lock::{Lock, Set, SetName},
    oci,
    repositories::{self, Freshness, Metadata, Repository},
    resolve::{self, Resolve, Update, Wanted},
};
use crate::{
    catalogue::{
        Board, Catalogue,
        artifact::{Artifact, Unpinned},
        keys::Declaration,
        kubernetes,
    },
    host::clock,
    image::read::{PackageTree, Remembered, Tree},
    yaml,
};

pub use additions::Additions;
pub use error::Error;

/// What one layer adds.
#[derive(Debug, Clone)]
pub struct Wants {
    /// What the lock calls it.
    pub set: SetName,
    /// The set of the layer below.
    pub over: Option<SetName>,
    /// What packages, repositories, artifacts and container images it takes.
    pub content: kubernetes::Content,
}

impl Wants {
    /// Whether nothing is added.
    pub fn is_empty(&self) -> bool {
        let kubernetes::Content { packages, artifacts, unpinned, images, keys, .. } = &self.content;
        packages.is_empty()
            && artifacts.is_empty()
            && unpinned.is_empty()
            && images.is_empty()
            && keys.is_empty()
    }
}

/// Makes the lock fit what one layer wants, fetches and unpacks that.
#[derive(Debug, Clone, Copy)]
pub struct Pin<'a> {
    /// What is to be in the lock.
    pub wants: &'a Wants,
    /// Where the lock is.
    pub lock_path: &'a Path,
    /// The base's disk image, for which the lock has to be made.
    pub base: Sha256,
    /// What the board runs.
    pub architecture: Architecture,
    /// The store and the network.
    pub supply: Supply<'a>,
}

/// What a lock is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ground<'a> {
    /// The board.
    pub board: &'a Board,
    /// Its base.
    pub base: &'a Base,
    /// What is in the base.
    pub root: &'a dyn Tree,
    /// When it was last written, in seconds since 1970.
    pub(crate) written: i64,
    /// Whose signatures on packages count.
    pub catalogue: &'a Catalogue,
}

/// The lock of what `pins` want over one base, changed first where `lock` does not fit; in one go, however many do not. It is
/// as it was where nothing is added to the base.
pub(crate) fn fit(pins: &[Pin<'_>], lock: Option<Lock>, ground: Ground<'_>) -> Result<Option<Lock>, Error> {
    let misfits = pins.iter().filter_map(|pin| Some((*pin, pin.misfit(lock.as_ref())?)));
    let (misfits, reasons): (Vec<Pin<'_>>, Vec<String>) = misfits.unzip();
    let (Some(first), Some(reason)) = (misfits.first(), reasons.into_iter().next()) else { return Ok(lock) };
    if first.supply.rules.locked {
        return Err(first.outdated(reason));
    }
    first.supply.console.note(&format!("locking first: {reason}"));
    renew(&misfits, lock.unwrap_or_default(), &Update::Nothing, ground).map(Some)
}

/// Makes the lock of what `pins` want anew from `lock`, keeping its pins but for those of `update`, and writes it.
pub(crate) fn renew(
    pins: &[Pin<'_>],
    mut lock: Lock,
    update: &Update,
    ground: Ground<'_>,
) -> Result<Lock, Error> {
    let Some(any) = pins.first() else { return Ok(lock) };
    any.check_update(&lock, update)?;
    let before = lock.sets.iter();
    let mut all: BTreeMap<SetName, Wanted> = before
        .map(|(name, set)| (name.clone(), Wanted { packages: set.wanted.clone(), over: set.over.clone() }))
        .collect();
    all.extend(pins.iter().map(|pin| {
        let Wants { set, over, content } = pin.wants;
        (set.clone(), Wanted { packages: content.packages.clone(), over: over.clone() })
    }));
    let sets_before = lock.sets.clone();
    let downloader = any.supply.downloader()?;
    let metadata = any.metadata(downloader.as_ref())?;
    if all.values().any(|wanted| !wanted.packages.is_empty()) {
        let root = Remembered::new(ground.root);
        let root = PackageTree(&root);
        let database = Database::load(&root).map_err(resolve::Error::Base)?;
        let architecture = repositories::debian_architecture(&database, any.architecture);
        let repositories = repositories_of(pins, &metadata, ground, architecture)?;
        let resolve =
            Resolve { root, database: &database, architecture, repositories: &repositories, metadata };
        resolve.packages(&mut lock, &all, update)?;
    } else {
        lock.packages.clear();
        let empty = |wanted: &Wanted| Set { over: wanted.over.clone(), ..Set::default() };
        lock.sets = all.iter().map(|(name, wanted)| (name.clone(), empty(wanted))).collect();
    }
    for (name, set) in &mut lock.sets {
        if let Some(Set { artifacts, images_wanted, images, keys, .. }) = sets_before.get(name).cloned() {
            *set = Set { artifacts, images_wanted, images, keys, ..std::mem::take(set) };
        }
    }
    for pin in pins {
        pin.pin_artifacts(&mut lock, downloader.as_ref())?;
        pin.pin_images(&mut lock, downloader.as_ref(), update)?;
        pin.pin_keys(&mut lock, downloader.as_ref(), update)?;
    }
    let newest = lock.repositories.iter().filter_map(|repository| repository.date).max();
    let newest = newest.and_then(|date| i64::try_from(date).ok());
    lock.epoch = Some(ground.written.max(newest.unwrap_or(i64::MIN)));
    lock.base = ground.base.pin(&ground.board.profile.base);
    lock.tidy();
    lock.write(any.lock_path)?;
    pins.iter().for_each(|pin| any.supply.console.note(&pin.summary(&lock)));
    Ok(lock)
}

/// The image's own repositories, those that the releases of Kubernetes declare, those of the settings.
fn repositories_of(
    pins: &[Pin<'_>],
    metadata: &Metadata<'_>,
    ground: Ground<'_>,
    architecture: &str,
) -> Result<Vec<Repository>, Error> {
    let pinned = ground.catalogue.archive_keys().map_err(repositories::Error::from)?;
    let mut all = Vec::new();
    if let Some(any) = pins.first() {
        all = repositories::of_image(ground.root, architecture, &pinned, any.supply.console)?;
    }
    let mut declared: Vec<&Declaration> = Vec::new();
    for declaration in pins.iter().flat_map(|pin| &pin.wants.content.repositories) {
        if !declared.contains(&declaration) {
            declared.push(declaration);
            let key = metadata.unpinned(&declaration.key)?;
            all.push(Repository::declared(declaration, &key)?);
        }
    }
    for own in pins.iter().flat_map(|pin| &pin.wants.content.own_repositories) {
        let repository = Repository::own(own)?;
        if !all.iter().any(|known| known.name() == repository.name()) {
            all.push(repository);
        }
    }
    Ok(all)
}

impl Pin<'_> {
    /// The lock as it is, if it fits.
    pub(crate) fn fitting(&self, lock: Option<Lock>) -> Result<Lock, Error> {
        match self.misfit(lock.as_ref()) {
            Some(reason) => Err(self.outdated(reason)),
            None => Ok(lock.unwrap_or_default()),
        }
    }

    fn outdated(&self, reason: String) -> Error {
        Error::Outdated { path: self.lock_path.to_owned(), reason }
    }

    /// A lock of the artifacts alone, which need none: what asks for them says their hashes.
    pub fn artifacts(&self) -> Result<Lock, Error> {
        let set = Set { over: self.wants.over.clone(), ..Set::default() };
        let mut lock = Lock { sets: BTreeMap::from([(self.wants.set.clone(), set)]), ..Lock::default() };
        self.pin_artifacts(&mut lock, self.supply.downloader()?.as_ref())?;
        Ok(lock)
    }

    /// Why `lock` does not do.
    fn misfit(&self, lock: Option<&Lock>) -> Option<String> {
        let Wants { set: name, over, content: wanted } = self.wants;
        if self.wants.is_empty() {
            return None;
        }
        let Some(lock) = lock else { return Some("there is no lock yet".into()) };
        let Some(set) = lock.sets.get(name) else {
            return Some(format!("nothing is locked for {}", name.described()));
        };
        if lock.base.image_sha256 != Some(self.base) {
            return Some("the base is another than the lock was made for".into());
        }
        let urls = self.urls();
        let same = |artifact: &Artifact| {
            let locked =
                lock.artifact(&artifact.url).map(|locked| Artifact { size: artifact.size, ..locked.clone() });
            locked.as_ref() == Some(artifact)
        };
        if set.wanted != wanted.packages || set.over != *over {
            return Some(format!("{} wants other packages than are locked", name.described()));
        }
        let pinned = |file: &Unpinned| lock.artifact(&file.url).is_some_and(|locked| file.is(locked));
        let fits = wanted.artifacts.iter().all(same) && wanted.unpinned.iter().all(pinned);
        if set.artifacts != urls || !fits {
            return Some(format!("{} wants other artifacts than are locked", name.described()));
        }
        if set.images_wanted != wanted.images.names() {
            return Some(format!("{} wants other container images than are locked", name.described()));
        }
        if set.keys != keys::names(&wanted.keys) {
            return Some(format!("{} wants other people's keys than are locked", name.described()));
        }
        None
    }

    /// Whether all packages and container images that are named for an update are in `lock`.
    fn check_update(&self, lock: &Lock, update: &Update) -> Result<(), Error> {
        let Update::Packages(names) = update else { return Ok(()) };
        let is_locked = |name: &str| {
            lock.package(name).is_some() || lock.image(name).is_some() || lock.keys_from(name).is_some()
        };
        let Some(asked) = names.iter().find(|name| !is_locked(name)) else { return Ok(()) };
        let packages = lock.packages.iter().map(|package| package.name.as_str());
        let images = lock.images.iter().map(|image| image.reference.as_str());
        let known = packages.chain(images).chain(lock.keys.iter().map(|keys| keys.from.as_str()));
        let (path, suggestion) = (self.lock_path.to_owned(), yaml::nearest(asked, known));
        Err(Error::NotLocked { asked: asked.clone(), path, suggestion })
    }

    /// Puts all that the set names into the store.
    pub(crate) fn fetch(&self, lock: &Lock) -> Result<(), Error> {
        let set = &self.wants.set;
        let packages: Vec<_> = lock.packages_of(set).into_iter().cloned().collect();
        let downloader = self.supply.downloader()?;
        let metadata = self.metadata(downloader.as_ref())?;
        resolve::fetch_packages(&metadata, &packages)?;
        for artifact in lock.artifacts_of(set) {
            self.supply.fetch_artifact(artifact, downloader.as_ref())?;
        }
        self.fetch_images(lock, downloader.as_ref())
    }

    fn pin_artifacts(&self, lock: &mut Lock, downloader: Option<&Downloader>) -> Result<(), Error> {
        let kubernetes::Content { artifacts, unpinned, .. } = &self.wants.content;
        if let Some(set) = lock.sets.get_mut(&self.wants.set) {
            set.artifacts = self.urls();
        }
        let mut wanted = artifacts.clone();
        for file in unpinned {
            wanted.push(match lock.artifact(&file.url).filter(|locked| file.is(locked)) {
                Some(locked) => locked.clone(),
                None => self.pinned(file, downloader)?,
            });
        }
        for artifact in &wanted {
            let size = self.supply.fetch_artifact(artifact, downloader)?;
            lock.artifacts.retain(|known| known.url != artifact.url);
            lock.artifacts.push(Artifact { size: Some(size), ..artifact.clone() });
        }
        Ok(())
    }

    /// The URLs of all artifacts.
    fn urls(&self) -> Vec<String> {
        let kubernetes::Content { artifacts, unpinned, .. } = &self.wants.content;
        let artifacts = artifacts.iter().map(|artifact| &artifact.url);
        artifacts.chain(unpinned.iter().map(|file| &file.url)).cloned().collect()
    }

    /// `file` with the hash that its publisher says.
    fn pinned(&self, file: &Unpinned, downloader: Option<&Downloader>) -> Result<Artifact, Error> {
        let text = self.metadata(downloader)?.unpinned(&file.checksum_file)?;
        let sha256 = checksum_file::find(&String::from_utf8_lossy(&text), file.name());
        let missing = || Error::NoChecksum { url: file.checksum_file.clone(), name: file.name().to_owned() };
        sha256.map(|sha256| file.pinned(sha256)).ok_or_else(missing)
    }

    /// What was locked, in words.
    fn summary(&self, lock: &Lock) -> String {
        let set_of = lock.sets.get(&self.wants.set);
        let (packages, images) = set_of.map_or((0, 0), |set| (set.packages.len(), set.images.len()));
        let images = if images == 0 { String::new() } else { format!(" and {images} container images") };
        let (set, path) = (self.wants.set.described(), self.lock_path.display());
        let keys = set_of.map_or(0, |set| set.keys.len());
        let keys = if keys == 0 { String::new() } else { ", and who may log in".to_owned() };
        format!("locked {packages} packages{images} for {set}{keys} in {path}")
    }

    fn metadata<'b>(&'b self, downloader: Option<&'b Downloader>) -> Result<Metadata<'b>, Error> {
        let Supply { store, settings, console, rules } = self.supply;
        let freshness =
            Freshness { now: clock::now().ok_or(Error::Clock)?, allow_expired: rules.allow_expired };
        Ok(Metadata { store, settings, downloader, freshness, console })
    }
}

impl Supply<'_> {
    /// Puts an artifact into the store, if it is not there; returns its size in bytes.
    fn fetch_artifact(&self, artifact: &Artifact, downloader: Option<&Downloader>) -> Result<u64, Error> {
        let store = self.store;
        let path = match store.verified_blob(artifact.sha256)? {
            Some(path) => path,
            None => {
                let offline = || download::Error::Offline { url: artifact.url.clone() };
                let name = artifact.url.rsplit('/').next().unwrap_or_default();
                let bar = self.console.progress(&format!("fetching {name}"), artifact.size);
                let file = Pinned {
                    url: &artifact.url,
                    candidates: &self.settings.candidates_of(&artifact.url, artifact.sha256),
                    sha256: artifact.sha256,
                    size: Size::new(artifact.size, MOST_ARTIFACT),
                    accept: None,
                };
                downloader.ok_or_else(offline)?.fetch(store, file, &|at, all| bar.set(at, all))?
            }
        };
        let content = FileContent::open(&path).map_err(|source| Error::Open { path, source })?;
        Ok(content.len())
    }

    /// The bytes of a small artifact, which is fetched if it is not in the store.
    pub(crate) fn small_artifact(&self, artifact: &Artifact) -> Result<Vec<u8>, Error> {
        self.fetch_artifact(artifact, self.downloader()?.as_ref())?;
        Ok(oci::read_small(self.store, artifact.sha256)?)
    }
}
