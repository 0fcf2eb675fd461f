//! The nodes' addresses in the network they stand in.

use std::net::IpAddr;

use super::{At, Context, Found, Rule, subnets};
use crate::cluster::{
    Cidr, Cluster, Family, Firewall, Interface, Lan, Primary, Role, unfit_networks, unfit_vlan,
};

pub const RULES: &[Rule] = &[
    Rule::error("address-special", "a node's address is one that a machine can have", address_special),
    Rule::error("address-twice", "no two machines have one address", address_twice),
    Rule::error(
        "address-in-cluster",
        "the nodes stand outside the networks of pods and Services",
        address_in_cluster,
    ),
    Rule::error("address-family", "a node's addresses are of the cluster's families", address_family),
    Rule::error("prefix-lengths", "the nodes agree on how wide their network is", prefix_lengths),
    Rule::notice("no-gateway", "a node with a static address knows a router", no_gateway),
    Rule::notice("no-name-server", "a node with a static address knows a name server", no_name_server),
    Rule::error(
        "lan-in-cluster",
        "the network's own servers are outside the networks of pods and Services",
        lan_in_cluster,
    ),
    Rule::error("lan-special", "router and name servers have addresses that a machine can have", lan_special),
    Rule::error("gateway-outside", "the router is in the node's network", gateway_outside),
    Rule::error(
        "interface-without-address",
        "a network card is named for a static address",
        interface_without_address,
    ),
    Rule::error("networks", "a node's other networks are other ones, behind cards that are named", networks),
    Rule::error("vlan", "a VLAN has a number, a network card and a static address", vlan),
    Rule::notice(
        "firewall-by-dhcp",
        "a firewall with networks of its own hears the nodes that ask by DHCP",
        firewall_by_dhcp,
    ),
    Rule::error("interface-twice", "no two nodes have one network card", interface_twice),
    Rule::notice(
        "second-address",
        "every node has an address of both families where pods have",
        second_address,
    ),
    Rule::error("masters-by-dhcp", "several masters have static addresses", masters_by_dhcp),
    Rule::notice("master-by-dhcp", "the master has a static address", master_by_dhcp),
    Rule::error(
        "ipv6-master-address",
        "masters of a cluster that prefers IPv6 have static addresses",
        ipv6_master,
    ),
];

/// The static addresses, with their settings.
fn addresses<'a>(context: &Context<'a>) -> impl Iterator<Item = (At<'a>, String, Cidr)> + use<'a> {
    context.nodes().flat_map(|at| {
        let named = [("address", at.node.address), ("second-address", at.node.second_address)];
        let others = at.node.networks.iter().enumerate().flat_map(|(i, network)| {
            let path = move |j: usize| format!("networks[{i}].addresses[{j}]");
            network.addresses.iter().enumerate().map(move |(j, own)| (path(j), *own)).collect::<Vec<_>>()
        });
        let named = named.into_iter().filter_map(|(name, own)| Some((name.to_owned(), own?)));
        named.chain(others).map(move |(name, own)| (at, at.path(name), own)).collect::<Vec<_>>()
    })
}

/// The networks that nodes with static addresses stand in, each once.
pub(super) fn lans(cluster: &Cluster) -> Vec<Cidr> {
    let mut lans: Vec<Cidr> = Vec::new();
    for own in cluster.nodes.iter().flat_map(|node| node.addresses()) {
        if !lans.contains(&own.network()) {
            lans.push(own.network());
        }
    }
    lans
}

/// Why no machine in the network of `own` can have its address, if so. A network of two or one address has none to give
/// away.
fn reserved(own: Cidr) -> Option<&'static str> {
    let is_wide = own.width().saturating_sub(own.prefix) >= 2;
    match own.address {
        address if is_wide && address == own.network().address => Some("is the network's own"),
        address @ IpAddr::V4(_) if is_wide && address == own.last() => Some("means everybody in the network"),
        address => subnets::special(address),
    }
}

fn address_special(context: &Context<'_>) -> Vec<Found> {
    let bad = addresses(context).filter_map(|(_, path, own)| Some((path, own, reserved(own)?)));
    bad.map(|(path, own, reason)| {
        Found::new(path, format!("{} of {} {reason}", own.address, own.network()))
            .suggest("give the node an address of its own")
    })
    .collect()
}

