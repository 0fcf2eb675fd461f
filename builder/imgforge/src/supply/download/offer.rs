//! The other direction: published files go to a server that others ask for them by their hash.

use std::{fs::File, path::Path, time::Duration};

use reqwest::{
    StatusCode,
    blocking::Body,
    header::{CONTENT_LENGTH, HeaderMap},
};

use super::{Attempt, Downloader, Error, SILENCE, with_retries};

/// A server that takes less in a second is taken for dead, in bytes.
const SLOWEST: u64 = 128 << 10;

impl Downloader {
    /// Puts the file `path`, of `size` bytes, to `url`, unless one of that size is there; whoever asks for it checks its hash.
    /// `token` says who puts it (RFC 6750). Returns whether it was put.
    pub(crate) fn offer(
        &self,
        url: &str,
        (path, size): (&Path, u64),
        token: Option<&str>,
    ) -> Result<bool, Error> {
        let refused = |error: Error| match error {
            Error::Fetch { url, source } => Error::Offer { url, source },
            error => error,
        };
        if with_retries(url, || self.has(url, size)).map_err(refused)? {
            return Ok(false);
        }
        with_retries(url, || self.put(url, path, size, token)).map_err(refused)?;
        Ok(true)
    }

    fn has(&self, url: &str, size: u64) -> Result<bool, Attempt> {
        let response = self.client.head(url).send().map_err(Attempt::from)?;
        let length = |headers: &HeaderMap| headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse::<u64>().ok();
        Ok(response.status() == StatusCode::OK && length(response.headers()) == Some(size))
    }

    fn put(&self, url: &str, path: &Path, size: u64, token: Option<&str>) -> Result<(), Attempt> {
        let file = File::open(path).map_err(Attempt::Disk)?;
        let request = self.client.put(url).body(Body::sized(file, size));
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let patience = SILENCE.saturating_add(Duration::from_secs(size / SLOWEST));
        let response = request.timeout(patience).send().map_err(Attempt::from)?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(Attempt::Status(status)),
        }
    }
}
