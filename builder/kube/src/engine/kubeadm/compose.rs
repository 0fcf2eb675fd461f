//! From a node of a cluster file to its documents.

use std::collections::BTreeMap;

use super::{
    ApiEndpoint, ApiServer, Args, BootstrapToken, ClusterConfiguration, Component, Conntrack, Discovery, Dns,
    Document, Etcd, FileDiscovery, GoDuration, InitConfiguration, JoinConfiguration, JoinControlPlane,
    KubeProxyConfiguration, KubeletConfiguration, LocalEtcd, Networking, NodeRegistration, PATCHES, Patches,
    Timeouts, TokenDiscovery,
};
use super::{HostPathMount, kubelet, patches::has_patches, volumes};
use crate::{
    cluster::{self, Endpoint, ProxyMode},
    member::Member,
    performance::{Patience, Performance},
    version::KubeadmApi,
};

/// The administrator's kubeconfig, which kubeadm makes on every master.
const ADMIN_KUBECONFIG: &str = "/etc/kubernetes/admin.conf";

/// Five years. kubeadm's own choice is one, renewed whenever somebody upgrades: a cluster that is left alone would
/// stop on its first birthday.
const CERTIFICATE_VALIDITY: GoDuration = GoDuration(5 * 365 * 24 * 60 * 60);

/// The documents of the node that makes the cluster. `token` lets the others join.
pub fn init(member: &Member<'_>, token: &str) -> Vec<Document> {
    let api = member.version().kubeadm_api();
    let window = member.cluster.join_window.unwrap_or(GoDuration(0));
    let init = InitConfiguration {
        api_version: api.api_version().into(),
        bootstrap_tokens: vec![BootstrapToken {
            token: token.into(),
            ttl: window,
            description: "lets the nodes of the cluster file join".into(),
        }],
        node_registration: registration(member, api),
        local_api_endpoint: local_endpoint(member),
        patches: patch_folder(member, api),
        timeouts: timeouts(member, api),
    };
    vec![
        Document::InitConfiguration(init),
        Document::ClusterConfiguration(cluster_configuration(member, api)),
        Document::KubeletConfiguration(KubeletConfiguration {
            api_version: KubeletConfiguration::API_VERSION.into(),
            cgroup_driver: Some("systemd".into()),
            ..KubeletConfiguration::default()
        }),
        Document::KubeProxyConfiguration(proxy(member)),
    ]
}

/// The document of a node that joins: a worker, or a further master. `ca_hash` is `sha256:` and the hash of the
/// cluster authority's key.
pub fn join(member: &Member<'_>, token: &str, ca_hash: &str) -> Vec<Document> {
    let by_token = TokenDiscovery {
        token: token.into(),
        api_server_endpoint: member.endpoint.authority(),
        ca_cert_hashes: vec![ca_hash.into()],
    };
    join_by(member, Some(by_token), None)
}

/// The document of a master that goes on with a join that was cut off. It knows the cluster by its own `admin.conf`: the
/// token may have run out since.
pub fn rejoin(member: &Member<'_>) -> Vec<Document> {
    join_by(member, None, Some(FileDiscovery { kube_config_path: ADMIN_KUBECONFIG.into() }))
}

fn join_by(
    member: &Member<'_>,
    bootstrap_token: Option<TokenDiscovery>,
    file: Option<FileDiscovery>,
) -> Vec<Document> {
    let api = member.version().kubeadm_api();
    let local_api_endpoint = local_endpoint(member);
    vec![Document::JoinConfiguration(JoinConfiguration {
        api_version: api.api_version().into(),
        node_registration: registration(member, api),
        discovery: Discovery {
            bootstrap_token,
            file,
            timeout: (api < KubeadmApi::V1beta4).then(|| GoDuration(member.patience().discovery)),
        },
        control_plane: member.is_master().then_some(JoinControlPlane { local_api_endpoint }),
        patches: patch_folder(member, api),
        timeouts: timeouts(member, api),
    })]
}

/// Options for kubeadm's command line that its configuration of that time had no field for.
pub fn arguments(member: &Member<'_>) -> Vec<String> {
    match member.version().kubeadm_api() {
        KubeadmApi::V1beta2 if has_patches(member) => vec![format!("--experimental-patches={PATCHES}")],
        KubeadmApi::V1beta2 | KubeadmApi::V1beta3 | KubeadmApi::V1beta4 => Vec::new(),
    }
}

fn cluster_configuration(member: &Member<'_>, api: KubeadmApi) -> ClusterConfiguration {
    let networking = &member.cluster.networking;
    let patience = member.slowest_master.patience();
    let tags = member.cluster.told_tags();
    let (encryption_algorithm, feature_gates) = elliptic_keys(api);
    ClusterConfiguration {
        api_version: api.api_version().into(),
        cluster_name: member.cluster.name.clone(),
        kubernetes_version: format!("v{}", member.cluster.kubernetes),
        control_plane_endpoint: member.endpoint.authority(),
        networking: Networking {
            pod_subnet: networking.pod_subnet.to_string(),
            service_subnet: networking.service_subnet.to_string(),
            dns_domain: networking.dns_domain.clone(),
        },
        api_server: ApiServer {
            cert_sans: names(member),
            extra_args: Args::new(api, member.cluster.api_server.extra_args.clone()),
            extra_volumes: volumes::API_SERVER.added(member.cluster),
            timeout_for_control_plane: (api < KubeadmApi::V1beta4).then_some(GoDuration(patience.start)),
        },
        controller_manager: component(
            api,
            controller_manager(member, patience),
            volumes::CONTROLLER_MANAGER.added(member.cluster),
        ),
        scheduler: component(
            api,
            with(leader_election(patience), &member.cluster.scheduler),
            volumes::SCHEDULER.added(member.cluster),
        ),
        etcd: etcd(api, tags.etcd, &member.cluster.etcd),
        dns: tags.coredns.map(|image_tag| Dns { image_tag }),
        encryption_algorithm,
        certificate_validity_period: (api >= KubeadmApi::V1beta4).then_some(CERTIFICATE_VALIDITY),
        feature_gates,
    }
}

