//! `imgforge build`: the stages one after the other, for several images at a time.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    thread,
};

use imgforge_disk::in_order;

use crate::{
    cli::{BuildArgs, Format},
    console::Console,
    error::Error,
    image::Trees,
    layer::Layered,
    manifest::{BaseEntry, Manifest},
    output::{self, Output, Written},
    read_back,
    release::{Image, images},
    settings::Settings,
    target::targets,
};

/// Runs the command.
pub fn run(args: &BuildArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let targets = targets(&args.target, settings, console)?;
    let images = images(&targets, &args.target, settings, console)?;
    for Image { release, request, .. } in &images {
        output::check_destination(&destination(args, &request.hostname()).0, &release.base.published)?;
    }
    let threads = args.threads.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let share = NonZeroUsize::new(threads.get() / images.len().max(1)).unwrap_or(NonZeroUsize::MIN);
    // Of several images at a time no bars are drawn, and what there is to say of each is said in their order.
    let own = if images.len() > 1 { Console::new(true) } else { *console };
    let make = |index: usize| images.get(index).map(|image| Built::new(image, args, share, &own)).transpose();
    in_order(threads, images.len(), make, |_, built| match built {
        Some(built) => built.finish(console),
        None => Ok(()),
    })
}

/// An image, written and read back, but without its name yet.
struct Built {
    path: PathBuf,
    notes: Vec<String>,
    written: Written,
}

impl Built {
    fn new(image: &Image, args: &BuildArgs, threads: NonZeroUsize, console: &Console) -> Result<Self, Error> {
        let Image { release, request, added, .. } = image;
        let (path, format) = destination(args, &request.hostname());
        let layered = image.layered()?;
        let notes = notes(image, &layered);
        let base = BaseEntry::new(&release.base.origin, &release.base.decoded.record);
        let manifest = Manifest::new(request, &layered, base, added.clone());
        let touched: Vec<_> = layered.disk.touched().collect();
        let output = Output {
            path: &path,
            format,
            threads,
            raw: &release.base.decoded.path,
            published: &release.base.published,
            known: &release.digests().untouched(&touched),
            free: &layered.free,
            installed: &release.installed,
        };
        let written = output.write(&layered.disk, manifest, console)?;
        read_back(&written, &layered)?;
        release.keep(written.digests().untouched(&touched));
        Ok(Self { path, notes, written })
    }

    fn finish(self, console: &Console) -> Result<(), Error> {
        self.notes.iter().for_each(|note| console.note(note));
        let manifest = self.written.commit()?;
        console
            .note(&format!("the image has {} bytes, SHA-256 {}", manifest.image.size, manifest.image.sha256));
        super::print(console, &format!("{}\n", self.path.display()))
    }
}

/// Reads the written file with code that did not write it: its partition table, and every path that was changed.
pub(super) fn read_back(written: &Written, layered: &Layered) -> Result<(), Error> {
    let image = written.image();
    let mut deviations = read_back::compare_table(&image, &layered.table)?;
    let trees = Trees::open(&image, &layered.partitions)?;
    let paths = read_back::compare(&trees, &layered.changes)?;
    deviations.extend(paths.iter().map(ToString::to_string));
    if deviations.is_empty() {
        return Ok(());
    }
    Err(Error::Deviates { what: "what was written does not read back as planned".into(), deviations })
}

/// What there is to say of the image.
fn notes(image: &Image, layered: &Layered) -> Vec<String> {
    let mut notes: Vec<String> = image.release.notes.iter().map(|note| format!("note: {note}")).collect();
    if image.request.node.users.is_empty() {
        notes.push("no users are given (--node), so only the base's own can log in, if it has any".into());
    }
    let free: u64 = layered.free.iter().map(|range| range.end - range.start).sum();
    notes.push(format!(
        "{} changes; the root file system grew by {} MiB and has {} MiB free",
        layered.changes.len(),
        layered.grown >> 20,
        free >> 20,
    ));
    notes
}

/// Where the image goes, and its format: as asked, by the name's ending, or a raw image. The nodes of a cluster go into a
/// folder, each named for its node.
fn destination(args: &BuildArgs, hostname: &str) -> (PathBuf, Format) {
    let file = args.output.as_ref().filter(|_| args.target.cluster.is_none());
    let format = args.format.or_else(|| file.and_then(|path| by_ending(path))).unwrap_or(Format::Img);
    let name = format!("{hostname}{}", format.ending());
    let path = match (file, &args.output) {
        (Some(file), _) => file.clone(),
        (None, Some(folder)) => folder.join(name),
        (None, None) => PathBuf::from(name),
    };
    (path, format)
}

/// The format that the name's ending says, but for a raw image's.
pub(super) fn by_ending(path: &Path) -> Option<Format> {
    let name = path.to_string_lossy();
    let formats = [Format::Xz, Format::Zst, Format::Gz];
    formats.into_iter().find(|format| name.ends_with(format.ending().trim_start_matches(".img")))
}
