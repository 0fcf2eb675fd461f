//! Reading back what was written, with code that did not write it: every build ends with this, and `verify` does the
//! same for any image with a manifest.

use std::{collections::BTreeMap, sync::Arc};

use imgforge_disk::{
    Content,
    partition::{Format, Table},
};
use imgforge_spec::{Hasher, ImagePath, Octets, Sha256};

use crate::image::{
    change::Volume,
    entry::{ChangeEntry, State},
    partitions::{self, Trees},
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

/// Compares the file systems in `trees` with `changes`. Returns every deviation; none means all is as planned.
pub(crate) fn compare(trees: &Trees, changes: &[ChangeEntry]) -> Result<Vec<Deviation>, read::Error> {
    let is_beyond = |change: &ChangeEntry| match &change.state {
        State::HardLink { .. } => true,
        State::File { xattrs, .. } => !xattrs.is_empty(),
        _ => false,
    };
    let inodes = changes.iter().any(is_beyond).then(|| trees.inodes()).transpose()?;
    let mut deviations = Vec::new();
    for change in changes {
        let (tree, inodes) = match change.volume {
            Volume::Root => (Some(&*trees.root), inodes.as_ref()),
            Volume::Boot => (trees.boot.as_deref(), None),
        };
        let fault = match tree {
            None => Some("is on a boot partition the image does not have".to_owned()),
            Some(tree) => Found { tree, inodes, path: &change.path }.fault(&change.state)?,
        };
        let (volume, path) = (change.volume, change.path.clone());
        deviations.extend(fault.map(|fault| Deviation { volume, path, fault }));
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
    /// How it is not as `state` says.
    fn fault(&self, state: &State) -> Result<Option<String>, read::Error> {
        let Some(entry) = self.tree.entry(self.path)? else {
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
