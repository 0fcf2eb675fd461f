//! Machines of the network that a cluster file names by their addresses, and that are no nodes.

use std::{collections::BTreeSet, net::IpAddr};

use imgforge_spec::{Mount, host_of};

use crate::cluster::{Cluster, Lan};

/// A machine's address, and what it is to the cluster.
pub(super) type Neighbour = (IpAddr, &'static str);

/// Machines that nodes need before there is a cluster, so that they are outside of it.
pub(super) fn outside(cluster: &Cluster) -> Vec<Neighbour> {
    let Lan { gateway, dns, .. } = &cluster.lan;
    let upstream = cluster.add_ons.lan_dns.iter().flat_map(|lan_dns| &lan_dns.upstream);
    let shares = cluster.nodes.iter().flat_map(|node| &node.mounts).filter_map(Mount::host);
    let proxies = cluster.proxy.iter().flat_map(|proxy| [&proxy.http, &proxy.https]).flatten();
    let proxies = proxies.filter_map(|url| host_of(url));
    let mut all: Vec<Neighbour> = Vec::new();
    all.extend(gateway.map(|address| (address, "the router (`lan.gateway`)")));
    // The cluster's own name server may be asked, too.
    let own = cluster.add_ons.lan_dns.as_ref().map(|lan_dns| lan_dns.address);
    let dns = dns.iter().filter(|address| own != Some(**address));
    all.extend(dns.map(|address| (*address, "a name server (`lan.dns`)")));
    all.extend(upstream.map(|address| (*address, "a name server (`add-ons.lan-dns.upstream`)")));
    all.extend(known("a time server (`time-servers`)", cluster.time_servers.iter().map(String::as_str)));
    all.extend(known("a server of files (`mounts`)", shares));
    all.extend(known("the proxy (`proxy`)", proxies));
    no_nodes(cluster, all)
}

/// Machines that may be outside, or Services of the cluster.
pub(super) fn perhaps_outside(cluster: &Cluster) -> Vec<Neighbour> {
    let registries = cluster.registries.iter().flat_map(|(name, registry)| {
        let own = name.split(':').next().unwrap_or(name);
        std::iter::once(own).chain(registry.mirrors.iter().filter_map(|mirror| host_of(mirror)))
    });
    let repositories = cluster.repositories.iter().filter_map(|repository| host_of(&repository.uri));
    let monitoring = cluster.add_ons.monitoring.iter();
    let receiver = monitoring.filter_map(|monitoring| host_of(monitoring.alerts_to.as_ref()?));
    let mut all: Vec<Neighbour> = known("a registry (`registries`)", registries).collect();
    all.extend(known("a server of packages (`repositories`)", repositories));
    all.extend(known("who is told of alerts (`add-ons.monitoring.alerts-to`)", receiver));
    no_nodes(cluster, all)
}

/// Those of `hosts` that are addresses.
fn known<'a>(what: &'static str, hosts: impl Iterator<Item = &'a str>) -> impl Iterator<Item = Neighbour> {
    hosts.filter_map(move |host| Some((host.parse().ok()?, what)))
}

/// Each address once; a node that serves others is told as a node.
fn no_nodes(cluster: &Cluster, mut all: Vec<Neighbour>) -> Vec<Neighbour> {
    let nodes = cluster.nodes.iter().flat_map(|node| node.all_addresses());
    let mut told: BTreeSet<IpAddr> = nodes.map(|own| own.address).collect();
    all.retain(|(address, _)| told.insert(*address));
    all
}
