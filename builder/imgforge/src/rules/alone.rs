//! A node that is in no cluster file is judged as the only one of a cluster, by those of its rules that ask for nothing but
//! the node: their names, and what they say, are the same.

use imgforge_kube::{
    add_ons::Manifests,
    check::{self, Finding},
    cluster::{self, Cluster, Lan},
};

use crate::{catalogue::limits, plan::Request};

/// The cluster's rules that hold for every node.
pub(crate) const HELD: [&str; 18] = [
    "host-name-reserved",
    "wireless-address",
    "address-special",
    "address-twice",
    "no-gateway",
    "no-name-server",
    "lan-special",
    "gateway-outside",
    "path-form",
    "mount-hides-system",
    "bind-without-mount",
    "bind-shared",
    "disk-file-system",
    "disk-options",
    "optional-disk",
    "disk-name",
    "unstable-disk-name",
    "kernel-argument",
];

/// What they say of the node of `request`, if it is in no cluster file.
pub(super) fn findings(request: &Request) -> Vec<Finding> {
    if request.membership.is_some() {
        return Vec::new();
    }
    let facts = limits::facts(&request.board.profile);
    let found = check::check(&cluster_of(request), &|_| Some(facts), &Manifests::default());
    found.into_iter().filter(|finding| HELD.contains(&finding.name)).filter_map(of_node).collect()
}

/// The cluster of that node alone.
fn cluster_of(request: &Request) -> Cluster {
    let node = &request.node;
    let address = node.address.as_ref();
    let only = cluster::Node {
        hostname: request.hostname().to_string(),
        board: request.board.profile.board.to_string(),
        role: request.role,
        mounts: node.mounts.clone(),
        storage: node.storage.clone(),
        address: address.map(|own| own.address),
        second_address: address.and_then(|own| own.second),
        interface: address.and_then(|own| own.interface.clone()),
        networks: node.networks.clone(),
        kernel_arguments: node.kernel_arguments.clone(),
        ..cluster::Node::default()
    };
    let lan = Lan {
        gateway: address.and_then(|own| own.gateway),
        dns: address.map(|own| own.dns.clone()).unwrap_or_default(),
    };
    Cluster { lan, nodes: vec![only], ..Cluster::default() }
}

/// `finding` in the words of a node's file; nothing where it is about what such a file does not have.
fn of_node(finding: Finding) -> Option<Finding> {
    let setting = match finding.path.split_once('.')? {
        ("nodes[0]", "address") => "address.address".to_owned(),
        ("nodes[0]", "second-address") => "address.second".to_owned(),
        ("nodes[0]", name @ ("interface" | "vlan")) | ("lan", name) => format!("address.{name}"),
        ("nodes[0]", name) => name.to_owned(),
        _ => return None,
    };
    let said = |text: String| text.replace("`lan", "`address");
    let Finding { message, suggestion, .. } = finding;
    Some(Finding { path: setting, message: said(message), suggestion: suggestion.map(said), ..finding })
}

#[cfg(test)]
mod tests {
    use imgforge_kube::check;
    use imgforge_spec::Role;

    use super::*;
    use crate::rules::stand_in::Node;

    #[test]
    fn a_lone_node_is_held_to_what_holds_for_every_node() {
        for (rule, settings, said) in [
            ("host-name-reserved", "hostname: localhost", "hostname: `localhost`"),
            ("address-special", "address: { address: 192.168.1.0/24 }", "address.address: 192.168.1.0 of"),
            (
                "address-twice",
                "address: { address: 10.0.0.1/8, gateway: 10.0.0.1 }",
                "address.address: 10.0.0.1 is the router's (`address.gateway`)",
            ),
            (
                "no-gateway",
                "address: { address: 10.0.0.2/8 }",
                "address.address: a node with a static address",
            ),
            (
                "no-name-server",
                "address: { address: 10.0.0.2/8 }",
                "address.dns: nodes with static addresses",
            ),
            (
                "gateway-outside",
                "address: { address: 192.168.1.2/24, gateway: 192.168.2.1 }",
                "address.address: the gateway 192.168.2.1 is not in 192.168.1.0/24; correct `address.gateway` or",
            ),
            ("mount-hides-system", "mounts: [{ source: LABEL=a, target: /usr }]", "mounts[0].target: "),
            ("bind-without-mount", "storage: [{ path: /srv, on: /mnt/a }]", "storage[0].on: "),
            ("unstable-disk-name", "mounts: [{ source: /dev/sda1, target: /mnt/a }]", "mounts[0].source: "),
        ] {
            let found = Node::of(settings).findings(rule);
            assert!(found.len() == 1 && found[0].starts_with(said), "{rule}: {found:?}");
            let allowed = Node::of(&format!("{settings}\nallow: [{rule}]")).findings(rule);
            assert!(allowed.iter().all(|said| said.contains("overruled")), "{allowed:?}");
        }
        let argument = Node::of("kernel-arguments: [cgroup_disable=memory]");
        assert!(argument.findings("kernel-argument").is_empty());
        assert_eq!(argument.in_role(Role::Worker).findings("kernel-argument").len(), 1);
    }

    #[test]
    fn nothing_is_said_of_what_it_does_not_have() {
        let settings = "hostname: a\naddress: { address: 10.0.0.2/8, gateway: 10.0.0.1, dns: [10.0.0.1] }\n\
                        mounts: [{ source: LABEL=a, target: /mnt/a }]\nstorage: [{ path: /srv, on: /mnt/a/srv }]";
        for role in [Role::Base, Role::Worker, Role::Master] {
            let node = Node::of(settings).in_role(role);
            let found: Vec<String> = HELD.iter().flat_map(|rule| node.findings(rule)).collect();
            assert!(found.is_empty(), "{found:?}");
        }
        let known = |name: &&str| check::rules().any(|rule| rule.name == *name);
        assert!(HELD.iter().all(known));
    }
}
