//! The digest of a file while others write it.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use crate::{
    digest::{Hasher, Sha256},
    error::{Error, Result},
};

const CHUNK: usize = 1 << 20;

/// Reads behind the writers of a file, whose bytes are still in the page cache, and hashes them in order.
///
/// So no writer has to keep its data until its turn comes, and the digest is of what was written indeed.
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
            let length = (end - self.hasher.length()).min(CHUNK as u64) as usize;
            let part = self.buffer.get_mut(..length).unwrap_or_default();
            read_or_zero(self.file, self.hasher.length(), part)
                .map_err(|error| Error::io("cannot read back", self.path, error))?;
            self.hasher.update(part);
            (self.progress)(self.hasher.length());
        }
        Ok(())
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
