//! Who may speak to a node.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::Cidr;

/// A firewall on the node: what is not let in here is not heard. What pods answer, and what the node itself asks, is not its matter.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Firewall {
    /// Networks whose machines may speak to every port. In a cluster those of its nodes, pods and Services are among them.
    pub from: Vec<Cidr>,
    /// Ports to which everybody may speak: `22/tcp`, `60000-60010/udp`; `443` alone is TCP's.
    pub ports: Vec<Ports>,
}

/// The networks that no router of the Internet leads to: RFC 1918, RFC 4193, and those of one link.
const PRIVATE: [&str; 6] =
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"];

impl Default for Firewall {
    fn default() -> Self {
        Self { from: PRIVATE.iter().filter_map(|network| network.parse().ok()).collect(), ports: Vec::new() }
    }
}

impl Firewall {
    /// The Debian package that filters.
    pub const PACKAGE: &str = "nftables";
}

/// Ports of one protocol, one or a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(into = "String")]
#[schemars(with = "String")]
pub struct Ports {
    /// The first.
    pub first: u16,
    /// The last; the first, where there is one.
    pub last: u16,
    /// Whether they are UDP's and not TCP's.
    pub udp: bool,
}

/// A text that names no ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no port: give 22/tcp, 60000-60010/udp, or a number of TCP's")]
pub struct InvalidPorts(String);

impl FromStr for Ports {
    type Err = InvalidPorts;

    fn from_str(text: &str) -> Result<Self, InvalidPorts> {
        let invalid = || InvalidPorts(text.to_owned());
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let number = |digits: &str| {
            let is_number = digits.bytes().all(|digit| digit.is_ascii_digit());
            digits.parse().ok().filter(|port| is_number && *port > 0)
        };
        let (first, last): (u16, u16) = number(first).zip(number(last)).ok_or_else(invalid)?;
        if first > last || !["tcp", "udp"].contains(&protocol) {
            return Err(invalid());
        }
        Ok(Self { first, last, udp: protocol == "udp" })
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = if self.udp { "udp" } else { "tcp" };
        match self.first == self.last {
            true => write!(f, "{}/{protocol}", self.first),
            false => write!(f, "{}-{}/{protocol}", self.first, self.last),
        }
    }
}

impl From<Ports> for String {
    fn from(ports: Ports) -> Self {
        ports.to_string()
    }
}

impl<'de> Deserialize<'de> for Ports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "ports are a number, or a text such as 22/tcp")]
        enum Written {
            Number(u64),
            Text(String),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
        };
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_one_or_a_range_of_one_protocol() {
        for (text, shown) in
            [("22/tcp", "22/tcp"), ("443", "443/tcp"), ("60000-60010/udp", "60000-60010/udp")]
        {
            assert_eq!(text.parse::<Ports>().unwrap().to_string(), shown);
        }
        for text in ["", "0", "65536", "+1", "2-1", "22/sctp", "ssh", "1-2-3", "22/tcp\n"] {
            assert!(text.parse::<Ports>().is_err(), "{text:?}");
        }
        let listed: Vec<Ports> = serde_yaml::from_str("[22, 53/udp]").unwrap();
        assert_eq!(listed.iter().map(ToString::to_string).collect::<Vec<_>>(), ["22/tcp", "53/udp"]);
    }

    #[test]
    fn without_more_the_private_networks_are_let_in() {
        let firewall: Firewall = serde_yaml::from_str("{}").unwrap();
        assert_eq!(firewall.from.len(), PRIVATE.len());
        let narrow: Firewall = serde_yaml::from_str("from: [192.168.1.0/24]").unwrap();
        assert_eq!(narrow.from.len(), 1);
    }
}
