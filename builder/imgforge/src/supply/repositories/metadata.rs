//! What repositories offer: their signed releases and the package indexes those vouch for.

use std::{fs::File, io::BufReader, path::Path};

use imgforge_debian::{
    Candidate, Fingerprint, Index, IndexFile, Layout, Release, Sha256, Trust, read_packages,
};

use super::{Error, Repository};
use crate::{
    host::{console::Console, settings::Settings},
    supply::{
        download::{self, Downloader, Pinned, Size},
        lock::LockedRepository,
        store::Store,
    },
};

/// Release files list a few thousand sums; more bytes are something else.
const MOST_RELEASE: u64 = 16 << 20;

/// The files of a release: <https://wiki.debian.org/DebianRepository/Format#A.22Release.22_files>.
const CLEAR_SIGNED: &str = "InRelease";
const RELEASE: &str = "Release";
const SIGNATURE: &str = "Release.gpg";

/// What is taken as current.
#[derive(Debug, Clone, Copy)]
pub struct Freshness {
    /// Seconds since 1970 at which keys, signatures and releases have to be valid.
    pub now: u64,
    /// Whether a release whose time has passed is taken all the same.
    pub(crate) allow_expired: bool,
}

/// Fetches and verifies what repositories say of themselves.
#[derive(Debug)]
pub struct Metadata<'a> {
    /// Keeps indexes by their sums, and the last release of each repository.
    pub store: &'a Store,
    /// Mirrors.
    pub settings: &'a Settings,
    /// The network; `None` where it may not be used.
    pub(crate) downloader: Option<&'a Downloader>,
    /// What counts as current.
    pub(crate) freshness: Freshness,
    /// Progress.
    pub console: &'a Console,
}

/// What one repository offers.
#[derive(Debug)]
pub struct Offer {
    /// The repository, as a lock records it.
    pub repository: LockedRepository,
    /// Its address.
    pub(crate) uri: String,
    /// Its packages; of a flat repository, those for other architectures, too.
    pub(crate) candidates: Vec<Candidate>,
}

