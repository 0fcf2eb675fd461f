//! `imgforge build`: the stages one after the other.

use std::{num::NonZeroUsize, path::PathBuf, sync::Arc, thread};

use imgforge_disk::Disk;

use crate::{
    apply::{self, Applied},
    cli::{BuildArgs, Format},
    console::Console,
    error::Error,
    image::{Partitions, Trees},
    manifest::{ChangeEntry, Manifest},
    output::{self, Output, Written},
    prepare::{Inputs, Prepared, lock, prepare},
    read_back,
    settings::Settings,
    target::{Target, targets},
};

/// Runs the command.
pub fn run(args: &BuildArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let targets = targets(&args.target, settings, console)?;
    if targets.len() > 1 {
        // All before the first is built: a lock that changes later would give another image the next time.
        targets.iter().try_for_each(|target| lock(target, &args.target, settings, console).map(|_| ()))?;
    }
    targets.iter().try_for_each(|target| build(target, args, settings, console))
}

/// Builds the image of `target`.
fn build(target: &Target, args: &BuildArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let prepared = prepare(target, &args.target, settings, console)?;
    prepared.inputs.notes.iter().for_each(|note| console.note(&format!("note: {note}")));
    let (path, format) = destination(args, &prepared);
    output::check_destination(&path, &prepared.inputs.base.published)?;
    let Assembled { disk, applied, partitions, manifest } = Assembled::new(&prepared)?;
    report(console, &prepared, &applied);
    let threads = args.threads.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let output = Output {
        path: &path,
        format,
        threads,
        base: &prepared.inputs.base,
        free: &applied.free,
        installed: &prepared.inputs.installed()?,
    };
    let written = output.write(&disk, manifest, console)?;
    read_back(&written, &applied, &partitions)?;
    let manifest = written.commit()?;
    console.note(&format!("the image has {} bytes, SHA-256 {}", manifest.image.size, manifest.image.sha256));
    super::print(console, &format!("{}\n", path.display()))
}

/// Reads the written file with code that did not write it: its partition table, and every path that was changed.
fn read_back(written: &Written, applied: &Applied, partitions: &Partitions) -> Result<(), Error> {
    let image = written.image();
    let mut deviations = read_back::compare_table(&image, &applied.table)?;
    let trees = Trees::open(&image, partitions)?;
    let paths = read_back::compare(&trees, &written.manifest().changes)?;
    deviations.extend(paths.iter().map(ToString::to_string));
    if deviations.is_empty() {
        return Ok(());
    }
    Err(Error::Deviates { what: "what was written does not read back as planned".into(), deviations })
}

/// An image as it will be written.
pub(super) struct Assembled {
    /// The base with the changes.
    pub disk: Arc<Disk>,
    /// What was done to it.
    applied: Applied,
    /// Where its file systems are.
    partitions: Partitions,
    /// What it is made of; without its own digest and size.
    pub manifest: Manifest,
}

impl Assembled {
    /// Makes what `prepared` plans, in memory.
    pub fn new(prepared: &Prepared) -> Result<Self, Error> {
        let entries = ChangeEntry::all(&prepared.changes);
        let entries =
            entries.map_err(|source| Error::Io { what: "read what goes into the image".into(), source })?;
        let patched = patch(prepared).map_err(|error| error.of_image(&prepared.inputs.base.origin));
        let (disk, applied) = patched?;
        let partitions = Partitions::find(&applied.table, &prepared.inputs.request.profile.layout)?;
        let manifest = Manifest::new(prepared, &partitions, entries);
        Ok(Self { disk, applied, partitions, manifest })
    }
}

/// Makes the changes in a disk over the base.
fn patch(prepared: &Prepared) -> Result<(Arc<Disk>, Applied), Error> {
    let Prepared { inputs: Inputs { request, image, table, partitions, .. }, changes, .. } = prepared;
    let mut disk = Disk::new(Arc::clone(image));
    let reserve = u64::from(request.profile.reserve) << 20;
    let applied = apply::apply(&mut disk, table.clone(), partitions, changes, reserve, request.epoch)?;
    Ok((Arc::new(disk), applied))
}

fn report(console: &Console, prepared: &Prepared, applied: &Applied) {
    if prepared.inputs.request.node.users.is_empty() {
        console.note("no users are given (--node), so only the base's own can log in, if it has any");
    }
    let free: u64 = applied.free.iter().map(|range| range.end - range.start).sum();
    console.note(&format!(
        "{} changes; the root file system grew by {} MiB and has {} MiB free",
        prepared.changes.len(),
        applied.grown >> 20,
        free >> 20,
    ));
}

/// Where the image goes, and its format: as asked, by the name's ending, or a raw image. The nodes of a cluster go into a
/// folder, each named for its node.
fn destination(args: &BuildArgs, prepared: &Prepared) -> (PathBuf, Format) {
    let file = args.output.as_ref().filter(|_| args.target.cluster.is_none());
    let by_ending = |path: &PathBuf| {
        let name = path.to_string_lossy();
        [Format::Xz, Format::Zst, Format::Gz]
            .into_iter()
            .find(|f| name.ends_with(f.ending().trim_start_matches(".img")))
    };
    let format = args.format.or_else(|| file.and_then(by_ending)).unwrap_or(Format::Img);
    let name = format!("{}{}", prepared.inputs.request.hostname(), format.ending());
    let path = match (file, &args.output) {
        (Some(file), _) => file.clone(),
        (None, Some(folder)) => folder.join(name),
        (None, None) => PathBuf::from(name),
    };
    (path, format)
}
