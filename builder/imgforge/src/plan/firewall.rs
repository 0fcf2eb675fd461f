//! The firewall: its rules are an overlay's template; this says what stands in them, and has them loaded.

use imgforge_kube::cluster::Firewall;
use serde::Serialize;

use super::{Draft, Error, units};
use crate::image::change::Origin;

const ORIGIN: Origin = Origin::Node("firewall");

/// Loads the rules at each start, before the network is there.
const UNIT: &str = "imgforge-firewall.service";

/// A firewall as templates have it: rules of nft(8), without what becomes of what they match.
#[derive(Debug, Serialize)]
pub(super) struct Variables {
    lets_in: Vec<String>,
}

impl From<&Firewall> for Variables {
    fn from(Firewall { from, ports }: &Firewall) -> Self {
        let networks = from.iter().map(|network| {
            let family = if network.address.is_ipv4() { "ip" } else { "ip6" };
            format!("{family} saddr {}", network.network())
        });
        let ports = ports.iter().map(|ports| {
            let protocol = if ports.udp { "udp" } else { "tcp" };
            match ports.first == ports.last {
                true => format!("{protocol} dport {}", ports.first),
                false => format!("{protocol} dport {}-{}", ports.first, ports.last),
            }
        });
        Self { lets_in: networks.chain(ports).collect() }
    }
}

/// Has the node load the rules, where it has any.
pub(crate) fn enable(draft: &mut Draft<'_>, firewall: Option<&Firewall>) -> Result<(), Error> {
    if firewall.is_none() {
        return Ok(());
    }
    match units::find(draft, UNIT)? {
        Some(file) => units::enable(draft, UNIT, &file, &ORIGIN),
        None => Err(Error::NoUnit { unit: UNIT.into(), origin: ORIGIN }),
    }
}
