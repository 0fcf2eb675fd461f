//! From a `.deb` or tarball in the store to files that can go into an image, without unpacking twice what was unpacked
//! before.
//!
//! What comes out of a file with some SHA-256 is kept beside it in the store: all file contents in one file, one after the
//! other, and a list of the members. Both can always be made again.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader, Read, Write},
    iter,
    panic::resume_unwind,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use imgforge_debian::{Checked, Limits, Member, MemberKind, Package, Sha256, read_tarball};
use imgforge_disk::{Access, AtomicFile, Content, FileContent};
use imgforge_spec::Diagnose;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    catalogue::artifact::Artifact,
    image::{change::Bytes, read::Slice},
    supply::{
        lock::LockedPackage,
        store::{self, Store, write_whole},
    },
};

/// Version of what the cache holds; another version's is made again.
const VERSION: u32 = 1;

/// A package whose files are at hand.
#[derive(Debug, Clone)]
pub struct Unpacked<T> {
    /// What the archive says of itself and its members.
    pub archive: T,
    contents: Arc<FileContent>,
}

/// Why an archive cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The archive is not what it should be.
    #[error("cannot unpack {what}")]
    Archive {
        /// The package or URL.
        what: String,
        /// What is wrong.
        source: imgforge_debian::Error,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The archive is another package than the lock says.
    #[error("{what} is {found} by its own words")]
    OtherPackage {
        /// The package as the lock has it.
        what: String,
        /// As the archive says.
        found: String,
    },
}

impl Diagnose for Error {
    fn below(&self) -> Option<&dyn Diagnose> {
        match self {
            Error::Store(error) => Some(error),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::Store(error) => error.hint(),
            // Its bytes are the pinned ones.
            _ => Some("it was published like this: take another version, and tell who publishes it".into()),
        }
    }
}

/// A list of members, as the store keeps it.
#[derive(Debug, Serialize, Deserialize)]
struct Index<T> {
    version: u32,
    /// Size of the contents in bytes.
    contents: u64,
    archive: T,
}

impl<T> Unpacked<T> {
    /// The `size` bytes from `offset` on of all file contents.
    ///
    /// # Errors
    /// If there are fewer.
    pub fn bytes(&self, offset: u64, size: u64, sha256: Option<Sha256>) -> io::Result<Bytes> {
        let contents: Arc<dyn Content> = Arc::clone(&self.contents) as _;
        let content = Slice::new(contents, offset..offset.saturating_add(size))?;
        Ok(Bytes { content: Arc::new(content), sha256 })
    }
}

/// The packages, unpacked; those that are not in the cache by all threads, the largest first, so that none is waited for alone.
pub fn packages(store: &Store, locked: &[&LockedPackage]) -> Result<Vec<Unpacked<Package>>, Error> {
    let mut order: Vec<(usize, &LockedPackage)> = locked.iter().copied().enumerate().collect();
    order.sort_by_key(|(_, locked)| Reverse(locked.size));
    let next = AtomicUsize::new(0);
    let work = || {
        let turns = iter::from_fn(|| order.get(next.fetch_add(1, Ordering::Relaxed)));
        turns.map(|&(index, locked)| (index, package(store, locked))).collect::<Vec<_>>()
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut all = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let done =
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
        done.flatten().collect::<Vec<_>>()
    });
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, package)| package).collect()
}

/// One package of a lock, which must be in the store.
pub(crate) fn package(store: &Store, locked: &LockedPackage) -> Result<Unpacked<Package>, Error> {
    let what = format!("{} {} {}", locked.name, locked.version, locked.architecture);
    let unpacked = cached(store, locked.sha256, &what, |deb, contents| {
        Package::read(deb, &Limits::default(), |_, content| io::copy(content, contents).map(drop))
    })?;
    let identity = &unpacked.archive.identity;
    let is_it = identity.name == locked.name
        && identity.version.as_str() == locked.version
        && identity.architecture == locked.architecture;
    if is_it { Ok(unpacked) } else { Err(Error::OtherPackage { what, found: identity.to_string() }) }
}

