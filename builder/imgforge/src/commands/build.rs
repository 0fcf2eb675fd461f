//! `imgforge build`: the stages one after the other, for several images at a time.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use imgforge_disk::{Access, Content, FileContent, emit::Origin, in_order};
use imgforge_spec::{BoardName, Hostname, Role, Sha256};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    build::{
        Workbench,
        common::Sibling,
        destination::{self, Destination},
        error::Error,
        layer::Layered,
        manifest::Manifest,
        output::{Output, Written, beside},
        release::{Image, images},
    },
    cli::{BuildArgs, Making},
    host::{clock, console::Console, settings::Settings},
    image::{entry::ChangeEntry, read_back},
    target::{Located, Target, targets},
};

/// Runs the command.
pub fn run(args: &BuildArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let catalogue = super::catalogue(settings, args.target.places.profiles.as_deref())?;
    let targets = targets(&args.target.asked()?.restoring(args.restore.as_ref()), &catalogue, console)?;
    let store = super::store(settings, args.target.places.store.as_deref())?;
    let options = args.target.options(clock::source_date_epoch()?);
    let bench = Workbench { catalogue: &catalogue, store: &store, settings, console, options: &options };
    let destinations = destinations(args, &targets)?;
    let base = options.base.as_deref();
    destinations.iter().try_for_each(|to| to.check(base, args.force, console))?;
    let images = images(&targets, &bench)?;
    let mut made = Made { images: Vec::new() };
    write(&images, &destinations, args.making, console, |image| {
        if !args.json {
            return print_path(console, &image);
        }
        made.images.push(image);
        Ok(())
    })?;
    say_what_is_next(args.target.cluster.as_deref(), &images, &destinations, console);
    if args.json { super::print_json(console, &made) } else { Ok(()) }
}

/// What `build --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Made {
    /// In the order in which they were asked for.
    images: Vec<MadeImage>,
}

/// An image that is there now.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct MadeImage {
    hostname: Hostname,
    board: BoardName,
    role: Role,
    /// The image's file.
    path: PathBuf,
    /// What is in it, path by path.
    manifest: PathBuf,
    /// Bytes of the image on a card.
    size: u64,
    /// SHA-256 of its block map.
    map_sha256: Option<Sha256>,
    /// SHA-256 of the whole image, where it was taken.
    sha256: Option<Sha256>,
    /// Whether it holds secrets and must not be published.
    secrets: bool,
    /// How many packages were added.
    packages: usize,
    /// How many paths differ from the base.
    changes: usize,
}

/// The line on standard output that says of an image that it is there.
pub(super) fn print_path(console: &Console, image: &MadeImage) -> Result<(), Error> {
    super::print(console, &format!("{}\n", image.path.display()))
}

/// Images, of `cluster` if they are of one, go onto cards, if they are of boards that have some: those that somebody publishes
/// images for.
pub(super) fn say_what_is_next(
    cluster: Option<&Path>,
    images: &[Image],
    destinations: &[Destination],
    console: &Console,
) {
    let is_for_a_card = |image: &Image| image.pinned.request.board.profile.base.url.is_some();
    let mut for_cards = images.iter().zip(destinations).filter(|(image, _)| is_for_a_card(image));
    let Some((_, first)) = for_cards.next() else { return };
    let path = first.path.display();
    match (cluster, for_cards.next()) {
        (Some(cluster), Some(_)) => console.note(&format!(
            "onto cards: `imgforge flash {path}` and so on, or `imgforge flash --cluster {}` for one after the other",
            cluster.display()
        )),
        _ => console.note(&format!("onto a card: `imgforge flash {path}`")),
    }
}

/// Where the images of `targets` go. Those of a cluster go into a folder, which is made if it is not there, each named for its
/// node.
fn destinations(args: &BuildArgs, targets: &[Target]) -> Result<Vec<Destination>, destination::Error> {
    let folder = match (&args.target.cluster, &args.output) {
        (Some(_), Some(folder)) => {
            destination::make_folder(folder)?;
            folder
        }
        _ => Path::new(""),
    };
    let destination = |target: &Target| match (&args.target.cluster, &args.output) {
        (None, Some(file)) => Destination::file(file, args.format, target.hostname()),
        _ => Ok(Destination::in_folder(folder, args.format, target.hostname())),
    };
    targets.iter().map(destination).collect()
}

