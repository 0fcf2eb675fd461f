//! A static address is written for a network manager that runs, and for no other one does another set up the card.

use imgforge_kube::{check::Found, cluster::NodeNetwork};

use super::{Context, Rule};
use crate::image::{
    change::Volume,
    entry::State,
    survey::{Manager, Network},
};

pub(crate) const RULES: &[Rule] = &[
    Rule::error(
        "network-manager",
        "a static address is written for a network manager that the node starts",
        network_manager,
    ),
    Rule::notice(
        "unknown-network-manager",
        "something that imgforge knows sets up the network of a node with a static address",
        unknown_network_manager,
    ),
    Rule::notice(
        "other-network-manager",
        "no second network manager sets up the card that has a static address",
        other_network_manager,
    ),
    Rule::error(
        "earlier-network-file",
        "of systemd-networkd's files the one with the node's address comes first",
        earlier_network_file,
    ),
    Rule::error(
        "name-servers-unread",
        "somebody reads the name servers of a node's address",
        name_servers_unread,
    ),
    Rule::notice(
        "network-by-dhcp",
        "the card by which a node asks for its address is not given another one only",
        network_by_dhcp,
    ),
    Rule::error(
        "wireless-network-manager",
        "a wireless network is written for a network manager that the node starts",
        wireless_network_manager,
    ),
];

/// Where each manager that files are written for looks for them.
const FOLDERS: [(Manager, &str); 2] = [
    (Manager::Networkd, "/etc/systemd/network/"),
    (Manager::NetworkManager, "/etc/NetworkManager/system-connections/"),
];

fn network_manager(context: &Context<'_>) -> Vec<Found> {
    let Network { managers, .. } = &context.survey.network;
    let written = written_for(context);
    let is_served = managers.iter().any(|manager| written.contains(manager));
    if !is_static(context) || managers.is_empty() || is_served {
        return Vec::new();
    }
    let (runs, written) = (listed(managers), listed(&written));
    let message =
        format!("the base sets up its network with {runs}, but the address is written for {written}");
    let suggestion = "enable systemd-networkd.service in an overlay for the board, and mask the other, or leave the address to DHCP";
    vec![Found::new("address", message).suggest(suggestion)]
}

/// A base that has none may have one that nobody here has heard of.
fn unknown_network_manager(context: &Context<'_>) -> Vec<Found> {
    if !is_static(context) || !context.survey.network.managers.is_empty() {
        return Vec::new();
    }
    let written = listed(&written_for(context));
    let message =
        format!("the base starts no network manager that is known; the address is written for {written}");
    vec![
        Found::new("address", message).suggest("enable systemd-networkd.service in an overlay for the board"),
    ]
}

fn other_network_manager(context: &Context<'_>) -> Vec<Found> {
    let Network { managers, .. } = &context.survey.network;
    let written = written_for(context);
    let (served, other): (Vec<_>, Vec<_>) = managers.iter().partition(|manager| written.contains(manager));
    if !is_static(context) || served.is_empty() || other.is_empty() {
        return Vec::new();
    }
    let message = format!(
        "{} has the address, but {} is started, too, and may give the card another",
        listed(&served),
        listed(&other)
    );
    vec![Found::new("address", message).suggest("mask its unit in an overlay for the board")]
}

fn earlier_network_file(context: &Context<'_>) -> Vec<Found> {
    let Network { managers, earlier, .. } = &context.survey.network;
    if !is_static(context) || !managers.contains(&Manager::Networkd) {
        return Vec::new();
    }
    let found = |path: &String| {
        let message = "systemd-networkd takes the first file that fits a card, and this one comes before the node's address";
        Found::new(path.as_str(), message)
            .suggest("have an overlay remove it, or take the image as its vendor publishes it")
    };
    earlier.iter().map(found).collect()
}

/// systemd-networkd tells name servers to systemd-resolved and to nobody else.
fn name_servers_unread(context: &Context<'_>) -> Vec<Found> {
    let Network { managers, has_resolved, resolv_conf, .. } = &context.survey.network;
    let dns = context.request.node.address.iter().flat_map(|address| &address.dns);
    let servers: Vec<String> = dns.map(ToString::to_string).collect();
    let by_networkd = managers.contains(&Manager::Networkd) && !managers.contains(&Manager::NetworkManager);
    let text = resolv_conf.as_deref().unwrap_or_default();
    let is_there = text.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some("nameserver")
            && words.next().is_some_and(|word| servers.iter().any(|own| own == word))
    });
    let has_resolvconf = context.survey.has_command("resolvconf") == Some(true)
        || context
            .added
            .iter()
            .any(|package| ["systemd-resolved", "resolvconf", "openresolv"].contains(package));
    if servers.is_empty() || !by_networkd || *has_resolved || has_resolvconf || is_there {
        return Vec::new();
    }
    let lines: String = servers.iter().map(|server| format!("nameserver {server}\\n")).collect();
    let instead = match text.lines().any(|line| line.trim_start().starts_with("nameserver")) {
        true => "the servers in the base's own /etc/resolv.conf would be asked",
        false => "no name would be found",
    };
    let message = format!(
        "the base has no systemd-resolved, which alone hears of these from systemd-networkd: {instead}"
    );
    vec![
        Found::new("address.dns", message)
            .suggest(format!("give `files: [{{ path: /etc/resolv.conf, content: \"{lines}\" }}]`, or `packages: [systemd-resolved]`")),
    ]
}

