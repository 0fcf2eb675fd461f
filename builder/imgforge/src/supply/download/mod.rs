//! Downloads: resumed, retried, from several mirrors, and kept only when the bytes are the ones that were pinned.

mod bearer;
mod error;
mod offer;
mod pace;
mod protection;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use imgforge_spec::{Hasher, Sha256};
use reqwest::{
    StatusCode,
    blocking::{Client, RequestBuilder, Response},
    header::{ACCEPT, CONTENT_RANGE, RANGE},
};

use self::{bearer::Tokens, pace::Paced};
pub(crate) use self::{
    error::{Attempt, Error},
    pace::Floor,
};

use crate::supply::{checksum_file, store::Store};

/// Times a server is asked before the next mirror is.
const ATTEMPTS: u32 = 4;
/// Pause after the first failure; doubled after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(400);
/// A server that sends nothing for this long is taken for dead.
const SILENCE: Duration = Duration::from_secs(30);
/// The floor of speed: a modem of 1995 has five times as much.
const FLOOR: Floor = Floor { bytes: 30 << 10, within: Duration::from_secs(30) };
/// Checksums, signatures and keys are far below this many bytes; more is something else.
const MOST_SMALL: u64 = 1 << 20;
/// Vendors' images are far below this many bytes as they are published.
pub(crate) const MOST_IMAGE: u64 = 32 << 30;
/// So are programs and manifests below this many.
pub(crate) const MOST_ARTIFACT: u64 = 2 << 30;

/// Told of the bytes received so far and, where known, of all to come.
pub(crate) type Progress<'a> = dyn Fn(u64, Option<u64>) + Sync + 'a;

/// Fetches files.
#[derive(Debug)]
pub(crate) struct Downloader {
    client: Client,
    tokens: Tokens,
    floor: Floor,
    /// Servers that did not answer. While others have the same file they are not waited for again.
    silent: Mutex<BTreeSet<String>>,
}

/// How long a pinned file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// This many bytes.
    Exactly(u64),
    /// Nobody said; a file of its kind has at most this many bytes.
    AtMost(u64),
}

impl Size {
    /// What is `known`, else at most `most`.
    pub fn new(known: Option<u64>, most: u64) -> Self {
        known.map_or(Self::AtMost(most), Self::Exactly)
    }

    fn known(self) -> Option<u64> {
        match self {
            Self::Exactly(size) => Some(size),
            Self::AtMost(_) => None,
        }
    }

    /// More bytes than these are another file's.
    fn most(self) -> u64 {
        match self {
            Self::Exactly(size) | Self::AtMost(size) => size,
        }
    }
}

/// What a server has under a name.
#[derive(Debug)]
pub(crate) struct Published {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// What a registry says their digest is (OCI distribution, Docker-Content-Digest).
    pub(crate) digest: Option<String>,
}

/// A file that is pinned.
#[derive(Debug, Clone, Copy)]
pub struct Pinned<'a> {
    /// Its URL at the vendor's.
    pub url: &'a str,
    /// Where else to try, in order; the vendor's own among them.
    pub(crate) candidates: &'a [String],
    /// Its hash.
    pub sha256: Sha256,
    /// Its size.
    pub size: Size,
    /// The kinds of files that are understood, where the server has to be told (RFC 9110, Accept).
    pub(crate) accept: Option<&'a str>,
}

impl Downloader {
    /// A downloader with a client of its own.
    pub fn new() -> Result<Self, Error> {
        Self::with_floor(FLOOR)
    }

    /// The same with another floor of speed.
    pub(crate) fn with_floor(floor: Floor) -> Result<Self, Error> {
        // An error here only says that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(Duration::from_secs(20))
            // The blocking client takes this for each single read.
            .timeout(SILENCE)
            .redirect(protection::redirects())
            .user_agent(concat!("imgforge/", env!("CARGO_PKG_VERSION")))
            .build();
        client
            .map(|client| Self { client, tokens: Tokens::new(floor), floor, silent: Mutex::default() })
            .map_err(|source| Error::Fetch { url: String::new(), source: source.into() })
    }

