//! A node of the cluster file as a target: the settings it has in a `--node` file, and its place in the cluster.

use std::path::Path;

use imgforge_kube::{
    check::{Finding, Severity},
    cluster::{self, Cluster, Firewall},
    proxy::of_nodes,
};
use imgforge_spec::{Hostname, Invalid, InvalidHostname, User};

use super::{ClusterFile, Error, Membership};
use crate::{
    catalogue::kubernetes::{Bundle, Choice},
    supply::lock::SetName,
    target::{
        self, Shared, Source, Target,
        beside::{self, Beside},
        node::{self, Address, Node},
    },
};

impl ClusterFile<'_> {
    /// What is to be built for `node`, the file's `index`th.
    pub(super) fn target(&self, index: usize, node: &cluster::Node) -> Result<Target, target::Error> {
        let board = self.catalogue.board(&node.board)?;
        let architecture = board.profile.architecture;
        let mut settings = settings(&self.cluster, node)?;
        settings.check()?;
        let (engine, runtime) = (self.cluster.engine, self.cluster.runtime_of(node));
        let mut bundle = Bundle::default();
        if node.role.runs_kubernetes() {
            let release = engine.line(self.cluster.version_of(node));
            let found = self.catalogue.release(&release)?;
            bundle = found.of_node(runtime, architecture, self.cluster.carry_images)?;
            settings.kubernetes = Some(Choice { release, from: found.way_for(architecture) });
        }
        let hostname = hostname(node).map_err(Error::from)?;
        Ok(Target {
            role: node.role,
            node: settings,
            source: Some(
                Source::new(&self.path, &self.text, format!("nodes[{index}].")).sharing(self.shared(node)),
            ),
            membership: Some(Membership::new(self, hostname, (runtime, bundle))),
            lock: self.lock_path(&board.profile.board),
            set: SetName::Release {
                role: node.role,
                kubernetes: node.kubernetes.map(|own| engine.line(own)),
            },
            board,
        })
    }
}

impl ClusterFile<'_> {
    /// The elements of the settings of `node` ([`settings`]) that are those of all nodes.
    fn shared(&self, node: &cluster::Node) -> [Shared; 4] {
        let Cluster { users, files, run_once, system, .. } = &*self.cluster;
        let after = |own: usize, all: usize| own..own + all;
        [
            Shared { list: "users", elements: after(node.users.len(), users.len()) },
            Shared { list: "files", elements: after(0, files.len()) },
            Shared { list: "run-once", elements: after(0, run_once.len()) },
            Shared { list: "system.certificates", elements: after(0, system.certificates.len()) },
        ]
    }
}

fn hostname(node: &cluster::Node) -> Result<Hostname, InvalidHostname> {
    node.hostname.parse()
}

/// What [`Node::check`] says of the cluster's nodes; `imgforge-kube` looks at everything else.
pub(super) fn findings(cluster: &Cluster) -> Vec<Finding> {
    let common = Node {
        users: users(&cluster.users, &cluster.ssh_keys),
        time_servers: cluster.time_servers.clone(),
        wifi: cluster.wifi.clone(),
        system: cluster.system.clone(),
        packages: cluster.packages.clone(),
        repositories: cluster.repositories.clone(),
        files: cluster.files.clone(),
        run_once: cluster.run_once.clone(),
        ..Node::default()
    };
    let common = common.check();
    let mut findings: Vec<Finding> = common.err().into_iter().filter_map(|e| finding("", e)).collect();
    for (index, node) in cluster.nodes.iter().enumerate() {
        // What is said of all has been looked at, and is told where it stands.
        let own = settings(cluster, node).map(|all| Node {
            users: users(&node.users, &cluster.ssh_keys),
            time_servers: Vec::new(),
            wifi: node.wifi.clone(),
            system: node.system.clone(),
            packages: node.packages.clone(),
            repositories: Vec::new(),
            files: node.files.clone(),
            run_once: node.run_once.clone(),
            ..all
        });
        let checked = own.and_then(|own| own.check()).and_then(|()| one_place(cluster, node));
        findings.extend(checked.err().and_then(|error| finding(&format!("nodes[{index}]."), error)));
    }
    findings
}

