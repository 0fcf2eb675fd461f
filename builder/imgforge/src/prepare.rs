//! The first half of a build, shared with `plan`: from the command line to a base at hand and the list of changes.

use std::{
    env,
    path::{Path, PathBuf},
    sync::Arc,
};

use imgforge_debian::Database;
use imgforge_disk::{Content, Disk, FileContent, partition::Table};
use imgforge_ext4::Editor;

use crate::{
    apply,
    base::{Base, Source},
    change::Change,
    cli::TargetArgs,
    console::Console,
    error::Error,
    image::{self, Partitions, Trees},
    kubernetes::{self, Release},
    limits,
    lock::Lock,
    pin::Pin,
    plan::{self, Request},
    profile::{BaseImage, Catalogue, Layout},
    read::PackageTree,
    sbom::Installed,
    settings::Settings,
    store::Store,
    target::Target,
};

/// All that a build starts from, at hand: what is asked for, and the base, open.
#[derive(Debug)]
pub struct Inputs {
    /// What is asked for. Its epoch is the base's own time until a lock says otherwise.
    pub request: Request,
    /// What the user should know of this board and this Kubernetes.
    pub notes: Vec<String>,
    /// What packages, repositories and artifacts that takes.
    pub additions_wanted: kubernetes::Content,
    /// The search path of profiles, keys and releases.
    pub folders: Vec<PathBuf>,
    /// The lock, which may not be there yet.
    pub lock_path: PathBuf,
    /// What the lock calls that which is added.
    pub set: String,
    /// The store; nothing is taken out of it while this lives.
    pub store: Store,
    /// What it is made from.
    pub base: Base,
    /// The base's image.
    pub image: Arc<dyn Content>,
    /// Its partition table.
    pub table: Table,
    /// The partitions to work on.
    pub partitions: Partitions,
    /// When the base was last written, in seconds since 1970.
    pub written: i64,
    /// Its file systems.
    pub trees: Trees,
}

/// A build that has been thought through, and nothing done.
#[derive(Debug)]
pub struct Prepared {
    /// All it starts from.
    pub inputs: Inputs,
    /// What is pinned; `None` where nothing is added to the base.
    pub lock: Option<Lock>,
    /// What will be done.
    pub changes: Vec<Change>,
}

/// Finds profile, overlays and base of `target`, pins and fetches what is added, and makes the plan.
pub fn prepare(
    target: &Target,
    args: &TargetArgs,
    settings: &Settings,
    console: &Console,
) -> Result<Prepared, Error> {
    let mut inputs = Inputs::gather(target, args, settings, console)?;
    if let Some(membership) = &mut inputs.request.membership {
        membership.read_secrets()?;
    }
    let pin = Pin { inputs: &inputs, settings, console, rules: args.rules() };
    let lock = pin.lock()?;
    let additions = lock.as_ref().map(|lock| pin.additions(lock)).transpose()?.unwrap_or_default();
    let locked = lock.as_ref().and_then(|lock| lock.epoch);
    let asked = args.epoch.map_or_else(epoch_from_environment, |epoch| Ok(Some(epoch)))?;
    inputs.request.epoch = asked.or(locked).unwrap_or(inputs.written);
    let trees = &inputs.trees;
    let changes = plan::plan(&inputs.request, &additions, &trees.root, trees.boot());
    let changes = changes.map_err(|error| match error {
        plan::Error::Base(error) => Error::from(error).of_image(&inputs.base.origin),
        error => error.into(),
    })?;
    Ok(Prepared { inputs, lock, changes })
}

/// Makes the lock fit `target`; returns where it is, unless nothing is added to the base.
pub fn lock(
    target: &Target,
    args: &TargetArgs,
    settings: &Settings,
    console: &Console,
) -> Result<Option<PathBuf>, Error> {
    let inputs = Inputs::gather(target, args, settings, console)?;
    let lock = Pin { inputs: &inputs, settings, console, rules: args.rules() }.lock()?;
    Ok(lock.map(|_| inputs.lock_path))
}

impl Inputs {
    /// Finds profile and overlays of `target`, and gets hold of the base.
    pub fn gather(
        target: &Target,
        args: &TargetArgs,
        settings: &Settings,
        console: &Console,
    ) -> Result<Self, Error> {
        let folders = settings.profile_folders(args.profiles.as_deref());
        let catalogue = Catalogue::load(&folders)?;
        let (profile_path, profile) = catalogue.find(&target.board)?;
        let vendor = catalogue.vendor(profile, &folders)?;
        let node = target.node.clone();
        let kubernetes = node.kubernetes.clone().or_else(|| profile.kubernetes.clone());
        let kubernetes = kubernetes.filter(|_| target.role.runs_kubernetes());
        let overlays = overlays_folder(args, profile_path, &folders);
        let mut request = Request {
            profile: profile.clone(),
            vendor,
            role: target.role,
            node,
            membership: target.membership.clone(),
            kubernetes,
            overlays,
            epoch: 0,
        };
        let release = request.kubernetes.as_ref().map(|choice| Release::find(&choice.release, &folders));
        let release = release.transpose()?;
        let notes = limits::check(profile, target.role, release.as_ref())?;
        let additions_wanted = wanted(&request, release)?;
        let lock_path = target.lock.clone().unwrap_or_else(|| profile_path.with_extension("lock.yaml"));
        let store = Store::open(&settings.store_folder(args.store.as_deref()).ok_or(Error::NoStore)?)?;
        let source = Source {
            profile,
            profile_path,
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
        let opened = Opened::open(&image, &profile.layout);
        let Opened { table, partitions, written, trees } =
            opened.map_err(|error| error.of_image(&base.origin))?;
        request.epoch = written;
        Ok(Self {
            request,
            notes,
            additions_wanted,
            folders,
            lock_path,
            set: target.set.clone(),
            store,
            base,
            image,
            table,
            partitions,
            written,
            trees,
        })
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
    if let Some(membership) = &request.membership {
        wanted.artifacts.extend(membership.manifests().map_err(plan::Error::Path)?);
        wanted.images = membership.images()?;
    }
    Ok(wanted)
}

/// What is in a base.
struct Opened {
    table: Table,
    partitions: Partitions,
    /// The time of the base, in seconds since 1970.
    written: i64,
    trees: Trees,
}

impl Opened {
    fn open(image: &Arc<dyn Content>, layout: &Layout) -> Result<Self, Error> {
        let table = image::table_of(image)?;
        let partitions = Partitions::find(&table, layout)?;
        // The editor looks first: what it refuses, it names best.
        let written = time_of(image, &partitions)?;
        let trees = Trees::open(image, &partitions)?;
        Ok(Self { table, partitions, written, trees })
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
