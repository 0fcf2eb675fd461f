//! What makes a cluster of nodes: programs, their files and images, and what they can on which board. One folder each; the
//! rest of the crate, and imgforge, ask [`Engine`] alone.

pub mod k3s;
pub mod kubeadm;
mod published;

pub use published::{InvalidPatch, Patch, Published};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    board::{Architecture, BoardFacts},
    cluster::{Cluster, ETCD, Role},
    images::Images,
    member::Member,
    node_files::{Error, NodeFile, Sources},
    version::{self, Limits, Refusal, Version},
};

/// What makes a cluster of nodes.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// Kubernetes as its own project sets it up.
    #[default]
    Kubeadm,
    /// k3s: one small program; current releases for 32-bit boards, too.
    K3s,
}

impl Engine {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Kubeadm, Self::K3s];

    /// The name used in files and folders.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kubeadm => "kubeadm",
            Self::K3s => "k3s",
        }
    }

    /// Whether release `version` exists for `architecture`.
    pub fn runs_on(self, version: Version, architecture: Architecture) -> Result<(), Refusal> {
        match self {
            Self::Kubeadm => version::runs_on(version, architecture),
            Self::K3s => k3s::runs_on(version, architecture),
        }
    }

    /// The newest release line that exists for `architecture`, as its first release; `None` where there has never been one.
    pub fn newest_for(self, architecture: Architecture) -> Option<Version> {
        let mut newest_first = version::known().rev().map(|minor| Version::new(minor, 0));
        newest_first.find(|version| self.runs_on(*version, architecture).is_ok())
    }

    /// Why the cluster's own pods do not run on a node of `architecture`, whatever the node's release is. Those of k3s are part
    /// of its program.
    pub fn pods_run_on(self, control_plane: Version, architecture: Architecture) -> Result<(), Refusal> {
        match self {
            Self::Kubeadm => version::proxy_runs_on(control_plane, architecture),
            Self::K3s => Ok(()),
        }
    }

    /// What `board` cannot do as a node with `role` and release `version`, or does although somebody would object.
    pub fn limits(self, board: &BoardFacts, role: Role, version: Version) -> Limits {
        match self {
            Self::Kubeadm => Limits::of(board, role, version),
            Self::K3s => k3s::limits(board, role, version),
        }
    }

    /// The group of administrators of a cluster of release `version`.
    pub fn admin_group(self, version: Version) -> &'static str {
        match self {
            Self::Kubeadm => version.admin_group(),
            Self::K3s => k3s::ADMIN_GROUP,
        }
    }

    /// The taints that a master of release `version` has where the file gives none, by their names.
    pub fn master_taints(self, version: Version) -> &'static [&'static str] {
        match self {
            Self::Kubeadm => version.master_taints(),
            Self::K3s => &[],
        }
    }

    /// The folder whose content is the cluster: what must not be lost, and must not be written while its disk is missing.
    pub fn data(self) -> &'static str {
        match self {
            Self::Kubeadm => ETCD,
            Self::K3s => k3s::DATA,
        }
    }

    /// Whether etcd keeps the objects of `cluster`; if not, a file of the only master does.
    pub fn has_etcd(self, cluster: &Cluster) -> bool {
        match self {
            Self::Kubeadm => true,
            Self::K3s => k3s::has_etcd(cluster),
        }
    }

    /// The node that a member of etcd belongs to, by the member's name.
    pub fn node_of_member(self, name: &str) -> &str {
        match self {
            Self::Kubeadm => name,
            Self::K3s => k3s::node_of_member(name),
        }
    }

    /// Whether the engine connects pods by itself, without an add-on.
    pub fn has_network(self) -> bool {
        match self {
            Self::Kubeadm => false,
            Self::K3s => true,
        }
    }

    /// The container images it starts on the node.
    pub(crate) fn images(self, member: &Member<'_>) -> Images {
        match self {
            Self::Kubeadm => kubeadm::images(member),
            Self::K3s => k3s::images(member),
        }
    }

    /// The node's files that it reads.
    pub(crate) fn files(self, member: &Member<'_>, sources: &Sources<'_>) -> Result<Vec<NodeFile>, Error> {
        match self {
            Self::Kubeadm => kubeadm::files(member, sources),
            Self::K3s => k3s::files(member, sources),
        }
    }

    /// The service that says in its journal why a node is not well.
    pub fn service(self, role: Role) -> &'static str {
        match (self, role) {
            (Self::Kubeadm, _) => "kubelet",
            (Self::K3s, Role::Master) => "k3s",
            (Self::K3s, _) => "k3s-agent",
        }
    }

    /// The service that renews a master's certificates.
    pub fn renewal(self) -> &'static str {
        match self {
            Self::Kubeadm => "imgforge-certificates",
            Self::K3s => "imgforge-k3s-renew",
        }
    }

    /// The services of a member that pull container images, and so are told of a proxy.
    pub(crate) fn pulling(self, member: &Member<'_>) -> &'static [&'static str] {
        use crate::cluster::Runtime;
        match (self, member.runtime()) {
            (Self::Kubeadm, Runtime::Containerd) => &["containerd", "kubelet"],
            (Self::Kubeadm, Runtime::Docker) => &["docker", "kubelet"],
            (Self::K3s, _) if member.is_master() => &["k3s"],
            (Self::K3s, _) => &["k3s-agent"],
        }
    }
}
