//! The frame of an .xz stream: header, index and footer, after the format's specification 1.2.1
//! (<https://tukaani.org/xz/xz-file-format.txt>). Pure over bytes.
//!
//! ```text
//! stream = header (12) block* index footer (12)     numbers little-endian, everything a multiple of 4 bytes
//! header = FD '7zXZ' 00, flags (2), CRC32 of flags
//! index  = 00, number of records, (unpadded size, uncompressed size)*, padding, CRC32 of all before
//! footer = CRC32 of what follows, size of index / 4 - 1 (4), flags (2), 'YZ'
//! ```

use super::Fault;

/// Length of a header and of a footer in bytes.
pub(crate) const FRAME: u64 = 12;
pub(super) const HEADER_MAGIC: [u8; 6] = [0xFD, b'7', b'z', b'X', b'Z', 0];
const FOOTER_MAGIC: [u8; 2] = *b"YZ";
/// Longest encoding of a variable-length integer, in bytes.
const VLI_MAX: usize = 9;

/// The flags of a stream: the type of its integrity check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags([u8; 2]);

impl Flags {
    /// The integrity check as liblzma names it, if it is one that can be written.
    pub(crate) fn check(self) -> Option<xz2::stream::Check> {
        use xz2::stream::Check;
        match self.0 {
            [0, 0x0] => Some(Check::None),
            [0, 0x1] => Some(Check::Crc32),
            [0, 0x4] => Some(Check::Crc64),
            [0, 0xA] => Some(Check::Sha256),
            _ => None,
        }
    }

    /// CRC64, the check `xz` writes by default.
    pub(crate) const CRC64: Self = Self([0, 4]);
}

/// The header of a stream with these flags.
pub(crate) fn encode_header(flags: Flags) -> [u8; FRAME as usize] {
    let mut header = [0; FRAME as usize];
    let crc = crc32fast::hash(&flags.0).to_le_bytes();
    fill(&mut header, [HEADER_MAGIC.as_slice(), &flags.0, &crc]);
    header
}

pub(super) fn decode_header(bytes: &[u8; FRAME as usize]) -> Result<Flags, Fault> {
    let flags = Flags([bytes[6], bytes[7]]);
    if *bytes == encode_header(flags) { Ok(flags) } else { Err(Fault::Header) }
}

/// The footer of a stream with these flags and an index of `index_size` bytes (a multiple of 4).
pub(crate) fn encode_footer(flags: Flags, index_size: u64) -> [u8; FRAME as usize] {
    // The format limits an index to 2^34 bytes; ours have a few records.
    let backward_size = (index_size / 4).saturating_sub(1) as u32;
    let mut body = [0; 6];
    fill(&mut body, [backward_size.to_le_bytes().as_slice(), &flags.0, &[]]);
    let mut footer = [0; FRAME as usize];
    fill(&mut footer, [crc32fast::hash(&body).to_le_bytes().as_slice(), &body, &FOOTER_MAGIC]);
    footer
}

/// The flags and the size of the index in bytes.
pub(super) fn decode_footer(bytes: &[u8; FRAME as usize]) -> Result<(Flags, u64), Fault> {
    let [_, _, _, _, b0, b1, b2, b3, f0, f1, _, _] = *bytes;
    let flags = Flags([f0, f1]);
    let index_size = (u64::from(u32::from_le_bytes([b0, b1, b2, b3])) + 1) * 4;
    if *bytes == encode_footer(flags, index_size) { Ok((flags, index_size)) } else { Err(Fault::Footer) }
}

fn fill<const PARTS: usize>(to: &mut [u8], parts: [&[u8]; PARTS]) {
    to.iter_mut().zip(parts.into_iter().flatten()).for_each(|(to, from)| *to = *from);
}

/// One block, as the index has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// Size of the block's header, data and check in bytes.
    pub(crate) unpadded_size: u64,
    /// Size of what the block decodes to, in bytes.
    pub(crate) uncompressed_size: u64,
}

impl Record {
    /// Size of the block in the file: padded to a multiple of 4 bytes.
    pub(crate) fn total_size(self) -> u64 {
        self.unpadded_size.saturating_add(3) & !3
    }
}

/// The index of a stream with these blocks.
pub(crate) fn encode_index(records: &[Record]) -> Vec<u8> {
    let mut index = vec![0];
    encode_vli(&mut index, records.len() as u64);
    for record in records {
        encode_vli(&mut index, record.unpadded_size);
        encode_vli(&mut index, record.uncompressed_size);
    }
    index.resize(index.len().next_multiple_of(4), 0);
    let crc = crc32fast::hash(&index);
    index.extend(crc.to_le_bytes());
    index
}

/// Decodes an index of at most `limit` records.
pub(super) fn decode_index(bytes: &[u8], limit: u64) -> Result<Vec<Record>, Fault> {
    let (body, crc) = bytes.split_last_chunk::<4>().ok_or(Fault::Index)?;
    if crc32fast::hash(body).to_le_bytes() != *crc {
        return Err(Fault::Index);
    }
    let (0, mut rest) = body.split_first().map(|(first, rest)| (*first, rest)).ok_or(Fault::Index)? else {
        return Err(Fault::Index);
    };
    let count = decode_vli(&mut rest).ok_or(Fault::Index)?;
    if count > limit {
        return Err(Fault::TooManyBlocks { count, limit });
    }
    let mut record = || {
        let unpadded_size = decode_vli(&mut rest)?;
        let uncompressed_size = decode_vli(&mut rest)?;
        // The smallest block: a header of 8 bytes.
        (unpadded_size >= 5).then_some(Record { unpadded_size, uncompressed_size })
    };
    let records = (0..count).map(|_| record()).collect::<Option<Vec<_>>>().ok_or(Fault::Index)?;
    let padding = rest;
    if padding.len() > 3 || padding.iter().any(|byte| *byte != 0) {
        return Err(Fault::Index);
    }
    Ok(records)
}

