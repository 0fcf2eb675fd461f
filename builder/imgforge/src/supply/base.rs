//! Getting hold of the base: a file the user names, one made on this machine, or the vendor's download.

use std::{
    fs,
    path::{Path, PathBuf},
};

use imgforge_disk::sha256_of;
use imgforge_spec::{BoardName, Diagnose, Sha256};

use super::{
    Supply, checksum_file,
    download::{self, MOST_IMAGE, Pinned, Size},
    lock::{self, Lock},
    signature::{self, Verifier},
    store::{self, DecodedBase, Store},
};
use crate::{
    catalogue::{Board, profile::BaseImage},
    host::{console::Console, file::HostFile},
    image::open,
};

/// Where a base comes from.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    /// The board.
    pub board: &'a Board,
    /// A local image in place of the profile's.
    pub file: Option<&'a Path>,
    /// Where the lock is, which pins what the profile leaves open.
    pub lock_path: &'a Path,
    /// The store, mirrors, and whether the network may be used and the lock be changed.
    pub supply: Supply<'a>,
}

/// A base at hand.
#[derive(Debug)]
pub struct Base {
    /// The decoded image in the store.
    pub decoded: DecodedBase,
    /// The file as published or given: its blocks may be reused in a compressed output.
    pub published: PathBuf,
    /// Where it came from, for the manifest: the vendor's URL, or the file's name.
    pub(crate) origin: String,
}

