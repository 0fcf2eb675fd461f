//! The frames of a .zst file, told by their headers alone, after RFC 8878, section 3.1
//! (<https://www.rfc-editor.org/rfc/rfc8878#section-3.1>).
//!
//! ```text
//! file  = (frame | skippable)*                   numbers little-endian
//! skippable = 5? 2A 4D 18, length (4), that many bytes of anybody's
//! frame = 28 B5 2F FD, descriptor (1), window (0 or 1), dictionary id (0, 1, 2, 4), content size (0, 1, 2, 4, 8),
//!         block*, checksum (0 or 4)
//! block = last (1 bit), type (2 bits), size (21 bits), data
//! ```

use imgforge_ext4::Content;

use crate::content::FileContent;

const MAGIC: [u8; 4] = *b"\x28\xB5\x2F\xFD";
const MAGIC_LENGTH: u64 = 4;
/// The longest header of a frame, in bytes.
pub(super) const HEADER: usize = 18;
const CHECKSUM: u64 = 4;
const BLOCK_HEADER: u64 = 3;
/// A block of one byte, repeated.
const RLE: u32 = 1;
/// Headers looked at: enough for 256 GiB in the largest blocks. It bounds the time a malicious file takes.
const MOST_HEADERS: usize = 1 << 21;

/// Length of the skippable frame that begins with `bytes`, its header of 8 bytes included.
pub(super) fn skippable(bytes: &[u8]) -> Option<u64> {
    let (magic, rest) = bytes.split_first_chunk::<4>()?;
    // A length that is cut off leaves a frame that is longer than the file all the same.
    let length = rest.first_chunk().map_or(0, |length| u32::from_le_bytes(*length));
    (magic[0] & 0xF0 == 0x50 && magic[1..] == [0x2A, 0x4D, 0x18]).then(|| 8 + u64::from(length))
}

/// What the header of a frame says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Length of the header in bytes, magic included.
    length: u64,
    /// Memory a decoder needs for the frame, in bytes.
    pub(super) window: u64,
    /// Size of what the frame decodes to, in bytes, if it says.
    content_size: Option<u64>,
    checksum: bool,
}

impl Header {
    /// Decodes the header at the beginning of `bytes`.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (descriptor, mut rest) = bytes.strip_prefix(&MAGIC)?.split_first()?;
        let single_segment = descriptor & 1 << 5 != 0;
        let window_length = usize::from(!single_segment);
        let dictionary_length = [0, 1, 2, 4].get(usize::from(descriptor & 3))?;
        let size_length = match descriptor >> 6 {
            0 => usize::from(single_segment),
            flag => 1 << flag,
        };
        let mut take = |length: usize| {
            let (field, more) = rest.split_at_checked(length)?;
            rest = more;
            Some(field.iter().rev().fold(0u64, |value, byte| value << 8 | u64::from(*byte)))
        };
        let window = take(window_length)?;
        take(*dictionary_length)?;
        // Two bytes count from 256 on: one would do for less.
        let content_size = take(size_length)?.checked_add(if size_length == 2 { 256 } else { 0 })?;
        let window = if single_segment { content_size } else { (8 + (window & 7)) << (7 + (window >> 3)) };
        Some(Self {
            length: MAGIC_LENGTH + 1 + (window_length + dictionary_length + size_length) as u64,
            window,
            content_size: (size_length > 0).then_some(content_size),
            checksum: descriptor & 1 << 2 != 0,
        })
    }
}

/// The size all frames of `file` decode to together, in bytes, if each says its own.
pub(super) fn image_size(file: &FileContent) -> Option<u64> {
    let (mut at, mut size) = (0u64, 0u64);
    let mut headers = 0..MOST_HEADERS;
    while at < file.len() {
        headers.next()?;
        let start = read(file, at, HEADER)?;
        if let Some(length) = skippable(&start) {
            at += length;
            continue;
        }
        let header = Header::decode(&start)?;
        size = size.checked_add(header.content_size?)?;
        at += header.length;
        loop {
            headers.next()?;
            let block = read(file, at, BLOCK_HEADER as usize)?;
            let [b0, b1, b2] = *block.first_chunk()?;
            let fields = u32::from_le_bytes([b0, b1, b2, 0]);
            let length = if fields >> 1 & 3 == RLE { 1 } else { u64::from(fields >> 3) };
            at += BLOCK_HEADER + length;
            if fields & 1 == 1 {
                break;
            }
        }
        at += if header.checksum { CHECKSUM } else { 0 };
    }
    (at == file.len()).then_some(size)
}

/// Up to `length` bytes of `file` from `at` on: fewer at its end.
fn read(file: &FileContent, at: u64, length: usize) -> Option<Vec<u8>> {
    let length = file.len().checked_sub(at)?.min(length as u64) as usize;
    let mut bytes = vec![0; length];
    file.read_at(at, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_decoded_as_the_specification_has_it() {
        // A window of 2^10 × (1 + 3/8) bytes << 2, no size; a single segment of 0x1234 + 256 bytes, with checksum.
        let streamed = [MAGIC.as_slice(), &[0x00, 2 << 3 | 3]].concat();
        let expected = Header { length: 6, window: 11 << 9, content_size: None, checksum: false };
        assert_eq!(Header::decode(&streamed), Some(expected));
        let sized = [MAGIC.as_slice(), &[1 << 6 | 1 << 5 | 1 << 2, 0x34, 0x12]].concat();
        let size = 0x1234 + 256;
        let expected = Header { length: 7, window: size, content_size: Some(size), checksum: true };
        assert_eq!(Header::decode(&sized), Some(expected));
        assert_eq!(Header::decode(&sized[..6]), None);
        assert_eq!(Header::decode(b"\x28\xB5\x2F\xFE\0\0"), None);
    }

    #[test]
    fn skippable_frames_have_one_of_sixteen_magics() {
        assert_eq!(skippable(b"\x50\x2A\x4D\x18\x04\0\0\0abcd"), Some(12));
        assert_eq!(skippable(b"\x5F\x2A\x4D\x18\0\0\0\x80"), Some(8 + (1 << 31)));
        assert_eq!(skippable(b"\x60\x2A\x4D\x18\x04\0\0\0"), None);
        assert_eq!(skippable(b"\x50\x2A"), None);
    }
}
