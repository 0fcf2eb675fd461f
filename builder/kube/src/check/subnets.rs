//! The networks of pods and of Services. Sizes and families are kubeadm's rules: `ValidateNetworking` in
//! <https://github.com/kubernetes/kubernetes/blob/master/cmd/kubeadm/app/apis/kubeadm/validation/validation.go>.

use std::net::IpAddr;

use imgforge_spec::is_dns_name;

use super::{Context, Found, Rule};
use crate::cluster::{Cidr, Cluster, Family, NetworkPlugin, ProxyMode, Subnets};

pub const RULES: &[Rule] = &[
    Rule::error("subnet-form", "the networks of pods and Services are networks", subnet_form),
    Rule::error("subnet-special", "pods and Services have ordinary addresses", subnet_special),
    Rule::error(
        "subnet-families",
        "pods and Services have the same families in the same order",
        subnet_families,
    ),
    Rule::error("subnet-overlap", "the networks of pods and Services share no address", subnet_overlap),
    Rule::error("pod-subnet-size", "every node finds room in the pods' network", pod_subnet_size),
    Rule::error(
        "service-subnet-size",
        "the Services' network is as wide as Kubernetes takes it",
        service_subnet_size,
    ),
    Rule::error(
        "dual-stack-release",
        "the release of Kubernetes knows both families at once",
        dual_stack_release,
    ),
    Rule::error(
        "network-plugin-family",
        "the network plugin knows the pods' families",
        network_plugin_family,
    ),
    Rule::error("dns-domain", "the domain inside the cluster is a DNS name", dns_domain),
    Rule::error("proxy-mode", "the release of Kubernetes has this mode of kube-proxy", proxy_mode),
];

const PODS: &str = "networking.pod-subnet";
const SERVICES: &str = "networking.service-subnet";

/// kubeadm takes no pods' network of which nodes take more than 2^16 parts.
const MOST_NODES: u8 = 16;

/// Kubernetes takes no more addresses of Services than 2^20, and kubeadm no fewer than ten.
const SERVICE_BITS: std::ops::RangeInclusive<u8> = 4..=20;

/// All networks inside the cluster, with their settings.
pub(super) fn all(cluster: &Cluster) -> impl Iterator<Item = (&'static str, Cidr)> {
    let networking = &cluster.networking;
    let with = |path, subnets: &Subnets| subnets.iter().map(move |subnet| (path, subnet)).collect::<Vec<_>>();
    with(PODS, &networking.pod_subnet).into_iter().chain(with(SERVICES, &networking.service_subnet))
}

/// What the addresses of the setting `path` are for.
pub(super) fn whose(path: &str) -> &'static str {
    if path == PODS { "pods" } else { "Services" }
}

/// Why no machine can have `address`, if so.
pub(super) fn special(address: IpAddr) -> Option<&'static str> {
    let is_link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    match address {
        _ if address.is_unspecified() => Some("means no address at all"),
        _ if address.is_loopback() => Some("is every machine's own"),
        _ if address.is_multicast() => Some("is for groups of machines"),
        _ if is_link_local => Some("is good on one wire only and given by the machine itself"),
        IpAddr::V4(v4) if v4.octets()[0] >= 240 || v4.octets()[0] == 0 => Some("is reserved"),
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => Some("is an IPv4 address in another form"),
        _ => None,
    }
}

fn subnet_form(context: &Context<'_>) -> Vec<Found> {
    let bad = all(context.cluster).filter(|(_, subnet)| subnet.network() != *subnet);
    bad.map(|(path, subnet)| {
        Found::new(path, format!("{subnet} is an address in a network, not a network"))
            .suggest(format!("write {}", subnet.network()))
    })
    .collect()
}

fn subnet_special(context: &Context<'_>) -> Vec<Found> {
    let ends = |subnet: Cidr| special(subnet.network().address).or_else(|| special(subnet.last()));
    let bad = all(context.cluster).filter_map(|(path, subnet)| Some((path, subnet, ends(subnet)?)));
    bad.map(|(path, subnet, reason)| {
        Found::new(path, format!("{subnet} cannot be used: an address in it {reason}"))
            .suggest("take private addresses: 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fd00::/8")
    })
    .collect()
}

fn subnet_families(context: &Context<'_>) -> Vec<Found> {
    let networking = &context.cluster.networking;
    let mut found = Vec::new();
    for (path, subnets) in [(PODS, &networking.pod_subnet), (SERVICES, &networking.service_subnet)] {
        if let [first, second] = subnets.families()[..]
            && first == second
        {
            let message = format!("{subnets} are two networks of {first}");
            found.push(Found::new(path, message).suggest("give one, or one of IPv4 and one of IPv6"));
        }
    }
    let [pods, services] = [&networking.pod_subnet, &networking.service_subnet].map(Subnets::families);
    if found.is_empty() && pods != services {
        let message = format!(
            "Services have addresses of {} and pods of {}: they must be the same families in the same order",
            list(&services),
            list(&pods)
        );
        let fitting: Vec<_> = pods.iter().map(|family| example(*family)).collect();
        let fitting = match &fitting[..] {
            [one] => format!("such as {one}"),
            several => format!("such as [{}]", several.join(", ")),
        };
        found.push(Found::new(SERVICES, message).suggest(fitting));
    }
    found
}

