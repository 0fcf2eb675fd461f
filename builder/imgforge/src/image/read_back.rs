//! Reading back what was written, with code that did not write it: every build ends with this, and `verify` does the
//! same for any image with a manifest.

use std::{collections::BTreeMap, num::NonZeroUsize, sync::Arc};

use imgforge_disk::{
    Content, in_order,
    partition::{Format, Table},
};
use imgforge_spec::{Hasher, ImagePath, Octets, Sha256};

use crate::image::{
    change::Volume,
    entry::{ChangeEntry, State},
    partitions::{self, Partitions, Trees},
    read::{self, Entry, Inodes, Kind, Slice, Tree},
};

/// One thing that is not as planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{volume}:{path} {fault}")]
pub(crate) struct Deviation {
    /// The file system.
    pub volume: Volume,
    /// The path.
    pub path: ImagePath,
    /// What is wrong.
    pub(crate) fault: String,
}

/// Compares the file systems in `partitions` of `image` with `changes`, on `threads` threads. Returns every deviation, in the order
/// of the changes; none means all is as planned.
pub(crate) fn compare(
    image: &Arc<dyn Content>,
    partitions: &Partitions,
    changes: &[ChangeEntry],
    threads: NonZeroUsize,
) -> Result<Vec<Deviation>, partitions::Error> {
    let parts = parts(changes, threads);
    let part = |index: usize| {
        let Some(part) = parts.get(index) else { return Ok(Vec::new()) };
        Ok(compare_part(&Trees::open(image, partitions)?, part)?)
    };
    let mut deviations = Vec::new();
    in_order(threads, parts.len(), part, |_, found: Vec<(usize, Deviation)>| {
        deviations.extend(found);
        Ok::<_, partitions::Error>(())
    })?;
    deviations.sort_by_key(|(index, _)| *index);
    Ok(deviations.into_iter().map(|(_, deviation)| deviation).collect())
}

/// A change, where it stands among all, and the directory that it is in.
struct Placed<'a> {
    index: usize,
    directory: Option<ImagePath>,
    change: &'a ChangeEntry,
}

/// What looking at one path costs, as bytes that could be read meanwhile.
const LOOK: u64 = 32 << 10;

/// The changes by their directories, so that each is looked at once, in one part for each thread, of like weight.
fn parts(changes: &[ChangeEntry], threads: NonZeroUsize) -> Vec<Vec<Placed<'_>>> {
    let placed = |(index, change): (usize, _)| {
        let ChangeEntry { path, .. }: &ChangeEntry = change;
        Placed { index, directory: path.parent(), change }
    };
    let mut all: Vec<Placed<'_>> = changes.iter().enumerate().map(placed).collect();
    all.sort_by(|one, other| {
        (one.change.volume, &one.directory).cmp(&(other.change.volume, &other.directory))
    });
    let weight = |placed: &Placed<'_>| match placed.change.state {
        State::File { size, .. } => LOOK.saturating_add(size),
        _ => LOOK,
    };
    let whole = all.iter().map(weight).fold(0, u64::saturating_add);
    let share = whole / threads.get() as u64 + 1;
    let mut parts: Vec<Vec<Placed<'_>>> = (0..threads.get()).map(|_| Vec::new()).collect();
    let mut before = 0_u64;
    for placed in all {
        let weight = weight(&placed);
        if let Some(part) = parts.get_mut((before / share) as usize) {
            part.push(placed);
        }
        before = before.saturating_add(weight);
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn compare_part(trees: &Trees, part: &[Placed<'_>]) -> Result<Vec<(usize, Deviation)>, read::Error> {
    let is_beyond = |placed: &Placed<'_>| match &placed.change.state {
        State::HardLink { .. } => true,
        State::File { xattrs, .. } => !xattrs.is_empty(),
        _ => false,
    };
    let inodes = part.iter().any(is_beyond).then(|| trees.inodes()).transpose()?;
    let mut deviations = Vec::new();
    for of_directory in part
        .chunk_by(|one, other| (one.change.volume, &one.directory) == (other.change.volume, &other.directory))
    {
        let Some(Placed { directory, change: ChangeEntry { volume, .. }, .. }) = of_directory.first() else {
            continue;
        };
        let (tree, inodes) = match volume {
            Volume::Root => (Some(&*trees.root), inodes.as_ref()),
            Volume::Boot => (trees.boot.as_deref(), None),
        };
        let entries = match (tree, directory) {
            (Some(tree), Some(directory)) => tree.entries(directory)?,
            _ => None,
        };
        for Placed { index, change: ChangeEntry { path, state, .. }, .. } in of_directory {
            let fault = match (tree, &entries) {
                (None, _) => Some("is on a boot partition the image does not have".to_owned()),
                (Some(tree), Some(entries)) => {
                    Found { tree, inodes, path }.fault(state, entries.get(path.name()).copied())?
                }
                (Some(tree), None) => Found { tree, inodes, path }.fault(state, tree.entry(path)?)?,
            };
            let deviation = |fault| (*index, Deviation { volume: *volume, path: path.clone(), fault });
            deviations.extend(fault.map(deviation));
        }
    }
    Ok(deviations)
}

/// Compares the partition table of `image` with `planned`; a GPT is read by the gpt crate, which did not write it.
pub(crate) fn compare_table(
    image: &Arc<dyn Content>,
    planned: &Table,
) -> Result<Vec<String>, partitions::Error> {
    let mut deviations = Vec::new();
    if partitions::table_of(image)?.partitions() != planned.partitions() {
        deviations.push("the partition table is not the planned one".to_owned());
    }
    if planned.format() == Format::Gpt {
        deviations.extend(gpt_fault(image, planned));
    }
    Ok(deviations)
}

fn gpt_fault(image: &Arc<dyn Content>, planned: &Table) -> Option<String> {
    let device = match Slice::new(Arc::clone(image), 0..image.len()) {
        Ok(device) => device,
        Err(error) => return Some(error.to_string()),
    };
    let table = match gpt::GptConfig::new().writable(false).open_from_device(device) {
        Ok(table) => table,
        Err(error) => return Some(format!("the GPT cannot be read: {error}")),
    };
    let found = table.partitions().iter().filter(|(_, partition)| partition.is_used());
    let found: Vec<_> =
        found.map(|(number, partition)| (*number, partition.first_lba, partition.last_lba)).collect();
    let planned = planned.partitions().iter().map(|p| (p.number, p.start, p.start + p.sectors - 1));
    (found != planned.collect::<Vec<_>>()).then(|| format!("the GPT has the partitions {found:?}"))
}

/// What is at a path.
struct Found<'a> {
    tree: &'a dyn Tree,
    inodes: Option<&'a Inodes>,
    path: &'a ImagePath,
}

