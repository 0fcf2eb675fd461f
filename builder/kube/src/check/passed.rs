//! Settings that are passed on to others: they must not say the opposite of what imgforge says there.

mod contents;
mod extra_args;
mod fields;
mod gates;
mod kubelet;
mod options;
mod shape;
mod texts;
mod together;
mod units;
mod values;
mod volumes;

use imgforge_spec::{Invalid, is_broken_address, is_dns_name, is_url};

use super::{At, Context, Found, Rule};
use crate::cluster::{Fields, Registry, Runtime};

pub use self::{
    contents::RULES as OF_CONTENTS, extra_args::RULES as OF_OPTIONS, gates::RULES as OF_GATES,
    kubelet::RULES as OF_KUBELETS, together::RULES as OF_OPTIONS_TOGETHER, values::RULES as OF_FIELDS,
    volumes::RULES as OF_VOLUMES,
};

pub const RULES: &[Rule] = &[
    Rule::error(
        "kubelet-setting",
        "what is passed on to kubelets is no setting of imgforge's own",
        kubelet_setting,
    ),
    Rule::error("kubelet-of-node", "the node's release takes settings of one kubelet", kubelet_of_node),
    Rule::error(
        "kubeadm-setting",
        "what is passed on to kubeadm is no setting of imgforge's own",
        kubeadm_setting,
    ),
    Rule::error("registry", "a registry is a host, and has mirrors with addresses or an authority", registry),
    Rule::error("registry-runtime", "registries are for containerd", registry_runtime),
    Rule::error("proxy", "the proxy has an address that everybody may read", proxy),
];

/// Fields that say something that another setting says, or that the node is made for: what to do instead.
const KUBELET: [(&str, &str); 14] = [
    ("apiVersion", "imgforge writes it"),
    ("kind", "imgforge writes it"),
    ("cgroupDriver", "the node's container runtime is set up for systemd's control groups"),
    ("clusterDNS", "it follows from `networking.service-subnet`"),
    ("clusterDomain", "give `networking.dns-domain`"),
    ("containerRuntimeEndpoint", "give `runtime`"),
    ("failSwapOn", "give `swap` at the nodes"),
    ("memorySwap", "give `swap` at the nodes"),
    ("podCIDR", "it follows from `networking.pod-subnet`"),
    ("registerNode", "kubeadm waits for the node to register itself"),
    ("registerWithTaints", "give `taints` at the nodes"),
    ("rotateCertificates", "without it the kubelet's certificate ends after a year"),
    ("runOnce", "a kubelet that ends is no node's"),
    ("staticPodPath", "kubeadm puts the control plane there"),
];

const KUBEADM: [(&str, &str); 16] = [
    ("apiVersion", "imgforge writes it"),
    ("kind", "imgforge writes it"),
    ("certificatesDir", "the authorities lie where kubeadm looks by itself"),
    ("clusterName", "give `name`"),
    ("controlPlaneEndpoint", "give `endpoint`"),
    ("controllerManager.extraArgs", "give `controller-manager: { extra-args: … }`"),
    ("apiServer.extraArgs", "give `api-server: { extra-args: … }`"),
    ("scheduler.extraArgs", "give `scheduler: { extra-args: … }`"),
    ("etcd.local.extraArgs", "give `etcd: { extra-args: … }`"),
    ("dns.imageTag", "give `images: { coredns: … }`"),
    ("etcd.local.dataDir", "give `storage` for /var/lib/etcd"),
    ("etcd.local.imageTag", "give `images: { etcd: … }`"),
    ("imageRepository", "the cards carry the images of the usual one; give `registries` with mirrors of it"),
    ("etcd.external", "the masters have etcd themselves"),
    ("kubernetesVersion", "give `kubernetes`"),
    ("networking", "give `networking`"),
];

/// Of `fields`, those that are among `ours`; a name with dots is a field of a field.
fn contradictions(setting: &str, fields: &Fields, ours: &[(&str, &str)]) -> Vec<Found> {
    let has = |name: &str| {
        let whole = serde_yaml::Value::Mapping(fields.0.clone());
        name.split('.').try_fold(&whole, |value, part| value.get(part)).is_some()
    };
    let there = ours.iter().filter(|(name, _)| has(name));
    there
        .map(|(name, instead)| {
            Found::new(setting, format!("`{name}` is not passed on: {instead}")).suggest("remove it here")
        })
        .collect()
}

/// Whether the field `name` is not passed on, of a kubelet's or of kubeadm's.
fn is_refused(of_kubelet: bool, name: &str) -> bool {
    let ours = if of_kubelet { &KUBELET[..] } else { &KUBEADM[..] };
    !is_field(name) || ours.iter().any(|(own, _)| *own == name)
}

