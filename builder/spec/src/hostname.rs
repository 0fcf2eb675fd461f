//! Host names: of a machine, and of a node in Kubernetes.

use std::{fmt, net::IpAddr, str::FromStr};

use crate::{BoardName, Role, text::as_text};

/// The name of a node: labels as in RFC 1123 (a-z, 0-9, `-` inside, at most 63), joined by dots, at most 64 in all.
///
/// Kubernetes takes lower case only and 253 in all; Linux keeps 64 (`HOST_NAME_MAX`). The narrower of both is the rule.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hostname(String);

/// A text that is no host name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no host name: a-z, 0-9 and inner hyphens, at most 63 a label and 64 in all")]
pub struct InvalidHostname(String);

impl Hostname {
    /// The name as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a node is called unless it has a name of its own: `BOARD-ROLE`.
    pub fn of_board(board: &BoardName, role: Role) -> Self {
        // A board's name is short enough for every role.
        Self(format!("{board}-{role}"))
    }

    /// The name up to its first dot: what the machine is called in its own network.
    pub fn short(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }
}

/// Whether `text` was meant to be an IPv4 address and is none, as `192.168.1.300`: no top-level domain is a number. It would be
/// asked of a name server for ever.
pub fn is_broken_address(text: &str) -> bool {
    let is_number = |label: &str| !label.is_empty() && label.bytes().all(|c| c.is_ascii_digit());
    text.rsplit_once('.').is_some_and(|(_, last)| is_number(last)) && text.parse::<IpAddr>().is_err()
}

/// Whether `name` is an RFC 1123 subdomain, as Kubernetes wants names: labels of a-z, 0-9 and inner hyphens, at most 63 each.
pub fn is_dns_name(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&label.len())
        && label.bytes().all(fits)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl FromStr for Hostname {
    type Err = InvalidHostname;

    fn from_str(text: &str) -> Result<Self, InvalidHostname> {
        let fits = text.len() <= 64 && is_dns_name(text);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidHostname(text.to_owned())) }
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

as_text!(Hostname, "a host name");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_follow_rfc_1123() {
        for good in ["k8s-master-1", "a", "1", "node.home.lan", &"a".repeat(63)] {
            assert_eq!(good.parse::<Hostname>().unwrap().as_str(), good);
        }
        let long = format!("{}.bb", "a".repeat(62));
        for bad in ["", "-a", "a-", "A", "a_b", "a..b", ".a", "a.", "é", &"a".repeat(64), &long] {
            assert!(bad.parse::<Hostname>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_gone_wrong_is_no_name() {
        for broken in ["192.168.1.300", "192.168.1", "192.168.001.009", "10.0.0.0.1", "nas.7"] {
            assert!(is_broken_address(broken), "{broken}");
        }
        for fine in
            ["192.168.1.30", "fd00::1", "::ffff:10.0.0.1", "k8s.home", "017", "1.pool.ntp.org", "a.7b"]
        {
            assert!(!is_broken_address(fine), "{fine}");
        }
    }

    #[test]
    fn the_longest_board_has_a_host_name_in_every_role() {
        let board: BoardName = "b".repeat(56).parse().unwrap();
        for role in Role::ALL {
            let hostname = Hostname::of_board(&board, role);
            assert_eq!(hostname.as_str().parse(), Ok(hostname.clone()));
        }
    }

    #[test]
    fn the_first_label_is_the_machines_own() {
        assert_eq!("k1.attic.lan".parse::<Hostname>().unwrap().short(), "k1");
    }
}