/// The record and the bytes of the block in a stream that has one block.
pub(crate) fn only_block(stream: &[u8]) -> Result<(Record, &[u8]), Fault> {
    let (rest, footer) = stream.split_last_chunk::<{ FRAME as usize }>().ok_or(Fault::Footer)?;
    let (_, index_size) = decode_footer(footer)?;
    let (rest, index) =
        rest.split_at_checked(rest.len().saturating_sub(index_size as usize)).ok_or(Fault::Index)?;
    let records = decode_index(index, 1)?;
    let (_, block) = rest.split_first_chunk::<{ FRAME as usize }>().ok_or(Fault::Header)?;
    Ok((*records.first().ok_or(Fault::Index)?, block))
}

/// Bits of a block header's flags: the compressed and the uncompressed size are given.
const SIZES: u8 = 0xC0;

/// The block with its sizes in its header: without them `xz` decodes in one thread only.
///
/// A block header is: its size / 4 - 1, flags, the two sizes if the flags say so, filters, padding, CRC32.
pub(crate) fn with_sizes(
    record: Record,
    block: &[u8],
    check: xz2::stream::Check,
) -> Result<(Record, Vec<u8>), Fault> {
    use xz2::stream::Check;
    let check_size = match check {
        Check::None => 0,
        Check::Crc32 => 4,
        Check::Crc64 => 8,
        Check::Sha256 => 32,
    };
    let header_size = block.first().map_or(0, |size| (usize::from(*size) + 1) * 4);
    let (header, data) = block.split_at_checked(header_size).ok_or(Fault::Index)?;
    let ([_, flags, filters @ ..], _) = header.split_last_chunk::<4>().ok_or(Fault::Index)? else {
        return Err(Fault::Index);
    };
    if flags & SIZES != 0 {
        return Ok((record, block.to_vec()));
    }
    let compressed = record.unpadded_size.checked_sub(header_size as u64 + check_size).ok_or(Fault::Index)?;
    let mut bytes = vec![0, flags | SIZES];
    encode_vli(&mut bytes, compressed);
    encode_vli(&mut bytes, record.uncompressed_size);
    bytes.extend(filters);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    // With its checksum the header has 4 bytes more; the field holds one unit of 4 less.
    let size_field = bytes.len() / 4;
    bytes.iter_mut().take(1).for_each(|size| *size = size_field as u8);
    let crc = crc32fast::hash(&bytes);
    bytes.extend(crc.to_le_bytes());
    let unpadded_size = bytes.len() as u64 + compressed + check_size;
    bytes.extend(data);
    Ok((Record { unpadded_size, ..record }, bytes))
}

fn encode_vli(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

fn decode_vli(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for at in 0..VLI_MAX {
        let byte = *bytes.get(at)?;
        value |= u64::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            // Of the encodings of a number only the shortest is one.
            if byte == 0 && at > 0 {
                return None;
            }
            *bytes = bytes.get(at + 1..)?;
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn an_index_decodes_to_what_was_encoded(
            sizes in prop::collection::vec((5u64..1 << 62, 0u64..1 << 62), 0..20),
        ) {
            let records: Vec<_> = sizes
                .into_iter()
                .map(|(unpadded_size, uncompressed_size)| Record { unpadded_size, uncompressed_size })
                .collect();
            let bytes = encode_index(&records);
            prop_assert_eq!(bytes.len() % 4, 0);
            prop_assert_eq!(decode_index(&bytes, 20).unwrap(), records);
        }

        #[test]
        fn a_damaged_index_is_seen(at in 0usize..12, bit in 0u8..8) {
            let mut bytes = encode_index(&[Record { unpadded_size: 1000, uncompressed_size: 5000 }]);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(decode_index(&bytes, 20).is_err());
        }
    }

    #[test]
    fn header_and_footer_decode_to_what_was_encoded() {
        for check in [0, 1, 4, 10] {
            let flags = Flags([0, check]);
            assert_eq!(decode_header(&encode_header(flags)).unwrap(), flags);
            assert_eq!(decode_footer(&encode_footer(flags, 32)).unwrap(), (flags, 32));
        }
    }

    #[test]
    fn padding_that_is_not_null_and_numbers_that_are_too_long_are_refused() {
        let with_checksum = |body: &[u8]| [body, &crc32fast::hash(body).to_le_bytes()].concat();
        let record = Record { unpadded_size: 100, uncompressed_size: 1 };
        assert_eq!(decode_index(&with_checksum(&[0, 1, 100, 1]), 2).unwrap(), [record]);
        let refused = |body: &[u8]| assert!(decode_index(&with_checksum(body), 2).is_err(), "{body:?}");
        assert_eq!(decode_index(&with_checksum(&[0, 0, 0, 0]), 2).unwrap(), []);
        refused(&[0, 0, 1, 0]);
        refused(&[0, 0, 0, 1]);
        refused(&[0, 1, 100, 1, 0, 0, 0, 0]);
        refused(&[0, 0x81, 0, 100, 1, 0, 0, 0]);
    }

    #[test]
    fn too_many_records_are_refused_before_they_are_read() {
        let records = [Record { unpadded_size: 100, uncompressed_size: 1 }; 3];
        assert!(matches!(
            decode_index(&encode_index(&records), 2),
            Err(Fault::TooManyBlocks { count: 3, limit: 2 })
        ));
    }
}
