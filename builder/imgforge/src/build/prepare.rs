//! The first stage of a build, shared with `plan`, `lock` and `fetch`: from the command line to a base at hand, and what is
//! wanted over it.

use std::{
    env,
    path::{Path, PathBuf},
    sync::Arc,
};

use imgforge_debian::Database;
use imgforge_disk::{Content, Disk, FileContent};
use imgforge_ext4::Editor;

use crate::{
    build::{error::Error, sbom::Installed},
    catalogue::{
        kubernetes::{self, Bundle, Release},
        limits,
        profile::{BaseImage, Catalogue, Layout},
    },
    cli::TargetArgs,
    host::{console::Console, settings::Settings},
    image::{
        apply,
        partitions::{self, Partitions, Trees},
        read::PackageTree,
    },
    plan::{self, Request},
    supply::{
        base::{Base, Source},
        pin::Wants,
        store::Store,
    },
    target::Target,
};

/// What is asked for, by profile, vendor, overlays and release of Kubernetes; nothing of the base yet.
#[derive(Debug)]
pub struct Asked {
    /// The release's part of it. Its base and epoch are not known yet.
    pub request: Request,
    /// What the user should know of this board and this Kubernetes.
    pub notes: Vec<String>,
    /// What packages, repositories and artifacts the release takes.
    pub wants: Wants,
    /// The search path of profiles, keys and releases.
    pub folders: Vec<PathBuf>,
    /// The file the profile was read from.
    profile_path: PathBuf,
    /// The lock, which may not be there yet.
    pub lock_path: PathBuf,
}

/// All that the release of a build starts from, at hand: what is asked for, and the base, open.
#[derive(Debug)]
pub struct Inputs {
    /// The release's part of what is asked for. Its epoch is the base's own time until a lock says otherwise.
    pub request: Request,
    /// What the user should know of this board and this Kubernetes.
    pub notes: Vec<String>,
    /// What packages, repositories and artifacts the release takes.
    pub wants: Wants,
    /// The search path of profiles, keys and releases.
    pub folders: Vec<PathBuf>,
    /// The lock, which may not be there yet.
    pub lock_path: PathBuf,
    /// The store; nothing is taken out of it while this lives.
    pub store: Store,
    /// What it is made from.
    pub base: Base,
    /// The base's image.
    pub image: Arc<dyn Content>,
    /// When the base was last written, in seconds since 1970.
    pub written: i64,
    /// Its file systems.
    pub trees: Trees,
}

impl Asked {
    /// Finds profile, overlays and Kubernetes of the release of `target`.
    pub fn new(target: &Target, args: &TargetArgs, settings: &Settings) -> Result<Self, Error> {
        let target = target.release();
        let folders = settings.profile_folders(args.profiles.as_deref());
        let catalogue = Catalogue::load(&folders)?;
        let (profile_path, profile) = catalogue.find(&target.board)?;
        let vendor = catalogue.vendor(profile, &folders)?;
        let kubernetes = target.node.kubernetes.clone().or_else(|| profile.kubernetes.clone());
        let kubernetes = kubernetes.filter(|_| target.role.runs_kubernetes());
        let overlays = overlays_folder(args, profile_path, &folders);
        let request = Request {
            profile: profile.clone(),
            vendor,
            role: target.role,
            node: target.node,
            membership: None,
            kubernetes,
            overlays,
            base: String::new(),
            epoch: 0,
        };
        let release = request.kubernetes.as_ref().map(|choice| Release::find(&choice.release, &folders));
        let release = release.transpose()?;
        let notes = limits::check(profile, target.role, release.as_ref())?;
        let wants = Wants { set: target.set, over: None, content: wanted(&request, release)? };
        let lock_path = target.lock.unwrap_or_else(|| profile_path.with_extension("lock.yaml"));
        let profile_path = profile_path.to_owned();
        Ok(Self { request, notes, wants, folders, profile_path, lock_path })
    }
}

impl Inputs {
    /// Finds out what the release of `target` takes, and gets hold of the base.
    pub fn gather(
        target: &Target,
        args: &TargetArgs,
        settings: &Settings,
        console: &Console,
    ) -> Result<Self, Error> {
        let Asked { mut request, notes, wants, folders, profile_path, lock_path } =
            Asked::new(target, args, settings)?;
        let store = Store::open(&settings.store_folder(args.store.as_deref()).ok_or(Error::NoStore)?)?;
        let source = Source {
            profile: &request.profile,
            profile_path: &profile_path,
            signers: &request.vendor.image_signers,
            lock_path: &lock_path,
            file: args.base.as_deref(),
            offline: args.rules().offline,
            locked: args.rules().locked,
            settings,
        };
        let base = source.obtain(&store, console)?;
        let path = &base.decoded.path;
        let content = FileContent::open(path).map_err(|source| Error::Open { path: path.clone(), source })?;
        let image: Arc<dyn Content> = Arc::new(content);
        let opened = Opened::open(&image, &request.profile.layout);
        let Opened { written, trees } = opened.map_err(|error| error.of_image(&base.origin))?;
        request.base.clone_from(&base.decoded.record.image_sha256);
        request.epoch = written;
        Ok(Self { request, notes, wants, folders, lock_path, store, base, image, written, trees })
    }

