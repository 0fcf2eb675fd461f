//! kubeadm's configuration documents, in the version of its API that the node's kubeadm reads.

mod api;
mod components;
mod compose;
mod duration;
mod files;
mod images;
mod kubelet;
pub mod patches;
pub(crate) mod volumes;

use serde::{Deserialize, Serialize};

pub use api::*;
pub use components::*;
pub(crate) use compose::leader_election;
pub use compose::{arguments, init, join, rejoin};
pub use duration::GoDuration;
pub(super) use files::files;
pub(super) use images::images;
pub(crate) use kubelet::merged as kubelet_configuration;

use crate::{cluster::Cluster, yaml};

/// Where kubeadm finds its patches on the node.
pub const PATCHES: &str = "/etc/kubernetes/patches";

/// One document of a kubeadm configuration file, told from the others by its `kind`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "kind")]
pub enum Document {
    /// The first master's own settings.
    InitConfiguration(InitConfiguration),
    /// The cluster's settings.
    ClusterConfiguration(ClusterConfiguration),
    /// Settings of a node that joins.
    JoinConfiguration(JoinConfiguration),
    /// Settings of all kubelets.
    KubeletConfiguration(KubeletConfiguration),
    /// Settings of all kube-proxies.
    KubeProxyConfiguration(KubeProxyConfiguration),
}

/// Writes `documents` as one YAML file, with the fields that `cluster` passes on. The order of fields is that of the types.
pub fn render(documents: &[Document], cluster: &Cluster) -> Result<String, serde_yaml::Error> {
    let text = |document: &Document| {
        let mut value = serde_yaml::to_value(document)?;
        match document {
            // The names in the API server's certificate are ours and theirs.
            Document::ClusterConfiguration(_) => cluster.kubeadm.extend(&mut value),
            Document::KubeletConfiguration(_) => cluster.kubelet.merge_into(&mut value),
            _ => {}
        }
        yaml::to_string(&value)
    };
    Ok(documents.iter().map(text).collect::<Result<Vec<_>, _>>()?.join("---\n"))
}

/// Reads what [`render`] wrote where nothing is passed on. Fields that are unknown in these types are errors.
pub fn parse(text: &str) -> Result<Vec<Document>, serde_yaml::Error> {
    serde_yaml::Deserializer::from_str(text).map(Document::deserialize).collect()
}
