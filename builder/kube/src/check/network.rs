//! Addresses, the endpoint, and what belongs to the cluster as a whole.

use std::net::IpAddr;

use super::{Finding, is_dns_name};
use crate::{
    cluster::{Cidr, Cluster, Endpoint, NetworkPlugin, ProxyMode, Role},
    version::{Refusal, Version},
};

pub fn check(cluster: &Cluster) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !is_dns_name(&cluster.name) {
        findings.push(Finding::error(
            "name",
            format!("`{}` is no name for a cluster: a-z, 0-9 and inner hyphens", cluster.name),
        ));
    }
    if cluster.kubernetes.line().is_none() {
        findings.push(Finding::error("kubernetes", Refusal::UnknownVersion { version: cluster.kubernetes }));
    }
    findings.extend(check_images(cluster));
    findings.extend(check_subnets(cluster));
    findings.extend(check_masters(cluster));
    findings.extend(check_load_balancer(cluster));
    findings.extend(check_lan_dns(cluster));
    findings.extend(check_monitoring(cluster));
    findings
}

/// Tags as registries take them:
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>.
fn check_images(cluster: &Cluster) -> Vec<Finding> {
    let is_tag = |tag: &str| {
        let good = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-');
        (1..=128).contains(&tag.len()) && tag.bytes().all(good) && !tag.starts_with(['.', '-'])
    };
    let tags = [("images.etcd", &cluster.images.etcd), ("images.coredns", &cluster.images.coredns)];
    let bad =
        tags.into_iter().filter_map(|(path, tag)| Some((path, tag.as_deref().filter(|tag| !is_tag(tag))?)));
    bad.map(|(path, tag)| Finding::error(path, format!("`{tag}` is no tag of an image"))).collect()
}

fn check_subnets(cluster: &Cluster) -> Vec<Finding> {
    let networking = &cluster.networking;
    let subnets = [
        ("networking.pod-subnet", networking.pod_subnet),
        ("networking.service-subnet", networking.service_subnet),
    ];
    let mut findings: Vec<_> = subnets.iter().filter_map(|(path, subnet)| host_bits(path, subnet)).collect();
    let (pods, services) = (networking.pod_subnet, networking.service_subnet);
    if pods.overlaps(&services) {
        let message = format!("the networks of pods ({pods}) and Services ({services}) overlap");
        findings.push(
            Finding::error("networking.service-subnet", message)
                .suggest("10.244.0.0/16 and 10.96.0.0/12 do not"),
        );
    }
    if pods.address.is_ipv4() && pods.prefix > 24 {
        let message = format!("{pods} has no room: each node takes a /24 of it");
        findings.push(Finding::error("networking.pod-subnet", message));
    }
    // The API server refuses more than 20 bits of Service addresses,
    // <https://github.com/kubernetes/kubernetes/pull/12841>.
    if services.width().saturating_sub(services.prefix) > 20 {
        let message = format!("{services} is too wide: Services may have at most 2^20 addresses");
        findings.push(Finding::error("networking.service-subnet", message).suggest("a /12 is enough"));
    }
    if !is_dns_name(&networking.dns_domain) {
        let message = format!("`{}` is no domain", networking.dns_domain);
        findings.push(Finding::error("networking.dns-domain", message));
    }
    if networking.proxy_mode == Some(ProxyMode::Nftables) && cluster.kubernetes.minor < 33 {
        let message =
            format!("nftables is ready for use since Kubernetes 1.33; this is {}", cluster.kubernetes);
        findings.push(Finding::error("networking.proxy-mode", message));
    }
    findings
}

fn host_bits(path: &str, subnet: &Cidr) -> Option<Finding> {
    let network = subnet.network();
    (network != *subnet).then(|| {
        Finding::error(path, format!("{subnet} is an address in a network, not a network"))
            .suggest(format!("write {network}"))
    })
}

fn check_masters(cluster: &Cluster) -> Vec<Finding> {
    let masters = cluster.masters().count();
    let mut findings = Vec::new();
    if masters == 0 {
        findings
            .push(Finding::error("nodes", "no node is a master").suggest("give one of them `role: master`"));
    }
    if masters > 1 && masters.is_multiple_of(2) {
        let message = format!(
            "{masters} masters survive no more failures than {}: etcd needs a majority of its members",
            masters - 1
        );
        findings.push(Finding::notice("nodes", message));
    }
    match &cluster.endpoint {
        Some(endpoint) => findings.extend(check_endpoint(cluster, endpoint)),
        None if masters > 1 => findings.push(
            Finding::error("endpoint", "several masters need one address that is theirs together").suggest(
                "give `endpoint: { host: 192.168.1.9, virtual: true }` with a free address of your network",
            ),
        ),
        None => findings.extend(named_master(cluster)),
    }
    findings
}

