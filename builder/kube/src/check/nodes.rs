//! The nodes, each for itself and with the others.

use super::{Finding, is_dns_name, labels, network};
use crate::{
    add_ons::{self, Manifests},
    board::BoardFacts,
    cluster::{Cluster, Node, Role, Runtime},
    docker,
    version::{Limits, Refusal, proxy_runs_on, skew},
};

/// Where imgforge puts its own files, and kubeadm.
const OURS: [&str; 4] =
    ["/etc/imgforge", "/etc/kubernetes", "/etc/containerd/config.toml", "/etc/crictl.yaml"];

pub fn check(
    cluster: &Cluster,
    boards: &dyn Fn(&str) -> Option<BoardFacts>,
    manifests: &Manifests,
) -> Vec<Finding> {
    let mut findings: Vec<_> = network::frozen(cluster.kubernetes).into_iter().collect();
    for (index, node) in cluster.nodes.iter().enumerate() {
        let at = At { index };
        findings.extend(check_names(cluster, node, &at));
        findings.extend(check_address(cluster, node, &at));
        findings.extend(check_version(cluster, node, &at));
        findings.extend(check_labels(node, &at));
        findings.extend(check_paths(cluster, node, &at));
        match boards(&node.board) {
            Some(board) => findings.extend(check_board(cluster, node, &board, manifests, &at)),
            None => findings.push(
                Finding::error(at.path("board"), format!("no board is called `{}`", node.board))
                    .suggest("`imgforge boards` lists those that are known"),
            ),
        }
    }
    findings
}

/// Where a node stands in the file.
struct At {
    index: usize,
}

impl At {
    fn path(&self, setting: &str) -> String {
        format!("nodes[{}].{setting}", self.index)
    }

    /// The nodes before this one: a duplicate is told at its second place.
    fn earlier<'a>(&self, cluster: &'a Cluster) -> impl Iterator<Item = &'a Node> {
        cluster.nodes.iter().take(self.index)
    }
}

fn check_names(cluster: &Cluster, node: &Node, at: &At) -> Vec<Finding> {
    let path = at.path("hostname");
    let mut findings = Vec::new();
    if !is_dns_name(&node.hostname) || node.hostname.len() > 64 {
        let message = format!("`{}` is no host name: a-z, 0-9 and inner hyphens, at most 64", node.hostname);
        findings.push(Finding::error(&path, message));
    }
    if at.earlier(cluster).any(|other| other.hostname == node.hostname) {
        let message = format!("`{}` is there twice; a node is known by its name", node.hostname);
        let finding = Finding::error(path, message);
        findings.push(finding.suggest(format!("{} is free", free_name(cluster, &node.hostname))));
    }
    findings
}

/// `name` with the lowest number behind it that no node has.
fn free_name(cluster: &Cluster, name: &str) -> String {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('-');
    let candidates = (1..=cluster.nodes.len() + 1).map(|number| format!("{stem}-{number}"));
    candidates.into_iter().find(|candidate| cluster.node(candidate).is_none()).unwrap_or_default()
}

fn check_address(cluster: &Cluster, node: &Node, at: &At) -> Vec<Finding> {
    let Some(cidr) = &node.address else { return check_interface(node, at) };
    let path = at.path("address");
    let address = cidr.address;
    let mut findings = Vec::new();
    let twin = at.earlier(cluster).find(|other| other.address.is_some_and(|own| own.address == address));
    if let Some(twin) = twin {
        findings.push(Finding::error(&path, format!("{address} is already {}'s", twin.hostname)));
    }
    for (name, subnet) in
        [("pods", cluster.networking.pod_subnet), ("Services", cluster.networking.service_subnet)]
    {
        if subnet.overlaps(cidr) {
            let message = format!("the node's network {} overlaps that of {name}, {subnet}", cidr.network());
            findings.push(Finding::error(&path, message).suggest("choose another under `networking`"));
        }
    }
    match cluster.lan.gateway {
        None => findings.push(
            Finding::notice(&path, "a node with a static address does not learn of a router")
                .suggest("give `lan: { gateway: …, dns: […] }`"),
        ),
        Some(gateway) if !cidr.contains(gateway) => {
            let message = format!("the gateway {gateway} is not in {}", cidr.network());
            findings.push(Finding::error(path, message));
        }
        Some(_) => {}
    }
    findings
}

/// Of a node that asks by DHCP: all its cards do.
fn check_interface(node: &Node, at: &At) -> Vec<Finding> {
    let finding = |interface| {
        let message = format!("{interface} is to have a static address, and there is none");
        Finding::error(at.path("interface"), message).suggest("give `address`, or remove this")
    };
    node.interface.iter().map(finding).collect()
}

