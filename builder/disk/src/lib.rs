//! Disk images as an immutable base plus a delta: partition tables, FAT, emitters.
//!
//! A vendor's image file is [decoded](decode::decode) once into a raw base. A [`Disk`] over it takes edits: the
//! [partition table](partition::Table), the [boot partition](fat::Fat) and, through a [`Window`], the ext4 editor. The
//! [emitters](emit) then write the result, copying what did not change.

mod atomic_file;
pub mod bmap;
mod content;
pub mod decode;
mod delta;
mod digest;
mod disk;
pub mod emit;
mod error;
pub mod fat;
mod follow;
mod parallel;
pub mod partition;
mod sparse;
mod window;
pub mod xz;

pub use atomic_file::{Access, AtomicFile};
pub use content::FileContent;
pub use digest::Sha256;
pub use disk::{Disk, Extent, Source};
pub use error::{Corrupt, Error, Layout, Result, Unsupported};
pub use imgforge_ext4::{Content, Device};
pub use window::Window;
