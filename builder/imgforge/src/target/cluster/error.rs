//! What can be wrong with a cluster's files, and what to do then.

use std::{io, path::PathBuf};

use imgforge_kube::{
    add_ons, member, node_files,
    pki::{self, age},
    snapshot,
    version::Version,
};

use imgforge_spec::{Class, Diagnose, Hostname, InvalidHostname};

use super::Located;
use crate::{catalogue, yaml};

/// Why a cluster's files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cluster file cannot be read as such.
    #[error(transparent)]
    Yaml(#[from] yaml::Error),
    /// A board, a release of Kubernetes or an add-on.
    #[error(transparent)]
    Catalogue(#[from] catalogue::Error),
    /// A node's name.
    #[error(transparent)]
    Hostname(#[from] InvalidHostname),
    /// The cluster file says what cannot work.
    #[error("{} cannot be built:{}", path.display(), errors.iter().map(|error| format!("\n  {error}")).collect::<String>())]
    Unfit {
        /// The cluster file.
        path: PathBuf,
        /// All that is wrong.
        errors: Vec<Located>,
    },
    /// A check found errors; they have been printed.
    #[error("{} has {count} error{}", path.display(), if *count == 1 { "" } else { "s" })]
    Found {
        /// The cluster file.
        path: PathBuf,
        /// How many.
        count: usize,
    },
    /// The cluster has no node of this name.
    #[error("{} has no node `{name}`", path.display())]
    UnknownNode {
        /// The cluster file.
        path: PathBuf,
        /// The name asked for.
        name: String,
        /// The nearest name there is.
        suggestion: Option<String>,
        /// All names.
        hostnames: Vec<String>,
    },
    /// There is no etcd of which a snapshot could be.
    #[error(
        "the objects of the cluster {cluster} are in a file of SQLite on its master, and snapshots are of etcd"
    )]
    NoSnapshots {
        /// The cluster.
        cluster: String,
    },
    /// There is no etcd in it.
    #[error("snapshots are of etcd, and the objects of the cluster {cluster} are in a file of SQLite")]
    NoRestore {
        /// The cluster.
        cluster: String,
    },
    /// The cluster has no control plane.
    #[error("{} has no node with `role: master`", path.display())]
    NoMaster {
        /// The cluster file.
        path: PathBuf,
    },
    /// A snapshot is to be restored elsewhere than on the first master.
    #[error(
        "a snapshot is restored on the first master, {hostname}, which is not among the nodes to be built"
    )]
    NotFirstMaster {
        /// The first master.
        hostname: String,
    },
    /// A snapshot is not there.
    #[error("there is no snapshot {}", path.display())]
    NoSnapshot {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A snapshot of etcd is none, or is not whole.
    #[error("{} is no snapshot that can be restored", path.display())]
    Snapshot {
        /// The file.
        path: PathBuf,
        /// Why.
        source: snapshot::Error,
    },
    /// A snapshot is another cluster's.
    #[error("{} is of another cluster{}: its authority is not that of the secrets of {wanted}", path.display(), cluster.as_ref().map(|name| format!(", which calls itself {name}")).unwrap_or_default())]
    OtherSnapshot {
        /// The file.
        path: PathBuf,
        /// What the other cluster is called.
        cluster: Option<String>,
        /// The cluster.
        wanted: String,
    },
    /// A snapshot is of a release that the node's Kubernetes does not go on with.
    #[error("{} is of Kubernetes {found}, and {hostname} is to have {wanted}", path.display())]
    SnapshotRelease {
        /// The file.
        path: PathBuf,
        /// The release that ran.
        found: Version,
        /// The first master.
        hostname: String,
        /// The release on its card.
        wanted: Version,
    },
    /// There are no secrets yet.
    #[error("the cluster has no secrets yet: there is no {}", path.display())]
    NoSecrets {
        /// Where they were looked for.
        path: PathBuf,
        /// The cluster file.
        cluster: PathBuf,
    },
    /// There are secrets, and new ones are asked for.
    #[error("{} is there already, and secrets are never overwritten: nodes that were built with them would be lost", path.display())]
    SecretsExist {
        /// The file.
        path: PathBuf,
    },
    /// Others may read the secrets.
    #[error("{} can be read by others (mode {mode:04o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The secrets are encrypted, and nothing is given that opens them.
    #[error("{} is encrypted, and there is no key to open it with", path.display())]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// The file with the key is not there.
    #[error("there is no identity file {}", path.display())]
    NoIdentity {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Others may read the key.
    #[error("{} can be read by others (mode {mode:04o})", path.display())]
    ExposedIdentity {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file with the key is none.
    #[error("{} is no identity file", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// Why.
        source: age::Error,
    },
    /// The secrets are encrypted for others.
    #[error("{} is encrypted, but not for a key in {}", path.display(), identity.display())]
    OtherIdentity {
        /// The secrets.
        path: PathBuf,
        /// The file with the keys.
        identity: PathBuf,
    },
    /// The encrypted secrets cannot be opened with any key.
    #[error("{} cannot be decrypted", path.display())]
    Undecryptable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: age::Error,
    },
    /// Secrets cannot be encrypted for somebody.
    #[error(transparent)]
    Recipient(age::Error),
    /// The file with recipients is not there.
    #[error("there is no file with recipients {}", path.display())]
    NoRecipients {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file with recipients has others in it, or none.
    #[error("{} cannot be used", path.display())]
    Recipients {
        /// The file.
        path: PathBuf,
        /// Why.
        source: age::Error,
    },
    /// A file has more in it than any of its kind.
    #[error("{} has more than {} KiB", path.display(), most >> 10)]
    TooLong {
        /// The file.
        path: PathBuf,
        /// As many bytes as are read.
        most: usize,
    },
    /// The secrets are unusable.
    #[error("{} cannot be used", path.display())]
    Secrets {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pki::Error,
    },
    /// A file cannot be read or written.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operating system gives no random bytes, or the machine's clock no time.
    #[error("cannot make secrets: {0}")]
    Machine(String),
    /// A node cannot be a member.
    #[error(transparent)]
    Member(#[from] member::Error),
    /// A node's files cannot be made.
    #[error("the files of {hostname} cannot be made")]
    Files {
        /// The node.
        hostname: String,
        /// Why.
        source: node_files::Error,
    },
    /// The manifests of the add-ons cannot be made.
    #[error("the manifests of the add-ons cannot be made")]
    AddOns(#[source] add_ons::Error),
    /// Nothing on the node runs containers.
    #[error(
        "{hostname} has no containerd: neither the base, nor a package, nor the release of Kubernetes brings one whose series is known"
    )]
    NoRuntime {
        /// The node.
        hostname: Hostname,
    },
}

impl Diagnose for Error {
    fn below(&self) -> Option<&dyn Diagnose> {
        match self {
            Error::Yaml(error) => Some(error),
            Error::Catalogue(error) => Some(error),
            _ => None,
        }
    }

    fn class(&self) -> Class {
        match self {
            Error::Io { .. } | Error::Machine(_) => Class::Machine,
            _ => Class::Input,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::Unfit { path, .. } => {
                Some(format!("`imgforge cluster check --cluster {}` says more", path.display()))
            }
            Error::UnknownNode { suggestion: Some(name), .. } => Some(format!("did you mean `{name}`?")),
            Error::UnknownNode { hostnames, .. } => Some(format!("it has {}", hostnames.join(", "))),
            Error::NoSecrets { cluster, .. } => {
                Some(format!("`imgforge cluster init --cluster {}` makes them, once", cluster.display()))
            }
            Error::NoSnapshots { .. } => Some(
                "`k3s: { datastore: etcd }` in the cluster file takes etcd, from the next card on; or save \
                 /var/lib/rancher/k3s/server/db while k3s is stopped"
                    .into(),
            ),
            Error::NoRestore { .. } => Some(
                "give `k3s: { datastore: etcd }` if the snapshot is of such a cluster; a copy of SQLite's file goes to \
                 /var/lib/rancher/k3s/server/db while k3s is stopped"
                    .into(),
            ),
            Error::NotFirstMaster { hostname } => Some(format!(
                "build {hostname} with it; the other masters' cards are made without, and join"
            )),
            Error::Snapshot { .. } => {
                Some("take another: `imgforge cluster backup` and the masters' own backups are compared as they are made".into())
            }
            Error::OtherSnapshot { .. } => {
                Some("take the cluster file and the secrets that the cluster was made with (--secrets)".into())
            }
            Error::SnapshotRelease { found, .. } => Some(format!(
                "write `kubernetes: {found}`, or a release of the minor number after it, and upgrade when the cluster runs"
            )),
            Error::SecretsExist { .. } => {
                Some("for a new cluster, move the file away or name another with --secrets".into())
            }
            Error::Exposed { path, .. } => {
                Some(format!("`chmod 600 {}`; if others have read it, make a new cluster", path.display()))
            }
            Error::Encrypted { .. } | Error::NoIdentity { .. } => Some(
                "name the file with the AGE-SECRET-KEY-1… with --identity FILE, or in IMGFORGE_IDENTITY".into(),
            ),
            Error::ExposedIdentity { path, .. } => Some(format!(
                "`chmod 600 {}`; if others have read it, they can open what is encrypted for it",
                path.display()
            )),
            Error::Identity { .. } => Some(
                "it has to be as `age-keygen -o FILE` writes it; passphrases, SSH keys and plugins are left to `age`"
                    .into(),
            ),
            Error::OtherIdentity { .. } => {
                Some("give the key of one of its recipients, or have one of them encrypt it for yours".into())
            }
            Error::Undecryptable { source: age::Error::Unsupported(_), path } => Some(format!(
                "open it with `age -d {}`, and encrypt it for the recipient of a key that `age-keygen` makes",
                path.display()
            )),
            Error::Undecryptable { .. } => Some("take it from a backup, or from version control".into()),
            Error::Recipient(_) | Error::NoRecipients { .. } | Error::Recipients { .. } => {
                Some("`age-keygen -o FILE` makes a key, and `age-keygen -y FILE` prints its recipient".into())
            }
            Error::TooLong { .. } => Some("is it the right file?".into()),
            Error::NoRuntime { .. } => Some("add `containerd` to the node's packages".into()),
            _ => self.below()?.hint(),
        }
    }
}
