//! The first stage of a build, shared with `plan`, `lock` and `fetch`: what a target takes, and its base at hand.

use std::{path::PathBuf, sync::Arc};

use imgforge_debian::Database;
use imgforge_disk::{Content, Disk, FileContent};
use imgforge_ext4::Editor;
use imgforge_spec::KeySource;

use super::{Workbench, error::Error, sbom::Installed};
use crate::{
    catalogue::{
        kubernetes::{self, Bundle, Release},
        limits,
        profile::Layout,
    },
    image::{
        apply,
        partitions::{self, Partitions, Trees},
        read::PackageTree,
    },
    plan::{self, Pinned, Request},
    supply::{
        base::{Base, Source},
        lock::{Lock, SetName},
        pin::{Ground, Pin, Wants},
    },
    target::Target,
};

/// What a target's release asks for; nothing of the base yet.
#[derive(Debug)]
pub struct Prepared {
    /// The request, without a node.
    pub request: Request,
    /// What the user should know of this board and this Kubernetes.
    pub notes: Vec<String>,
    /// What packages, repositories and artifacts the release takes.
    pub wants: Wants,
    /// Where the lock is; it may not be there yet.
    pub lock_path: PathBuf,
}

/// What each layer of a target takes.
#[derive(Debug, Clone)]
pub struct Layers {
    /// The release, which all nodes of the board and role share.
    pub release: Wants,
    /// What is the node's alone. Nothing where there is no cluster: what the node has is its release's then.
    pub node: Option<Wants>,
}

impl Layers {
    /// The layers, the lowest first.
    pub fn iter(&self) -> impl Iterator<Item = &Wants> {
        [&self.release].into_iter().chain(&self.node)
    }

    /// The lock's sets that add something.
    pub fn sets(&self) -> Vec<&SetName> {
        self.iter().filter(|wants| !wants.is_empty()).map(|wants| &wants.set).collect()
    }
}

/// The base of a release, open.
#[derive(Debug)]
pub(crate) struct OpenBase {
    /// Where it is, and what it is known by.
    pub base: Base,
    /// The base's image.
    pub image: Arc<dyn Content>,
    /// When the base was last written, in seconds since 1970.
    pub(crate) written: i64,
    /// Its file systems.
    pub(crate) trees: Trees,
}

/// All that a release is made from: what is asked for, and the base.
#[derive(Debug)]
pub(crate) struct Inputs {
    /// What is asked for.
    pub prepared: Prepared,
    /// The base.
    pub open: OpenBase,
}

impl Prepared {
    /// Finds overlays and Kubernetes of the release of `target`.
    pub fn new(target: &Target, bench: &Workbench<'_>) -> Result<Self, Error> {
        let Target { board, role, node, source, lock, set, .. } = target.release();
        let kubernetes = node.kubernetes.clone().or_else(|| board.profile.kubernetes.clone());
        let kubernetes = kubernetes.filter(|_| role.runs_kubernetes());
        let overlays = bench.options.overlays.clone().unwrap_or_else(|| bench.catalogue.overlays(&board));
        let release = kubernetes.as_ref().map(|choice| bench.catalogue.release(&choice.release));
        let release = release.transpose()?;
        let engine = release.as_ref().map(|release| release.engine).unwrap_or_default();
        let request = Request { board, role, node, source, membership: None, kubernetes, engine, overlays };
        let notes = limits::check(&request.board.profile, role, release.as_ref())?;
        let wants = Wants { set, over: None, content: wanted(&request, release)? };
        Ok(Self { request, notes, wants, lock_path: lock })
    }

    /// What each layer of `target` takes, whose release this is.
    pub fn layers(&self, target: &Target) -> Result<Layers, Error> {
        Ok(Layers { release: self.wants.clone(), node: self.node_wants(target)? })
    }

    fn node_wants(&self, target: &Target) -> Result<Option<Wants>, Error> {
        let keys = target.node.key_sources();
        let Some(membership) = &target.membership else { return Ok(self.keys_alone(target, keys)) };
        let Bundle { files, unpinned, packages, .. } = membership.bundle();
        let of_node = target.node.all_packages();
        let of_node = of_node.iter().filter(|package| !packages.contains(package));
        let manifests = membership.manifests().map_err(plan::Error::Path)?;
        let content = kubernetes::Content {
            packages: packages.iter().chain(of_node).cloned().collect(),
            artifacts: files.iter().cloned().chain(manifests).collect(),
            unpinned: unpinned.clone(),
            images: membership.images()?,
            own_repositories: target.node.repositories.clone(),
            keys,
            ..self.wants.content.clone()
        };
        let set = SetName::Node(membership.hostname().clone());
        Ok(Some(Wants { set, over: Some(self.wants.set.clone()), content }))
    }

    /// Of a node without a cluster only its people's keys are not its release's.
    fn keys_alone(&self, target: &Target, keys: Vec<KeySource>) -> Option<Wants> {
        let set = SetName::Node(target.hostname());
        let content = kubernetes::Content { keys, ..kubernetes::Content::default() };
        let wants = Wants { set, over: Some(self.wants.set.clone()), content };
        (!wants.is_empty()).then_some(wants)
    }

