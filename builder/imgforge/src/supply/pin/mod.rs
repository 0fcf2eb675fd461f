//! The stage that makes a build repeatable: everything it adds to the base is pinned in the lock, and at hand in the store.

mod error;
mod images;

use std::{collections::BTreeMap, sync::Arc};

use imgforge_disk::{Content, FileContent};

use crate::{
    build::prepare::Inputs,
    catalogue::{artifact::Artifact, kubernetes, profile::BaseImage},
    host::{clock, console::Console, settings::Settings},
    image::{
        change::Bytes,
        read::{PackageTree, Remembered},
    },
    plan::Additions,
    supply::{
        download::{self, Downloader, Pinned},
        lock::{Lock, Set, described},
        repositories::{self, Freshness, Metadata, Repository},
        resolve::{self, Resolve, Update, Wanted},
        unpack,
    },
    yaml,
};

pub use error::Error;

/// What may be done to have a lock.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The lock must be there and fit.
    pub locked: bool,
    /// The network must not be used.
    pub offline: bool,
    /// Releases of repositories whose time has passed are taken all the same.
    pub allow_expired: bool,
}

/// What one layer adds.
#[derive(Debug, Clone)]
pub struct Wants {
    /// What the lock calls it.
    pub set: String,
    /// The set of the layer below.
    pub over: Option<String>,
    /// What packages, repositories, artifacts and container images it takes.
    pub content: kubernetes::Content,
}

impl Wants {
    /// Whether nothing is added.
    pub fn is_empty(&self) -> bool {
        let kubernetes::Content { packages, artifacts, images, .. } = &self.content;
        packages.is_empty() && artifacts.is_empty() && images.is_empty()
    }
}

/// Makes the lock fit, fetches and unpacks.
#[derive(Debug)]
pub struct Pin<'a> {
    /// What is asked for, and the base.
    pub inputs: &'a Inputs,
    /// What is to be in the lock.
    pub wants: &'a Wants,
    /// Mirrors.
    pub settings: &'a Settings,
    /// Progress.
    pub console: &'a Console,
    /// What may be done.
    pub rules: Rules,
}

