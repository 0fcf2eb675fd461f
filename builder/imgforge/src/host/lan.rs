//! The network that this machine stands in, as Linux tells it in /proc/net: where a new cluster's boards most likely stand, too.

use std::{collections::BTreeSet, fs, net::Ipv4Addr, ops::Range};

/// Flag of a route that leads over a router (`RTF_GATEWAY`, linux/route.h).
const GATEWAY: u32 = 2;

/// A network of IPv4 with its router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lan {
    /// The router.
    pub(crate) gateway: Ipv4Addr,
    /// Leading bits that all addresses of the network share.
    pub(crate) prefix: u8,
    /// Its name servers.
    pub(crate) dns: Vec<Ipv4Addr>,
    /// Addresses that somebody is known to have.
    taken: BTreeSet<Ipv4Addr>,
}

impl Lan {
    /// The network of this machine's default route; `None` where there is no such thing, or nobody tells.
    pub(crate) fn of_this_machine() -> Option<Self> {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let mut lan = Self::of_routes(&text("/proc/net/route"))?;
        lan.dns = name_servers(&text("/etc/resolv.conf"));
        lan.dns.retain(|server| !server.is_loopback());
        if lan.dns.is_empty() {
            lan.dns.push(lan.gateway);
        }
        lan.taken.extend(&lan.dns);
        lan.taken.extend(addresses(&text("/proc/net/arp")));
        lan.taken.extend(own_addresses(&text("/proc/net/fib_trie")));
        Some(lan)
    }

    /// The network with `prefix` in which `gateway` is the router, and the name server, too.
    pub(crate) fn of_gateway(gateway: Ipv4Addr, prefix: u8) -> Self {
        Self { gateway, prefix, dns: vec![gateway], taken: BTreeSet::from([gateway]) }
    }

    /// The addresses of the network that nobody is known to have, from the `first`th on, in a small network from the first on.
    pub(crate) fn free(&self, first: u32) -> impl Iterator<Item = Ipv4Addr> {
        let hosts = self.hosts();
        let first = hosts.start.saturating_add(first - 1);
        let first = if first < hosts.end { first } else { hosts.start };
        let addresses = (first..hosts.end).map(Ipv4Addr::from_bits);
        addresses.filter(|address| !self.taken.contains(address))
    }

    /// The last `count` addresses of the network that a machine can have, but for a few at the very end.
    pub(crate) fn last(&self, count: u32) -> impl Iterator<Item = Ipv4Addr> {
        let hosts = self.hosts();
        let end = hosts.end.saturating_sub(4);
        (end.saturating_sub(count).max(hosts.start)..end).map(Ipv4Addr::from_bits)
    }

    /// What machines of the network can have: its first address means itself, its last one everybody.
    fn hosts(&self) -> Range<u32> {
        let network = network(self.gateway, self.prefix);
        let everybody = network | u32::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
        network.saturating_add(1)..everybody
    }

    /// From the table of routes: that of the least metric which leads over a router, and the network on the same card that
    /// the router is in. Numbers are hexadecimal, addresses in the machine's own order of bytes.
    fn of_routes(table: &str) -> Option<Self> {
        let routes: Vec<Route> = table.lines().skip(1).filter_map(Route::parse).collect();
        let is_default = |route: &&Route| route.flags & GATEWAY != 0 && route.mask == 0;
        let default = routes.iter().filter(is_default).min_by_key(|route| route.metric)?;
        let leads_there = |route: &&Route| {
            let is_local = route.flags & GATEWAY == 0 && route.card == default.card && route.mask != 0;
            is_local && default.gateway & route.mask == route.destination
        };
        let local = routes.iter().filter(leads_there).max_by_key(|route| route.mask)?;
        let prefix = u8::try_from(local.mask.leading_ones()).ok()?;
        Some(Self::of_gateway(Ipv4Addr::from_bits(default.gateway), prefix))
    }
}

fn network(address: Ipv4Addr, prefix: u8) -> u32 {
    address.to_bits() & u32::MAX.checked_shl(32u32.saturating_sub(prefix.into())).unwrap_or(0)
}

