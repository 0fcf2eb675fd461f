//! Addresses in the cluster file.

use std::{fmt, net::IpAddr, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::Subnets;
use crate::text;

/// Addresses inside the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Networking {
    /// Addresses of pods; each node takes a /24 of it, or a /64. With a network of each family, pods have both.
    pub pod_subnet: Subnets,
    /// Addresses of Services; of the same families in the same order.
    pub service_subnet: Subnets,
    /// Domain of the names inside the cluster.
    pub dns_domain: String,
    /// How Services are made to work on the nodes; the default is kube-proxy's own choice.
    pub proxy_mode: Option<ProxyMode>,
}

impl Default for Networking {
    /// kubeadm's defaults, and Flannel's for the pods.
    fn default() -> Self {
        Self {
            pod_subnet: Cidr { address: [10, 244, 0, 0].into(), prefix: 16 }.into(),
            service_subnet: Cidr { address: [10, 96, 0, 0].into(), prefix: 12 }.into(),
            dns_domain: "cluster.local".into(),
            proxy_mode: None,
        }
    }
}

/// How kube-proxy makes Services work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProxyMode {
    /// iptables rules.
    Iptables,
    /// nftables rules; Kubernetes 1.33 and newer.
    Nftables,
}

/// The network the boards stand in, for nodes with a static address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Lan {
    /// The router.
    pub gateway: Option<IpAddr>,
    /// Name servers.
    pub dns: Vec<IpAddr>,
}

/// Version of the Internet protocol that an address belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Addresses of 32 bits.
    V4,
    /// Addresses of 128 bits.
    V6,
}

impl Family {
    /// The family of `address`.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        })
    }
}

/// An address with the length of its network's prefix: `192.168.1.10/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(into = "String")]
#[schemars(with = "String")]
pub struct Cidr {
    /// The address.
    pub address: IpAddr,
    /// Leading bits that all addresses of the network share.
    pub prefix: u8,
}

/// A text that is no address with a prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address with a prefix length, such as 192.168.1.10/24")]
pub struct InvalidCidr(String);

impl Cidr {
    /// The network's first address: all bits after the prefix are 0.
    pub fn network(&self) -> Cidr {
        let kept = self.prefix;
        let address = match self.address {
            IpAddr::V4(v4) => IpAddr::from((v4.to_bits() & leading_ones_32(kept)).to_be_bytes()),
            IpAddr::V6(v6) => IpAddr::from((v6.to_bits() & leading_ones_128(kept)).to_be_bytes()),
        };
        Cidr { address, prefix: self.prefix }
    }

    /// The network's last address: all bits after the prefix are 1. In IPv4 it means everybody.
    pub fn last(&self) -> IpAddr {
        match self.address {
            IpAddr::V4(v4) => (v4.to_bits() | !leading_ones_32(self.prefix)).to_be_bytes().into(),
            IpAddr::V6(v6) => (v6.to_bits() | !leading_ones_128(self.prefix)).to_be_bytes().into(),
        }
    }

    /// The addresses of the network.
    pub fn range(&self) -> AddressRange {
        AddressRange { first: self.network().address, last: self.last() }
    }

    /// Whether `address` is in the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4()
            && Cidr { address, prefix: self.prefix }.network() == self.network()
    }

    /// Whether the two networks share an address.
    pub fn overlaps(&self, other: &Cidr) -> bool {
        let (wide, narrow) = if self.prefix <= other.prefix { (self, other) } else { (other, self) };
        wide.contains(narrow.address)
    }

    /// Bits of an address: 32 or 128.
    pub fn width(&self) -> u8 {
        if self.address.is_ipv4() { 32 } else { 128 }
    }
}

fn leading_ones_32(count: u8) -> u32 {
    u32::MAX.checked_shl(32u32.saturating_sub(count.into())).unwrap_or(0)
}

fn leading_ones_128(count: u8) -> u128 {
    u128::MAX.checked_shl(128u32.saturating_sub(count.into())).unwrap_or(0)
}