impl Metadata<'_> {
    /// Fetches what `repository` offers for `architecture`.
    pub(crate) fn offer(&self, repository: &Repository, architecture: &str) -> Result<Offer, Error> {
        let (release, locked) = self.release(repository)?;
        let indexes = repository.layout.indexes(&release, architecture);
        if indexes.is_empty() {
            let (repository, architecture) = (repository.name(), architecture.to_owned());
            return Err(Error::NoIndex { repository, architecture });
        }
        let mut candidates = Vec::new();
        for index in &indexes {
            candidates.extend(self.candidates(repository, index)?);
        }
        Ok(Offer { repository: locked, uri: repository.uri.clone(), candidates })
    }

    /// The file at `url`, unpinned: what it says counts only once a signature holds. Without network, as it was last seen.
    pub(crate) fn unpinned(&self, url: &str) -> Result<Vec<u8>, download::Error> {
        let Some(downloader) = self.downloader else { return self.kept(url) };
        let bytes = downloader.bytes(&self.settings.candidates(url), MOST_RELEASE)?;
        self.keep(url, &bytes);
        Ok(bytes)
    }

    /// Keeps an unpinned file. Only a convenience for --offline: a failure to keep it is none to use it.
    fn keep(&self, url: &str, bytes: &[u8]) {
        let _ = crate::supply::store::write_whole(&self.store.unpinned(url), bytes);
    }

    /// An unpinned file as it was last seen.
    fn kept(&self, url: &str) -> Result<Vec<u8>, download::Error> {
        std::fs::read(self.store.unpinned(url)).map_err(|_| download::Error::Offline { url: url.to_owned() })
    }

    /// The release of `repository` as the first mirror has it whose signature and time hold.
    fn release(&self, repository: &Repository) -> Result<(Release, LockedRepository), Error> {
        let directory = format!("{}{}", repository.uri, repository.layout.release_directory());
        let Some(downloader) = self.downloader else {
            let kept = |name: &str| self.kept(&format!("{directory}{name}"));
            let signed = SignedFile::get(&kept)?;
            return self.verify(repository, &directory, &signed);
        };
        let mut last = download::Error::Offline { url: directory.clone() }.into();
        for mirror in self.settings.candidates(&directory) {
            let fetched = |name: &str| downloader.bytes(&[format!("{mirror}{name}")], MOST_RELEASE);
            let verified = SignedFile::get(&fetched).map_err(Error::from).and_then(|signed| {
                let verified = self.verify(repository, &mirror, &signed)?;
                signed.parts().for_each(|(name, bytes)| self.keep(&format!("{directory}{name}"), bytes));
                Ok(verified)
            });
            match verified {
                Ok(verified) => return Ok(verified),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Checks signature and time of a release that comes from `directory`.
    fn verify(
        &self,
        repository: &Repository,
        directory: &str,
        signed: &SignedFile,
    ) -> Result<(Release, LockedRepository), Error> {
        let refused = |source| Error::Refused { url: format!("{directory}{}", signed.name()), source };
        let trust =
            Trust { keyring: &repository.keyring, pinned: &repository.trusted, now: self.freshness.now };
        let (text, signer) = signed.verify(&trust).map_err(refused)?;
        let release = Release::parse(&text).map_err(refused)?;
        if !self.freshness.allow_expired {
            release.check_time(self.freshness.now).map_err(refused)?;
        }
        let locked = LockedRepository {
            name: repository.name(),
            release_sha256: Sha256::of(&signed.file),
            date: release.date,
            signer: signer.to_string(),
        };
        Ok((release, locked))
    }

    /// The packages of `index`, in the first form that can be had.
    fn candidates(&self, repository: &Repository, index: &Index) -> Result<Vec<Candidate>, Error> {
        let mut last = None;
        for form in &index.files {
            match self.index_file(repository, form) {
                Ok(path) => return read_index(repository, form, &path),
                Err(error) => last = Some(error),
            }
        }
        Err(last.map_or_else(
            || Error::NoIndex { repository: repository.name(), architecture: String::new() },
            Error::from,
        ))
    }

    fn index_file(
        &self,
        repository: &Repository,
        form: &IndexFile,
    ) -> Result<std::path::PathBuf, download::Error> {
        let sha256 = form.sum.sha256;
        let urls: Vec<String> = form.paths.iter().map(|path| format!("{}{path}", repository.uri)).collect();
        let url = urls.first().cloned().unwrap_or_default();
        let kept = self.store.blob(sha256);
        if kept.is_file() {
            return Ok(kept);
        }
        let Some(downloader) = self.downloader else { return Err(download::Error::Offline { url }) };
        let others = urls.iter().skip(1).flat_map(|url| self.settings.candidates(url));
        let candidates: Vec<String> =
            self.settings.candidates_of(&url, sha256).into_iter().chain(others).collect();
        let what = match &repository.layout {
            Layout::Suite { suite, .. } => suite.clone(),
            Layout::Flat { .. } => repository.uri.clone(),
        };
        let bar = self.console.progress(&format!("fetching the packages of {what}"), Some(form.sum.size));
        let file = Pinned {
            url: &url,
            candidates: &candidates,
            sha256,
            size: Size::Exactly(form.sum.size),
            accept: None,
        };
        downloader.fetch(self.store, file, &|at, all| bar.set(at, all))
    }
}

/// A release with its signature around it, or beside it.
struct SignedFile {
    file: Vec<u8>,
    signature: Option<Vec<u8>>,
}

impl SignedFile {
    /// Gets `InRelease`, or where there is none, `Release` and `Release.gpg`.
    fn get(get: &dyn Fn(&str) -> Result<Vec<u8>, download::Error>) -> Result<Self, download::Error> {
        match get(CLEAR_SIGNED) {
            Ok(file) => Ok(Self { file, signature: None }),
            Err(error) if error.is_absent() => match get(RELEASE) {
                Ok(file) => Ok(Self { file, signature: Some(get(SIGNATURE)?) }),
                Err(_) => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// What the signed file is called.
    fn name(&self) -> &'static str {
        if self.signature.is_some() { RELEASE } else { CLEAR_SIGNED }
    }

    /// The files with their names.
    fn parts(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let signature = self.signature.as_ref().map(|signature| (SIGNATURE, signature.as_slice()));
        [(self.name(), self.file.as_slice())].into_iter().chain(signature)
    }

    /// What was signed, and by whom.
    fn verify(&self, trust: &Trust<'_>) -> imgforge_debian::Result<(Vec<u8>, Fingerprint)> {
        match &self.signature {
            Some(signature) => Ok((self.file.clone(), trust.verify_detached(&self.file, signature)?)),
            None => trust.verify_clear_signed(&self.file).map(|signed| (signed.text, signed.signer)),
        }
    }
}

fn read_index(repository: &Repository, form: &IndexFile, path: &Path) -> Result<Vec<Candidate>, Error> {
    let name = form.paths.last().map(String::as_str).unwrap_or_default();
    let refused = |source| Error::Refused { url: format!("{}{name}", repository.uri), source };
    let open = |source| {
        Error::Store(crate::supply::store::Error::Io { action: "cannot read", path: path.to_owned(), source })
    };
    let file = File::open(path).map_err(open)?;
    let checked = imgforge_debian::Checked::new(file, form.sum.size, form.sum.sha256);
    let plain = form.compression.decode(checked).map_err(refused)?;
    read_packages(BufReader::with_capacity(1 << 20, plain)).collect::<Result<_, _>>().map_err(refused)
}
