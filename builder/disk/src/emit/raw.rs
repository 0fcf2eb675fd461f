//! The image as it is, with holes where it is zero.
//!
//! Most of it is in another file already: its base, or an image of the same release. A host whose file system can share
//! blocks is asked to share that file's, and only what differs is written; elsewhere it is copied.

use std::{
    fs::File,
    io,
    num::NonZeroUsize,
    ops::Range,
    os::unix::fs::FileExt,
    sync::atomic::{AtomicU64, Ordering},
};

#[cfg(target_os = "linux")]
use rustix::{
    fs::{FallocateFlags, copy_file_range, fallocate, ioctl_ficlone},
    io::Errno,
};

use super::{Written, image::Image};
use crate::{
    atomic_file::AtomicFile,
    content::FileContent,
    disk::Disk,
    error::{Error, Result},
    follow::Follower,
    parallel,
    ranges::RangeSet,
    sparse,
};
use imgforge_ext4::Content;

/// How to emit a raw image.
#[derive(Debug, Clone, Copy)]
pub struct RawOptions<'a> {
    /// Threads that copy.
    pub threads: NonZeroUsize,
    /// The file that has most of the image already.
    pub origin: Option<Origin<'a>>,
    /// Whether to take the digest of the image, which costs more than copying it.
    pub digest: bool,
}

/// A file that has most of an image already.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// The file that the disk's base is.
    Base(&'a FileContent),
    /// An image made over the same base.
    Image {
        /// Its file.
        file: &'a FileContent,
        /// The bytes at which the two may differ, in any order.
        differs: &'a [Range<u64>],
    },
}

impl Origin<'_> {
    fn file(&self) -> &FileContent {
        match self {
            Origin::Base(file) | Origin::Image { file, .. } => file,
        }
    }
}

/// Bytes written at a time by one thread; the digest follows this far behind.
const SEGMENT: u64 = 8 << 20;
/// Bytes copied at a time: what fits into a processor's second cache is copied twice as fast as a mebibyte.
const COPIED: usize = 128 << 10;
/// Shorter runs of zeros (bytes) are written with what lies around them: a hole costs more than it saves, and in a file that
/// shares blocks the host writes everything near it first.
const HOLE: u64 = 64 << 10;
/// The disk is told to begin whenever so many bytes were written.
const WRITTEN_BACK: u64 = 64 << 20;

/// Writes `disk` to `destination`. `progress` is called on this thread with the bytes done.
pub fn raw(
    disk: &Disk,
    destination: &AtomicFile,
    options: &RawOptions<'_>,
    progress: &dyn Fn(u64),
) -> Result<Written> {
    let image = Image::of(disk)?;
    let failed = |error| Error::io("cannot write", destination.path(), error);
    let origin = options.origin.as_ref().map(Origin::file);
    let shared = origin.is_some_and(|origin| share(origin.file(), destination.file()));
    destination.file().set_len(image.size).map_err(failed)?;
    let Work { holes, pieces } = work(&image, options.origin.as_ref(), shared);
    // Before anything is written, so that there is nothing near them to be written first.
    holes.iter().try_for_each(|range| zero(destination.file(), range)).map_err(failed)?;
    let written = AtomicU64::new(0);
    let write = |index: usize| {
        let Some((range, source)) = pieces.get(index) else { return Ok(0) };
        let to = destination.file();
        match (source, origin) {
            (Piece::Origin, Some(origin)) => copy(origin, to, range).map_err(failed)?,
            (Piece::Origin, None) => {}
            (Piece::Own, _) => own(&image, to, range, shared, failed)?,
        }
        let length = range.end - range.start;
        if written.fetch_add(length, Ordering::Relaxed) % WRITTEN_BACK + length >= WRITTEN_BACK {
            destination.write_back();
        }
        Ok(range.end)
    };
    let mut follower = Follower::new(destination.file(), destination.path(), progress);
    parallel::in_order(options.threads, pieces.len(), write, |_, end| {
        if options.digest {
            follower.advance(end)
        } else {
            progress(end);
            Ok(())
        }
    })?;
    destination.write_back();
    let sha256 = if options.digest {
        follower.advance(image.size)?;
        Some(follower.finish().0)
    } else {
        None
    };
    Ok(Written { size: image.size, sha256, image_size: image.size, image_sha256: sha256 })
}

/// Lets `to`, which is empty, share all blocks of `from` (ioctl_ficlone(2)); whether the host could.
#[cfg(target_os = "linux")]
fn share(from: &File, to: &File) -> bool {
    ioctl_ficlone(to, from).is_ok()
}

