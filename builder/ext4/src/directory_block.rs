//! A block of directory entries, and the tail that seals it.
//!
//! <https://docs.kernel.org/filesystems/ext4/directory.html#linear-classic-directories>

use crate::{FileType, checksum::crc32c};

/// `inode` u32, `rec_len` u16, `name_len` u8, `file_type` u8.
const HEADER_SIZE: usize = 8;
/// A tail looks like an unused entry of twelve bytes with this file type; its checksum follows.
const TAIL_SIZE: usize = 12;
const TAIL_TYPE: u8 = 0xde;
/// Bytes of a name at most.
pub(crate) const MAX_NAME: usize = 255;

/// `file_type` of an entry, kind by kind.
const TYPES: [(u8, FileType); 7] = [
    (1, FileType::Regular),
    (2, FileType::Directory),
    (3, FileType::CharDevice),
    (4, FileType::BlockDevice),
    (5, FileType::Fifo),
    (6, FileType::Socket),
    (7, FileType::Symlink),
];

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) inode: u32,
    pub(crate) file_type: FileType,
}

/// One entry as it is read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) inode: u32,
    /// `None` if the number means nothing.
    pub(crate) file_type: Option<FileType>,
    pub(crate) name: &'a [u8],
}

/// The used entries of a block, `.` and `..` among them. An error tells offset and reason.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Entry<'_>>, (usize, &'static str)> {
    let mut entries = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or(&[]);
        let Some((header, _)) = rest.split_first_chunk::<HEADER_SIZE>() else {
            return Err((at, "entry cut off by the end of the block"));
        };
        let [i0, i1, i2, i3, r0, r1, name_length, file_type] = *header;
        let record_length = usize::from(u16::from_le_bytes([r0, r1]));
        let name_length = usize::from(name_length);
        if record_length < record_size(name_length) || record_length % 4 != 0 || record_length > rest.len() {
            return Err((at, "wrong record length"));
        }
        let inode = u32::from_le_bytes([i0, i1, i2, i3]);
        if inode != 0 {
            let name = rest.get(HEADER_SIZE..HEADER_SIZE + name_length).unwrap_or(&[]);
            if name.is_empty() || name.iter().any(|byte| matches!(byte, 0 | b'/')) {
                return Err((at, "name empty or with a slash or NUL"));
            }
            let file_type = TYPES.iter().find(|(number, _)| *number == file_type).map(|(_, each)| *each);
            entries.push(Entry { inode, file_type, name });
        }
        at += record_length;
    }
    Ok(entries)
}

/// Bytes of an entry whose name has `name_length` bytes.
pub(crate) fn record_size(name_length: usize) -> usize {
    (HEADER_SIZE + name_length).next_multiple_of(4)
}

/// Bytes for entries in a block of `block_size` bytes.
pub(crate) fn usable(block_size: usize, sealed: bool) -> usize {
    block_size - if sealed { TAIL_SIZE } else { 0 }
}

/// A block of `block_size` bytes with `entries`, which must fit; the last one stretches to the end. `seed` is the
/// inode's, if the file system has checksums.
pub(crate) fn encode(entries: &[(&[u8], Target)], block_size: usize, seed: Option<u32>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(block_size);
    let end = usable(block_size, seed.is_some());
    let mut entries = entries.iter().peekable();
    if entries.peek().is_none() {
        put_header(&mut bytes, 0, end, 0, 0);
    }
    while let Some((name, target)) = entries.next() {
        let next = if entries.peek().is_some() { bytes.len() + record_size(name.len()) } else { end };
        let file_type =
            TYPES.iter().find(|(_, each)| *each == target.file_type).map_or(0, |(number, _)| *number);
        let length = next - bytes.len();
        put_header(&mut bytes, target.inode, length, name.len(), file_type);
        bytes.extend_from_slice(name);
        bytes.resize(next, 0);
    }
    bytes.resize(end, 0);
    if let Some(seed) = seed {
        let sum = crc32c(seed, &bytes);
        put_header(&mut bytes, 0, TAIL_SIZE, 0, TAIL_TYPE);
        bytes.extend_from_slice(&sum.to_le_bytes());
    }
    bytes
}

pub(crate) fn put_header(
    bytes: &mut Vec<u8>,
    inode: u32,
    record_length: usize,
    name_length: usize,
    file_type: u8,
) {
    bytes.extend_from_slice(&inode.to_le_bytes());
    bytes.extend_from_slice(&(record_length as u16).to_le_bytes());
    bytes.extend_from_slice(&[name_length as u8, file_type]);
}

/// Whether the tail is there and its checksum matches. `seed` is the inode's.
pub(crate) fn verify(bytes: &[u8], seed: u32) -> bool {
    let Some((body, tail)) = bytes.split_last_chunk::<TAIL_SIZE>() else { return false };
    let mut expected = Vec::with_capacity(TAIL_SIZE);
    put_header(&mut expected, 0, TAIL_SIZE, 0, TAIL_TYPE);
    expected.extend_from_slice(&crc32c(seed, body).to_le_bytes());
    tail[..] == expected
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(inode: u32) -> Target {
        Target { inode, file_type: FileType::Regular }
    }

    #[test]
    fn entries_round_trip() {
        let long = [b'x'; MAX_NAME];
        let entries = [(&b"a"[..], target(11)), (b"\xff\xfe", target(12)), (&long, target(13))];
        for seed in [None, Some(5)] {
            let bytes = encode(&entries, 1024, seed);
            assert_eq!(bytes.len(), 1024);
            assert!(seed.is_none_or(|seed| verify(&bytes, seed)));
            let names: Vec<_> =
                decode(&bytes).unwrap().iter().map(|entry| (entry.name.to_vec(), entry.inode)).collect();
            assert_eq!(names, entries.map(|(name, target)| (name.to_vec(), target.inode)));
        }
    }

    #[test]
    fn an_empty_block_is_one_unused_entry() {
        assert_eq!(decode(&encode(&[], 1024, Some(1))).unwrap(), []);
    }

    #[test]
    fn bad_records_are_told_with_their_offset() {
        let good = encode(&[(b"abc", target(11)), (b"d", target(12))], 1024, None);
        let damaged = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            decode(&bytes).map(|entries| entries.len())
        };
        assert_eq!(damaged(4, 0), Err((0, "wrong record length")));
        assert_eq!(damaged(4, 13), Err((0, "wrong record length")));
        assert_eq!(damaged(17, 0xff), Err((12, "wrong record length")));
        assert_eq!(damaged(6, 0), Err((0, "name empty or with a slash or NUL")));
        assert_eq!(damaged(9, b'/'), Err((0, "name empty or with a slash or NUL")));
    }
}
