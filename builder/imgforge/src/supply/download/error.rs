//! Why a file could not be had.

use std::{io, path::PathBuf};

use imgforge_spec::{Class, Diagnose, Sha256};
use reqwest::StatusCode;

use super::{
    pace::TooSlow,
    protection::{self, Downgrade},
};
use crate::supply::store;

/// Why a file could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The network may not be used, and the store does not have it.
    #[error("{url} is not in the store, and --offline forbids to fetch it")]
    Offline {
        /// What was asked for.
        url: String,
    },
    /// No server gave it.
    #[error("cannot fetch {url}")]
    Fetch {
        /// The URL that was tried last.
        url: String,
        /// Why that failed.
        source: Attempt,
    },
    /// The file cannot be kept.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A server gave other bytes than the pinned ones.
    #[error("{url} has SHA-256 {found}, but {expected} is pinned")]
    Mismatch {
        /// Where it came from.
        url: String,
        /// The hash of what came.
        found: Sha256,
        /// The pinned hash.
        expected: Sha256,
    },
    /// A server does not take a file.
    #[error("cannot put {url}")]
    Offer {
        /// Where it was to go.
        url: String,
        /// Why not.
        source: Attempt,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// What would be pinned could be anybody's.
    #[error("nothing protects {url} on its way: what it says cannot be pinned")]
    Unprotected {
        /// The checksum file.
        url: String,
    },
    /// The vendor's checksum file is none.
    #[error("{url} holds no SHA-256 for {name}")]
    NoChecksum {
        /// The checksum file.
        url: String,
        /// The file it should be for.
        name: String,
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
        let hint = match self {
            Error::Offline { .. } => {
                "`imgforge fetch` with the same options gets it where there is a network"
            }
            error if error.is_other_file() => {
                "the file was replaced, or a mirror lies: `imgforge lock --update` takes what the repository vouches for now"
            }
            Error::Fetch { source: Attempt::Status(_), .. } => {
                "repositories delete old versions: name a mirror that keeps them in config.yaml, import a store that has the \
                 file, or take newer packages with `imgforge lock --update`"
            }
            Error::Store(error) => return error.hint(),
            Error::Offer {
                source: Attempt::Status(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN),
                ..
            } => "the server asks who puts it: give a token in IMGFORGE_CACHE_TOKEN",
            Error::Offer { .. } => {
                "the server has to take files by PUT (of nginx: dav_methods PUT; create_full_put_path on)"
            }
            Error::Unprotected { .. } => {
                "write https:// in the board's profile or name a mirror that has it in config.yaml; or pin the image with \
                 `sha256`"
            }
            _ => "a mirror can be named in config.yaml",
        };
        Some(hint.into())
    }

    fn class(&self) -> Class {
        match self {
            Error::Unprotected { .. } => Class::Input,
            _ => Class::Machine,
        }
    }
}

impl Error {
    /// Whether a server has something else under the name of a pinned file.
    pub(crate) fn is_other_file(&self) -> bool {
        matches!(
            self,
            Error::Mismatch { .. } | Error::Fetch { source: Attempt::Size { .. } | Attempt::Long { .. }, .. }
        )
    }

    /// Of two servers' failures the one to tell: what one answered rather than that another cannot be reached, else this
    /// later one.
    pub(super) fn or_more_telling(self, before: Option<Self>) -> Self {
        let is_silent = |error: &Self| {
            matches!(
                error,
                Error::Fetch { source: Attempt::Http(_) | Attempt::Broken(_) | Attempt::Slow(_), .. }
            )
        };
        match before {
            Some(before) if is_silent(&self) && !is_silent(&before) => before,
            _ => self,
        }
    }

    /// Whether no server was there at all.
    pub(super) fn is_unreachable(&self) -> bool {
        matches!(self, Error::Fetch { source: Attempt::Http(error), .. } if error.is_connect() || error.is_timeout())
    }

    /// Whether there is no such file: the server says so, or without network, the store has none.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(
            self,
            Error::Fetch { source: Attempt::Status(StatusCode::NOT_FOUND), .. } | Error::Offline { .. }
        )
    }
}

/// Why one attempt failed.
#[derive(Debug, thiserror::Error)]
pub enum Attempt {
    /// No connection, or it broke.
    #[error("the connection failed")]
    Http(#[source] reqwest::Error),
    /// The server wants the file to be fetched without TLS.
    #[error(transparent)]
    Downgrade(Downgrade),
    /// The server refused.
    #[error("the server answered {0}")]
    Status(StatusCode),
    /// The server wants to know who asks, and takes no anonymous token for it.
    #[error("the server lets nobody in without a password")]
    Password,
    /// The server names a place for tokens that gives none.
    #[error("{realm} gives no token to ask with ({answer})")]
    Token {
        /// Where tokens are to be had.
        realm: String,
        /// What it answered.
        answer: String,
    },
    /// The transfer ended early.
    #[error("the transfer ended after {received} of {expected} bytes")]
    Short {
        /// Bytes that are there.
        received: u64,
        /// Bytes that should be there.
        expected: u64,
    },
    /// The server has a file of another size.
    #[error("the server has {found} bytes, but {expected} are expected")]
    Size {
        /// Bytes that are there.
        found: u64,
        /// Bytes that should be there.
        expected: u64,
    },
    /// The server has a file that is larger than any of its kind.
    #[error("the server has {found} bytes, but such a file has at most {most}")]
    TooLarge {
        /// Bytes that are there.
        found: u64,
        /// Bytes that may be there.
        most: u64,
    },
    /// The server sends next to nothing.
    #[error("the server is too slow")]
    Slow(#[source] TooSlow),
    /// The server sends more than it should.
    #[error("the server sends more than the expected {expected} bytes")]
    Long {
        /// Bytes that should be there.
        expected: u64,
    },
    /// Reading from the connection failed.
    #[error("the transfer broke")]
    Broken(#[source] io::Error),
    /// What came cannot be kept.
    #[error("cannot be kept")]
    Disk(#[source] io::Error),
}

impl From<reqwest::Error> for Attempt {
    fn from(error: reqwest::Error) -> Self {
        match protection::downgrade_of(&error) {
            Some(downgrade) => Attempt::Downgrade(downgrade),
            None => Attempt::Http(error),
        }
    }
}

impl Attempt {
    /// A failure to read what a server sends.
    pub(super) fn of_reading(error: io::Error) -> Self {
        match error.downcast::<TooSlow>() {
            Ok(slow) => Attempt::Slow(slow),
            Err(error) => Attempt::Broken(error),
        }
    }

    /// Whether asking the same server again may help.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Attempt::Status(status) => {
                status.is_server_error()
                    || matches!(
                        *status,
                        StatusCode::REQUEST_TIMEOUT
                            | StatusCode::RANGE_NOT_SATISFIABLE
                            | StatusCode::TOO_MANY_REQUESTS
                    )
            }
            Attempt::Size { .. }
            | Attempt::TooLarge { .. }
            | Attempt::Long { .. }
            | Attempt::Downgrade(_)
            | Attempt::Disk(_)
            | Attempt::Password
            | Attempt::Token { .. } => false,
            _ => true,
        }
    }
}
