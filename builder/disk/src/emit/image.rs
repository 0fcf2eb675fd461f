//! The disk as an image file has it: whole blocks of 4 KiB, its zeros known.

use std::ops::Range;

use crate::{
    digest::{Hasher, Sha256},
    disk::{Disk, Extent},
    error::{Error, Result},
};

/// Images are padded to a multiple of this many bytes: writers of cards and maps of blocks count in them.
const BLOCK: u64 = 4096;
/// Bytes read at a time: what fits into a processor's second cache is handled twice as fast as a mebibyte.
const CHUNK: u64 = 128 << 10;

/// A disk about to be emitted.
pub(super) struct Image<'a> {
    pub(super) disk: &'a Disk,
    pub(super) extents: Vec<Extent>,
    /// Size in bytes, padded.
    pub(super) size: u64,
}

impl<'a> Image<'a> {
    pub(super) fn of(disk: &'a Disk) -> Result<Self> {
        let extents = disk.extents().map_err(Error::Disk)?;
        Ok(Self { disk, extents, size: disk.size().next_multiple_of(BLOCK) })
    }

    /// Fills `buf` from `offset` on; the padding is zero.
    pub(super) fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let inside = self.disk.size().saturating_sub(offset).min(buf.len() as u64);
        let (data, padding) = buf.split_at_mut(inside as usize);
        padding.fill(0);
        self.disk.read_at(offset, data).map_err(Error::Disk)
    }

    /// Gives the bytes of `range` to `take`, piece by piece.
    pub(super) fn read(&self, range: Range<u64>, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut buffer = vec![0; CHUNK.min(range.end - range.start) as usize];
        let mut at = range.start;
        while at < range.end {
            let part = buffer.split_at_mut((range.end - at).min(CHUNK) as usize).0;
            self.read_at(at, part)?;
            take(part)?;
            at += part.len() as u64;
        }
        Ok(())
    }

    /// The extents that share bytes with `range`.
    pub(super) fn extents_in(&self, range: &Range<u64>) -> impl Iterator<Item = &Extent> {
        let first = self.extents.partition_point(|extent| extent.offset + extent.length <= range.start);
        let end = range.end;
        self.extents.iter().skip(first).take_while(move |extent| extent.offset < end)
    }

    /// Whether all of `range` is zero without having to look.
    pub(super) fn is_zero(&self, range: &Range<u64>) -> bool {
        self.extents_in(range).all(|extent| extent.source.is_zero())
    }

    /// Whether all of `range` is as the base has it.
    pub(super) fn is_unchanged(&self, range: &Range<u64>) -> bool {
        self.extents_in(range).all(|extent| !extent.source.is_change())
    }

    /// `range` cut into pieces of at most `length` bytes.
    pub(super) fn pieces(range: Range<u64>, length: u64) -> impl Iterator<Item = Range<u64>> {
        let end = range.end;
        (range.start..end).step_by(length as usize).map(move |at| at..(at + length).min(end))
    }

    /// The digest of the whole image.
    pub(super) fn digest(&self) -> Result<Sha256> {
        let mut hasher = Hasher::default();
        self.read(0..self.size, |bytes| {
            hasher.update(bytes);
            Ok(())
        })?;
        Ok(hasher.finish())
    }
}
