//! Which format a file has, by its first bytes.

use std::fmt;

use imgforge_ext4::Content;

use super::Foreign;
use crate::{
    content::FileContent,
    error::{Error, Result},
};

/// The format of an image file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The image itself.
    Raw,
    /// .xz
    Xz,
    /// .gz
    Gzip,
    /// .zst
    Zstandard,
    /// .zip with one image
    Zip,
}

/// First bytes of the formats we decode.
const MAGICS: [(&[u8], Format); 5] = [
    (b"\xFD7zXZ\0", Format::Xz),
    (b"\x1F\x8B", Format::Gzip),
    (b"\x28\xB5\x2F\xFD", Format::Zstandard),
    (b"PK\x03\x04", Format::Zip),
    (b"PK\x05\x06", Format::Zip),
];

/// First bytes of what people have in an image's place.
const FOREIGN: [(&[u8], &str); 8] = [
    (b"BZh", "bzip2 file"),
    (b"7z\xBC\xAF\x27\x1C", "7-Zip archive"),
    (b"Rar!", "RAR archive"),
    (b"\x04\x22\x4D\x18", "LZ4 file"),
    (b"QFI\xFB", "QEMU qcow2 image"),
    (b"<!DOCTYPE", "web page"),
    (b"<!doctype", "web page"),
    (b"<html", "web page"),
];

impl Format {
    /// The format of `file`; anything without a known beginning is taken for a raw image.
    pub fn of(file: &FileContent) -> Result<Self> {
        let mut start = [0; 16];
        let length = file.len().min(start.len() as u64) as usize;
        let (start, _) = start.split_at_mut(length);
        file.read_at(0, start).map_err(|error| Error::io("cannot read", file.path(), error))?;
        if let Some((_, kind)) = FOREIGN.iter().find(|(magic, _)| start.starts_with(magic)) {
            return Err(Error::unsupported(Foreign::Kind(kind)));
        }
        let known = MAGICS.iter().find(|(magic, _)| start.starts_with(magic));
        Ok(known.map_or(Self::Raw, |(_, format)| *format))
    }

    /// Whether `bytes` are the beginning of a file of this format.
    pub(super) fn begins(self, bytes: &[u8]) -> bool {
        MAGICS.iter().any(|(magic, format)| *format == self && bytes.starts_with(magic))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::Xz => ".xz",
            Self::Gzip => ".gz",
            Self::Zstandard => ".zst",
            Self::Zip => ".zip",
        })
    }
}
