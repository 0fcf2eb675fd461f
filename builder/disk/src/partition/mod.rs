//! Partition tables: read with suspicion, grow a partition into the room behind it, write back only what changed.

mod ebr;
mod gpt;
mod mbr;

use crate::{
    disk::Disk,
    error::{Error, Layout, Result},
};

/// Bytes in a sector. Cards and the images for them have sectors of 512 bytes.
pub const SECTOR: u64 = 512;
/// Images have whole pages of this many bytes: a backup has to be in the very last sector of the file, too.
const PAGE: u64 = 4096;

/// The type of a partition, as its table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The type byte of an MBR record.
    Mbr(u8),
    /// The type GUID of a GPT entry, lower case.
    Gpt(String),
}

impl Kind {
    /// Whether a partition of this type is an extended one: a place for logical partitions.
    pub fn is_extended(&self) -> bool {
        matches!(self, Self::Mbr(0x05 | 0x0F | 0x85))
    }
}

/// The format of a partition table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Master boot record.
    Mbr,
    /// GUID partition table.
    Gpt,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its number, from 1: the slot in the table; of a logical partition its place in the chain, from 5.
    pub number: u32,
    /// First sector.
    pub start: u64,
    /// Number of sectors, at least one.
    pub sectors: u64,
    /// Its type.
    pub kind: Kind,
    /// What the kernel shows as PARTUUID: `<disk id>-<number>` (MBR, hexadecimal) or the entry's GUID.
    pub partuuid: String,
    /// The GPT entry's name; empty in an MBR.
    pub name: String,
    /// The GPT entry's attributes; 0 in an MBR.
    pub attributes: u64,
    /// Whether a boot loader of the BIOS kind is told to load from it.
    pub bootable: bool,
}

impl Partition {
    /// The bytes of the disk that belong to the partition.
    pub fn range(&self) -> std::ops::Range<u64> {
        self.start * SECTOR..self.end() * SECTOR
    }

    /// The first sector after the partition.
    fn end(&self) -> u64 {
        self.start.saturating_add(self.sectors)
    }

    /// Whether the partition lies in an extended one.
    pub fn is_logical(&self) -> bool {
        matches!(self.kind, Kind::Mbr(_)) && self.number as usize > mbr::RECORDS
    }
}

/// The partition table of a disk.
#[derive(Debug, Clone)]
pub struct Table {
    partitions: Vec<Partition>,
    raw: Raw,
}

#[derive(Debug, Clone)]
enum Raw {
    Mbr(mbr::BootRecord),
    Gpt { protective: mbr::BootRecord, table: gpt::GuidTable },
}

/// A table that is damaged or contradicts itself.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Fault {
    #[error("the image has no partition table")]
    NoTable,
    #[error("the image has two partition tables: an MBR with partitions and a GPT header in sector 1")]
    TwoTables,
    #[error("the image has a protective MBR but no GPT header in sector 1")]
    ProtectiveOnly,
    #[error("the protective MBR begins at sector {start}, not at 1")]
    ProtectiveStart { start: u32 },
    #[error("partition {number} has the boot indicator {value:#04x}; this is no partition table")]
    BootIndicator { number: u32, value: u8 },
    #[error("partition {number} at sector {start} has no sectors")]
    ZeroLength { number: u32, start: u64 },
    #[error("partition {number} lies over the partition table in sector {sector}")]
    OverTable { number: u32, sector: u64 },
    #[error("partition {number} ends at sector {end}, but the disk has {sectors} sectors: is it cut off?")]
    BeyondDisk { number: u32, end: u64, sectors: u64 },
    #[error("partition {number} ({start} to {end}) leaves the usable sectors ({first} to {last})")]
    OutsideUsable { number: u32, start: u64, end: u64, first: u64, last: u64 },
    #[error("the extended partition's chain returns to sector {at}")]
    ChainLoop { at: u64 },
    #[error("the extended partition's chain leads to sector {at}, where no record is")]
    ChainBroken { at: u64 },
    #[error(
        "logical partition {number} ({start} to {end}) leaves the extended partition ({first} to {last})"
    )]
    OutsideExtended { number: u32, start: u64, end: u64, first: u64, last: u64 },
    #[error("partitions {first} and {second} overlap at sector {sector}")]
    Overlap { first: u32, second: u32, sector: u64 },
    #[error("the {copy} GPT header in sector {lba} {what}")]
    GptHeader { copy: gpt::Copy, lba: u64, what: &'static str },
}

/// A table of a kind we do not edit.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Foreign {
    #[error("hybrid partition tables (a GPT whose MBR lists other partitions, too) are not supported")]
    Hybrid,
    #[error("GPT headers of {0} bytes are not supported, only of 92")]
    HeaderSize(u32),
    #[error("GPT entries of {0} bytes are not supported, only of 128")]
    EntrySize(u32),
    #[error("GPT arrays of {0} entries are not supported, only of 1 to 1024")]
    EntryCount(u32),
    #[error("more than one extended partition is not supported")]
    ExtendedPartitions,
    #[error(
        "the extended partition's record in sector {at} has more than a partition and a link; this is not supported"
    )]
    ChainRecord { at: u64 },
    #[error("extended partitions of more than {0} records are not supported")]
    LogicalCount(usize),
    #[error(
        "growing a logical partition ({0}) is not supported: choose an image whose root is a primary one"
    )]
    GrowLogical(u32),
}

