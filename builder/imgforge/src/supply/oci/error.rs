//! Why an image cannot be had or used, and what to do then.

use imgforge_kube::images::InvalidManifest;
use imgforge_spec::{Class, Diagnose};

use super::{
    InvalidReference,
    document::{Digest, Malformed},
};
use crate::supply::{download, store};

/// Why an image cannot be had or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A text that is no reference.
    #[error(transparent)]
    Reference(#[from] InvalidReference),
    /// The registry has no such image.
    #[error("the registry {} has no image {reference}", registry(reference))]
    Absent {
        /// The image.
        reference: String,
        /// What it answered.
        source: Box<download::Error>,
    },
    /// The registry does not give it.
    #[error("cannot get the image {reference} from the registry {}", registry(reference))]
    Registry {
        /// The image.
        reference: String,
        /// Why.
        source: Box<download::Error>,
    },
    /// What the registry gives is no image.
    #[error("the registry {} gives for {reference} what cannot be used", registry(reference))]
    Malformed {
        /// The image.
        reference: String,
        /// What is wrong.
        source: Malformed,
    },
    /// The registry calls bytes by another digest than they have.
    #[error(
        "the registry {} sends {reference} with the digest {found}, and calls it {claimed}",
        registry(reference)
    )]
    Digest {
        /// The image.
        reference: String,
        /// The digest of what came.
        found: Digest,
        /// What it should be.
        claimed: String,
    },
    /// The image is not there for the board.
    #[error("the image {reference} is not there for {wanted}; the registry has it for {}", found.join(", "))]
    NoPlatform {
        /// The image.
        reference: String,
        /// The board's platform.
        wanted: String,
        /// The platforms it is there for.
        found: Vec<String>,
    },
    /// No program of the image runs on the board.
    #[error("the image {reference} does not run on {wanted}: {path} in it is for {reason}")]
    OtherPrograms {
        /// The image.
        reference: String,
        /// The board's platform.
        wanted: String,
        /// One of its programs.
        path: String,
        /// What that is for, instead of what it should be for.
        reason: String,
    },
    /// The image has no program, and is for another platform by its own words.
    #[error("the image {reference} should be for {wanted}, but its configuration says {found}")]
    OtherPlatform {
        /// The image.
        reference: String,
        /// The board's platform.
        wanted: String,
        /// The image's.
        found: String,
    },
    /// The lock was edited.
    #[error("the lock does not say of the image {reference} what its manifest says")]
    OtherParts {
        /// The image.
        reference: String,
    },
    /// An add-on's manifest that names no images.
    #[error("cannot tell the images of {url}")]
    Manifest {
        /// Where the manifest is from.
        url: String,
        /// What is wrong.
        source: InvalidManifest,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Diagnose for Error {
    fn below(&self) -> Option<&dyn Diagnose> {
        match self {
            Error::Store(error) => Some(error),
            _ => None,
        }
    }

    fn class(&self) -> Class {
        match self {
            Error::Absent { .. } | Error::Registry { .. } | Error::Digest { .. } => Class::Machine,
            _ => self.below().map_or(Class::Input, Diagnose::class),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Registry { source, .. } => match **source {
                download::Error::Offline { .. } => {
                    "`imgforge fetch` with the same options gets it where there is a network"
                }
                download::Error::Mismatch { .. } => LIES,
                _ => {
                    "a mirror of the registry can be named in config.yaml; with `carry-images: false` in the cluster file \
                     the first boot pulls the images instead"
                }
            },
            Error::Absent { .. } => {
                "is it there under another tag? `images` in the cluster file sets those of etcd and CoreDNS"
            }
            Error::Digest { .. } => LIES,
            Error::NoPlatform { .. } | Error::OtherPlatform { .. } | Error::OtherPrograms { .. } => {
                "take a release that is published for this board, or leave the board out"
            }
            Error::OtherParts { .. } => "`imgforge lock --update` pins the image anew",
            Error::Malformed { .. } => {
                "is the mirror in config.yaml a registry, and the reference that of an image?"
            }
            _ => return self.below()?.hint(),
        };
        Some(hint.into())
    }
}

const LIES: &str =
    "the registry or its mirror lies, or something between changes what it sends: take another mirror";

/// The registry of a full reference.
fn registry(reference: &str) -> &str {
    reference.split('/').next().unwrap_or_default()
}
