//! The digest of a file while others write it.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt, path::Path};

use crate::{
    content::data_from,
    digest::{Hasher, Sha256},
    error::{Error, Result},
};

const CHUNK: usize = 1 << 20;

/// Reads behind the writers of a file, whose bytes are still in the page cache, and hashes them in order.
///
/// So no writer has to keep its data until its turn comes, and the digest is of what was written indeed. Holes are not
/// read: the host would fill its page cache with zeros, which takes as long as hashing them.
pub(crate) struct Follower<'a> {
    file: &'a File,
    path: &'a Path,
    progress: &'a dyn Fn(u64),
    hasher: Hasher,
    buffer: Vec<u8>,
}

impl<'a> Follower<'a> {
    pub(crate) fn new(file: &'a File, path: &'a Path, progress: &'a dyn Fn(u64)) -> Self {
        Self { file, path, progress, hasher: Hasher::default(), buffer: vec![0; CHUNK] }
    }

    /// Hashes up to the byte `end`; everything before it has been written, what is beyond the file's end is zero.
    pub(crate) fn advance(&mut self, end: u64) -> Result<()> {
        while self.hasher.length() < end {
            let at = self.hasher.length();
            let data = self.data_in(at..end);
            self.hasher.zeros(data.start - at);
            let length = (data.end - data.start).min(CHUNK as u64) as usize;
            let part = self.buffer.get_mut(..length).unwrap_or_default();
            read_or_zero(self.file, data.start, part)
                .map_err(|error| Error::io("cannot read back", self.path, error))?;
            self.hasher.update(part);
            (self.progress)(self.hasher.length());
        }
        Ok(())
    }

    /// The first data in `range` of the file, empty and at the end if there is none; all of it if the host cannot tell.
    fn data_in(&self, range: Range<u64>) -> Range<u64> {
        match data_from(self.file, range.start) {
            Err(_) => range,
            Ok(None) => range.end..range.end,
            Ok(Some(data)) => data.start.min(range.end)..data.end.min(range.end),
        }
    }

    /// The digest and the number of bytes.
    pub(crate) fn finish(self) -> (Sha256, u64) {
        let length = self.hasher.length();
        (self.hasher.finish(), length)
    }
}

fn read_or_zero(file: &File, mut at: u64, mut buf: &mut [u8]) -> io::Result<()> {
    while !buf.is_empty() {
        match file.read_at(buf, at) {
            Ok(0) => {
                buf.fill(0);
                return Ok(());
            }
            Ok(count) => {
                at += count as u64;
                buf = buf.split_at_mut(count).1;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_hashed_as_the_zeros_they_are_while_the_file_grows() {
        let file = tempfile::tempfile().unwrap();
        let mut follower = Follower::new(&file, Path::new("image"), &|_| {});
        let mut expected = vec![0; 9 << 20];
        for (at, length) in [(5000, 1), (1 << 20, 3 << 20), (7 << 20, 100)] {
            file.write_all_at(&vec![7; length], at as u64).unwrap();
            expected[at..at + length].fill(7);
            follower.advance((at + length) as u64).unwrap();
        }
        follower.advance(9 << 20).unwrap();
        assert_eq!(follower.finish(), (Sha256::of(&expected), 9 << 20));
    }
}
