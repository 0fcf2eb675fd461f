//! What a volume holds: a walk over all its chains that trusts nothing.

use super::{
    Fault,
    boot_sector::{Geometry, Root},
    directory,
    table::Table,
};
use crate::{
    disk::Disk,
    error::{Error, Result},
    window::Window,
};

/// Directories in directories that we follow.
const MAX_DEPTH: usize = 64;
/// Most clusters of a volume we edit: keeps the table in memory below 64 MiB.
const MAX_CLUSTERS: u32 = 1 << 24;

/// A volume that was found sound.
#[derive(Debug)]
pub(super) struct Volume {
    pub(super) geometry: Geometry,
    /// The free clusters as runs (first cluster, number).
    pub(super) free: Vec<(u32, u32)>,
    /// The first cluster of every directory but the root.
    pub(super) directories: Vec<u32>,
}

impl Volume {
    /// Walks the whole volume.
    ///
    /// Errors: copies of the table that differ; chains that leave the volume, loop or cross; files whose chain does not
    /// fit their size.
    pub(super) fn check(window: &Window<&mut Disk>) -> Result<Self> {
        let mut sector = [0; 512];
        if window.size() < sector.len() as u64 {
            return Err(Fault::NoBootSector.into());
        }
        window.read_at(0, &mut sector).map_err(Error::Disk)?;
        let geometry = Geometry::decode(&sector, window.size())?;
        if geometry.clusters > MAX_CLUSTERS {
            return Err(Error::unsupported(super::Foreign::Clusters(geometry.clusters)));
        }
        let table = read_table(window, &geometry)?;
        let mut walk = Walk {
            window,
            geometry: &geometry,
            table: &table,
            owned: vec![false; geometry.clusters as usize + 2],
            directories: Vec::new(),
        };
        let root = walk.root()?;
        walk.directory(&root, "", 0)?;
        let directories = walk.directories;
        let mut free: Vec<(u32, u32)> = Vec::new();
        for cluster in table.free() {
            match free.last_mut() {
                Some((first, count)) if *first + *count == cluster => *count += 1,
                _ => free.push((cluster, 1)),
            }
        }
        Ok(Self { geometry, free, directories })
    }

    /// Free space in bytes.
    pub(super) fn free_bytes(&self) -> u64 {
        self.free.iter().map(|(_, count)| u64::from(*count)).sum::<u64>() * self.geometry.cluster_size
    }
}

fn read_table<'a>(window: &Window<&mut Disk>, geometry: &'a Geometry) -> Result<Table<'a>> {
    let copy = |index: u8| {
        let mut bytes = vec![0; geometry.table_bytes() as usize];
        let at = geometry.fat_start + u64::from(index) * geometry.fat_length;
        window.read_at(at, &mut bytes).map_err(Error::Disk)?;
        Ok::<_, Error>(bytes)
    };
    let first = copy(0)?;
    for index in 1..geometry.fats {
        let other = copy(index)?;
        if let Some(at) = first.iter().zip(&other).position(|(a, b)| a != b) {
            return Err(Fault::CopiesDiffer { at: at as u64 }.into());
        }
    }
    Ok(Table::new(geometry, first))
}

struct Walk<'a> {
    window: &'a Window<&'a mut Disk>,
    geometry: &'a Geometry,
    table: &'a Table<'a>,
    owned: Vec<bool>,
    directories: Vec<u32>,
}

impl Walk<'_> {
    fn root(&mut self) -> Result<Vec<u8>> {
        match self.geometry.root.clone() {
            Root::Cluster(first) => {
                let chain = self.table.chain(first, &mut self.owned, "/")?;
                self.read_clusters(&chain)
            }
            Root::Fixed(range) => {
                let mut bytes = vec![0; (range.end - range.start) as usize];
                self.window.read_at(range.start, &mut bytes).map_err(Error::Disk)?;
                Ok(bytes)
            }
        }
    }

    fn directory(&mut self, bytes: &[u8], path: &str, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(Fault::TooDeep { path: path.to_owned() }.into());
        }
        for entry in directory::entries(bytes) {
            let path = format!("{path}/{}", entry.name);
            if entry.directory {
                self.directories.push(entry.first_cluster);
                let chain = self.table.chain(entry.first_cluster, &mut self.owned, &path)?;
                let bytes = self.read_clusters(&chain)?;
                self.directory(&bytes, &path, depth + 1)?;
            } else {
                self.file(&entry, path)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, entry: &directory::Entry, path: String) -> Result<(), Fault> {
        let needed = u64::from(entry.size).div_ceil(self.geometry.cluster_size);
        let clusters = match entry.first_cluster {
            0 => 0,
            first => self.table.chain(first, &mut self.owned, &path)?.len() as u64,
        };
        if clusters == needed { Ok(()) } else { Err(Fault::Size { path, size: entry.size, clusters }) }
    }

    /// A directory has at most 2^16 entries (2 MiB); a longer chain is not read.
    fn read_clusters(&self, chain: &[u32]) -> Result<Vec<u8>> {
        const LONGEST: u64 = 2 << 20;
        let length = chain.len() as u64 * self.geometry.cluster_size;
        if length > LONGEST.max(self.geometry.cluster_size) {
            return Err(Fault::DirectoryLength { length }.into());
        }
        let mut bytes = vec![0; length as usize];
        for (part, cluster) in bytes.chunks_mut(self.geometry.cluster_size as usize).zip(chain) {
            self.window.read_at(self.geometry.cluster(*cluster).start, part).map_err(Error::Disk)?;
        }
        Ok(bytes)
    }
}