    /// The file, in the store; fetched if it is not there yet.
    pub(crate) fn fetch(
        &self,
        store: &Store,
        file: Pinned<'_>,
        progress: &Progress<'_>,
    ) -> Result<PathBuf, Error> {
        if let Some(path) = store.verified_blob(file.sha256)? {
            return Ok(path);
        }
        let partial = store.blob(file.sha256).with_extension("partial");
        let failed = |source| Error::Write { path: partial.clone(), source };
        let mut output = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&partial)
            .map_err(failed)?;
        // Two builds that want the same file: one fetches, the other waits and finds it.
        output.lock().map_err(failed)?;
        if let Some(path) = store.verified_blob(file.sha256)? {
            return Ok(path);
        }
        let mut last = None;
        for (index, url) in file.candidates.iter().enumerate() {
            let is_last = index + 1 == file.candidates.len();
            if !is_last && self.silent().contains(server(url)) {
                continue;
            }
            match self.fetch_from(url, &mut output, file, &partial, progress) {
                Ok(()) => return Ok(store.keep_blob(&output, &partial, file.sha256)?),
                Err(error @ Error::Write { .. }) => return Err(error),
                Err(error) => {
                    if error.is_unreachable() {
                        self.silent().insert(server(url).to_owned());
                    }
                    last = Some(error.or_more_telling(last));
                }
            }
        }
        Err(last.unwrap_or_else(|| Error::Offline { url: file.url.to_owned() }))
    }

    fn silent(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the first of `candidates` has, of at most `limit` bytes and of one of the kinds `accept`.
    pub fn document(&self, candidates: &[String], accept: &str, limit: u64) -> Result<Published, Error> {
        self.first(candidates, limit, Some(accept)).map(|(_, published)| published)
    }

    /// The file at the first of `candidates` that has it, of at most `limit` bytes. Nothing says that it is the right one.
    pub fn bytes(&self, candidates: &[String], limit: u64) -> Result<Vec<u8>, Error> {
        self.first(candidates, limit, None).map(|(_, published)| published.bytes)
    }

    /// The same for a file of at most 1 MiB; also where it came from.
    pub(crate) fn small(&self, candidates: &[String]) -> Result<(String, Vec<u8>), Error> {
        self.first(candidates, MOST_SMALL, None).map(|(from, published)| (from, published.bytes))
    }

    /// The same for one whose name is that of another with `suffix` appended.
    pub fn beside(&self, candidates: &[String], suffix: &str) -> Result<(String, Vec<u8>), Error> {
        let urls: Vec<_> = candidates.iter().map(|candidate| format!("{candidate}{suffix}")).collect();
        self.small(&urls)
    }

    fn first(
        &self,
        candidates: &[String],
        limit: u64,
        accept: Option<&str>,
    ) -> Result<(String, Published), Error> {
        let mut last = None;
        for url in candidates {
            match with_retries(url, || self.whole(url, limit, accept)) {
                Ok(published) => return Ok((url.clone(), published)),
                Err(error) => last = Some(error.or_more_telling(last)),
            }
        }
        Err(last.unwrap_or_else(|| Error::Offline { url: String::new() }))
    }

    fn whole(&self, url: &str, limit: u64, accept: Option<&str>) -> Result<Published, Attempt> {
        let response = accepted(self.get(url, accept, |request| request)?)?;
        let digest = response.headers().get("docker-content-digest").and_then(|value| value.to_str().ok());
        let digest = digest.map(str::to_owned);
        let mut bytes = Vec::new();
        let mut body = Paced::new(response, self.floor).take(limit.saturating_add(1));
        body.read_to_end(&mut bytes).map_err(Attempt::of_reading)?;
        if bytes.len() as u64 > limit {
            return Err(Attempt::Long { expected: limit });
        }
        Ok(Published { bytes, digest })
    }

    /// Asks for `url` by a request that `complete` has completed.
    fn get(
        &self,
        url: &str,
        accept: Option<&str>,
        complete: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, Attempt> {
        self.tokens.send(&self.client, url, || {
            let request = self.client.get(url);
            complete(match accept {
                Some(kinds) => request.header(ACCEPT, kinds),
                None => request,
            })
        })
    }

    /// The SHA-256 that a vendor's checksum file beside `url` gives for it. As it is what gets pinned, it is taken only from
    /// where nobody on the way can change it.
    pub(crate) fn published_sha256(
        &self,
        url: &str,
        candidates: &[String],
        suffix: &str,
    ) -> Result<Sha256, Error> {
        let name = url.rsplit('/').next().unwrap_or_default();
        let (from, text) = self.beside(&protected(url, candidates)?, suffix)?;
        let found = checksum_file::find(&String::from_utf8_lossy(&text), name);
        found.ok_or_else(|| Error::NoChecksum { url: from, name: name.to_owned() })
    }

    fn fetch_from(
        &self,
        url: &str,
        output: &mut File,
        file: Pinned<'_>,
        partial: &Path,
        progress: &Progress<'_>,
    ) -> Result<(), Error> {
        let write_failed = |source| Error::Write { path: partial.to_owned(), source };
        loop {
            let begun = output.metadata().map_err(write_failed)?.len() > 0;
            match with_retries(url, || self.transfer(url, output, file, progress)) {
                Err(Error::Fetch { source: Attempt::Disk(source), .. }) => return Err(write_failed(source)),
                other => other?,
            }
            let found = sha256(output).map_err(write_failed)?;
            if found == file.sha256 {
                return Ok(());
            }
            // Wrong bytes are no beginning of the right ones.
            output.set_len(0).map_err(write_failed)?;
            // What was there from another run or mirror may be to blame, so this server gets a chance from the start.
            if !begun {
                return Err(Error::Mismatch { url: url.to_owned(), found, expected: file.sha256 });
            }
        }
    }

    /// Appends to `output` what is missing.
    fn transfer(
        &self,
        url: &str,
        output: &mut File,
        file: Pinned<'_>,
        progress: &Progress<'_>,
    ) -> Result<(), Attempt> {
        let size = file.size.known();
        let have = output.seek(SeekFrom::End(0)).map_err(Attempt::Disk)?;
        if Some(have) == size {
            return Ok(());
        }
        let response = self.get(url, file.accept, |request| match have {
            0 => request,
            _ => request.header(RANGE, format!("bytes={have}-")),
        })?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            // What is here is not a beginning of what is there; the next attempt starts anew.
            output.set_len(0).map_err(Attempt::Disk)?;
        }
        let response = accepted(response)?;
        let resumed =
            response.status() == StatusCode::PARTIAL_CONTENT && range_start(&response) == Some(have);
        if !resumed {
            output.set_len(0).and_then(|()| output.rewind()).map_err(Attempt::Disk)?;
        }
        let mut at = if resumed { have } else { 0 };
        let promised = response.content_length().map(|rest| at.saturating_add(rest));
        if let Some(refused) = promised.and_then(|found| refusal(file.size, found)) {
            output.set_len(0).map_err(Attempt::Disk)?;
            return Err(refused);
        }
        let expected = size.or(promised);
        let mut body = Paced::new(response, self.floor);
        let mut piece = vec![0; 256 << 10];
        loop {
            let length = match body.read(&mut piece) {
                Ok(0) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other.map_err(Attempt::of_reading)?,
            };
            at += length as u64;
            if at > file.size.most() {
                output.set_len(0).map_err(Attempt::Disk)?;
                return Err(Attempt::Long { expected: file.size.most() });
            }
            output.write_all(piece.get(..length).unwrap_or_default()).map_err(Attempt::Disk)?;
            progress(at, expected);
        }
        match expected.filter(|&expected| at < expected) {
            Some(expected) => Err(Attempt::Short { received: at, expected }),
            None => Ok(()),
        }
    }
}

