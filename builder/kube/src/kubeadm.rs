//! kubeadm's configuration documents, in the version of its API that the node's kubeadm reads.

mod api;
mod components;
mod compose;
mod duration;

use serde::{Deserialize, Serialize};

pub use api::*;
pub use components::*;
pub use compose::{arguments, init, join};
pub use duration::GoDuration;

use crate::yaml;

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

/// Writes `documents` as one YAML file. The order of fields is that of the types.
pub fn render(documents: &[Document]) -> Result<String, serde_yaml::Error> {
    let texts = documents.iter().map(yaml::to_string).collect::<Result<Vec<_>, _>>()?;
    Ok(texts.join("---\n"))
}

/// Reads what [`render`] wrote. Fields that are unknown in these types are errors.
pub fn parse(text: &str) -> Result<Vec<Document>, serde_yaml::Error> {
    serde_yaml::Deserializer::from_str(text).map(Document::deserialize).collect()
}
