//! The GUID partition table: a header and an array of entries near each end of the disk.
//!
//! Reading uses the `gpt` crate behind our own checks. Writing is our own: the crate's renumbers partitions and forgets the
//! protective record. Vendor bytes that need not change (names, attributes, unknown bits) are carried over as they are.
//!
//! Header (offsets in bytes, numbers little-endian), after the UEFI specification, section 5.3.2
//! (<https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html#gpt-header>): 12 HeaderSize, 16 HeaderCRC32,
//! 24 MyLBA, 32 AlternateLBA, 40 FirstUsableLBA, 48 LastUsableLBA, 72 PartitionEntryLBA, 80 NumberOfPartitionEntries,
//! 84 SizeOfPartitionEntry, 88 PartitionEntryArrayCRC32. Entry: 32 StartingLBA, 40 EndingLBA.

use std::ops::Range;

use gpt::disk::LogicalBlockSize;
use imgforge_ext4::Device;

use super::{Fault, Foreign, Kind, Partition, SECTOR, u32_at, u64_at};
use crate::{
    disk::Disk,
    error::{Error, Result},
};

const SIGNATURE: &[u8] = b"EFI PART";
const HEADER_SIZE: u32 = 92;
const ENTRY_SIZE: u32 = 128;
/// The specification asks for 128; nobody needs more, and the array is read into memory.
const MAX_ENTRIES: u32 = 1024;
const ENDING_LBA: usize = 40;

/// Which of the two headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copy {
    Primary,
    Backup,
}

impl std::fmt::Display for Copy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Backup => "backup",
        })
    }
}

/// The fields of a header that place things on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    my_lba: u64,
    alternate_lba: u64,
    first_usable_lba: u64,
    last_usable_lba: u64,
    partition_entry_lba: u64,
    number_of_partition_entries: u32,
}

impl Header {
    /// Decodes and checks the header of `copy` in the sector `lba`.
    fn decode(sector: &[u8], copy: Copy, lba: u64) -> Result<Self> {
        let damaged = |what| Fault::GptHeader { copy, lba, what };
        if !sector.starts_with(SIGNATURE) {
            return Err(damaged("has no signature").into());
        }
        let field = |at| u32_at(sector, at).ok_or(damaged("is cut off"));
        let wide = |at| u64_at(sector, at).ok_or(damaged("is cut off"));
        if field(12)? != HEADER_SIZE {
            return Err(Error::unsupported(Foreign::HeaderSize(field(12)?)));
        }
        if field(84)? != ENTRY_SIZE {
            return Err(Error::unsupported(Foreign::EntrySize(field(84)?)));
        }
        if crc(sector) != field(16)? {
            return Err(damaged("has a wrong checksum").into());
        }
        let header = Self {
            my_lba: wide(24)?,
            alternate_lba: wide(32)?,
            first_usable_lba: wide(40)?,
            last_usable_lba: wide(48)?,
            partition_entry_lba: wide(72)?,
            number_of_partition_entries: field(80)?,
        };
        if header.my_lba != lba {
            return Err(damaged("says that it is in another sector").into());
        }
        if !(1..=MAX_ENTRIES).contains(&header.number_of_partition_entries) {
            return Err(Error::unsupported(Foreign::EntryCount(header.number_of_partition_entries)));
        }
        Ok(header)
    }

    fn array_length(self) -> u64 {
        u64::from(self.number_of_partition_entries) * u64::from(ENTRY_SIZE)
    }

    fn array_sectors(self) -> u64 {
        self.array_length().div_ceil(SECTOR)
    }

    /// The vendor's header `sector` with this header's places, and checksums that fit.
    fn encode_over(self, sector: &[u8], array: &[u8]) -> Vec<u8> {
        let mut bytes = sector.to_vec();
        let mut put = |at: usize, value: &[u8]| {
            bytes.iter_mut().skip(at).zip(value).for_each(|(to, from)| *to = *from);
        };
        put(24, &self.my_lba.to_le_bytes());
        put(32, &self.alternate_lba.to_le_bytes());
        put(40, &self.first_usable_lba.to_le_bytes());
        put(48, &self.last_usable_lba.to_le_bytes());
        put(72, &self.partition_entry_lba.to_le_bytes());
        put(88, &crc32fast::hash(array).to_le_bytes());
        let checksum = crc(&bytes);
        bytes.iter_mut().skip(16).zip(checksum.to_le_bytes()).for_each(|(to, from)| *to = from);
        bytes
    }
}

