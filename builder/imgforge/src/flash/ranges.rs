//! An image that comes in order, cut into the ranges that a card must have, each with its digest.

use std::ops::Range;

use imgforge_disk::Sha256;
use imgforge_spec::Hasher;

use super::{
    buffer::{ALIGNMENT, Buffer},
    error::Error,
};

/// Most bytes that are written at once: what the flash memory of cards erases at once, or a multiple of it.
pub(super) const PIECE: u64 = 4 << 20;

/// Ranges of an image with their digests, in order and apart from each other.
pub(super) type Ranges = Vec<(Range<u64>, Sha256)>;

/// Bytes that a card must have, and their digest where it is known beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub range: Range<u64>,
    pub sha256: Option<Sha256>,
}

impl Wanted {
    /// All of `range`, in pieces that end at multiples of [`PIECE`].
    pub(super) fn all_of(range: Range<u64>) -> impl Iterator<Item = Self> + Clone {
        let first = range.start / PIECE * PIECE;
        (first..range.end).step_by(PIECE as usize).map(move |at| {
            let range = at.max(range.start)..at.saturating_add(PIECE).min(range.end);
            Self { range, sha256: None }
        })
    }
}

/// Bytes for a card, at most [`PIECE`] of them.
#[derive(Debug)]
pub(super) struct Piece {
    /// Where they go.
    pub at: u64,
    /// They.
    pub bytes: Buffer,
}

/// Takes an image in order and gives what of it is wanted.
pub(super) struct Cutter<'a, W, G> {
    image: &'a str,
    wanted: W,
    /// The range being taken, and up to where it is.
    current: Option<(Wanted, u64)>,
    hasher: Hasher,
    piece: Option<Piece>,
    /// Bytes in `piece`.
    filled: usize,
    give: G,
    done: Ranges,
}

impl<'a, W: Iterator<Item = Wanted>, G: FnMut(Piece) -> Result<(), Error>> Cutter<'a, W, G> {
    /// What is `wanted` of the image called `image`, in order and apart from each other; pieces go to `give`.
    pub(super) fn new(image: &'a str, mut wanted: W, give: G) -> Self {
        let current = wanted.next().map(begun);
        Self {
            image,
            wanted,
            current,
            hasher: Hasher::default(),
            piece: None,
            filled: 0,
            give,
            done: Vec::new(),
        }
    }

    /// Takes `bytes`, which the image has at `at`. Nothing that is wanted may lie between them and those taken before.
    pub(super) fn take(&mut self, at: u64, bytes: &[u8]) -> Result<(), Error> {
        let end = at + bytes.len() as u64;
        while let Some((wanted, from)) = &mut self.current
            && *from < end
        {
            let from_bytes = bytes.get((*from - at) as usize..).unwrap_or_default();
            let length = (wanted.range.end - *from).min(from_bytes.len() as u64) as usize;
            let part = from_bytes.get(..length).unwrap_or_default();
            self.hasher.update(part);
            let start = *from;
            *from += length as u64;
            let is_whole = *from == wanted.range.end;
            self.put(start, part)?;
            if is_whole {
                self.finish_range()?;
            }
        }
        Ok(())
    }

    /// Ends with an image of `size` bytes: every range that was wanted, with its digest. What reaches beyond the image, of
    /// which nothing is known, ends with it.
    pub(super) fn finish(mut self, size: u64) -> Result<Ranges, Error> {
        if let Some((wanted, from)) = &mut self.current {
            if wanted.sha256.is_some() {
                return Err(Error::Altered { image: self.image.to_owned(), range: wanted.range.clone() });
            }
            wanted.range.end = *from;
            let is_begun = wanted.range.start < size && !wanted.range.is_empty();
            if is_begun {
                self.finish_range()?;
            }
        }
        Ok(self.done)
    }

    fn put(&mut self, mut at: u64, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let piece = self.piece.get_or_insert_with(|| Piece { at, bytes: Buffer::zeros(PIECE as usize) });
            let room = piece.bytes.get_mut(self.filled..).unwrap_or_default();
            let (part, rest) = bytes.split_at(bytes.len().min(room.len()));
            room.split_at_mut(part.len()).0.copy_from_slice(part);
            self.filled += part.len();
            at += part.len() as u64;
            bytes = rest;
            if self.filled == PIECE as usize {
                self.give_piece()?;
            }
        }
        Ok(())
    }

    fn give_piece(&mut self) -> Result<(), Error> {
        let filled = std::mem::take(&mut self.filled);
        let Some(mut piece) = self.piece.take() else { return Ok(()) };
        piece.bytes.truncate(filled);
        (self.give)(piece)
    }

    fn finish_range(&mut self) -> Result<(), Error> {
        let Some((wanted, _)) = self.current.take() else { return Ok(()) };
        let sha256 = std::mem::take(&mut self.hasher).finish();
        if wanted.sha256.is_some_and(|expected| expected != sha256) {
            return Err(Error::Altered { image: self.image.to_owned(), range: wanted.range });
        }
        self.give_piece()?;
        self.done.push((wanted.range, sha256));
        self.current = self.wanted.next().map(begun);
        Ok(())
    }
}

