//! The masters, and where they are found.

use std::net::IpAddr;

use imgforge_spec::{host_of, is_broken_address, is_dns_name};

use super::{Context, Found, Rule, neighbours, subnets};
use crate::{
    cluster::{Cluster, Endpoint, Family, Node, Role},
    kubeadm::GoDuration,
};

pub const RULES: &[Rule] = &[
    Rule::error("no-master", "there is a master", no_master),
    Rule::notice("even-masters", "the number of masters is odd", even_masters),
    Rule::error("endpoint-missing", "several masters have one address together", endpoint_missing),
    Rule::error("endpoint-host", "the endpoint is a name or an address that can be reached", endpoint_host),
    Rule::notice("endpoint-of-one", "several masters are not found at the address of one", endpoint_of_one),
    Rule::error("endpoint-elsewhere", "the endpoint is no node that is not a master", endpoint_elsewhere),
    Rule::error("join-window", "the token that nodes join by runs out", join_window),
    Rule::error("endpoint-port", "the endpoint's port is the one the API server listens at", endpoint_port),
    Rule::error("virtual-endpoint-name", "a virtual endpoint is an address", virtual_endpoint_name),
    Rule::error(
        "virtual-endpoint-taken",
        "a virtual endpoint is an address that nobody has",
        virtual_endpoint_taken,
    ),
    Rule::error(
        "virtual-endpoint-outside",
        "a virtual endpoint is in the masters' network",
        virtual_endpoint_outside,
    ),
    Rule::notice("named-master", "the nodes know their master's address", named_master),
    Rule::notice("mdns-name", "no name is in .local, which is not asked of name servers", mdns_name),
];

const HOST: &str = "endpoint.host";

fn no_master(context: &Context<'_>) -> Vec<Found> {
    let found = || Found::new("nodes", "no node is a master").suggest("give one of them `role: master`");
    context.cluster.first_master().is_none().then(found).into_iter().collect()
}

fn even_masters(context: &Context<'_>) -> Vec<Found> {
    let masters = context.cluster.masters().count();
    let found = || {
        let message = format!(
            "{masters} masters survive no more failures than {}: etcd needs a majority of its members",
            masters - 1
        );
        Found::new("nodes", message)
    };
    (masters > 1 && masters.is_multiple_of(2)).then(found).into_iter().collect()
}

fn endpoint_of_one(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let Some(endpoint) = cluster.endpoint.as_ref().filter(|endpoint| !endpoint.is_virtual) else {
        return Vec::new();
    };
    let is_of = |master: &&Node| {
        master.hostname == endpoint.host
            || master.addresses().any(|own| Some(own.address) == address(endpoint))
    };
    let several = cluster.masters().count() > 1;
    let found = |master: &Node| {
        let message = format!(
            "{} is {} alone: while it is off, nobody joins and nothing finds the others",
            endpoint.host, master.hostname
        );
        Found::new(HOST, message)
            .suggest("give a free address with `virtual: true`, or a name of all masters")
    };
    cluster.masters().filter(|_| several).find(is_of).map(found).into_iter().collect()
}

fn endpoint_elsewhere(context: &Context<'_>) -> Vec<Found> {
    let Some(endpoint) = &context.cluster.endpoint else { return Vec::new() };
    let is_it = |node: &&Node| {
        node.role != Role::Master
            && (node.hostname == endpoint.host
                || node.all_addresses().any(|own| Some(own.address) == address(endpoint)))
    };
    let found = |node: &Node| {
        let message =
            format!("{} is {}, which is no master: nobody answers there", endpoint.host, node.hostname);
        Found::new(HOST, message).suggest("give the master's address, or a name of it")
    };
    context.cluster.nodes.iter().find(is_it).map(found).into_iter().collect()
}

/// kubeadm takes 0 for "never".
fn join_window(context: &Context<'_>) -> Vec<Found> {
    let found = || {
        Found::new("join-window", "a token of no time never runs out, as kubeadm has it")
            .suggest("give the time in which the nodes are switched on, such as 24h, or remove it")
    };
    (context.cluster.join_window == Some(GoDuration(0))).then(found).into_iter().collect()
}

fn endpoint_missing(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let is_missing = cluster.endpoint.is_none() && cluster.masters().count() > 1;
    let found = || {
        Found::new("endpoint", "several masters need one address that is theirs together").suggest(
            "give `endpoint: { host: 192.168.1.9, virtual: true }` with a free address of your network",
        )
    };
    is_missing.then(found).into_iter().collect()
}

fn address(endpoint: &Endpoint) -> Option<IpAddr> {
    endpoint.host.parse().ok()
}

/// The endpoint, if the masters hold it among themselves.
fn virtual_endpoint(cluster: &Cluster) -> Option<&Endpoint> {
    cluster.endpoint.as_ref().filter(|endpoint| endpoint.is_virtual)
}

fn endpoint_host(context: &Context<'_>) -> Vec<Found> {
    let Some(endpoint) = &context.cluster.endpoint else { return Vec::new() };
    let Some(address) = address(endpoint) else {
        let host = &endpoint.host;
        let message = match host.as_str() {
            "localhost" => "each node would look for the control plane on itself".to_owned(),
            _ if !is_dns_name(host) || is_broken_address(host) => {
                format!("`{host}` is neither a name nor an address")
            }
            _ => return Vec::new(),
        };
        return vec![Found::new(HOST, message).suggest("give the master's address, or a name of it")];
    };
    let special = subnets::special(address).map(|reason| format!("{address} {reason}"));
    let inside =
        subnets::all(context.cluster).find(|(_, subnet)| subnet.contains(address)).map(|(whose, subnet)| {
            format!("{address} is among the addresses of {}, {subnet}", subnets::whose(whose))
        });
    let found = |message| Found::new(HOST, message).suggest("take a free address of the nodes' network");
    special.into_iter().chain(inside).map(found).collect()
}