/// Reads the scripts, files, certificates and keys that lie beside the cluster file `path`, and says which cannot be read.
pub(super) fn read_beside(cluster: &mut Cluster, path: &Path) -> Vec<Finding> {
    let common = Beside {
        scripts: &mut cluster.run_once,
        files: &mut cluster.files,
        certificates: &mut cluster.system.certificates,
        repositories: &mut cluster.repositories,
        users: &mut cluster.users,
    };
    let common = beside::read(common, path).map_err(|error| (String::new(), error));
    let keys = beside::keys(&cluster.ssh_key_files, path).map(|keys| cluster.ssh_keys.extend(keys));
    let keys = keys.map_err(|error| (String::new(), error));
    let own = cluster.nodes.iter_mut().enumerate().map(|(index, node)| {
        let own = Beside {
            scripts: &mut node.run_once,
            files: &mut node.files,
            certificates: &mut node.system.certificates,
            repositories: &mut [],
            users: &mut node.users,
        };
        beside::read(own, path).map_err(|error| (format!("nodes[{index}]."), error))
    });
    let unread = [common, keys].into_iter().chain(own).filter_map(Result::err);
    unread.filter_map(|(prefix, error)| finding(&prefix, error.into())).collect()
}

/// A user is the cluster's or the node's, and so is a script.
fn one_place(cluster: &Cluster, node: &cluster::Node) -> Result<(), node::Error> {
    let users =
        node.users.iter().enumerate().filter(|(_, own)| cluster.users.iter().any(|u| u.name == own.name));
    let scripts = node
        .run_once
        .iter()
        .enumerate()
        .filter(|(_, own)| cluster.run_once.iter().any(|s| s.name == own.name));
    let users = users.map(|(index, user)| ("users", index, &user.name));
    match users.chain(scripts.map(|(index, script)| ("run-once", index, &script.name))).next() {
        None => Ok(()),
        Some((list, index, name)) => {
            let message =
                format!("`{name}` is among `{list}` of the whole cluster already; name it in one place");
            Err(Invalid { setting: format!("{list}[{index}].name"), message }.into())
        }
    }
}

fn finding(prefix: &str, error: node::Error) -> Option<Finding> {
    match error {
        node::Error::Invalid(Invalid { setting, message }) => Some(Finding {
            name: "node-settings",
            severity: Severity::Error,
            path: format!("{prefix}{setting}"),
            message,
            suggestion: None,
        }),
        node::Error::Yaml(_) => None,
    }
}

/// The node's settings, its own users before the cluster's.
fn settings(cluster: &Cluster, node: &cluster::Node) -> Result<Node, node::Error> {
    let mut all_users = users(&node.users, &cluster.ssh_keys);
    all_users.extend(users(&cluster.users, &cluster.ssh_keys));
    Ok(Node {
        // One that is none has been told by `imgforge-kube`.
        hostname: hostname(node).ok(),
        users: all_users,
        mounts: node.mounts.clone(),
        storage: node.storage.clone(),
        kernel_arguments: node.kernel_arguments.clone(),
        firmware: node.firmware.clone(),
        packages: packages(cluster, node),
        repositories: cluster.repositories.clone(),
        kubernetes: None,
        time_servers: cluster.time_servers.clone(),
        address: node.address.map(|address| Address {
            address,
            second: node.second_address,
            gateway: cluster.lan.gateway,
            dns: cluster.lan.dns.clone(),
            interface: node.interface.clone(),
            vlan: node.vlan,
        }),
        networks: node.networks.clone(),
        proxy: of_nodes(cluster),
        wifi: node.wifi.clone().or_else(|| cluster.wifi.clone()),
        firewall: node.firewall.as_ref().or(cluster.firewall.as_ref()).map(|own| firewall(cluster, own)),
        files: cluster.files.iter().chain(&node.files).cloned().collect(),
        system: node.system.over(&cluster.system),
        run_once: cluster.run_once.iter().chain(&node.run_once).cloned().collect(),
        swap: node.swap,
        status: Some(node.status.unwrap_or(cluster.status)),
        allow: cluster.allow.iter().chain(&node.allow).cloned().collect(),
    })
}

/// Those of all nodes and the node's own, each once.
fn packages(cluster: &Cluster, node: &cluster::Node) -> Vec<String> {
    let own = node.packages.iter().filter(|own| !cluster.packages.contains(own));
    cluster.packages.iter().chain(own).cloned().collect()
}

/// `own`, which also lets in whom the cluster needs: the nodes whose addresses are known with their networks, pods, Services.
fn firewall(cluster: &Cluster, own: &Firewall) -> Firewall {
    let mut all = own.clone();
    let networking = &cluster.networking;
    let inside = networking.pod_subnet.iter().chain(networking.service_subnet.iter());
    for network in cluster.nodes.iter().flat_map(|node| node.addresses()).chain(inside) {
        if !all.from.contains(&network.network()) {
            all.from.push(network.network());
        }
    }
    all
}

/// `users`, who may also log in with `keys`.
fn users(users: &[User], keys: &[String]) -> Vec<User> {
    let user =
        |user: &User| User { ssh_keys: user.ssh_keys.iter().chain(keys).cloned().collect(), ..user.clone() };
    users.iter().map(user).collect()
}
