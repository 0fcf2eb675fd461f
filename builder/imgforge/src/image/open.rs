//! Opening any image for reading: raw as it lies there, compressed by way of a temporary file.

use std::{
    env, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use imgforge_disk::{
    Content, FileContent,
    decode::{self, Decoded, Format, Options, decode},
    partition::{Partition, Table},
    probe::{Contents, probe_in},
    sha256_of,
};
use imgforge_spec::{Class, Diagnose, Sha256};

use super::partitions::{self, Partitions};
use crate::host::console::Console;

/// Larger images are no SD-card images; a file that decodes to more is refused.
const LARGEST_IMAGE: u64 = 256 << 30;

/// An image that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or decoded.
    #[error("cannot open {}", path.display())]
    File {
        /// The image.
        path: PathBuf,
        /// Why.
        source: imgforge_disk::Error,
    },
    /// What is in it is not laid out as a disk.
    #[error("{} cannot be used", path.display())]
    Layout {
        /// The image.
        path: PathBuf,
        /// What is in it.
        source: partitions::Error,
    },
    /// Its bytes cannot be read.
    #[error("cannot read the image")]
    Read(#[source] io::Error),
}

impl Diagnose for Error {
    fn below(&self) -> Option<&dyn Diagnose> {
        match self {
            Error::File { source, .. } => Some(source),
            Error::Layout { source, .. } => Some(source),
            Error::Read(_) => None,
        }
    }

    fn class(&self) -> Class {
        self.below().map_or(Class::Machine, Diagnose::class)
    }
}

/// An image, open for reading.
#[derive(Debug)]
pub struct OpenImage {
    /// Its bytes, decompressed.
    pub content: Arc<dyn Content>,
    /// Their SHA-256, where decoding has computed it.
    sha256: Option<Sha256>,
    /// Its partition table.
    pub(crate) table: Table,
}

impl OpenImage {
    /// Opens the image `path`.
    pub fn open(path: &Path, console: &Console) -> Result<Self, Error> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        let unusable = |source| Error::Layout { path: path.to_owned(), source };
        let file = FileContent::open(path).map_err(failed)?;
        if Format::of(&file).map_err(failed)? == Format::Raw {
            let content: Arc<dyn Content> = Arc::new(file);
            let table = partitions::table_of(&content).map_err(unusable)?;
            return Ok(Self { content, sha256: None, table });
        }
        let bar = console.progress(&format!("decoding {}", path.display()), decode::image_size(&file));
        let progress = |at| bar.set(at, None);
        let (decoded, content) = decode_nameless(path, &env::temp_dir(), &progress).map_err(failed)?;
        let sha256 = Some(decoded.image_sha256);
        let content: Arc<dyn Content> = Arc::new(content);
        let table = partitions::table_of(&content).map_err(unusable)?;
        Ok(Self { content, sha256, table })
    }

    /// SHA-256 of the whole image.
    pub fn sha256(&self) -> Result<Sha256, Error> {
        if let Some(sha256) = self.sha256 {
            return Ok(sha256);
        }
        sha256_of(&*self.content).map_err(Error::Read)
    }

    /// What lies in `partition`, by its marks.
    pub(crate) fn contents(&self, partition: &Partition) -> Option<Contents> {
        probe_in(&*self.content, partition.range()).ok().flatten()
    }

    /// What lies in the partitions, in words.
    pub(crate) fn listing(&self) -> String {
        let name = |partition: &Partition| {
            let contents = self.contents(partition).map_or("nothing that is known", Contents::name);
            format!("partition {} has {contents}", partition.number)
        };
        let all: Vec<_> = self.table.partitions().iter().map(name).collect();
        if all.is_empty() { "it has no partitions".into() } else { all.join(", ") }
    }

    /// The root file system (the last ext4) and the boot partition (the first FAT), where nothing says which they are.
    pub(crate) fn guess_partitions(&self) -> Option<Partitions> {
        let of = |kind| {
            self.table.partitions().iter().filter(move |partition| self.contents(partition) == Some(kind))
        };
        Some(Partitions {
            root: of(Contents::Ext).next_back()?.clone(),
            boot: of(Contents::Fat).next().cloned(),
        })
    }
}

/// Finds out early, by what the file `source` says of itself, that it is no image or a larger one than [`decode_to`] takes.
/// Returns the size of the image in bytes where that is known.
pub fn check(source: &Path) -> imgforge_disk::Result<Option<u64>> {
    let file = FileContent::open(source)?;
    Format::of(&file)?;
    let size = decode::image_size(&file);
    if file.len().max(size.unwrap_or(0)) > LARGEST_IMAGE {
        return Err(imgforge_disk::Error::TooLarge { limit: LARGEST_IMAGE });
    }
    Ok(size)
}

/// Decodes the image file `source` into `destination`, on all CPUs.
pub(crate) fn decode_to(
    source: &Path,
    destination: &Path,
    progress: &dyn Fn(u64),
) -> imgforge_disk::Result<Decoded> {
    decode(source, destination, &options(), progress)
}

/// Decodes the image file `source` on all CPUs, into a file in `folder` that has no name and does not stay.
pub(crate) fn decode_nameless(
    source: &Path,
    folder: &Path,
    progress: &dyn Fn(u64),
) -> imgforge_disk::Result<(Decoded, FileContent)> {
    decode::decode_nameless(source, folder, &options(), progress)
}

fn options() -> Options {
    let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    Options { threads, limit: Some(LARGEST_IMAGE) }
}
