//! What runs the containers: what should be known of Docker. Whether there is one for a board, its release of Kubernetes says.

use super::Finding;
use crate::cluster::{Cluster, Node, Role, Runtime};

pub fn check(cluster: &Cluster) -> Vec<Finding> {
    let mut findings = Vec::new();
    let nodes = || cluster.nodes.iter().enumerate();
    for (index, node) in nodes().filter(|(_, node)| node.role == Role::Base && node.runtime.is_some()) {
        let finding =
            Finding::notice(path(index, node), "a node with the role base runs no containers of the cluster");
        findings
            .push(finding.suggest("`packages: [docker.io, docker-cli]` puts Docker there for its own sake"));
    }
    let with_docker = |node: &Node| node.role != Role::Base && cluster.runtime_of(node) == Runtime::Docker;
    for (index, node) in nodes().filter(|(_, node)| with_docker(node)) {
        let path = path(index, node);
        let told = Finding::notice(
            &path,
            "Debian's Docker runs the containers, and cri-dockerd translates for the kubelet: two more daemons than with containerd",
        );
        if !findings.contains(&told) {
            findings.push(told);
        }
        if node.has_disk_for("/var/lib/containerd") && !node.has_disk_for("/var/lib/docker") {
            let message = "Docker keeps images and containers in /var/lib/docker, which is on the card";
            let finding = Finding::notice(format!("nodes[{index}].storage"), message);
            findings.push(finding.suggest("bind that in place of /var/lib/containerd"));
        }
    }
    findings
}

/// The setting that says what runs the containers of `node`.
fn path(index: usize, node: &Node) -> String {
    if node.runtime.is_some() { format!("nodes[{index}].runtime") } else { "runtime".to_owned() }
}
