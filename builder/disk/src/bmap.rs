//! Block maps: which blocks of an image have to be written to a card, and the digest of each range.
//!
//! The format is version 2.0 of bmaptool (<https://github.com/yoctoproject/bmaptool>): XML, blocks counted from 0, ranges
//! inclusive, and a digest of the file itself in which that digest stands as zeros.

use std::{collections::BTreeMap, fmt::Write as _, num::NonZeroUsize, ops::Range};

use imgforge_ext4::Content;

use crate::{
    digest::{Hasher, Sha256},
    error::{Error, Result},
    parallel,
};

/// Bytes in a block of the map.
pub const BLOCK: u64 = 4096;
/// Ranges end where a multiple of this many blocks does: they are hashed in parallel, a bad one is read again in little
/// time, and two images that differ in places have most of them in common.
const RANGE_BLOCKS: u64 = (4 << 20) / BLOCK;
const CHUNK: u64 = 128 << 10;
const CHECKSUM_PLACE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The digests of ranges of blocks. Those of one image go for another where the two are the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Digests {
    /// By first block and the block after the last.
    ranges: BTreeMap<(u64, u64), Sha256>,
}

impl Digests {
    /// The digests in the text of a map; nothing if it is none, or not whole.
    pub fn of_map(map: &str) -> Option<Self> {
        let (_, rest) = map.split_once("<BmapFileChecksum>")?;
        let checksum = rest.split_once('<')?.0.trim();
        let sealed = map.replacen(checksum, CHECKSUM_PLACE, 1);
        if Sha256::of(sealed.as_bytes()).to_string() != checksum {
            return None;
        }
        let ranges = map.lines().filter(|line| line.trim_start().starts_with("<Range ")).map(|line| {
            let (digest, rest) = line.split_once("chksum=\"")?.1.split_once("\">")?;
            let blocks = rest.split_once('<')?.0.trim();
            let (first, last) = blocks.split_once('-').unwrap_or((blocks, blocks));
            Some(((first.parse().ok()?, last.parse::<u64>().ok()?.checked_add(1)?), digest.parse().ok()?))
        });
        ranges.collect::<Option<_>>().map(|ranges| Self { ranges })
    }

    /// The ranges of blocks, in order of their first ones, and their digests. Those of a map that lies may overlap.
    pub fn ranges(&self) -> impl Iterator<Item = (Range<u64>, Sha256)> {
        self.ranges.iter().map(|(&(first, end), digest)| (first..end, *digest))
    }

    /// Those of ranges that share no byte with `touched`, which are in order and apart from each other.
    pub fn untouched(&self, touched: &[Range<u64>]) -> Self {
        let is_untouched = |&(first, end): &(u64, u64)| {
            let next = touched.partition_point(|range| range.end <= first.saturating_mul(BLOCK));
            touched.get(next).is_none_or(|range| range.start >= end.saturating_mul(BLOCK))
        };
        let kept = self.ranges.iter().filter(|(blocks, _)| is_untouched(blocks));
        Self { ranges: kept.map(|(blocks, digest)| (*blocks, *digest)).collect() }
    }

    /// Puts in those of `others`.
    pub fn extend(&mut self, others: Self) {
        self.ranges.extend(others.ranges);
    }

    /// All of them, as [`of_map`](Self::of_map) reads them.
    pub fn to_map(&self) -> String {
        // A map that lies may have named ranges that end before they begin.
        let sound = self.ranges().filter(|(range, _)| range.start < range.end);
        let (ranges, digests): (Vec<_>, Vec<_>) = sound.unzip();
        let end = ranges.iter().map(|range| range.end).max().unwrap_or(0);
        render(end.saturating_mul(BLOCK), &ranges, &digests)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    fn of(&self, blocks: &Range<u64>) -> Option<Sha256> {
        self.ranges.get(&(blocks.start, blocks.end)).copied()
    }
}

/// The map of an image.
#[derive(Debug, Clone)]
pub struct Map {
    /// As its file has it.
    pub text: String,
    /// The digests in it.
    pub digests: Digests,
}

impl Map {
    /// The map of `image`, raw or still a disk. Digests in `known`, which are of bytes that the image has, are not computed again.
    ///
    /// `needed` are the bytes of the image (any order, overlapping or not) that a card must have afterwards, **zeros
    /// included**: a block that is not needed keeps what a reused card had there. Only blocks no file system uses may be left
    /// out.
    pub fn of(
        image: &dyn Content,
        needed: &[Range<u64>],
        known: &Digests,
        threads: NonZeroUsize,
    ) -> Result<Self> {
        let ranges = block_ranges(needed, image.len());
        let data = image.data();
        let digest = |index: usize| {
            let blocks = ranges.get(index).cloned().unwrap_or_default();
            known.of(&blocks).map_or_else(|| hash(image, &data, blocks), Ok)
        };
        let mut digests = Vec::with_capacity(ranges.len());
        parallel::in_order(threads, ranges.len(), digest, |_, digest| {
            digests.push(digest);
            Ok(())
        })?;
        let text = render(image.len(), &ranges, &digests);
        let ranges = ranges.iter().map(|blocks| (blocks.start, blocks.end));
        Ok(Self { text, digests: Digests { ranges: ranges.zip(digests).collect() } })
    }

