//! `imgforge diff`: which files differ between two images, whoever made them.

use std::fmt;

use imgforge_spec::ImagePath;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    build::error::Error,
    cli::DiffArgs,
    host::console::Console,
    image::{
        open::OpenImage,
        partitions::Trees,
        read::{self, Entry, Kind, Tree},
        read_back::sha256_at,
    },
};

/// What `diff --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Differences {
    /// In the order of the images; none where they are alike.
    differences: Vec<Difference>,
}

/// One difference.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Difference {
    change: Change,
    /// `image` for the table and the image as a whole, else the file system: `boot` or `root`.
    volume: &'static str,
    /// The path there; none of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// What is there, or was, or has become of it.
    what: String,
}

/// Which way.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Change {
    /// Only the second image has it.
    Added,
    /// Only the first image has it.
    Removed,
    /// Both have it, not alike.
    Changed,
}

impl Difference {
    fn of_image(what: String) -> Self {
        Self { change: Change::Changed, volume: "image", path: None, what }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { change, volume, path, what } = self;
        let sign = match change {
            Change::Added => '+',
            Change::Removed => '-',
            Change::Changed => '~',
        };
        match path {
            Some(path) => writeln!(f, "{sign} {volume}:{path} {what}"),
            None => writeln!(f, "{sign} {what}"),
        }
    }
}

/// Runs the command. Differences are printed, and are an exit code as in diff(1).
pub fn run(args: &DiffArgs, console: &Console) -> Result<(), Error> {
    let (old, new) = (OpenImage::open(&args.base, console)?, OpenImage::open(&args.image, console)?);
    let mut found = of_table(&old, &new);
    if let (Some(old_partitions), Some(new_partitions)) = (old.guess_partitions(), new.guess_partitions()) {
        let old_trees = Trees::open(&old.content, &old_partitions)?;
        let new_trees = Trees::open(&new.content, &new_partitions)?;
        if let (Some(old), Some(new)) = (old_trees.boot(), new_trees.boot()) {
            Walk { volume: "boot", old, new, found: &mut found }.compare(&ImagePath::root())?;
        }
        let (old, new) = (&*old_trees.root, &*new_trees.root);
        Walk { volume: "root", old, new, found: &mut found }.compare(&ImagePath::root())?;
    }
    let differ = !found.is_empty();
    if args.json {
        super::print_json(console, &Differences { differences: found })?;
    } else {
        super::print(console, &found.iter().map(ToString::to_string).collect::<String>())?;
    }
    if differ { Err(Error::Differ) } else { Ok(()) }
}

fn of_table(old: &OpenImage, new: &OpenImage) -> Vec<Difference> {
    let mut lines = Vec::new();
    if old.content.len() != new.content.len() {
        lines.push(format!("image: {} B -> {} B", old.content.len(), new.content.len()));
    }
    if old.table.disk_id() != new.table.disk_id() {
        lines.push(format!("disk id: {} -> {}", old.table.disk_id(), new.table.disk_id()));
    }
    for partition in new.table.partitions() {
        let before = old.table.partition(partition.number);
        if before != Some(partition) {
            let sectors =
                |p: &imgforge_disk::partition::Partition| format!("{} sectors from {}", p.sectors, p.start);
            let before = before.map_or_else(|| "none".to_owned(), sectors);
            lines.push(format!("partition {}: {before} -> {}", partition.number, sectors(partition)));
        }
    }
    lines.into_iter().map(Difference::of_image).collect()
}

/// A walk through two trees at once.
struct Walk<'a> {
    volume: &'static str,
    old: &'a dyn Tree,
    new: &'a dyn Tree,
    found: &'a mut Vec<Difference>,
}

impl Walk<'_> {
    fn found(&mut self, change: Change, path: &ImagePath, what: String) {
        let path = Some(path.to_string());
        self.found.push(Difference { change, volume: self.volume, path, what });
    }

    fn compare(&mut self, directory: &ImagePath) -> Result<(), Error> {
        let (old_names, new_names) = (self.old.names(directory)?, self.new.names(directory)?);
        let mut names: Vec<_> = old_names.iter().chain(&new_names).collect();
        names.sort();
        names.dedup();
        for name in names {
            let path = directory.join(name).map_err(crate::plan::Error::Path)?;
            let (old, new) = (self.old.entry(&path)?, self.new.entry(&path)?);
            match (old, new) {
                (Some(old), Some(new)) => self.compare_entries(&path, old, new)?,
                (Some(old), None) => self.found(Change::Removed, &path, old.kind.to_string()),
                (None, Some(new)) => self.added(&path, new)?,
                (None, None) => {}
            }
        }
        Ok(())
    }

    fn added(&mut self, path: &ImagePath, entry: Entry) -> Result<(), Error> {
        self.found(Change::Added, path, format!("{} {}", entry.kind, entry.access));
        if entry.kind == Kind::Directory {
            for name in self.new.names(path)? {
                let below = path.join(name).map_err(crate::plan::Error::Path)?;
                if let Some(entry) = self.new.entry(&below)? {
                    self.added(&below, entry)?;
                }
            }
        }
        Ok(())
    }

    fn compare_entries(&mut self, path: &ImagePath, old: Entry, new: Entry) -> Result<(), Error> {
        let mut differences = Vec::new();
        if old.kind != new.kind {
            differences.push(format!("{} -> {}", old.kind, new.kind));
        } else if self.content_differs(path, old, new)? {
            differences.push("content".to_owned());
        }
        if old.access != new.access {
            differences.push(format!("{} -> {}", old.access, new.access));
        }
        if !differences.is_empty() {
            self.found(Change::Changed, path, differences.join(", "));
        }
        match (old.kind, new.kind) {
            (Kind::Directory, Kind::Directory) => self.compare(path),
            _ => Ok(()),
        }
    }

    fn content_differs(&self, path: &ImagePath, old: Entry, new: Entry) -> Result<bool, read::Error> {
        match old.kind {
            Kind::File => {
                Ok(old.size != new.size || sha256_at(self.old, path)? != sha256_at(self.new, path)?)
            }
            Kind::Symlink => Ok(self.old.target(path)? != self.new.target(path)?),
            Kind::Directory | Kind::Special => Ok(false),
        }
    }
}