fn address_twice(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (at, path, own) in addresses(context) {
        let address = own.address;
        if let Some(twin) = at.earlier().find(|other| other.all_addresses().any(|its| its.address == address))
        {
            found.push(Found::new(&path, format!("{address} is already {}'s", twin.hostname)));
        }
        if context.cluster.lan.gateway == Some(address) {
            let message = format!("{address} is the router's (`lan.gateway`)");
            found.push(Found::new(&path, message).suggest("give the node an address of its own"));
        }
    }
    found
}

fn address_in_cluster(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (_, path, own) in addresses(context) {
        for (whose, subnet) in subnets::all(context.cluster).filter(|(_, subnet)| subnet.overlaps(&own)) {
            let message = format!(
                "the node's network {} overlaps that of {}, {subnet}",
                own.network(),
                subnets::whose(whose)
            );
            found.push(Found::new(&path, message).suggest("choose another under `networking`"));
        }
    }
    found
}

fn address_family(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let families = cluster.networking.pod_subnet.families();
    let (first, second) = (cluster.family(), families.get(1));
    let mut found = Vec::new();
    for at in context.members() {
        if let Some(own) = at.node.address.filter(|own| Family::of(own.address) != first) {
            let family = Family::of(own.address);
            let message = format!(
                "{} is an address of {family}, and pods and Services have {first} first",
                own.address
            );
            let fix = match family {
                Family::V4 => "give an IPv6 address, or IPv4 networks under `networking`",
                Family::V6 => {
                    "give an IPv4 address, or under `networking` IPv6 networks: pod-subnet: fd00:10:244::/56, service-subnet: fd00:10:96::/112"
                }
            };
            found.push(Found::new(at.path("address"), message).suggest(fix));
        }
        let Some(own) = at.node.second_address else { continue };
        let path = at.path("second-address");
        match second {
            _ if at.node.address.is_none() => {
                let message = "there is no first one: a node's addresses are static or none is";
                found.push(Found::new(path, message).suggest("give `address`, too"));
            }
            None => {
                let message = format!("pods and Services have addresses of {first} only");
                found.push(
                    Found::new(path, message)
                        .suggest("remove it, or give a network of each family under `networking`"),
                );
            }
            Some(second) if Family::of(own.address) != *second => {
                let message = format!("{} is not of {second}, the cluster's second family", own.address);
                found.push(Found::new(path, message));
            }
            Some(_) => {}
        }
    }
    found
}

/// Of two machines in one network, the one that believes in a narrower one asks the router for the other.
fn prefix_lengths(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (at, path, own) in addresses(context) {
        let differs = |other: &Cidr| other.overlaps(&own) && other.prefix != own.prefix;
        let other = at.earlier().find_map(|node| Some((node, node.all_addresses().find(differs)?)));
        if let Some((node, other)) = other {
            let message = format!("{own} is in the network of {}, {other}, and not as wide", node.hostname);
            found.push(Found::new(path, message).suggest("give all nodes the prefix length of the network"));
        }
    }
    found
}

fn no_gateway(context: &Context<'_>) -> Vec<Found> {
    let alone =
        context.nodes().filter(|at| at.node.address.is_some() && context.cluster.lan.gateway.is_none());
    alone
        .map(|at| {
            Found::new(at.path("address"), "a node with a static address does not learn of a router")
                .suggest("give `lan: { gateway: …, dns: […] }`")
        })
        .collect()
}

fn no_name_server(context: &Context<'_>) -> Vec<Found> {
    let is_static = context.cluster.nodes.iter().any(|node| node.address.is_some());
    let found = || {
        Found::new(
            "lan.dns",
            "nodes with static addresses learn of no name server, and find no server by its name",
        )
        .suggest("give `lan: { dns: […] }`, such as the router")
    };
    (is_static && context.cluster.lan.dns.is_empty()).then(found).into_iter().collect()
}