    /// The digest of its file. It stands for the image: every byte that a file system uses is in one of the ranges.
    pub fn sha256(&self) -> Sha256 {
        Sha256::of(self.text.as_bytes())
    }
}

/// The blocks that `needed` bytes touch: in order, apart from each other or cut at multiples of [`RANGE_BLOCKS`].
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
        let first = range.start / RANGE_BLOCKS * RANGE_BLOCKS;
        let pieces = (first..range.end).step_by(RANGE_BLOCKS as usize);
        pieces.map(move |at| at.max(range.start)..(at + RANGE_BLOCKS).min(range.end))
    };
    merged.into_iter().flat_map(cut).collect()
}

/// The digest of a range of blocks; the last block may be cut short by the image's end. What is not in `data`, which is
/// in order, is zero and not read.
fn hash(image: &dyn Content, data: &[Range<u64>], blocks: Range<u64>) -> Result<Sha256> {
    let end = (blocks.end * BLOCK).min(image.len());
    let mut at = blocks.start * BLOCK;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; CHUNK as usize];
    let first = data.partition_point(|range| range.end <= at);
    for range in data.iter().skip(first).take_while(|range| range.start < end) {
        let (start, range_end) = (range.start.max(at), range.end.min(end));
        hasher.zeros(start - at);
        at = start;
        while at < range_end {
            let part = buffer.split_at_mut((range_end - at).min(CHUNK) as usize).0;
            image.read_at(at, part).map_err(Error::Disk)?;
            hasher.update(part);
            at += part.len() as u64;
        }
    }
    hasher.zeros(end - at);
    Ok(hasher.finish())
}

fn render(size: u64, ranges: &[Range<u64>], digests: &[Sha256]) -> String {
    let mapped: u64 = ranges.iter().map(|range| range.end - range.start).fold(0, u64::saturating_add);
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
        let ranges = block_ranges(&[5000..u64::MAX], 10 << 20);
        assert_eq!(ranges, [1..1024, 1024..2048, 2048..2560], "at the same places in every image");
    }

    #[test]
    fn holes_are_hashed_as_zeros() {
        let mut image = vec![0; 40_000];
        image[4096..9000].fill(7);
        image[20_000..20_001].fill(9);
        let whole = |data: &[Range<u64>]| hash(&image, data, 0..10).unwrap();
        let expected = Sha256::of(&image);
        assert_eq!(whole(&[0..40_000]), expected);
        assert_eq!(whole(&[4096..9000, 16_384..24_576]), expected);
        let part = hash(&image, &[4096..9000, 16_384..24_576], 2..5).unwrap();
        assert_eq!(part, Sha256::of(&image[2 * 4096..5 * 4096]));
    }

    #[test]
    fn digests_go_for_what_was_not_touched() {
        let ranges = [0..1024, 1024..2048, 2050..2051];
        let digests: Vec<Sha256> = (0..3).map(|n: u8| Sha256::of([n])).collect();
        let map = render(2051 * BLOCK, &ranges, &digests);
        let known = Digests::of_map(&map).unwrap();
        assert_eq!(ranges.each_ref().map(|blocks| known.of(blocks).unwrap()), digests[..]);
        let untouched = known.untouched(&[1024 * BLOCK - 1..1024 * BLOCK, 2048 * BLOCK..2050 * BLOCK]);
        assert_eq!(ranges.each_ref().map(|blocks| untouched.of(blocks).is_some()), [false, true, true]);
        assert_eq!(known.of(&(0..1023)), None, "another range has another digest");
        assert_eq!(Digests::of_map(&known.to_map()).unwrap(), known);
        let lies = Digests { ranges: [((5, 3), digests[0]), ((7, 9), digests[1])].into() };
        assert_eq!(Digests::of_map(&lies.to_map()).unwrap().len(), 1);
        assert_eq!(
            Digests::of_map(&map.replace("2050", "2049")),
            None,
            "a map that was changed says nothing"
        );
    }
}
