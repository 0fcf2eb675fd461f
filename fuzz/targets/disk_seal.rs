//! Where partition tables and .xz files have their structures, and how their checksums are put right, so that the damage
//! behind them is met: by the formats' documentation, written without the disk room's own code. What makes no sense is left
//! as it is.

use std::ops::Range;

const SECTOR: usize = 512;

/// The most bytes of a partition entry array that are sealed.
const MAX_ARRAY: usize = 1 << 16;

/// The records of every boot sector, every GPT header, and the first entries of its array.
pub fn table_places(bytes: &[u8]) -> Vec<Range<usize>> {
    let sectors = (0..bytes.len() / SECTOR).map(|sector| sector * SECTOR);
    let records = sectors.filter(|at| bytes[at + 510..at + 512] == [0x55, 0xaa]);
    let mut places: Vec<_> = records.map(|at| at + 440..at + SECTOR).collect();
    for header in gpt_headers(bytes) {
        places.push(header..header + 92);
        if let Some(array) = gpt_array(bytes, header) {
            places.extend(array.clone().step_by(128).take(4).map(|at| at..(at + 128).min(array.end)));
        }
    }
    places
}

/// Seals the arrays and the headers of a GUID partition table.
pub fn seal_table(bytes: &mut [u8]) {
    for header in gpt_headers(bytes) {
        if let Some(array) = gpt_array(bytes, header) {
            let sum = crc32(&bytes[array]);
            bytes[header + 88..header + 92].copy_from_slice(&sum.to_le_bytes());
        }
        let size = (word(bytes, header + 12) as usize).clamp(92, SECTOR);
        bytes[header + 16..header + 20].fill(0);
        let sum = crc32(&bytes[header..header + size]);
        bytes[header + 16..header + 20].copy_from_slice(&sum.to_le_bytes());
    }
}

/// Where headers begin: in the second sector, in the last one, and where the first header says.
fn gpt_headers(bytes: &[u8]) -> Vec<usize> {
    let is_header = |at: &usize| {
        at.checked_add(SECTOR).is_some_and(|end| end <= bytes.len()) && bytes[*at..].starts_with(b"EFI PART")
    };
    let last = (bytes.len() / SECTOR).saturating_sub(1) * SECTOR;
    let mut headers: Vec<usize> = [SECTOR, last].into_iter().filter(is_header).collect();
    if headers.first() == Some(&SECTOR) {
        headers
            .extend(Some(long(bytes, SECTOR + 32).saturating_mul(SECTOR as u64) as usize).filter(is_header));
    }
    headers.sort_unstable();
    headers.dedup();
    headers
}

/// The array that the header at `header` tells of, if it is inside the disk and not too large.
fn gpt_array(bytes: &[u8], header: usize) -> Option<Range<usize>> {
    let start = usize::try_from(long(bytes, header + 72).checked_mul(SECTOR as u64)?).ok()?;
    let size = (word(bytes, header + 80) as usize).checked_mul(word(bytes, header + 84) as usize)?;
    let end = start.checked_add(size)?;
    (size <= MAX_ARRAY && end <= bytes.len()).then_some(start..end)
}

/// The frame of an .xz file: its header, the headers of its blocks, its index and its footer. Another file has its head and
/// its end.
pub fn packed_places(bytes: &[u8]) -> Vec<Range<usize>> {
    let Some(xz) = Xz::of(bytes) else {
        let ends = [0..bytes.len().min(40), bytes.len().saturating_sub(120)..bytes.len()];
        return ends.into_iter().filter(|place| !place.is_empty()).collect();
    };
    let mut places = vec![6..12, xz.index.clone(), xz.index.end..bytes.len()];
    places.extend(xz.blocks);
    places
}

/// Seals the frame of an .xz file of one stream.
pub fn seal_packed(bytes: &mut [u8]) {
    let Some(xz) = Xz::of(bytes) else { return };
    let mut seal = |sum: usize, what: Range<usize>| {
        let value = crc32(&bytes[what]).to_le_bytes();
        bytes[sum..sum + 4].copy_from_slice(&value);
    };
    seal(8, 6..8);
    for block in xz.blocks {
        seal(block.end - 4, block.start..block.end - 4);
    }
    seal(xz.index.end - 4, xz.index.start..xz.index.end - 4);
    seal(xz.index.end, xz.index.end + 4..xz.index.end + 10);
}

/// Where the parts of an .xz file are (<https://tukaani.org/xz/xz-file-format.txt>).
struct Xz {
    /// The headers of its blocks, with their checksums.
    blocks: Vec<Range<usize>>,
    /// The index, with its checksum; the footer follows.
    index: Range<usize>,
}

impl Xz {
    fn of(bytes: &[u8]) -> Option<Self> {
        let end = bytes.len().checked_sub(12).filter(|end| *end >= 20)?;
        if !bytes.starts_with(b"\xfd7zXZ\0") || !bytes.ends_with(b"YZ") {
            return None;
        }
        let size = (word(bytes, end + 4) as usize).checked_add(1)?.checked_mul(4)?;
        let index = end.checked_sub(size).filter(|start| *start >= 12 && size >= 8)?..end;
        let (mut at, mut start, mut blocks) = (index.start + 1, 12usize, Vec::new());
        for _ in 0..number(bytes, &mut at)?.min(64) {
            let unpadded = number(bytes, &mut at)?;
            number(bytes, &mut at)?;
            let header = (usize::from(*bytes.get(start)?) + 1) * 4;
            if header < 8 || start + header > index.start {
                break;
            }
            blocks.push(start..start + header);
            start = start.checked_add(unpadded.checked_next_multiple_of(4)?)?;
        }
        Some(Self { blocks, index })
    }
}

/// A number of seven bits a byte.
fn number(bytes: &[u8], at: &mut usize) -> Option<usize> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from(word(bytes, at)) | u64::from(word(bytes, at + 4)) << 32
}

/// CRC-32 as Ethernet has it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}