    /// The packages of the base, by name.
    pub fn installed(&self) -> Result<Vec<Installed>, Error> {
        let database = Database::load(&PackageTree(&self.trees.root));
        let database = database.map_err(plan::Error::Packages)?;
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

    /// How the lock names the base: by its URL, or the file it was.
    pub fn base_pin(&self) -> BaseImage {
        let profile = &self.request.profile.base;
        let is_profiles = profile.url.as_ref() == Some(&self.base.origin);
        if is_profiles {
            BaseImage { url: profile.url.clone(), ..BaseImage::default() }
        } else {
            BaseImage { file: Some(self.base.origin.clone().into()), ..BaseImage::default() }
        }
    }
}

/// The packages of overlays and node, and what the release of Kubernetes brings.
fn wanted(request: &Request, release: Option<Release>) -> Result<kubernetes::Content, Error> {
    let mut wanted = kubernetes::Content::default();
    if let (Some(choice), Some(release)) = (&request.kubernetes, release) {
        wanted = release.content(request.profile.architecture, choice.from)?;
    }
    for package in plan::packages_wanted(request)? {
        if !wanted.packages.contains(&package) {
            wanted.packages.push(package);
        }
    }
    Ok(wanted)
}

/// What the node of `target` takes besides its release, whose content is `release`. Nothing where there is no cluster: what
/// the node has is its release's then.
pub fn node_wants(target: &Target, release: &Wants) -> Result<Option<Wants>, Error> {
    let Some(membership) = &target.membership else { return Ok(None) };
    let Bundle { files, packages, .. } = membership.runtime_bundle();
    let of_node = target.node.packages.iter().filter(|package| !packages.contains(package));
    let manifests = membership.manifests().map_err(plan::Error::Path)?;
    let content = kubernetes::Content {
        packages: packages.iter().chain(of_node).cloned().collect(),
        artifacts: files.iter().cloned().chain(manifests).collect(),
        images: membership.images()?,
        ..release.content.clone()
    };
    let set = format!("node {}", membership.hostname());
    Ok(Some(Wants { set, over: Some(release.set.clone()), content }))
}

/// What is in a base.
struct Opened {
    /// The time of the base, in seconds since 1970.
    written: i64,
    trees: Trees,
}

impl Opened {
    fn open(image: &Arc<dyn Content>, layout: &Layout) -> Result<Self, Error> {
        let partitions = Partitions::find(&partitions::table_of(image)?, layout)?;
        // The editor looks first: what it refuses, it names best.
        let written = time_of(image, &partitions)?;
        let trees = Trees::open(image, &partitions)?;
        Ok(Self { written, trees })
    }
}

/// `overlays` beside the folder the profile came from; a person's own profiles may have none, then beside another folder of
/// the search path.
fn overlays_folder(args: &TargetArgs, profile_path: &Path, folders: &[PathBuf]) -> PathBuf {
    let beside = |profiles: &Path| match profiles.parent() {
        Some(above) => above.join("overlays"),
        None => "overlays".into(),
    };
    let own = profile_path.parent().map(beside);
    let found = || {
        own.iter()
            .cloned()
            .chain(folders.iter().map(|folder| beside(folder)))
            .find(|path| path.join("common").is_dir())
    };
    args.overlays.clone().or_else(found).or(own).unwrap_or_else(|| "overlays".into())
}

/// The time that a build was asked to have: in `args`, or by `SOURCE_DATE_EPOCH`.
pub fn epoch_asked(args: &TargetArgs) -> Result<Option<i64>, Error> {
    args.epoch.map_or_else(epoch_from_environment, |epoch| Ok(Some(epoch)))
}

/// `SOURCE_DATE_EPOCH`.
fn epoch_from_environment() -> Result<Option<i64>, Error> {
    const NAME: &str = "SOURCE_DATE_EPOCH";
    let Some(value) = env::var_os(NAME) else { return Ok(None) };
    let value = value.to_string_lossy().into_owned();
    match value.parse::<u32>() {
        Ok(epoch) => Ok(Some(i64::from(epoch))),
        Err(_) => Err(Error::Environment { name: NAME, value }),
    }
}

/// The time of the base: when its root file system was last written. The same base gives the same time.
fn time_of(image: &Arc<dyn Content>, partitions: &Partitions) -> Result<i64, Error> {
    let failed = |source| apply::Error::FileSystem { what: "open", source };
    let mut disk = Disk::new(Arc::clone(image));
    let window = Disk::window(&mut disk, partitions.root.range()).map_err(apply::Error::Window)?;
    let editor = Editor::open(window, 0).map_err(failed)?;
    Ok(editor.superblock().wtime())
}