fn check_endpoint(cluster: &Cluster, endpoint: &Endpoint) -> Vec<Finding> {
    let address: Option<IpAddr> = endpoint.host.parse().ok();
    let mut findings = Vec::new();
    if address.is_none() && !is_dns_name(&endpoint.host) {
        let message = format!("`{}` is neither a name nor an address", endpoint.host);
        findings.push(Finding::error("endpoint.host", message));
    }
    if !endpoint.is_virtual {
        return findings;
    }
    match address {
        None => {
            findings.push(Finding::error("endpoint.host", "a virtual endpoint is an address, not a name"))
        }
        Some(address) => {
            let owner =
                cluster.nodes.iter().find(|node| node.address.is_some_and(|own| own.address == address));
            if let Some(owner) = owner {
                let message = format!("{address} is {}'s own address", owner.hostname);
                let finding = Finding::error("endpoint.host", message);
                findings.push(finding.suggest("a virtual endpoint is an address that nobody has"));
            }
        }
    }
    findings
}

/// One master without a fixed address: its name has to do.
fn named_master(cluster: &Cluster) -> Option<Finding> {
    let master = cluster.first_master().filter(|master| master.address.is_none())?;
    let message = format!(
        "the nodes will look for the master by its name, {}: the network's name server must know it",
        master.hostname
    );
    let is_alone = cluster.nodes.len() < 2;
    (!is_alone).then(|| Finding::notice("endpoint", message).suggest("or give the master a static `address`"))
}

fn check_load_balancer(cluster: &Cluster) -> Vec<Finding> {
    let Some(balancer) = &cluster.add_ons.load_balancer else { return Vec::new() };
    let path = |index: usize| format!("add-ons.load-balancer.addresses[{index}]");
    let mut findings = Vec::new();
    if balancer.addresses.is_empty() {
        findings.push(Finding::error("add-ons.load-balancer.addresses", "no address to hand out"));
    }
    if cluster.add_ons.network == NetworkPlugin::None {
        let message = "needs a network plugin to run";
        findings.push(Finding::notice("add-ons.load-balancer", message));
    }
    for (index, range) in balancer.addresses.iter().enumerate() {
        let node =
            cluster.nodes.iter().find(|node| node.address.is_some_and(|own| range.contains(own.address)));
        if let Some(node) = node {
            let message = format!("the address of {} is in the range", node.hostname);
            findings.push(Finding::error(path(index), message));
        }
        let endpoint = cluster.endpoint.as_ref().and_then(|endpoint| endpoint.host.parse().ok());
        if endpoint.is_some_and(|endpoint| range.contains(endpoint)) {
            findings.push(Finding::error(path(index), "the address of the control plane is in the range"));
        }
    }
    findings
}

fn check_monitoring(cluster: &Cluster) -> Vec<Finding> {
    let Some(settings) = &cluster.add_ons.monitoring else { return Vec::new() };
    let mut findings = Vec::new();
    if let Some(name) = &settings.node
        && cluster.node(name).is_none_or(|node| node.role == Role::Base)
    {
        let message = format!("no node that runs pods is called `{name}`");
        findings.push(Finding::error("add-ons.monitoring.node", message));
    }
    if settings.days == 0 {
        findings.push(Finding::error("add-ons.monitoring.days", "nothing would be kept"));
    }
    let is_url = |url: &String| {
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|c| c.is_ascii_graphic()))
    };
    if let Some(url) = settings.alerts_to.as_ref().filter(|url| !is_url(url)) {
        let message = format!("`{url}` is no address of a webhook: https://ntfy.home.example/alerts");
        findings.push(Finding::error("add-ons.monitoring.alerts-to", message));
    }
    findings
}

fn check_lan_dns(cluster: &Cluster) -> Vec<Finding> {
    let Some(settings) = &cluster.add_ons.lan_dns else { return Vec::new() };
    let mut findings = Vec::new();
    let ranges = cluster.add_ons.load_balancer.iter().flat_map(|balancer| &balancer.addresses);
    if !ranges.clone().any(|range| range.contains(settings.address)) {
        let message = format!("{} is not among the addresses of the load balancer", settings.address);
        let finding = Finding::error("add-ons.lan-dns.address", message);
        findings.push(finding.suggest("add it to `add-ons.load-balancer.addresses`"));
    }
    if !is_dns_name(&settings.domain) {
        let message = format!("`{}` is no domain", settings.domain);
        findings.push(Finding::error("add-ons.lan-dns.domain", message));
    }
    let upstream = if settings.upstream.is_empty() { &cluster.lan.dns } else { &settings.upstream };
    if upstream.is_empty() {
        let finding = Finding::error("add-ons.lan-dns.upstream", "nobody is there to ask for other names");
        findings.push(finding.suggest("give `upstream`, or `lan: { dns: [192.168.1.1] }`"));
    }
    if upstream.contains(&settings.address) {
        let message = "the name server would ask itself";
        findings.push(Finding::error("add-ons.lan-dns.upstream", message));
    }
    if cluster.coredns_tag().is_none() {
        let message = format!("the tag of CoreDNS' image for Kubernetes {} is not known", cluster.kubernetes);
        findings.push(
            Finding::error("images.coredns", message).suggest("give it: `kubeadm config images list` tells"),
        );
    }
    findings
}

/// Whether `version` is one whose fixes have ended long ago; said once for the whole cluster.
pub fn frozen(version: Version) -> Option<Finding> {
    (version.minor <= 26).then(|| {
        let message = format!("Kubernetes {version} gets no fixes any more; it is the line of 32-bit Arm");
        Finding::notice("kubernetes", message).suggest("with 64-bit boards only, take a current release")
    })
}