impl Found<'_> {
    /// How `entry`, which is there, is not as `state` says.
    fn fault(&self, state: &State, entry: Option<Entry>) -> Result<Option<String>, read::Error> {
        let Some(entry) = entry else {
            return Ok((*state != State::Absent).then(|| "is missing".to_owned()));
        };
        let kind = match state {
            State::Absent => return Ok(Some(format!("is still there: a {}", entry.kind))),
            State::Directory { .. } => Kind::Directory,
            State::Symlink { .. } => Kind::Symlink,
            State::File { .. } | State::HardLink { .. } => Kind::File,
        };
        if entry.kind != kind {
            return Ok(Some(format!("is a {} instead of a {kind}", entry.kind)));
        }
        match state {
            State::Absent => Ok(None),
            State::Directory { mode, owner } => Ok(self.access(&entry, mode, owner)),
            State::Symlink { target, owner, mtime } => Ok(match self.pointing(target)? {
                None => owner_of(&entry, owner.as_deref()).or_else(|| time_of(&entry, *mtime)),
                fault => fault,
            }),
            State::HardLink { target } => self.identity(target),
            State::File { size, sha256, mode, owner, mtime, xattrs } => {
                let plain = self.access(&entry, mode, owner).or_else(|| time_of(&entry, *mtime));
                match plain {
                    Some(fault) => Ok(Some(fault)),
                    None if entry.size != *size => {
                        Ok(Some(format!("has {} bytes instead of {size}", entry.size)))
                    }
                    None => match self.content(*sha256)? {
                        None => self.attributes(xattrs),
                        fault => Ok(fault),
                    },
                }
            }
        }
    }

    fn access(&self, entry: &Entry, mode: &str, owner: &str) -> Option<String> {
        // FAT keeps neither modes nor owners, nor times.
        entry.mtime?;
        let (found, wanted) = (entry.access.to_string(), format!("{mode} {owner}"));
        (found != wanted).then(|| format!("has mode and owner {found} instead of {wanted}"))
    }

    fn pointing(&self, target: &Octets) -> Result<Option<String>, read::Error> {
        let found = Octets(self.tree.target(self.path)?);
        Ok((found != *target).then(|| format!("points to {found} instead of {target}")))
    }

    fn content(&self, sha256: Sha256) -> Result<Option<String>, read::Error> {
        let found = sha256_at(self.tree, self.path)?;
        Ok((found != sha256).then(|| format!("has SHA-256 {found} instead of {sha256}")))
    }

    /// Both names are of one inode.
    fn identity(&self, target: &ImagePath) -> Result<Option<String>, read::Error> {
        let Some(inodes) = self.inodes else { return Ok(None) };
        let (own, other) = (inodes.number(self.path)?, inodes.number(target)?);
        Ok((own != other).then(|| format!("is not the same file as {target}")))
    }

    /// All extended attributes that were asked for are there; what else the vendor's file had stays.
    fn attributes(&self, xattrs: &BTreeMap<String, Sha256>) -> Result<Option<String>, read::Error> {
        let Some(inodes) = self.inodes.filter(|_| !xattrs.is_empty()) else { return Ok(None) };
        let found = inodes.xattrs(self.path)?;
        let other = xattrs.iter().find(|(name, digest)| found.get(*name) != Some(digest));
        Ok(other.map(|(name, _)| match found.contains_key(name) {
            true => format!("has another value of the extended attribute {name}"),
            false => format!("lacks the extended attribute {name}"),
        }))
    }
}

fn owner_of(entry: &Entry, owner: Option<&str>) -> Option<String> {
    let (found, wanted) = (format!("{}:{}", entry.access.uid, entry.access.gid), owner?);
    (found != wanted).then(|| format!("has owner {found} instead of {wanted}"))
}

fn time_of(entry: &Entry, mtime: Option<i64>) -> Option<String> {
    let (found, wanted) = (entry.mtime?, mtime?);
    (found != wanted).then(|| format!("was modified at {found} instead of {wanted} (seconds since 1970)"))
}

/// The SHA-256 of the file `path`.
pub(crate) fn sha256_at(tree: &dyn Tree, path: &ImagePath) -> Result<Sha256, read::Error> {
    let mut hasher = Hasher::default();
    tree.read_to(path, &mut |piece| hasher.update(piece))?;
    Ok(hasher.finish())
}
