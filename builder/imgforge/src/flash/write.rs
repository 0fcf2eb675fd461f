//! Writing a card, and reading back what was written.
//!
//! The first block, which has the partition table, is zeroed before anything else and gets its bytes when all others have
//! been written and read back. So a card that was begun and not finished, however it ended, has no partition table: nothing
//! boots from it by half, and it is plain that it is not done.

use std::{
    io,
    ops::Range,
    path::Path,
    sync::mpsc::{self, Receiver},
    thread,
};

use imgforge_spec::Hasher;

use super::{
    buffer::Buffer,
    error::{Error, Refusal},
    ranges::{PIECE, Piece, Ranges},
    source::Source,
};
use crate::host::console::Console;

/// The first block: the boot record, and the header and first entries of a GPT.
const FIRST: usize = 4096;
/// Bytes at the end of a card that are zeroed. What makes it a member of something lies there: the backup of an old GPT in its
/// last 33 sectors, superblocks of RAIDs in its last 128 KiB, labels of ZFS in its last 512 KiB.
const LAST: u64 = 4 << 20;
/// Pieces that are read and decoded ahead of being written.
const AHEAD: usize = 4;

/// What an image is put on.
pub(crate) trait Medium {
    /// What messages call it.
    fn path(&self) -> &Path;
    /// Its size in bytes.
    fn size(&self) -> u64;
    /// Writes all of `bytes` at `at`.
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Fills `bytes` with what it has at `at`; after a [`sync`](Self::sync) not from the kernel's memory.
    fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<()>;
    /// Returns when all that was written is on it.
    fn sync(&self) -> io::Result<()>;
    /// Whether it is not there any more.
    fn is_gone(&self) -> bool;
}

/// Writes `source` to `card` and reads it back; returns how many bytes that were.
///
/// # Errors
/// [`Refusal::TooSmall`] before anything is written; from then on [`Error::Unfinished`] about whatever it is.
pub(crate) fn write(source: &Source, card: &dyn Medium, console: &Console) -> Result<u64, Error> {
    if let Some(needed) = source.size.filter(|needed| *needed > card.size()) {
        return Err(Refusal::TooSmall { path: card.path().to_owned(), size: card.size(), needed }.into());
    }
    Run { source, card, console }
        .all()
        .map_err(|error| Error::Unfinished { path: card.path().to_owned(), source: Box::new(error) })
}

struct Run<'a> {
    source: &'a Source,
    card: &'a dyn Medium,
    console: &'a Console,
}

