//! The store: bytes kept by their SHA-256, so that what a build uses is what was pinned.
//!
//! ```text
//! blobs/<sha256>            a file as it was published
//! blobs/<sha256>.partial    the same, while it is downloaded
//! bases/<sha256>.img        a decoded image, by the hash of the image, sparse and read-only
//! bases/<sha256>.yaml       what came out of the published file with that hash
//! unpacked/<sha256>.*       what came out of the package or tarball with that hash; can always be made again
//! unpinned/<sha256>         a repository's release file, by the hash of its URL, as it was last seen
//! ```
//!
//! A decoded base is gigabytes and is hashed once, when it is decoded; afterwards its size and time of modification stand for
//! the hash, and it is hashed again when they differ.

use std::{
    fs::{self, File},
    io,
    num::NonZeroUsize,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    thread,
};

use imgforge_disk::{
    Access, AtomicFile, FileContent,
    decode::{Decoded, Options, decode},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{manifest, yaml};

/// Larger images are no SD-card images; a file that decodes to more is refused.
const LARGEST_IMAGE: u64 = 256 << 30;

/// A folder with the store.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

/// An image, decoded, as the store keeps it.
#[derive(Debug, Clone)]
pub struct DecodedBase {
    /// The decoded image.
    pub path: PathBuf,
    /// Its record.
    pub record: Record,
}

/// What came out of a published file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Record {
    /// Container format: `xz`, `raw`, …
    pub format: String,
    /// SHA-256 of the published file.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of the image in it.
    pub image_sha256: String,
    /// Its size in bytes.
    pub image_size: u64,
    /// Time of modification of the decoded image, in nanoseconds since 1970.
    stamp: i128,
}

/// The store cannot keep or give what is asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder of the store, or one to be put into it.
    #[error("{action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A published file cannot be decoded.
    #[error("cannot decode {}", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// Why.
        source: imgforge_disk::Error,
    },
    /// Bytes are not what they were said to be.
    #[error("{what} has SHA-256 {found}, but {expected} was expected")]
    Mismatch {
        /// What was hashed.
        what: String,
        /// The hash it has.
        found: String,
        /// The hash it should have.
        expected: String,
    },
    /// A record cannot be read.
    #[error(transparent)]
    Record(#[from] yaml::Error),
}

/// `action path` failed.
fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { action, path: path.to_owned(), source }
}

impl Error {
    /// Whether the build machine, not an input, is at fault.
    pub fn is_host(&self) -> bool {
        match self {
            Error::Io { .. } => true,
            Error::Decode { source, .. } => matches!(source, imgforge_disk::Error::HostFull { .. }),
            Error::Mismatch { .. } | Error::Record(_) => false,
        }
    }
}

impl Store {
    /// Opens the store in `folder`, which is made where it is missing.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        for part in ["blobs", "bases", "unpacked", "unpinned"] {
            let path = folder.join(part);
            fs::create_dir_all(&path).map_err(failed("cannot make", &path))?;
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// Where the published file with this hash is or will be.
    pub fn blob(&self, sha256: &str) -> PathBuf {
        self.folder.join("blobs").join(sha256)
    }

    /// Where the list of members of the archive with this hash, and the contents of its files, are or will be.
    pub fn unpacked(&self, sha256: &str) -> (PathBuf, PathBuf) {
        let path = |ending| self.folder.join("unpacked").join(format!("{sha256}.{ending}"));
        (path("index"), path("contents"))
    }

    /// Where what was last seen at `url` is kept.
    pub fn unpinned(&self, url: &str) -> PathBuf {
        let name = manifest::hex(Sha256::digest(url));
        self.folder.join("unpinned").join(name)
    }