/// Nothing where all of it is kubeadm's choice.
fn etcd(api: KubeadmApi, image_tag: Option<String>, told: &cluster::Component) -> Option<Etcd> {
    let extra_args = Args::new(api, told.extra_args.clone());
    let is_told = extra_args.is_some() || image_tag.is_some();
    is_told.then(|| Etcd { local: LocalEtcd { data_dir: "/var/lib/etcd".into(), extra_args, image_tag } })
}

/// Our options, and those that the file passes on, which go before.
fn with(mut options: BTreeMap<String, String>, told: &cluster::Component) -> BTreeMap<String, String> {
    options.extend(told.extra_args.clone());
    options
}

/// Elliptic curves: making RSA keys takes a slow board minutes, and each TLS handshake is dearer.
fn elliptic_keys(api: KubeadmApi) -> (Option<String>, BTreeMap<String, bool>) {
    match api {
        KubeadmApi::V1beta4 => (Some("ECDSA-P256".into()), BTreeMap::new()),
        KubeadmApi::V1beta2 | KubeadmApi::V1beta3 => {
            (None, BTreeMap::from([("PublicKeysECDSA".into(), true)]))
        }
    }
}

/// All names and addresses the control plane is reached by. Localhost is for who asks on the node itself.
fn names(member: &Member<'_>) -> Vec<String> {
    let mut names = vec![member.endpoint.host.clone()];
    for master in member.cluster.masters() {
        names.push(master.hostname.clone());
        names.extend(master.addresses().map(|own| own.address.to_string()));
    }
    names.extend(["localhost".into(), "127.0.0.1".into()]);
    let mut unique: Vec<String> = Vec::new();
    for name in names {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    unique
}

fn component(
    api: KubeadmApi,
    options: BTreeMap<String, String>,
    extra_volumes: Vec<HostPathMount>,
) -> Option<Component> {
    Args::new(api, options).map(|extra_args| Component { extra_args, extra_volumes })
}

fn controller_manager(member: &Member<'_>, patience: &Patience) -> BTreeMap<String, String> {
    let mut options = leader_election(patience);
    if member.slowest_node == Performance::Slow {
        // A busy board reports late; by default its pods would be moved after 40 or 50 s.
        options.insert("node-monitor-grace-period".into(), GoDuration(120).to_string());
    }
    with(options, &member.cluster.controller_manager)
}

/// A leader that is slow to renew its lease ends its process. Kubernetes' proportions, 15 : 10 : 2, are kept.
pub(crate) fn leader_election(patience: &Patience) -> BTreeMap<String, String> {
    if patience.lease == Performance::Fast.patience().lease {
        return BTreeMap::new();
    }
    let options = [
        ("leader-elect-lease-duration", patience.lease),
        ("leader-elect-renew-deadline", patience.lease / 3 * 2),
        ("leader-elect-retry-period", patience.lease * 2 / 15),
    ];
    options.map(|(name, seconds)| (name.to_owned(), GoDuration(seconds).to_string())).into()
}

fn proxy(member: &Member<'_>) -> KubeProxyConfiguration {
    let mode = member.cluster.networking.proxy_mode.map(|mode| match mode {
        ProxyMode::Iptables => "iptables".into(),
        ProxyMode::Nftables => "nftables".into(),
    });
    KubeProxyConfiguration {
        api_version: KubeProxyConfiguration::API_VERSION.into(),
        mode,
        conntrack: Conntrack { max_per_core: 0 },
    }
}

fn registration(member: &Member<'_>, api: KubeadmApi) -> NodeRegistration {
    NodeRegistration {
        name: member.node.hostname.clone(),
        cri_socket: cri_socket(member, api).into(),
        taints: member.node.taints.clone(),
        kubelet_extra_args: Args::new(api, kubelet::options(member)),
        ignore_preflight_errors: member.overruled().iter().map(|o| o.check.into()).collect(),
    }
}

/// A path in v1beta2's time, a URL since.
fn cri_socket(member: &Member<'_>, api: KubeadmApi) -> &'static str {
    let url = member.runtime().socket();
    match api {
        KubeadmApi::V1beta2 => url.trim_start_matches("unix://"),
        KubeadmApi::V1beta3 | KubeadmApi::V1beta4 => url,
    }
}

fn local_endpoint(member: &Member<'_>) -> Option<ApiEndpoint> {
    let own = member.node.address?;
    Some(ApiEndpoint { advertise_address: own.address, bind_port: Endpoint::PORT })
}

fn patch_folder(member: &Member<'_>, api: KubeadmApi) -> Option<Patches> {
    (api > KubeadmApi::V1beta2 && has_patches(member)).then(|| Patches { directory: PATCHES.into() })
}

/// kubeadm's own values are not written, so that they stay kubeadm's.
fn timeouts(member: &Member<'_>, api: KubeadmApi) -> Option<Timeouts> {
    let patience = member.patience();
    let is_needed = api == KubeadmApi::V1beta4 && patience != Performance::Fast.patience();
    is_needed.then_some(Timeouts {
        control_plane_component_health_check: GoDuration(patience.start),
        kubelet_health_check: GoDuration(patience.kubelet),
        kubernetes_api_call: GoDuration(patience.api_call),
        etcd_api_call: GoDuration(patience.etcd_call),
        tls_bootstrap: GoDuration(patience.tls_bootstrap),
        discovery: GoDuration(patience.discovery),
    })
}
