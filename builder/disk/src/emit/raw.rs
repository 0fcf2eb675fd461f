//! The image as it is, with holes where it is zero.

use std::{num::NonZeroUsize, ops::Range};

use rustix::{fs::copy_file_range, io::Errno};

use super::{Written, image::Image};
use crate::{
    atomic_file::AtomicFile,
    content::FileContent,
    disk::{Disk, Source},
    error::{Error, Result},
    follow::Follower,
    parallel, sparse,
};

/// How to emit a raw image.
#[derive(Debug, Clone, Copy)]
pub struct RawOptions<'a> {
    /// Threads that copy.
    pub threads: NonZeroUsize,
    /// The file the disk's base is, if it is one: the host then copies from file to file, or shares the blocks where its
    /// file system can.
    pub base: Option<&'a FileContent>,
    /// Whether to take the digest of the image, which costs more than copying it.
    pub digest: bool,
}

/// Bytes copied at a time; the digest follows this far behind.
const SEGMENT: u64 = 8 << 20;

/// Writes `disk` to `destination`. `progress` is called on this thread with the bytes done.
pub fn raw(
    disk: &Disk,
    destination: &AtomicFile,
    options: &RawOptions<'_>,
    progress: &dyn Fn(u64),
) -> Result<Written> {
    let image = Image::of(disk)?;
    let failed = |error| Error::io("cannot write", destination.path(), error);
    destination.file().set_len(image.size).map_err(failed)?;
    let segments: Vec<(Range<u64>, Source)> = image
        .extents
        .iter()
        .filter(|extent| !extent.source.is_zero())
        .flat_map(|extent| {
            let range = extent.offset..extent.offset + extent.length;
            Image::pieces(range, SEGMENT).map(|piece| (piece, extent.source))
        })
        .collect();

    let copy = |index: usize| {
        let Some((range, source)) = segments.get(index) else { return Ok(0) };
        let base = options.base.filter(|_| *source == Source::Base);
        let copied = base.map_or(Ok(0), |base| copy_range(base, destination, range)).map_err(failed)?;
        let mut at = range.start + copied;
        image.read(at..range.end, |bytes| {
            sparse::write(destination.file(), at, bytes).map_err(failed)?;
            at += bytes.len() as u64;
            Ok(())
        })?;
        Ok(range.end)
    };
    let mut follower = Follower::new(destination.file(), destination.path(), progress);
    parallel::in_order(options.threads, segments.len(), copy, |_, end| {
        if options.digest {
            follower.advance(end)
        } else {
            progress(end);
            Ok(())
        }
    })?;
    let sha256 = if options.digest {
        follower.advance(image.size)?;
        Some(follower.finish().0)
    } else {
        None
    };
    Ok(Written { size: image.size, sha256, image_size: image.size, image_sha256: sha256 })
}

/// Lets the host copy `range` from the base to the same place; gives how much it did before it had enough.
fn copy_range(base: &FileContent, to: &AtomicFile, range: &Range<u64>) -> std::io::Result<u64> {
    let (mut from_at, mut to_at) = (range.start, range.start);
    while from_at < range.end {
        let length = (range.end - from_at) as usize;
        match copy_file_range(base.file(), Some(&mut from_at), to.file(), Some(&mut to_at), length) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::IO | Errno::FBIG)) => return Err(error.into()),
            // Another file system, an old kernel, a kind of file it does not know: we copy ourselves.
            Err(_) => break,
        }
    }
    Ok(from_at - range.start)
}
