//! Getting hold of the base: a file the user names, one made on this machine, or the vendor's download.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    build::manifest::sha256_of,
    catalogue::{
        profile::{BaseImage, Profile, is_sha256},
        vendor::Signer,
    },
    host::{console::Console, file::HostFile, settings::Settings},
    supply::{
        checksum_file,
        download::{self, Downloader, Pinned},
        lock::{self, Lock},
        signature::{self, Verifier},
        store::{self, DecodedBase, Store},
    },
};

/// Where a base comes from and whether the network may be used for it.
#[derive(Debug)]
pub struct Source<'a> {
    /// The board's profile.
    pub profile: &'a Profile,
    /// The file the profile was read from.
    pub profile_path: &'a Path,
    /// Whose signatures on the vendor's images count.
    pub signers: &'a [Signer],
    /// The lock, which pins what the profile leaves open.
    pub lock_path: &'a Path,
    /// A local image in place of the profile's.
    pub file: Option<&'a Path>,
    /// Never use the network.
    pub offline: bool,
    /// Never change the lock.
    pub locked: bool,
    /// Mirrors.
    pub settings: &'a Settings,
}

/// A base at hand.
#[derive(Debug)]
pub struct Base {
    /// The decoded image in the store.
    pub decoded: DecodedBase,
    /// The file as published or given: its blocks may be reused in a compressed output.
    pub published: PathBuf,
    /// Where it came from, for the manifest: the vendor's URL, or the file's name.
    pub origin: String,
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
    /// A base that is made on this machine is not there.
    #[error("{board} has no image yet: {} is not there", path.display())]
    NotMade {
        /// The board.
        board: String,
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

impl Source<'_> {
    /// The base, decoded in the store, every pinned hash checked.
    pub fn obtain(&self, store: &Store, console: &Console) -> Result<Base, Error> {
        let base = &self.profile.base;
        match (self.file, &base.file) {
            (Some(file), _) => {
                let given = BaseImage { sha256: Some(sha256_of_file(file)?), ..BaseImage::default() };
                self.decode(store, console, file.to_owned(), file_name(file), &given)
            }
            (None, Some(file)) => {
                let path = self.resolve(file);
                let pinned = self.made_here(base, &path)?;
                self.decode(store, console, path, file_name(file), &pinned)
            }
            (None, None) => {
                let pinned = self.pinned(store, console)?;
                let url = pinned.url.clone().unwrap_or_default();
                let published = self.fetch(store, console, &url, &pinned)?;
                self.decode(store, console, published, url, &pinned)
            }
        }
    }

    /// A path of a profile is relative to the folder above the profiles.
    fn resolve(&self, file: &Path) -> PathBuf {
        let profiles = self.profile_path.parent().unwrap_or(Path::new("."));
        let above = profiles.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        above.join(file)
    }

    /// What the checksum file beside a base made on this machine says.
    fn made_here(&self, base: &BaseImage, path: &Path) -> Result<BaseImage, Error> {
        if !path.is_file() {
            let (board, made_by) = (self.profile.board.clone(), base.made_by.clone());
            return Err(Error::NotMade { board, path: path.to_owned(), made_by });
        }
        let Some(suffix) = &base.checksum_file else { return Ok(base.clone()) };
        let mut checksums = path.as_os_str().to_owned();
        checksums.push(suffix);
        let checksums = PathBuf::from(checksums);
        let text = fs::read_to_string(&checksums)
            .map_err(|source| Error::Read { path: checksums.clone(), source })?;
        let name = file_name(path);
        let sha256 = checksum_file::find(&text, &name).map(str::to_owned);
        let sha256 = sha256
            .ok_or_else(|| download::Error::NoChecksum { url: checksums.display().to_string(), name })?;
        Ok(BaseImage { sha256: Some(sha256), ..base.clone() })
    }

    /// The profile's base with its hash: the profile's own, the lock's, or, once, the vendor's checksum file's.
    fn pinned(&self, store: &Store, console: &Console) -> Result<BaseImage, Error> {
        let base = &self.profile.base;
        if base.sha256.is_some() {
            return Ok(base.clone());
        }
        let lock = Lock::read(self.lock_path)?.unwrap_or_default();
        if lock.base.url == base.url {
            // Only the hash is the lock's; what the profile says since then counts.
            let sha256 = lock.base.sha256.filter(|sha256| is_sha256(sha256));
            let sha256 = sha256.ok_or_else(|| Error::BrokenLock { path: self.lock_path.to_owned() })?;
            return Ok(BaseImage { sha256: Some(sha256), ..base.clone() });
        }
        if self.locked {
            return Err(Error::NotLocked { path: self.lock_path.to_owned() });
        }
        let pinned = self.pin(store, console)?;
        Lock { base: pinned.clone(), ..lock }.write(self.lock_path)?;
        console.note(&format!("pinned it in {}", self.lock_path.display()));
        Ok(pinned)
    }

    /// Finds out what the vendor's image is, and whether the vendor signed it. The image is in the store then.
    fn pin(&self, store: &Store, console: &Console) -> Result<BaseImage, Error> {
        let base = &self.profile.base;
        let url = base.url.clone().unwrap_or_default();
        if self.offline {
            return Err(download::Error::Offline { url }.into());
        }
        let downloader = Downloader::new()?;
        let suffix = base.checksum_file.as_deref().unwrap_or_default();
        let sha256 = downloader.published_sha256(&url, &self.settings.candidates(&url), suffix)?;
        console.note(&format!("{url} is not pinned yet; its checksum file says {sha256}"));
        let pinned = BaseImage { sha256: Some(sha256), made_by: None, ..base.clone() };
        let image = self.fetch(store, console, &url, &pinned)?;
        let Some(suffix) = &base.signature_file else { return Ok(pinned) };
        let keys = self.profile_path.with_file_name("keys");
        let verifier =
            Verifier { signers: self.signers, keys: &keys, downloader: &downloader, settings: self.settings };
        let signer = verifier.verify(&image, &url, suffix)?.to_string();
        console.note(&format!("it is signed by {signer}"));
        Ok(BaseImage { signer: Some(signer), ..pinned })
    }

    fn fetch(
        &self,
        store: &Store,
        console: &Console,
        url: &str,
        pinned: &BaseImage,
    ) -> Result<PathBuf, Error> {
        let sha256 = pinned.sha256.as_deref().unwrap_or_default();
        if let Some(published) = store.verified_blob(sha256)? {
            return Ok(published);
        }
        if self.offline {
            return Err(download::Error::Offline { url: url.to_owned() }.into());
        }
        let candidates = self.settings.candidates(url);
        let bar =
            console.progress(&format!("fetching {}", url.rsplit('/').next().unwrap_or(url)), pinned.size);
        let file = Pinned { url, candidates: &candidates, sha256, size: pinned.size, accept: None };
        Ok(Downloader::new()?.fetch(store, file, &|at, all| bar.set(at, all))?)
    }

    fn decode(
        &self,
        store: &Store,
        console: &Console,
        published: PathBuf,
        origin: String,
        pinned: &BaseImage,
    ) -> Result<Base, Error> {
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
        if let Some(sha256) = pinned.image_sha256.as_ref().filter(|&sha256| *sha256 != record.image_sha256) {
            return Err(mismatch("SHA-256", record.image_sha256.clone(), sha256.clone()));
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
    let known = pinned.sha256.as_deref().map(|sha256| store.decoded(sha256)).transpose()?.flatten();
    if let Some(decoded) = known {
        return Ok(decoded);
    }
    let bar = console.progress(&format!("decoding {}", file_name(published)), pinned.image_size);
    store.decode(published, pinned.sha256.as_deref(), &|at| bar.set(at, None))
}

/// The image in the file `path`, decoded in the store.
pub fn decoded(path: &Path, store: &Store, console: &Console) -> Result<DecodedBase, Error> {
    let given = BaseImage { sha256: Some(sha256_of_file(path)?), ..BaseImage::default() };
    Ok(decode(path, &given, store, console)?)
}

/// Hashed before it is decoded, so that what was decoded before is found.
fn sha256_of_file(path: &Path) -> Result<String, Error> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    HostFile::new(path).and_then(|content| sha256_of(&content)).map_err(read)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
