//! The stage between plan and output: the layer that all nodes of a board and role share is made once, and each node's over it.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use imgforge_disk::bmap::Digests;

use super::{
    Workbench,
    common::Common,
    error::Error,
    layer::Layered,
    manifest::{BaseEntry, FORMAT, ImageEntry, Manifest},
    output::{Identity, Written},
    prepare::{self, Inputs, Layers, OpenBase, Prepared},
    sbom::Installed,
};
use crate::{
    image::{
        partitions::{Partitions, Trees},
        survey::Survey,
    },
    plan::Pinned,
    rules::{self, Context},
    supply::{
        lock::{Added, Lock},
        pin::{self, Additions, Pin},
        store::Store,
    },
    target::{Located, Target},
};

/// What nodes of one board and role are made from: the base with the layer they share.
#[derive(Debug)]
pub struct Release {
    /// What is asked for, without a node.
    pub pinned: Pinned,
    /// What the user should know of this board and this Kubernetes.
    pub notes: Vec<String>,
    /// What it is made from.
    pub base: BaseEntry,
    /// The raw image that is the lowest layer: the host copies from it what does not change.
    pub(crate) raw: PathBuf,
    /// The same as it was published: compressed blocks that do not change are used again.
    pub published: PathBuf,
    /// The packages of the base.
    pub(crate) installed: Vec<Installed>,
    /// The base with the layer.
    pub(crate) layered: Layered,
    /// What images of it have in common.
    common: Mutex<Common>,
    /// Nothing is taken out of it while images are made.
    store: Store,
}

/// An image that is to be made.
#[derive(Debug)]
pub struct Image {
    /// What it is made from.
    pub release: Arc<Release>,
    /// What is asked for.
    pub pinned: Pinned,
    /// What is added to the base, in all layers.
    pub(crate) added: Added,
    /// What the node's layer adds.
    pub additions: Additions,
}

/// Locks by their files, each read once and kept as it is changed.
#[derive(Debug, Default)]
pub(crate) struct Locks(BTreeMap<PathBuf, Option<Lock>>);

impl Locks {
    /// The lock at `path`, taken out to be changed; `None` where there is none yet.
    fn take(&mut self, path: &Path) -> Result<Option<Lock>, Error> {
        match self.0.remove(path) {
            Some(lock) => Ok(lock),
            None => Ok(Lock::read(path).map_err(pin::Error::from)?),
        }
    }

    fn put(&mut self, path: &Path, lock: Option<Lock>) {
        self.0.insert(path.to_owned(), lock);
    }

    fn get(&self, path: &Path) -> Option<&Lock> {
        self.0.get(path)?.as_ref()
    }

    /// Gets hold of what the release of `target` is made from, with its base pinned.
    pub(crate) fn gather(&mut self, target: &Target, bench: &Workbench<'_>) -> Result<Inputs, Error> {
        let lock = self.take(&target.lock)?;
        let (inputs, lock) = Inputs::gather(target, lock, bench)?;
        self.put(&target.lock, lock);
        Ok(inputs)
    }

    /// Makes the lock of `targets`, whose one release starts from `inputs`, what `change` makes of it for all their layers.
    pub fn change<'a>(
        &mut self,
        targets: impl IntoIterator<Item = &'a Target>,
        inputs: &Inputs,
        bench: &Workbench<'_>,
        change: impl FnOnce(&[Pin<'_>], Option<Lock>) -> Result<Option<Lock>, pin::Error>,
    ) -> Result<Vec<Layers>, Error> {
        let layers = targets.into_iter().map(|target| inputs.prepared.layers(target));
        let layers: Vec<Layers> = layers.collect::<Result<_, _>>()?;
        let release = [&inputs.prepared.wants].into_iter();
        let wants = release.chain(layers.iter().flat_map(|layers| &layers.node));
        let pins: Vec<Pin<'_>> = wants.map(|wants| inputs.pin(wants, bench)).collect();
        let path = &inputs.prepared.lock_path;
        let lock = self.take(path)?;
        self.put(path, change(&pins, lock)?);
        Ok(layers)
    }

    /// Makes the lock fit `targets`, whose one release starts from `inputs`. Returns what the layers of each take, and the
    /// lock.
    pub(crate) fn fit<'a>(
        &mut self,
        targets: impl IntoIterator<Item = &'a Target>,
        inputs: &Inputs,
        bench: &Workbench<'_>,
    ) -> Result<(Vec<Layers>, Option<&Lock>), Error> {
        let ground = inputs.ground(bench);
        let layers = self.change(targets, inputs, bench, |pins, lock| pin::fit(pins, lock, ground))?;
        Ok((layers, self.get(&inputs.prepared.lock_path)))
    }
}