fn is_field(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(|c| c.is_ascii_alphanumeric())
}

fn strange_names(setting: &str, fields: &Fields) -> Vec<Found> {
    let named = fields.names().filter(|name| !is_field(name));
    let strange = named.map(|name| {
        Found::new(setting, format!("`{}` is no name of a field, such as maxPods", name.escape_debug()))
    });
    let unnamed = fields.0.len() != fields.names().count();
    strange.chain(unnamed.then(|| Found::new(setting, "a field without a name"))).collect()
}

fn kubelet_setting(context: &Context<'_>) -> Vec<Found> {
    let of_nodes = context.nodes().map(|at| (at.path("kubelet"), &at.node.kubelet));
    let all = std::iter::once(("kubelet".to_owned(), &context.cluster.kubelet)).chain(of_nodes);
    all.flat_map(|(path, fields)| {
        let mut found = contradictions(&path, fields, &KUBELET);
        found.extend(strange_names(&path, fields));
        found
    })
    .collect()
}

/// kubeadm's configuration of kubelets is the cluster's; what is one node's is a patch.
fn kubelet_of_node(context: &Context<'_>) -> Vec<Found> {
    let version = |at: &At<'_>| context.cluster.version_of(at.node);
    let told = context.nodes().filter(|at| !at.node.kubelet.is_empty());
    told.filter(|at| !version(at).patches_kubelet_configuration())
        .map(|at| {
            let message =
                format!("kubeadm {} takes no settings of one kubelet; 1.25 and newer do", version(&at));
            Found::new(at.path("kubelet"), message).suggest("give them for all, at the top")
        })
        .collect()
}

fn kubeadm_setting(context: &Context<'_>) -> Vec<Found> {
    let fields = &context.cluster.kubeadm;
    let mut found = contradictions("kubeadm", fields, &KUBEADM);
    found.extend(strange_names("kubeadm", fields));
    found
}

fn registry(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    let is_host = |host: &str| {
        let (name, port) = host.split_once(':').unwrap_or((host, "443"));
        // What containerd calls all registries that have no folder of their own.
        host == "_default" || is_dns_name(name) && !is_broken_address(name) && port.parse::<u16>().is_ok()
    };
    for (host, Registry { mirrors, ca }) in &context.cluster.registries {
        let path = format!("registries.{host}");
        if !is_host(host) {
            let message = format!(
                "`{host}` is no registry: write it as in images, such as docker.io or nas.home.example:5000"
            );
            found.push(Found::new("registries", message));
        }
        for mirror in mirrors.iter().filter(|mirror| !is_url(mirror) || mirror.contains('@')) {
            let message =
                format!("`{mirror}` is no address of a server, such as https://nas.home.example:5000");
            found.push(Found::new(&path, message));
        }
        for (index, mirror) in mirrors.iter().enumerate() {
            if mirrors.iter().take(index).any(|other| other == mirror) {
                let message = format!("{mirror} is there twice, and containerd would read none of them");
                found.push(Found::new(&path, message).suggest("remove one"));
            }
        }
        if mirrors.is_empty() && ca.is_none() {
            found.push(Found::new(&path, "neither mirrors nor an authority: nothing would change"));
        }
        let is_certificate =
            |ca: &&String| ca.contains("-----BEGIN CERTIFICATE-----") && !ca.contains("PRIVATE KEY");
        if ca.as_ref().is_some_and(|ca| !is_certificate(&ca)) {
            let message = "the authority's certificate is in PEM: -----BEGIN CERTIFICATE-----";
            found.push(Found::new(&path, message).suggest("write it as a block: `ca: |`"));
        }
    }
    found
}

fn registry_runtime(context: &Context<'_>) -> Vec<Found> {
    if context.cluster.registries.is_empty() {
        return Vec::new();
    }
    let with_docker = context.members().filter(|at| context.cluster.runtime_of(at.node) == Runtime::Docker);
    with_docker
        .map(|at| {
            let message =
                format!("Docker, which runs the containers of {}, does not read them", at.node.hostname);
            Found::new("registries", message).suggest("take containerd there, or give Docker its own `files`")
        })
        .collect()
}

fn proxy(context: &Context<'_>) -> Vec<Found> {
    let Some(proxy) = &context.cluster.proxy else { return Vec::new() };
    let found = |flaw: Invalid| {
        let Invalid { setting, message } = flaw.below("proxy");
        let is_address = matches!(setting.as_str(), "proxy.http" | "proxy.https");
        let found = Found::new(setting, message);
        if is_address { found.suggest("such as http://proxy.home.example:3128") } else { found }
    };
    proxy.flaws().into_iter().map(found).collect()
}
