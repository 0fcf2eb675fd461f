//! Emitters: a disk as a file, raw or compressed. They know bytes and extents, nothing of partitions or files.

mod append;
mod chunks;
mod image;
mod raw;
mod xz;

pub use self::{
    chunks::{ChunkOptions, gzip, zstd},
    raw::{Origin, RawOptions, raw},
    xz::{XzOptions, xz},
};
use crate::digest::Sha256;

/// What an emitter wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Size of the file in bytes.
    pub size: u64,
    /// Digest of the file; none if it was not asked for.
    pub sha256: Option<Sha256>,
    /// Size of the image in bytes: the disk's, padded to a multiple of 4096.
    pub image_size: u64,
    /// Digest of the image; none if it was not asked for.
    pub image_sha256: Option<Sha256>,
}
