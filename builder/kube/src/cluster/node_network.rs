//! The networks a node stands in besides that of its address: a network of disks, of sensors, behind another card or in a VLAN.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cidr, Interface, interface::unfit_vlan};

/// A network that a node stands in besides that of its `address`, with static addresses there and no router.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NodeNetwork {
    /// The network card, by its name (`end1`) or hardware address.
    pub interface: Interface,
    /// The VLAN behind that card: 1 to 4094; unset: none, packets have no tag.
    #[serde(default)]
    pub vlan: Option<u16>,
    /// The node's addresses there, with the network's prefix: `[10.0.0.10/24]`.
    pub addresses: Vec<Cidr>,
}

/// Where a node's `address` is, besides which its networks are.
#[derive(Debug, Clone, Copy)]
pub struct Primary<'a> {
    /// The addresses.
    pub addresses: &'a [Cidr],
    /// The card that has them; unset: the only one.
    pub interface: Option<&'a Interface>,
    /// The VLAN behind that.
    pub vlan: Option<u16>,
}

/// Why a node cannot stand in all of `networks`, if so, with the setting to change: `networks[1].vlan`.
pub fn unfit_networks(networks: &[NodeNetwork], primary: Option<Primary<'_>>) -> Option<(String, String)> {
    let card_of_address = primary.and_then(|primary| primary.interface);
    if primary.is_some() && card_of_address.is_none() && !networks.is_empty() {
        let message = "a node in several networks has to be told which card has its address: give `interface`, such as end0";
        return Some(("interface".into(), message.into()));
    }
    for (index, network) in networks.iter().enumerate() {
        let at = |setting: &str| format!("networks[{index}].{setting}");
        let earlier = networks.iter().take(index);
        if let Some(message) = network.vlan.and_then(|vlan| unfit_vlan(vlan, Some(&network.interface))) {
            return Some((at("vlan"), message));
        }
        let vlans = earlier.clone().filter_map(|other| other.vlan).chain(primary.and_then(|own| own.vlan));
        if let Some(vlan) = network.vlan.filter(|vlan| vlans.into_iter().any(|other| other == *vlan)) {
            return Some((at("vlan"), format!("VLAN {vlan} is there twice")));
        }
        let is_same = |other: &NodeNetwork| other.interface == network.interface && other.vlan.is_none();
        let is_named = earlier.clone().any(is_same) || card_of_address == Some(&network.interface);
        if network.vlan.is_none() && is_named {
            let message = format!(
                "{} has an address already; this one needs a `vlan`, or another card",
                network.interface
            );
            return Some((at("interface"), message));
        }
        if network.addresses.is_empty() {
            return Some((at("addresses"), "there is none: give one, such as 10.0.0.10/24".into()));
        }
        let others = earlier.flat_map(|other| &other.addresses);
        let others: Vec<&Cidr> = others.chain(primary.into_iter().flat_map(|own| own.addresses)).collect();
        for (number, own) in network.addresses.iter().enumerate() {
            if let Some(other) = others.iter().find(|other| other.overlaps(own)) {
                let message = format!(
                    "{} overlaps {}, and is behind another card: the node would not know where to send",
                    own.network(),
                    other.network()
                );
                return Some((at(&format!("addresses[{number}]")), message));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(yaml: &str) -> Vec<NodeNetwork> {
        serde_yaml::from_str(yaml).unwrap()
    }

    fn problem(yaml: &str) -> Option<String> {
        let (card, own) = ("end0".parse::<Interface>().unwrap(), "192.168.1.10/24".parse::<Cidr>().unwrap());
        let primary = Primary { addresses: &[own], interface: Some(&card), vlan: None };
        unfit_networks(&networks(yaml), Some(primary))
            .map(|(setting, message)| format!("{setting}: {message}"))
    }

    #[test]
    fn another_card_and_a_vlan_behind_the_first_are_good() {
        let both = "[{ interface: end1, addresses: [10.0.0.10/24, 'fd00:9::10/64'] }, { interface: end0, vlan: 30, addresses: [10.0.30.10/24] }]";
        assert_eq!(problem(both), None);
        assert_eq!(unfit_networks(&networks(both), None), None, "its address may come by DHCP");
        assert_eq!(problem("[]"), None);
    }

    #[test]
    fn what_the_kernel_or_a_network_manager_would_not_take_is_told() {
        for (yaml, said) in [
            (
                "[{ interface: end0, addresses: [10.0.0.10/24] }]",
                "networks[0].interface: end0 has an address already",
            ),
            ("[{ interface: end1, addresses: [] }]", "networks[0].addresses: there is none"),
            (
                "[{ interface: end1, vlan: 4095, addresses: [10.0.0.10/24] }]",
                "networks[0].vlan: 4095 is no VLAN",
            ),
            (
                "[{ interface: end1, addresses: [192.168.1.11/25] }]",
                "networks[0].addresses[0]: 192.168.1.0/25 overlaps 192.168.1.0/24",
            ),
            (
                "[{ interface: end0, vlan: 3, addresses: [10.0.0.1/24] }, { interface: end1, vlan: 3, addresses: [10.0.1.1/24] }]",
                "networks[1].vlan: VLAN 3 is there twice",
            ),
        ] {
            assert!(problem(yaml).unwrap().starts_with(said), "{:?}", problem(yaml));
        }
    }

    #[test]
    fn an_address_beside_other_networks_has_a_card() {
        let own = "192.168.1.10/24".parse::<Cidr>().unwrap();
        let primary = Primary { addresses: &[own], interface: None, vlan: None };
        let found =
            unfit_networks(&networks("[{ interface: end1, addresses: [10.0.0.1/24] }]"), Some(primary));
        assert_eq!(found.unwrap().0, "interface");
    }
}
