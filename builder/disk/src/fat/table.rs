//! The file allocation table, decoded: for every cluster, what follows it.

use super::{
    Fault,
    boot_sector::{Geometry, Width},
    le16, le32,
};

/// What a table entry says of its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    Free,
    Next(u32),
    Bad,
    Last,
}

/// One copy of the table, checked to be equal to the others.
#[derive(Debug)]
pub(super) struct Table<'a> {
    geometry: &'a Geometry,
    bytes: Vec<u8>,
}

impl<'a> Table<'a> {
    pub(super) fn new(geometry: &'a Geometry, bytes: Vec<u8>) -> Self {
        Self { geometry, bytes }
    }

    /// The entry of `cluster`; free if there is no such cluster.
    pub(super) fn entry(&self, cluster: u32) -> Entry {
        let at = cluster as usize;
        // (value, the first value that is special)
        let (value, special) = match self.geometry.width {
            Width::Fat12 => {
                let pair = le16(&self.bytes, at + at / 2);
                (u32::from(if at.is_multiple_of(2) { pair & 0xFFF } else { pair >> 4 }), 0xFF0)
            }
            Width::Fat16 => (u32::from(le16(&self.bytes, at * 2)), 0xFFF0),
            // The upper four bits are reserved.
            Width::Fat32 => (le32(&self.bytes, at * 4) & 0x0FFF_FFFF, 0x0FFF_FFF0),
        };
        match value {
            0 => Entry::Free,
            _ if value < special => Entry::Next(value),
            _ if value == special + 7 => Entry::Bad,
            _ => Entry::Last,
        }
    }

    /// The clusters of a chain in order.
    ///
    /// `owner` marks which clusters belong to a chain already; a chain that meets itself or another is an error.
    pub(super) fn chain(&self, first: u32, owned: &mut [bool], path: &str) -> Result<Vec<u32>, Fault> {
        let mut chain = Vec::new();
        let mut cluster = first;
        loop {
            let broken = |what| Fault::Chain { path: path.to_owned(), cluster, what };
            if !self.geometry.has(cluster) {
                return Err(broken("does not exist"));
            }
            let owned = owned.get_mut(cluster as usize).ok_or_else(|| broken("does not exist"))?;
            if std::mem::replace(owned, true) {
                return Err(broken("is used twice (a loop, or two files that cross)"));
            }
            chain.push(cluster);
            cluster = match self.entry(cluster) {
                Entry::Next(next) => next,
                Entry::Last => return Ok(chain),
                Entry::Free => return Err(broken("is marked free")),
                Entry::Bad => return Err(broken("is marked bad")),
            };
        }
    }

    /// The free clusters in order.
    pub(super) fn free(&self) -> impl Iterator<Item = u32> {
        (2..self.geometry.clusters.saturating_add(2)).filter(|cluster| self.entry(*cluster) == Entry::Free)
    }
}
