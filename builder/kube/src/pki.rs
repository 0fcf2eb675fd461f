//! What the nodes of a cluster know each other by: authorities, keys, tokens. Made once, kept in a secrets file, and
//! from then on an input like any other.
//!
//! All keys are ECDSA P-256: kubeadm reads them in every release, and on a slow board RSA takes minutes. Signatures
//! are deterministic (RFC 6979) and randomness is given by the caller, so the same random bytes make the same
//! secrets.

pub mod age;
mod certificate;
mod end;
mod key;
mod secret;
mod secrets;

pub use certificate::{CertifiedKey, Lifetime};
pub use end::end_of;
pub use secret::Secret;
pub use secrets::{Secrets, ServiceAccount};

/// A source of random bytes: fills the whole buffer. Must be fit for keys.
pub type Random<'a> = dyn FnMut(&mut [u8]) + 'a;

/// Why there are no secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is no secrets file. What it says is not repeated: it may be a secret.
    #[error("this is no secrets file as `cluster init` writes it{}; take it from a backup", place(*.line))]
    NotSecrets {
        /// The line where reading failed, if known.
        line: Option<usize>,
    },
    /// The secrets belong to another cluster.
    #[error("these are the secrets of the cluster {found}, not of {wanted}; give the right file")]
    OtherCluster {
        /// The cluster asked for.
        wanted: String,
        /// The cluster the secrets belong to.
        found: String,
    },
    /// A part of the secrets is unusable.
    #[error("{part}: {problem}; the file was damaged or edited, take it from a backup")]
    Damaged {
        /// The part: `etcd-ca`.
        part: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The caller's random bytes are not random.
    #[error("the source of random bytes gives none that can be used")]
    Random,
    /// A time that no certificate can hold.
    #[error("{seconds} s since 1970 is no time for a certificate")]
    Time {
        /// Seconds since 1970.
        seconds: i64,
    },
    /// A certificate could not be encoded.
    #[error("cannot write the certificate of {name}: {reason}")]
    Encode {
        /// The name in it.
        name: String,
        /// Why.
        reason: String,
    },
}

fn place(line: Option<usize>) -> String {
    line.map(|line| format!(" (line {line})")).unwrap_or_default()
}
