//! Reading back what was written, with code that did not write it: every build ends with this, and `verify` does the
//! same for any image with a manifest.

use std::sync::Arc;

use imgforge_disk::{
    Content,
    partition::{Format, Table},
};
use imgforge_spec::{Hasher, ImagePath, Sha256};

use crate::image::{
    change::Volume,
    entry::{ChangeEntry, State},
    partitions::{self, Trees},
    read::{self, Kind, Slice, Tree},
};

/// One thing that is not as planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{volume}:{path} {fault}")]
pub struct Deviation {
    /// The file system.
    pub volume: Volume,
    /// The path.
    pub path: String,
    /// What is wrong.
    pub fault: String,
}

/// Compares the file systems in `trees` with `changes`. Returns every deviation; none means all is as planned.
pub fn compare(trees: &Trees, changes: &[ChangeEntry]) -> Result<Vec<Deviation>, read::Error> {
    let mut deviations = Vec::new();
    for change in changes {
        let tree: Option<&dyn Tree> = match change.volume {
            Volume::Root => Some(&trees.root),
            Volume::Boot => trees.boot(),
        };
        let fault = match (tree, change.image_path()) {
            (None, _) => Some("is on a boot partition the image does not have".to_owned()),
            (_, Err(error)) => Some(error.to_string()),
            (Some(tree), Ok(path)) => fault_at(tree, &path, &change.state, change.volume)?,
        };
        deviations.extend(fault.map(|fault| Deviation {
            volume: change.volume,
            path: change.path.clone(),
            fault,
        }));
    }
    Ok(deviations)
}

/// Compares the partition table of `image` with `planned`; a GPT is read by the gpt crate, which did not write it.
pub fn compare_table(image: &Arc<dyn Content>, planned: &Table) -> Result<Vec<String>, partitions::Error> {
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

fn fault_at(
    tree: &dyn Tree,
    path: &ImagePath,
    state: &State,
    volume: Volume,
) -> Result<Option<String>, read::Error> {
    let Some(entry) = tree.entry(path)? else {
        return Ok((*state != State::Absent).then(|| "is missing".to_owned()));
    };
    // FAT keeps neither modes nor owners.
    let access = |mode: &String, owner: &String| {
        let found = entry.access.to_string();
        let wanted = format!("{mode} {owner}");
        (volume == Volume::Root && found != wanted)
            .then(|| format!("has mode and owner {found} instead of {wanted}"))
    };
    let wrong_kind =
        |wanted: Kind| (entry.kind != wanted).then(|| format!("is a {} instead of a {wanted}", entry.kind));
    Ok(match state {
        State::Absent => Some(format!("is still there: a {}", entry.kind)),
        State::Directory { mode, owner } => wrong_kind(Kind::Directory).or_else(|| access(mode, owner)),
        State::Symlink { target } => match wrong_kind(Kind::Symlink) {
            Some(fault) => Some(fault),
            None => {
                let found = String::from_utf8_lossy(&tree.target(path)?).into_owned();
                (found != *target).then(|| format!("points to {found} instead of {target}"))
            }
        },
        State::HardLink { target } => match ImagePath::new(target) {
            Err(error) => Some(error.to_string()),
            // ext4-view shows no inode numbers: the same content is what it can see of two names for one file.
            Ok(target) => match wrong_kind(Kind::File) {
                Some(fault) => Some(fault),
                None => (sha256_at(tree, path)? != sha256_at(tree, &target)?)
                    .then(|| format!("is not the same file as {target}")),
            },
        },
        // Extended attributes are beyond ext4-view.
        State::File { size, sha256, mode, owner, xattrs: _ } => {
            match wrong_kind(Kind::File).or_else(|| access(mode, owner)) {
                Some(fault) => Some(fault),
                None if entry.size != *size => Some(format!("has {} bytes instead of {size}", entry.size)),
                None => {
                    let found = sha256_at(tree, path)?;
                    (found != *sha256).then(|| format!("has SHA-256 {found} instead of {sha256}"))
                }
            }
        }
    })
}

/// The SHA-256 of the file `path`.
pub fn sha256_at(tree: &dyn Tree, path: &ImagePath) -> Result<Sha256, read::Error> {
    let mut hasher = Hasher::default();
    tree.read_to(path, &mut |piece| hasher.update(piece))?;
    Ok(hasher.finish())
}
