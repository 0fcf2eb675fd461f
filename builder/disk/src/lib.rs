//! Disk images as an immutable base plus a delta: partition tables, FAT, emitters.
//!
//! A vendor's image file is [decoded](decode::decode) once into a raw base. A [`Disk`] over it takes edits: the
//! [partition table](partition::Table), the [boot partition](fat::Fat) and, through a [`Window`], the ext4 editor. The
//! [emitters](emit) then write the result, copying what did not change.
//!
//! ```no_run
//! use std::{num::NonZeroUsize, path::Path, sync::Arc};
//! use imgforge_disk::{decode, emit, fat::Fat, partition::Table, Access, AtomicFile, Disk, FileContent};
//!
//! let threads = NonZeroUsize::new(2).unwrap();
//! let options = decode::Options { threads, limit: Some(16 << 30) };
//! decode::decode(Path::new("vendor.img.xz"), Path::new("base.img"), &options, &|_| {})?;
//! let base = FileContent::open(Path::new("base.img"))?;
//!
//! let mut disk = Disk::new(Arc::new(base.clone()));
//! let mut table = Table::read(&disk)?;
//! disk.resize(disk.size() + (512 << 20));
//! let root = table.partitions().last().unwrap().clone();
//! table.grow(root.number, root.sectors + (512 << 11))?;
//! table.write(&mut disk)?;
//!
//! let boot = table.partition(1).unwrap().range();
//! let mut fat = Fat::open(Disk::window(&mut disk, boot)?, 1_700_000_000)?;
//! fat.write("cmdline.txt", b"console=tty1 root=PARTUUID=4f2c9ea0-02")?;
//! fat.finish()?;
//!
//! let output = AtomicFile::create(Path::new("node.img"), Access::Public)?;
//! let raw = emit::RawOptions { threads, origin: Some(emit::Origin::Base(&base)), digest: true };
//! emit::raw(&disk, &output, &raw, &|_| {})?;
//! output.commit()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
mod in_the_making;
mod parallel;
pub mod partition;
pub mod probe;
mod ranges;
mod scratch_folder;
mod sparse;
mod window;
mod write_back;
pub mod xz;

pub use atomic_file::{Access, AtomicFile, commit_together, partial_of};
pub use content::FileContent;
pub use digest::{Sha256, sha256_of};
pub use disk::{Disk, Extent, Source};
pub use error::{Corrupt, Error, Layout, Result, Unsupported};
pub use imgforge_ext4::{Content, Device};
pub use in_the_making::abandon_files;
pub use parallel::in_order;
pub use scratch_folder::ScratchFolder;
pub use window::Window;
