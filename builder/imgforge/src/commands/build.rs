//! `imgforge build`: the stages one after the other.

use std::{num::NonZeroUsize, path::PathBuf, sync::Arc, thread};

use imgforge_disk::{Content, Disk};

use crate::{
    apply::{self, Growth},
    cli::{BuildArgs, Format},
    console::Console,
    error::Error,
    image::{Partitions, Trees},
    manifest::{BaseEntry, ChangeEntry},
    output::{self, Output},
    prepare::{Prepared, prepare},
    read_back,
    settings::Settings,
};

/// Runs the command.
pub fn run(args: &BuildArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let prepared = prepare(&args.target, settings, console)?;
    let (path, format) = destination(args, &prepared);
    output::check_destination(&path, &prepared.base.published)?;
    let entries = prepared.changes.iter().map(ChangeEntry::new).collect::<Result<Vec<_>, _>>();
    let entries =
        entries.map_err(|source| Error::Io { what: "read what goes into the image".into(), source })?;

    let (disk, partitions, growth) = patch(&prepared)?;
    report(console, &prepared, growth);
    let content: Arc<dyn Content> = disk.clone();
    let trees = Trees::open(&content, &partitions)?;
    let deviations = read_back::compare(&trees, &entries)?;
    if !deviations.is_empty() {
        let deviations = deviations.iter().map(ToString::to_string).collect();
        return Err(Error::Deviates {
            what: "what was written does not read back as planned".into(),
            deviations,
        });
    }

    let threads = args.threads.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let output = Output { path: &path, format, threads, published: &prepared.base.published };
    let manifest = output::Described {
        request: &prepared.request,
        base: BaseEntry::new(&prepared.base.origin, &prepared.base.decoded.record),
        partitions: &partitions,
        changes: entries,
    };
    let written = output.write(&disk, manifest, console)?;
    console.note(&format!("wrote {} ({} bytes), SHA-256 {}", path.display(), written.size, written.sha256));
    super::print(console, &format!("{}\n", path.display()))
}

/// Makes the changes in a disk over the base.
fn patch(prepared: &Prepared) -> Result<(Arc<Disk>, Partitions, Growth), Error> {
    let profile = &prepared.request.profile;
    let mut disk = Disk::new(Arc::clone(&prepared.image));
    let reserve = u64::from(profile.reserve) << 20;
    let (table, growth) = apply::apply(
        &mut disk,
        prepared.table.clone(),
        &prepared.partitions,
        &prepared.changes,
        reserve,
        prepared.request.epoch,
    )?;
    let partitions = Partitions::find(&table, &profile.layout)?;
    Ok((Arc::new(disk), partitions, growth))
}

fn report(console: &Console, prepared: &Prepared, growth: Growth) {
    let mebibytes = |bytes: u64| bytes >> 20;
    console.note(&format!(
        "{} changes; the root file system grew by {} MiB and has {} MiB free",
        prepared.changes.len(),
        mebibytes(growth.grown),
        mebibytes(growth.free),
    ));
}

/// Where the image goes, and its format: as asked, by the name's ending, or a raw image named for the node.
fn destination(args: &BuildArgs, prepared: &Prepared) -> (PathBuf, Format) {
    let by_ending = |path: &PathBuf| {
        let name = path.to_string_lossy();
        [Format::Xz, Format::Zst, Format::Gz]
            .into_iter()
            .find(|f| name.ends_with(f.ending().trim_start_matches(".img")))
    };
    let format = args.format.or_else(|| args.output.as_ref().and_then(by_ending)).unwrap_or(Format::Img);
    let default = || PathBuf::from(format!("{}{}", prepared.request.hostname(), format.ending()));
    (args.output.clone().unwrap_or_else(default), format)
}
