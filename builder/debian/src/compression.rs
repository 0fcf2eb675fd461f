//! The compressions Debian uses, decoded as streams with bounded memory.

use std::io::{self, BufReader, Read};

use crate::error::Result;

/// Enough for `xz -9` (65 MiB) and its kin; a stream that wants more is refused (bytes).
const XZ_MEMORY_LIMIT: u64 = 128 << 20;

/// How a package member or an index is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Compression {
    /// `.xz`
    Xz,
    /// `.zst`
    Zstd,
    /// `.gz`
    Gzip,
    /// No suffix.
    None,
}

impl Compression {
    /// All of them, the one to prefer for a download first.
    pub const ALL: [Compression; 4] =
        [Compression::Xz, Compression::Zstd, Compression::Gzip, Compression::None];

    /// The suffix of file names, with its dot; empty for [`Compression::None`].
    pub fn suffix(self) -> &'static str {
        match self {
            Compression::Xz => ".xz",
            Compression::Zstd => ".zst",
            Compression::Gzip => ".gz",
            Compression::None => "",
        }
    }

    /// The bytes that every stream starts with: xz-file-format.txt 2.1.1.1, RFC 8878 3.1.1, RFC 1952 2.3.1.
    fn magic(self) -> &'static [u8] {
        match self {
            Compression::Xz => b"\xfd7zXZ\0",
            Compression::Zstd => b"\x28\xb5\x2f\xfd",
            Compression::Gzip => b"\x1f\x8b\x08",
            Compression::None => b"",
        }
    }

    /// Tells by the first bytes how a stream is compressed, and gives the whole stream back.
    pub(crate) fn detect(mut reader: impl Read) -> io::Result<(Self, impl Read)> {
        let mut start = Vec::new();
        reader.by_ref().take(6).read_to_end(&mut start)?;
        let found = Self::ALL.into_iter().find(|compression| start.starts_with(compression.magic()));
        Ok((found.unwrap_or(Compression::None), io::Cursor::new(start).chain(reader)))
    }

    /// Wraps a reader of compressed bytes into one of plain bytes.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if the decoder cannot be made.
    pub fn decode<'a>(self, reader: impl Read + 'a) -> Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Compression::Xz => {
                let stream =
                    xz2::stream::Stream::new_stream_decoder(XZ_MEMORY_LIMIT, xz2::stream::CONCATENATED)
                        .map_err(std::io::Error::from)?;
                Box::new(xz2::read::XzDecoder::new_stream(reader, stream))
            }
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(reader)?),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::new(reader))),
            Compression::None => Box::new(reader),
        })
    }
}
