//! A signature on an image, a vendor's or a release's: whose counts, where the keys are, and whether one of them made it.
//!
//! The fingerprints in the vendor's description decide whom to trust. Where a key comes from, the user's own folder or a
//! server, decides nothing: a key with another fingerprint counts for nothing.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use imgforge_debian::{Fingerprint, Keyring, Trust};
use imgforge_spec::{Class, Diagnose};

use crate::{
    catalogue::vendor::Signer,
    host::{clock, settings::Settings},
    supply::download::{self, Downloader},
};

/// Endings of files with keys, armoured or binary.
const KEY_FILES: [&str; 3] = ["asc", "gpg", "pgp"];

/// A file of keys is far below this many bytes, however many people have signed them.
const LARGEST_KEYRING: u64 = 1 << 20;

/// Why a signature does not vouch for an image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The vendor has no signature of the image.
    #[error("there is no signature of {image}")]
    Unsigned {
        /// URL of the image.
        image: String,
        /// Why it cannot be had.
        source: download::Error,
    },
    /// None of the keys that count is at hand.
    #[error("no key to check the signature of {image} with: of {} there is none in {}", wanted.join(", "), keys.display())]
    NoKey {
        /// URL of the image.
        image: String,
        /// The fingerprints.
        wanted: Vec<String>,
        /// The folder with the user's own keys.
        keys: PathBuf,
        /// Why none could be fetched, where that was tried.
        source: Option<Box<download::Error>>,
    },
    /// The signature is not one that counts, or is of something else.
    #[error("{signature} does not vouch for {image}")]
    Untrusted {
        /// URL of the signature.
        signature: String,
        /// URL of the image.
        image: String,
        /// What is wrong with it.
        source: imgforge_debian::Error,
    },
    /// The signature beside an image is not one by a key that counts, or is of something else.
    #[error("{} does not vouch for {}", signature.display(), image.display())]
    Forged {
        /// The signature.
        signature: PathBuf,
        /// The image.
        image: PathBuf,
        /// What is wrong with it.
        source: imgforge_debian::Error,
    },
    /// A file in the folder of keys is none.
    #[error("{} is no OpenPGP key", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What it is.
        source: imgforge_debian::Error,
    },
    /// A file or folder of this machine.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Diagnose for Error {
    fn hint(&self) -> Option<String> {
        const OTHERWISE: &str =
            "pin the image with `sha256` in the board's profile, or give it with --base FILE";
        match self {
            Error::Unsigned { .. } => Some(OTHERWISE.into()),
            Error::NoKey { .. } => Some(format!("put the key there as NAME.asc; or {OTHERWISE}")),
            Error::Untrusted { .. } => Some(
                "do not use the image: ask the vendor who signs it now, and change `image-signers` if that has changed"
                    .into(),
            ),
            Error::Forged { .. } => Some(
                "do not use the image: get it and its signature again, and the key from whom you trust".into(),
            ),
            Error::Key { .. } => Some("take the file away, or export the key again".into()),
            Error::Read { .. } => None,
        }
    }

    fn class(&self) -> Class {
        match self {
            Error::Unsigned { .. } | Error::NoKey { source: Some(_), .. } | Error::Read { .. } => {
                Class::Machine
            }
            Error::Forged { .. } => Class::Image,
            _ => Class::Input,
        }
    }
}

/// The key in the file `keys` whose signature, in the file `signature`, is of the file `image` as it lies there. Key and
/// signature must be valid today.
pub(crate) fn signer(image: &Path, signature: &Path, keys: &Path) -> Result<Fingerprint, Error> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Read { path, source }
    };
    let keyring = fs::read(keys).map_err(unreadable(keys))?;
    let keyring = Keyring::parse(&keyring).map_err(|source| Error::Key { path: keys.to_owned(), source })?;
    let bytes = fs::read(signature).map_err(unreadable(signature))?;
    let mut content = File::open(image).map_err(unreadable(image))?;
    // All in the file count: it was given for that.
    let pinned = keyring.fingerprints();
    let trust = Trust { keyring: &keyring, pinned: &pinned, now: clock::now().unwrap_or(u64::MAX) };
    trust.verify_detached_stream(&mut content, &bytes).map_err(|error| match error {
        imgforge_debian::Error::Io(source) => unreadable(image)(source),
        source => Error::Forged { signature: signature.to_owned(), image: image.to_owned(), source },
    })
}