/// A card with a network of `networks` asks nobody any more. It may be the only one that did.
fn network_by_dhcp(context: &Context<'_>) -> Vec<Found> {
    let node = &context.request.node;
    if node.address.is_some() || node.wifi.is_some() {
        return Vec::new();
    }
    let untagged = node.networks.iter().enumerate().filter(|(_, network)| network.vlan.is_none());
    let found = |(index, network): (usize, &NodeNetwork)| {
        let card = &network.interface;
        let message = format!("{card} has this address alone: it asks no router for one, and knows none");
        Found::new(format!("networks[{index}].interface"), message).suggest(
            "see that the board has another card, by which it is reached, or give `address` with its router",
        )
    };
    untagged.map(found).collect()
}

fn wireless_network_manager(context: &Context<'_>) -> Vec<Found> {
    let Network { managers, .. } = &context.survey.network;
    let is_served = |manager| FOLDERS.iter().any(|(served, _)| *served == manager);
    if context.request.node.wifi.is_none() || managers.is_empty() || managers.iter().copied().any(is_served) {
        return Vec::new();
    }
    let message = format!(
        "the base sets up its network with {}, but the wireless network is written for {}",
        listed(managers),
        listed(&FOLDERS.map(|(manager, _)| manager))
    );
    vec![
        Found::new("wifi", message)
            .suggest("enable systemd-networkd.service in an overlay for the board, and mask the other"),
    ]
}

/// Whether the node has a static address, in whichever of its networks.
fn is_static(context: &Context<'_>) -> bool {
    let node = &context.request.node;
    node.address.is_some() || !node.networks.is_empty()
}

/// The managers for which the plan has files.
fn written_for(context: &Context<'_>) -> Vec<Manager> {
    let is_there = |folder: &str| {
        context.changes.iter().any(|entry| {
            entry.volume == Volume::Root
                && matches!(entry.state, State::File { .. })
                && entry.path.as_bytes().starts_with(folder.as_bytes())
        })
    };
    FOLDERS.into_iter().filter(|(_, folder)| is_there(folder)).map(|(manager, _)| manager).collect()
}