/// Elsewhere files are shared only as they are made, under their name.
#[cfg(not(target_os = "linux"))]
fn share(_from: &File, _to: &File) -> bool {
    false
}

/// Where a piece's bytes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// From the same place of the origin.
    Origin,
    /// From the disk.
    Own,
}

/// What has to be done to a file that shares the origin's blocks or is a single hole.
struct Work {
    /// What becomes a hole.
    holes: Vec<Range<u64>>,
    /// What is to be written, in order.
    pieces: Vec<(Range<u64>, Piece)>,
}

fn work(image: &Image<'_>, origin: Option<&Origin<'_>>, shared: bool) -> Work {
    let mut own = RangeSet::default();
    let length = origin.map_or(0, |origin| origin.file().len()).min(image.size);
    own.insert(length..image.size);
    match origin {
        Some(Origin::Base(_)) => {
            let changes = image.extents.iter().filter(|extent| extent.source.is_change());
            changes.for_each(|extent| own.insert(extent.offset..extent.offset + extent.length));
        }
        Some(Origin::Image { differs, .. }) => {
            differs
                .iter()
                .for_each(|range| own.insert(range.start.min(image.size)..range.end.min(image.size)));
        }
        None => {}
    }
    let (mut holes, mut runs) = (Vec::new(), RangeSet::default());
    for range in own.iter() {
        for extent in image.extents_in(&range) {
            let part = extent.offset.max(range.start)
                ..(extent.offset + extent.length).min(range.end).min(image.size);
            match extent.source.is_zero() && part.end - part.start >= HOLE {
                true if shared && part.start < length => holes.push(part),
                true => {}
                false => runs.insert(part),
            }
        }
    }
    let mut pieces: Vec<_> =
        runs.iter().flat_map(|run| Image::pieces(run, SEGMENT)).map(|piece| (piece, Piece::Own)).collect();
    if let Some(origin) = origin.filter(|_| !shared) {
        let data = origin.file().data().into_iter().filter(|range| range.start < length);
        for range in data.flat_map(|range| own.gaps_in(range.start..range.end.min(length))) {
            pieces.extend(Image::pieces(range, SEGMENT).map(|piece| (piece, Piece::Origin)));
        }
        pieces.sort_by_key(|(range, _)| range.start);
    }
    Work { holes, pieces }
}

/// Copies `range` to the same place of another file: inside the kernel, where it can.
fn copy(from: &FileContent, to: &File, range: &Range<u64>) -> io::Result<()> {
    let at = copy_in_kernel(from.file(), to, range)?;
    if at == range.end {
        return Ok(());
    }
    let mut buffer = vec![0; COPIED];
    for piece in Image::pieces(at..range.end, COPIED as u64) {
        let part = buffer.split_at_mut((piece.end - piece.start) as usize).0;
        from.read_at(piece.start, part)?;
        to.write_all_at(part, piece.start)?;
    }
    Ok(())
}

/// The same by copy_file_range(2), which takes the bytes once through the processor and not twice; returns how far it came. A host
/// that does not do it between these files has done nothing.
#[cfg(target_os = "linux")]
fn copy_in_kernel(from: &File, to: &File, range: &Range<u64>) -> io::Result<u64> {
    let (mut source, mut target) = (range.start, range.start);
    while source < range.end {
        let length = (range.end - source) as usize;
        match copy_file_range(from, Some(&mut source), to, Some(&mut target), length) {
            // Behind its end, or of a kind of file that tells no end: whoever reads it says which.
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::NOSPC) => return Err(Errno::NOSPC.into()),
            Err(_) => break,
        }
    }
    Ok(source)
}

#[cfg(not(target_os = "linux"))]
fn copy_in_kernel(_from: &File, _to: &File, range: &Range<u64>) -> io::Result<u64> {
    Ok(range.start)
}

/// Writes the image's own bytes; into a hole, without its blocks of zeros.
fn own(
    image: &Image<'_>,
    to: &File,
    range: &Range<u64>,
    shared: bool,
    failed: impl Fn(io::Error) -> Error,
) -> Result<()> {
    let mut at = range.start;
    image.read(range.clone(), |bytes| {
        let done = if shared { to.write_all_at(bytes, at) } else { sparse::write(to, at, bytes) };
        at += bytes.len() as u64;
        done.map_err(&failed)
    })
}

/// Makes `range` a hole, or writes zeros where the host makes none.
fn zero(to: &File, range: &Range<u64>) -> io::Result<()> {
    if punch(to, range)? {
        return Ok(());
    }
    let zeros = vec![0; COPIED];
    Image::pieces(range.clone(), COPIED as u64).try_for_each(|piece| {
        to.write_all_at(zeros.split_at((piece.end - piece.start) as usize).0, piece.start)
    })
}

