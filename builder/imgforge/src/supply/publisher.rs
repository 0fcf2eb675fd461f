//! What the projects themselves say of their releases: the hashes of a patch's programs, and which patch of a line is the newest.

use imgforge_kube::{engine::Patch, version::Version};
use imgforge_spec::{Class, Diagnose, Sha256};

use super::{
    checksum_file,
    download::{self, Downloader, protected},
};
use crate::{
    catalogue::bump::{Bump, Program, Said},
    host::settings::Settings,
};

/// Who is asked.
#[derive(Debug)]
pub(crate) struct Publisher<'a> {
    downloader: Downloader,
    settings: &'a Settings,
}

/// Why a project does not say what is asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such patch.
    #[error("{patch} is not published")]
    NotPublished {
        /// Its full name.
        patch: String,
        /// What is not there.
        source: download::Error,
    },
    /// What it says cannot be had, or is no checksum.
    #[error(transparent)]
    Download(#[from] download::Error),
    /// A hash that cannot be the program's.
    #[error("{url} says that {name} has SHA-256 {found}, {but}")]
    Contradiction {
        /// Where that was read.
        url: String,
        /// The program.
        name: String,
        /// Its hash there.
        found: Sha256,
        /// What stands against it.
        but: String,
    },
    /// Something else than a release.
    #[error("{url} names no patch of Kubernetes 1.{minor}")]
    NoPatch {
        /// What should name it.
        url: String,
        /// The 36 of 1.36.
        minor: u16,
    },
}

impl Diagnose for Error {
    fn below(&self) -> Option<&dyn Diagnose> {
        match self {
            Error::Download(error) => Some(error),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::NotPublished { .. } => {
                "`imgforge kubernetes list --online` says which patch of a line is the newest"
            }
            Error::Contradiction { .. } => {
                "a mirror lies, or the file was changed: compare with what the project says elsewhere"
            }
            Error::NoPatch { .. } | Error::Download(download::Error::NoChecksum { .. }) => {
                "something else answers in the project's place: a portal, a proxy, or a mirror in config.yaml"
            }
            Error::Download(download::Error::Unprotected { .. }) => {
                "write https:// in the release's file, or name a mirror that has it in config.yaml"
            }
            Error::Download(_) => "a mirror can be named in config.yaml",
        };
        Some(hint.into())
    }

    fn class(&self) -> Class {
        match self {
            Error::NotPublished { .. } => Class::Input,
            Error::Contradiction { .. } | Error::NoPatch { .. } => Class::Machine,
            Error::Download(error) => error.class(),
        }
    }
}

impl<'a> Publisher<'a> {
    /// Asks the projects, or who mirrors them by `settings`.
    pub fn new(settings: &'a Settings) -> Result<Self, Error> {
        Ok(Self { downloader: Downloader::new()?, settings })
    }

    /// What is said of each program of `bump`, in their order.
    pub fn hashes(&self, bump: &Bump) -> Result<Vec<Said>, Error> {
        bump.programs.iter().map(|program| self.hash(program, bump.patch)).collect()
    }

    /// The SHA-256 of `program`, which belongs to `patch`.
    fn hash(&self, program: &Program, patch: Patch) -> Result<Said, Error> {
        let absent = |source: download::Error| match source.is_absent() {
            true => Error::NotPublished { patch: patch.title(), source },
            false => source.into(),
        };
        let (from, text) = self.text(&program.checksums).map_err(absent)?;
        let name = program.name();
        let sha256 = checksum_file::find(&text, name)
            .ok_or_else(|| download::Error::NoChecksum { url: from.clone(), name: name.to_owned() })?;
        match program.objection(sha256) {
            Some(but) => Err(Error::Contradiction { url: from, name: name.to_owned(), found: sha256, but }),
            None => Ok(Said { sha256, from }),
        }
    }

    /// The patch that `url` names as the newest of the line 1.`minor`.
    pub fn newest_patch(&self, url: &str, minor: u16) -> Result<Version, Error> {
        let (from, text) = self.text(url)?;
        let version: Option<Version> = text.trim().parse().ok();
        version.filter(|version| version.minor == minor).ok_or(Error::NoPatch { url: from, minor })
    }

    /// The small file at `url`, from where nobody on the way can change it, and where that was.
    fn text(&self, url: &str) -> Result<(String, String), download::Error> {
        let candidates = protected(url, &self.settings.candidates(url))?;
        let (from, bytes) = self.downloader.small(&candidates)?;
        Ok((from, String::from_utf8_lossy(&bytes).into_owned()))
    }
}