fn check_version(cluster: &Cluster, node: &Node, at: &At) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(own) = node.kubernetes.filter(|own| *own != cluster.kubernetes) {
        let path = at.path("kubernetes");
        if node.role == Role::Master {
            findings.push(
                Finding::error(&path, "masters run the cluster's release")
                    .suggest("remove it here, or set it for all"),
            );
        } else if let Err(refusal) = skew(cluster.kubernetes, own) {
            findings.push(Finding::error(&path, refusal));
        } else if own.minor != cluster.kubernetes.minor {
            let message = format!(
                "kubeadm {own} joins a cluster of {}: the kubelet may lag, but kubeadm is only tested with its own release",
                cluster.kubernetes
            );
            findings.push(Finding::notice(&path, message));
        }
    }
    let version = cluster.version_of(node);
    if node.swap && node.role != Role::Base && !version.tolerates_swap() {
        let message = format!("the kubelet of {version} does not keep pods out of swap; 1.30 and newer do");
        findings.push(Finding::error(at.path("swap"), message));
    }
    findings
}

fn check_board(
    cluster: &Cluster,
    node: &Node,
    board: &BoardFacts,
    manifests: &Manifests,
    at: &At,
) -> Vec<Finding> {
    let version = cluster.version_of(node);
    let board = BoardFacts { memory: node.memory.unwrap_or(board.memory), ..*board };
    let mut limits = Limits::of(&board, node.role, version);
    if limits.refused.is_empty() && node.role != Role::Base {
        limits.refused.extend(proxy_runs_on(cluster.kubernetes, board.architecture).err());
    }
    let refused = limits.refused.iter().map(|refusal| {
        let finding = Finding::error(at.path("board"), refusal);
        match refusal {
            Refusal::ArmDropped { .. } | Refusal::ProxyDropped { .. } => {
                finding.suggest("set `kubernetes: 1.26.15` for the whole cluster, or leave the board out")
            }
            _ => finding,
        }
    });
    let overruled = limits.overruled.iter().map(|o| Finding::notice(at.path("board"), &o.reason));
    let without_images = add_ons::needed(cluster)
        .into_iter()
        .filter_map(|name| manifests.get(name))
        .filter(|add_on| node.role != Role::Base && board.architecture.is_32_bit() && !add_on.runs_on_32_bit);
    let add_ons = without_images.map(|add_on| {
        let message = format!("{} has no images for {} ({})", add_on.name, board.architecture, node.hostname);
        Finding::error("add-ons", message).suggest("flannel and metallb have")
    });
    refused.chain(overruled).chain(add_ons).collect()
}

fn check_labels(node: &Node, at: &At) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, value) in &node.labels {
        let path = at.path("labels");
        if !labels::is_key(key) || !labels::is_value(value) {
            findings.push(Finding::error(path, format!("`{key}: {value}` is no label")));
        } else if let Some(message) = labels::reserved(key) {
            let name = key.rsplit('/').next().unwrap_or(key);
            let finding = Finding::error(path, message);
            findings.push(finding.suggest(format!("use a domain of your own, such as home.example/{name}")));
        }
    }
    for (number, taint) in node.taints.iter().flatten().enumerate() {
        if !labels::is_key(&taint.key) || !labels::is_value(&taint.value) {
            let path = at.path(&format!("taints[{number}]"));
            findings.push(Finding::error(path, format!("`{}={}` is no taint", taint.key, taint.value)));
        }
    }
    findings
}

fn check_paths(cluster: &Cluster, node: &Node, at: &At) -> Vec<Finding> {
    let mounts = node.mounts.iter().enumerate().map(|(i, m)| (format!("mounts[{i}].target"), &m.target));
    let binds =
        node.storage.iter().enumerate().flat_map(|(i, b)| {
            [(format!("storage[{i}].path"), &b.path), (format!("storage[{i}].on"), &b.on)]
        });
    let files = node.files.iter().enumerate().map(|(i, f)| (format!("files[{i}].path"), &f.path));
    let is_plain = |path: &str| path.starts_with('/') && !path.split('/').any(|part| part == "..");
    let bad_paths = mounts.chain(binds).chain(files).filter(|(_, path)| !is_plain(path));
    let of_runtime: &[&str] = match cluster.runtime_of(node) {
        Runtime::Containerd => &[],
        Runtime::Docker => &docker::FILES,
    };
    let taken = node.files.iter().enumerate().filter(|(_, file)| {
        let is_below = |ours: &str| file.path == ours || file.path.starts_with(&format!("{ours}/"));
        OURS.iter().chain(of_runtime).any(|ours| is_below(ours))
    });
    let bad_modes = node.files.iter().enumerate().filter(|(_, file)| file.permissions().is_none());
    bad_paths
        .map(|(setting, path)| {
            Finding::error(at.path(&setting), format!("`{path}` must begin with / and not climb with .."))
        })
        .chain(taken.map(|(i, file)| {
            let message = format!("`{}` is written by imgforge itself", file.path);
            Finding::error(at.path(&format!("files[{i}].path")), message)
        }))
        .chain(bad_modes.map(|(i, file)| {
            let message = format!("`{}` is no mode in octal digits, such as 0644", file.mode);
            Finding::error(at.path(&format!("files[{i}].mode")), message)
        }))
        .collect()
}