fn begun(wanted: Wanted) -> (Wanted, u64) {
    debug_assert!(wanted.range.start.is_multiple_of(ALIGNMENT));
    let from = wanted.range.start;
    (wanted, from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(length: usize) -> Vec<u8> {
        (0..length).map(|n| (n / 1000) as u8).collect()
    }

    fn wanted(range: Range<u64>, of: &[u8]) -> Wanted {
        let sha256 = Some(Sha256::of(&of[range.start as usize..range.end as usize]));
        Wanted { range, sha256 }
    }

    /// Where pieces go, and what is in them.
    type Pieces = Vec<(u64, Vec<u8>)>;

    /// What comes out of `bytes` given in parts of `step`: the pieces, and the ranges or the error.
    fn cut(
        bytes: &[u8],
        step: usize,
        wanted: impl Iterator<Item = Wanted>,
    ) -> (Pieces, Result<Ranges, Error>) {
        let mut pieces = Vec::new();
        let mut cutter = Cutter::new("image", wanted, |piece: Piece| {
            pieces.push((piece.at, piece.bytes.to_vec()));
            Ok(())
        });
        let taken =
            bytes.chunks(step).enumerate().try_for_each(|(n, part)| cutter.take((n * step) as u64, part));
        let ended = match taken {
            Ok(()) => cutter.finish(bytes.len() as u64),
            Err(error) => Err(error),
        };
        (pieces, ended)
    }

    #[test]
    fn only_what_is_wanted_comes_out_however_it_is_given() {
        let bytes = image(9 << 20);
        let long = 8192..(8192 + PIECE + 4096);
        for step in [4096, 10_000, 1 << 20, 9 << 20] {
            let all = [wanted(0..4096, &bytes), wanted(long.clone(), &bytes)];
            let (pieces, ended) = cut(&bytes, step, all.clone().into_iter());
            let places: Vec<_> = pieces.iter().map(|(at, piece)| (*at, piece.len() as u64)).collect();
            assert_eq!(places, [(0, 4096), (8192, PIECE), (8192 + PIECE, 4096)], "steps of {step}");
            for (at, piece) in pieces {
                assert_eq!(piece, bytes[at as usize..at as usize + piece.len()]);
            }
            let expected: Vec<_> = all.into_iter().map(|w| (w.range, w.sha256.unwrap())).collect();
            assert_eq!(ended.unwrap(), expected);
        }
    }

    #[test]
    fn an_image_of_unknown_size_ends_where_it_ends() {
        for length in [1, 4096, PIECE as usize, PIECE as usize + 5] {
            let bytes = image(length);
            let (pieces, ended) = cut(&bytes, 100_000, Wanted::all_of(0..u64::MAX));
            let whole: Vec<u8> = pieces.into_iter().flat_map(|(_, piece)| piece).collect();
            assert!(whole == bytes);
            let ranges = ended.unwrap();
            assert_eq!(ranges.last().unwrap().0.end, length as u64);
            for (range, sha256) in ranges {
                assert_eq!(sha256, Sha256::of(&bytes[range.start as usize..range.end as usize]));
            }
        }
    }

    #[test]
    fn other_bytes_than_the_map_says_and_too_few_are_told() {
        let bytes = image(20_000);
        let mut altered = bytes.clone();
        altered[9000] ^= 1;
        let ranges =
            || [wanted(0..4096, &bytes), wanted(8192..12_288, &bytes), wanted(12_288..20_000, &bytes)];
        let (pieces, ended) = cut(&altered, 5000, ranges().into_iter());
        assert!(matches!(ended, Err(Error::Altered { range, .. }) if range == (8192..12_288)));
        assert_eq!(pieces.len(), 1, "nothing of a bad range of this length is given");
        let (_, ended) = cut(&bytes[..15_000], 5000, ranges().into_iter());
        assert!(matches!(ended, Err(Error::Altered { range, .. }) if range == (12_288..20_000)));
    }

    #[test]
    fn pieces_of_a_range_end_at_the_same_places_in_every_image() {
        let ranges: Vec<_> = Wanted::all_of(8192..PIECE * 2 + 4096).map(|wanted| wanted.range).collect();
        assert_eq!(ranges, [8192..PIECE, PIECE..PIECE * 2, PIECE * 2..PIECE * 2 + 4096]);
    }
}
