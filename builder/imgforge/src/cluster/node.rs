//! A node of the cluster file as a target: the settings it has in a `--node` file, and its place in the cluster.

use imgforge_kube::{
    check::{Finding, Severity},
    cluster::{self, Cluster},
};

use super::{ClusterFile, Membership, releases};
use crate::{
    error::Error,
    image_path::ImagePath,
    kubernetes::{Bundle, Choice, Release},
    node::{self, Address, Bind, Mount, Node, Role, User},
    target::Target,
};

impl ClusterFile<'_> {
    /// What is to be built for `node`.
    pub(super) fn target(&self, node: &cluster::Node) -> Result<Target, Error> {
        let (_, profile) = self.catalogue.find(&node.board)?;
        let role = role(node.role);
        let release = releases::file_of(self.cluster.version_of(node));
        let mut settings = settings(&self.cluster, node)?;
        settings.check()?;
        let runtime = self.cluster.runtime_of(node);
        let mut bundle = Bundle::default();
        if role.runs_kubernetes() {
            let found = Release::find(&release, self.folders)?;
            bundle = found.runtime(runtime, profile.architecture)?;
            settings.kubernetes = Some(Choice { release, from: found.way_for(profile.architecture) });
        }
        Ok(Target {
            board: profile.board.clone(),
            role,
            node: settings,
            membership: Some(Membership::new(self, &node.hostname, (runtime, bundle))),
            lock: Some(self.lock_path(&profile.board)),
            set: self.set(node),
        })
    }

    /// The lock's set of the release of `node`: its role's, and where it has a Kubernetes of its own, that one's.
    fn set(&self, node: &cluster::Node) -> String {
        let role = role(node.role).name();
        match node.kubernetes {
            Some(version) => format!("{role} {}", releases::file_of(version)),
            None => role.to_owned(),
        }
    }
}

/// What [`Node::check`] says of the cluster's nodes; `imgforge-kube` looks at everything else.
pub(super) fn findings(cluster: &Cluster) -> Vec<Finding> {
    let common = Node { users: users(&cluster.users, &cluster.ssh_keys), ..Node::default() };
    let mut findings: Vec<Finding> =
        common.check().err().into_iter().filter_map(|e| finding("", e)).collect();
    let is_common_good = findings.is_empty();
    for (index, node) in cluster.nodes.iter().enumerate() {
        let checked = settings(cluster, node).and_then(|mut settings| {
            if !is_common_good {
                // Told once, not at every node again.
                settings.users.truncate(node.users.len());
            }
            settings.hostname = None; // `imgforge-kube` has told already
            settings.check()
        });
        findings.extend(checked.err().and_then(|error| finding(&format!("nodes[{index}]."), error)));
    }
    findings
}

fn finding(prefix: &str, error: node::Error) -> Option<Finding> {
    match error {
        node::Error::Invalid { setting, message } => Some(Finding {
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
        hostname: Some(node.hostname.clone()),
        users: all_users,
        mounts: node.mounts.iter().enumerate().map(mount).collect::<Result<_, _>>()?,
        storage: node.storage.iter().enumerate().map(bind).collect::<Result<_, _>>()?,
        kernel_arguments: node.kernel_arguments.clone(),
        packages: node.packages.clone(),
        kubernetes: None,
        time_servers: cluster.time_servers.clone(),
        address: node.address.map(|address| Address {
            address,
            second: node.second_address,
            gateway: cluster.lan.gateway,
            dns: cluster.lan.dns.clone(),
            interface: node.interface.clone(),
        }),
        swap: node.swap,
    })
}

fn role(role: cluster::Role) -> Role {
    match role {
        cluster::Role::Base => Role::Base,
        cluster::Role::Master => Role::Master,
        cluster::Role::Worker => Role::Worker,
    }
}

/// `users`, who may also log in with `keys`.
fn users(users: &[cluster::User], keys: &[String]) -> Vec<User> {
    let user = |user: &cluster::User| User {
        name: user.name.clone(),
        ssh_keys: user.ssh_keys.iter().chain(keys).cloned().collect(),
        password_hash: user.password_hash.clone(),
        sudo: user.sudo,
    };
    users.iter().map(user).collect()
}

fn mount((index, mount): (usize, &cluster::Mount)) -> Result<Mount, node::Error> {
    Ok(Mount {
        source: mount.source.clone(),
        target: path(&mount.target, || format!("mounts[{index}].target"))?,
        kind: mount.kind.clone(),
        options: mount.options.clone(),
        required: mount.required,
        format_if_blank: mount.format_if_blank,
    })
}

fn bind((index, bind): (usize, &cluster::Bind)) -> Result<Bind, node::Error> {
    Ok(Bind {
        path: path(&bind.path, || format!("storage[{index}].path"))?,
        on: path(&bind.on, || format!("storage[{index}].on"))?,
    })
}

fn path(text: &str, setting: impl Fn() -> String) -> Result<ImagePath, node::Error> {
    ImagePath::new(text)
        .map_err(|error| node::Error::Invalid { setting: setting(), message: error.to_string() })
}
