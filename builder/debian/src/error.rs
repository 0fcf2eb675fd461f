//! What can go wrong, by what the caller can do about it.

use std::fmt::{self, Write};
use std::io::{self, ErrorKind};

use crate::shown::Shown;

/// Every failure of this crate.
///
/// The variants say what a caller can do; the exact finding, with its numbers, is the [`Detail`]'s text and source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A reader failed: try again, or get the bytes from elsewhere.
    #[error("cannot read: {0}")]
    Io(io::Error),
    /// The bytes break their format or a limit: this file can never be used.
    #[error("malformed input: {0}")]
    Malformed(Detail),
    /// A signature, hash or date does not hold: do not use the file, ask its publisher.
    #[error("not trusted: {0}")]
    Untrusted(Detail),
    /// The input is well-formed, yet cannot be handled without running its code: choose another package.
    #[error("not supported offline: {0}")]
    Unsupported(Detail),
    /// Packages contradict each other, the base, or the request: change the set.
    #[error("conflict: {0}")]
    Conflict(Detail),
}

/// The precise finding behind an [`Error`]; its kinds are private, its text and source chain are not. What the text
/// quotes of the input has no control characters.
#[derive(Debug)]
pub struct Detail(Box<dyn std::error::Error + Send + Sync>);

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Shown(f), "{}", self.0)
    }
}

impl Detail {
    pub(crate) fn new(kind: impl std::error::Error + Send + Sync + 'static) -> Self {
        Detail(Box::new(kind))
    }
}

/// Shorthand for this crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<io::Error> for Error {
    /// Decoders report broken data as I/O errors; those speak of the bytes, not of the reader.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::InvalidData
            | ErrorKind::InvalidInput
            | ErrorKind::UnexpectedEof
            | ErrorKind::Other => Error::Malformed(Detail::new(error)),
            _ => Error::Io(error),
        }
    }
}

impl From<imgforge_spec::InvalidSha256> for Error {
    fn from(error: imgforge_spec::InvalidSha256) -> Self {
        Error::Malformed(Detail::new(error))
    }
}
