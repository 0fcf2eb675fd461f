//! A disk in layers: the base, over it what all nodes of a board and role share, over that what makes one node.
//!
//! A layer is a plan made over what is there, applied by editors opened anew. So it is the same, byte for byte, whether what
//! is there was made a moment ago by this process or lies in a release image.

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use imgforge_disk::{Content, Disk, partition::Table};
use imgforge_spec::ImagePath;

use crate::{
    build::error::Error,
    catalogue::profile::Layout,
    image::{
        apply,
        change::Volume,
        entry::{ChangeEntry, State},
        partitions::{self, Partitions, Trees},
    },
    plan::{self, Pinned},
    supply::pin::Additions,
};

/// A disk with some layers on it.
#[derive(Debug)]
pub struct Layered {
    /// The disk; what the last layer wrote is what it [touched](Disk::touched).
    pub disk: Arc<Disk>,
    /// Its partition table.
    pub(crate) table: Table,
    /// The partitions that are worked on.
    pub(crate) partitions: Partitions,
    /// Bytes the root file system was grown by.
    pub(crate) grown: u64,
    /// The bytes that are free in the root file system, in order.
    pub(crate) free: Vec<Range<u64>>,
    /// Every path that was changed, as it is now.
    pub changes: Vec<ChangeEntry>,
    /// Those of them that the last layer changed.
    pub(crate) latest: Vec<ChangeEntry>,
    /// Whether it holds what must not be published.
    pub secrets: bool,
}

impl Layered {
    /// `image` without a layer yet.
    pub fn over(image: Arc<dyn Content>, layout: &Layout) -> Result<Self, Error> {
        let table = partitions::table_of(&image)?;
        let partitions = Partitions::find(&table, layout)?;
        let disk = Arc::new(Disk::new(image));
        let (free, changes, latest) = Default::default();
        Ok(Self { disk, table, partitions, grown: 0, free, changes, latest, secrets: false })
    }

    /// The same again, with nothing written to it.
    pub(crate) fn fork(&self) -> Self {
        let Self { table, partitions, free, changes, latest, .. } = self;
        Self {
            disk: Arc::new(self.disk.fork()),
            table: table.clone(),
            partitions: partitions.clone(),
            free: free.clone(),
            changes: changes.clone(),
            latest: latest.clone(),
            ..*self
        }
    }

    /// The disk's bytes.
    pub fn content(&self) -> Arc<dyn Content> {
        Arc::clone(&self.disk) as _
    }

    /// One more layer: all that is asked for, with `additions`, and that is not there yet.
    pub fn with(&self, pinned: &Pinned, additions: &Additions) -> Result<Self, Error> {
        let image = self.content();
        let trees = Trees::open(&image, &self.partitions)?;
        let changes = plan::plan(pinned, additions, &*trees.root, trees.boot())?;
        let entries = ChangeEntry::all(&changes, pinned.epoch)
            .map_err(|source| Error::Io { what: "read what goes into the image".into(), source })?;
        let mut disk = self.disk.fork();
        let reserve = u64::from(pinned.request.board.profile.reserve) << 20;
        let table = partitions::table_of(&image)?;
        let applied = apply::apply(&mut disk, table, &self.partitions, &changes, reserve, pinned.epoch)?;
        Ok(Self {
            disk: Arc::new(disk),
            partitions: Partitions::find(&applied.table, &pinned.request.board.profile.layout)?,
            table: applied.table,
            grown: self.grown + applied.grown,
            free: applied.free,
            changes: on_top(&self.changes, entries.clone()),
            latest: entries,
            secrets: self.secrets || pinned.request.holds_secrets(&changes),
        })
    }
}

/// `earlier` changes as they are once those of `later` are made, too, in the order of a plan.
fn on_top(earlier: &[ChangeEntry], later: Vec<ChangeEntry>) -> Vec<ChangeEntry> {
    let changed: BTreeSet<(Volume, ImagePath)> =
        later.iter().map(|entry| (entry.volume, entry.path.clone())).collect();
    // What is below something that is no directory any more is gone with it.
    let removed: BTreeSet<(Volume, ImagePath)> = later
        .iter()
        .filter(|entry| !matches!(entry.state, State::Directory { .. }))
        .map(|entry| (entry.volume, entry.path.clone()))
        .collect();
    let stays = |entry: &&ChangeEntry| {
        let gone = |above| removed.contains(&(entry.volume, above));
        !changed.contains(&(entry.volume, entry.path.clone()))
            && !entry.path.ancestors().into_iter().any(gone)
    };
    let mut all: Vec<ChangeEntry> = earlier.iter().filter(stays).cloned().collect();
    all.extend(later);
    all.sort_by(|one, other| order(one).cmp(&order(other)));
    all
}

/// The place in a plan: removals come first, and parents before what is in them.
fn order(entry: &ChangeEntry) -> (bool, Volume, &ImagePath) {
    (entry.state != State::Absent, entry.volume, &entry.path)
}

#[cfg(test)]
mod tests {
    use imgforge_spec::Octets;

    use super::*;

    fn entry(path: &str, state: State) -> ChangeEntry {
        ChangeEntry { volume: Volume::Root, path: ImagePath::new(path).unwrap(), state, origins: Vec::new() }
    }

    fn link(path: &str, target: &str) -> ChangeEntry {
        entry(path, State::Symlink { target: Octets(target.into()), owner: None, mtime: None })
    }

    #[test]
    fn what_a_later_layer_changes_is_told_as_it_is_then() {
        let earlier = [link("/a", "1"), link("/b", "1"), link("/c/d", "1"), link("/cd", "1")];
        let later = vec![link("/b", "2"), entry("/c", State::Absent)];
        let both = [entry("/c", State::Absent), link("/a", "1"), link("/b", "2"), link("/cd", "1")];
        assert_eq!(on_top(&earlier, later), both);
    }
}