/// `targets` by the release they are made from, the releases in the order of their first targets.
pub(crate) fn by_release(targets: &[Target]) -> Vec<Vec<(usize, &Target)>> {
    let mut releases: Vec<Vec<(usize, &Target)>> = Vec::new();
    for (index, target) in targets.iter().enumerate() {
        let same = |of_release: &&mut Vec<(usize, &Target)>| {
            of_release.first().is_some_and(|(_, first)| first.shares_release(target))
        };
        match releases.iter_mut().find(same) {
            Some(of_release) => of_release.push((index, target)),
            None => releases.push(vec![(index, target)]),
        }
    }
    releases
}

/// The images for `targets`, in their order. All is pinned before anything is planned: a lock that changes later would give
/// another image the next time.
pub fn images(targets: &[Target], bench: &Workbench<'_>) -> Result<Vec<Image>, Error> {
    let targets = with_secrets(targets)?;
    let mut locks = Locks::default();
    let mut gathered = Vec::new();
    for of_release in by_release(&targets) {
        let Some((_, first)) = of_release.first() else { continue };
        let inputs = locks.gather(first, bench)?;
        locks.fit(of_release.iter().map(|(_, target)| *target), &inputs, bench)?;
        gathered.push((of_release, inputs));
    }
    let mut images: Vec<(usize, Image)> = Vec::new();
    for (of_release, inputs) in gathered {
        let lock = locks.get(&inputs.prepared.lock_path);
        images.extend(of_inputs(inputs, lock, of_release.into_iter(), bench)?);
    }
    images.sort_by_key(|(index, _)| *index);
    Ok(images.into_iter().map(|(_, image)| image).collect())
}

/// The targets with their clusters' secrets, which are read once.
fn with_secrets(targets: &[Target]) -> Result<Vec<Target>, Error> {
    let mut read = None;
    let mut targets = targets.to_vec();
    for membership in targets.iter_mut().filter_map(|target| target.membership.as_mut()) {
        membership.share_secrets(&mut read)?;
    }
    Ok(targets)
}

/// The images of `targets`, which share the release that starts from `inputs`, all pinned by `lock`.
fn of_inputs<'a>(
    inputs: Inputs,
    lock: Option<&Lock>,
    targets: impl Iterator<Item = (usize, &'a Target)>,
    bench: &Workbench<'_>,
) -> Result<Vec<(usize, Image)>, Error> {
    let nothing = Lock::default();
    let pins = lock.unwrap_or(&nothing);
    let release = inputs.pinned(lock, bench);
    let of_release = inputs.pin(&inputs.prepared.wants, bench).additions(pins)?;
    let mut nodes = Vec::new();
    for (index, target) in targets {
        let layers = inputs.prepared.layers(target)?;
        let of_node = layers.node.as_ref().map(|wants| inputs.pin(wants, bench).additions(pins));
        let of_node = of_node.transpose()?.unwrap_or_default();
        nodes.push((index, release.of_node(target), pins.added(&layers.sets()), of_node));
    }
    let release = Arc::new(Release::build(inputs, release, &of_release, bench.store.clone())?);
    let image = |(index, pinned, added, additions)| {
        (index, Image { release: Arc::clone(&release), pinned, added, additions })
    };
    Ok(nodes.into_iter().map(image).collect())
}

impl Release {
    /// The release that `layered` is: what is asked for and what should be known of it; what it is made from, raw and as
    /// it was published; the packages that the base had.
    pub(super) fn new(
        (pinned, notes): (Pinned, Vec<String>),
        (base, (raw, published)): (BaseEntry, (PathBuf, PathBuf)),
        installed: Vec<Installed>,
        layered: Layered,
        store: Store,
    ) -> Self {
        let common = Mutex::default();
        Self { pinned, notes, base, raw, published, installed, layered, common, store }
    }

