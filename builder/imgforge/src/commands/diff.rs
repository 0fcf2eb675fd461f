//! `imgforge diff`: which files differ between two images, whoever made them.

use imgforge_spec::ImagePath;

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

/// Runs the command. Differences are printed, and are an exit code as in diff(1).
pub fn run(args: &DiffArgs, console: &Console) -> Result<(), Error> {
    let (old, new) = (OpenImage::open(&args.base, console)?, OpenImage::open(&args.image, console)?);
    let mut lines = partition_lines(&old, &new);
    if let (Some(old_partitions), Some(new_partitions)) = (old.guess_partitions(), new.guess_partitions()) {
        let old_trees = Trees::open(&old.content, &old_partitions)?;
        let new_trees = Trees::open(&new.content, &new_partitions)?;
        if let (Some(old), Some(new)) = (old_trees.boot(), new_trees.boot()) {
            Walk { volume: "boot", old, new, lines: &mut lines }.compare(&ImagePath::root())?;
        }
        let (old, new) = (&*old_trees.root, &*new_trees.root);
        Walk { volume: "root", old, new, lines: &mut lines }.compare(&ImagePath::root())?;
    }
    super::print(console, &lines.concat())?;
    if lines.is_empty() { Ok(()) } else { Err(Error::Differ) }
}

fn partition_lines(old: &OpenImage, new: &OpenImage) -> Vec<String> {
    let mut lines = Vec::new();
    if old.content.len() != new.content.len() {
        lines.push(format!("~ image: {} B -> {} B\n", old.content.len(), new.content.len()));
    }
    if old.table.disk_id() != new.table.disk_id() {
        lines.push(format!("~ disk id: {} -> {}\n", old.table.disk_id(), new.table.disk_id()));
    }
    for partition in new.table.partitions() {
        let before = old.table.partition(partition.number);
        if before != Some(partition) {
            let sectors =
                |p: &imgforge_disk::partition::Partition| format!("{} sectors from {}", p.sectors, p.start);
            let before = before.map_or_else(|| "none".to_owned(), sectors);
            lines.push(format!("~ partition {}: {before} -> {}\n", partition.number, sectors(partition)));
        }
    }
    lines
}

/// A walk through two trees at once.
struct Walk<'a> {
    volume: &'static str,
    old: &'a dyn Tree,
    new: &'a dyn Tree,
    lines: &'a mut Vec<String>,
}

impl Walk<'_> {
    fn compare(&mut self, directory: &ImagePath) -> Result<(), Error> {
        let (old_names, new_names) = (self.old.names(directory)?, self.new.names(directory)?);
        let mut names: Vec<_> = old_names.iter().chain(&new_names).collect();
        names.sort();
        names.dedup();
        for name in names {
            let path = directory.join(name).map_err(crate::plan::Error::Path)?;
            let (old, new) = (self.old.entry(&path)?, self.new.entry(&path)?);
            let volume = self.volume;
            match (old, new) {
                (Some(old), Some(new)) => self.compare_entries(&path, old, new)?,
                (Some(old), None) => self.lines.push(format!("- {volume}:{path} {}\n", old.kind)),
                (None, Some(new)) => self.added(&path, new)?,
                (None, None) => {}
            }
        }
        Ok(())
    }

    fn added(&mut self, path: &ImagePath, entry: Entry) -> Result<(), Error> {
        self.lines.push(format!("+ {}:{path} {} {}\n", self.volume, entry.kind, entry.access));
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
            self.lines.push(format!("~ {}:{path} {}\n", self.volume, differences.join(", ")));
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
