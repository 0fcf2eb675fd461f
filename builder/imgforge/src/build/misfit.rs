//! Why a release image cannot become a node's.

use std::path::PathBuf;

use imgforge_spec::{Diagnose, Hostname};

/// Why an image cannot be personalised.
#[derive(Debug, thiserror::Error)]
pub enum Misfit {
    /// It is no release image of imgforge's.
    #[error("{} is no release image: {reason}", path.display())]
    NoRelease {
        /// The image.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// It is a node's already.
    #[error("{} is the image of the node {hostname} already", path.display())]
    Personal {
        /// The image.
        path: PathBuf,
        /// The node.
        hostname: Hostname,
    },
    /// It is not what the node needs.
    #[error("{} does not fit {hostname}:{}", path.display(), misfits.iter().map(line).collect::<String>())]
    Other {
        /// The image.
        path: PathBuf,
        /// The node.
        hostname: Hostname,
        /// What, as it is in the image, and as the node needs it.
        misfits: Vec<(&'static str, String, String)>,
    },
    /// The manifest is another image's.
    #[error("{} is not the manifest of {}: {what} differs", manifest.display(), path.display())]
    OtherManifest {
        /// The image.
        path: PathBuf,
        /// The manifest.
        manifest: PathBuf,
        /// What.
        what: &'static str,
    },
}

fn line((what, there, needed): &(&'static str, String, String)) -> String {
    format!("\n  {what}: the image has {there}, the node needs {needed}")
}

impl Diagnose for Misfit {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Misfit::NoRelease { .. } => "`imgforge build --board BOARD --role ROLE` makes one",
            Misfit::Personal { .. } => "take the release image that it was made from",
            Misfit::Other { .. } => {
                "take the release image for this board and role, or build the node's image"
            }
            Misfit::OtherManifest { .. } => {
                "take image and manifest of the same build; `imgforge verify` tells what differs"
            }
        };
        Some(hint.into())
    }
}
