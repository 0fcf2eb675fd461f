//! The cluster file, `home.yaml`: one cluster and its nodes. Its types only; [`crate::check`] judges the values.

mod backups;
mod firewall;
mod interface;
mod k3s;
mod network;
mod node;
mod node_network;
mod passed;
mod subnets;

use std::{collections::BTreeMap, net::IpAddr};

pub use imgforge_spec::Proxy;
use imgforge_spec::{Repository, RunOnce, System, Wifi};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use backups::{Backups, ETCD};
pub use firewall::{Firewall, InvalidPorts, Ports};
pub use interface::{Interface, InvalidInterface, unfit_vlan};
pub use k3s::{Datastore, K3s, Packaged};
pub use network::{AddressRange, Cidr, Family, InvalidCidr, InvalidRange, Lan, Networking, ProxyMode};
pub use node::{Bind, ExtraFile, Mount, Node, Role, Taint, TaintEffect, User};
pub use node_network::{NodeNetwork, Primary, unfit_networks};
pub use passed::{Component, Fields, Registry};
pub use subnets::Subnets;

use crate::{containerd, docker, engine::Engine, kubeadm::GoDuration, version::Version};

/// A cluster and its nodes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Cluster {
    /// Name of the cluster, seen in kubeconfigs.
    pub name: String,
    /// What makes a cluster of the nodes.
    pub engine: Engine,
    /// Release of Kubernetes, all three numbers: `1.36.4`.
    pub kubernetes: Version,
    /// Addresses inside the cluster.
    pub networking: Networking,
    /// What nodes with a static address need of the network they stand in.
    pub lan: Lan,
    /// Where all nodes find the control plane. Needed with several masters; with one, the default is that master.
    pub endpoint: Option<Endpoint>,
    /// What runs in the cluster from the start.
    pub add_ons: AddOns,
    /// What runs the containers of nodes that do not say otherwise.
    pub runtime: Runtime,
    /// Tags of images, where they should not be those that kubeadm would take, and images of your own.
    pub images: ImageTags,
    /// Manifests of your own: files, from the cluster file's folder on. The first master applies them after the add-ons.
    pub manifests: Vec<String>,
    /// Whether the nodes' cards carry the container images that kubeadm and the add-ons need, so that the first boot
    /// pulls nothing.
    pub carry_images: bool,
    /// Snapshots of etcd that masters take by themselves; unset: one a day, of which seven are kept, on each master whose etcd has
    /// its data on a disk.
    pub backups: Option<Backups>,
    /// How long the nodes' token is good for joining, counted from the first master's start; unset: for ever, so that
    /// a node may be added years later. A duration as Go writes it: `720h`.
    #[schemars(with = "Option<String>")]
    pub join_window: Option<GoDuration>,
    /// Lines for `authorized_keys` of every user of every node, and where such lines are published: `gh:octocat`.
    pub ssh_keys: Vec<String>,
    /// Files with such lines, from the cluster file's folder on; `~/` is the home of whoever builds.
    pub ssh_key_files: Vec<String>,
    /// People (and machines) who may log in to every node.
    pub users: Vec<User>,
    /// NTP servers, instead of the vendor's.
    pub time_servers: Vec<String>,
    /// The wireless network that all nodes join.
    pub wifi: Option<Wifi>,
    /// Who may speak to the nodes that do not say it of themselves; unset: everybody.
    pub firewall: Option<Firewall>,
    /// Time zone, language, keyboard, authorities, watchdog, upgrades of all nodes.
    pub system: System,
    /// Repositories in which the nodes' packages are looked for besides their bases' own; apt on the nodes knows them, too.
    pub repositories: Vec<Repository>,
    /// Debian packages to put in on every node.
    pub packages: Vec<String>,
    /// Files to put in on every node.
    pub files: Vec<ExtraFile>,
    /// Scripts that run once on every node, in its first boot.
    pub run_once: Vec<RunOnce>,
    /// Fields of all kubelets' configuration (KubeletConfiguration), by their names there: `{ maxPods: 50 }`.
    pub kubelet: Fields,
    /// The API servers.
    pub api_server: Component,
    /// The controller managers.
    pub controller_manager: Component,
    /// The schedulers.
    pub scheduler: Component,
    /// The members of etcd.
    pub etcd: Component,
    /// Fields of kubeadm's ClusterConfiguration, by their names there.
    pub kubeadm: Fields,
    /// Settings of k3s.
    pub k3s: K3s,
    /// Where containerd gets the images of registries, by their hosts: `docker.io`, `nas.home.example:5000`.
    pub registries: BTreeMap<String, Registry>,
    /// The proxy through which the nodes pull images and packages.
    pub proxy: Option<Proxy>,
    /// Whether the nodes tell everybody on their network how far their first boot is, until it is over: `imgforge status` asks
    /// them.
    pub status: bool,
    /// Rules of `imgforge cluster check` that are overruled for the whole file, by their names. It is still said.
    pub allow: Vec<String>,
    /// The nodes. The first master makes the cluster, all others join it.
    pub nodes: Vec<Node>,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            name: "kubernetes".into(),
            engine: Engine::default(),
            kubernetes: Version::new(36, 4),
            networking: Networking::default(),
            lan: Lan::default(),
            endpoint: None,
            add_ons: AddOns::default(),
            runtime: Runtime::default(),
            images: ImageTags::default(),
            manifests: Vec::new(),
            carry_images: true,
            backups: None,
            join_window: None,
            ssh_keys: Vec::new(),
            ssh_key_files: Vec::new(),
            users: Vec::new(),
            time_servers: Vec::new(),
            wifi: None,
            firewall: None,
            system: System::default(),
            repositories: Vec::new(),
            packages: Vec::new(),
            files: Vec::new(),
            run_once: Vec::new(),
            kubelet: Fields::default(),
            api_server: Component::default(),
            controller_manager: Component::default(),
            scheduler: Component::default(),
            etcd: Component::default(),
            kubeadm: Fields::default(),
            k3s: K3s::default(),
            registries: BTreeMap::new(),
            proxy: None,
            status: true,
            allow: Vec::new(),
            nodes: Vec::new(),
        }
    }
}

