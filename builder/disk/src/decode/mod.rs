//! Decodes a vendor's image file into a sparse raw image, and takes the digests of both on the way.

mod format;
mod members;
mod output;
mod zip;
mod zstd_frame;

use std::{
    num::NonZeroUsize,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    sync::mpsc,
    thread,
};

use imgforge_ext4::Content;

pub use self::format::Format;
use self::output::Output;
use crate::{
    content::FileContent,
    digest::{Hasher, Sha256},
    error::{Error, Result},
    follow::Follower,
    parallel,
    xz::XzFile,
};

const CHUNK: usize = 1 << 20;
/// Positions the digest of the image may lag behind a decoder that works in order.
const LAG: usize = 16;

/// How to decode.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Threads that decode; .xz files of several blocks use them all.
    pub threads: NonZeroUsize,
    /// The largest image accepted, in bytes: a guard against decompression bombs.
    pub limit: Option<u64>,
}

/// What was decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The format of the source, told by its first bytes.
    pub format: Format,
    /// Digest of the source file as it lies there.
    pub source_sha256: Sha256,
    /// Size of the source file in bytes.
    pub source_size: u64,
    /// Digest of the raw image.
    pub image_sha256: Sha256,
    /// Size of the raw image in bytes.
    pub image_size: u64,
}

/// A file that is not what it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the {format} file ends early, at byte {size}: it is cut off")]
    Truncated { format: Format, size: u64 },
    #[error("the {format} file is damaged near byte {at}: {reason}")]
    Damaged { format: Format, at: u64, reason: String },
    #[error("the {format} file has other data behind it, from byte {at} on")]
    Trailing { format: Format, at: u64 },
    #[error("the {format} file says its image has {said} bytes, but it has {found}")]
    Size { format: Format, said: u64, found: u64 },
    #[error("the image is empty")]
    Empty,
}

/// A file we do not take an image from.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Foreign {
    #[error("this is a {kind}, not an image; {advice}; .img, .xz, .gz, .zst and .zip are supported")]
    Kind { kind: &'static str, advice: &'static str },
    #[error("in the {format} file is a {kind}, not an image; {advice}")]
    Inside { format: Format, kind: String, advice: &'static str },
    #[error("decoding takes more than {0} bytes of memory: pack it anew with a smaller window or dictionary")]
    Memory(u64),
    #[error("the zip file must hold one image, but holds {}", list(.0))]
    ZipImages(Vec<String>),
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Decodes the image file `source` into `destination`, a raw image with holes where it is zero.
///
/// The format is told by the file's first bytes, not by its name. `destination` is created, or emptied first; on an
/// error what it holds is of no use. `progress` is called on this thread with the bytes of the image done so far.
///
/// Memory stays below about 30 MiB plus one decoder's dictionary for each thread, whatever the size of image and blocks.
pub fn decode(
    source: &Path,
    destination: &Path,
    options: &Options,
    progress: &dyn Fn(u64),
) -> Result<Decoded> {
    let source = FileContent::open(source)?;
    let format = Format::of(&source)?;
    let output = Output::create(destination, format, options.limit)?;
    decode_to(&source, format, &output, options, progress)
}

/// As [`decode`], into a file without a name in `folder`, which only its owner may read. It takes room until the content is
/// dropped or the process ends, even by a kill. Messages call the content as they call `source`.
pub fn decode_nameless(
    source: &Path,
    folder: &Path,
    options: &Options,
    progress: &dyn Fn(u64),
) -> Result<(Decoded, FileContent)> {
    let source = FileContent::open(source)?;
    let format = Format::of(&source)?;
    let output = Output::nameless(folder, format, options.limit)?;
    let decoded = decode_to(&source, format, &output, options, progress)?;
    Ok((decoded, output.into_content(source.path())?))
}

/// Decodes the image file `source` without keeping it anywhere: `give` gets the image piece by piece, in order, and ends
/// everything with its error.
///
/// Memory stays below about 2 MiB plus the decoder's dictionary.
pub fn stream(source: &FileContent, mut give: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let format = Format::of(source)?;
    let mut is_first = format != Format::Raw;
    in_order(source, format, |data: &[u8]| {
        if std::mem::take(&mut is_first) {
            format::check_inside(format, data).map_err(Error::unsupported)?;
        }
        give(data)
    })
}

/// Decodes `source`, which is of `format`, in order.
fn in_order(source: &FileContent, format: Format, give: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    match format {
        Format::Zip => zip::decode(source, give),
        _ => members::decode(source, format, give),
    }
}

fn decode_to(
    source: &FileContent,
    format: Format,
    output: &Output,
    options: &Options,
    progress: &dyn Fn(u64),
) -> Result<Decoded> {
    let said = image_size(source);
    output.check_size(said.unwrap_or(0))?;
    let stop = AtomicBool::new(false);
    let (image, source_digest) = thread::scope(|scope| {
        let source_digest = scope.spawn(|| digest(source, &stop));
        let image = decode_image(source, format, output, options.threads, progress);
        stop.store(image.is_err(), Ordering::Relaxed);
        (image, join(source_digest))
    });
    let (image_sha256, image_size) = image?;
    if image_size == 0 {
        return Err(Fault::Empty.into());
    }
    if let Some(said) = said.filter(|said| *said != image_size) {
        return Err(Fault::Size { format, said, found: image_size }.into());
    }
    output.set_size(image_size)?;
    Ok(Decoded { format, source_sha256: source_digest?, source_size: source.len(), image_sha256, image_size })
}

/// The size in bytes of the image that `source` decodes to, if the file says it: nothing is decoded for that.
///
/// A .gz file never says it: its trailer has the last member's size, and that modulo 4 GiB only. Neither does a file that
/// is damaged or no image. [`decode`] refuses a file that says something else than what comes out.
pub fn image_size(source: &FileContent) -> Option<u64> {
    match Format::of(source).ok()? {
        Format::Raw => Some(source.len()),
        Format::Xz => XzFile::open(source.clone()).ok().map(|xz| xz.image_size()),
        Format::Zstandard => zstd_frame::image_size(source),
        Format::Zip => zip::image_size(source),
        Format::Gzip => None,
    }
}

/// The result of a thread; its panic, if it panicked.
fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The digest of a file, or of less once `stop` is set.
fn digest(file: &FileContent, stop: &AtomicBool) -> Result<Sha256> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; CHUNK];
    while hasher.length() < file.len() && !stop.load(Ordering::Relaxed) {
        let length = (file.len() - hasher.length()).min(CHUNK as u64) as usize;
        let part = buffer.get_mut(..length).unwrap_or_default();
        file.read_at(hasher.length(), part).map_err(|e| Error::io("cannot read", file.path(), e))?;
        hasher.update(part);
    }
    Ok(hasher.finish())
}

