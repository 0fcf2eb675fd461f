//! The store: bytes kept by their SHA-256, so that what a build uses is what was pinned.
//!
//! ```text
//! lock                      held by every process that uses the store, and alone by one that takes things out
//! blobs/<sha256>            a file as it was published
//! blobs/<sha256>.yaml       size and time of modification it had when it was last hashed
//! blobs/<sha256>.partial    the same file, while it is downloaded
//! bases/<sha256>.img        a decoded image, by the hash of the image, sparse and read-only
//! bases/<sha256>.bmap       digests of ranges of that image, as a block map has them
//! bases/<sha256>.yaml       what came out of the published file with that hash
//! unpacked/<sha256>.*       what came out of the package or tarball with that hash
//! unpinned/<sha256>         a repository's release file, by the hash of its URL, as it was last seen
//! given/<sha256>.yaml       the hash of a file of the user's, by the hash of its path, and what it was like then
//! import.*/                 files that are being imported
//! ```
//!
//! What is in `bases` and `unpacked` can be made again from `blobs`. A file is hashed before it gets its name; afterwards its
//! size and time of modification stand for the hash, and it is hashed again when they differ.

mod bases;
mod blobs;
mod contents;
mod error;
mod given;
mod references;
mod transfer;

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use imgforge_disk::{Access, AtomicFile, FileContent, sha256_of};
use imgforge_spec::Sha256;

use self::error::failed;
pub use self::{
    bases::{DecodedBase, Record},
    contents::{Entry, Kind},
    error::Error,
    references::References,
};

const BLOBS: &str = "blobs";
const BASES: &str = "bases";
const UNPACKED: &str = "unpacked";
const UNPINNED: &str = "unpinned";
const GIVEN: &str = "given";

/// A folder with the store. While a value lives, no other process takes anything out of it.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    lock: Arc<File>,
}

impl Store {
    /// Opens the store in `folder`, which is made where it is missing.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        for part in [BLOBS, BASES, UNPACKED, UNPINNED, GIVEN] {
            let path = folder.join(part);
            fs::create_dir_all(&path).map_err(failed("cannot make", &path))?;
        }
        let path = folder.join("lock");
        let lock = File::options().create(true).append(true).open(&path);
        let lock = lock.map_err(failed("cannot make", &path))?;
        lock.lock_shared().map_err(failed("cannot lock", &path))?;
        Ok(Self { folder: folder.to_owned(), lock: Arc::new(lock) })
    }

    /// Where the list of members of the archive with this hash, and the contents of its files, are or will be.
    pub fn unpacked(&self, sha256: Sha256) -> (PathBuf, PathBuf) {
        let path = |ending| self.folder.join(UNPACKED).join(format!("{sha256}.{ending}"));
        (path("index"), path("contents"))
    }

    /// Where what was last seen at `url` is kept.
    pub(crate) fn unpinned(&self, url: &str) -> PathBuf {
        let name = Sha256::of(url).to_string();
        self.folder.join(UNPINNED).join(name)
    }

    /// Runs `work` with no other process in the store.
    fn alone<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let outcome = match self.lock.try_lock() {
            Ok(()) => work(),
            Err(TryLockError::WouldBlock) => Err(Error::InUse { path: self.folder.clone() }),
            Err(TryLockError::Error(source)) => Err(failed("cannot lock", &self.folder)(source)),
        };
        // Asking for the one lock may have cost the other, even in vain.
        self.lock.lock_shared().map_err(failed("cannot lock", &self.folder))?;
        outcome
    }
}

/// Puts a file under its name only once it is whole and on disk; waits while another process does so.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    use io::Write;
    let output = AtomicFile::create_in_turn(path, Access::Public).map_err(not_written(path))?;
    output.file().write_all(bytes).map_err(failed("cannot write", path))?;
    output.commit().map_err(not_written(path))
}

/// Makes a folder for what [`write_whole`] is to write, where there is none.
pub(crate) fn make_folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(failed("cannot make", path))
}

fn not_written(path: &Path) -> impl Fn(imgforge_disk::Error) -> Error {
    move |source| failed("cannot write", path)(io::Error::other(source))
}

/// What stands for the hash of a file that has not been touched: its time of modification, in nanoseconds since 1970.
fn stamp(metadata: &fs::Metadata) -> i128 {
    i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec())
}

/// Holds the bytes of a file of the store, which is `what`, against their hash.
fn check(what: &str, path: &Path, expected: Sha256) -> Result<(), Error> {
    let unreadable = |source| Error::Decode { path: path.to_owned(), source };
    let content = FileContent::open(path).map_err(unreadable)?;
    let found = sha256_of(&content).map_err(failed("cannot read", path))?;
    if found == expected {
        return Ok(());
    }
    let what = format!("{what} {}", path.display());
    Err(Error::Mismatch { what, found, expected })
}
