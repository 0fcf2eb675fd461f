//! The compressions Debian uses, decoded as streams with bounded memory.

use std::io::{BufReader, Read};

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
