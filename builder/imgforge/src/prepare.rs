//! The first half of a build, shared with `plan`: from the command line to a base at hand and the list of changes.

use std::{
    env,
    path::{Path, PathBuf},
    sync::Arc,
};

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
    node::Node,
    plan::{self, Request},
    profile::{Catalogue, Layout},
    settings::Settings,
    store::Store,
};

/// A build that has been thought through, and nothing done.
#[derive(Debug)]
pub struct Prepared {
    /// What is asked for.
    pub request: Request,
    /// What it is made from.
    pub base: Base,
    /// The base's image.
    pub image: Arc<dyn Content>,
    /// Its partition table.
    pub table: Table,
    /// The partitions to work on.
    pub partitions: Partitions,
    /// What will be done.
    pub changes: Vec<Change>,
}

/// Finds profile, settings, overlays and base, and makes the plan.
pub fn prepare(target: &TargetArgs, settings: &Settings, console: &Console) -> Result<Prepared, Error> {
    let folders = settings.profile_folders(target.profiles.as_deref());
    let catalogue = Catalogue::load(&folders)?;
    let (profile_path, profile) = catalogue.find(&target.board)?;
    let vendor = catalogue.vendor(profile, &folders)?;
    let node = node_settings(target)?;
    let store = Store::open(&settings.store_folder(target.store.as_deref()).ok_or(Error::NoStore)?)?;
    let (signers, file) = (vendor.image_signers.as_slice(), target.base.as_deref());
    let source = Source { profile, profile_path, signers, file, offline: target.offline, settings };
    let base = source.obtain(&store, console)?;
    let path = &base.decoded.path;
    let content = FileContent::open(path).map_err(|source| Error::Open { path: path.clone(), source })?;
    let image: Arc<dyn Content> = Arc::new(content);
    let opened = Opened::open(&image, &profile.layout);
    let Opened { table, partitions, written, trees } =
        opened.map_err(|error| error.of_image(&base.origin))?;
    let epoch = epoch_from_environment()?.unwrap_or(written);
    let overlays = overlays_folder(target, profile_path, &folders);
    let request = Request { profile: profile.clone(), vendor, role: target.role, node, overlays, epoch };
    let changes = plan::plan(&request, &trees.root, trees.boot()).map_err(|error| match error {
        plan::Error::Base(error) => Error::from(error).of_image(&base.origin),
        error => error.into(),
    })?;
    Ok(Prepared { request, base, image, table, partitions, changes })
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

/// The node's file, with what the command line says on top.
fn node_settings(target: &TargetArgs) -> Result<Node, Error> {
    let mut node = target.node.as_deref().map(Node::read).transpose()?.unwrap_or_default();
    if let Some(hostname) = &target.hostname {
        node.hostname = Some(hostname.clone());
    }
    node.check()?;
    Ok(node)
}

/// `overlays` beside the folder the profile came from; a person's own profiles may have none, then beside another folder of
/// the search path.
fn overlays_folder(target: &TargetArgs, profile_path: &Path, folders: &[PathBuf]) -> PathBuf {
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
    target.overlays.clone().or_else(found).or(own).unwrap_or_else(|| "overlays".into())
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
