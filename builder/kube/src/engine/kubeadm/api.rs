//! kubeadm's own documents. One set of types for three versions of the API: what differs is optional or has two
//! forms.
//!
//! <https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/>,
//! <https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta3/>. Names and meanings of fields are
//! kubeadm's.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

use super::GoDuration;
use crate::{cluster::Taint, version::KubeadmApi};

/// What the first master does.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct InitConfiguration {
    /// Version of the API.
    pub api_version: String,
    /// Tokens that let nodes join.
    pub bootstrap_tokens: Vec<BootstrapToken>,
    /// This node.
    pub node_registration: NodeRegistration,
    /// Where this node's API server listens; unset: at the address of the default route.
    #[serde(rename = "localAPIEndpoint", skip_serializing_if = "Option::is_none")]
    pub local_api_endpoint: Option<ApiEndpoint>,
    /// Changes to static pods and the kubelet's configuration; v1beta3 and newer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patches: Option<Patches>,
    /// How long steps may take; v1beta4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,
}

/// What a node does that joins.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct JoinConfiguration {
    /// Version of the API.
    pub api_version: String,
    /// This node.
    pub node_registration: NodeRegistration,
    /// How the cluster is found and known.
    pub discovery: Discovery,
    /// Set on further masters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_plane: Option<JoinControlPlane>,
    /// Changes to static pods and the kubelet's configuration; v1beta3 and newer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patches: Option<Patches>,
    /// How long steps may take; v1beta4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,
}

/// What all masters have in common.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ClusterConfiguration {
    /// Version of the API.
    pub api_version: String,
    /// Name in kubeconfigs.
    pub cluster_name: String,
    /// Release, with a leading `v`.
    pub kubernetes_version: String,
    /// `host:port` of the control plane.
    pub control_plane_endpoint: String,
    /// Addresses inside the cluster.
    pub networking: Networking,
    /// The API server.
    pub api_server: ApiServer,
    /// The controller manager.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub controller_manager: Option<Component>,
    /// The scheduler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<Component>,
    /// etcd, where not all of it is kubeadm's choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etcd: Option<Etcd>,
    /// CoreDNS, where its image is not kubeadm's choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<Dns>,
    /// Kind of the keys kubeadm makes; v1beta4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption_algorithm: Option<String>,
    /// How long the certificates are good that kubeadm signs; v1beta4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_validity_period: Option<GoDuration>,
    /// kubeadm's own feature gates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub feature_gates: BTreeMap<String, bool>,
}

/// A token that lets nodes join.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BootstrapToken {
    /// `[a-z0-9]{6}.[a-z0-9]{16}`. A secret.
    pub token: String,
    /// How long it is good for, from `kubeadm init` on; 0: for ever.
    pub ttl: GoDuration,
    /// What for people who list tokens.
    pub description: String,
}

impl fmt::Debug for BootstrapToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BootstrapToken {{ ttl: {}, .. }}", self.ttl)
    }
}

/// A node, as it makes itself known.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NodeRegistration {
    /// The node's name.
    pub name: String,
    /// The container runtime's socket.
    pub cri_socket: String,
    /// Taints; unset: masters get the usual one; empty: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taints: Option<Vec<Taint>>,
    /// Options of the kubelet's command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubelet_extra_args: Option<Args>,
    /// Objections of kubeadm that are overruled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore_preflight_errors: Vec<String>,
}

/// Where an API server listens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ApiEndpoint {
    /// Its address.
    pub advertise_address: IpAddr,
    /// Its TCP port.
    pub bind_port: u16,
}

/// A folder with patches.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Patches {
    /// The folder.
    pub directory: String,
}

/// How long steps may take.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Timeouts {
    /// Until all of the control plane is healthy; the static pods' startup probes are made from it.
    pub control_plane_component_health_check: GoDuration,
    /// Until the kubelet is healthy.
    pub kubelet_health_check: GoDuration,
    /// For a call to the API server, repetitions included.
    #[serde(rename = "kubernetesAPICall")]
    pub kubernetes_api_call: GoDuration,
    /// For a call to etcd, repetitions included.
    #[serde(rename = "etcdAPICall")]
    pub etcd_api_call: GoDuration,
    /// For the kubelet's certificate.
    pub tls_bootstrap: GoDuration,
    /// For finding the control plane.
    pub discovery: GoDuration,
}