/// Where the control plane is reached.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Endpoint {
    /// A name or an address, the same for all nodes.
    pub host: String,
    /// TCP port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Whether the masters hold the address among themselves (kube-vip). Otherwise something outside does: DNS, a
    /// load balancer.
    #[serde(default, rename = "virtual")]
    pub is_virtual: bool,
}

fn default_port() -> u16 {
    Endpoint::PORT
}

impl Endpoint {
    /// Port of the API server.
    pub const PORT: u16 = 6443;

    /// `host:port`, as kubeadm wants it.
    pub fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

/// What runs a node's containers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// containerd, which the kubelet talks to.
    #[default]
    Containerd,
    /// Docker, with cri-dockerd between it and the kubelet; 64-bit boards only.
    Docker,
}

impl Runtime {
    /// The name used in files and folders.
    pub fn name(self) -> &'static str {
        match self {
            Runtime::Containerd => "containerd",
            Runtime::Docker => "docker",
        }
    }

    /// The socket on which it speaks the kubelet's language (CRI), as a URL.
    pub fn socket(self) -> &'static str {
        match self {
            Runtime::Containerd => containerd::SOCKET,
            Runtime::Docker => docker::SOCKET,
        }
    }
}

/// Tags of images whose releases are not those of Kubernetes, and further images.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ImageTags {
    /// Of etcd: `3.5.16-0`.
    pub etcd: Option<String>,
    /// Of CoreDNS: `v1.12.1`.
    pub coredns: Option<String>,
    /// Images of your own, which the cards carry besides: `ghcr.io/home/nas:1.2`. Those that `manifests` start come by themselves.
    pub own: Vec<String>,
}

