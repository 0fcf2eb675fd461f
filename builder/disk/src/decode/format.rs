//! Which format a file has, by its first bytes.

use std::fmt;

use imgforge_ext4::Content;

use super::{Foreign, zstd_frame};
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

/// What people have in an image's place: where its mark is, the mark, what it is, and what to do with it.
const FOREIGN: [(usize, &[u8], &str, &str); 28] = [
    (0, b"BZh", "bzip2 file", "unpack it first with `bunzip2`"),
    (0, LZ4, "LZ4 file", "unpack it first with `unlz4`"),
    (0, b"\x02\x21\x4C\x18", "LZ4 file", "unpack it first with `unlz4`"),
    (0, b"LZIP", "lzip file", "unpack it first with `lzip -d`"),
    (0, b"\x89LZO\0\r\n", "lzop file", "unpack it first with `lzop -d`"),
    (0, b"\x5D\0\0\x80\0", ".lzma file", "unpack it first with `unlzma`"),
    (0, b"\x1F\x9D", ".Z file", "unpack it first with `uncompress`"),
    (0, b"7z\xBC\xAF\x27\x1C", "7-Zip archive", UNPACK),
    (0, b"Rar!\x1A\x07", "RAR archive", UNPACK),
    (0, b"MSCF\0\0\0\0", "cabinet archive", UNPACK),
    (257, b"ustar", "tar archive", UNPACK),
    (0, b"!<arch>\n", "ar archive (a Debian package?)", OTHER),
    (0, b"QFI\xFB", "QEMU qcow image", CONVERT),
    (0, b"KDMV", "VMware VMDK image", CONVERT),
    (0, b"COWD", "VMware VMDK image", CONVERT),
    (0, b"# Disk DescriptorFile", "VMware VMDK descriptor", CONVERT),
    (0, b"vhdxfile", "Hyper-V VHDX image", CONVERT),
    (0, b"conectix", "Hyper-V VHD image", CONVERT),
    (64, b"\x7F\x10\xDA\xBE", "VirtualBox VDI image", CONVERT),
    (0, b"\x3A\xFF\x26\xED", "Android sparse image", "make a raw image of it first with `simg2img`"),
    (0, b"RKFW", "RKFW firmware image", OTHER),
    (0, b"IMAGEWTY", "IMAGEWTY firmware image", OTHER),
    (0, b"\x7FELF", "program", OTHER),
    (0, b"version https://git-lfs", "Git LFS pointer", "get the file it stands for with `git lfs pull`"),
    (0, b"<?xml", "XML file (a block map?)", OTHER),
    (0, b"<!DOCTYPE", "web page", PAGE),
    (0, b"<!doctype", "web page", PAGE),
    (0, b"<html", "web page", PAGE),
];
const LZ4: &[u8] = b"\x04\x22\x4D\x18";
const UNPACK: &str = "unpack it and take the image in it";
const CONVERT: &str = "make a raw image of it first with `qemu-img convert -O raw`";
const OTHER: &str = "get the image for SD cards";
const PAGE: &str = "get the image by the link for the download itself";

/// Bytes at the beginning of a file that tell its format.
const START: usize = 512;
/// Skippable frames looked behind to tell what they belong to.
const MOST_SKIPPED: usize = 16;

impl Format {
    /// The format of `file`; anything without a known beginning is taken for a raw image.
    pub fn of(file: &FileContent) -> Result<Self> {
        let mut start = [0; START];
        let mut start = start_at(file, 0, &mut start)?;
        if let Some(kind) = foreign(start) {
            return Err(Error::unsupported(kind));
        }
        if zstd_frame::skippable(start).is_none() {
            return Ok(Self::by_magic(start));
        }
        // Both .zst and .lz4 may begin with frames that say nothing.
        let (mut at, mut buffer) = (0, [0; START]);
        for _ in 0..MOST_SKIPPED {
            let Some(length) = zstd_frame::skippable(start) else { break };
            at += length;
            start = start_at(file, at, &mut buffer)?;
        }
        foreign(start).map_or(Ok(Self::Zstandard), |kind| Err(Error::unsupported(kind)))
    }

    fn by_magic(start: &[u8]) -> Self {
        let known = MAGICS.iter().find(|(magic, _)| start.starts_with(magic));
        known.map_or(Self::Raw, |(_, format)| *format)
    }

    /// Whether `bytes` are the beginning of a file of this format.
    pub(super) fn begins(self, bytes: &[u8]) -> bool {
        MAGICS.iter().any(|(magic, format)| *format == self && bytes.starts_with(magic))
    }
}

fn start_at<'b>(file: &FileContent, at: u64, buffer: &'b mut [u8; START]) -> Result<&'b [u8]> {
    let length = file.len().saturating_sub(at).min(START as u64) as usize;
    let start = buffer.split_at_mut(length).0;
    file.read_at(at, start).map_err(|error| Error::io("cannot read", file.path(), error))?;
    Ok(start)
}

/// What a file that begins with `start` is, if it is known and no image.
fn foreign(start: &[u8]) -> Option<Foreign> {
    let marked = |at: usize, mark| start.get(at..).is_some_and(|bytes| bytes.starts_with(mark));
    let (_, _, kind, advice) = FOREIGN.iter().find(|(at, mark, ..)| marked(*at, mark))?;
    Some(Foreign::Kind { kind, advice })
}

/// The image that came out of a file of `format` begins with `start`: it must not be packed once more.
pub(super) fn check_inside(format: Format, start: &[u8]) -> Result<(), Foreign> {
    let (kind, advice) = match (foreign(start), Format::by_magic(start)) {
        (Some(Foreign::Kind { kind, advice }), _) => (kind.to_owned(), advice),
        (_, Format::Raw) => return Ok(()),
        (_, inner) => (format!("{inner} file"), "unpack the outer file first"),
    };
    Err(Foreign::Inside { format, kind, advice })
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
