//! What is fetched: the base, packages, files and container images, each by its hash, from the network into the store.

pub mod base;
pub mod checksum_file;
pub mod download;
pub mod lock;
pub mod oci;
pub mod pin;
pub(crate) mod publisher;
pub mod repositories;
pub mod resolve;
mod set_name;
pub mod signature;
pub mod store;
pub mod unpack;

use self::{download::Downloader, store::Store};
use crate::host::{console::Console, settings::Settings};

/// What may be done to have what is wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    /// The lock must be there and fit.
    pub(crate) locked: bool,
    /// The network must not be used.
    pub(crate) offline: bool,
    /// Releases of repositories whose time has passed are taken all the same.
    pub(crate) allow_expired: bool,
}

/// What everything in this room works with.
#[derive(Debug, Clone, Copy)]
pub struct Supply<'a> {
    /// Where what was fetched is kept.
    pub store: &'a Store,
    /// Mirrors.
    pub settings: &'a Settings,
    /// Progress.
    pub console: &'a Console,
    /// What may be done.
    pub rules: Rules,
}

impl Supply<'_> {
    /// What fetches; `None` where the network must not be used.
    fn downloader(&self) -> Result<Option<Downloader>, download::Error> {
        if self.rules.offline { Ok(None) } else { Downloader::new().map(Some) }
    }
}
