//! Block maps: which blocks of an image have to be written to a card, and the digest of each range.
//!
//! The format is version 2.0 of bmaptool (<https://github.com/yoctoproject/bmaptool>): XML, blocks counted from 0, ranges
//! inclusive, and a digest of the file itself in which that digest stands as zeros.

use std::{fmt::Write as _, io::Write as _, num::NonZeroUsize, ops::Range};

use imgforge_ext4::Content;

use crate::{
    atomic_file::AtomicFile,
    digest::{Hasher, Sha256},
    error::{Error, Result},
    parallel,
};

/// Bytes in a block of the map.
pub const BLOCK: u64 = 4096;
/// The most blocks in one range: ranges are hashed in parallel, and a bad one is read again in little time.
const RANGE_BLOCKS: u64 = (64 << 20) / BLOCK;
const CHUNK: u64 = 1 << 20;
const CHECKSUM_PLACE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Writes the map of `image`, raw or still a disk, to `destination`.
///
/// `needed` are the bytes of the image (any order, overlapping or not) that a card must have afterwards, **zeros
/// included**: a block that is not needed keeps what a reused card had there. Only blocks no file system uses may be left
/// out.
pub fn write(
    image: &dyn Content,
    needed: &[Range<u64>],
    threads: NonZeroUsize,
    destination: &AtomicFile,
) -> Result<()> {
    let ranges = block_ranges(needed, image.len());
    let digest = |index: usize| hash(image, ranges.get(index).cloned().unwrap_or_default());
    let mut digests = Vec::with_capacity(ranges.len());
    parallel::in_order(threads, ranges.len(), digest, |_, digest| {
        digests.push(digest);
        Ok(())
    })?;
    let map = render(image.len(), &ranges, &digests);
    let mut file = destination.file();
    file.write_all(map.as_bytes()).map_err(|error| Error::io("cannot write", destination.path(), error))
}

/// The blocks that `needed` bytes touch: in order, apart from each other or at most [`RANGE_BLOCKS`] long.
fn block_ranges(needed: &[Range<u64>], size: u64) -> Vec<Range<u64>> {
    let mut blocks: Vec<Range<u64>> = needed
        .iter()
        .map(|range| range.start..range.end.min(size))
        .filter(|range| range.start < range.end)
        .map(|range| range.start / BLOCK..range.end.div_ceil(BLOCK))
        .collect();
    blocks.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in blocks {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    let cut = |range: Range<u64>| {
        let end = range.end;
        (range.start..end).step_by(RANGE_BLOCKS as usize).map(move |at| at..(at + RANGE_BLOCKS).min(end))
    };
    merged.into_iter().flat_map(cut).collect()
}

/// The digest of a range of blocks; the last block may be cut short by the image's end.
fn hash(image: &dyn Content, blocks: Range<u64>) -> Result<Sha256> {
    let end = (blocks.end * BLOCK).min(image.len());
    let mut at = blocks.start * BLOCK;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; CHUNK as usize];
    while at < end {
        let part = buffer.split_at_mut((end - at).min(CHUNK) as usize).0;
        image.read_at(at, part).map_err(Error::Disk)?;
        hasher.update(part);
        at += part.len() as u64;
    }
    Ok(hasher.finish())
}

fn render(size: u64, ranges: &[Range<u64>], digests: &[Sha256]) -> String {
    let mapped: u64 = ranges.iter().map(|range| range.end - range.start).sum();
    let mut map = format!(
        "<?xml version=\"1.0\" ?>\n\
         <bmap version=\"2.0\">\n\
         \x20   <ImageSize> {size} </ImageSize>\n\
         \x20   <BlockSize> {BLOCK} </BlockSize>\n\
         \x20   <BlocksCount> {} </BlocksCount>\n\
         \x20   <MappedBlocksCount> {mapped} </MappedBlocksCount>\n\
         \x20   <ChecksumType> sha256 </ChecksumType>\n\
         \x20   <BmapFileChecksum> {CHECKSUM_PLACE} </BmapFileChecksum>\n\
         \x20   <BlockMap>\n",
        size.div_ceil(BLOCK),
    );
    for (range, digest) in ranges.iter().zip(digests) {
        let last = range.end - 1;
        let blocks = if range.start == last { last.to_string() } else { format!("{}-{last}", range.start) };
        // Writing to a string cannot fail.
        let _ = writeln!(map, "        <Range chksum=\"{digest}\"> {blocks} </Range>");
    }
    map.push_str("    </BlockMap>\n</bmap>\n");
    let checksum = Sha256::of(map.as_bytes()).to_string();
    map.replacen(CHECKSUM_PLACE, &checksum, 1)
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "lists of ranges are the subject here")]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_whole_blocks_in_order_without_overlap() {
        let needed = [9000..9001, 0..1, 4095..4097, 20_000..20_000, 100_000..200_000];
        assert_eq!(block_ranges(&needed, 50_000), [0..3]);
        assert_eq!(block_ranges(&[0..1, 8192..8193], 50_000), [0..1, 2..3]);
        assert_eq!(block_ranges(&[0..u64::MAX], 5000), [0..2]);
    }

    #[test]
    fn long_ranges_are_cut() {
        let ranges = block_ranges(&[0..u64::MAX], 200 << 20);
        assert_eq!(ranges.len(), 4);
        assert!(ranges.iter().zip(ranges.iter().skip(1)).all(|(a, b)| a.end == b.start));
    }
}
