//! Who sets up the network: the programs that are enabled and have something to do.

use std::fmt;

use super::{Units, look::Look};
use crate::image::read::Error;

/// A program that sets up the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// systemd-networkd(8).
    Networkd,
    /// NetworkManager(8).
    NetworkManager,
    /// ifup(8), by /etc/network/interfaces.
    Ifupdown,
    /// dhcpcd(8), which Raspberry Pi OS had until 2023.
    Dhcpcd,
    /// connmand(8).
    Connman,
}

/// Each by the service that starts it.
const MANAGERS: [(Manager, &str); 5] = [
    (Manager::Networkd, "systemd-networkd.service"),
    (Manager::NetworkManager, "NetworkManager.service"),
    (Manager::Ifupdown, "networking.service"),
    (Manager::Dhcpcd, "dhcpcd.service"),
    (Manager::Connman, "connman.service"),
];

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Manager::Networkd => "systemd-networkd",
            Manager::NetworkManager => "NetworkManager",
            Manager::Ifupdown => "ifupdown",
            Manager::Dhcpcd => "dhcpcd",
            Manager::Connman => "connman",
        })
    }
}

/// Who sets up the network.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// The programs that do.
    pub managers: Vec<Manager>,
    /// Whether netplan writes their files at each boot.
    pub(crate) has_netplan: bool,
    /// systemd-networkd's files for wired cards that come before ours: of all that fit a card it takes the first.
    pub(crate) earlier: Vec<String>,
    /// Whether systemd-resolved runs, which hears of name servers from systemd-networkd.
    pub(crate) has_resolved: bool,
    /// Whether the C library asks for names by mDNS (libnss-mdns).
    pub(crate) has_mdns: bool,
    /// /etc/resolv.conf, where it is a file.
    pub(crate) resolv_conf: Option<String>,
}

/// The first of our own files.
const OURS: &str = "05-imgforge";

/// Where systemd-networkd reads them.
const FOLDERS: [&str; 3] = ["/etc/systemd/network", "/usr/lib/systemd/network", "/lib/systemd/network"];

/// The files that come before ours and are for wired cards, by what they say of a card.
fn earlier(root: Look<'_>) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        for name in root.names(folder)? {
            if !name.ends_with(".network") || name.as_str() >= OURS || name.contains("imgforge") {
                continue;
            }
            let path = format!("{folder}/{name}");
            if is_for_wired(&root.text(&path)?.unwrap_or_default()) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// Whether a file of systemd.network(5) is for a wired card, or for any.
fn is_for_wired(text: &str) -> bool {
    let of_match = text.lines().map(str::trim).skip_while(|line| *line != "[Match]").skip(1);
    let mut lines = of_match.take_while(|line| !line.starts_with('['));
    lines.any(|line| match line.split_once('=') {
        Some(("Name" | "OriginalName", names)) => {
            names.split_whitespace().any(|name| name.starts_with(['e', '*']))
        }
        Some(("Type", kind)) => kind.trim() == "ether",
        Some(("MACAddress" | "PermanentMACAddress" | "Driver" | "Path", _)) => true,
        _ => false,
    })
}

impl Network {
    pub(super) fn of(root: Look<'_>, units: &Units) -> Result<Self, Error> {
        let netplan = renderer(root)?;
        let mut managers = Vec::new();
        for (manager, unit) in MANAGERS {
            // netplan's generator starts the program that it writes for, whether it is enabled or not.
            let is_started = units.is_enabled(unit) || (netplan == Some(manager) && !units.is_masked(unit));
            if is_started && (manager != Manager::Ifupdown || has_interfaces(root)?) {
                managers.push(manager);
            }
        }
        Ok(Self {
            managers,
            has_netplan: netplan.is_some(),
            earlier: earlier(root)?,
            has_resolved: units.is_enabled("systemd-resolved.service"),
            has_mdns: has_mdns(&root.text("/etc/nsswitch.conf")?.unwrap_or_default()),
            resolv_conf: root.text("/etc/resolv.conf")?,
        })
    }
}

/// Whether nsswitch.conf(5) says so of hosts.
fn has_mdns(text: &str) -> bool {
    let sources = text.lines().filter_map(|line| line.trim().strip_prefix("hosts:"));
    sources.flat_map(str::split_whitespace).any(|source| source.starts_with("mdns"))
}

/// For whom netplan writes; `None` where it writes nothing.
fn renderer(root: Look<'_>) -> Result<Option<Manager>, Error> {
    const GENERATORS: [&str; 2] =
        ["/usr/lib/systemd/system-generators/netplan", "/lib/systemd/system-generators/netplan"];
    if !root.has(GENERATORS[0])? && !root.has(GENERATORS[1])? {
        return Ok(None);
    }
    let mut found = None;
    for name in root.names("/etc/netplan")?.iter().filter(|name| name.ends_with(".yaml")) {
        let text = root.text(&format!("/etc/netplan/{name}"))?.unwrap_or_default();
        let names_other = text.lines().any(|line| line.trim() == "renderer: NetworkManager");
        found = Some(if names_other { Manager::NetworkManager } else { Manager::Networkd });
    }
    Ok(found)
}

/// Whether /etc/network/interfaces, or a file beside it, has an interface besides the loop.
fn has_interfaces(root: Look<'_>) -> Result<bool, Error> {
    let mut text = root.text("/etc/network/interfaces")?.unwrap_or_default();
    for name in root.names("/etc/network/interfaces.d")? {
        text.push('\n');
        text.push_str(&root.text(&format!("/etc/network/interfaces.d/{name}"))?.unwrap_or_default());
    }
    Ok(text.lines().any(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
        ["iface", name, ..] => name != "lo",
        _ => false,
    }))
}
