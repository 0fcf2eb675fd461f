//! Documents of components that kubeadm passes on to all nodes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::GoDuration;

/// Settings of a kubelet: of all, or, as a patch, of one.
/// <https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/>
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct KubeletConfiguration {
    /// Version of the API.
    pub api_version: String,
    /// Who makes control groups: `systemd`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup_driver: Option<String>,
    /// What is kept for the kubelet and the container runtime.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kube_reserved: BTreeMap<String, String>,
    /// What is kept for the rest of the system.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub system_reserved: BTreeMap<String, String>,
    /// When pods are stopped.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub eviction_hard: BTreeMap<String, String>,
    /// For a call to the container runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_request_timeout: Option<GoDuration>,
    /// Whether the kubelet refuses to start while there is swap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_swap_on: Option<bool>,
    /// What pods may do with swap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_swap: Option<MemorySwap>,
}

impl KubeletConfiguration {
    /// Version of the API that all releases read.
    pub const API_VERSION: &str = "kubelet.config.k8s.io/v1beta1";
}

/// What pods may do with swap.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MemorySwap {
    /// `NoSwap` or `LimitedSwap`.
    pub swap_behavior: String,
}

/// Settings of kube-proxy. <https://kubernetes.io/docs/reference/config-api/kube-proxy-config.v1alpha1/>
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct KubeProxyConfiguration {
    /// Version of the API.
    pub api_version: String,
    /// `iptables` or `nftables`; unset: kube-proxy's choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// The kernel's table of connections.
    pub conntrack: Conntrack,
}

impl KubeProxyConfiguration {
    /// Version of the API that all releases read.
    pub const API_VERSION: &str = "kubeproxy.config.k8s.io/v1alpha1";
}

/// The kernel's table of connections.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Conntrack {
    /// Entries per core; 0 leaves the size to the kernel, which takes it from the memory.
    pub max_per_core: u32,
}