/// A line of /proc/net/route.
struct Route<'a> {
    card: &'a str,
    destination: u32,
    gateway: u32,
    flags: u32,
    metric: u32,
    mask: u32,
}

impl<'a> Route<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let address = |field: usize| Some(u32::from_be_bytes(hex(fields.get(field)?)?.to_ne_bytes()));
        Some(Self {
            card: fields.first()?,
            destination: address(1)?,
            gateway: address(2)?,
            flags: hex(fields.get(3)?)?,
            metric: fields.get(6)?.parse().ok()?,
            mask: address(7)?,
        })
    }
}

fn hex(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 16).ok()
}

/// Those of resolv.conf(5).
fn name_servers(text: &str) -> Vec<Ipv4Addr> {
    let servers = text.lines().filter_map(|line| line.strip_prefix("nameserver"));
    servers.filter_map(|server| server.trim().parse().ok()).take(3).collect()
}

/// The addresses in the first column of /proc/net/arp: who has been heard lately.
fn addresses(table: &str) -> Vec<Ipv4Addr> {
    table.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect()
}

/// This machine's own: in /proc/net/fib_trie the line before `/32 host LOCAL`.
fn own_addresses(trie: &str) -> Vec<Ipv4Addr> {
    let lines: Vec<&str> = trie.lines().collect();
    let is_own = |pair: &&[&str]| pair[1].trim() == "/32 host LOCAL";
    let address = |pair: &[&str]| pair[0].trim().strip_prefix("|-- ")?.parse().ok();
    lines.windows(2).filter(is_own).filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a machine with a cable, a slower radio and a bridge for containers has it; little-endian.
    const ROUTES: &str = "\
Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth0\t0000000A\t00000000\t0001\t0\t0\t100\t00FCFFFF\t0\t0\t0
";

    #[test]
    #[cfg(target_endian = "little")]
    fn the_network_is_that_of_the_best_way_out() {
        let lan = Lan::of_routes(ROUTES).unwrap();
        assert_eq!((lan.gateway, lan.prefix), (Ipv4Addr::new(10, 0, 0, 1), 22));
        assert_eq!(Lan::of_routes(&ROUTES.replace("0003", "0001")), None, "no route leads out");
        assert_eq!(Lan::of_routes("no such table"), None);
    }

    #[test]
    fn addresses_that_somebody_has_and_those_of_the_network_itself_are_not_free() {
        let mut lan = Lan::of_gateway(Ipv4Addr::new(192, 168, 1, 9), 29);
        lan.taken.extend(addresses("IP address HW type\n192.168.1.11 0x1 0x2 52:54:00:12:34:56 * eth0\n"));
        lan.taken.extend(own_addresses(
            "  |-- 192.168.1.8\n   /29 link UNICAST\n  |-- 192.168.1.12\n     /32 host LOCAL\n",
        ));
        let free: Vec<_> = lan.free(1).map(|address| address.octets()[3]).collect();
        assert_eq!(free, [10, 13, 14]);
        assert_eq!(lan.free(20).next(), lan.free(1).next(), "the network is small");
        let lan = Lan::of_gateway(Ipv4Addr::new(192, 168, 1, 1), 24);
        assert_eq!(lan.free(10).next(), Some(Ipv4Addr::new(192, 168, 1, 10)));
        let last: Vec<_> = lan.last(11).map(|address| address.octets()[3]).collect();
        assert_eq!((last.first(), last.last(), last.len()), (Some(&240), Some(&250), 11));
    }

    #[test]
    fn name_servers_are_those_of_the_resolver() {
        let text = "# resolv.conf\nsearch home\nnameserver 192.168.1.1\nnameserver fe80::1%eth0\nnameserver  127.0.0.53\n";
        assert_eq!(name_servers(text), [Ipv4Addr::new(192, 168, 1, 1), Ipv4Addr::new(127, 0, 0, 53)]);
    }
}
