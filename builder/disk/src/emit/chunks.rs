//! The image as .zst or .gz, in pieces that are compressed independently of each other: a row of frames, or the deflate
//! blocks of one member.

use std::{io::Write, mem, num::NonZeroUsize, ops::Range};

use flate2::write::DeflateEncoder;

use super::{Written, append::Appender, image::Image};
use crate::{
    atomic_file::AtomicFile,
    digest::Sha256,
    disk::Disk,
    error::{Error, Result},
};

/// Bytes of the image in a piece.
const PIECE: u64 = 8 << 20;

/// Header of a .gz member (RFC 1952, section 2.3): deflate, no name, no time, an unknown system.
const GZIP_HEADER: [u8; 10] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];
/// The last block of a deflate stream, empty (RFC 1951, section 3.2.6).
const LAST_BLOCK: [u8; 2] = [3, 0];

/// How to emit a .zst or .gz file.
#[derive(Debug, Clone, Copy)]
pub struct ChunkOptions {
    /// Threads that compress.
    pub threads: NonZeroUsize,
    /// The level: 1 to 19 for .zst, 1 to 9 for .gz.
    pub level: i32,
}

/// Writes `disk` to `destination` as .zst, with checksums. The bytes do not depend on the number of threads. `progress` is
/// called on this thread with the bytes of the image done so far.
pub fn zstd(
    disk: &Disk,
    destination: &AtomicFile,
    options: &ChunkOptions,
    progress: &dyn Fn(u64),
) -> Result<Written> {
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
    let image = Image::of(disk)?;
    let mut appender = Appender::new(destination);
    let append = |appender: &mut Appender<'_>, frame: Vec<u8>| appender.append(&frame);
    let sha256 = append_pieces(&mut appender, &image, options, (frame, append), progress)?;
    Ok(appender.finish(&image, sha256))
}

/// Writes `disk` to `destination` as .gz, without name and time. The bytes do not depend on the number of threads.
///
/// The file has one member, so that its trailer has the size of the whole image (modulo 4 GiB): Raspberry Pi Imager and
/// `gzip -l` believe it. `progress` is called as by [`zstd`].
pub fn gzip(
    disk: &Disk,
    destination: &AtomicFile,
    options: &ChunkOptions,
    progress: &dyn Fn(u64),
) -> Result<Written> {
    let level = flate2::Compression::new(options.level.clamp(0, 9).unsigned_abs());
    let blocks = |image: &Image<'_>, range: Range<u64>| {
        let mut crc = crc32fast::Hasher::new();
        let mut encoder = DeflateEncoder::new(Vec::new(), level);
        image.read(range, |bytes| {
            crc.update(bytes);
            encoder.write_all(bytes).map_err(Error::Disk)
        })?;
        // A flush ends at a whole byte: the next piece's blocks can follow.
        encoder.flush().map_err(Error::Disk)?;
        Ok((crc, mem::take(encoder.get_mut())))
    };
    let image = Image::of(disk)?;
    let mut appender = Appender::new(destination);
    let mut crc = crc32fast::Hasher::new();
    appender.append(&GZIP_HEADER)?;
    let append = |appender: &mut Appender<'_>, (piece, blocks): (crc32fast::Hasher, Vec<u8>)| {
        crc.combine(&piece);
        appender.append(&blocks)
    };
    let sha256 = append_pieces(&mut appender, &image, options, (blocks, append), progress)?;
    appender.append(&LAST_BLOCK)?;
    appender.append(&gzip_trailer(crc.finalize(), image.size))?;
    Ok(appender.finish(&image, sha256))
}

/// CRC32 and the size modulo 2^32 (RFC 1952, section 2.3.1).
fn gzip_trailer(crc: u32, size: u64) -> [u8; 8] {
    (size << 32 | u64::from(crc)).to_le_bytes()
}

/// Compresses the pieces of `image` and gives them to `append` in order; gives the digest of the image.
fn append_pieces<T: Send>(
    appender: &mut Appender<'_>,
    image: &Image<'_>,
    options: &ChunkOptions,
    (compress, append): (
        impl Fn(&Image<'_>, Range<u64>) -> Result<T> + Sync,
        impl FnMut(&mut Appender<'_>, T) -> Result<()>,
    ),
    progress: &dyn Fn(u64),
) -> Result<Sha256> {
    let pieces: Vec<_> = Image::pieces(0..image.size, PIECE).collect();
    let part = |index: usize| compress(image, pieces.get(index).cloned().unwrap_or_default());
    appender.append_parts(image, options.threads, &pieces, part, append, progress)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trailer_has_the_size_modulo_4_gib() {
        assert_eq!(gzip_trailer(0x0403_0201, (5 << 32) + 0x0807_0605), [1, 2, 3, 4, 5, 6, 7, 8]);
    }
}
