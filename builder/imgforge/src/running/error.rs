//! Why a cluster that runs cannot be talked with, and what to do then.

use std::error::Error as StdError;

use imgforge_kube::{objects::InvalidObject, pki};
use imgforge_spec::{Class, Diagnose};

use super::removal::Refusal;

/// Why a cluster that runs cannot be talked with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No certificate could be made of the secrets.
    #[error("the secrets give no certificate")]
    Identity(#[from] pki::Error),
    /// The certificates cannot be used for TLS.
    #[error("TLS cannot be set up with the cluster's certificates: {}", innermost(source))]
    Setup {
        /// Why.
        source: reqwest::Error,
    },
    /// The cluster has nobody who could answer.
    #[error("the cluster has no node with `role: master`")]
    NoMaster,
    /// What a node may not be taken out for.
    #[error(transparent)]
    Removal(#[from] Refusal),
    /// A manifest that is none.
    #[error("{manifest} cannot be applied")]
    Manifest {
        /// Its name.
        manifest: String,
        /// Why.
        source: InvalidObject,
    },
    /// The cluster has no such objects.
    #[error("the cluster has no kind {kind} of {api_version}")]
    UnknownKind {
        /// The kind.
        kind: String,
        /// Of which API.
        api_version: String,
    },
    /// Some objects were not taken.
    #[error("not applied:{}", objects.iter().map(|(object, error)| format!("\n  {object}: {error}")).collect::<String>())]
    NotApplied {
        /// Which, and why.
        objects: Vec<(String, Error)>,
    },
    /// No answer came.
    #[error("{server} does not answer: {}", innermost(source))]
    Unreachable {
        /// Who was asked.
        server: String,
        /// Why.
        source: reqwest::Error,
    },
    /// None of several answered.
    #[error("none of them answers:{}", problems.iter().map(|problem| format!("\n  {problem}")).collect::<String>())]
    NobodyAnswers {
        /// What each said.
        problems: Vec<String>,
    },
    /// The answer is a refusal.
    #[error("{server} refuses {request}: {} ({status})", brief(message))]
    Refused {
        /// Who was asked.
        server: String,
        /// For what.
        request: String,
        /// The number of HTTP's that says it.
        status: u16,
        /// The server's own words.
        message: String,
    },
    /// The answer ends early, or has a form that such an answer has not.
    #[error("the answer of {server} to {request} cannot be used: {problem}")]
    Answer {
        /// Who was asked.
        server: String,
        /// For what.
        request: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Error {
    /// Whether somebody else of the same cluster may be asked instead.
    pub(crate) fn is_silence(&self) -> bool {
        matches!(self, Error::Unreachable { .. } | Error::NobodyAnswers { .. })
    }

    /// Whether the same may go well in a moment.
    pub(crate) fn is_passing(&self) -> bool {
        self.is_silence() || matches!(self, Error::Refused { status: 408 | 500.., .. })
    }

    /// Whether somebody else has changed it, or has it as theirs.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Error::Refused { status: 409, .. })
    }

    /// Whether what was asked for is not there.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Error::Refused { status: 404, .. })
    }
}

/// As much of a server's words as fits into a message.
fn brief(message: &str) -> String {
    const SHOWN: usize = 300;
    message.chars().take(SHOWN).collect()
}

/// What is at the bottom of an error of the network: the layers above say only that something failed.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

impl Diagnose for Error {
    fn below(&self) -> Option<&dyn Diagnose> {
        match self {
            Error::Removal(refusal) => Some(refusal),
            // The first that is the machine's fault, if one is.
            Error::NotApplied { objects } => {
                let machine = objects.iter().find(|(_, error)| error.class() == Class::Machine);
                machine.or(objects.first()).map(|(_, error)| error as &dyn Diagnose)
            }
            _ => None,
        }
    }

    fn class(&self) -> Class {
        match self {
            Error::Unreachable { .. } | Error::NobodyAnswers { .. } | Error::Answer { .. } => Class::Machine,
            Error::Refused { status, .. } if !matches!(status, 400..=499) => Class::Machine,
            Error::Removal(_) | Error::NotApplied { .. } => {
                self.below().map_or(Class::Input, Diagnose::class)
            }
            _ => Class::Input,
        }
    }

    fn hint(&self) -> Option<String> {
        let said = self.to_string();
        let hint = match self {
            Error::Unreachable { .. } | Error::NobodyAnswers { .. }
                if said.contains("UnknownIssuer") || said.contains("BadSignature") =>
            {
                "who answers there has no certificate of this cluster's authority: it is another cluster, or the cards were \
                 written with other secrets"
            }
            Error::Unreachable { .. } | Error::NobodyAnswers { .. } if said.contains("NotValidForName") => {
                "another machine has the node's address"
            }
            Error::Unreachable { .. } | Error::NobodyAnswers { .. } if said.contains("Expired") => {
                "its certificate has ended: on the node, `systemctl start imgforge-certificates` (k3s: `systemctl restart k3s`), or write its card again"
            }
            Error::Unreachable { .. } | Error::NobodyAnswers { .. } if said.contains("NotValidYet") => {
                "its certificate is of the future: is this machine's clock right?"
            }
            Error::Unreachable { .. } | Error::NobodyAnswers { .. } => {
                "`imgforge status --cluster FILE` says which nodes can be reached"
            }
            Error::NotApplied { objects } if objects.iter().any(|(_, error)| error.is_conflict()) => {
                "somebody else has set these fields: change them there, or take them over with --force"
            }
            Error::Refused { status: 401 | 403, .. } => {
                "the cluster does not know this administrator: were its cards written with these secrets?"
            }
            _ => return self.below()?.hint(),
        };
        Some(hint.into())
    }
}