/// A change that the table cannot take.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Refusal {
    #[error("there is no partition {0}")]
    NoSuchPartition(u32),
    #[error(
        "partition {number} cannot grow: partition {next} comes after it at sector {start}, before sector {end}"
    )]
    InTheWay { number: u32, end: u64, next: u32, start: u64 },
    #[error("partition {0} cannot grow: it is an extended partition")]
    Extended(u32),
    #[error("partition {number} has {from} sectors and cannot shrink to {to}")]
    Shrink { number: u32, from: u64, to: u64 },
    #[error("a partition of an MBR cannot end beyond sector 2^32")]
    MbrLimit,
    #[error(
        "partition {number} would end at sector {end}, but only {usable} sectors of the disk can be used"
    )]
    NoRoom { number: u32, end: u64, usable: u64 },
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Layout(Layout(refusal))
    }
}

impl Table {
    /// Reads the table of `disk`, MBR or GPT.
    ///
    /// Every partition is inside the disk and none overlaps another, or this is an error; only the logical partitions lie in
    /// an extended one. Both are listed.
    ///
    /// An image may end where its last partition does, without a GPT's backup: nothing is lost with it. [`write`](Self::write)
    /// makes a new one, as [`restore_backup`](Self::restore_backup) does.
    pub fn read(disk: &Disk) -> Result<Self> {
        let mut sectors = vec![0; 2 * SECTOR as usize];
        if disk.size() < sectors.len() as u64 {
            return Err(Fault::NoTable.into());
        }
        disk.read_at(0, &mut sectors).map_err(Error::Disk)?;
        let record = mbr::BootRecord::decode(&sectors).ok_or(Fault::NoTable)?;
        record.check()?;
        let gpt_follows =
            sectors.get(SECTOR as usize..).is_some_and(|sector| sector.starts_with(b"EFI PART"));
        let protective: Vec<_> = record.used().filter(|(_, r)| r.os_type == mbr::GPT_PROTECTIVE).collect();
        let (raw, partitions) = match protective.as_slice() {
            [] if gpt_follows && record.used().next().is_some() => return Err(Fault::TwoTables.into()),
            [] => (Raw::Mbr(record.clone()), mbr_partitions(disk, &record)?),
            _ if record.used().count() > 1 => return Err(Error::unsupported(Foreign::Hybrid)),
            [_, ..] if !gpt_follows => return Err(Fault::ProtectiveOnly.into()),
            [(_, entry), ..] if entry.starting_lba != 1 => {
                return Err(Fault::ProtectiveStart { start: entry.starting_lba }.into());
            }
            _ => {
                let (table, partitions) = gpt::GuidTable::read(disk)?;
                check_places(&partitions, disk.size() / SECTOR)?;
                (Raw::Gpt { protective: record, table }, partitions)
            }
        };
        if partitions.is_empty() {
            return Err(Fault::NoTable.into());
        }
        Ok(Self { partitions, raw })
    }

    /// The partitions by number.
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// The partition with this number.
    pub fn partition(&self, number: u32) -> Option<&Partition> {
        self.partitions.iter().find(|partition| partition.number == number)
    }

    /// The format of the table.
    pub fn format(&self) -> Format {
        match self.raw {
            Raw::Mbr(_) => Format::Mbr,
            Raw::Gpt { .. } => Format::Gpt,
        }
    }

    /// The disk's id: eight hexadecimal digits (MBR) or a GUID.
    pub fn disk_id(&self) -> String {
        match &self.raw {
            Raw::Mbr(record) => format!("{:08x}", record.unique_disk_signature),
            Raw::Gpt { table, .. } => table.disk_guid.clone(),
        }
    }

    /// Sectors at the end of the disk that no partition may use: the GPT's backup.
    pub fn tail_sectors(&self) -> u64 {
        match &self.raw {
            Raw::Mbr(_) => 0,
            Raw::Gpt { table, .. } => table.tail_sectors(),
        }
    }

    /// Lets partition `number` have `sectors` sectors, up to where the next one begins. [`write`](Self::write) makes it so on
    /// a disk. Logical and extended partitions do not grow.
    pub fn grow(&mut self, number: u32, sectors: u64) -> Result<()> {
        let partition = self.partition(number).ok_or(Refusal::NoSuchPartition(number))?;
        if partition.is_logical() {
            return Err(Error::unsupported(Foreign::GrowLogical(number)));
        }
        if partition.kind.is_extended() {
            return Err(Refusal::Extended(number).into());
        }
        if sectors < partition.sectors {
            return Err(Refusal::Shrink { number, from: partition.sectors, to: sectors }.into());
        }
        let end = partition.start.saturating_add(sectors);
        let behind = self.partitions.iter().filter(|other| other.start >= partition.end());
        if let Some(next) = behind.min_by_key(|other| other.start).filter(|next| next.start < end) {
            return Err(Refusal::InTheWay { number, end, next: next.number, start: next.start }.into());
        }
        if self.format() == Format::Mbr && end > 1 << 32 {
            return Err(Refusal::MbrLimit.into());
        }
        let grown = self.partitions.iter_mut().filter(|partition| partition.number == number);
        grown.for_each(|partition| partition.sectors = sectors);
        Ok(())
    }

