//! Container images: found in a registry by their reference, pinned by digest, and made into archives that containerd
//! imports under the very references that pods ask for.
//!
//! - [`Reference`], [`Platform`]: which image; a [`document`] is what a registry says of it.
//! - [`Registry`]: from a reference to digests ([`LockedImage`]), and their bytes into the store.
//! - [`archive`]: an image of the store as one file, without copying it.
//!
//! Specifications: <https://github.com/opencontainers/distribution-spec>, <https://github.com/opencontainers/image-spec>.

pub mod archive;
pub mod document;
mod error;
mod locked;
mod platform;
mod programs;
mod reference;
mod registry;
mod splice;

pub(crate) use self::{
    archive::read_small,
    error::Error,
    locked::{Blob, LockedImage},
    platform::Platform,
    reference::{InvalidReference, Reference},
    registry::Registry,
};
