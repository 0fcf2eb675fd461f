//! Formats that are a row of members: .xz streams, .gz members, .zst frames. A raw image is one long member.

use std::io::{self, BufRead, BufReader, Read};

use imgforge_ext4::Content;

use super::{CHUNK, Fault, Foreign, Format, zstd_frame};
use crate::{
    content::FileContent,
    error::{Error, Result},
    xz::DECODER_MEMORY,
};

/// The largest window a decoder of .zst accepts, in bytes: its own default.
const WINDOW: u64 = 1 << 27;

/// Decodes all members of `source` in order; `give` gets the data piece by piece.
pub(super) fn decode(
    source: &FileContent,
    format: Format,
    mut give: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut reader = BufReader::with_capacity(CHUNK, Source { file: source, at: 0 });
    let mut chunk = vec![0; CHUNK];
    while next_member(&mut reader, source, format)? {
        let mut member = Member::open(format, &mut reader).map_err(|e| failed(source, format, 0, e))?;
        loop {
            let filled = fill(&mut member, &mut chunk);
            let filled = filled.map_err(|error| failed(source, format, member.position(), error))?;
            give(filled)?;
            if filled.len() < CHUNK {
                break;
            }
        }
    }
    Ok(())
}

/// Whether there is another member. Zeros and, in .zst files, skippable frames may lie between members and behind the
/// last; anything else that is no member is an error.
fn next_member(reader: &mut BufReader<Source<'_>>, source: &FileContent, format: Format) -> Result<bool> {
    let unreadable = |error| Error::io("cannot read", source.path(), error);
    let end_of_member = position(reader);
    if format == Format::Raw {
        return Ok(end_of_member < source.len());
    }
    loop {
        skip_zeros(reader).map_err(unreadable)?;
        let left = source.len() - position(reader);
        if left == 0 {
            return Ok(false);
        }
        let mut start = [0; zstd_frame::HEADER];
        let (start, _) = start.split_at_mut(left.min(zstd_frame::HEADER as u64) as usize);
        source.read_at(position(reader), start).map_err(unreadable)?;
        match zstd_frame::skippable(start).filter(|_| format == Format::Zstandard) {
            Some(length) if length > left => {
                return Err(Fault::Truncated { format, size: source.len() }.into());
            }
            Some(length) => reader.seek_relative(length as i64).map_err(unreadable)?,
            None if !format.begins(start) => return Err(Fault::Trailing { format, at: end_of_member }.into()),
            None => {
                check_window(start)?;
                return Ok(true);
            }
        }
    }
}

fn skip_zeros(reader: &mut BufReader<Source<'_>>) -> io::Result<()> {
    loop {
        let zeros = reader.fill_buf()?.iter().take_while(|byte| **byte == 0).count();
        if zeros == 0 {
            return Ok(());
        }
        reader.consume(zeros);
    }
}

/// A .zst frame that begins with `start` must not ask for more memory than `zstd -d` gives it.
fn check_window(start: &[u8]) -> Result<()> {
    match zstd_frame::Header::decode(start) {
        Some(header) if header.window > WINDOW => Err(Error::unsupported(Foreign::Memory(WINDOW))),
        _ => Ok(()),
    }
}

/// One member being decoded.
enum Member<'a, 'b> {
    Raw(&'a mut BufReader<Source<'b>>),
    Xz(Box<xz2::bufread::XzDecoder<&'a mut BufReader<Source<'b>>>>),
    Gzip(Box<flate2::bufread::GzDecoder<&'a mut BufReader<Source<'b>>>>),
    Zstandard(zstd::stream::read::Decoder<'static, &'a mut BufReader<Source<'b>>>),
}

impl<'a, 'b> Member<'a, 'b> {
    fn open(format: Format, reader: &'a mut BufReader<Source<'b>>) -> io::Result<Self> {
        Ok(match format {
            Format::Xz => {
                let stream = xz2::stream::Stream::new_stream_decoder(DECODER_MEMORY, 0)?;
                Self::Xz(Box::new(xz2::bufread::XzDecoder::new_stream(reader, stream)))
            }
            Format::Gzip => Self::Gzip(Box::new(flate2::bufread::GzDecoder::new(reader))),
            Format::Zstandard => {
                Self::Zstandard(zstd::stream::read::Decoder::with_buffer(reader)?.single_frame())
            }
            Format::Raw | Format::Zip => Self::Raw(reader),
        })
    }

    /// The byte of the source the decoder has come to.
    fn position(&self) -> u64 {
        match self {
            Self::Raw(reader) => position(reader),
            Self::Xz(decoder) => position(decoder.get_ref()),
            Self::Gzip(decoder) => position(decoder.get_ref()),
            Self::Zstandard(decoder) => position(decoder.get_ref()),
        }
    }
}

impl Read for Member<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Raw(reader) => reader.read(buf),
            Self::Xz(decoder) => decoder.read(buf),
            Self::Gzip(decoder) => decoder.read(buf),
            Self::Zstandard(decoder) => decoder.read(buf),
        }
    }
}

/// Reads until `chunk` is full or the member ends.
pub(super) fn fill<'c>(from: &mut impl Read, chunk: &'c mut [u8]) -> io::Result<&'c [u8]> {
    let mut filled = 0;
    while let Some(rest) = chunk.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match from.read(rest)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(chunk.get(..filled).unwrap_or_default())
}

/// What an error of a decoder means: the host's, a file cut off, or a damaged one.
pub(super) fn failed(source: &FileContent, format: Format, at: u64, error: io::Error) -> Error {
    if error.raw_os_error().is_some() {
        Error::io("cannot read", source.path(), error)
    } else if error.get_ref().and_then(|inner| inner.downcast_ref()) == Some(&xz2::stream::Error::MemLimit) {
        Error::unsupported(Foreign::Memory(DECODER_MEMORY))
    } else if error.kind() == io::ErrorKind::UnexpectedEof {
        Fault::Truncated { format, size: source.len() }.into()
    } else {
        Fault::Damaged { format, at, reason: error.to_string() }.into()
    }
}

fn position(reader: &BufReader<Source<'_>>) -> u64 {
    reader.get_ref().at - reader.buffer().len() as u64
}

/// A file as a stream.
pub(super) struct Source<'a> {
    pub(super) file: &'a FileContent,
    pub(super) at: u64,
}

impl Read for Source<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.file.len().saturating_sub(self.at).min(buf.len() as u64) as usize;
        if let Some(part) = buf.get_mut(..count).filter(|part| !part.is_empty()) {
            self.file.read_at(self.at, part)?;
        }
        self.at += count as u64;
        Ok(count)
    }
}

impl io::Seek for Source<'_> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let target = match to {
            io::SeekFrom::Start(at) => Some(at),
            io::SeekFrom::Current(by) => self.at.checked_add_signed(by),
            io::SeekFrom::End(by) => self.file.len().checked_add_signed(by),
        };
        self.at = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