impl Run<'_> {
    fn all(&self) -> Result<u64, Error> {
        self.wipe()?;
        let (ranges, first) = self.write_all_but_first()?;
        self.sync()?;
        self.read_back(&ranges, &first)?;
        self.write_first(&first).inspect_err(|_| {
            // A card that has lost its first block by now is no worse; of any other it must not stay.
            let _ = self.card.write_at(0, &Buffer::zeros(first.len()));
        })?;
        Ok(ranges.iter().map(|(range, _)| range.end - range.start).sum())
    }

    /// Takes away what tells of an earlier use, at both ends.
    fn wipe(&self) -> Result<(), Error> {
        let size = self.card.size();
        self.write_at(0, &Buffer::zeros(FIRST.min(size as usize)))?;
        let last = size.saturating_sub(LAST).next_multiple_of(FIRST as u64).min(size);
        self.write_at(last, &Buffer::zeros((size - last) as usize))?;
        self.sync()
    }

    /// Writes everything with zeros in place of the first block, which it returns.
    fn write_all_but_first(&self) -> Result<(Ranges, Buffer), Error> {
        let bar =
            self.console.progress(&format!("writing {}", self.card.path().display()), self.source.total());
        let mut first = Buffer::zeros(0);
        let mut done = 0;
        let ranges = thread::scope(|scope| {
            let (sender, receiver) = mpsc::sync_channel(AHEAD);
            let (source, path) = (self.source, self.card.path().to_owned());
            let reader = scope.spawn(move || {
                // A writer that is gone has failed, and says why itself.
                let stopped =
                    |_| Error::Gone { path: path.clone(), source: io::ErrorKind::BrokenPipe.into() };
                source.read(|piece| sender.send(piece).map_err(stopped))
            });
            let written = self.write_pieces(receiver, &mut first, |length| {
                done += length;
                bar.set(done, None);
            });
            let read = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            written.and(read)
        })?;
        Ok((ranges, first))
    }

    fn write_pieces(
        &self,
        pieces: Receiver<Piece>,
        first: &mut Buffer,
        mut progress: impl FnMut(u64),
    ) -> Result<(), Error> {
        for Piece { at, mut bytes } in pieces {
            let length = bytes.len() as u64;
            if at.checked_add(length).is_none_or(|end| end > self.card.size()) {
                return Err(Error::Overflow { image: self.source.name.clone(), size: self.card.size() });
            }
            if at == 0 {
                *first = swapped(&mut bytes);
            }
            self.write_at(at, &bytes)?;
            progress(length);
        }
        Ok(())
    }

    /// Compares what the card gives back with the digests of `ranges`; of the first block, with zeros.
    fn read_back(&self, ranges: &Ranges, first: &Buffer) -> Result<(), Error> {
        let total = ranges.iter().map(|(range, _)| range.end - range.start).sum();
        let bar = self.console.progress(&format!("reading back {}", self.card.path().display()), Some(total));
        let mut buffer = Buffer::zeros(PIECE as usize);
        let mut done = 0;
        for (range, sha256) in ranges {
            let mut hasher = Hasher::default();
            let mut at = range.start;
            while at < range.end {
                let part = buffer.split_at_mut((range.end - at).min(PIECE) as usize).0;
                self.card.read_at(at, part).map_err(|source| self.failed("read back from", source))?;
                if at == 0 {
                    self.put_first(part, first)?;
                }
                hasher.update(&*part);
                at += part.len() as u64;
                done += part.len() as u64;
                bar.set(done, None);
            }
            if hasher.finish() != *sha256 {
                return Err(self.reads_back(range.clone()));
            }
        }
        Ok(())
    }

    /// Puts the first block in its place, where the zeros are that were written.
    fn put_first(&self, part: &mut [u8], first: &Buffer) -> Result<(), Error> {
        let place = part.split_at_mut(first.len().min(part.len())).0;
        if place.iter().any(|byte| *byte != 0) {
            return Err(self.reads_back(0..place.len() as u64));
        }
        place.iter_mut().zip(&**first).for_each(|(to, from)| *to = *from);
        Ok(())
    }

    fn write_first(&self, first: &Buffer) -> Result<(), Error> {
        self.write_at(0, first)?;
        self.sync()?;
        let mut found = Buffer::zeros(first.len());
        self.card.read_at(0, &mut found).map_err(|source| self.failed("read back from", source))?;
        if *found == **first { Ok(()) } else { Err(self.reads_back(0..first.len() as u64)) }
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> Result<(), Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.card.write_at(at, bytes).map_err(|source| self.failed("write to", source))
    }

    fn sync(&self) -> Result<(), Error> {
        self.card.sync().map_err(|source| self.failed("write to", source))
    }

    fn failed(&self, what: &str, source: io::Error) -> Error {
        let path = self.card.path().to_owned();
        if self.card.is_gone() {
            return Error::Gone { path, source };
        }
        Error::Device { what: what.to_owned(), path, source }
    }

    fn reads_back(&self, range: Range<u64>) -> Error {
        Error::ReadsBack { path: self.card.path().to_owned(), range }
    }
}

/// Takes the first block out of `bytes` and leaves zeros.
fn swapped(bytes: &mut Buffer) -> Buffer {
    let mut first = Buffer::zeros(FIRST.min(bytes.len()));
    first.iter_mut().zip(bytes.iter_mut()).for_each(|(to, from)| *to = std::mem::take(from));
    first
}

#[cfg(test)]
mod tests;