impl FromStr for Cidr {
    type Err = InvalidCidr;

    fn from_str(text: &str) -> Result<Self, InvalidCidr> {
        let read = || {
            let (address, prefix) = text.split_once('/')?;
            let cidr = Cidr { address: address.parse().ok()?, prefix: prefix.parse().ok()? };
            (cidr.prefix <= cidr.width()).then_some(cidr)
        };
        read().ok_or_else(|| InvalidCidr(text.to_owned()))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl<'de> Deserialize<'de> for Cidr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(
            deserializer,
            "an address with a prefix length, such as 192.168.1.10/24 (router and name servers are in `lan`)",
        )
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> String {
        cidr.to_string()
    }
}

/// A run of addresses, ends included: `192.168.1.240-192.168.1.250`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(into = "String")]
#[schemars(with = "String")]
pub struct AddressRange {
    /// The first address.
    pub first: IpAddr,
    /// The last address.
    pub last: IpAddr,
}

/// A text that is no range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no range of addresses, such as 192.168.1.240-192.168.1.250")]
pub struct InvalidRange(String);

impl AddressRange {
    /// Whether the two ranges share an address.
    pub fn overlaps(&self, other: &AddressRange) -> bool {
        Family::of(self.first) == Family::of(other.first)
            && self.first <= other.last
            && other.first <= self.last
    }

    /// Whether `address` is in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        (self.first..=self.last).contains(&address)
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for AddressRange {
    type Err = InvalidRange;

    fn from_str(text: &str) -> Result<Self, InvalidRange> {
        let read = || {
            let (first, last) = text.split_once('-')?;
            let range = AddressRange { first: first.trim().parse().ok()?, last: last.trim().parse().ok()? };
            (range.first.is_ipv4() == range.last.is_ipv4() && range.first <= range.last).then_some(range)
        };
        read().ok_or_else(|| InvalidRange(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for AddressRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, "a range of addresses, such as 192.168.1.240-192.168.1.250")
    }
}

impl From<AddressRange> for String {
    fn from(range: AddressRange) -> String {
        range.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn cidrs_are_an_address_and_a_prefix_that_fits() {
        assert_eq!(cidr("192.168.1.10/24").to_string(), "192.168.1.10/24");
        for bad in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0/8", "fd00::/129", "10.0.0.0/-1", "10.0.0.0/8/8"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_network_has_no_host_bits() {
        assert_eq!(cidr("192.168.1.10/24").network(), cidr("192.168.1.0/24"));
        assert_eq!(cidr("192.168.1.10/0").network(), cidr("0.0.0.0/0"));
        assert_eq!(cidr("192.168.1.10/32").network(), cidr("192.168.1.10/32"));
        assert_eq!(cidr("fd00::1/64").network(), cidr("fd00::/64"));
        assert_eq!(cidr("192.168.1.10/24").last().to_string(), "192.168.1.255");
        assert_eq!(cidr("fd00::1/64").last().to_string(), "fd00::ffff:ffff:ffff:ffff");
        assert_eq!(cidr("10.0.0.0/0").last().to_string(), "255.255.255.255");
    }

    #[test]
    fn networks_overlap_when_one_holds_the_other() {
        assert!(cidr("10.96.0.0/12").overlaps(&cidr("10.100.0.0/16")));
        assert!(cidr("10.100.0.0/16").overlaps(&cidr("10.96.0.0/12")));
        assert!(!cidr("10.244.0.0/16").overlaps(&cidr("10.96.0.0/12")));
        assert!(!cidr("0.0.0.0/0").overlaps(&cidr("fd00::/8")));
    }

    #[test]
    fn ranges_go_upwards() {
        let range = |text: &str| text.parse::<AddressRange>();
        assert!(range("192.168.1.240-192.168.1.250").unwrap().contains("192.168.1.250".parse().unwrap()));
        for bad in ["192.168.1.250-192.168.1.240", "192.168.1.1", "192.168.1.1-fd00::1"] {
            assert!(range(bad).is_err(), "{bad}");
        }
    }
}
