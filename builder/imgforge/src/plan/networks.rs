//! The networks a node stands in besides that of its address: files for systemd-networkd and for NetworkManager, of which the one
//! that runs reads its own. The address itself is an overlay's template; these are as many as the settings have.

use std::fmt::Write as _;

use imgforge_kube::cluster::{Cidr, Interface, NodeNetwork};
use imgforge_spec::ImagePath;

use super::{Draft, Error};
use crate::{
    image::change::{Access, Origin, Volume},
    target::node::{Address, Node},
};

const ORIGIN: Origin = Origin::Node("networks");

/// Before the overlay's `05-imgforge`, which takes any card where none is named; the first file that fits a card counts
/// (systemd.network(5)).
const NETWORKD: &str = "/etc/systemd/network/04-imgforge";

/// NetworkManager reads a file here only if nobody else can.
const CONNECTIONS: &str = "/etc/NetworkManager/system-connections/imgforge";

/// The VLANs behind the card of the address, which the overlay's template names.
pub(crate) fn vlans_of_address(node: &Node) -> Vec<u16> {
    let card = node.address.as_ref().and_then(|address| address.interface.as_ref());
    node.networks
        .iter()
        .filter(|network| Some(&network.interface) == card)
        .filter_map(|own| own.vlan)
        .collect()
}

/// Writes the files of the networks of `node`.
pub(crate) fn add(draft: &mut Draft<'_>, node: &Node) -> Result<(), Error> {
    for network in &node.networks {
        if let Some(vlan) = network.vlan {
            let netdev = format!("[NetDev]\nName=vlan{vlan}\nKind=vlan\n\n[VLAN]\nId={vlan}\n");
            public(draft, &format!("{NETWORKD}-vlan{vlan}.netdev"), &netdev)?;
            let mut text = format!("[Match]\nName=vlan{vlan}\n\n[Link]\nRequiredForOnline=no\n\n[Network]\n");
            addresses(&mut text, &network.addresses);
            public(draft, &format!("{NETWORKD}-vlan{vlan}.network"), &text)?;
        }
        keyfile(draft, network)?;
    }
    for card in cards(node) {
        of_card(draft, node, card)?;
    }
    Ok(())
}

/// The cards besides that of the address, each once.
fn cards(node: &Node) -> Vec<&Interface> {
    let of_address = node.address.as_ref().and_then(|address| address.interface.as_ref());
    let mut cards: Vec<&Interface> = Vec::new();
    for card in node.networks.iter().map(|network| &network.interface) {
        if Some(card) != of_address && !cards.contains(&card) {
            cards.push(card);
        }
    }
    cards
}

/// What `card` itself has: its addresses without a tag, and the VLANs behind it. One that has only these speaks to nobody itself,
/// unless the node asks by DHCP: then it may be the card that does.
fn of_card(draft: &mut Draft<'_>, node: &Node, card: &Interface) -> Result<(), Error> {
    let networks = || node.networks.iter().filter(|network| network.interface == *card);
    let own = networks().find(|network| network.vlan.is_none());
    let mut text = format!("[Match]\n{}\n[Link]\nRequiredForOnline=no\n\n[Network]\n", matching(card));
    match (own, &node.address) {
        (Some(network), _) => addresses(&mut text, &network.addresses),
        (None, None) => text.push_str("DHCP=yes\n"),
        (None, Some(_)) => text.push_str("LinkLocalAddressing=no\nIPv6AcceptRA=no\n"),
    }
    for vlan in networks().filter_map(|network| network.vlan) {
        let _ = writeln!(text, "VLAN=vlan{vlan}");
    }
    public(draft, &format!("{NETWORKD}-{}.network", file_name(card)), &text)?;
    if let (None, Some(Address { .. })) = (own, &node.address) {
        let text = connection(card, "\n[ipv4]\nmethod=disabled\n\n[ipv6]\nmethod=disabled\n");
        private(draft, &format!("{CONNECTIONS}-{}.nmconnection", file_name(card)), &text)?;
    }
    Ok(())
}

fn keyfile(draft: &mut Draft<'_>, network: &NodeNetwork) -> Result<(), Error> {
    let mut families = String::new();
    for (family, is_v6) in [("ipv4", false), ("ipv6", true)] {
        let own = network.addresses.iter().filter(|own| own.address.is_ipv6() == is_v6);
        let own: Vec<String> =
            own.enumerate().map(|(index, own)| format!("address{}={own}\n", index + 1)).collect();
        let method = match (own.is_empty(), is_v6) {
            (false, _) => "manual",
            (true, false) => "disabled",
            (true, true) => "link-local",
        };
        let _ = write!(families, "\n[{family}]\nmethod={method}\n{}", own.concat());
    }
    let card = &network.interface;
    let (name, text) = match network.vlan {
        None => (file_name(card), connection(card, &families)),
        Some(vlan) => {
            let parent = match card {
                Interface::Name(name) => format!("parent={name}\n"),
                Interface::Hardware(_) => format!("\n[ethernet]\nmac-address={card}\n"),
            };
            let head = format!(
                "[connection]\nid=imgforge-vlan{vlan}\ntype=vlan\nautoconnect-priority=999\ninterface-name=vlan{vlan}\n\n\
                 [vlan]\nflags=1\nid={vlan}\n{parent}"
            );
            (format!("vlan{vlan}"), format!("{head}{families}"))
        }
    };
    private(draft, &format!("{CONNECTIONS}-{name}.nmconnection"), &text)
}

/// A connection of `card` itself.
fn connection(card: &Interface, families: &str) -> String {
    let which = match card {
        Interface::Name(name) => format!("interface-name={name}\n"),
        Interface::Hardware(_) => format!("\n[ethernet]\nmac-address={card}\n"),
    };
    let name = file_name(card);
    format!("[connection]\nid=imgforge-{name}\ntype=ethernet\nautoconnect-priority=999\n{which}{families}")
}

/// A hardware address is the one that the card was made with: a vendor's first run may give it a random one.
fn matching(card: &Interface) -> String {
    match card {
        Interface::Name(name) => format!("Name={name}\n"),
        Interface::Hardware(_) => format!("PermanentMACAddress={card}\nKind=!*\n"),
    }
}

fn addresses(text: &mut String, addresses: &[Cidr]) {
    for address in addresses {
        let _ = writeln!(text, "Address={address}");
    }
}

fn file_name(card: &Interface) -> String {
    card.to_string().replace(':', "-")
}

fn public(draft: &mut Draft<'_>, path: &str, text: &str) -> Result<(), Error> {
    put(draft, path, text, 0o644)
}

fn private(draft: &mut Draft<'_>, path: &str, text: &str) -> Result<(), Error> {
    put(draft, path, text, 0o600)
}

fn put(draft: &mut Draft<'_>, path: &str, text: &str, mode: u16) -> Result<(), Error> {
    let text = format!("# Made by imgforge from `networks`.\n{text}");
    draft.write(Volume::Root, &ImagePath::new(path)?, text, Some(Access::root(mode)), ORIGIN)
}