/// What it takes to check a vendor's signatures.
#[derive(Debug)]
pub(crate) struct Verifier<'a> {
    /// Whose signatures count.
    pub(crate) signers: &'a [Signer],
    /// Folder with keys of the user's; it need not be there.
    pub keys: &'a Path,
    /// Fetches signatures, and the keys that are not in the folder.
    pub(crate) downloader: &'a Downloader,
    /// Mirrors.
    pub settings: &'a Settings,
}

impl Verifier<'_> {
    /// The signer whose signature, in a file beside `url` whose name has `suffix` appended, is of `image`. Keys and
    /// signature must be valid today.
    pub(crate) fn verify(&self, image: &Path, url: &str, suffix: &str) -> Result<Fingerprint, Error> {
        let found = self.downloader.beside(&self.settings.candidates(url), suffix);
        let (signature, bytes) = found.map_err(|source| Error::Unsigned { image: url.to_owned(), source })?;
        let pinned: Vec<_> = self.signers.iter().map(|signer| signer.fingerprint).collect();
        let keyring = self.keyring(url)?;
        let unreadable = |source| Error::Read { path: image.to_owned(), source };
        let mut content = File::open(image).map_err(unreadable)?;
        // Where the clock is of no use, nothing that ever ends is valid.
        let trust = Trust { keyring: &keyring, pinned: &pinned, now: clock::now().unwrap_or(u64::MAX) };
        trust.verify_detached_stream(&mut content, &bytes).map_err(|error| match error {
            imgforge_debian::Error::Io(source) => unreadable(source),
            source => Error::Untrusted { signature, image: url.to_owned(), source },
        })
    }

    /// The user's keys, and those fetched for signers who are not among them; at least one that counts.
    fn keyring(&self, image: &str) -> Result<Keyring, Error> {
        let mut keyring = own_keys(self.keys)?;
        let mut failure = None;
        for signer in self.signers {
            let Some(url) = signer.key_url.as_deref().filter(|_| !holds(&keyring, signer)) else { continue };
            // A server may be down and another signer have signed; what a server sends need not even be a key.
            match self.downloader.bytes(&self.settings.candidates(url), LARGEST_KEYRING) {
                Ok(bytes) => keyring.extend(Keyring::parse(&bytes).unwrap_or_default()),
                Err(error) => failure = Some(error),
            }
        }
        if self.signers.iter().any(|signer| holds(&keyring, signer)) {
            return Ok(keyring);
        }
        let wanted = self.signers.iter().map(|signer| signer.fingerprint.to_string()).collect();
        let keys = self.keys.to_owned();
        Err(Error::NoKey { image: image.to_owned(), wanted, keys, source: failure.map(Box::new) })
    }
}

fn holds(keyring: &Keyring, signer: &Signer) -> bool {
    keyring.fingerprints().contains(&signer.fingerprint)
}

/// All keys in the files of `folder`.
fn own_keys(folder: &Path) -> Result<Keyring, Error> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        |source| Error::Read { path, source }
    };
    let mut keyring = Keyring::default();
    if !folder.is_dir() {
        return Ok(keyring);
    }
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let is_key = |path: &PathBuf| KEY_FILES.iter().any(|ending| path.extension() == Some(ending.as_ref()));
    let paths = entries.map_err(unreadable(folder))?.into_iter().map(|entry| entry.path());
    let mut paths: Vec<_> = paths.filter(is_key).collect();
    paths.sort();
    for path in paths {
        let bytes = fs::read(&path).map_err(unreadable(&path))?;
        keyring.extend(Keyring::parse(&bytes).map_err(|source| Error::Key { path, source })?);
    }
    Ok(keyring)
}
