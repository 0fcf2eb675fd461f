//! Names: of the cluster, of its nodes.

use std::net::IpAddr;

use imgforge_spec::{Hostname, is_broken_address, is_dns_name};

use super::{Context, Found, Rule};
use crate::cluster::Cluster;

pub const RULES: &[Rule] = &[
    Rule::error("cluster-name", "the cluster's name is a DNS name", cluster_name),
    Rule::error("host-name", "a host name is a DNS name of at most 64 characters", host_name),
    Rule::error("host-name-reserved", "no node has a name that means something else", host_name_reserved),
    Rule::error("host-name-twice", "no two nodes have one name", host_name_twice),
    Rule::error("short-name-twice", "no two host names begin with the same label", short_name_twice),
];

fn cluster_name(context: &Context<'_>) -> Vec<Found> {
    let name = &context.cluster.name;
    let found =
        || Found::new("name", format!("`{name}` is no name for a cluster: a-z, 0-9 and inner hyphens"));
    (!is_dns_name(name)).then(found).into_iter().collect()
}

fn host_name(context: &Context<'_>) -> Vec<Found> {
    let bad = context.nodes().filter_map(|at| Some((at, at.node.hostname.parse::<Hostname>().err()?)));
    bad.map(|(at, error)| Found::new(at.path("hostname"), error)).collect()
}

/// RFC 6761 keeps `localhost` and all below it for the machine itself.
fn host_name_reserved(context: &Context<'_>) -> Vec<Found> {
    let reason = |name: &str| match name {
        _ if name.parse::<IpAddr>().is_ok() || is_broken_address(name) => Some("is an address"),
        _ if name.split('.').any(|label| label == "localhost") => Some("is what every machine calls itself"),
        _ => None,
    };
    let reserved = context.nodes().filter_map(|at| Some((at, reason(&at.node.hostname)?)));
    reserved
        .map(|(at, reason)| {
            Found::new(at.path("hostname"), format!("`{}` {reason}, and no node's name", at.node.hostname))
                .suggest("give the node a name of its own, such as k8s-worker-1")
        })
        .collect()
}

fn host_name_twice(context: &Context<'_>) -> Vec<Found> {
    let twins = context.nodes().filter(|at| at.earlier().any(|other| other.hostname == at.node.hostname));
    twins
        .map(|at| {
            let name = &at.node.hostname;
            Found::new(at.path("hostname"), format!("`{name}` is there twice; a node is known by its name"))
                .suggest(format!("{} is free", free_name(context.cluster, name)))
        })
        .collect()
}

/// A node calls itself by the first label of its name, in its prompt, in the router's list and by DHCP.
fn short_name_twice(context: &Context<'_>) -> Vec<Found> {
    let short = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let mut found = Vec::new();
    for at in context.nodes() {
        let name = &at.node.hostname;
        let twin =
            at.earlier().find(|other| other.hostname != *name && short(&other.hostname) == short(name));
        if let Some(twin) = twin {
            let label = short(name);
            let message = format!(
                "{name} and {} are both called `{label}` by themselves and their router",
                twin.hostname
            );
            found.push(
                Found::new(at.path("hostname"), message)
                    .suggest("let the first labels differ, or give names without a domain"),
            );
        }
    }
    found
}

/// `name` with the lowest number behind it that no node has.
fn free_name(cluster: &Cluster, name: &str) -> String {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('-');
    let candidates = (1..=cluster.nodes.len() + 1).map(|number| format!("{stem}-{number}"));
    candidates.into_iter().find(|candidate| cluster.node(candidate).is_none()).unwrap_or_default()
}
