//! Why something that should be known is not.

use std::path::PathBuf;

use imgforge_kube::{cluster::Runtime, engine::Patch, version::Refusal};
use imgforge_spec::{Architecture, Diagnose};

use super::kubernetes;
use crate::yaml;

/// Why a board's description cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No folder with profiles anywhere on the search path.
    #[error("no board profiles found; looked in {}", looked_in.join(", "))]
    NoProfiles {
        /// The folders that were tried.
        looked_in: Vec<String>,
    },
    /// What the program has inside could not be unpacked.
    #[error("cannot unpack the built-in board profiles")]
    BuiltIn {
        /// Why.
        source: std::io::Error,
    },
    /// Nobody calls a board this.
    #[error("no board is called `{asked}`")]
    UnknownBoard {
        /// The name asked for.
        asked: String,
        /// The nearest known name.
        suggestion: Option<String>,
        /// All known names.
        known: Vec<String>,
    },
    /// The name in the file is not the file's name, or two profiles claim one name.
    #[error("{}: {message}", path.display())]
    Inconsistent {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// There is no such release of Kubernetes.
    #[error("no release of Kubernetes is called `{asked}`")]
    UnknownRelease {
        /// The name asked for.
        asked: String,
        /// All known names.
        known: Vec<String>,
    },
    /// A release line that imgforge does not know.
    #[error(transparent)]
    UnknownLine(#[from] Refusal),
    /// A release line that has no file yet.
    #[error("there is no file of the release `{line}`, from which that of {patch} could be made")]
    NoFileOfLine {
        /// The name its file would have.
        line: String,
        /// The patch that was to have a file.
        patch: Patch,
        /// The names of all releases that have one.
        known: Vec<String>,
    },
    /// A release has nothing for a board.
    #[error("Kubernetes {release} has no {} for {architecture}", way.name())]
    NotForBoard {
        /// The release.
        release: String,
        /// The board's instruction set.
        architecture: Architecture,
        /// Where it was to come from.
        way: kubernetes::Way,
        /// Where it can be had instead.
        other: Option<kubernetes::Way>,
    },
    /// A release knows of no such container runtime for a board.
    #[error("Kubernetes {release} has no {} for {architecture}", runtime.name())]
    NoRuntime {
        /// The release.
        release: String,
        /// What was to run the containers.
        runtime: Runtime,
        /// The board's instruction set.
        architecture: Architecture,
    },
    /// A fingerprint that is none, among the pinned keys.
    #[error("the keys of {repository}")]
    Pinned {
        /// Whose keys.
        repository: String,
        /// What is wrong.
        source: imgforge_debian::Error,
    },
    /// A file cannot be read as what it should be.
    #[error(transparent)]
    Yaml(#[from] yaml::Error),
    /// A folder cannot be listed.
    #[error("cannot list {}", path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Diagnose for Error {
    fn below(&self) -> Option<&dyn Diagnose> {
        match self {
            Error::Yaml(error) => Some(error),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::UnknownBoard { suggestion: Some(suggestion), .. } => {
                Some(format!("did you mean `{suggestion}`?"))
            }
            Error::UnknownBoard { known, .. } => Some(format!("known boards: {}", known.join(", "))),
            Error::UnknownRelease { known, .. } => Some(format!("known releases: {}", known.join(", "))),
            Error::UnknownLine(_) => Some("a later imgforge may know it".into()),
            Error::NoFileOfLine { line, known, .. } => Some(format!(
                "write kubernetes/{line}.yaml beside the profiles, as the others are; known releases: {}",
                known.join(", ")
            )),
            Error::NotForBoard { other: Some(way), .. } => {
                Some(format!("`from: {}` has it for this board", way.name()))
            }
            Error::NotForBoard { .. } => {
                Some("choose another release with `kubernetes:` in --node FILE, or --role base".into())
            }
            Error::NoProfiles { .. } => Some("name the folder with --profiles".into()),
            Error::BuiltIn { .. } => {
                Some("set TMPDIR or XDG_CACHE_HOME to a folder that can be written".into())
            }
            _ => self.below()?.hint(),
        }
    }
}