/// Makes `range` a hole; whether the host could.
#[cfg(target_os = "linux")]
fn punch(to: &File, range: &Range<u64>) -> io::Result<bool> {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match fallocate(to, flags, range.start, range.end - range.start) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
        done => Ok(done.map(|()| true)?),
    }
}

#[cfg(not(target_os = "linux"))]
fn punch(_to: &File, _range: &Range<u64>) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use imgforge_ext4::Device;

    use super::*;

    const MIB: u64 = 1 << 20;

    /// A file of 3 MiB with a hole in its middle, and a disk over it with changes of every kind.
    fn changed(folder: &tempfile::TempDir) -> (FileContent, Disk) {
        let path = folder.path().join("base.img");
        let file = File::create(&path).unwrap();
        file.set_len(3 * MIB).unwrap();
        file.write_all_at(&[7; 1 << 20], 0).unwrap();
        file.write_all_at(&[9; 1 << 20], 2 * MIB).unwrap();
        let base = FileContent::open(&path).unwrap();
        let mut disk = Disk::new(Arc::new(base.clone()));
        disk.resize(4 * MIB);
        disk.write_at(5000, &[1; 10_000]).unwrap();
        disk.write_at(MIB + 5, &[0; 3]).unwrap();
        disk.write_at(MIB + 9000, &[2]).unwrap();
        disk.zero(2 * MIB, 100_000).unwrap();
        disk.write_at(3 * MIB + 7, &[3]).unwrap();
        (base, disk)
    }

    #[test]
    fn over_shared_blocks_only_what_differs_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (base, disk) = changed(&folder);
        let image = Image::of(&disk).unwrap();
        // As a host that shares blocks leaves it.
        let path = folder.path().join("out.img");
        fs::copy(base.path(), &path).unwrap();
        let to = File::options().read(true).write(true).open(&path).unwrap();
        to.set_len(image.size).unwrap();
        let Work { holes, pieces } = work(&image, Some(&Origin::Base(&base)), true);
        assert!(pieces.iter().all(|(_, piece)| *piece != Piece::Origin), "{pieces:?}");
        let length: u64 = pieces.iter().map(|(range, _)| range.end - range.start).sum();
        assert!(length < 200_000, "{length} bytes");
        assert_eq!(holes.len(), 1, "{holes:?}");
        holes.iter().for_each(|range| zero(&to, range).unwrap());
        pieces.iter().for_each(|(range, _)| own(&image, &to, range, true, Error::Disk).unwrap());
        let mut expected = vec![0; 4 << 20];
        disk.read_at(0, &mut expected).unwrap();
        assert!(fs::read(&path).unwrap() == expected);
    }

    #[test]
    fn what_is_copied_is_the_same_in_the_same_place() {
        let folder = tempfile::tempdir().unwrap();
        let (base, _) = changed(&folder);
        let to =
            File::options().read(true).write(true).create_new(true).open(folder.path().join("to")).unwrap();
        to.set_len(3 * MIB).unwrap();
        let range = 2 * MIB + 5..3 * MIB - 7;
        copy(&base, &to, &range).unwrap();
        let mut there = vec![0; 3 << 20];
        to.read_exact_at(&mut there, 0).unwrap();
        assert!(there[range.start as usize..range.end as usize].iter().all(|byte| *byte == 9));
        assert!(
            there[..range.start as usize].iter().chain(&there[range.end as usize..]).all(|byte| *byte == 0)
        );
        assert!(copy(&base, &to, &(2 * MIB..4 * MIB)).is_err(), "the origin ends before");
    }

    #[test]
    fn what_the_origin_has_not_is_the_images_own() {
        let folder = tempfile::tempdir().unwrap();
        let (base, disk) = changed(&folder);
        let image = Image::of(&disk).unwrap();
        let Work { holes, pieces: all } = work(&image, Some(&Origin::Base(&base)), false);
        let of =
            |wanted| all.iter().filter(move |(_, piece)| *piece == wanted).map(|(range, _)| range.clone());
        assert!(holes.is_empty(), "it is a hole already");
        assert!(of(Piece::Own).any(|range| range.start == 3 * MIB), "{all:?}");
        assert!(of(Piece::Origin).all(|range| range.end <= 3 * MIB), "{all:?}");
        assert!(all.is_sorted_by_key(|(range, _)| range.start), "{all:?}");
    }
}