    /// The release that starts from `inputs`.
    fn build(inputs: Inputs, pinned: Pinned, additions: &Additions, store: Store) -> Result<Self, Error> {
        let Inputs { prepared: Prepared { notes, .. }, open: OpenBase { base, image, trees, .. } } = inputs;
        let installed = prepare::installed(&trees)?;
        let layered = Layered::over(image, &pinned.request.board.profile.layout)
            .and_then(|layered| layered.with(&pinned, additions))
            .map_err(|error| error.of_content(&base.origin))?;
        let entry = BaseEntry::new(&base.origin, &base.decoded.record);
        let changed = layered.disk.changed().map_err(reading_base)?;
        let known = store.digests(entry.image_sha256).untouched(&changed);
        let files = (base.decoded.path, base.published);
        let release = Self::new((pinned, notes), (entry, files), installed, layered, store);
        release.common().digests = known;
        Ok(release)
    }

    fn common(&self) -> MutexGuard<'_, Common> {
        self.common.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The release lies in an image that was read back when it was made; `digests` are of its ranges.
    pub(super) fn is_made(&self, digests: Digests) {
        *self.common() = Common { digests, is_read_back: true, sibling: None };
    }

    /// What is known of an image of it, whose disk differs from the release's in what it touched.
    pub(crate) fn known(&self, layered: &Layered) -> Common {
        self.common().of_image(&layered.disk)
    }

    /// Learns from an image that was `written`, `layered` being its disk, and read back.
    pub(crate) fn learn(&self, written: &Written, layered: &Layered) -> Result<(), Error> {
        let is_first = self.common().learn(written, &layered.disk);
        if is_first {
            let changed = layered.disk.changed().map_err(reading_base)?;
            // A store that takes them not has them taken again: no reason to give the image up.
            let _ = self.store.keep_digests(self.base.image_sha256, written.digests().untouched(&changed));
        }
        Ok(())
    }
}

fn reading_base(source: io::Error) -> Error {
    Error::Io { what: "read the base".into(), source }
}

impl Image {
    /// The image's disk: the release's where there is no node, else with the node's layer over it.
    pub(crate) fn layered(&self) -> Result<Layered, Error> {
        let release = &self.release;
        if self.pinned.request.is_release() {
            return Ok(release.layered.fork());
        }
        release
            .layered
            .with(&self.pinned, &self.additions)
            .map_err(|error| error.of_content(&release.base.origin))
    }

    /// Everything that the rules say of the node whose disk `layered` is.
    pub fn findings(&self, layered: &Layered) -> Result<Vec<Located>, Error> {
        let trees = Trees::open(&layered.content(), &layered.partitions)?;
        let added: Vec<&str> = self.added.packages.iter().map(|package| package.name.as_str()).collect();
        let request = &self.pinned.request;
        let survey = Survey::of(&trees)?;
        let context = Context { request, changes: &layered.changes, added: &added, survey: &survey };
        let locate = |finding| match &request.source {
            Some(source) => source.locate(finding),
            None => Located { place: None, finding },
        };
        Ok(rules::judge(&context).into_iter().map(locate).collect())
    }

    /// What should be known of the node whose disk `layered` is; an error where it would not work.
    pub fn notices(&self, layered: &Layered) -> Result<Vec<Located>, Error> {
        let findings = self.findings(layered)?.into_iter();
        let (errors, notices): (Vec<_>, Vec<_>) = findings.partition(Located::is_error);
        if errors.is_empty() {
            return Ok(notices);
        }
        let errors = errors.iter().map(|error| format!("{error} [{}]", error.finding.name)).collect();
        Err(Error::Unfit { hostname: self.pinned.request.hostname(), errors })
    }

    /// What `layered`, the image's disk, is made of; `identity` is what was written.
    pub fn manifest(&self, layered: &Layered, identity: Identity) -> Manifest {
        let Pinned { request, epoch, .. } = &self.pinned;
        let Partitions { root, boot } = &layered.partitions;
        let Added { repositories, packages, artifacts, images } = self.added.clone();
        let Identity { map_sha256, sha256, size } = identity;
        Manifest {
            format: FORMAT,
            imgforge: env!("CARGO_PKG_VERSION").to_owned(),
            board: request.board.profile.board.clone(),
            role: request.role,
            hostname: request.hostname(),
            epoch: *epoch,
            secrets: layered.secrets,
            base: self.release.base.clone(),
            image: ImageEntry {
                map_sha256: Some(map_sha256),
                sha256,
                size,
                root_partition: root.number,
                boot_partition: boot.as_ref().map(|boot| boot.number),
            },
            repositories,
            packages,
            artifacts,
            images,
            changes: layered.changes.clone(),
        }
    }
}