/// The checksum of a header: its own field counts as zero.
fn crc(sector: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(sector.get(..16).unwrap_or_default());
    hasher.update(&[0; 4]);
    hasher.update(sector.get(20..HEADER_SIZE as usize).unwrap_or_default());
    hasher.finalize()
}

/// A GPT as it was read: its headers are known to be sound and to agree.
#[derive(Debug, Clone)]
pub(super) struct GuidTable {
    /// The disk's GUID, lower case.
    pub(super) disk_guid: String,
    header: Header,
    sector: Vec<u8>,
    array: Vec<u8>,
    /// The bytes of the backup's array; none if the image ends before its backup header.
    backup_array: Option<Range<u64>>,
}

impl GuidTable {
    /// Reads and checks both copies. Only the backup may be missing, and only where the image has no room for it.
    pub(super) fn read(disk: &Disk) -> Result<(Self, Vec<Partition>)> {
        let sectors = disk.size() / SECTOR;
        let sector = read(disk, 1, SECTOR)?;
        let header = Header::decode(&sector, Copy::Primary, 1)?;
        let array = read_array(disk, header, Copy::Primary, sectors)?;
        let array_end = header.partition_entry_lba.saturating_add(header.array_sectors());
        let ordered = header.partition_entry_lba >= 2
            && array_end <= header.first_usable_lba
            && header.first_usable_lba <= header.last_usable_lba
            && header.last_usable_lba < header.alternate_lba;
        if !ordered {
            return Err(Fault::GptHeader { copy: Copy::Primary, lba: 1, what: OVERLAPPING }.into());
        }
        let backup_array = if header.alternate_lba < sectors {
            Some(check_backup(disk, header, &array, sectors)?)
        } else {
            None
        };
        let (disk_guid, partitions) = decode_entries(disk, header)?;
        Ok((Self { disk_guid, header, sector, array, backup_array }, partitions))
    }

    /// Whether the image ends before the backup.
    pub(super) fn lacks_backup(&self) -> bool {
        self.backup_array.is_none()
    }

    /// Sectors at the end of the disk that the backup needs.
    pub(super) fn tail_sectors(&self) -> u64 {
        self.header.array_sectors() + 1
    }

    /// Writes the table for the partitions' new ends and the disk's new size; the old backup becomes zeros.
    ///
    /// Writes nothing when both are as they were read. Tells whether the backup moved.
    pub(super) fn write(&mut self, disk: &mut Disk, partitions: &[Partition]) -> Result<bool> {
        let mut array = self.array.clone();
        for partition in partitions {
            let at = (partition.number as usize - 1) * ENTRY_SIZE as usize + ENDING_LBA;
            let end = partition.start + partition.sectors - 1;
            array.iter_mut().skip(at).zip(end.to_le_bytes()).for_each(|(to, from)| *to = from);
        }
        let last = disk.size() / SECTOR - 1;
        let moved = last != self.header.alternate_lba;
        if array == self.array && !moved && !self.lacks_backup() {
            return Ok(false);
        }
        let sectors = self.header.array_sectors();
        let primary = Header { alternate_lba: last, last_usable_lba: last - sectors - 1, ..self.header };
        let backup =
            Header { my_lba: last, alternate_lba: 1, partition_entry_lba: last - sectors, ..primary };

        let mut edit = || {
            if let Some(old) = &self.backup_array {
                disk.zero(old.start, old.end - old.start)?;
                disk.zero(self.header.alternate_lba * SECTOR, SECTOR)?;
            }
            disk.write_at(backup.partition_entry_lba * SECTOR, &array)?;
            disk.write_at(last * SECTOR, &backup.encode_over(&self.sector, &array))?;
            disk.write_at(primary.partition_entry_lba * SECTOR, &array)?;
            disk.write_at(SECTOR, &primary.encode_over(&self.sector, &array))
        };
        edit().map_err(Error::Disk)?;
        let backup_start = backup.partition_entry_lba * SECTOR;
        self.backup_array = Some(backup_start..backup_start + sectors * SECTOR);
        self.header = primary;
        self.array = array;
        Ok(moved)
    }
}