/// Writes `images` to `destinations`, which have been checked, several at a time; each goes to `done` in their order.
pub(super) fn write(
    images: &[Image],
    destinations: &[Destination],
    making: Making,
    console: &Console,
    mut done: impl FnMut(MadeImage) -> Result<(), Error>,
) -> Result<(), Error> {
    let all = || images.iter().zip(destinations);
    all().try_for_each(|(image, to)| to.check_base(&image.release.published))?;
    judge(images)?;
    let threads = making.threads.or_else(|| thread::available_parallelism().ok());
    let threads = threads.unwrap_or(NonZeroUsize::MIN);
    // Of several images at a time no bars are drawn, and what there is to say of each is said in their order.
    let own = if images.len() > 1 { Console::new(true) } else { *console };
    let make = |index: usize, threads| {
        let making = Making { threads: Some(threads), ..making };
        all().nth(index).map(|(image, to)| Built::new(image, to, making, &own)).transpose()
    };
    // The first image of each release is made alone, so that the others can be made from it.
    let mut firsts = BTreeMap::new();
    for (index, image) in images.iter().enumerate() {
        let is_first = |earlier: &Image| !Arc::ptr_eq(&earlier.release, &image.release);
        if images.iter().take(index).all(is_first) {
            firsts.insert(index, make(index, threads)?);
        }
    }
    let further = NonZeroUsize::new(images.len() - firsts.len()).unwrap_or(NonZeroUsize::MIN);
    let share = NonZeroUsize::new(threads.get() / further).unwrap_or(NonZeroUsize::MIN);
    let firsts = Mutex::new(firsts);
    let take_first = |index| firsts.lock().unwrap_or_else(PoisonError::into_inner).remove(&index);
    let make = |index| take_first(index).map_or_else(|| make(index, share), Ok);
    in_order(threads, images.len(), make, |_, built| match built {
        Some(built) => done(built.finish(console)?),
        None => Ok(()),
    })
}

/// Of several nodes none is written where one would not work. A single one is judged as it is made.
fn judge(images: &[Image]) -> Result<(), Error> {
    if images.len() > 1 {
        for image in images {
            image.notices(&image.layered()?)?;
        }
    }
    Ok(())
}

/// An image, written and read back, but without its name yet.
struct Built {
    path: PathBuf,
    notes: Vec<String>,
    written: Written,
}

impl Built {
    fn new(image: &Image, to: &Destination, making: Making, console: &Console) -> Result<Self, Error> {
        let Image { release, .. } = image;
        let threads = making.threads.unwrap_or(NonZeroUsize::MIN);
        let layered = image.layered()?;
        let notices = image.notices(&layered)?;
        let mut notes = notes(image, &layered);
        notes.extend(notices.iter().map(Located::labelled));
        let known = release.known(&layered);
        let base = FileContent::open(&release.raw)
            .map_err(|source| Error::Open { path: release.raw.clone(), source })?;
        let output = Output {
            path: &to.path,
            format: to.format,
            threads,
            origin: known.sibling.as_ref().map_or(Origin::Base(&base), Sibling::origin),
            checksum: making.checksum,
            published: &release.published,
            known: &known.digests,
            free: &layered.free,
            installed: &release.installed,
        };
        let written = output.write(
            &layered.disk,
            if layered.secrets { Access::Private } else { Access::Public },
            |identity| image.manifest(&layered, identity),
            console,
        )?;
        let changes = if known.is_read_back { &layered.latest } else { &layered.changes };
        read_back(&written.image(), &layered, changes, threads)?;
        release.learn(&written, &layered)?;
        Ok(Self { path: to.path.clone(), notes, written })
    }

    fn finish(self, console: &Console) -> Result<MadeImage, Error> {
        let Self { path, mut notes, written } = self;
        let manifest = written.commit()?;
        notes.push(format!("the image has {} bytes, {}", manifest.image.size, manifest.image.named()));
        // Of a cluster's images there are many, so each line says which it is of.
        notes.iter().for_each(|note| console.note(&format!("{}: {note}", manifest.hostname)));
        let Manifest { hostname, board, role, image, secrets, packages, changes, .. } = manifest;
        Ok(MadeImage {
            hostname,
            board,
            role,
            manifest: beside(&path, ".manifest.json"),
            path,
            size: image.size,
            map_sha256: image.map_sha256,
            sha256: image.sha256,
            secrets,
            packages: packages.len(),
            changes: changes.len(),
        })
    }
}

/// Reads the written `image` with code that did not write it: its partition table, and every path of `changes`.
pub(super) fn read_back(
    image: &Arc<dyn Content>,
    layered: &Layered,
    changes: &[ChangeEntry],
    threads: NonZeroUsize,
) -> Result<(), Error> {
    let mut deviations = read_back::compare_table(image, &layered.table)?;
    let paths = read_back::compare(image, &layered.partitions, changes, threads)?;
    deviations.extend(paths.iter().map(ToString::to_string));
    if deviations.is_empty() {
        return Ok(());
    }
    Err(Error::Deviates { what: "what was written does not read back as planned".into(), deviations })
}

/// What there is to say of the image.
pub(super) fn notes(image: &Image, layered: &Layered) -> Vec<String> {
    let mut notes: Vec<String> = image.release.notes.iter().map(|note| format!("note: {note}")).collect();
    let free: u64 = layered.free.iter().map(|range| range.end - range.start).sum();
    notes.push(format!(
        "{} changes; the root file system grew by {} MiB and has {} MiB free",
        layered.changes.len(),
        layered.grown >> 20,
        free >> 20,
    ));
    notes
}
