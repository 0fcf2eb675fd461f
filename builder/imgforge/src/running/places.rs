//! Where the nodes are: where the user says, at their static addresses, or where the workstation's resolver says of their names.

use std::{
    collections::BTreeMap,
    net::{IpAddr, ToSocketAddrs},
    thread,
};

use imgforge_kube::cluster::{Cluster, Node};

/// The addresses of nodes by their names; none where nobody knows any.
pub(crate) type Places = BTreeMap<String, Vec<IpAddr>>;

/// Where this machine reaches nodes, by their names, in place of their own addresses: the near ends of tunnels.
pub(crate) type Tunnels = BTreeMap<String, IpAddr>;

/// Where the nodes of `cluster` are. Names are looked up all at once: who does not know one takes seconds to say so.
pub(crate) fn places(cluster: &Cluster, tunnels: &Tunnels) -> Places {
    thread::scope(|scope| {
        let look = |node: &'_ Node| match tunnels.get(&node.hostname) {
            Some(address) => vec![*address],
            None => addresses(node),
        };
        let look = |node| (node, scope.spawn(move || look(node)));
        let looks: Vec<_> = cluster.nodes.iter().map(look).collect();
        looks
            .into_iter()
            .map(|(node, look)| (node.hostname.clone(), look.join().unwrap_or_default()))
            .collect()
    })
}

fn addresses(node: &Node) -> Vec<IpAddr> {
    let fixed: Vec<IpAddr> = node.addresses().map(|cidr| cidr.address).collect();
    if !fixed.is_empty() {
        return fixed;
    }
    // By the router's name server; and, where that knows nothing of its clients, by mDNS.
    [node.hostname.clone(), format!("{}.local", node.hostname)]
        .iter()
        .find_map(|name| resolve(name))
        .unwrap_or_default()
}

fn resolve(name: &str) -> Option<Vec<IpAddr>> {
    let mut addresses: Vec<IpAddr> = (name, 0).to_socket_addrs().ok()?.map(|socket| socket.ip()).collect();
    addresses.dedup();
    Some(addresses).filter(|addresses| !addresses.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Node {
        serde_yaml::from_str(text).unwrap()
    }

    #[test]
    fn a_static_address_is_asked_of_nobody() {
        let node = node(
            "{ hostname: localhost, board: virt, address: 192.168.1.10/24, second-address: 'fd00:1::10/64' }",
        );
        assert_eq!(
            addresses(&node),
            ["192.168.1.10".parse::<IpAddr>().unwrap(), "fd00:1::10".parse().unwrap()]
        );
    }

    #[test]
    fn a_name_is_asked_of_the_resolver() {
        let found = addresses(&node("{ hostname: localhost, board: virt }"));
        assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
        // RFC 6761: nobody knows a name below `invalid`.
        assert_eq!(addresses(&node("{ hostname: nobody.invalid, board: virt }")), Vec::<IpAddr>::new());
    }
}