/// What is sent there would stay inside the cluster.
fn lan_in_cluster(context: &Context<'_>) -> Vec<Found> {
    let lan = &context.cluster.lan;
    let dns = lan.dns.iter().enumerate().map(|(i, address)| (format!("lan.dns[{i}]"), *address));
    let servers = lan.gateway.map(|address| ("lan.gateway".to_owned(), address)).into_iter().chain(dns);
    let inside = servers.filter_map(|(path, address)| {
        let (whose, subnet) = subnets::all(context.cluster).find(|(_, subnet)| subnet.contains(address))?;
        let message = format!("{address} is among the addresses of {}, {subnet}", subnets::whose(whose));
        Some(Found::new(path, message).suggest("choose another network under `networking`"))
    });
    inside.collect()
}

/// A name server that is the machine's own would be each pod's own, too, and CoreDNS would ask itself.
fn lan_special(context: &Context<'_>) -> Vec<Found> {
    let Lan { gateway, dns, .. } = &context.cluster.lan;
    let lans = lans(context.cluster);
    let in_lan = |gateway: &IpAddr| {
        lans.iter()
            .filter(|lan| lan.contains(*gateway))
            .find_map(|lan| reserved(Cidr { address: *gateway, ..*lan }))
    };
    // A router of IPv6 is known by an address of its wire.
    let of_wire = |address: &IpAddr| matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let special = |address: &IpAddr| if of_wire(address) { None } else { subnets::special(*address) };
    let mut found = Vec::new();
    if let Some((gateway, reason)) =
        gateway.and_then(|own| Some((own, special(&own).or_else(|| in_lan(&own))?)))
    {
        found.push(
            Found::new("lan.gateway", format!("{gateway} {reason}")).suggest("give the router's address"),
        );
    }
    for (index, server) in dns.iter().enumerate() {
        let message = special(server).or_else(|| in_lan(server)).map(|reason| format!("{server} {reason}"));
        let said = message.map(|message| Found::new(format!("lan.dns[{index}]"), message));
        found
            .extend(said.map(|found| found.suggest("give the address of a name server, such as the router")));
    }
    found
}

fn gateway_outside(context: &Context<'_>) -> Vec<Found> {
    let Some(gateway) = context.cluster.lan.gateway else { return Vec::new() };
    // An IPv6 router is known by the address that is good on its wire only.
    if matches!(gateway, IpAddr::V6(gateway) if gateway.is_unicast_link_local())
        && context
            .nodes()
            .all(|at| at.node.address.is_none_or(|_| at.node.addresses().any(|own| own.address.is_ipv6())))
    {
        return Vec::new();
    }
    let outside = context.nodes().filter_map(|at| Some((at, at.node.address?)));
    let outside = outside.filter(|(at, _)| !at.node.addresses().any(|own| own.contains(gateway)));
    outside
        .map(|(at, own)| {
            let message = format!("the gateway {gateway} is not in {}", own.network());
            Found::new(at.path("address"), message).suggest("correct `lan.gateway` or the address")
        })
        .collect()
}

/// Of a node that asks by DHCP: all its cards do.
fn interface_without_address(context: &Context<'_>) -> Vec<Found> {
    let named = context.nodes().filter(|at| at.node.address.is_none());
    let named = named.filter_map(|at| Some((at, at.node.interface.as_ref()?)));
    named
        .map(|(at, interface)| {
            let message = format!("{interface} is to have a static address, and there is none");
            Found::new(at.path("interface"), message).suggest("give `address`, or remove this")
        })
        .collect()
}

/// What the router gives them is not known here; of the nodes with static addresses it is.
fn firewall_by_dhcp(context: &Context<'_>) -> Vec<Found> {
    let chosen = Firewall::default().from;
    let has_own = |wall: Option<&Firewall>| wall.is_some_and(|wall| wall.from != chosen);
    let common = has_own(context.cluster.firewall.as_ref()).then(|| "firewall.from".to_owned());
    let of_node =
        context.members().filter(|at| has_own(at.node.firewall.as_ref())).map(|at| at.path("firewall.from"));
    let Some(by_dhcp) = context.members().find(|at| at.node.address.is_none()) else { return Vec::new() };
    let message = format!(
        "{} gets its address by DHCP, and is heard only if that is in one of these networks",
        by_dhcp.node.hostname
    );
    let suggestion = "see that the network of the boards is among them";
    common.into_iter().chain(of_node).map(|path| Found::new(path, &message).suggest(suggestion)).collect()
}