/// Why there is no base.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The network.
    #[error(transparent)]
    Download(#[from] download::Error),
    /// The vendor's signature.
    #[error(transparent)]
    Signature(#[from] signature::Error),
    /// The lock.
    #[error(transparent)]
    Lock(#[from] lock::Error),
    /// The lock does not say what it is there for.
    #[error("{} has no SHA-256 of the base", path.display())]
    BrokenLock {
        /// The lock.
        path: PathBuf,
    },
    /// The lock has nothing on the base, and must not be changed.
    #[error("{} does not pin the base, and --locked forbids to change it", path.display())]
    NotLocked {
        /// The lock.
        path: PathBuf,
    },
    /// The profile names no image.
    #[error("{board} has no image: its profile names neither a URL nor a file")]
    NoWhere {
        /// The board.
        board: BoardName,
    },
    /// A base that is made on this machine is not there.
    #[error("{board} has no image yet: {} is not there", path.display())]
    NotMade {
        /// The board.
        board: BoardName,
        /// Where it would be.
        path: PathBuf,
        /// How to make it.
        made_by: Option<String>,
    },
    /// The file given with `--base`, or its checksum file.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The image in the file is not the one that is pinned.
    #[error("the image in {origin} has {what} {found}, but {expected} is pinned")]
    ImageMismatch {
        /// Where the file came from.
        origin: String,
        /// Size or hash.
        what: &'static str,
        /// As found.
        found: String,
        /// As pinned.
        expected: String,
    },
}

impl Diagnose for Error {
    fn below(&self) -> Option<&dyn Diagnose> {
        match self {
            Error::Store(error) => Some(error),
            Error::Download(error) => Some(error),
            Error::Signature(error) => Some(error),
            Error::Lock(error) => Some(error),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::NotMade { made_by: Some(made_by), .. } => return Some(format!("`{made_by}` makes it")),
            Error::Download(download::Error::Offline { .. }) => {
                "build once without --offline, or give the image with --base FILE"
            }
            Error::Download(download::Error::Fetch { .. }) => {
                "a mirror can be named in config.yaml; without a cluster an image that is here can be given with --base FILE"
            }
            Error::Download(download::Error::Mismatch { .. }) => {
                "the vendor replaced the file, or a mirror lies: compare with the vendor's signed checksum"
            }
            Error::Download(download::Error::NoChecksum { .. }) => {
                "pin the image with `sha256` in the board's profile"
            }
            Error::NotLocked { .. } => "`imgforge lock` writes it down, once and for all",
            Error::ImageMismatch { .. } => "one of the two hashes in the profile is not of this image",
            _ => return self.below()?.hint(),
        };
        Some(hint.into())
    }
}

impl Base {
    /// How a lock names the base: by the URL of `profile`, if it is from there, else by the file it was.
    pub fn pin(&self, profile: &BaseImage) -> BaseImage {
        let DecodedBase { record, .. } = &self.decoded;
        let is_profiles = profile.url.as_ref() == Some(&self.origin);
        let (url, file) = match is_profiles {
            true => (profile.url.clone(), None),
            false => (None, Some(self.origin.clone().into())),
        };
        BaseImage {
            url,
            file,
            sha256: Some(record.sha256),
            size: Some(record.size),
            image_sha256: Some(record.image_sha256),
            image_size: Some(record.image_size),
            ..BaseImage::default()
        }
    }
}

impl Source<'_> {
    /// The base, decoded in the store, every pinned hash checked; and the lock, which pins the base from now on if nothing
    /// else did.
    pub(crate) fn obtain(&self, mut lock: Option<Lock>) -> Result<(Base, Option<Lock>), Error> {
        let base = &self.board.profile.base;
        let obtained = match (self.file, &base.file, &base.url) {
            (Some(file), ..) => {
                let given = BaseImage {
                    sha256: Some(sha256_of_file(file, self.supply.store)?),
                    ..BaseImage::default()
                };
                self.decode(file.to_owned(), file_name(file), &given)?
            }
            (None, Some(file), _) => {
                let path = self.resolve(file);
                let pinned = self.made_here(base, &path)?;
                self.decode(path, file_name(file), &pinned)?
            }
            (None, None, Some(url)) => {
                let (sha256, pinned) = self.pinned(url, &mut lock)?;
                let published = self.fetch(url, (sha256, pinned.size))?;
                self.decode(published, url.clone(), &pinned)?
            }
            // A profile that says neither was refused when it was read.
            (None, None, None) => return Err(Error::NoWhere { board: self.board.profile.board.clone() }),
        };
        Ok((obtained, lock))
    }

    /// A path of a profile is relative to the folder above the profiles.
    fn resolve(&self, file: &Path) -> PathBuf {
        let profiles = self.board.path.parent().unwrap_or(Path::new("."));
        let above = profiles.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        above.join(file)
    }

    /// What the checksum file beside a base made on this machine says.
    fn made_here(&self, base: &BaseImage, path: &Path) -> Result<BaseImage, Error> {
        if !path.is_file() {
            let (board, made_by) = (self.board.profile.board.clone(), base.made_by.clone());
            return Err(Error::NotMade { board, path: path.to_owned(), made_by });
        }
        let Some(suffix) = &base.checksum_file else { return Ok(base.clone()) };
        let mut checksums = path.as_os_str().to_owned();
        checksums.push(suffix);
        let checksums = PathBuf::from(checksums);
        let text = fs::read_to_string(&checksums)
            .map_err(|source| Error::Read { path: checksums.clone(), source })?;
        let name = file_name(path);
        let sha256 = checksum_file::find(&text, &name);
        let sha256 = sha256
            .ok_or_else(|| download::Error::NoChecksum { url: checksums.display().to_string(), name })?;
        Ok(BaseImage { sha256: Some(sha256), ..base.clone() })
    }

    /// The profile's base at `url` with its hash: the profile's own, the lock's, or, once, the vendor's checksum file's.
    fn pinned(&self, url: &str, lock: &mut Option<Lock>) -> Result<(Sha256, BaseImage), Error> {
        let base = &self.board.profile.base;
        if let Some(sha256) = base.sha256 {
            return Ok((sha256, base.clone()));
        }
        if let Some(lock) = lock.as_ref().filter(|lock| lock.base.url == base.url) {
            // Only the hash is the lock's; what the profile says since then counts.
            let broken = || Error::BrokenLock { path: self.lock_path.to_owned() };
            let sha256 = lock.base.sha256.ok_or_else(broken)?;
            return Ok((sha256, BaseImage { sha256: Some(sha256), ..base.clone() }));
        }
        if self.supply.rules.locked {
            return Err(Error::NotLocked { path: self.lock_path.to_owned() });
        }
        let (sha256, pinned) = self.pin(url)?;
        let pinning = Lock { base: pinned.clone(), ..lock.take().unwrap_or_default() };
        pinning.write(self.lock_path)?;
        *lock = Some(pinning);
        self.supply.console.note(&format!("pinned it in {}", self.lock_path.display()));
        Ok((sha256, pinned))
    }

    /// Finds out what the vendor's image is, and whether the vendor signed it. The image is in the store then.
    fn pin(&self, url: &str) -> Result<(Sha256, BaseImage), Error> {
        let base = &self.board.profile.base;
        let Supply { settings, console, .. } = self.supply;
        let offline = || download::Error::Offline { url: url.to_owned() };
        let downloader = self.supply.downloader()?.ok_or_else(offline)?;
        let suffix = base.checksum_file.as_deref().unwrap_or_default();
        let sha256 = downloader.published_sha256(url, &settings.candidates(url), suffix)?;
        console.note(&format!("{url} is not pinned yet; its checksum file says {sha256}"));
        let pinned = BaseImage { sha256: Some(sha256), made_by: None, ..base.clone() };
        let image = self.fetch(url, (sha256, base.size))?;
        let Some(suffix) = &base.signature_file else { return Ok((sha256, pinned)) };
        let keys = self.board.keys();
        let signers = &self.board.vendor.image_signers;
        let signer = Verifier { signers, keys: &keys, downloader: &downloader, settings }
            .verify(&image, url, suffix)?
            .to_string();
        console.note(&format!("it is signed by {signer}"));
        Ok((sha256, BaseImage { signer: Some(signer), ..pinned }))
    }

    fn fetch(&self, url: &str, (sha256, size): (Sha256, Option<u64>)) -> Result<PathBuf, Error> {
        let Supply { store, settings, console, .. } = self.supply;
        if let Some(published) = store.verified_blob(sha256)? {
            return Ok(published);
        }
        let offline = || download::Error::Offline { url: url.to_owned() };
        let downloader = self.supply.downloader()?.ok_or_else(offline)?;
        let candidates = settings.candidates_of(url, sha256);
        let bar = console.progress(&format!("fetching {}", url.rsplit('/').next().unwrap_or(url)), size);
        let size = Size::new(size, MOST_IMAGE);
        let file = Pinned { url, candidates: &candidates, sha256, size, accept: None };
        Ok(downloader.fetch(store, file, &|at, all| bar.set(at, all))?)
    }

    fn decode(&self, published: PathBuf, origin: String, pinned: &BaseImage) -> Result<Base, Error> {
        let Supply { store, console, .. } = self.supply;
        let decoded = decode(&published, pinned, store, console)?;
        let record = &decoded.record;
        let mismatch = |what, found: String, expected: String| Error::ImageMismatch {
            origin: origin.clone(),
            what,
            found,
            expected,
        };
        if let Some(size) = pinned.image_size.filter(|&size| size != record.image_size) {
            return Err(mismatch("a size of", record.image_size.to_string(), size.to_string()));
        }
        if let Some(sha256) = pinned.image_sha256.filter(|sha256| *sha256 != record.image_sha256) {
            return Err(mismatch("SHA-256", record.image_sha256.to_string(), sha256.to_string()));
        }
        if self.file.is_some() {
            console.note(&format!("the base is {origin}, SHA-256 {}", record.sha256));
        }
        Ok(Base { decoded, published, origin })
    }
}

/// The image in the file `published`, decoded in the store; it is decoded if it is not there.
fn decode(
    published: &Path,
    pinned: &BaseImage,
    store: &Store,
    console: &Console,
) -> Result<DecodedBase, store::Error> {
    let known = pinned.sha256.map(|sha256| store.decoded(sha256)).transpose()?.flatten();
    if let Some(decoded) = known {
        return Ok(decoded);
    }
    let size = pinned.image_size.or_else(|| open::check(published).ok().flatten());
    let bar = console.progress(&format!("decoding {}", file_name(published)), size);
    store.decode(published, pinned.sha256, &|at| bar.set(at, None))
}

/// The image in the file `path`, decoded in the store.
pub fn decoded(path: &Path, store: &Store, console: &Console) -> Result<DecodedBase, Error> {
    let given = BaseImage { sha256: Some(sha256_of_file(path, store)?), ..BaseImage::default() };
    Ok(decode(path, &given, store, console)?)
}

/// The SHA-256 of the file `path`, as the store knows it of an earlier time if the file is the same.
///
/// Hashed before it is decoded, so that what was decoded before is found; and looked at before it is hashed, as that may take
/// minutes.
pub(crate) fn sha256_of_file(path: &Path, store: &Store) -> Result<Sha256, Error> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    open::check(path).map_err(|error| match error {
        imgforge_disk::Error::Io { source, .. } => read(source),
        source => store::Error::Decode { path: path.to_owned(), source }.into(),
    })?;
    let hash = || HostFile::new(path).and_then(|content| sha256_of(&content));
    store.sha256_of_given(path, hash).map_err(read)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