/// What runs in the cluster from the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct AddOns {
    /// What connects the pods.
    pub network: NetworkPlugin,
    /// Addresses of the home network for Services of type LoadBalancer (MetalLB).
    pub load_balancer: Option<LoadBalancer>,
    /// A name server for the home network that knows the cluster's Services.
    pub lan_dns: Option<LanDns>,
    /// Prometheus with alerts, small enough for a board with 1 GB.
    pub monitoring: Option<Monitoring>,
}

/// What connects the pods of different nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkPlugin {
    /// Flannel: small, 32- and 64-bit.
    #[default]
    Flannel,
    /// Calico: network policies, 64-bit only.
    Calico,
    /// None from imgforge: nodes stay NotReady until somebody brings one.
    None,
}

/// Addresses that MetalLB hands out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LoadBalancer {
    /// Ranges outside the router's DHCP range: `192.168.1.240-192.168.1.250`.
    pub addresses: Vec<AddressRange>,
}

/// A name server for the home network: the router's DHCP can hand out its address.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LanDns {
    /// Its address, one of those of the load balancer.
    pub address: IpAddr,
    /// Domain of the Services' names: a Service `nas` of type LoadBalancer in the namespace `default` is
    /// `nas.default.DOMAIN`.
    pub domain: String,
    /// Name servers for everything else; unset: those of `lan`.
    #[serde(default)]
    pub upstream: Vec<IpAddr>,
}

/// Prometheus on one node, an exporter on each.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Monitoring {
    /// The node that measures and keeps what was measured, in `/var/lib/prometheus`; unset: the first master.
    pub node: Option<String>,
    /// How many days it is kept. It is less if it would be more than 1 GB.
    pub days: u16,
    /// Who is told of alerts: the address of a webhook of Alertmanager's form. Unset: they are only shown.
    pub alerts_to: Option<String>,
}

impl Default for Monitoring {
    fn default() -> Self {
        Self { node: None, days: 7, alerts_to: None }
    }
}

impl Cluster {
    /// The nodes that run the control plane, in the file's order.
    pub fn masters(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.role == Role::Master)
    }

    /// The node that makes the cluster.
    pub fn first_master(&self) -> Option<&Node> {
        self.masters().next()
    }

    /// The node called `hostname`.
    pub fn node(&self, hostname: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.hostname == hostname)
    }

    /// The tag of CoreDNS' image, if it is known.
    pub fn coredns_tag(&self) -> Option<&str> {
        self.images.coredns.as_deref().or_else(|| self.kubernetes.line()?.coredns.as_deref())
    }

    /// The tag of etcd's image, if it is known.
    pub fn etcd_tag(&self) -> Option<&str> {
        self.images.etcd.as_deref().or_else(|| self.kubernetes.line()?.etcd.as_deref())
    }

    /// The tags to tell kubeadm: those a person gave, and of images that the cards carry all, so that it takes these.
    pub fn told_tags(&self) -> ImageTags {
        if !self.carry_images {
            return self.images.clone();
        }
        let owned = |tag: Option<&str>| tag.map(str::to_owned);
        ImageTags {
            etcd: owned(self.etcd_tag()),
            coredns: owned(self.coredns_tag()),
            own: self.images.own.clone(),
        }
    }

    /// The family of addresses that the cluster prefers: that of the first network of pods.
    pub fn family(&self) -> Family {
        Family::of(self.networking.pod_subnet.first.address)
    }

    /// The release of Kubernetes on `node`.
    pub fn version_of(&self, node: &Node) -> Version {
        node.kubernetes.unwrap_or(self.kubernetes)
    }

    /// What runs the containers of `node`.
    pub fn runtime_of(&self, node: &Node) -> Runtime {
        node.runtime.unwrap_or(self.runtime)
    }

    /// Where the nodes find the control plane: what the file says, else the first master, by its static address or,
    /// where the router gives it one, by its name.
    pub fn control_plane_endpoint(&self) -> Option<Endpoint> {
        self.endpoint.clone().or_else(|| {
            let master = self.first_master()?;
            let host = match &master.address {
                Some(cidr) => cidr.address.to_string(),
                None => master.hostname.clone(),
            };
            Some(Endpoint { host, port: Endpoint::PORT, is_virtual: false })
        })
    }
}