/// Decodes into `output`; this thread hashes what the others have written.
fn decode_image(
    source: &FileContent,
    format: Format,
    output: &Output,
    threads: NonZeroUsize,
    progress: &dyn Fn(u64),
) -> Result<(Sha256, u64)> {
    let follower = Follower::new(output.file(), output.path(), progress);
    // An index that cannot be read says too little about the cause; decoding in order finds it.
    let xz = (format == Format::Xz).then(|| XzFile::open(source.clone()).ok()).flatten();
    match xz {
        Some(xz) if xz.blocks().len() > 1 => decode_blocks(&xz, output, threads, follower),
        _ => decode_in_order(source, format, output, follower),
    }
}

fn decode_blocks(
    xz: &XzFile,
    output: &Output,
    threads: NonZeroUsize,
    mut follower: Follower<'_>,
) -> Result<(Sha256, u64)> {
    let block = |index: usize| {
        let Some(block) = xz.blocks().get(index) else { return Ok(0) };
        let mut at = block.image_range().start;
        xz.decode_block(block, |data| {
            output.write(at, data)?;
            at += data.len() as u64;
            Ok(())
        })?;
        Ok(at)
    };
    parallel::in_order(threads, xz.blocks().len(), block, |_, end| follower.advance(end))?;
    Ok(follower.finish())
}

fn decode_in_order(
    source: &FileContent,
    format: Format,
    output: &Output,
    mut follower: Follower<'_>,
) -> Result<(Sha256, u64)> {
    let (sender, receiver) = mpsc::sync_channel(LAG);
    thread::scope(|scope| {
        let decoder = scope.spawn(move || {
            let mut at = 0;
            let give = |data: &[u8]| {
                output.write(at, data)?;
                at += data.len() as u64;
                // A follower that is gone has failed, and says why itself.
                let _ = sender.send(at);
                Ok(())
            };
            in_order(source, format, give)
        });
        let followed = receiver.iter().try_for_each(|end| follower.advance(end));
        drop(receiver);
        join(decoder).and(followed)
    })?;
    Ok(follower.finish())
}