fn networks(context: &Context<'_>) -> Vec<Found> {
    let flaw = |at: At<'_>| {
        let addresses: Vec<Cidr> = at.node.addresses().collect();
        let primary =
            Primary { addresses: &addresses, interface: at.node.interface.as_ref(), vlan: at.node.vlan };
        let primary = at.node.address.map(|_| primary);
        let (setting, message) = unfit_networks(&at.node.networks, primary)?;
        Some(Found::new(at.path(setting), message))
    };
    context.nodes().filter_map(flaw).collect()
}

fn vlan(context: &Context<'_>) -> Vec<Found> {
    let flaw = |at: At<'_>| {
        let vlan = at.node.vlan?;
        if at.node.address.is_none() {
            let message = format!("in VLAN {vlan} is to be a static address, and there is none");
            return Some(Found::new(at.path("vlan"), message).suggest("give `address`, or remove this"));
        }
        unfit_vlan(vlan, at.node.interface.as_ref()).map(|message| Found::new(at.path("vlan"), message))
    };
    context.nodes().filter_map(flaw).collect()
}

/// The name of a card, as eth0, is every node's; its hardware's address is one card's in the world.
fn interface_twice(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for at in context.nodes() {
        let Some(card @ Interface::Hardware(_)) = &at.node.interface else { continue };
        if let Some(twin) = at.earlier().find(|other| other.interface.as_ref() == Some(card)) {
            let message = format!("{card} is already the card of {}", twin.hostname);
            found.push(
                Found::new(at.path("interface"), message).suggest("`ip link` on the board shows its own"),
            );
        }
    }
    found
}

/// Flannel wants addresses of both families on one card.
fn second_address(context: &Context<'_>) -> Vec<Found> {
    let Some(second) = context.cluster.networking.pod_subnet.families().get(1).copied() else {
        return Vec::new();
    };
    let without = context.members().filter(|at| at.node.second_address.is_none());
    without
        .map(|at| {
            let message = format!("{} is given no address of {second}: the router must", at.node.hostname);
            Found::new(at.path("second-address"), message)
                .suggest("give one if the router does not announce a network of its own")
        })
        .collect()
}

fn by_dhcp<'a>(context: &Context<'a>) -> impl Iterator<Item = At<'a>> {
    context.nodes().filter(|at| at.node.role == Role::Master && at.node.address.is_none())
}

/// The address of a master is in the manifests of its etcd and API server and in its certificates, and the other members
/// of etcd know it by that.
fn masters_by_dhcp(context: &Context<'_>) -> Vec<Found> {
    if context.cluster.masters().count() < 2 {
        return Vec::new();
    }
    by_dhcp(context)
        .map(|at| {
            let name = &at.node.hostname;
            let message =
                format!("{name} has its address from DHCP; when that changes, the masters lose each other");
            Found::new(at.path("address"), message).suggest("give it a static `address`")
        })
        .collect()
}

fn master_by_dhcp(context: &Context<'_>) -> Vec<Found> {
    if context.cluster.masters().count() > 1 {
        return Vec::new();
    }
    by_dhcp(context)
        .map(|at| {
            let name = &at.node.hostname;
            let message = format!(
                "{name} has its address from DHCP, and its etcd and API server do not start with another than the first"
            );
            Found::new(at.path("address"), message)
                .suggest("give it a static `address`, or a fixed one in the router")
        })
        .collect()
}

/// kubeadm and the API server choose an IPv4 address where there is any.
fn ipv6_master(context: &Context<'_>) -> Vec<Found> {
    if context.cluster.family() == Family::V4 {
        return Vec::new();
    }
    by_dhcp(context)
        .map(|at| {
            let message =
                "left to itself, a master takes an IPv4 address, and pods and Services have IPv6 first";
            Found::new(at.path("address"), message).suggest("give it a static IPv6 `address`")
        })
        .collect()
}
