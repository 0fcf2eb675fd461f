//! The BIOS parameter block: where the parts of a FAT volume are.
//!
//! Offsets in bytes, numbers little-endian, names after Microsoft's FAT specification 1.03
//! (<https://download.microsoft.com/download/1/6/1/161ba512-40e2-4cc9-843a-923143f3456c/fatgen103.doc>):
//! 11 BytsPerSec, 13 SecPerClus, 14 RsvdSecCnt, 16 NumFATs, 17 RootEntCnt, 19 TotSec16, 22 FATSz16, 32 TotSec32,
//! FAT32: 36 FATSz32, 40 ExtFlags, 44 RootClus, 48 FSInfo, 65 Reserved1; FAT12 and FAT16: 37 Reserved1.

use std::ops::Range;

use super::{Fault, Foreign, le16, le32};
use crate::error::{Error, Result};

/// Width of a table entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    Fat12,
    Fat16,
    Fat32,
}

/// Where the root directory is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Root {
    /// A range of bytes before the clusters (FAT12, FAT16).
    Fixed(Range<u64>),
    /// A chain that begins with this cluster (FAT32).
    Cluster(u32),
}

/// The geometry of a volume; all offsets in bytes from its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) width: Width,
    pub(super) cluster_size: u64,
    /// Number of data clusters; they are numbered from 2.
    pub(super) clusters: u32,
    pub(super) fat_start: u64,
    /// Length of one copy of the table.
    pub(super) fat_length: u64,
    pub(super) fats: u8,
    pub(super) root: Root,
    pub(super) data_start: u64,
    /// The FSInfo sector of a FAT32 volume.
    pub(super) fs_info: Option<u64>,
}

/// Bit of the Reserved1 byte: the volume was not unmounted.
const DIRTY: u8 = 1;
/// ExtFlags: only one copy of the table is in use.
const NO_MIRROR: u16 = 0x80;
const ENTRY: u64 = 32;

impl Geometry {
    /// Decodes the first sector of a volume of `size` bytes and checks that everything lies inside it.
    pub(super) fn decode(sector: &[u8; 512], size: u64) -> Result<Self> {
        let byte = |at: usize| u64::from(sector[at]);
        let word = |at: usize| u64::from(le16(sector, at));
        let long = |at: usize| u64::from(le32(sector, at));
        let invalid = |field, value| Fault::BootSector { field, value };
        if sector[510..] != [0x55, 0xAA] {
            return Err(Fault::NoBootSector.into());
        }
        let bytes_per_sector = word(11);
        if !bytes_per_sector.is_power_of_two() || !(512..=4096).contains(&bytes_per_sector) {
            return Err(invalid("BytsPerSec", bytes_per_sector).into());
        }
        let sectors_per_cluster = byte(13);
        if !sectors_per_cluster.is_power_of_two() {
            return Err(invalid("SecPerClus", sectors_per_cluster).into());
        }
        let (reserved, fats, root_entries) = (word(14), byte(16), word(17));
        if reserved == 0 {
            return Err(invalid("RsvdSecCnt", reserved).into());
        }
        if !(1..=2).contains(&fats) {
            return Err(invalid("NumFATs", fats).into());
        }
        let fat32 = word(22) == 0;
        let fat_sectors = if fat32 { long(36) } else { word(22) };
        let total = if word(19) == 0 { long(32) } else { word(19) };
        if total == 0 || total * bytes_per_sector > size {
            return Err(Fault::BeyondPartition { end: total * bytes_per_sector, size }.into());
        }
        let root_sectors = (root_entries * ENTRY).div_ceil(bytes_per_sector);
        let first_data = reserved + fats * fat_sectors + root_sectors;
        let clusters =
            total.checked_sub(first_data).ok_or(invalid("FATSz", fat_sectors))? / sectors_per_cluster;
        let width = match clusters {
            ..4085 => Width::Fat12,
            4085..65525 => Width::Fat16,
            _ => Width::Fat32,
        };
        if fat32 != (width == Width::Fat32) || fat32 != (root_entries == 0) {
            return Err(invalid("RootEntCnt", root_entries).into());
        }
        let geometry = Self {
            width,
            cluster_size: sectors_per_cluster * bytes_per_sector,
            // At most 2^32 sectors.
            clusters: clusters as u32,
            fat_start: reserved * bytes_per_sector,
            fat_length: fat_sectors * bytes_per_sector,
            fats: sector[16],
            root: if fat32 {
                Root::Cluster(le32(sector, 44))
            } else {
                let start = (reserved + fats * fat_sectors) * bytes_per_sector;
                Root::Fixed(start..start + root_entries * ENTRY)
            },
            data_start: first_data * bytes_per_sector,
            fs_info: fat32.then(|| word(48) * bytes_per_sector),
        };
        if geometry.table_bytes() > geometry.fat_length {
            return Err(invalid("FATSz", fat_sectors).into());
        }
        if geometry.fs_info.is_some_and(|at| at == 0 || at >= geometry.fat_start) {
            return Err(invalid("FSInfo", word(48)).into());
        }
        if fat32 && le16(sector, 40) & NO_MIRROR != 0 {
            return Err(Error::unsupported(Foreign::NoMirror));
        }
        if sector[if fat32 { 65 } else { 37 }] & DIRTY != 0 {
            return Err(Fault::Dirty.into());
        }
        Ok(geometry)
    }

    /// Bytes of the table that are in use.
    pub(super) fn table_bytes(&self) -> u64 {
        let entries = u64::from(self.clusters) + 2;
        match self.width {
            Width::Fat12 => (entries * 3).div_ceil(2),
            Width::Fat16 => entries * 2,
            Width::Fat32 => entries * 4,
        }
    }

    /// The bytes of a data cluster.
    pub(super) fn cluster(&self, cluster: u32) -> Range<u64> {
        let start = self.data_start + u64::from(cluster.saturating_sub(2)) * self.cluster_size;
        start..start + self.cluster_size
    }

    /// Whether there is such a cluster.
    pub(super) fn has(&self, cluster: u32) -> bool {
        (2..self.clusters.saturating_add(2)).contains(&cluster)
    }
}