/// What `read` makes of the file with this hash, from the cache if it is there.
fn cached<T: Serialize + DeserializeOwned>(
    store: &Store,
    sha256: Sha256,
    what: &str,
    read: impl FnOnce(&mut dyn Read, &mut dyn Write) -> imgforge_debian::Result<T>,
) -> Result<Unpacked<T>, Error> {
    let (index_path, contents_path) = store.unpacked(sha256);
    if let Some(unpacked) = from_cache(&index_path, &contents_path) {
        return Ok(unpacked);
    }
    let archive_failed = |source| Error::Archive { what: what.to_owned(), source };
    let blob = store.verified_blob(sha256)?.unwrap_or_else(|| store.blob(sha256));
    let failed = |action| {
        let path = blob.clone();
        move |source| store::Error::Io { action, path, source }
    };
    let size = fs::metadata(&blob).map_err(failed("cannot read"))?.len();
    let file = File::open(&blob).map_err(failed("cannot read"))?;
    let output = AtomicFile::create_in_turn(&contents_path, Access::Public)
        .map_err(|error| failed("cannot unpack")(io::Error::other(error)))?;
    let mut contents = io::BufWriter::with_capacity(1 << 20, output.file());
    let mut checked = Checked::new(BufReader::with_capacity(1 << 18, file), size, sha256);
    let archive = read(&mut checked, &mut contents).map_err(archive_failed)?;
    // To the end, where the sum is checked.
    io::copy(&mut checked, &mut io::sink()).map_err(|error| archive_failed(error.into()))?;
    contents.flush().map_err(failed("cannot unpack"))?;
    drop(contents);
    let contents = output.file().metadata().map_err(failed("cannot unpack"))?.len();
    output.commit().map_err(|error| failed("cannot unpack")(io::Error::other(error)))?;
    let index = Index { version: VERSION, contents, archive };
    let json = serde_json::to_vec(&index).map_err(|error| failed("cannot unpack")(error.into()))?;
    let sealed = [Sha256::of(&json).to_string().as_bytes(), b"\n", &json].concat();
    write_whole(&index_path, &sealed)?;
    let contents =
        FileContent::open(&contents_path).map_err(|error| failed("cannot read")(io::Error::other(error)))?;
    Ok(Unpacked { archive: index.archive, contents: Arc::new(contents) })
}

/// From the cache, if all of it is there and as it was left. The contents themselves are held to the members' sums when the
/// image is read back.
fn from_cache<T: DeserializeOwned>(index: &Path, contents: &PathBuf) -> Option<Unpacked<T>> {
    let sealed = fs::read(index).ok()?;
    let (seal, json) = sealed.split_at_checked(64)?;
    let json = json.strip_prefix(b"\n")?;
    if Sha256::of(json).to_string().as_bytes() != seal {
        return None;
    }
    let index: Index<T> = serde_json::from_slice(json).ok()?;
    let is_current = index.version == VERSION && fs::metadata(contents).ok()?.len() == index.contents;
    is_current.then_some(())?;
    Some(Unpacked { archive: index.archive, contents: Arc::new(FileContent::open(contents).ok()?) })
}

/// The members of a tarball.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tarball {
    /// In their order.
    pub(crate) members: Vec<Member>,
}

/// The tarball `artifact`, which must be in the store.
pub(crate) fn tarball(store: &Store, artifact: &Artifact) -> Result<Unpacked<Tarball>, Error> {
    cached(store, artifact.sha256, &artifact.url, |file, contents| {
        let keep = |_: &Member, content: &mut dyn Read| io::copy(content, contents).map(drop);
        read_tarball(file, &Limits::default(), keep).map(|members| Tarball { members })
    })
}

/// The sum of each file of an archive, by its place among all file contents and its size.
pub(crate) fn digests(members: &[Member]) -> BTreeMap<(u64, u64), Sha256> {
    let files = members.iter().filter_map(|member| match member.kind {
        MemberKind::File { size, offset } => Some(((offset, size), member.sha256?)),
        _ => None,
    });
    files.collect()
}