impl Pin<'_> {
    /// The lock, changed first where it does not fit. `None` where nothing is added to the base.
    pub fn lock(&self) -> Result<Option<Lock>, Error> {
        let lock_path = &self.inputs.lock_path;
        if self.wants.is_empty() {
            return Ok(None);
        }
        let lock = Lock::read(lock_path)?;
        let Some(reason) = self.misfit(lock.as_ref()) else { return Ok(lock) };
        if self.rules.locked {
            return Err(Error::Outdated { path: lock_path.clone(), reason });
        }
        self.console.note(&format!("locking first: {reason}"));
        self.renew(lock.unwrap_or_default(), &Update::Nothing).map(Some)
    }

    /// A lock of the artifacts alone, which need none: what asks for them says their hashes.
    pub fn artifacts(&self) -> Result<Lock, Error> {
        let set = Set { over: self.wants.over.clone(), ..Set::default() };
        let mut lock = Lock { sets: BTreeMap::from([(self.wants.set.clone(), set)]), ..Lock::default() };
        self.pin_artifacts(&mut lock, self.downloader()?.as_ref())?;
        Ok(lock)
    }

    /// Why `lock` does not do.
    fn misfit(&self, lock: Option<&Lock>) -> Option<String> {
        let (Inputs { base, .. }, Wants { set: name, over, content: wanted }) = (self.inputs, self.wants);
        let Some(lock) = lock else { return Some("there is no lock yet".into()) };
        let Some(set) = lock.sets.get(name) else {
            return Some(format!("nothing is locked for {}", described(name)));
        };
        if lock.base.image_sha256.as_ref() != Some(&base.decoded.record.image_sha256) {
            return Some("the base is another than the lock was made for".into());
        }
        let urls: Vec<&String> = wanted.artifacts.iter().map(|artifact| &artifact.url).collect();
        let same = |artifact: &Artifact| {
            let locked =
                lock.artifact(&artifact.url).map(|locked| Artifact { size: artifact.size, ..locked.clone() });
            locked.as_ref() == Some(artifact)
        };
        if set.wanted != wanted.packages || set.over != *over {
            return Some(format!("{} wants other packages than are locked", described(name)));
        }
        if set.artifacts.iter().collect::<Vec<_>>() != urls || !wanted.artifacts.iter().all(same) {
            return Some(format!("{} wants other artifacts than are locked", described(name)));
        }
        if set.images_wanted != wanted.images.names() {
            return Some(format!("{} wants other container images than are locked", described(name)));
        }
        None
    }

    /// Makes the lock anew from `lock`, keeping its pins but for those of `update`, and writes it.
    pub fn renew(&self, mut lock: Lock, update: &Update) -> Result<Lock, Error> {
        let Inputs { request, base, lock_path, .. } = self.inputs;
        let Wants { set: name, over, content: wanted } = self.wants;
        self.check_update(&lock, update)?;
        let mut all: BTreeMap<String, Wanted> = lock
            .sets
            .iter()
            .map(|(name, set)| {
                (name.clone(), Wanted { packages: set.wanted.clone(), over: set.over.clone() })
            })
            .collect();
        all.insert(name.clone(), Wanted { packages: wanted.packages.clone(), over: over.clone() });
        let sets_before = lock.sets.clone();
        let downloader = self.downloader()?;
        let metadata = self.metadata(downloader.as_ref())?;
        if all.values().any(|wanted| !wanted.packages.is_empty()) {
            let repositories = self.repositories(&metadata)?;
            let architecture = repositories::debian_architecture(request.profile.architecture);
            let root = Remembered::new(&self.inputs.trees.root);
            let root = PackageTree(&root);
            let resolve = Resolve { root, architecture, repositories: &repositories, metadata };
            resolve.packages(&mut lock, &all, update)?;
        } else {
            lock.packages.clear();
            let empty = |wanted: &Wanted| Set { over: wanted.over.clone(), ..Set::default() };
            lock.sets = all.iter().map(|(name, wanted)| (name.clone(), empty(wanted))).collect();
        }
        for (name, set) in &mut lock.sets {
            if let Some(Set { artifacts, images_wanted, images, .. }) = sets_before.get(name).cloned() {
                *set = Set { artifacts, images_wanted, images, ..std::mem::take(set) };
            }
        }
        self.pin_artifacts(&mut lock, downloader.as_ref())?;
        self.pin_images(&mut lock, downloader.as_ref(), update)?;
        let newest = lock.repositories.iter().filter_map(|repository| repository.date).max();
        let newest = newest.and_then(|date| i64::try_from(date).ok());
        lock.epoch = Some(self.inputs.written.max(newest.unwrap_or(i64::MIN)));
        let record = &base.decoded.record;
        lock.base = BaseImage {
            sha256: Some(record.sha256.clone()),
            size: Some(record.size),
            image_sha256: Some(record.image_sha256.clone()),
            image_size: Some(record.image_size),
            made_by: None,
            ..self.inputs.base_pin()
        };
        lock.tidy();
        lock.write(lock_path)?;
        let (packages, images) =
            lock.sets.get(name).map_or((0, 0), |set| (set.packages.len(), set.images.len()));
        let images = if images == 0 { String::new() } else { format!(" and {images} container images") };
        let (set, path) = (described(name), lock_path.display());
        self.console.note(&format!("locked {packages} packages{images} for {set} in {path}"));
        Ok(lock)
    }

    /// Whether all packages and container images that are named for an update are in `lock`.
    fn check_update(&self, lock: &Lock, update: &Update) -> Result<(), Error> {
        let Update::Packages(names) = update else { return Ok(()) };
        let is_locked = |name: &str| lock.package(name).is_some() || lock.image(name).is_some();
        let Some(asked) = names.iter().find(|name| !is_locked(name)) else { return Ok(()) };
        let packages = lock.packages.iter().map(|package| package.name.as_str());
        let known = packages.chain(lock.images.iter().map(|image| image.reference.as_str()));
        let (path, suggestion) = (self.inputs.lock_path.clone(), yaml::nearest(asked, known));
        Err(Error::NotLocked { asked: asked.clone(), path, suggestion })
    }

    /// The packages and artifacts of the set, fetched where they are missing, and unpacked.
    pub fn additions(&self, lock: &Lock) -> Result<Additions, Error> {
        let (Inputs { store, .. }, Wants { set, content, .. }) = (self.inputs, self.wants);
        let containerd = content.containerd.clone();
        let mut additions = Additions { containerd, ..Additions::default() };
        if self.wants.is_empty() {
            return Ok(additions);
        }
        self.fetch(lock)?;
        additions.packages = unpack::packages(store, &lock.packages_of(set))?;
        additions.images = self.archives(lock)?;
        for artifact in lock.artifacts_of(set) {
            if artifact.unpack {
                let tarball = unpack::tarball(store, artifact)?;
                additions.tarballs.push((artifact.clone(), tarball));
            } else {
                let path = store.blob(&artifact.sha256);
                let content = FileContent::open(&path).map_err(|source| Error::Open { path, source })?;
                let content: Arc<dyn Content> = Arc::new(content);
                let bytes = Bytes { content, sha256: Some(artifact.sha256.clone()) };
                additions.files.push((artifact.clone(), bytes));
            }
        }
        Ok(additions)
    }

    /// Puts all that the set names into the store.
    pub fn fetch(&self, lock: &Lock) -> Result<(), Error> {
        let set = &self.wants.set;
        let packages: Vec<_> = lock.packages_of(set).into_iter().cloned().collect();
        let downloader = self.downloader()?;
        let metadata = self.metadata(downloader.as_ref())?;
        resolve::fetch_packages(&metadata, &packages)?;
        for artifact in lock.artifacts_of(set) {
            self.fetch_artifact(artifact, downloader.as_ref())?;
        }
        self.fetch_images(lock, downloader.as_ref())
    }

    /// Puts an artifact into the store, if it is not there; returns its size in bytes.
    fn fetch_artifact(&self, artifact: &Artifact, downloader: Option<&Downloader>) -> Result<u64, Error> {
        let store = &self.inputs.store;
        let path = match store.verified_blob(&artifact.sha256)? {
            Some(path) => path,
            None => {
                let offline = || download::Error::Offline { url: artifact.url.clone() };
                let name = artifact.url.rsplit('/').next().unwrap_or_default();
                let bar = self.console.progress(&format!("fetching {name}"), artifact.size);
                let file = Pinned {
                    url: &artifact.url,
                    candidates: &self.settings.candidates(&artifact.url),
                    sha256: &artifact.sha256,
                    size: artifact.size,
                    accept: None,
                };
                downloader.ok_or_else(offline)?.fetch(store, file, &|at, all| bar.set(at, all))?
            }
        };
        let content = FileContent::open(&path).map_err(|source| Error::Open { path, source })?;
        Ok(content.len())
    }

    fn pin_artifacts(&self, lock: &mut Lock, downloader: Option<&Downloader>) -> Result<(), Error> {
        let wanted = &self.wants.content.artifacts;
        if let Some(set) = lock.sets.get_mut(&self.wants.set) {
            set.artifacts = wanted.iter().map(|artifact| artifact.url.clone()).collect();
        }
        for artifact in wanted {
            let size = self.fetch_artifact(artifact, downloader)?;
            lock.artifacts.retain(|known| known.url != artifact.url);
            lock.artifacts.push(Artifact { size: Some(size), ..artifact.clone() });
        }
        Ok(())
    }

    /// The image's own repositories, then those that the release of Kubernetes declares.
    fn repositories(&self, metadata: &Metadata<'_>) -> Result<Vec<Repository>, Error> {
        let Inputs { request, folders, trees, .. } = self.inputs;
        let architecture = repositories::debian_architecture(request.profile.architecture);
        let pinned = repositories::archive_keys(folders)?;
        let mut all = repositories::of_image(&trees.root, architecture, &pinned, self.console)?;
        for declaration in &self.wants.content.repositories {
            let key = metadata.unpinned(&declaration.key)?;
            all.push(declaration.repository(&key)?);
        }
        Ok(all)
    }

    fn downloader(&self) -> Result<Option<Downloader>, Error> {
        Ok(if self.rules.offline { None } else { Some(Downloader::new()?) })
    }

    fn metadata<'b>(&'b self, downloader: Option<&'b Downloader>) -> Result<Metadata<'b>, Error> {
        let freshness =
            Freshness { now: clock::now().ok_or(Error::Clock)?, allow_expired: self.rules.allow_expired };
        let (store, settings, console) = (&self.inputs.store, self.settings, self.console);
        Ok(Metadata { store, settings, downloader, freshness, console })
    }
}
