//! The image as .xz of several blocks; blocks of the vendor's file that did not change are copied as they are.

use std::{io::Write, num::NonZeroUsize, ops::Range, sync::Arc};

use xz2::{
    stream::{Check, Stream},
    write::XzEncoder,
};

use super::{Written, append::Appender, image::Image};
use crate::{
    atomic_file::AtomicFile,
    disk::Disk,
    error::{Error, Result},
    xz::{
        Block, XzFile,
        format::{self, Flags, Record},
    },
};

/// How to emit an .xz file.
#[derive(Debug, Clone, Copy)]
pub struct XzOptions<'a> {
    /// Threads that encode. Each takes the encoder's memory: 94 MiB for preset 6, 10 MiB for preset 1.
    pub threads: NonZeroUsize,
    /// The preset of `xz`, 0 to 9.
    pub preset: u32,
    /// Bytes of the image in a block that is encoded; at least 64 KiB are taken.
    pub block_size: u64,
    /// The file the base was decoded from: its blocks that did not change are copied without being decoded again. That
    /// it is the right file is known by its digest, or by decoding what was emitted.
    pub reuse: Option<&'a XzFile>,
}

const MIN_BLOCK: u64 = 64 << 10;

/// Writes `disk` to `destination`. The bytes do not depend on the number of threads. `progress` is called on this thread with
/// the bytes of the image done so far.
pub fn xz(
    disk: &Disk,
    destination: &AtomicFile,
    options: &XzOptions<'_>,
    progress: &dyn Fn(u64),
) -> Result<Written> {
    let image = Image::of(disk)?;
    let reuse = options.reuse.filter(|file| file.image_size() == disk.base().len());
    // All blocks of a stream have one type of check.
    let vendor = reuse.and_then(|file| file.blocks().first()).map(|block| block.flags);
    let (flags, check) =
        vendor.and_then(|flags| Some((flags, flags.check()?))).unwrap_or((Flags::CRC64, Check::Crc64));
    let block_size = options.block_size.max(MIN_BLOCK);
    let encoder = Encoder { preset: options.preset, check };
    let segments = segments(&image, reuse, flags, block_size);
    // Blocks of zeros may be many, and are all the same.
    let is_empty = |segment: &Segment| {
        segment.reuse.is_none()
            && segment.range.end - segment.range.start == block_size
            && image.is_zero(&segment.range)
    };
    let empty = segments.iter().any(is_empty).then(|| encoder.zeros(block_size)).transpose()?;
    let part = |index: usize| match (segments.get(index), reuse, &empty) {
        (Some(Segment { reuse: Some(block), .. }), Some(file), _) => Ok(Part::Copied(file, *block)),
        (Some(segment), _, Some(empty)) if is_empty(segment) => Ok(Part::Encoded(empty.clone())),
        (Some(segment), ..) => encoder.encode(&image, segment.range.clone()).map(Part::Encoded),
        (None, ..) => unreachable!("in_order counts the segments"),
    };

    let mut records = Vec::with_capacity(segments.len());
    let mut appender = Appender::new(destination);
    appender.append(&format::encode_header(flags))?;
    let take = |appender: &mut Appender<'_>, part: Part<'_>| match part {
        Part::Encoded(block) => {
            records.push(block.record);
            appender.append(&block.bytes)
        }
        Part::Copied(file, block) => {
            records.push(block.record);
            file.copy_block(&block, |bytes| appender.append(bytes))
        }
    };
    let ranges: Vec<_> = segments.iter().map(|segment| segment.range.clone()).collect();
    let image_sha256 = appender.append_parts(&image, options.threads, &ranges, part, take, progress)?;
    let index = format::encode_index(&records);
    appender.append(&index)?;
    appender.append(&format::encode_footer(flags, index.len() as u64))?;
    Ok(appender.finish(&image, image_sha256))
}

/// A part of the image that becomes one block.
struct Segment {
    range: Range<u64>,
    reuse: Option<Block>,
}

/// Cuts the image where the vendor's blocks end, so that those that did not change can stay.
fn segments(image: &Image<'_>, reuse: Option<&XzFile>, flags: Flags, block_size: u64) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut at = 0;
    let encoded = |range| Image::pieces(range, block_size).map(|range| Segment { range, reuse: None });
    let blocks = reuse.into_iter().flat_map(|file| file.blocks());
    for block in blocks.take_while(|block| block.image_range().end <= image.size) {
        let range = block.image_range();
        if block.flags == flags && image.is_unchanged(&range) {
            segments.push(Segment { range: range.clone(), reuse: Some(*block) });
        } else {
            segments.extend(encoded(range.clone()));
        }
        at = range.end;
    }
    segments.extend(encoded(at..image.size));
    segments
}

/// What a segment became. A vendor's block may have hundreds of megabytes: it is read only when it is its turn.
enum Part<'a> {
    Copied(&'a XzFile, Block),
    Encoded(Encoded),
}

/// A block as it will be in the file, padding included.
#[derive(Clone)]
struct Encoded {
    record: Record,
    bytes: Vec<u8>,
}

struct Encoder {
    preset: u32,
    check: Check,
}

impl Encoder {
    /// Encodes `range` of the image as one block.
    ///
    /// liblzma makes a stream of it; the block is what lies between the stream's header and its index.
    fn encode(&self, image: &Image<'_>, range: Range<u64>) -> Result<Encoded> {
        let impossible = |error| Error::Disk(std::io::Error::from(error));
        let stream = Stream::new_easy_encoder(self.preset, self.check).map_err(impossible)?;
        let mut encoder = XzEncoder::new_stream(Vec::new(), stream);
        image.read(range, |bytes| encoder.write_all(bytes).map_err(Error::Disk))?;
        let stream = encoder.finish().map_err(Error::Disk)?;
        let (record, block) = format::only_block(&stream)?;
        let (record, bytes) = format::with_sizes(record, block, self.check)?;
        Ok(Encoded { record, bytes })
    }

    fn zeros(&self, length: u64) -> Result<Encoded> {
        let mut disk = Disk::new(Arc::new(Vec::new()));
        disk.resize(length);
        self.encode(&Image::of(&disk)?, 0..length)
    }
}