    /// Gives a GPT that lost its backup a new one at the end of `disk`, which grows by what it takes. Other tables stay.
    pub fn restore_backup(&mut self, disk: &mut Disk) -> Result<()> {
        match &self.raw {
            Raw::Gpt { table, .. } if table.lacks_backup() => {}
            _ => return Ok(()),
        }
        let last = self.partitions.iter().map(Partition::end).max().unwrap_or(0);
        let size = last.saturating_add(self.tail_sectors()).saturating_mul(SECTOR);
        disk.resize(size.next_multiple_of(PAGE).max(disk.size()));
        self.write(disk)
    }

    /// Writes what changed to `disk`, whose size may have changed too. Ids, slots, names and attributes stay.
    ///
    /// In an MBR these are the four bytes of a record's size. A GPT's backup moves to the end of the disk and its old
    /// place becomes zeros: write the table before anything else goes there.
    pub fn write(&mut self, disk: &mut Disk) -> Result<()> {
        let usable = (disk.size() / SECTOR).saturating_sub(self.tail_sectors());
        if let Some(partition) = self.partitions.iter().find(|partition| partition.end() > usable) {
            return Err(Refusal::NoRoom { number: partition.number, end: partition.end(), usable }.into());
        }
        match &mut self.raw {
            Raw::Mbr(record) => {
                let primary = self.partitions.iter().filter(|partition| !partition.is_logical());
                let sizes: Vec<_> = primary.map(|p| (p.number, p.sectors as u32)).collect();
                write_sizes(disk, record, &sizes)
            }
            Raw::Gpt { protective, table } => {
                if !table.write(disk, &self.partitions)? {
                    return Ok(());
                }
                let size = mbr::protective_size(disk.size());
                let sizes: Vec<_> = protective.used().map(|(number, _)| (number, size)).collect();
                write_sizes(disk, protective, &sizes)
            }
        }
    }
}

fn write_sizes(disk: &mut Disk, record: &mut mbr::BootRecord, sizes: &[(u32, u32)]) -> Result<()> {
    for &(number, size) in sizes {
        let entry = record.records.get_mut(number as usize - 1).ok_or(Refusal::NoSuchPartition(number))?;
        if entry.size_in_lba != size {
            mbr::write_size(disk, number, size)?;
            entry.size_in_lba = size;
        }
    }
    Ok(())
}

/// The primary partitions, then the logical ones.
fn mbr_partitions(disk: &Disk, record: &mbr::BootRecord) -> Result<Vec<Partition>> {
    let disk_id = record.unique_disk_signature;
    let primary = record.used().map(|(number, entry)| mbr_partition(number, entry, 0, disk_id));
    let mut partitions = primary.collect::<Result<Vec<_>, _>>()?;
    check_places(&partitions, disk.size() / SECTOR)?;
    let mut extended = partitions.iter().filter(|partition| partition.kind.is_extended());
    let logical = match (extended.next(), extended.next()) {
        (None, _) => Vec::new(),
        (Some(extended), None) => ebr::read(disk, extended, disk_id)?,
        _ => return Err(Error::unsupported(Foreign::ExtendedPartitions)),
    };
    check_places(&logical, disk.size() / SECTOR)?;
    partitions.extend(logical);
    Ok(partitions)
}

/// The partition of a record in the sector `table`, from where its place is counted.
fn mbr_partition(number: u32, entry: mbr::Record, table: u64, disk_id: u32) -> Result<Partition, Fault> {
    if entry.starting_lba == 0 {
        return Err(Fault::OverTable { number, sector: table });
    }
    if entry.size_in_lba == 0 {
        return Err(Fault::ZeroLength { number, start: entry.starting_lba.into() });
    }
    Ok(Partition {
        number,
        start: table + u64::from(entry.starting_lba),
        sectors: entry.size_in_lba.into(),
        kind: Kind::Mbr(entry.os_type),
        partuuid: format!("{disk_id:08x}-{number:02x}"),
        name: String::new(),
        attributes: 0,
        bootable: entry.boot_indicator != 0,
    })
}

/// No partition leaves the disk or shares a sector with another.
fn check_places(partitions: &[Partition], sectors: u64) -> Result<(), Fault> {
    let mut by_start: Vec<_> = partitions.iter().collect();
    by_start.sort_by_key(|partition| partition.start);
    if let Some(beyond) = by_start.iter().find(|partition| partition.end() > sectors) {
        return Err(Fault::BeyondDisk { number: beyond.number, end: beyond.end(), sectors });
    }
    match by_start.iter().zip(by_start.iter().skip(1)).find(|(first, second)| first.end() > second.start) {
        Some((first, second)) => {
            Err(Fault::Overlap { first: first.number, second: second.number, sector: second.start })
        }
        None => Ok(()),
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