/// kube-vip asks its own node's API server at the endpoint's port, and nobody translates.
fn endpoint_port(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let Some(endpoint) = cluster.endpoint.as_ref().filter(|endpoint| endpoint.port != Endpoint::PORT) else {
        return Vec::new();
    };
    let is_masters_own = |host: &str| {
        cluster.masters().any(|master| {
            master.hostname == host || master.addresses().any(|own| own.address.to_string() == host)
        })
    };
    if endpoint.port == 0 {
        return vec![Found::new("endpoint.port", "nothing can be asked at port 0").suggest("remove it")];
    }
    if !endpoint.is_virtual && !is_masters_own(&endpoint.host) {
        return Vec::new();
    }
    let message =
        format!("the masters' API servers listen at port {}, not {}", Endpoint::PORT, endpoint.port);
    vec![Found::new("endpoint.port", message).suggest("remove it")]
}

fn virtual_endpoint_name(context: &Context<'_>) -> Vec<Found> {
    let endpoint = virtual_endpoint(context.cluster).filter(|endpoint| address(endpoint).is_none());
    endpoint.map(|_| Found::new(HOST, "a virtual endpoint is an address, not a name")).into_iter().collect()
}

fn virtual_endpoint_taken(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let Some(address) = virtual_endpoint(cluster).and_then(address) else { return Vec::new() };
    let node = cluster.nodes.iter().find(|node| node.addresses().any(|own| own.address == address));
    let node = node.map(|node| format!("{address} is {}'s own address", node.hostname));
    let neighbour = neighbours::outside(cluster).into_iter().find(|(its, _)| *its == address);
    let neighbour = neighbour.map(|(_, who)| format!("{address} is the address of {who}"));
    let found =
        |message| Found::new(HOST, message).suggest("a virtual endpoint is an address that nobody has");
    node.into_iter().chain(neighbour).map(found).collect()
}

/// It is announced by ARP or neighbour discovery, which no router passes on.
fn virtual_endpoint_outside(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let Some(address) = virtual_endpoint(cluster).and_then(address) else { return Vec::new() };
    let family = Family::of(address);
    if family != cluster.family() {
        let message = format!("{address} is not of {}, which the cluster has first", cluster.family());
        return vec![Found::new(HOST, message).suggest("take an address of that family")];
    }
    let networks = cluster.masters().flat_map(|master| {
        master.addresses().find(|own| Family::of(own.address) == family).map(|own| (master, own))
    });
    let outside: Vec<_> = networks.filter(|(_, own)| !own.contains(address)).collect();
    let [(master, own), ..] = outside[..] else {
        return in_its_network(cluster, address).into_iter().collect();
    };
    let message = format!("{address} is not in the network of {}, {}", master.hostname, own.network());
    vec![Found::new(HOST, message).suggest("take a free address of the masters' network")]
}

/// The first and the last address of the masters' network are nobody's.
fn in_its_network(cluster: &Cluster, address: IpAddr) -> Option<Found> {
    let own = cluster.masters().find_map(|master| master.addresses().find(|own| own.contains(address)))?;
    let is_end = address == own.network().address || (address.is_ipv4() && address == own.last());
    let message = format!("{address} is an end of the network {} and cannot be a machine's", own.network());
    is_end.then(|| Found::new(HOST, message).suggest("take a free address of the masters' network"))
}

/// One master without a fixed address: its name has to do.
fn named_master(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let master = cluster.first_master().filter(|master| master.address.is_none());
    let is_asked = cluster.endpoint.is_none() && cluster.masters().count() == 1 && cluster.nodes.len() > 1;
    let found = |name: &str| {
        let message = format!(
            "the nodes will look for the master by its name, {name}: the network's name server must know it"
        );
        Found::new("endpoint", message).suggest("or give the master a static `address`")
    };
    master.filter(|_| is_asked).map(|master| found(&master.hostname)).into_iter().collect()
}

/// kubeadm, the kubelet, CoreDNS and Alertmanager ask name servers, and those do not know `.local` (RFC 6762).
fn mdns_name(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let add_ons = &cluster.add_ons;
    let webhook = add_ons.monitoring.as_ref().and_then(|monitoring| monitoring.alerts_to.as_deref());
    let first =
        cluster.first_master().filter(|master| cluster.endpoint.is_none() && master.address.is_none());
    let names = [
        (HOST, cluster.endpoint.as_ref().map(|endpoint| endpoint.host.clone())),
        ("endpoint", first.map(|master| master.hostname.clone())),
        ("add-ons.monitoring.alerts-to", webhook.and_then(host_of).map(str::to_owned)),
        ("add-ons.lan-dns.domain", add_ons.lan_dns.as_ref().map(|lan_dns| lan_dns.domain.clone())),
    ];
    let is_mdns = |name: &String| name == "local" || name.ends_with(".local");
    let names = names.into_iter().filter_map(|(path, name)| Some((path, name.filter(is_mdns)?)));
    names
        .map(|(path, name)| {
            let message = format!(
                "{name} is a name of mDNS, and the programs of Kubernetes ask name servers only: they do not find it"
            );
            Found::new(path, message)
                .suggest("give an address, or a name that the network's name server knows, such as one in home.arpa")
        })
        .collect()
}
