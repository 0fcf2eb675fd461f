//! Add-ons that people use: the name server of the home network, and monitoring.

use imgforge_spec::{is_dns_name, is_url};

use super::{Context, Found, Rule};
use crate::cluster::{LanDns, Monitoring, Role};

pub const RULES: &[Rule] = &[
    Rule::error(
        "lan-dns",
        "the name server of the home network has an address, a domain and somebody to ask",
        lan_dns,
    ),
    Rule::error(
        "monitoring",
        "monitoring has a node, something to keep and a receiver that can be reached",
        monitoring,
    ),
];

fn lan_dns(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let Some(LanDns { address, domain, upstream }) = &cluster.add_ons.lan_dns else { return Vec::new() };
    let mut found = Vec::new();
    let mut ranges = cluster.add_ons.load_balancer.iter().flat_map(|balancer| &balancer.addresses);
    if !ranges.any(|range| range.contains(*address)) {
        let message = format!("{address} is not among the addresses of the load balancer");
        found.push(
            Found::new("add-ons.lan-dns.address", message)
                .suggest("add it to `add-ons.load-balancer.addresses`"),
        );
    }
    if !is_dns_name(domain) {
        found.push(Found::new("add-ons.lan-dns.domain", format!("`{domain}` is no domain")));
    }
    let upstream = if upstream.is_empty() { &cluster.lan.dns } else { upstream };
    if upstream.is_empty() {
        found.push(
            Found::new("add-ons.lan-dns.upstream", "nobody is there to ask for other names")
                .suggest("give `upstream`, or `lan: { dns: [192.168.1.1] }`"),
        );
    }
    if upstream.contains(address) {
        found.push(Found::new("add-ons.lan-dns.upstream", "the name server would ask itself"));
    }
    if cluster.coredns_tag().is_none() {
        let message = format!("the tag of CoreDNS' image for Kubernetes {} is not known", cluster.kubernetes);
        found.push(
            Found::new("images.coredns", message).suggest("give it: `kubeadm config images list` tells"),
        );
    }
    found
}

fn monitoring(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let Some(Monitoring { node, days, alerts_to }) = &cluster.add_ons.monitoring else { return Vec::new() };
    let mut found = Vec::new();
    let is_strange = |name: &&String| cluster.node(name).is_none_or(|node| node.role == Role::Base);
    if let Some(name) = node.as_ref().filter(is_strange) {
        let message = format!("no node that runs pods is called `{name}`");
        found.push(Found::new("add-ons.monitoring.node", message));
    }
    if *days == 0 {
        found.push(Found::new("add-ons.monitoring.days", "nothing would be kept"));
    }
    if let Some(url) = alerts_to.as_ref().filter(|url| !is_url(url)) {
        let message = format!("`{url}` is no address of a webhook: https://ntfy.home.example/alerts");
        found.push(Found::new("add-ons.monitoring.alerts-to", message));
    }
    found
}
