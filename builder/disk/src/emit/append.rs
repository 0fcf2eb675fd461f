//! A compressed file being written from its beginning to its end, its parts made by several threads.

use std::{io::Write, num::NonZeroUsize, ops::Range, thread};

use super::{Written, image::Image};
use crate::{
    atomic_file::AtomicFile,
    digest::{Hasher, Sha256},
    error::{Error, Result},
    parallel,
};

/// The file, and the digest of what is in it.
pub(super) struct Appender<'a> {
    destination: &'a AtomicFile,
    hasher: Hasher,
}

impl<'a> Appender<'a> {
    pub(super) fn new(destination: &'a AtomicFile) -> Self {
        Self { destination, hasher: Hasher::default() }
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let failed = |error| Error::io("cannot write", self.destination.path(), error);
        self.destination.file().write_all(bytes).map_err(failed)?;
        self.hasher.update(bytes);
        Ok(())
    }

    /// Makes a part of each of `ranges` of the image by `encode`, which is given their indexes, and gives them to `take` in
    /// order; `progress` is told the end of each. The image is hashed meanwhile.
    pub(super) fn append_parts<T: Send>(
        &mut self,
        image: &Image<'_>,
        threads: NonZeroUsize,
        ranges: &[Range<u64>],
        encode: impl Fn(usize) -> Result<T> + Sync,
        mut take: impl FnMut(&mut Self, T) -> Result<()>,
        progress: &dyn Fn(u64),
    ) -> Result<Sha256> {
        thread::scope(|scope| {
            let digest = scope.spawn(|| image.digest());
            parallel::in_order(threads, ranges.len(), encode, |index, part| {
                take(self, part)?;
                ranges.get(index).into_iter().for_each(|range| progress(range.end));
                Ok(())
            })?;
            digest.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    pub(super) fn finish(self, image: &Image<'_>, image_sha256: Sha256) -> Written {
        Written {
            size: self.hasher.length(),
            sha256: Some(self.hasher.finish()),
            image_size: image.size,
            image_sha256: Some(image_sha256),
        }
    }
}
