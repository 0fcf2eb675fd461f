//! Logical partitions: a chain of extended boot records inside the one extended partition of an MBR.
//!
//! Each has the layout of sector 0. One of its records is a logical partition, placed from the extended boot record on;
//! another, of an extended type, is the link to the next extended boot record, placed from the extended partition on. That
//! is how Linux reads them, and numbers them from 5 (`parse_extended` in
//! <https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/block/partitions/msdos.c>).

use super::{Fault, Foreign, Kind, Partition, SECTOR, mbr::BootRecord, mbr_partition};
use crate::{
    disk::Disk,
    error::{Error, Result},
};

/// The number of the first logical partition.
const FIRST: u32 = 5;
/// As many as the tools that make such chains can make. It bounds the time a malicious chain takes.
const MOST_RECORDS: usize = 60;

/// The logical partitions in `extended`, none sharing a sector with another or with the chain.
pub(super) fn read(disk: &Disk, extended: &Partition, disk_id: u32) -> Result<Vec<Partition>> {
    let mut partitions: Vec<Partition> = Vec::new();
    let mut chain = Vec::new();
    let mut next = Some(extended.start);
    while let Some(at) = next {
        if chain.contains(&at) {
            return Err(Fault::ChainLoop { at }.into());
        }
        if chain.len() == MOST_RECORDS {
            return Err(Error::unsupported(Foreign::LogicalCount(MOST_RECORDS)));
        }
        let Some(record) = record_at(disk, at)? else {
            // An extended partition that nobody has put anything into has no first record.
            if chain.is_empty() {
                break;
            }
            return Err(Fault::ChainBroken { at }.into());
        };
        record.check()?;
        chain.push(at);
        let of_kind = |extended: bool| {
            let mut found = record.used().map(|(_, record)| record).filter(move |record| {
                record.size_in_lba > 0 && Kind::Mbr(record.os_type).is_extended() == extended
            });
            match (found.next(), found.next()) {
                (first, None) => Ok(first),
                _ => Err(Error::unsupported(Foreign::ChainRecord { at })),
            }
        };
        if let Some(logical) = of_kind(false)? {
            let number = FIRST + partitions.len() as u32;
            let partition = mbr_partition(number, logical, at, disk_id)?;
            check_inside(extended, number, partition.start, partition.end())?;
            partitions.push(partition);
        }
        next = of_kind(true)?.map(|link| extended.start + u64::from(link.starting_lba));
        if let Some(next) = next {
            check_inside(extended, FIRST + partitions.len() as u32, next, next + 1)?;
        }
    }
    for partition in &partitions {
        if let Some(sector) = chain.iter().find(|at| (partition.start..partition.end()).contains(at)) {
            return Err(Fault::OverTable { number: partition.number, sector: *sector }.into());
        }
    }
    Ok(partitions)
}

/// The extended boot record in sector `at`, if there is one.
fn record_at(disk: &Disk, at: u64) -> Result<Option<BootRecord>> {
    let mut sector = [0; SECTOR as usize];
    disk.read_at(at * SECTOR, &mut sector).map_err(Error::Disk)?;
    Ok(BootRecord::decode(&sector))
}

fn check_inside(extended: &Partition, number: u32, start: u64, end: u64) -> Result<(), Fault> {
    if start >= extended.start && end <= extended.end() {
        return Ok(());
    }
    let (first, last) = (extended.start, extended.end() - 1);
    Err(Fault::OutsideExtended { number, start, end: end - 1, first, last })
}
