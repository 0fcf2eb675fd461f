//! The image as .zst or .gz: a row of frames (members) that are compressed independently of each other.

use std::{io::Write, num::NonZeroUsize, ops::Range};

use super::{Written, append::Appender, image::Image};
use crate::{
    atomic_file::AtomicFile,
    disk::Disk,
    error::{Error, Result},
};

/// Bytes of the image in a frame.
const FRAME: u64 = 8 << 20;

/// How to emit a .zst or .gz file.
#[derive(Debug, Clone, Copy)]
pub struct ChunkOptions {
    /// Threads that compress.
    pub threads: NonZeroUsize,
    /// The level: 1 to 19 for .zst, 1 to 9 for .gz.
    pub level: i32,
}

/// Writes `disk` to `destination` as .zst, with checksums. The bytes do not depend on the number of threads.
pub fn zstd(disk: &Disk, destination: &AtomicFile, options: &ChunkOptions) -> Result<Written> {
    let frame = |image: &Image<'_>, range: Range<u64>| {
        let mut encoder =
            zstd::stream::write::Encoder::new(Vec::new(), options.level).map_err(Error::Disk)?;
        let prepared = encoder
            .include_checksum(true)
            .and_then(|()| encoder.set_pledged_src_size(Some(range.end - range.start)));
        prepared.map_err(Error::Disk)?;
        image.read(range, |bytes| encoder.write_all(bytes).map_err(Error::Disk))?;
        encoder.finish().map_err(Error::Disk)
    };
    emit(disk, destination, options, frame)
}

/// Writes `disk` to `destination` as .gz, without name and time. The bytes do not depend on the number of threads.
pub fn gzip(disk: &Disk, destination: &AtomicFile, options: &ChunkOptions) -> Result<Written> {
    let level = flate2::Compression::new(options.level.clamp(0, 9).unsigned_abs());
    let member = |image: &Image<'_>, range: Range<u64>| {
        let mut encoder = flate2::GzBuilder::new().mtime(0).write(Vec::new(), level);
        image.read(range, |bytes| encoder.write_all(bytes).map_err(Error::Disk))?;
        encoder.finish().map_err(Error::Disk)
    };
    emit(disk, destination, options, member)
}

fn emit(
    disk: &Disk,
    destination: &AtomicFile,
    options: &ChunkOptions,
    compress: impl Fn(&Image<'_>, Range<u64>) -> Result<Vec<u8>> + Sync,
) -> Result<Written> {
    let image = Image::of(disk)?;
    let pieces: Vec<_> = Image::pieces(0..image.size, FRAME).collect();
    let part = |index: usize| compress(&image, pieces.get(index).cloned().unwrap_or_default());
    let mut appender = Appender::new(destination);
    let append = |appender: &mut Appender<'_>, bytes: Vec<u8>| appender.append(&bytes);
    let image_sha256 = appender.append_parts(&image, options.threads, pieces.len(), part, append)?;
    Ok(appender.finish(&image, image_sha256))
}