/// How a node finds the cluster and knows that it is the right one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Discovery {
    /// By a token and the authority's hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bootstrap_token: Option<TokenDiscovery>,
    /// By a kubeconfig that is on the node already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileDiscovery>,
    /// How long to look; up to v1beta3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
}

/// Discovery by a token.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TokenDiscovery {
    /// The token. A secret.
    pub token: String,
    /// `host:port` of the control plane.
    pub api_server_endpoint: String,
    /// Hashes of the authorities that are believed: `sha256:` and 64 hexadecimal digits.
    pub ca_cert_hashes: Vec<String>,
}

impl fmt::Debug for TokenDiscovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenDiscovery")
            .field("api_server_endpoint", &self.api_server_endpoint)
            .field("ca_cert_hashes", &self.ca_cert_hashes)
            .finish_non_exhaustive()
    }
}

/// Discovery by a kubeconfig, which says where the cluster is, whom to believe, and who asks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FileDiscovery {
    /// The kubeconfig.
    pub kube_config_path: String,
}

/// What makes a joining node a master. The shared certificates lie in the image, so there is no key to download them
/// with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct JoinControlPlane {
    /// Where this node's API server listens; unset: at the address of the default route.
    #[serde(rename = "localAPIEndpoint", skip_serializing_if = "Option::is_none")]
    pub local_api_endpoint: Option<ApiEndpoint>,
}

/// Addresses inside the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Networking {
    /// Of pods.
    pub pod_subnet: String,
    /// Of Services.
    pub service_subnet: String,
    /// Domain of the names inside the cluster.
    pub dns_domain: String,
}

/// Settings of the API server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ApiServer {
    /// Names and addresses it is reached by, besides those kubeadm knows.
    #[serde(rename = "certSANs")]
    pub cert_sans: Vec<String>,
    /// Options of its command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_args: Option<Args>,
    /// What of the machine it sees besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra_volumes: Vec<HostPathMount>,
    /// How long it may take to start; up to v1beta3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_for_control_plane: Option<GoDuration>,
}

/// Settings of another component of the control plane.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Component {
    /// Options of its command line.
    pub extra_args: Args,
    /// What of the machine it sees besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra_volumes: Vec<HostPathMount>,
}

/// A file or folder of the machine in a container.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HostPathMount {
    /// Its name in the pod.
    pub name: String,
    /// Where it is on the machine.
    pub host_path: String,
    /// Where it is in the container.
    pub mount_path: String,
    /// Whether the program may only read it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
    /// What it is.
    pub path_type: PathType,
}

/// What the kubelet looks for on the machine: <https://kubernetes.io/docs/concepts/storage/volumes/#hostpath>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum PathType {
    /// A file that must be there.
    File,
    /// A folder, which it makes.
    DirectoryOrCreate,
}

/// Where etcd runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Etcd {
    /// On the masters.
    pub local: LocalEtcd,
}

/// etcd on the masters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LocalEtcd {
    /// Where its data lies.
    pub data_dir: String,
    /// Options of its command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_args: Option<Args>,
    /// Tag of its image, where it is not kubeadm's choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_tag: Option<String>,
}

/// CoreDNS.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Dns {
    /// Tag of its image.
    pub image_tag: String,
}

/// Options of a command line: a list since v1beta4, a map before.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Args {
    /// v1beta4.
    List(Vec<Arg>),
    /// v1beta2 and v1beta3.
    Map(BTreeMap<String, String>),
}

/// One option: `--name=value`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Arg {
    /// Without hyphens before it.
    pub name: String,
    /// The value.
    pub value: String,
}

impl Args {
    /// `options` in the form of `api`, by name; nothing where there is none.
    pub fn new(api: KubeadmApi, options: BTreeMap<String, String>) -> Option<Self> {
        let args = |options: BTreeMap<String, String>| match api {
            KubeadmApi::V1beta4 => {
                Args::List(options.into_iter().map(|(name, value)| Arg { name, value }).collect())
            }
            KubeadmApi::V1beta2 | KubeadmApi::V1beta3 => Args::Map(options),
        };
        (!options.is_empty()).then(|| args(options))
    }
}