/// Those of `candidates` for `url` whose word can be pinned: nobody on the way can change it.
pub(crate) fn protected(url: &str, candidates: &[String]) -> Result<Vec<String>, Error> {
    let protected: Vec<_> = candidates.iter().filter(|from| protection::protects(from)).cloned().collect();
    if protected.is_empty() {
        return Err(Error::Unprotected { url: url.to_owned() });
    }
    Ok(protected)
}

/// What is wrong with a server's promise of `found` bytes for a file of `size`.
fn refusal(size: Size, found: u64) -> Option<Attempt> {
    match size {
        Size::Exactly(expected) => (found != expected).then_some(Attempt::Size { found, expected }),
        Size::AtMost(most) => (found > most).then_some(Attempt::TooLarge { found, most }),
    }
}

/// Tries again, after growing pauses, while the failure may pass.
fn with_retries<T>(url: &str, mut attempt: impl FnMut() -> Result<T, Attempt>) -> Result<T, Error> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match attempt() {
            Err(error) if error.is_passing() => thread::sleep(pause),
            outcome => return outcome.map_err(|source| Error::Fetch { url: url.to_owned(), source }),
        }
        pause *= 2;
    }
    attempt().map_err(|source| Error::Fetch { url: url.to_owned(), source })
}

/// Scheme, host and port of `url`.
fn server(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(host..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| host + at);
    url.get(..end).unwrap_or(url)
}

/// A response that brings a body, whole or from an offset on.
fn accepted(response: Response) -> Result<Response, Attempt> {
    match response.status() {
        StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(response),
        status => Err(Attempt::Status(status)),
    }
}

/// Where the part begins that a server sends (RFC 9110, Content-Range).
fn range_start(response: &Response) -> Option<u64> {
    let value = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    value.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

/// The hash of all of `file`.
fn sha256(file: &mut File) -> io::Result<Sha256> {
    file.rewind()?;
    let mut hasher = Hasher::default();
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hasher.finish()),
            length => hasher.update(piece.get(..length).unwrap_or_default()),
        }
    }
}