    /// What pins `wants`, for a base whose disk image has this digest.
    pub fn pin<'a>(
        &'a self,
        wants: &'a Wants,
        base: imgforge_spec::Sha256,
        bench: &Workbench<'a>,
    ) -> Pin<'a> {
        let architecture = self.request.board.profile.architecture;
        Pin { wants, lock_path: &self.lock_path, base, architecture, supply: bench.supply() }
    }
}

impl Inputs {
    /// Finds out what the release of `target` takes, and gets hold of the base. `lock` is as its file has it; it comes
    /// back with the base pinned.
    pub(crate) fn gather(
        target: &Target,
        lock: Option<Lock>,
        bench: &Workbench<'_>,
    ) -> Result<(Self, Option<Lock>), Error> {
        let prepared = Prepared::new(target, bench)?;
        let board = &prepared.request.board;
        let source = Source {
            board,
            file: bench.options.base.as_deref(),
            lock_path: &prepared.lock_path,
            supply: bench.supply(),
        };
        let (base, lock) = source.obtain(lock)?;
        let path = &base.decoded.path;
        let content = FileContent::open(path).map_err(|source| Error::Open { path: path.clone(), source })?;
        let image: Arc<dyn Content> = Arc::new(content);
        let opened = look_into(&image, &board.profile.layout);
        let (written, trees) = opened.map_err(|error| error.of_image(&base.origin))?;
        Ok((Self { prepared, open: OpenBase { base, image, written, trees } }, lock))
    }

    /// What pins `wants` for the base.
    pub fn pin<'a>(&'a self, wants: &'a Wants, bench: &Workbench<'a>) -> Pin<'a> {
        self.prepared.pin(wants, self.open.base.decoded.record.image_sha256, bench)
    }

    /// What a lock is made from.
    pub fn ground<'a>(&'a self, bench: &Workbench<'a>) -> Ground<'a> {
        let OpenBase { base, written, trees, .. } = &self.open;
        let board = &self.prepared.request.board;
        Ground { board, base, root: &*trees.root, written: *written, catalogue: bench.catalogue }
    }

    /// The request with base and time: the time that was asked for, else the lock's, else that of the base.
    pub fn pinned(&self, lock: Option<&Lock>, bench: &Workbench<'_>) -> Pinned {
        let of_lock = || lock.and_then(|lock| lock.epoch);
        Pinned {
            request: self.prepared.request.clone(),
            base: self.open.base.decoded.record.image_sha256,
            epoch: bench.options.epoch.or_else(of_lock).unwrap_or(self.open.written),
        }
    }
}

/// The packages of the image whose file systems are `trees`, by name.
pub(crate) fn installed(trees: &Trees) -> Result<Vec<Installed>, Error> {
    let database = Database::load(&PackageTree(&*trees.root)).map_err(plan::Error::Packages)?;
    let present = database.stanzas().iter().filter_map(|stanza| stanza.identity.as_ref());
    let mut installed: Vec<Installed> = present
        .map(|identity| Installed {
            name: identity.name.clone(),
            version: identity.version.as_str().to_owned(),
            architecture: identity.architecture.clone(),
        })
        .collect();
    installed.sort();
    Ok(installed)
}

/// The packages of overlays and node, and what the release of Kubernetes brings.
fn wanted(request: &Request, release: Option<Release>) -> Result<kubernetes::Content, Error> {
    let mut wanted = kubernetes::Content::default();
    if let (Some(choice), Some(release)) = (&request.kubernetes, release) {
        wanted = release.content(request.board.profile.architecture, choice.from)?;
    }
    wanted.own_repositories = request.node.repositories.clone();
    for package in plan::packages_wanted(request)? {
        if !wanted.packages.contains(&package) {
            wanted.packages.push(package);
        }
    }
    Ok(wanted)
}

/// The time of the base in `image`, in seconds since 1970, and its file systems.
fn look_into(image: &Arc<dyn Content>, layout: &Layout) -> Result<(i64, Trees), Error> {
    let partitions = Partitions::find(&partitions::table_of(image)?, layout)?;
    Trees::check_root(image, &partitions)?;
    // The editor looks before the reader: what it refuses, it names best.
    let written = time_of(image, &partitions)?;
    Ok((written, Trees::open(image, &partitions)?))
}

/// The time of the base: when its root file system was last written. The same base gives the same time.
fn time_of(image: &Arc<dyn Content>, partitions: &Partitions) -> Result<i64, Error> {
    let failed = |source| apply::Error::FileSystem { what: "open", source };
    let mut disk = Disk::new(Arc::clone(image));
    let window = Disk::window(&mut disk, partitions.root.range()).map_err(apply::Error::Window)?;
    let editor = Editor::open(window, 0).map_err(failed)?;
    Ok(editor.superblock().wtime())
}