fn listed(managers: &[Manager]) -> String {
    match managers {
        [] => "none".to_owned(),
        managers => managers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "),
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::stand_in::{Node, file};

    const ADDRESS: &str = "address: {address: 192.168.1.10/24}";
    const NETWORKD: &str = "/etc/systemd/network/05-imgforge.network";
    const CONNECTION: &str = "/etc/NetworkManager/system-connections/imgforge.nmconnection";

    #[test]
    fn an_address_for_a_manager_that_does_not_run_is_told() {
        let node = Node::of(ADDRESS).changing([file(NETWORKD)]);
        let manager = "NetworkManager.service";
        assert!(
            node.clone().enabling(manager).findings("network-manager")[0]
                .starts_with("address: the base sets up its network with NetworkManager, but the address is written for systemd-networkd")
        );
        assert!(node.findings("network-manager").is_empty());
        assert!(
            node.findings("unknown-network-manager")[0].contains("starts no network manager that is known")
        );
    }

    #[test]
    fn a_file_that_comes_before_the_nodes_own_is_told() {
        let node = |path: &str, text: &str| {
            Node::of(ADDRESS).changing([file(NETWORKD)]).enabling("systemd-networkd.service").with(path, text)
        };
        let found = |path: &str, text: &str| node(path, text).findings("earlier-network-file");
        let wired = "[Match]\nName=e*\n[Network]\nDHCP=yes\n";
        assert!(
            found("/etc/systemd/network/01-wired.network", wired)[0]
                .starts_with("/etc/systemd/network/01-wired.network: ")
        );
        assert_eq!(found("/usr/lib/systemd/network/05-a.network", "[Match]\nType=ether\n").len(), 1);
        for (path, text) in [
            ("/etc/systemd/network/10-wired.network", wired),
            ("/etc/systemd/network/01-wifi.network", "[Match]\nName=wl*\n[Network]\nName=e*\n"),
            ("/etc/systemd/network/05-imgforge.network", wired),
            ("/etc/systemd/network/01-wired.link", wired),
        ] {
            assert!(found(path, text).is_empty(), "{path}");
        }
    }

    #[test]
    fn name_servers_that_nobody_reads_are_told() {
        let address = "address: {address: 192.168.1.10/24, gateway: 192.168.1.1, dns: [192.168.1.1]}";
        let node = Node::of(address).changing([file(NETWORKD)]).enabling("systemd-networkd.service");
        let found = |node: &Node| node.findings("name-servers-unread");
        assert!(found(&node)[0].contains("content: \"nameserver 192.168.1.1\\n\""));
        assert!(found(&node)[0].contains("no name would be found"));
        let other = node.clone().with("/etc/resolv.conf", "nameserver 10.9.9.9\n");
        assert!(found(&other)[0].contains("the base's own /etc/resolv.conf would be asked"));
        assert!(found(&node.clone().with("/etc/resolv.conf", "nameserver 192.168.1.1\n")).is_empty());
        assert!(found(&node.clone().enabling("systemd-resolved.service")).is_empty());
        assert!(found(&node.clone().enabling("NetworkManager.service")).is_empty());
        assert!(found(&node.adding(&["systemd-resolved"])).is_empty());
        assert!(found(&Node::of(ADDRESS).enabling("systemd-networkd.service")).is_empty());
    }

    #[test]
    fn an_address_for_the_manager_that_runs_is_good() {
        for (path, unit) in [(NETWORKD, "systemd-networkd.service"), (CONNECTION, "NetworkManager.service")] {
            let node = Node::of(ADDRESS).changing([file(path)]).enabling(unit);
            assert!(node.findings("network-manager").is_empty(), "{unit}");
            assert!(node.findings("other-network-manager").is_empty(), "{unit}");
        }
    }

    #[test]
    fn netplan_starts_whom_it_writes_for() {
        let generator = "/usr/lib/systemd/system-generators/netplan";
        let node = Node::of(ADDRESS).changing([file(NETWORKD)]).with(generator, "");
        let netplan = "/etc/netplan/10-dhcp.yaml";
        assert!(
            node.clone().with(netplan, "network:\n  version: 2\n").findings("network-manager").is_empty()
        );
        let other = node.with(netplan, "network:\n  renderer: NetworkManager\n");
        assert_eq!(other.findings("network-manager").len(), 1);
    }

    #[test]
    fn ifupdown_beside_networkd_is_a_rival_where_it_has_a_card() {
        let node = Node::of(ADDRESS)
            .changing([file(NETWORKD)])
            .enabling("systemd-networkd.service")
            .enabling("networking.service");
        let lo = node.clone().with("/etc/network/interfaces", "auto lo\niface lo inet loopback\n");
        assert!(lo.findings("other-network-manager").is_empty());
        let card = node.with("/etc/network/interfaces.d/eth0", "iface eth0 inet dhcp\n");
        assert!(card.findings("other-network-manager")[0].contains("ifupdown is started, too"));
        assert!(!card.has_errors());
    }

    #[test]
    fn a_card_that_would_ask_nobody_any_more_is_told() {
        let of = |more: &str| {
            let networks = "networks: [{ interface: end0, addresses: [10.0.0.10/24] }]";
            Node::of(&format!("{networks}\n{more}")).findings("network-by-dhcp")
        };
        assert!(of("")[0].starts_with("networks[0].interface: end0 has this address alone"), "{:?}", of(""));
        assert!(of("address: { address: 192.168.1.10/24, interface: end1 }").is_empty());
        assert!(of("wifi: { ssid: home, passphrase: eight888, country: DE }").is_empty());
        let in_vlan = "networks: [{ interface: end0, vlan: 30, addresses: [10.0.30.10/24] }]";
        assert!(Node::of(in_vlan).findings("network-by-dhcp").is_empty());
    }

    #[test]
    fn a_wireless_network_is_for_those_that_can_join_one() {
        let node = Node::of("wifi: {ssid: home, passphrase: eight888, country: DE}");
        assert!(
            node.clone().enabling("dhcpcd.service").findings("wireless-network-manager")[0]
                .starts_with("wifi: the base sets up its network with dhcpcd, but the wireless network is written for systemd-networkd and NetworkManager")
        );
        for unit in ["NetworkManager.service", "systemd-networkd.service"] {
            assert!(node.clone().enabling(unit).findings("wireless-network-manager").is_empty(), "{unit}");
        }
    }

    #[test]
    fn a_node_that_asks_by_dhcp_takes_any_manager() {
        assert!(Node::of("").enabling("connman.service").findings("network-manager").is_empty());
    }
}
