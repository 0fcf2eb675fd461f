//! The addresses that MetalLB hands out.

use std::net::IpAddr;

use super::{Context, Found, Rule, addresses::lans, neighbours, subnets};
use crate::cluster::{AddressRange, Cluster, Family, NetworkPlugin};

pub const RULES: &[Rule] = &[
    Rule::error("load-balancer-empty", "the load balancer has an address to give", empty),
    Rule::notice("load-balancer-plugin", "the load balancer has a network plugin to run with", plugin),
    Rule::error("load-balancer-taken", "addresses that are handed out belong to nobody", taken),
    Rule::notice(
        "load-balancer-named",
        "addresses that are handed out belong to no server of the network",
        perhaps_taken,
    ),
    Rule::error(
        "load-balancer-special",
        "addresses that are handed out are ones that a machine can have",
        special,
    ),
    Rule::error(
        "load-balancer-in-cluster",
        "addresses that are handed out are not those of pods and Services",
        in_cluster,
    ),
    Rule::error("load-balancer-overlap", "no address is handed out twice", overlap),
    Rule::error(
        "load-balancer-family",
        "addresses that are handed out are of the cluster's families",
        family,
    ),
    Rule::notice("load-balancer-outside", "addresses that are handed out are in the nodes' network", outside),
];

/// The ranges, with their settings.
fn ranges(cluster: &Cluster) -> impl Iterator<Item = (String, AddressRange)> {
    let ranges =
        cluster.add_ons.load_balancer.iter().flat_map(|balancer| balancer.addresses.iter().enumerate());
    ranges.map(|(index, range)| (format!("add-ons.load-balancer.addresses[{index}]"), *range))
}

fn empty(context: &Context<'_>) -> Vec<Found> {
    let balancer = context.cluster.add_ons.load_balancer.as_ref();
    let is_empty = balancer.is_some_and(|balancer| balancer.addresses.is_empty());
    let found = || Found::new("add-ons.load-balancer.addresses", "no address to hand out");
    is_empty.then(found).into_iter().collect()
}

fn plugin(context: &Context<'_>) -> Vec<Found> {
    let add_ons = &context.cluster.add_ons;
    let is_alone = add_ons.load_balancer.is_some() && add_ons.network == NetworkPlugin::None;
    let found = || Found::new("add-ons.load-balancer", "needs a network plugin to run");
    is_alone.then(found).into_iter().collect()
}

fn taken(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let endpoint: Option<IpAddr> = cluster.endpoint.as_ref().and_then(|endpoint| endpoint.host.parse().ok());
    let mut found = Vec::new();
    for (path, range) in ranges(cluster) {
        let nodes =
            cluster.nodes.iter().filter(|node| node.addresses().any(|own| range.contains(own.address)));
        found.extend(
            nodes.map(|node| Found::new(&path, format!("the address of {} is in the range", node.hostname))),
        );
        if endpoint.is_some_and(|endpoint| range.contains(endpoint)) {
            found.push(Found::new(&path, "the address of the control plane is in the range"));
        }
        let neighbours =
            neighbours::outside(cluster).into_iter().filter(|(address, _)| range.contains(*address));
        found.extend(neighbours.map(|(address, who)| {
            Found::new(&path, format!("{address}, the address of {who}, is in the range"))
                .suggest("a Service would take it; give addresses that nobody has")
        }));
    }
    found
}

/// A registry may be a Service of this very cluster.
fn perhaps_taken(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (path, range) in ranges(context.cluster) {
        let named = neighbours::perhaps_outside(context.cluster).into_iter();
        found.extend(named.filter(|(address, _)| range.contains(*address)).map(|(address, what)| {
            let message = format!("{address}, the address of {what}, is in the range");
            Found::new(&path, message)
                .suggest("if it is no Service of this cluster, leave it out: one would take it")
        }));
    }
    found
}

/// Ends of ranges that no machine can have, and the ends of the nodes' networks.
fn special(context: &Context<'_>) -> Vec<Found> {
    let lans = lans(context.cluster);
    let mut found = Vec::new();
    for (path, range) in ranges(context.cluster) {
        let reason =
            [range.first, range.last].into_iter().find_map(|end| Some((end, subnets::special(end)?)));
        if let Some((end, reason)) = reason {
            found.push(Found::new(&path, format!("{end} {reason}")));
        }
        let ends = lans.iter().filter(|lan| lan.prefix < lan.width().saturating_sub(1)).flat_map(|lan| {
            [Some(lan.address), lan.address.is_ipv4().then(|| lan.last())].into_iter().flatten()
        });
        found.extend(ends.filter(|end| range.contains(*end)).map(|end| {
            Found::new(&path, format!("{end}, an end of the nodes' network, is in the range"))
                .suggest("no machine can have it; leave it out")
        }));
    }
    found
}

fn in_cluster(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (path, range) in ranges(context.cluster) {
        let inside = subnets::all(context.cluster).filter(|(_, subnet)| subnet.range().overlaps(&range));
        found.extend(inside.map(|(whose, subnet)| {
            let message = format!("{range} has addresses of {}, {subnet}", subnets::whose(whose));
            Found::new(&path, message).suggest("give free addresses of the nodes' network")
        }));
    }
    found
}

/// MetalLB takes no pool whose ranges overlap.
fn overlap(context: &Context<'_>) -> Vec<Found> {
    let ranges: Vec<_> = ranges(context.cluster).collect();
    let twice = ranges.iter().enumerate().filter_map(|(index, (path, range))| {
        let (_, other) = ranges.iter().take(index).find(|(_, other)| other.overlaps(range))?;
        Some(Found::new(path, format!("{range} and {other} have addresses in common")))
    });
    twice.collect()
}

fn family(context: &Context<'_>) -> Vec<Found> {
    let families = context.cluster.networking.service_subnet.families();
    let strange = ranges(context.cluster).filter(|(_, range)| !families.contains(&Family::of(range.first)));
    strange
        .map(|(path, range)| {
            let message =
                format!("{range} is of {}, and no Service has such addresses", Family::of(range.first));
            Found::new(path, message)
                .suggest("give a network of that family under `networking`, or remove it")
        })
        .collect()
}

/// They are announced by ARP or neighbour discovery, which no router passes on.
fn outside(context: &Context<'_>) -> Vec<Found> {
    let lans = lans(context.cluster);
    let strange = ranges(context.cluster).filter(|(_, range)| {
        let mut of_family =
            lans.iter().filter(|lan| Family::of(lan.address) == Family::of(range.first)).peekable();
        of_family.peek().is_some()
            && !of_family.any(|lan| lan.contains(range.first) && lan.contains(range.last))
    });
    strange
        .map(|(path, range)| {
            let message = format!("{range} is not in the network of any node with a static address");
            Found::new(path, message)
                .suggest("machines there reach it only if the router has a route to a node")
        })
        .collect()
}