    /// The decoded image of the published file with hash `sha256`, if the store has it, whole and unaltered.
    pub fn decoded(&self, sha256: &str) -> Result<Option<DecodedBase>, Error> {
        let record_path = self.record_path(sha256);
        if !record_path.is_file() {
            return Ok(None);
        }
        let record: Record = yaml::read(&record_path)?;
        let path = self.image_path(&record.image_sha256);
        let Ok(metadata) = fs::metadata(&path) else { return Ok(None) };
        if metadata.len() == record.image_size && stamp(&metadata) == record.stamp {
            return Ok(Some(DecodedBase { path, record }));
        }
        // Touched since it was decoded: believe its bytes only.
        let content = FileContent::open(&path).map_err(decode_failed(&path))?;
        let found = manifest::sha256_of(&content).map_err(failed("cannot read", &path))?;
        if found != record.image_sha256 {
            let (what, expected) = (format!("the decoded image {}", path.display()), record.image_sha256);
            return Err(Error::Mismatch { what, found, expected });
        }
        let record = Record { stamp: stamp(&metadata), ..record };
        self.write_record(&record)?;
        Ok(Some(DecodedBase { path, record }))
    }

    /// Decodes the published file `source`, which must have the hash `expected` where one is given, into the store.
    pub fn decode(
        &self,
        source: &Path,
        expected: Option<&str>,
        progress: &dyn Fn(u64),
    ) -> Result<DecodedBase, Error> {
        // One build decodes; others that want the same base wait for it, then find it there.
        let lock_path = self.folder.join("bases/decode.lock");
        let lock = File::create(&lock_path).map_err(failed("cannot make", &lock_path))?;
        lock.lock().map_err(failed("cannot lock", &lock_path))?;
        if let Some(expected) = expected
            && let Some(base) = self.decoded(expected)?
        {
            return Ok(base);
        }
        let destination = self.folder.join("bases/decoding.img");
        let output = AtomicFile::create(&destination, Access::Public).map_err(decode_failed(source))?;
        let decoded = decode_to(source, output.path(), progress).map_err(decode_failed(source))?;
        let sha256 = decoded.source_sha256.to_string();
        if let Some(expected) = expected.filter(|&expected| expected != sha256) {
            let (what, expected) = (source.display().to_string(), expected.to_owned());
            return Err(Error::Mismatch { what, found: sha256, expected });
        }
        output.commit().map_err(decode_failed(source))?;
        let image_sha256 = decoded.image_sha256.to_string();
        let path = self.image_path(&image_sha256);
        fs::set_permissions(&destination, fs::Permissions::from_mode(0o444))
            .map_err(failed("cannot protect", &destination))?;
        fs::rename(&destination, &path).map_err(failed("cannot name", &path))?;
        let metadata = fs::metadata(&path).map_err(failed("cannot read", &path))?;
        let record = Record {
            format: decoded.format.to_string(),
            sha256,
            size: decoded.source_size,
            image_sha256,
            image_size: decoded.image_size,
            stamp: stamp(&metadata),
        };
        self.write_record(&record)?;
        Ok(DecodedBase { path, record })
    }

    fn write_record(&self, record: &Record) -> Result<(), Error> {
        let path = self.record_path(&record.sha256);
        write_whole(&path, yaml::to_string(record).as_bytes())
    }

    fn record_path(&self, sha256: &str) -> PathBuf {
        self.folder.join("bases").join(format!("{sha256}.yaml"))
    }

    fn image_path(&self, image_sha256: &str) -> PathBuf {
        self.folder.join("bases").join(format!("{image_sha256}.img"))
    }
}

/// Puts a file under its name only once it is whole and on disk.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    use io::Write;
    let fail = |source: imgforge_disk::Error| Error::Io {
        action: "cannot write",
        path: path.to_owned(),
        source: io::Error::other(source),
    };
    let output = AtomicFile::create(path, Access::Public).map_err(fail)?;
    output.file().write_all(bytes).map_err(failed("cannot write", path))?;
    output.commit().map_err(fail)
}

/// Decodes the image file `source` into `destination`, on all CPUs.
pub fn decode_to(
    source: &Path,
    destination: &Path,
    progress: &dyn Fn(u64),
) -> imgforge_disk::Result<Decoded> {
    let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    decode(source, destination, &Options { threads, limit: Some(LARGEST_IMAGE) }, progress)
}

fn decode_failed(source: &Path) -> impl Fn(imgforge_disk::Error) -> Error {
    move |error| Error::Decode { path: source.to_owned(), source: error }
}

fn stamp(metadata: &fs::Metadata) -> i128 {
    i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec())
}
