//! The master boot record: four partition entries and the disk id at the end of sector 0.
//!
//! Layout of sector 0 (offsets in bytes, numbers little-endian), after the UEFI specification, section 5.2.1
//! (<https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html#legacy-master-boot-record-mbr>):
//!
//! | offset | length | field |
//! |---|---|---|
//! | 0 | 440 | boot code; some boards' boot ROM wants its own bytes here |
//! | 440 | 4 | unique disk signature |
//! | 446 | 4 × 16 | partition records |
//! | 510 | 2 | signature 0x55 0xAA |

use imgforge_ext4::Device;

use super::{Fault, SECTOR, u32_at};
use crate::{
    disk::Disk,
    error::{Error, Result},
};

const UNIQUE_DISK_SIGNATURE: usize = 440;
const PARTITION_RECORD: usize = 446;
const RECORD_LENGTH: usize = 16;
/// Records in a table: the primary partitions.
pub(super) const RECORDS: usize = 4;
const SIGNATURE: usize = 510;

/// The type of a record that stands for a whole GPT disk.
pub(super) const GPT_PROTECTIVE: u8 = 0xEE;

/// One partition record.
///
/// Its offsets: 0 boot indicator, 4 type, 8 first sector, 12 number of sectors. The two cylinder-head-sector addresses
/// (1 and 5) are the vendor's and are never read or written: what reads these disks reads sector numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    /// 0x80 if the partition is marked active, else 0.
    pub(super) boot_indicator: u8,
    /// The type; 0 is an unused record.
    pub(super) os_type: u8,
    /// First sector.
    pub(super) starting_lba: u32,
    /// Number of sectors.
    pub(super) size_in_lba: u32,
}

const SIZE_IN_LBA: usize = 12;

impl Record {
    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            boot_indicator: *bytes.first()?,
            os_type: *bytes.get(4)?,
            starting_lba: u32_at(bytes, 8)?,
            size_in_lba: u32_at(bytes, SIZE_IN_LBA)?,
        })
    }
}

/// The decoded end of sector 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BootRecord {
    /// The disk id the kernel derives PARTUUIDs from.
    pub(super) unique_disk_signature: u32,
    /// The four records, used or not.
    pub(super) records: [Record; RECORDS],
}

impl BootRecord {
    /// Decodes sector 0. Nothing if it does not carry the signature.
    pub(super) fn decode(sector: &[u8]) -> Option<Self> {
        if sector.get(SIGNATURE..)?.get(..2)? != [0x55, 0xAA] {
            return None;
        }
        let record = |index: usize| Record::decode(sector.get(PARTITION_RECORD + index * RECORD_LENGTH..)?);
        Some(Self {
            unique_disk_signature: u32_at(sector, UNIQUE_DISK_SIGNATURE)?,
            records: [record(0)?, record(1)?, record(2)?, record(3)?],
        })
    }

    /// The used records with their numbers, from 1.
    pub(super) fn used(&self) -> impl Iterator<Item = (u32, Record)> {
        (1..).zip(self.records).filter(|(_, record)| record.os_type != 0)
    }

    /// The boot indicator of every record is one of the two that exist; other bytes mean that this is no table.
    pub(super) fn check(&self) -> Result<(), Fault> {
        match (1..).zip(self.records).find(|(_, record)| record.boot_indicator & 0x7F != 0) {
            Some((number, record)) => Err(Fault::BootIndicator { number, value: record.boot_indicator }),
            None => Ok(()),
        }
    }
}

/// Writes the size of record `number` (from 1) and nothing else: the rest of sector 0 may be a boot loader.
pub(super) fn write_size(disk: &mut Disk, number: u32, size_in_lba: u32) -> Result<()> {
    let record = PARTITION_RECORD as u64 + u64::from(number - 1) * RECORD_LENGTH as u64;
    disk.write_at(record + SIZE_IN_LBA as u64, &size_in_lba.to_le_bytes()).map_err(Error::Disk)
}

/// The size a protective record has on a disk of `size` bytes: all but sector 0, or all ones if that does not fit.
pub(super) fn protective_size(size: u64) -> u32 {
    u32::try_from((size / SECTOR).saturating_sub(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sector() -> Vec<u8> {
        let mut sector = vec![0; 512];
        sector[440..444].copy_from_slice(&0x4F2C_9EA0u32.to_le_bytes());
        sector[446 + 16] = 0x80;
        sector[446 + 16 + 4] = 0x83;
        sector[446 + 16 + 8..][..8].copy_from_slice(&[0, 8, 0, 0, 0, 0x10, 0, 0]);
        sector[510..].copy_from_slice(&[0x55, 0xAA]);
        sector
    }

    #[test]
    fn fields_are_where_the_specification_has_them() {
        let decoded = BootRecord::decode(&sector()).unwrap();
        assert_eq!(decoded.unique_disk_signature, 0x4F2C_9EA0);
        let expected = Record { boot_indicator: 0x80, os_type: 0x83, starting_lba: 2048, size_in_lba: 4096 };
        assert_eq!(decoded.used().collect::<Vec<_>>(), [(2, expected)]);
    }

    #[test]
    fn writing_a_size_changes_four_bytes() {
        let before = sector();
        let mut disk = Disk::new(std::sync::Arc::new(before.clone()));
        write_size(&mut disk, 2, 0xAABB_CCDD).unwrap();
        let mut after = vec![0; 512];
        disk.read_at(0, &mut after).unwrap();
        let changed: Vec<_> = (0..512).filter(|at| before[*at] != after[*at]).collect();
        assert_eq!(changed, [474, 475, 476, 477]);
        assert_eq!(BootRecord::decode(&after).unwrap().records[1].size_in_lba, 0xAABB_CCDD);
    }

    #[test]
    fn without_signature_there_is_no_record() {
        assert_eq!(BootRecord::decode(&[0; 512]), None);
        assert_eq!(BootRecord::decode(&[0; 10]), None);
    }
}
