//! The stage between plan and output: the layer that all nodes of a board and role share is made once, and each node's over it.

use std::sync::{Arc, Mutex, PoisonError};

use imgforge_disk::bmap::Digests;

use crate::{
    build::{
        error::Error,
        layer::Layered,
        manifest::{BaseEntry, Manifest},
        prepare::{self, Inputs, epoch_asked},
        sbom::Installed,
    },
    cli::TargetArgs,
    host::{console::Console, settings::Settings},
    plan::{self, Additions, Request},
    supply::{
        base::Base,
        lock::{Added, Lock},
        pin::{self, Pin, Wants},
        store::Store,
    },
    target::Target,
};

/// What nodes of one board and role are made from: the base with the layer they share.
#[derive(Debug)]
pub struct Release {
    /// What is asked for, without a node.
    pub request: Request,
    /// What the user should know of this board and this Kubernetes.
    pub notes: Vec<String>,
    /// What it is made from.
    pub base: Base,
    /// The packages of the base.
    pub installed: Vec<Installed>,
    /// The base with the layer.
    pub layered: Layered,
    /// Digests of what images of it have in common, as far as they are known.
    digests: Mutex<Digests>,
    /// Nothing is taken out of it while images are made.
    _store: Store,
}

/// An image that is to be made.
#[derive(Debug)]
pub struct Image {
    /// What it is made from.
    pub release: Arc<Release>,
    /// What is asked for.
    pub request: Request,
    /// What is added to the base, in all layers.
    pub added: Added,
    /// What the node's layer adds.
    pub additions: Additions,
}

/// The images for `targets`, in their order. All is pinned before anything is planned: a lock that changes later would give
/// another image the next time.
pub fn images(
    targets: &[Target],
    args: &TargetArgs,
    settings: &Settings,
    console: &Console,
) -> Result<Vec<Image>, Error> {
    let targets = with_secrets(targets)?;
    let mut gathered: Vec<(&Target, Inputs)> = Vec::new();
    for target in &targets {
        if !gathered.iter().any(|(first, _)| first.shares_release(target)) {
            gathered.push((target, Inputs::gather(target, args, settings, console)?));
        }
        let Some((_, inputs)) = gathered.iter().find(|(first, _)| first.shares_release(target)) else {
            continue;
        };
        lock(target, inputs, args, settings, console)?;
    }
    let mut images: Vec<(usize, Image)> = Vec::new();
    for (first, inputs) in gathered {
        let of_release = targets.iter().enumerate().filter(|(_, target)| first.shares_release(target));
        images.extend(of_inputs(inputs, of_release, args, settings, console)?);
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

/// Makes the lock fit `target`, whose release starts from `inputs`.
pub fn lock(
    target: &Target,
    inputs: &Inputs,
    args: &TargetArgs,
    settings: &Settings,
    console: &Console,
) -> Result<(), Error> {
    for wants in layers(target, inputs)? {
        Pin { inputs, wants: &wants, settings, console, rules: args.rules() }.lock()?;
    }
    Ok(())
}

/// What each layer of `target` takes: that of the release, and the node's where it is in a cluster.
pub fn layers(target: &Target, inputs: &Inputs) -> Result<Vec<Wants>, Error> {
    let node = prepare::node_wants(target, &inputs.wants)?;
    Ok([inputs.wants.clone()].into_iter().chain(node).collect())
}

/// The images of `targets`, which share the release that starts from `inputs`.
fn of_inputs<'a>(
    mut inputs: Inputs,
    targets: impl Iterator<Item = (usize, &'a Target)>,
    args: &TargetArgs,
    settings: &Settings,
    console: &Console,
) -> Result<Vec<(usize, Image)>, Error> {
    let lock = Lock::read(&inputs.lock_path).map_err(pin::Error::from)?.unwrap_or_default();
    let additions = |inputs: &Inputs, wants: &Wants| {
        let pin = Pin { inputs, wants, settings, console, rules: args.rules() };
        pin.additions(&lock)
    };
    inputs.request.epoch = epoch_asked(args)?.or(lock.epoch).unwrap_or(inputs.written);
    let of_release = additions(&inputs, &inputs.wants)?;
    let mut nodes = Vec::new();
    for (index, target) in targets {
        let Target { node, membership, .. } = target.clone();
        let request = Request { node, membership, ..inputs.request.clone() };
        let wants = layers(target, &inputs)?;
        let sets: Vec<&str> =
            wants.iter().filter(|wants| !wants.is_empty()).map(|w| w.set.as_str()).collect();
        let of_node = wants.get(1).map(|wants| additions(&inputs, wants)).transpose()?.unwrap_or_default();
        nodes.push((index, request, lock.added(&sets), of_node));
    }
    let release = Arc::new(Release::new(inputs, &of_release)?);
    let image = |(index, request, added, additions)| {
        (index, Image { release: Arc::clone(&release), request, added, additions })
    };
    Ok(nodes.into_iter().map(image).collect())
}

impl Release {
    fn new(inputs: Inputs, additions: &Additions) -> Result<Self, Error> {
        let installed = inputs.installed()?;
        let Inputs { request, notes, base, image, store, .. } = inputs;
        let layered = Layered::over(image, &request.profile.layout)
            .and_then(|layered| layered.with(&request, additions))
            .map_err(|error| of_image(error, &base))?;
        Ok(Self { request, notes, base, installed, layered, digests: Mutex::default(), _store: store })
    }

    /// The release that lies in an image: `layered`, with what was `added` to its base, and digests of its ranges.
    pub fn of_image(
        inputs: Inputs,
        layered: Layered,
        added: &Added,
        digests: Digests,
    ) -> Result<Self, Error> {
        let mut installed = inputs.installed()?;
        let is_added = |package: &Installed| {
            added.packages.iter().any(|a| a.name == package.name && a.architecture == package.architecture)
        };
        installed.retain(|package| !is_added(package));
        let Inputs { request, notes, base, store, .. } = inputs;
        Ok(Self { request, notes, base, installed, layered, digests: Mutex::new(digests), _store: store })
    }

    /// Digests of what an image has in common with others of the release.
    pub fn digests(&self) -> Digests {
        self.digests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps digests of what images of the release have in common.
    pub fn keep(&self, digests: Digests) {
        self.digests.lock().unwrap_or_else(PoisonError::into_inner).extend(digests);
    }
}

impl Image {
    /// The image's disk: the release's where there is no node, else with the node's layer over it.
    pub fn layered(&self) -> Result<Layered, Error> {
        let release = &self.release;
        if self.request.is_release() {
            return Ok(release.layered.fork());
        }
        release.layered.with(&self.request, &self.additions).map_err(|error| of_image(error, &release.base))
    }

    /// What `layered`, the image's disk, is made of; without its own digest and size.
    pub fn manifest(&self, layered: &Layered) -> Manifest {
        let base = &self.release.base;
        let base = BaseEntry::new(&base.origin, &base.decoded.record);
        Manifest::new(&self.request, layered, base, self.added.clone())
    }
}

/// What is wrong with the base's content is said of the base.
fn of_image(error: Error, base: &Base) -> Error {
    match error {
        Error::Plan(plan::Error::Base(error)) => Error::from(error).of_image(&base.origin),
        Error::Plan(_) => error,
        error => error.of_image(&base.origin),
    }
}