fn read(disk: &Disk, lba: u64, length: u64) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length as usize];
    disk.read_at(lba * SECTOR, &mut bytes).map_err(Error::Disk)?;
    Ok(bytes)
}

const OVERLAPPING: &str = "places its parts over each other";

/// Checks the backup of `header` and `array`; gives the bytes of its array.
fn check_backup(disk: &Disk, header: Header, array: &[u8], sectors: u64) -> Result<Range<u64>> {
    let sector = read(disk, header.alternate_lba, SECTOR)?;
    let backup = Header::decode(&sector, Copy::Backup, header.alternate_lba)?;
    let agree = backup.alternate_lba == 1
        && backup.first_usable_lba == header.first_usable_lba
        && backup.last_usable_lba == header.last_usable_lba
        && read_array(disk, backup, Copy::Backup, sectors)? == array;
    let ordered = header.last_usable_lba < backup.partition_entry_lba
        && backup.partition_entry_lba < header.alternate_lba;
    if !agree || !ordered {
        let what = if agree { OVERLAPPING } else { "differs from the primary one" };
        return Err(Fault::GptHeader { copy: Copy::Backup, lba: header.alternate_lba, what }.into());
    }
    let start = backup.partition_entry_lba * SECTOR;
    Ok(start..start + backup.array_sectors() * SECTOR)
}

/// The entry array of `header`, its checksum checked.
fn read_array(disk: &Disk, header: Header, copy: Copy, sectors: u64) -> Result<Vec<u8>> {
    let lba = header.partition_entry_lba;
    if lba.checked_add(header.array_sectors()).is_none_or(|end| end > sectors) {
        return Err(Fault::GptHeader {
            copy,
            lba: header.my_lba,
            what: "places its entries beyond the disk",
        }
        .into());
    }
    let array = read(disk, lba, header.array_length())?;
    let stored = u32_at(&read(disk, header.my_lba, SECTOR)?, 88);
    if stored != Some(crc32fast::hash(&array)) {
        return Err(Fault::GptHeader { copy, lba, what: "has entries with a wrong checksum" }.into());
    }
    Ok(array)
}

/// The disk's GUID and the used entries, as the `gpt` crate reads them.
fn decode_entries(disk: &Disk, header: Header) -> Result<(String, Vec<Partition>)> {
    let unreadable = |error: std::io::Error| Error::Disk(error);
    let mut window = Disk::window(disk, 0..disk.size()).map_err(unreadable)?;
    let decoded = gpt::header::read_header_from_arbitrary_device(&mut window, LogicalBlockSize::Lb512)
        .map_err(|error| unreadable(std::io::Error::other(error)))?;
    let entries = gpt::partition::file_read_partitions(&mut window, &decoded, LogicalBlockSize::Lb512)
        .map_err(unreadable)?;
    let mut partitions = Vec::new();
    for (number, entry) in entries.into_iter().filter(|(_, entry)| entry.is_used()) {
        let (start, end) = (entry.first_lba, entry.last_lba);
        if start < header.first_usable_lba || end > header.last_usable_lba {
            return Err(Fault::OutsideUsable {
                number,
                start,
                end,
                first: header.first_usable_lba,
                last: header.last_usable_lba,
            }
            .into());
        }
        if end < start {
            return Err(Fault::ZeroLength { number, start }.into());
        }
        partitions.push(Partition {
            number,
            start,
            sectors: end - start + 1,
            kind: Kind::Gpt(entry.part_type_guid.guid.to_string().to_lowercase()),
            partuuid: entry.part_guid.to_string(),
            name: entry.name,
            attributes: entry.flags,
            bootable: entry.flags & LEGACY_BIOS_BOOTABLE != 0,
        });
    }
    Ok((decoded.disk_guid.to_string(), partitions))
}

/// Attribute bit 2: a boot loader may load from here.
const LEGACY_BIOS_BOOTABLE: u64 = 1 << 2;