fn list(families: &[Family]) -> String {
    families.iter().map(Family::to_string).collect::<Vec<_>>().join(" and ")
}

/// A network for Services.
fn example(family: Family) -> &'static str {
    match family {
        Family::V4 => "10.96.0.0/12",
        Family::V6 => "fd00:10:96::/112",
    }
}

fn subnet_overlap(context: &Context<'_>) -> Vec<Found> {
    let networking = &context.cluster.networking;
    let mut found = Vec::new();
    for services in networking.service_subnet.iter() {
        for pods in networking.pod_subnet.iter().filter(|pods| pods.overlaps(&services)) {
            let message = format!("the networks of pods ({pods}) and Services ({services}) overlap");
            found.push(Found::new(SERVICES, message).suggest("10.244.0.0/16 and 10.96.0.0/12 do not"));
        }
    }
    found
}

/// The prefix of what one node takes of the pods' network: what the file says, else kube-controller-manager's default.
fn node_prefix(cluster: &Cluster, family: Family) -> u8 {
    let (option, default) = match family {
        Family::V4 => ("node-cidr-mask-size-ipv4", 24),
        Family::V6 => ("node-cidr-mask-size-ipv6", 64),
    };
    let told = cluster.controller_manager.extra_args.get(option);
    told.and_then(|told| told.parse().ok()).unwrap_or(default)
}

fn pod_subnet_size(context: &Context<'_>) -> Vec<Found> {
    let nodes = context.members().count();
    let message = |subnet: Cidr| {
        let family = Family::of(subnet.address);
        let node = node_prefix(context.cluster, family);
        let room = node.checked_sub(subnet.prefix);
        match room {
            None => Some(format!("{subnet} has no room: each node takes a /{node} of it")),
            Some(bits) if bits > MOST_NODES => Some(format!(
                "{subnet} is too wide: each node takes a /{node} of it, and kubeadm wants no more than 2^{MOST_NODES} of them"
            )),
            Some(bits) if nodes > 1usize << bits => Some(format!(
                "{subnet} has room for {} of {nodes} nodes: each takes a /{node} of it",
                1usize << bits
            )),
            Some(_) => None,
        }
    };
    let pods = context.cluster.networking.pod_subnet.iter();
    let bad = pods.filter_map(|subnet| Some((subnet, message(subnet)?)));
    bad.map(|(subnet, message)| {
        let good = match Family::of(subnet.address) {
            Family::V4 => "a /16, such as 10.244.0.0/16, has room for 256",
            Family::V6 => "a /56, such as fd00:10:244::/56, has room for 256",
        };
        Found::new(PODS, message).suggest(good)
    })
    .collect()
}

fn service_subnet_size(context: &Context<'_>) -> Vec<Found> {
    let services = context.cluster.networking.service_subnet.iter();
    let found = |subnet: Cidr| {
        let bits = subnet.width().saturating_sub(subnet.prefix);
        let (widest, narrowest) =
            (subnet.width() - SERVICE_BITS.end(), subnet.width() - SERVICE_BITS.start());
        let message = match bits {
            _ if SERVICE_BITS.contains(&bits) => return None,
            _ if bits > *SERVICE_BITS.end() => {
                format!("{subnet} is too wide: Services may have at most 2^20 addresses")
            }
            _ => format!("{subnet} is too small: kubeadm wants ten addresses and more"),
        };
        Some(Found::new(SERVICES, message).suggest(format!("take a /{widest} to /{narrowest}")))
    };
    services.filter_map(found).collect()
}

/// <https://kubernetes.io/docs/concepts/services-networking/dual-stack/>: stable since 1.23.
fn dual_stack_release(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let is_dual = cluster.networking.pod_subnet.second.is_some();
    let found = || {
        let message = format!(
            "IPv4 and IPv6 at once is ready for use since Kubernetes 1.23; this is {}",
            cluster.kubernetes
        );
        Found::new(PODS, message).suggest("give one network, or take a newer release")
    };
    (is_dual && cluster.kubernetes.minor < 23).then(found).into_iter().collect()
}

/// Calico's manifest, as it is published, has IPv6 switched off in several places.
fn network_plugin_family(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let has_v6 = cluster.networking.pod_subnet.of(Family::V6).is_some();
    let found = || {
        Found::new("add-ons.network", "calico's manifest is for IPv4, and the pods have addresses of IPv6")
            .suggest("take flannel, or `none` and a manifest of your own")
    };
    (has_v6 && cluster.add_ons.network == NetworkPlugin::Calico).then(found).into_iter().collect()
}

fn dns_domain(context: &Context<'_>) -> Vec<Found> {
    let domain = &context.cluster.networking.dns_domain;
    let found = || Found::new("networking.dns-domain", format!("`{domain}` is no domain"));
    (!is_dns_name(domain)).then(found).into_iter().collect()
}

fn proxy_mode(context: &Context<'_>) -> Vec<Found> {
    let version = context.cluster.kubernetes;
    let is_nftables = context.cluster.networking.proxy_mode == Some(ProxyMode::Nftables);
    let found = || {
        let message = format!("nftables is ready for use since Kubernetes 1.33; this is {version}");
        Found::new("networking.proxy-mode", message)
    };
    (is_nftables && version.minor < 33).then(found).into_iter().collect()
}
